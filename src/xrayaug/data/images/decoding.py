"""Decode raw files to squares of one size with metadata: in parallel, in the order given.

The worker processes import this module, so it has few imports.
"""

import errno
import hashlib
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from xrayaug.data.images import content_checks, greyscale, value_ranges
from xrayaug.data.images.colour import GreyImage
from xrayaug.data.images.dicom.grey_levels import Window
from xrayaug.data.images.intensity import LOW_BIT_DEPTHS, IntensityScale, ValueRange
from xrayaug.data.images.opening import UnusableImage
from xrayaug.data.images.resizing import resize_square
from xrayaug.runtime import parallel
from xrayaug.storage.files import try_stamp

MIN_FILES_PER_PROCESS = 128  # about as many files make up for the start-up time of a process

STORAGE_ERRORS = {  # errors of failing disks and mounts for a file that existed when the set was listed
    errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


T = TypeVar("T")


@dataclass(frozen=True)
class DecodeOptions:
    """Options of `greyscale.decode` and `resizing.resize_square`, which describe them."""

    scale: IntensityScale | None
    invert: bool
    size: int
    fit: str
    resample: str
    window: Window = "file"


@dataclass(frozen=True)
class ImageMetadata:
    """Metadata of a decoded file, or the reason why it is unusable; the field names are keys of the journal."""

    sha256: str = ""
    depth: str = ""
    blank: bool = False
    unusable: str = ""
    file: str = field(default="", compare=False)  # the file, relative to the root of the set
    stamp: tuple[int, ...] = field(default=(), compare=False)  # size and times of the file when it was opened
    area: int = field(default=0, compare=False)  # number of pixels before resizing
    seems: Sequence[str] = field(default=(), compare=False)  # `greyscale.Decoded.suspect_traits`
    scale: tuple[int, ...] = field(default=(), compare=False)  # fields of the `IntensityScale` that was applied
    window: str = field(default="", compare=False)  # `greyscale.Decoded.window`


@dataclass(frozen=True)
class PreparedImage:
    """The square made from a file, ready to be written, and its metadata."""

    square: npt.NDArray[np.uint8]  # [1, size, size]; [0, size, size] if the file is unusable
    note: ImageMetadata


def decode_all(root: Path, files: Sequence[str], options: DecodeOptions, workers: int = 0) -> Generator[PreparedImage]:
    """Decode files under `root` in the order given, `workers` at a time (0: one per processor).

    Much of the work holds Python's global interpreter lock, so processes are faster than threads once they have
    started. Close the generator if it is not exhausted.

    Raises:
        OSError: the storage fails.
        MemoryError: an image needs more memory than there is.
        ResourceError: a worker process was killed.
    """
    return map_files(partial(_decode, root, options), files, workers)


def find_high_bit_depth_files(root: Path, files: Iterable[str]) -> dict[str, str]:
    """Return the files of more than 8 bits with their `ValueRange.kind`, read from their headers.

    Raises:
        OSError: the storage fails.
    """
    return {file: kind for file in files if (kind := _read_value_kind(root / file))}


def read_value_ranges(root: Path, files: Sequence[str], workers: int = 0) -> Generator[ValueRange | None]:
    """Yield the value ranges of files of more than 8 bits in the order given; None for a file that cannot be used.

    Close the generator if it is not exhausted. It raises the errors of `decode_all`.
    """
    return map_files(partial(_read_value_range, root), files, workers)


def pixel_sha256(grey: GreyImage) -> str:
    """Return the sha256 of the shape and the pixels of an image, which identifies it."""
    height, width = grey.shape
    digest = hashlib.sha256(f"{height}x{width}\n".encode())
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()


def map_files(function: Callable[[str], T], files: Sequence[str], workers: int) -> Generator[T]:
    """Map `function` over the files in order, in `workers` threads or processes, whichever is faster."""
    workers = workers or parallel.available_cpus()
    processes = min(workers, len(files) // MIN_FILES_PER_PROCESS)
    if processes > 1:
        return parallel.map_in_processes(function, files, processes)
    ahead = workers + parallel.IMAGES_AHEAD  # keeps all workers busy while one image takes long
    return parallel.map_in_threads(function, files, ahead, workers)


def _read_value_kind(file: Path) -> str:
    try:
        return value_ranges.read_value_kind(file)
    except OSError as problem:
        if problem.errno in STORAGE_ERRORS:
            raise OSError(problem.errno, problem.strerror, str(file)) from None
        return ""


def _read_value_range(root: Path, file: str) -> ValueRange | None:
    try:
        return value_ranges.read_value_range(root / file)
    except UnusableImage as reason:
        raise_storage_error(reason, root / file)
        return None


def _decode(root: Path, options: DecodeOptions, file: str) -> PreparedImage:
    stamp = try_stamp(root / file) or ()  # taken before reading, so that later changes are detected
    scale = () if options.scale is None else astuple(options.scale)
    try:
        decoded = greyscale.decode(root / file, scale=options.scale, invert=options.invert, window=options.window)
    except UnusableImage as reason:
        raise_storage_error(reason, root / file)
        note = ImageMetadata(unusable=str(reason), file=file, stamp=stamp, scale=scale)
        return PreparedImage(np.empty((0, options.size, options.size), np.uint8), note)
    square = resize_square(decoded.grey, options.size, fit=options.fit, resample=options.resample)
    scale = () if decoded.depth in LOW_BIT_DEPTHS or decoded.window else scale
    note = ImageMetadata(
        pixel_sha256(decoded.grey),
        decoded.depth,
        content_checks.is_blank(decoded.grey),
        file=file,
        stamp=stamp,
        scale=scale,
        area=decoded.grey.size,
        seems=decoded.suspect_traits,
        window=decoded.window,
    )
    return PreparedImage(square[None], note)


def raise_storage_error(reason: UnusableImage, file: Path) -> None:
    """Raise the error if storage or memory failed: without the lost images the dataset would be another one.

    Raises:
        OSError: the storage failed.
        MemoryError: the image needs more memory than there is.
    """
    problem = reason.__context__
    if isinstance(problem, MemoryError):
        raise MemoryError(f"decoding {file}") from None
    if isinstance(problem, OSError) and problem.errno in STORAGE_ERRORS:
        raise OSError(problem.errno, problem.strerror, str(file)) from None
