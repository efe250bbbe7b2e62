"""Raw file -> grey picture -> square.

Pillow decodes; what it does not do right for radiographs is done here: files of more than eight bits are scaled by the
bit depth of their set (Pillow clips them), orientation is applied, transparency becomes black, and whatever is wrong
with a file becomes one exception with one line of reason. A file may claim any size, so that is held to a limit before
memory is taken, and what is made of a picture is made some rows at a time.
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
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # of more than eight bits
BIT_DEPTHS = (8, 10, 12, 14, 16)
DEEPEST = BIT_DEPTHS[-1]
DEEP_COLOUR = "16-bit colour"  # Pillow keeps the upper eight bits
SEEMING = FEW_GREYS, COLOURED, FRAMES = ("few_greys", "coloured", "frames")
FEW = 16  # grey levels
NEAR, NEARLY_ALL = 8, 0.95  # levels from one of two, within which so large a share of the pixels lies in a mask
APART = 64  # levels between those two: less is a faint radiograph
SAMPLED = 32  # pixels a side at which colour is looked for
VIVID = 64  # levels from the least to the greatest of a pixel's channels: more than the tint of a film
VIVID_SHARE = 0.02  # of the pixels looked at, from which on a picture is coloured
SHALLOW = ("1-bit", "8-bit")  # depths that need no scaling
SIGNED = 2  # of TIFF's SampleFormat
NEVER_DEEP = (b"\xff\xd8", b"GIF8", b"BM", b"RIFF")  # first bytes of JPEG, GIF, BMP and WebP, of eight bits to Pillow
WHITE_IS_ZERO = 0  # of TIFF's PhotometricInterpretation
BEYOND_DEPTH = "the most of its bit depth"  # ends the reason of a picture that holds more
REASON_LENGTH = 200  # characters
MOST_PIXELS = 1 << 26  # 64 megapixels; radiographs have up to 30
MOST_PIXELS_OF = {"JPEG2000": 1 << 24, "WEBP": 1 << 24}  # whose decoders took up to 25 bytes a pixel
BAND_PIXELS = 1 << 20  # converted at a time

Turn = Callable[[Grey], Grey]

UPRIGHT: dict[int, Turn] = {  # EXIF orientation -> what shows the picture upright
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


class Unusable(Exception):  # noqa: N818 - a verdict on a file, caught per file; not an error of the program
    """Why a file cannot be used, in one line."""


@dataclass(frozen=True)
class Decoded:
    """A picture as the rest of the program knows it, and what it was."""

    grey: Grey  # [H, W], 0 black to 255 white
    depth: str  # its own: 1-bit, 8-bit, 8-bit in 16 to 14-bit in 16, 16-bit, 8-bit signed ..., 16-bit colour or float
    mode: str  # Pillow's, as found
    seems: tuple[str, ...] = ()  # in what it is no usual radiograph, of `SEEMING`


@dataclass(frozen=True)
class Scale:
    """What black and white are in files of more than eight bits: one for all files of a set."""

    bits: int  # white is 2^bits - 1
    signed: bool = False  # black is -2^(bits - 1) in files declared signed, for one of them holds negative values
    unit: bool = False  # white is 1 in float files

    def ends(self, kind: str) -> tuple[int, int]:
        """The values of black and white in files of that kind of value."""
        if kind == "float" and self.unit:
            return 0, 1
        black = -(1 << self.bits - 1) if kind == "signed" and self.signed else 0
        return black, black + (1 << self.bits) - 1


@dataclass(frozen=True)
class Extent:
    """The least and the greatest value of a picture of more than eight bits."""

    kind: str  # of value: unsigned, signed, float or colour
    lowest: float
    highest: float

    @property
    def is_usable(self) -> bool:
        """Whether 16 bits hold it."""
        least, most = (-(1 << DEEPEST - 1), (1 << DEEPEST - 1) - 1) if self.is_negative else (0, (1 << DEEPEST) - 1)
        return bool(np.isfinite([self.lowest, self.highest]).all()) and least <= self.lowest and self.highest <= most

    @property
    def is_negative(self) -> bool:
        """Whether a file declared signed holds negative values."""
        return self.kind == "signed" and self.lowest < 0


def scale_of(extents: Iterable[Extent]) -> Scale:
    """The scale that holds all these pictures, by the smallest bit depth that does; unusable ones do not count.

    Where a file declared signed holds negative values, all that are declared so are read as two's complement: black is
    the least number that the depth has. Floats up to 1 have a white of their own.
    """
    usable = [extent for extent in extents if extent.is_usable]
    signed = any(extent.is_negative for extent in usable)
    floats = [extent.highest for extent in usable if extent.kind == "float"]
    unit = bool(floats) and max(floats) <= 1
    scales = (Scale(bits, signed, unit) for bits in BIT_DEPTHS)
    return next((scale for scale in scales if all(_holds(scale, e) for e in usable)), Scale(DEEPEST, signed, unit))


def _holds(scale: Scale, extent: Extent) -> bool:
    black, white = scale.ends(extent.kind)
    return black <= extent.lowest and extent.highest <= white


def decode(path: Path, *, scale: Scale | None = None, invert: bool = False) -> Decoded:
    """Read the first picture of a file, upright and in grey.

    Args:
        path: the file.
        scale: of files of more than eight bits; None takes the one that holds this picture.
        invert: turn black to white; what is transparent stays black.

    Raises:
        Unusable: whatever is wrong with the file.
    """
    with opened(path, quick=True) as image:
        return decoded(image, scale, invert)


def deep_kind(path: Path) -> str:
    """The kind of value of a file of more than eight bits, as `Extent` has it, by its header; empty for any other.

    A file that cannot be used has none.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        with _open(path) as stream:
            start = stream.read(26)
        if start.startswith(png.SIGNATURE):
            if start[24:25] != bytes([DEEPEST]):
                return ""
            return "colour" if start[25] else "unsigned"
        if start.startswith(NEVER_DEEP):
            return ""
        with opened(path) as image:
            if image.mode in DEEP_MODES:
                return _stored(image).kind
            return "colour" if ";16" in _packing(image) else ""
    except Unusable:
        return ""


def extent(path: Path) -> Extent | None:
    """The values of a file of more than eight bits; None of any other.

    Raises:
        Unusable: whatever is wrong with the file.
    """
    with opened(path) as image:
        mode, packing, stored = image.mode, _packing(image), _stored(image)
        image.load()
        if mode in DEEP_MODES:
            return _extent(image, stored)
        return _colour_extent(_grey_and_alpha(image)[0]) if ";16" in packing else None


def has_frames(path: Path) -> bool:
    """Whether a file holds several pages or frames; one that cannot be used does not."""
    try:
        with opened(path) as image:
            return _has_frames(image)
    except Unusable:
        return False


@contextmanager
def opened(path: Path, *, quick: bool = False) -> Iterator[Image.Image]:
    """A file's first picture, its pixels not read yet.

    Pillow is given a stream: what it opens by its name it maps into memory, and then leaves a TIFF that lies on its
    side as it lies.

    Raises:
        Unusable: whatever is wrong with the file, found here or while the picture is used.
    """
    try:
        with _open(path) as stream:
            if quick and (plain := png.read(stream, MOST_PIXELS)) is not None:
                yield Image.fromarray(plain)
                return
            with _quiet():
                _check_start(path, stream)
                with Image.open(stream, formats=PILLOW_FORMATS) as image:
                    _check_size(image)
                    yield image
    except Unusable:
        raise
    except Exception as problem:  # Pillow's parsers raise whatever they trip over, from zlib.error to IndexError
        raise Unusable(_reason(problem)) from None


def decoded(image: Image.Image, scale: Scale | None = None, invert: bool = False) -> Decoded:
    """A picture that was `opened`, upright and in grey; for the arguments see `decode`.

    Raises:
        Unusable: its values cannot be shown in grey.
    """
    mode, packing, stored = image.mode, _packing(image), _stored(image)
    image.load()
    if mode in DEEP_MODES:
        grey, depth = _scaled(image, stored, scale)
        if _is_white_zero(image):  # Pillow turns only eight-bit TIFF
            np.subtract(255, grey, out=grey)
        alpha = None
    elif stored.kind == "signed":
        raise Unusable("signed values of 8 bits are not read; export it as unsigned")
    else:
        grey, alpha = _grey_and_alpha(image)
        depth = "1-bit" if mode == "1" else DEEP_COLOUR if ";16" in packing else "8-bit"
        if depth == DEEP_COLOUR:
            _check_deep_colour(grey, scale)
    if invert:
        np.subtract(255, grey, out=grey)
    if alpha is not None:
        _lay_over_black(grey, alpha)
    seems = ((FEW_GREYS,) if _has_few_greys(grey) else ()) + ((COLOURED,) if _is_coloured(image) else ())
    grey = _upright(grey, image)
    return Decoded(grey, depth, mode, (*seems, FRAMES) if _has_frames(image) else seems)


def coloured(image: Image.Image, scale: Scale | None = None) -> Colour:
    """A picture of eight bits or fewer that was `opened`, upright and in RGB as Pillow makes it, `[H, W, 3]`.

    Raises:
        Unusable: it is colour of 16 bits, of which `scale` uses fewer.
    """
    is_deep = ";16" in _packing(image)
    image.load()
    picture = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        picture[rows] = np.asarray(band.convert("RGB"))
    if is_deep:
        _check_deep_colour(picture, scale)
    return _upright(picture, image)


def square(grey: Grey, size: int, *, fit: str, resample: str) -> Grey:
    """Resize a picture uint8 [H, W] to [size, size].

    Every filter but nearest is antialiased; benchmarks/README.md has their errors and times. Pillow's `reducing_gap`
    would save a third of bicubic's time, itself a fraction of decoding, for errors of up to 17 levels: not used.

    Args:
        grey: the picture.
        size: width and height to make, in pixels.
        fit: squash ignores the aspect; pad keeps it and adds black; crop keeps it and cuts the long side.
        resample: a name in `FILTERS`.
    """
    height, width = grey.shape
    if fit == "squash":
        return _resized(grey, size, size, resample)
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return _resized(grey[top : top + side, left : left + side], size, size, resample)
    scale = size / max(height, width)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - inner_width) // 2, (size - inner_height) // 2
    padded = np.zeros((size, size), np.uint8)
    inner = _resized(grey, inner_height, inner_width, resample)
    padded[top : top + inner_height, left : left + inner_width] = inner
    return padded


def checksum(grey: Grey) -> str:
    """What tells one picture from another: sha256 of its shape and pixels."""
    height, width = grey.shape
    found = hashlib.sha256(f"{height}x{width}\n".encode())
    found.update(np.ascontiguousarray(grey).data)
    return found.hexdigest()


def is_blank(grey: Grey) -> bool:
    """Whether the picture has one grey level only."""
    return bool(grey.min() == grey.max())


def _has_few_greys(grey: Grey) -> bool:
    """Whether the picture has from 2 to `FEW` grey levels, or two levels near which nearly all pixels lie.

    The second is what compression makes of a mask. Most pictures are told by a few of their pixels.
    """
    step = max(1, min(grey.shape) // SAMPLED)
    seen = np.bincount(grey[::step, ::step].ravel(), minlength=256)
    if np.count_nonzero(seen) <= FEW:
        return bool(1 < np.count_nonzero(np.bincount(grey.ravel(), minlength=256)) <= FEW)
    near = np.convolve(seen, np.ones(2 * NEAR + 1, int), "same")
    first = int(near.argmax())
    near[max(0, first - APART) : first + APART + 1] = 0
    second = int(near.argmax())
    found = seen[max(0, first - NEAR) : first + NEAR + 1].sum() + seen[max(0, second - NEAR) : second + NEAR + 1].sum()
    return bool(near[second] and found > NEARLY_ALL * seen.sum())


def _has_frames(image: Image.Image) -> bool:
    """Whether the file holds several pages or frames; to be asked last, for it moves to others."""
    try:
        return getattr(image, "n_frames", 1) > 1
    except Exception:  # as in `decode`: what is damaged after the first frame
        return True


def _is_coloured(image: Image.Image) -> bool:
    """Whether a picture shows colours, not only the tint of a film; some of its pixels are looked at."""
    if image.mode in ("1", "L", "LA", *DEEP_MODES):
        return False
    size = min(SAMPLED, image.width), min(SAMPLED, image.height)
    seen = np.asarray(image.resize(size, Image.Resampling.NEAREST).convert("RGB"))
    return bool((np.ptp(seen, axis=2) > VIVID).mean() > VIVID_SHARE)


def _resized(grey: Grey, height: int, width: int, resample: str) -> Grey:
    image = Image.fromarray(np.ascontiguousarray(grey))
    return np.array(image.resize((width, height), FILTERS[resample]))


def _open(path: Path) -> IO[bytes]:
    """The file, if it is one: a pipe would be waited for without end."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # a directory says so itself
        raise Unusable("it is no regular file")
    return path.open("rb")


def _check_start(path: Path, stream: IO[bytes]) -> None:
    """Look at a file's first bytes.

    Raises:
        Unusable: it is empty or DICOM.
    """
    start = stream.read(DICOM_MAGIC_AT + len(DICOM_MAGIC))
    stream.seek(0)
    if not start:
        raise Unusable("the file is empty")
    if start[DICOM_MAGIC_AT:] == DICOM_MAGIC or path.suffix.lower() in DICOM_SUFFIXES:
        raise Unusable("DICOM is not read yet; export it as PNG")


def _check_size(image: Image.Image) -> None:
    """Hold the size that the file claims to the limit; no pixel has been read.

    Raises:
        Unusable: it is larger, or empty.
    """
    pixels, most = image.width * image.height, MOST_PIXELS_OF.get(image.format or "", MOST_PIXELS)
    if pixels == 0:
        raise Unusable(f"the picture is {image.width} × {image.height}")
    if pixels > most:
        raise Unusable(f"too large: {image.width} × {image.height} pixels, more than {most >> 20} megapixels")


def _bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """The picture in parts of some whole rows, and which rows they are."""
    step = max(1, BAND_PIXELS // image.width)
    if step >= image.height:  # a copy saved
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))


def _upright(picture: Grey, image: Image.Image) -> Grey:
    """The picture as the file's EXIF wants it shown; asked for after `load`: PNG's comes late, TIFF is turned by it."""
    turn = UPRIGHT.get(_orientation(image))
    return picture if turn is None else np.ascontiguousarray(turn(picture))


def _packing(image: Image.Image) -> str:
    """Pillow's name of how the file packs pixels, like `RGB;16B`; it must be asked before `load`."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1, upright, where there is none or the EXIF is damaged (the pixels are not)."""
    try:
        value = image.getexif().get(Tag.Orientation, 1)
    except Exception:  # as in `decode`
        return 1
    return value if isinstance(value, int) else 1


def _is_white_zero(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(Tag.PhotometricInterpretation, 1) == WHITE_IS_ZERO)


@dataclass(frozen=True)
class _Stored:
    """How a file of more than eight bits stores its values, where Pillow does not hand them on as they are."""

    kind: str  # unsigned, signed or float
    most: int = (1 << DEEPEST) - 1  # the white that the file declares
    stretched: bool = False  # Pillow scaled that white to 65535
    wrapped: bool = False  # Pillow reads values from 2^31 on as negative

    def values(self, given: npt.NDArray[Any]) -> Raw:
        """The values as the file has them."""
        if self.wrapped:
            return given.view(np.uint32)
        if self.stretched:
            return (given.astype(np.int64) * self.most + (1 << DEEPEST - 1)) // ((1 << DEEPEST) - 1)
        return given


def _stored(image: Image.Image) -> _Stored:
    """How the file stores its values; it must be asked before `load`."""
    if image.mode == "F":
        return _Stored("float")
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        formats, depths = (np.ravel(image.tag_v2.get(tag, 1)) for tag in (Tag.SampleFormat, Tag.BitsPerSample))
        if formats[0] == SIGNED:
            return _Stored("signed")
        return _Stored("unsigned", _white(int(depths[0])), wrapped=depths[0] == 32)
    if isinstance(image, ImageFile.ImageFile) and image.mode in DEEP_MODES:
        arguments = image.tile[0][3]
        if image.format == "JPEG2000":
            return _Stored("unsigned", _white(_precision(image)), stretched=True)
        if image.format == "PPM" and isinstance(arguments, tuple) and len(arguments) == 2:  # white is not 65535
            return _Stored("unsigned", int(arguments[1]), stretched=True)
    return _Stored("unsigned")


def _white(bits: int) -> int:
    return (1 << min(bits, DEEPEST)) - 1


def _precision(image: ImageFile.ImageFile) -> int:
    """The bits of a JPEG 2000 picture, from the marker that begins its code stream; 16 where that is not found."""
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    _, _, head = image.fp.read(1 << 16).partition(b"\xff\x4f\xff\x51")
    image.fp.seek(place)
    return (head[38] & 0x7F) + 1 if len(head) > 38 else DEEPEST


def _extent(image: Image.Image, stored: _Stored) -> Extent:
    """The values of a picture of more than eight bits; the highest is what its file declares, where that is not 16."""
    found = [(values.min(), values.max()) for _, values in _values(image, stored)]
    lowest, highest = float(np.min(found)), float(np.max(found))
    return Extent(stored.kind, lowest, stored.most if stored.most < _white(DEEPEST) else highest)


def _colour_extent(grey: Grey) -> Extent:
    """The same of a picture of which Pillow kept the upper eight of sixteen bits."""
    return Extent("colour", 0, int(grey.max()) * 256 + 255 if grey.any() else 0)


def _scaled(image: Image.Image, stored: _Stored, scale: Scale | None) -> tuple[Grey, str]:
    """A picture of more than eight bits as grey, rounded to nearest, and the depth it was found to have.

    Raises:
        Unusable: its values are negative, not finite, or more or less than the scale can show.
    """
    extent = _extent(image, stored)
    own = scale_of([extent]) if extent.is_usable else Scale(DEEPEST)
    if scale is not None:  # a set of which some files are negative is negative in all that are signed
        own = replace(own, bits=scale_of([extent, Extent("signed", -1, 0)]).bits) if scale.signed else own
    scale = scale or own
    black, white = scale.ends(extent.kind)
    _check_extent(extent, black, white)
    grey = np.empty((image.height, image.width), np.uint8)
    for rows, values in _values(image, stored):
        is_float = extent.kind == "float"
        grey[rows] = np.rint(values * np.float32(255 / white)) if is_float else _rounded(values, black, white)
    return grey, _depth(extent, own.bits, is_signed=black < 0)


def _depth(extent: Extent, bits: int, *, is_signed: bool) -> str:
    if extent.kind == "float":
        return "float"
    if is_signed:
        return f"{bits}-bit signed"
    return "16-bit" if bits == DEEPEST else f"{bits}-bit in 16"


def _check_extent(extent: Extent, black: int, white: int) -> None:
    """Hold a picture's values to black and white.

    Raises:
        Unusable: some are outside, or so small that all would be black.
    """
    if not np.isfinite([extent.lowest, extent.highest]).all():
        raise Unusable("it holds values that are not finite numbers")
    if extent.lowest < black:
        least = f", less than {black}, the least of its bit depth" if black else ""
        raise Unusable(f"it holds negative values, down to {extent.lowest:g}{least}")
    if extent.highest > white:
        raise Unusable(f"it holds values up to {extent.highest:g}, more than {white}, {BEYOND_DEPTH}")
    if extent.kind == "float" and white > 1 and 0 < extent.highest <= 1:
        raise Unusable(f"it holds floats up to {extent.highest:g}, all black where {white} is white")


def _values(image: Image.Image, stored: _Stored) -> Iterator[tuple[slice, Raw]]:
    return ((rows, stored.values(np.asarray(band))) for rows, band in _bands(image))


def _rounded(values: Raw, black: int, white: int) -> npt.NDArray[np.uint32]:
    """`255 * (values - black) / (white - black)`, half going up."""
    full = white - black
    above = values.astype(np.uint32) if black == 0 else (values.astype(np.int64) - black).astype(np.uint32)
    return (above * np.uint32(255) + np.uint32(full // 2)) // np.uint32(full)


def _grey_and_alpha(image: Image.Image) -> tuple[Grey, Grey | None]:
    """A picture of eight bits or fewer as grey [H, W], and its opacity [H, W] where it has one."""
    shape = (image.height, image.width)
    target = _target(image)
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


def _target(image: Image.Image) -> str:
    """The mode on a picture's way to grey: palettes and CMYK have no direct one; a transparent colour becomes alpha."""
    if image.mode in ("1", "L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image.mode
    if image.mode in ("1", "L"):
        return "LA"
    return "RGBA" if image.has_transparency_data else "RGB"


def _lay_over_black(grey: Grey, alpha: Grey) -> None:
    """Make grey what it is over black, `grey * alpha / 255` rounded, in place."""
    step = max(1, BAND_PIXELS // grey.shape[1])
    for top in range(0, len(grey), step):
        rows = slice(top, top + step)
        grey[rows] = (grey[rows].astype(np.uint16) * alpha[rows] + 127) // 255


def _check_deep_colour(grey: Grey, scale: Scale | None) -> None:
    """Refuse 16-bit colour where white is of fewer bits: Pillow keeps the upper eight of the sixteen.

    Raises:
        Unusable: less than eight bits would be left.
    """
    bits = (scale or scale_of([_colour_extent(grey)])).bits
    if bits < DEEPEST and grey.any():
        raise Unusable(f"colour of {bits} bits in 16 would lose its lower bits; export it as greyscale")


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
def _quiet() -> Iterator[None]:
    """Silence Pillow's warnings on bad files, from the first thread's entry to the last one's leaving.

    `warnings.catch_warnings` alone would be undone by whichever thread leaves first.
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
