"""Decode raw image files to 8-bit greyscale, upright.

Pillow decodes the files, and pydicom those of DICOM. What radiographs need is added: files of more than 8 bits are
scaled by the bit depth of their set (Pillow clips them), the EXIF orientation is applied, and transparent pixels become
black.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images import bands, content_checks
from xrayaug.data.images.colour import ColourImage, GreyImage, composite_over_black, read_grey_and_alpha
from xrayaug.data.images.dicom import decoding, reading
from xrayaug.data.images.dicom.grey_levels import Window
from xrayaug.data.images.intensity import MAX_BIT_DEPTH, IntensityScale, ValueRange, fit_scale
from xrayaug.data.images.opening import UnusableImage, describe_problem, open_image
from xrayaug.data.images.orientation import apply_orientation
from xrayaug.data.images.value_encoding import (
    HIGH_BIT_DEPTH_MODES,
    RawValues,
    ValueEncoding,
    is_white_zero,
    read_encoding,
    read_raw_mode,
)
from xrayaug.data.images.value_ranges import check_value_range, find_colour_range, find_value_range, iter_values

DEEP_COLOUR = "16-bit colour"  # Pillow keeps the upper 8 bits


@dataclass(frozen=True)
class Decoded:
    """A decoded greyscale image, with the format of its file."""

    grey: GreyImage  # [H, W], 0 black to 255 white
    depth: str  # of the file: 1-bit, 8-bit, 8-bit in 16 to 14-bit in 16, 16-bit, 8-bit signed ..., 16-bit colour, float
    mode: str  # Pillow mode of the file
    suspect_traits: tuple[str, ...] = ()  # those of `content_checks.SUSPECT_TRAITS` that the image has
    window: str = ""  # of DICOM: `dicom.grey_levels.GreyTable.window`


def decode(
    path: Path, *, scale: IntensityScale | None = None, invert: bool = False, window: Window = "file"
) -> Decoded:
    """Read the first image of a file, upright and in greyscale.

    Args:
        path: the file.
        scale: intensity scale for files of more than 8 bits; None fits one to this image.
        invert: swap black and white; transparent pixels stay black.
        window: window of DICOM files, see `dicom.grey_levels.make_table`.

    Raises:
        UnusableImage: the file cannot be used.
    """
    if reading.is_dicom(path):
        return _decode_dicom(path, window, invert=invert)
    with open_image(path, quick=True) as image:
        return convert_to_grey(image, scale, invert)


def _decode_dicom(path: Path, window: Window, *, invert: bool) -> Decoded:
    try:
        image = decoding.decode(path, window, invert=invert)
    except (OSError, MemoryError) as problem:
        raise UnusableImage(describe_problem(problem)) from None
    traits = (content_checks.FEW_GREYS,) if content_checks.has_few_greys(image.grey) else ()
    return Decoded(image.grey, image.depth, "DICOM", traits, image.window)


def convert_to_grey(image: Image.Image, scale: IntensityScale | None = None, invert: bool = False) -> Decoded:
    """Return an opened image, upright and in greyscale; `decode` describes the arguments.

    Raises:
        UnusableImage: its values cannot be converted to greyscale.
    """
    mode, raw_mode, encoding = image.mode, read_raw_mode(image), read_encoding(image)
    image.load()
    if mode in HIGH_BIT_DEPTH_MODES:
        grey, depth = _scale_to_grey(image, encoding, scale)
        if is_white_zero(image):  # Pillow inverts only 8-bit TIFF
            np.subtract(255, grey, out=grey)
        alpha = None
    elif encoding.kind == "signed":
        raise UnusableImage("signed values of 8 bits are not read; export it as unsigned")
    else:
        grey, alpha = read_grey_and_alpha(image)
        depth = "1-bit" if mode == "1" else DEEP_COLOUR if ";16" in raw_mode else "8-bit"
        if depth == DEEP_COLOUR:
            _check_16_bit_colour(grey, scale)
    if invert:
        np.subtract(255, grey, out=grey)
    if alpha is not None:
        composite_over_black(grey, alpha)
    traits = content_checks.find_suspect_traits(grey, image)
    grey = apply_orientation(grey, image)
    if content_checks.has_frames(image):
        traits = (*traits, content_checks.FRAMES)
    return Decoded(grey, depth, mode, traits)


def convert_to_rgb(image: Image.Image, scale: IntensityScale | None = None) -> ColourImage:
    """Return an opened image of up to 8 bits, upright and in Pillow's RGB, uint8 `[H, W, 3]`.

    Raises:
        UnusableImage: it is 16-bit colour, and `scale` has fewer bits.
    """
    is_deep = ";16" in read_raw_mode(image)
    image.load()
    picture = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in bands.iter_bands(image):
        picture[rows] = np.asarray(band.convert("RGB"))
    if is_deep:
        _check_16_bit_colour(picture, scale)
    return apply_orientation(picture, image)


def _scale_to_grey(image: Image.Image, encoding: ValueEncoding, scale: IntensityScale | None) -> tuple[GreyImage, str]:
    """Return an image of more than 8 bits in greyscale, rounded to nearest, and the name of its depth.

    Raises:
        UnusableImage: its values are negative, not finite, or outside the scale.
    """
    value_range = find_value_range(image, encoding)
    own = fit_scale([value_range]) if value_range.is_usable else IntensityScale(MAX_BIT_DEPTH)
    if scale is not None:  # negative values in one signed file make the scale of all signed files signed
        own = replace(own, bits=fit_scale([value_range, ValueRange("signed", -1, 0)]).bits) if scale.signed else own
    scale = scale or own
    black, white = scale.limits(value_range.kind)
    check_value_range(value_range, black, white)
    grey = np.empty((image.height, image.width), np.uint8)
    for rows, values in iter_values(image, encoding):
        is_float = value_range.kind == "float"
        grey[rows] = np.rint(values * np.float32(255 / white)) if is_float else _rescale(values, black, white)
    return grey, _name_depth(value_range, own.bits, is_signed=black < 0)


def _name_depth(value_range: ValueRange, bits: int, *, is_signed: bool) -> str:
    if value_range.kind == "float":
        return "float"
    if is_signed:
        return f"{bits}-bit signed"
    return "16-bit" if bits == MAX_BIT_DEPTH else f"{bits}-bit in 16"


def _rescale(values: RawValues, black: int, white: int) -> npt.NDArray[np.uint32]:
    """Return `255 * (values - black) / (white - black)`, with halves rounded up."""
    full = white - black
    above = values.astype(np.uint32) if black == 0 else (values.astype(np.int64) - black).astype(np.uint32)
    return (above * np.uint32(255) + np.uint32(full // 2)) // np.uint32(full)


def _check_16_bit_colour(grey: GreyImage, scale: IntensityScale | None) -> None:
    """Refuse 16-bit colour on a scale of fewer bits, because Pillow keeps only the upper 8 of the 16 bits.

    Raises:
        UnusableImage: fewer than 8 bits would be left.
    """
    bits = (scale or fit_scale([find_colour_range(grey)])).bits
    if bits < MAX_BIT_DEPTH and grey.any():
        raise UnusableImage(f"colour of {bits} bits in 16 would lose its lower bits; export it as greyscale")
