"""Raw files -> squares of one size with what is to be known of each: many at a time, in the order given.

The processes that decode import this module and what it needs, so it needs little.
"""

import errno
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from xrayaug.data.images import pixels
from xrayaug.data.images.pixels import Extent, Scale
from xrayaug.runtime import parallel
from xrayaug.storage.files import stamp_of

WORTH_A_PROCESS = 128  # files: what a process takes to start is gained with about as many

LOST = {  # what a disk or a mount that fails says of a file that was there when the set was listed
    errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


T = TypeVar("T")


@dataclass(frozen=True)
class Manner:
    """How a file becomes a square; `pixels.decode` and `pixels.square` say what each means."""

    scale: Scale | None
    invert: bool
    size: int
    fit: str
    resample: str


@dataclass(frozen=True)
class Note:
    """What is to be known of a record once it was read: of a usable image, or why it is none."""

    sha256: str = ""
    depth: str = ""
    blank: bool = False
    unusable: str = ""
    file: str = field(default="", compare=False)  # which file it is of
    stamp: tuple[int, ...] = field(default=(), compare=False)  # that file's size and times when it was opened
    area: int = field(default=0, compare=False)  # pixels before it was resized
    seems: Sequence[str] = field(default=(), compare=False)  # as `pixels.Decoded` has it
    scale: tuple[int, ...] = field(default=(), compare=False)  # the fields of the `Scale` that made it what it is


@dataclass(frozen=True)
class Picture:
    """What a file became: a square ready to be written, or none, and its note."""

    square: npt.NDArray[np.uint8]  # [1, size, size], or none of them
    note: Note


def decode_all(root: Path, files: Sequence[str], manner: Manner, workers: int = 0) -> Generator[Picture]:
    """Decode files under `root`, so many at a time (0: one per processor), in the order given.

    Threads wait for the interpreter, which much of a picture's work holds; processes do not, but take time to start. To
    be closed where it is left before its end.

    Raises:
        OSError: the storage fails.
        MemoryError: there is none left for a picture.
        ResourceError: a process was killed.
    """
    return _spread(partial(_decode, root, manner), files, workers)


def deep_files(root: Path, files: Iterable[str]) -> dict[str, str]:
    """The files of more than eight bits and the kind of value that each holds, by their headers.

    Raises:
        OSError: the storage fails.
    """
    return {file: kind for file in files if (kind := _deep_kind(root / file))}


def extents(root: Path, files: Sequence[str], workers: int = 0) -> Generator[Extent | None]:
    """The values of files of more than eight bits, in the order given; None of one that cannot be used.

    To be closed where it is left before its end; it raises as `decode_all` does.
    """
    return _spread(partial(_extent, root), files, workers)


def _spread(function: Callable[[str], T], files: Sequence[str], workers: int) -> Generator[T]:
    """`function` of each file in order, so many at a time, by threads or processes, whichever is quicker."""
    workers = workers or parallel.processors()
    processes = min(workers, len(files) // WORTH_A_PROCESS)
    if processes > 1:
        return parallel.in_processes(function, files, processes)
    ahead = workers + parallel.PICTURES_AHEAD  # so that all are busy while one picture takes long
    return parallel.in_threads(function, files, ahead, workers)


def _deep_kind(file: Path) -> str:
    try:
        return pixels.deep_kind(file)
    except OSError as problem:
        if problem.errno in LOST:
            raise OSError(problem.errno, problem.strerror, str(file)) from None
        return ""


def _extent(root: Path, file: str) -> Extent | None:
    try:
        return pixels.extent(root / file)
    except pixels.Unusable as reason:
        _raise_if_lost(reason, root / file)
        return None


def _decode(root: Path, manner: Manner, file: str) -> Picture:
    stamp = stamp_of(root / file) or ()  # before it is read: what changes meanwhile is then found out
    scale = () if manner.scale is None else astuple(manner.scale)
    try:
        decoded = pixels.decode(root / file, scale=manner.scale, invert=manner.invert)
    except pixels.Unusable as reason:
        _raise_if_lost(reason, root / file)
        note = Note(unusable=str(reason), file=file, stamp=stamp, scale=scale)
        return Picture(np.empty((0, manner.size, manner.size), np.uint8), note)
    square = pixels.square(decoded.grey, manner.size, fit=manner.fit, resample=manner.resample)
    scale = () if decoded.depth in pixels.SHALLOW else scale
    note = Note(
        pixels.checksum(decoded.grey),
        decoded.depth,
        pixels.is_blank(decoded.grey),
        file=file,
        stamp=stamp,
        scale=scale,
        area=decoded.grey.size,
        seems=decoded.seems,
    )
    return Picture(square[None], note)


def _raise_if_lost(reason: pixels.Unusable, file: Path) -> None:
    """Stop where storage or memory fails: without the pictures that it hides it would be another dataset.

    Raises:
        OSError: it does.
        MemoryError: there is none left for the picture.
    """
    problem = reason.__context__
    if isinstance(problem, MemoryError):
        raise MemoryError(f"decoding {file}") from None
    if isinstance(problem, OSError) and problem.errno in LOST:
        raise OSError(problem.errno, problem.strerror, str(file)) from None
