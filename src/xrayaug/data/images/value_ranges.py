"""Find the minimum and maximum of files of more than 8 bits, from which the scale of a set is chosen."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from xrayaug.data.images import bands, png
from xrayaug.data.images.colour import GreyImage, read_grey_and_alpha
from xrayaug.data.images.intensity import MAX_BIT_DEPTH, ValueRange
from xrayaug.data.images.opening import UnusableImage, open_image, open_regular_file
from xrayaug.data.images.value_encoding import (
    HIGH_BIT_DEPTH_MODES,
    RawValues,
    ValueEncoding,
    max_value,
    read_encoding,
    read_raw_mode,
)

EIGHT_BIT_SIGNATURES = (b"\xff\xd8", b"GIF8", b"BM", b"RIFF")  # JPEG, GIF, BMP, WebP: Pillow reads 8 bits of them
ABOVE_BIT_DEPTH = "the most of its bit depth"  # end of the reason for an image whose values exceed the bit depth


def read_value_kind(path: Path) -> str:
    """Return `ValueRange.kind` of a file of more than 8 bits, read from its header; "" for any other file.

    It is also "" for files that cannot be used.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        with open_regular_file(path) as stream:
            start = stream.read(26)
        if start.startswith(png.SIGNATURE):
            if start[24:25] != bytes([MAX_BIT_DEPTH]):
                return ""
            return "colour" if start[25] else "unsigned"
        if start.startswith(EIGHT_BIT_SIGNATURES):
            return ""
        with open_image(path) as image:
            if image.mode in HIGH_BIT_DEPTH_MODES:
                return read_encoding(image).kind
            return "colour" if ";16" in read_raw_mode(image) else ""
    except UnusableImage:
        return ""


def read_value_range(path: Path) -> ValueRange | None:
    """Return the value range of a file of more than 8 bits; None for any other file.

    Raises:
        UnusableImage: the file cannot be used.
    """
    with open_image(path) as image:
        mode, raw_mode, encoding = image.mode, read_raw_mode(image), read_encoding(image)
        image.load()
        if mode in HIGH_BIT_DEPTH_MODES:
            return find_value_range(image, encoding)
        return find_colour_range(read_grey_and_alpha(image)[0]) if ";16" in raw_mode else None


def find_value_range(image: Image.Image, encoding: ValueEncoding) -> ValueRange:
    """Return the value range of an image of more than 8 bits; the maximum is the declared white, if not 65535."""
    limits = [(values.min(), values.max()) for _, values in iter_values(image, encoding)]
    lowest, highest = float(np.min(limits)), float(np.max(limits))
    return ValueRange(encoding.kind, lowest, encoding.white if encoding.white < max_value(MAX_BIT_DEPTH) else highest)


def find_colour_range(grey: GreyImage) -> ValueRange:
    """Return the value range of a 16-bit colour image, of which Pillow keeps the upper 8 bits."""
    return ValueRange("colour", 0, int(grey.max()) * 256 + 255 if grey.any() else 0)


def check_value_range(value_range: ValueRange, black: int, white: int) -> None:
    """Check that the values of an image are between black and white.

    Raises:
        UnusableImage: some are outside, or all are so small that the image would be black.
    """
    if not np.isfinite([value_range.lowest, value_range.highest]).all():
        raise UnusableImage("it holds values that are not finite numbers")
    if value_range.lowest < black:
        limit = f", less than {black}, the least of its bit depth" if black else ""
        raise UnusableImage(f"it holds negative values, down to {value_range.lowest:g}{limit}")
    if value_range.highest > white:
        raise UnusableImage(f"it holds values up to {value_range.highest:g}, more than {white}, {ABOVE_BIT_DEPTH}")
    if value_range.kind == "float" and white > 1 and 0 < value_range.highest <= 1:
        raise UnusableImage(f"it holds floats up to {value_range.highest:g}, all black where {white} is white")


def iter_values(image: Image.Image, encoding: ValueEncoding) -> Iterator[tuple[slice, RawValues]]:
    """Yield the values stored in the file, in bands of rows, each with the slice of its rows."""
    return ((rows, encoding.restore(np.asarray(band))) for rows, band in bands.iter_bands(image))
