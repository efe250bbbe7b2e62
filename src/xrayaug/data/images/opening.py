"""Open an image file with Pillow; every problem with it raises `UnusableImage` with a reason of one line.

The size in the file's header is checked before memory is allocated.
"""

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from xrayaug.data.images import png
from xrayaug.data.images.formats import DICOM, DICOM_SUFFIXES, PILLOW_FORMATS, START_BYTES, kind_of
from xrayaug.errors import one_line

MAX_REASON_LENGTH = 200  # characters
MAX_PIXELS = 1 << 26  # 64 megapixels; radiographs have up to 30
MAX_PIXELS_BY_FORMAT = {"JPEG2000": 1 << 24, "WEBP": 1 << 24}  # these decoders need up to 25 bytes per pixel


class UnusableImage(Exception):  # noqa: N818 - the result of checking a file, caught for each file; not a program error
    """A file that cannot be used; the message is the reason, in one line."""


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
        with open_regular_file(path) as stream:
            if quick and (plain := png.read(stream, MAX_PIXELS)) is not None:
                yield Image.fromarray(plain)
                return
            with silence_warnings():
                _check_start(path, stream)
                with Image.open(stream, formats=PILLOW_FORMATS) as image:
                    _check_size(image)
                    yield image
    except UnusableImage:
        raise
    except Exception as problem:  # Pillow's parsers raise many types, from zlib.error to IndexError
        raise UnusableImage(describe_problem(problem)) from None


def open_regular_file(path: Path) -> IO[bytes]:
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
    start = stream.read(START_BYTES)
    stream.seek(0)
    if not start:
        raise UnusableImage("the file is empty")
    if kind_of(start) == DICOM or path.suffix.lower() in DICOM_SUFFIXES:
        raise UnusableImage("DICOM, which xrayaug prepare alone reads")


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


def describe_problem(problem: Exception) -> str:
    """Return the reason for which a file cannot be used, in one line, from what its reader raised."""
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    if isinstance(problem, UnidentifiedImageError):
        return "not an image, or of a format that is not read"
    if isinstance(problem, Image.DecompressionBombError):
        return f"too large: {problem}"
    if isinstance(problem, MemoryError):
        return "not enough memory to decode it"
    text = " ".join(one_line(str(problem)).split()) or type(problem).__name__
    return f"damaged: {text}"[:MAX_REASON_LENGTH]


_quiet_lock = threading.Lock()
_quiet_users = 0
_silence = warnings.catch_warnings()


@contextmanager
def silence_warnings() -> Iterator[None]:
    """Suppress warnings of readers on damaged files while any thread is inside.

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
