"""Raw file -> grey picture -> square.

Pillow decodes; what it does not do right for radiographs is done here: 16-bit files are scaled by their real depth
(Pillow clips them), orientation is applied, transparency becomes black, and whatever is wrong with a file becomes one
exception with one line of reason. A file may claim any size, so that is held to a limit before memory is taken, and
what is made of a picture is made some rows at a time.
"""

import hashlib
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base as Tag

from xrayaug.errors import one_line
from xrayaug.images import png
from xrayaug.images.formats import DICOM_SUFFIXES, PILLOW_FORMATS

Grey = npt.NDArray[np.uint8]
Colour = npt.NDArray[np.uint8]  # [H, W, 3]
Raw = npt.NDArray[np.uint16 | np.int32 | np.float32]

DICOM_MAGIC, DICOM_MAGIC_AT = b"DICM", 128
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")  # of more than eight bits
FULL_SCALE = {"8": 255, "12": 4095, "16": 65535}  # white, by bit depth
DEPTHS = {255: "8-bit in 16", 4095: "12-bit in 16", 65535: "16-bit"}
DEEP_COLOUR = "16-bit colour"  # Pillow keeps the upper eight bits
WHITE_IS_ZERO = 0  # of TIFF's PhotometricInterpretation
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
    depth: str  # 1-bit, 8-bit, 8-bit in 16, 12-bit in 16, 16-bit, 16-bit colour or float
    mode: str  # Pillow's, as found


def decode(path: Path, *, bits: str = "auto", invert: bool = False) -> Decoded:
    """Read the first picture of a file, upright and in grey.

    Args:
        path: the file.
        bits: depth of files of more than eight bits: 8, 12 or 16; auto takes the smallest that holds the maximum.
        invert: turn black to white; what is transparent stays black.

    Raises:
        Unusable: whatever is wrong with the file.
    """
    with opened(path, quick=True) as image:
        return decoded(image, bits, invert)


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


def decoded(image: Image.Image, bits: str = "auto", invert: bool = False) -> Decoded:
    """A picture that was `opened`, upright and in grey; for the arguments see `decode`.

    Raises:
        Unusable: its values cannot be shown in grey.
    """
    mode, packing = image.mode, _packing(image)
    image.load()
    if mode in DEEP_MODES:
        grey, depth = _scaled(image, bits)
        if _is_white_zero(image):  # Pillow turns only eight-bit TIFF
            np.subtract(255, grey, out=grey)
        alpha = None
    else:
        grey, alpha = _grey_and_alpha(image)
        depth = "1-bit" if mode == "1" else DEEP_COLOUR if ";16" in packing else "8-bit"
        if depth == DEEP_COLOUR:
            _check_deep_colour(grey, bits)
    if invert:
        np.subtract(255, grey, out=grey)
    if alpha is not None:
        _lay_over_black(grey, alpha)
    return Decoded(_upright(grey, image), depth, mode)


def coloured(image: Image.Image) -> Colour:
    """A picture of eight bits or fewer that was `opened`, upright and in RGB as Pillow makes it, `[H, W, 3]`."""
    image.load()
    picture = np.empty((image.height, image.width, 3), np.uint8)
    for rows, band in _bands(image):
        picture[rows] = np.asarray(band.convert("RGB"))
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


def _scaled(image: Image.Image, bits: str) -> tuple[Grey, str]:
    """A picture of more than eight bits as grey, rounded to nearest, and the depth it was found to have.

    Raises:
        Unusable: its values are negative, not finite, or more than the depth can hold.
    """
    ends = [(values.min(), values.max()) for _, values in _values(image)]
    lowest, highest = float(np.min(ends)), float(np.max(ends))
    if not np.isfinite([lowest, highest]).all():
        raise Unusable("it holds values that are not finite numbers")
    if lowest < 0:
        raise Unusable(f"it holds negative values, down to {lowest:g}")
    is_float = image.mode == "F"
    scales = [FULL_SCALE[bits]] if bits != "auto" else [*([1] if is_float else []), *FULL_SCALE.values()]
    full = next((full for full in scales if highest <= full), None)
    if full is None:
        raise Unusable(f"it holds values up to {highest:g}, more than {scales[-1]}, the most of its bit depth")
    grey = np.empty((image.height, image.width), np.uint8)
    for rows, values in _values(image):
        grey[rows] = np.rint(values * np.float32(255 / full)) if is_float else _rounded(values, full)
    return grey, "float" if is_float else DEPTHS[full]


def _values(image: Image.Image) -> Iterator[tuple[slice, Raw]]:
    return ((rows, np.asarray(band)) for rows, band in _bands(image))


def _rounded(values: Raw, full: int) -> npt.NDArray[np.uint32]:
    """`255 * values / full`, half going up."""
    return (values.astype(np.uint32) * np.uint32(255) + np.uint32(full // 2)) // np.uint32(full)


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


def _check_deep_colour(grey: Grey, bits: str) -> None:
    """Refuse 16-bit colour that uses fewer bits: Pillow keeps the upper eight of the sixteen.

    Raises:
        Unusable: four bits or none would be left.
    """
    if bits in ("8", "12") or (bits == "auto" and 0 < grey.max() < 16):
        raise Unusable("colour of 8 or 12 bits in 16 would lose its lower bits; export it as greyscale")


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
