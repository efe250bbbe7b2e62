"""Decode raw image files to 8-bit greyscale, and resize them to squares.

Pillow decodes the files. This module adds what radiographs need: files of more than 8 bits are scaled by the bit depth
of their set (Pillow clips them), the EXIF orientation is applied, transparent pixels become black, and every problem
with a file raises `UnusableImage` with a reason of one line. The size in a file's header is checked before memory is
allocated, and images are converted in bands of rows to limit memory.
"""

import hashlib
import stat
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base as Tag

from xrayaug.data.images import png
from xrayaug.data.images.formats import DICOM_SUFFIXES, PILLOW_FORMATS
from xrayaug.errors import one_line

Grey = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.uint8]  # [H, W, 3]
Raw = npt.NDArray[np.uint16 | np.int32 | np.uint32 | np.int64 | np.float32]

DICOM_MAGIC, DICOM_MAGIC_AT = b"DICM", 128
HIGH_BIT_DEPTH_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # Pillow modes of more than 8 bits
BIT_DEPTHS = (8, 10, 12, 14, 16)
MAX_BIT_DEPTH = BIT_DEPTHS[-1]
DEEP_COLOUR = "16-bit colour"  # Pillow keeps the upper 8 bits
SUSPECT_TRAITS = FEW_GREYS, COLOURED, FRAMES = ("few_greys", "coloured", "frames")  # unusual in a radiograph
MAX_FEW_GREYS = 16  # grey levels
# An image is a mask if MASK_SHARE of its pixels are within MASK_TOLERANCE grey levels of one of two levels, and these
# are more than MIN_MASK_CONTRAST apart. Less contrast occurs in faint radiographs.
MASK_TOLERANCE = 8
MASK_SHARE = 0.95
MIN_MASK_CONTRAST = 64
SAMPLE_SIDE = 32  # side in pixels of the sample that is searched for colour and grey levels
MIN_COLOUR_SPREAD = 64  # maximum minus minimum of a pixel's channels; the tint of a film has less
MIN_COLOURED_SHARE = 0.02  # share of sampled pixels above which an image counts as coloured
LOW_BIT_DEPTHS = ("1-bit", "8-bit")  # depths that need no scaling
TIFF_SIGNED = 2  # value of TIFF's SampleFormat
EIGHT_BIT_SIGNATURES = (b"\xff\xd8", b"GIF8", b"BM", b"RIFF")  # JPEG, GIF, BMP, WebP: Pillow reads 8 bits of them
WHITE_IS_ZERO = 0  # value of TIFF's PhotometricInterpretation
ABOVE_BIT_DEPTH = "the most of its bit depth"  # end of the reason for an image whose values exceed the bit depth
REASON_LENGTH = 200  # characters
MAX_PIXELS = 1 << 26  # 64 megapixels; radiographs have up to 30
MAX_PIXELS_BY_FORMAT = {"JPEG2000": 1 << 24, "WEBP": 1 << 24}  # these decoders need up to 25 bytes per pixel
BAND_PIXELS = 1 << 20  # pixels converted at a time

Transform = Callable[[Grey], Grey]

ORIENTATION_TRANSFORMS: dict[int, Transform] = {  # EXIF orientation -> transform that makes the image upright
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: np.rot90(picture, 2).swapaxes(0, 1),
    8: np.rot90,
}

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class UnusableImage(Exception):  # noqa: N818 - the result of checking a file, caught for each file; not a program error
    """A file that cannot be used; the message is the reason, in one line."""


@dataclass(frozen=True)
class Decoded:
    """A decoded greyscale image, with the format of its file."""

    grey: Grey  # [H, W], 0 black to 255 white
    depth: str  # of the file: 1-bit, 8-bit, 8-bit in 16 to 14-bit in 16, 16-bit, 8-bit signed ..., 16-bit colour, float
    mode: str  # Pillow mode of the file
    seems: tuple[str, ...] = ()  # those `SUSPECT_TRAITS` that the image has


@dataclass(frozen=True)
class IntensityScale:
    """The values of black and white in files of more than 8 bits; all files of a set share one scale."""

    bits: int  # white is 2^bits - 1
    signed: bool = False  # black is -2^(bits - 1) in signed files, because one of them holds negative values
    unit: bool = False  # white is 1 in float files

    def limits(self, kind: str) -> tuple[int, int]:
        """Return the values of black and white in files of this kind of value (see `ValueRange.kind`)."""
        if kind == "float" and self.unit:
            return 0, 1
        black = -(1 << self.bits - 1) if kind == "signed" and self.signed else 0
        return black, black + (1 << self.bits) - 1


@dataclass(frozen=True)
class ValueRange:
    """The minimum and maximum of an image of more than 8 bits."""

    kind: str  # kind of value: unsigned, signed, float or colour
    lowest: float
    highest: float

    @property
    def is_usable(self) -> bool:
        """True if the values are finite and fit into 16 bits."""
        minimum = -(1 << MAX_BIT_DEPTH - 1) if self.is_negative else 0
        maximum = minimum + (1 << MAX_BIT_DEPTH) - 1
        is_finite = bool(np.isfinite([self.lowest, self.highest]).all())
        return is_finite and minimum <= self.lowest and self.highest <= maximum

    @property
    def is_negative(self) -> bool:
        """True if the file is declared signed and holds negative values."""
        return self.kind == "signed" and self.lowest < 0


def fit_scale(value_ranges: Iterable[ValueRange]) -> IntensityScale:
    """Return the scale of the smallest bit depth that covers all these images; unusable ones are ignored.

    If any signed file holds negative values, all signed files are read as two's complement: black is the minimum of the
    bit depth. If no float file exceeds 1, white is 1 in float files.
    """
    usable = [value_range for value_range in value_ranges if value_range.is_usable]
    signed = any(value_range.is_negative for value_range in usable)
    floats = [value_range.highest for value_range in usable if value_range.kind == "float"]
    unit = bool(floats) and max(floats) <= 1
    scales = (IntensityScale(bits, signed, unit) for bits in BIT_DEPTHS)
    covering = (scale for scale in scales if all(_covers(scale, value_range) for value_range in usable))
    return next(covering, IntensityScale(MAX_BIT_DEPTH, signed, unit))


def _covers(scale: IntensityScale, value_range: ValueRange) -> bool:
    black, white = scale.limits(value_range.kind)
    return black <= value_range.lowest and value_range.highest <= white


def decode(path: Path, *, scale: IntensityScale | None = None, invert: bool = False) -> Decoded:
    """Read the first image of a file, upright and in greyscale.

    Args:
        path: the file.
        scale: intensity scale for files of more than 8 bits; None fits one to this image.
        invert: swap black and white; transparent pixels stay black.

    Raises:
        UnusableImage: the file cannot be used.
    """
    with open_image(path, quick=True) as image:
        return convert_to_grey(image, scale, invert)


def read_value_kind(path: Path) -> str:
    """Return `ValueRange.kind` of a file of more than 8 bits, read from its header; "" for any other file.

    It is also "" for files that cannot be used.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        with _open(path) as stream:
            start = stream.read(26)
        if start.startswith(png.SIGNATURE):
            if start[24:25] != bytes([MAX_BIT_DEPTH]):
                return ""
            return "colour" if start[25] else "unsigned"
        if start.startswith(EIGHT_BIT_SIGNATURES):
            return ""
        with open_image(path) as image:
            if image.mode in HIGH_BIT_DEPTH_MODES:
                return _read_encoding(image).kind
            return "colour" if ";16" in _raw_mode(image) else ""
    except UnusableImage:
        return ""


def read_value_range(path: Path) -> ValueRange | None:
    """Return the value range of a file of more than 8 bits; None for any other file.

    Raises:
        UnusableImage: the file cannot be used.
    """
    with open_image(path) as image:
        mode, raw_mode, encoding = image.mode, _raw_mode(image), _read_encoding(image)
        image.load()
        if mode in HIGH_BIT_DEPTH_MODES:
            return _find_value_range(image, encoding)
        return _find_colour_range(_grey_and_alpha(image)[0]) if ";16" in raw_mode else None


def has_frames(path: Path) -> bool:
    """Return whether a file holds several pages or frames; False for a file that cannot be used."""
    try:
        with open_image(path) as image:
            return _has_frames(image)
    except UnusableImage:
        return False


@contextmanager
def open_image(path: Path, *, quick: bool = False) -> Iterator[Image.Image]:
    """Open the first image of a file; its pixels are not read yet.

    Pillow gets a stream, not a path: it would map a file opened by path into memory, and would then not apply the
    orientation of a TIFF.

    Args:
        path: the file.
        quick: decode plain 8-bit PNG files by `png.read`, which is faster.

    Raises:
        UnusableImage: the file cannot be used; also raised for errors inside the `with` block.
    """
    try:
        with _open(path) as stream:
            if quick and (plain := png.read(stream, MAX_PIXELS)) is not None:
                yield Image.fromarray(plain)
                return
            with _silence_pillow():
                _check_start(path, stream)
                with Image.open(stream, formats=PILLOW_FORMATS) as image:
                    _check_size(image)
                    yield image
    except UnusableImage:
        raise
    except Exception as problem:  # Pillow's parsers raise many types, from zlib.error to IndexError
        raise UnusableImage(_reason(problem)) from None


def convert_to_grey(image: Image.Image, scale: IntensityScale | None = None, invert: bool = False) -> Decoded:
    """Return an opened image, upright and in greyscale; `decode` describes the arguments.

    Raises:
        UnusableImage: its values cannot be converted to greyscale.
    """
    mode, raw_mode, encoding = image.mode, _raw_mode(image), _read_encoding(image)
    image.load()
    if mode in HIGH_BIT_DEPTH_MODES:
        grey, depth = _scale_to_grey(image, encoding, scale)
        if _is_white_zero(image):  # Pillow inverts only 8-bit TIFF
            np.subtract(255, grey, out=grey)
        alpha = None
    elif encoding.kind == "signed":
        raise UnusableImage("signed values of 8 bits are not read; export it as unsigned")
    else:
        grey, alpha = _grey_and_alpha(image)
        depth = "1-bit" if mode == "1" else DEEP_COLOUR if ";16" in raw_mode else "8-bit"
        if depth == DEEP_COLOUR:
            _check_16_bit_colour(grey, scale)
    if invert:
        np.subtract(255, grey, out=grey)
    if alpha is not None:
        _composite_over_black(grey, alpha)
    seems = ((FEW_GREYS,) if _has_few_greys(grey) else ()) + ((COLOURED,) if _is_coloured(image) else ())
    grey = _apply_orientation(grey, image)
    return Decoded(grey, depth, mode, (*seems, FRAMES) if _has_frames(image) else seems)


def convert_to_rgb(image: Image.Image, scale: IntensityScale | None = None) -> Colour:
    """Return an opened image of up to 8 bits, upright and in Pillow's RGB, uint8 `[H, W, 3]`.

    Raises:
        UnusableImage: it is 16-bit colour, and `scale` has fewer bits.
    """
    is_deep = ";16" in _raw_mode(image)
    image.load()
    picture = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        picture[rows] = np.asarray(band.convert("RGB"))
    if is_deep:
        _check_16_bit_colour(picture, scale)
    return _apply_orientation(picture, image)


def resize_square(grey: Grey, size: int, *, fit: str, resample: str) -> Grey:
    """Resize an image uint8 [H, W] to [size, size].

    Every filter except nearest is antialiased; benchmarks/README.md lists their errors and times. Pillow's
    `reducing_gap` is not used: it would save a third of the time of bicubic, which is a fraction of the time for
    decoding, and cause errors of up to 17 grey levels.

    Args:
        grey: the image.
        size: width and height of the result, in pixels.
        fit: "squash" ignores the aspect ratio, "pad" keeps it and adds black, "crop" keeps it and crops the long side.
        resample: name of a filter, a key of `FILTERS`.
    """
    height, width = grey.shape
    if fit == "squash":
        return _resize(grey, size, size, resample)
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return _resize(grey[top : top + side, left : left + side], size, size, resample)
    scale = size / max(height, width)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - inner_width) // 2, (size - inner_height) // 2
    padded = np.zeros((size, size), np.uint8)
    inner = _resize(grey, inner_height, inner_width, resample)
    padded[top : top + inner_height, left : left + inner_width] = inner
    return padded


def pixel_sha256(grey: Grey) -> str:
    """Return the sha256 of the shape and the pixels of an image, which identifies it."""
    height, width = grey.shape
    digest = hashlib.sha256(f"{height}x{width}\n".encode())
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()


def is_blank(grey: Grey) -> bool:
    """Return whether the image has one grey level only."""
    return bool(grey.min() == grey.max())


def _has_few_greys(grey: Grey) -> bool:
    """Return whether the image has 2 to `MAX_FEW_GREYS` grey levels, or nearly all its pixels are near two levels.

    The second is a mask after lossy compression. A sample of the pixels decides in most cases.
    """
    step = max(1, min(grey.shape) // SAMPLE_SIDE)
    histogram = np.bincount(grey[::step, ::step].ravel(), minlength=256)
    if np.count_nonzero(histogram) <= MAX_FEW_GREYS:
        return bool(1 < np.count_nonzero(np.bincount(grey.ravel(), minlength=256)) <= MAX_FEW_GREYS)
    window_sums = np.convolve(histogram, np.ones(2 * MASK_TOLERANCE + 1, int), "same")
    first = int(window_sums.argmax())
    window_sums[max(0, first - MIN_MASK_CONTRAST) : first + MIN_MASK_CONTRAST + 1] = 0
    second = int(window_sums.argmax())
    near_peaks = (
        histogram[max(0, first - MASK_TOLERANCE) : first + MASK_TOLERANCE + 1].sum()
        + histogram[max(0, second - MASK_TOLERANCE) : second + MASK_TOLERANCE + 1].sum()
    )
    return bool(window_sums[second] and near_peaks > MASK_SHARE * histogram.sum())


def _has_frames(image: Image.Image) -> bool:
    """Return whether the file holds several pages or frames; to be called last, because Pillow may seek to others."""
    try:
        return getattr(image, "n_frames", 1) > 1
    except Exception:  # as in `open_image`: the file is damaged after the first frame
        return True


def _is_coloured(image: Image.Image) -> bool:
    """Return whether a sample of the pixels shows colours, not only the tint of a film."""
    if image.mode in ("1", "L", "LA", *HIGH_BIT_DEPTH_MODES):
        return False
    size = min(SAMPLE_SIDE, image.width), min(SAMPLE_SIDE, image.height)
    sample = np.asarray(image.resize(size, Image.Resampling.NEAREST).convert("RGB"))
    return bool((np.ptp(sample, axis=2) > MIN_COLOUR_SPREAD).mean() > MIN_COLOURED_SHARE)


def _resize(grey: Grey, height: int, width: int, resample: str) -> Grey:
    image = Image.fromarray(np.ascontiguousarray(grey))
    return np.array(image.resize((width, height), FILTERS[resample]))


def _open(path: Path) -> IO[bytes]:
    """Open a file; only regular files, because reading a pipe could block forever."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # opening a directory raises an error of its own
        raise UnusableImage("it is no regular file")
    return path.open("rb")


def _check_start(path: Path, stream: IO[bytes]) -> None:
    """Check the first bytes of a file.

    Raises:
        UnusableImage: it is empty or DICOM.
    """
    start = stream.read(DICOM_MAGIC_AT + len(DICOM_MAGIC))
    stream.seek(0)
    if not start:
        raise UnusableImage("the file is empty")
    if start[DICOM_MAGIC_AT:] == DICOM_MAGIC or path.suffix.lower() in DICOM_SUFFIXES:
        raise UnusableImage("DICOM is not read yet; export it as PNG")


def _check_size(image: Image.Image) -> None:
    """Check the image size in the file's header, before any pixel is read.

    Raises:
        UnusableImage: it is above the limit, or 0.
    """
    pixels, limit = image.width * image.height, MAX_PIXELS_BY_FORMAT.get(image.format or "", MAX_PIXELS)
    if pixels == 0:
        raise UnusableImage(f"the picture is {image.width} × {image.height}")
    if pixels > limit:
        raise UnusableImage(f"too large: {image.width} × {image.height} pixels, more than {limit >> 20} megapixels")


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands of whole rows of the image, each with the slice of its rows."""
    step = max(1, BAND_PIXELS // image.width)
    if step >= image.height:  # saves a copy
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _apply_orientation(picture: Grey, image: Image.Image) -> Grey:
    """Apply the EXIF orientation; call it after `load`, which reads the EXIF of PNG and already orients TIFF."""
    turn = ORIENTATION_TRANSFORMS.get(_orientation(image))
    return picture if turn is None else np.ascontiguousarray(turn(picture))


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's raw mode of the file, such as `RGB;16B`; it must be called before `load`."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if the EXIF is missing or damaged."""
    try:
        value = image.getexif().get(Tag.Orientation, 1)
    except Exception:  # as in `open_image`
        return 1
    return value if isinstance(value, int) else 1


def _is_white_zero(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(Tag.PhotometricInterpretation, 1) == WHITE_IS_ZERO)


@dataclass(frozen=True)
class _ValueEncoding:
    """The encoding of values in a file of more than 8 bits, and how Pillow changes them."""

    kind: str  # unsigned, signed or float
    white: int = (1 << MAX_BIT_DEPTH) - 1  # the white declared by the file
    is_stretched: bool = False  # Pillow scales this white to 65535
    is_wrapped: bool = False  # Pillow reads values from 2^31 as negative

    def restore(self, values: npt.NDArray[Any]) -> Raw:
        """Return the values stored in the file, from those read by Pillow."""
        if self.is_wrapped:
            return values.view(np.uint32)
        if self.is_stretched:
            return (values.astype(np.int64) * self.white + (1 << MAX_BIT_DEPTH - 1)) // ((1 << MAX_BIT_DEPTH) - 1)
        return values


def _read_encoding(image: Image.Image) -> _ValueEncoding:
    """Return how the file stores its values; it must be called before `load`."""
    if image.mode == "F":
        return _ValueEncoding("float")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        formats, depths = (np.ravel(image.tag_v2.get(tag, 1)) for tag in (Tag.SampleFormat, Tag.BitsPerSample))
        if formats[0] == TIFF_SIGNED:
            return _ValueEncoding("signed")
        return _ValueEncoding("unsigned", _max_value(int(depths[0])), is_wrapped=depths[0] == 32)
    if isinstance(image, ImageFile.ImageFile) and image.mode in HIGH_BIT_DEPTH_MODES:
        arguments = image.tile[0][3]
        if image.format == "JPEG2000":
            return _ValueEncoding("unsigned", _max_value(_jpeg2000_bit_depth(image)), is_stretched=True)
        if image.format == "PPM" and isinstance(arguments, tuple) and len(arguments) == 2:  # only if white is not 65535
            return _ValueEncoding("unsigned", int(arguments[1]), is_stretched=True)
    return _ValueEncoding("unsigned")


def _max_value(bits: int) -> int:
    return (1 << min(bits, MAX_BIT_DEPTH)) - 1


def _jpeg2000_bit_depth(image: ImageFile.ImageFile) -> int:
    """Return the bit depth of a JPEG 2000 image, from the marker that begins its code stream; 16 if it is not found."""
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    _, _, head = image.fp.read(1 << 16).partition(b"\xff\x4f\xff\x51")
    image.fp.seek(place)
    return (head[38] & 0x7F) + 1 if len(head) > 38 else MAX_BIT_DEPTH


def _find_value_range(image: Image.Image, encoding: _ValueEncoding) -> ValueRange:
    """Return the value range of an image of more than 8 bits; the maximum is the declared white, if not 65535."""
    limits = [(values.min(), values.max()) for _, values in _iter_values(image, encoding)]
    lowest, highest = float(np.min(limits)), float(np.max(limits))
    return ValueRange(encoding.kind, lowest, encoding.white if encoding.white < _max_value(MAX_BIT_DEPTH) else highest)


def _find_colour_range(grey: Grey) -> ValueRange:
    """Return the value range of a 16-bit colour image, of which Pillow keeps the upper 8 bits."""
    return ValueRange("colour", 0, int(grey.max()) * 256 + 255 if grey.any() else 0)


def _scale_to_grey(image: Image.Image, encoding: _ValueEncoding, scale: IntensityScale | None) -> tuple[Grey, str]:
    """Return an image of more than 8 bits in greyscale, rounded to nearest, and the name of its depth.

    Raises:
        UnusableImage: its values are negative, not finite, or outside the scale.
    """
    value_range = _find_value_range(image, encoding)
    own = fit_scale([value_range]) if value_range.is_usable else IntensityScale(MAX_BIT_DEPTH)
    if scale is not None:  # negative values in one signed file make the scale of all signed files signed
        own = replace(own, bits=fit_scale([value_range, ValueRange("signed", -1, 0)]).bits) if scale.signed else own
    scale = scale or own
    black, white = scale.limits(value_range.kind)
    _check_value_range(value_range, black, white)
    grey = np.empty((image.height, image.width), np.uint8)
    for rows, values in _iter_values(image, encoding):
        is_float = value_range.kind == "float"
        grey[rows] = np.rint(values * np.float32(255 / white)) if is_float else _rescale(values, black, white)
    return grey, _name_depth(value_range, own.bits, is_signed=black < 0)


def _name_depth(value_range: ValueRange, bits: int, *, is_signed: bool) -> str:
    if value_range.kind == "float":
        return "float"
    if is_signed:
        return f"{bits}-bit signed"
    return "16-bit" if bits == MAX_BIT_DEPTH else f"{bits}-bit in 16"


def _check_value_range(value_range: ValueRange, black: int, white: int) -> None:
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


def _iter_values(image: Image.Image, encoding: _ValueEncoding) -> Iterator[tuple[slice, Raw]]:
    return ((rows, encoding.restore(np.asarray(band))) for rows, band in _bands(image))


def _rescale(values: Raw, black: int, white: int) -> npt.NDArray[np.uint32]:
    """Return `255 * (values - black) / (white - black)`, with halves rounded up."""
    full = white - black
    above = values.astype(np.uint32) if black == 0 else (values.astype(np.int64) - black).astype(np.uint32)
    return (above * np.uint32(255) + np.uint32(full // 2)) // np.uint32(full)


def _grey_and_alpha(image: Image.Image) -> tuple[Grey, Grey | None]:
    """Return an image of up to 8 bits in greyscale [H, W], and its alpha channel [H, W] if it has one."""
    shape = (image.height, image.width)
    target = _target_mode(image)
    if image.mode == target == "L":
        return np.array(image), None
    grey = np.empty(shape, np.uint8)
    alpha = np.empty(shape, np.uint8) if target in ("LA", "RGBA") else None
    for rows, band in _bands(image):
        plain = band if band.mode == target else band.convert(target)
        grey[rows] = np.asarray(plain.convert("L"))
        if alpha is not None:
            alpha[rows] = np.asarray(plain.getchannel("A"))
    return grey, alpha


def _target_mode(image: Image.Image) -> str:
    """Return the mode to convert an image to before greyscale: one with alpha if it has any transparency."""
    if image.mode in ("1", "L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image.mode
    if image.mode in ("1", "L"):
        return "LA"
    return "RGBA" if image.has_transparency_data else "RGB"


def _composite_over_black(grey: Grey, alpha: Grey) -> None:
    """Composite the image over black in place: `grey * alpha / 255`, rounded."""
    step = max(1, BAND_PIXELS // grey.shape[1])
    for top in range(0, len(grey), step):
        rows = slice(top, top + step)
        grey[rows] = (grey[rows].astype(np.uint16) * alpha[rows] + 127) // 255


def _check_16_bit_colour(grey: Grey, scale: IntensityScale | None) -> None:
    """Refuse 16-bit colour on a scale of fewer bits, because Pillow keeps only the upper 8 of the 16 bits.

    Raises:
        UnusableImage: fewer than 8 bits would be left.
    """
    bits = (scale or fit_scale([_find_colour_range(grey)])).bits
    if bits < MAX_BIT_DEPTH and grey.any():
        raise UnusableImage(f"colour of {bits} bits in 16 would lose its lower bits; export it as greyscale")


def _reason(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, UnidentifiedImageError):
        return "not an image, or of a format that is not read"
    if isinstance(problem, Image.DecompressionBombError):
        return f"too large: {problem}"
    if isinstance(problem, MemoryError):
        return "not enough memory to decode it"
    text = " ".join(one_line(str(problem)).split()) or type(problem).__name__
    return f"damaged: {text}"[:REASON_LENGTH]


_quiet_lock = threading.Lock()
_quiet_users = 0
_silence = warnings.catch_warnings()


@contextmanager
def _silence_pillow() -> Iterator[None]:
    """Suppress Pillow's warnings on damaged files while any thread is inside.

    `warnings.catch_warnings` alone is not thread-safe: the first thread to leave would restore the filters for all.
    """
    global _quiet_users, _silence  # noqa: PLW0603 - the filters it guards are global to the process
    with _quiet_lock:
        if _quiet_users == 0:
            _silence = warnings.catch_warnings()
            _silence.__enter__()
            warnings.simplefilter("ignore")
        _quiet_users += 1
    try:
        yield
    finally:
        with _quiet_lock:
            _quiet_users -= 1
            if _quiet_users == 0:
                _silence.__exit__(None, None, None)
