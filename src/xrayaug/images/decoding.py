"""Raw files -> squares of one size with what is to be known of each: many at a time, in the order given.

The processes that decode import this module and what it needs, so it needs little.
"""

import errno
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xrayaug.files import stamp_of
from xrayaug.images import pixels, prefetching
from xrayaug.processes import pool

WORTH_A_PROCESS = 128  # files: what a process takes to start is gained with about as many

LOST = {  # what a disk or a mount that fails says of a file that was there when the set was listed
    errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


@dataclass(frozen=True)
class Manner:
    """How a file becomes a square; `pixels.decode` and `pixels.square` say what each means."""

    bits: str
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
    workers = workers or pool.processors()
    processes = min(workers, len(files) // WORTH_A_PROCESS)
    decode = partial(_decode, root, manner)
    if processes > 1:
        return pool.in_processes(decode, files, processes)
    ahead = workers + prefetching.AHEAD  # so that all are busy while one picture takes long
    return prefetching.in_threads(decode, files, ahead, workers)


def _decode(root: Path, manner: Manner, file: str) -> Picture:
    stamp = stamp_of(root / file) or ()  # before it is read: what changes meanwhile is then found out
    try:
        decoded = pixels.decode(root / file, bits=manner.bits, invert=manner.invert)
    except pixels.Unusable as reason:
        _raise_if_lost(reason, root / file)
        note = Note(unusable=str(reason), file=file, stamp=stamp)
        return Picture(np.empty((0, manner.size, manner.size), np.uint8), note)
    square = pixels.square(decoded.grey, manner.size, fit=manner.fit, resample=manner.resample)
    note = Note(pixels.checksum(decoded.grey), decoded.depth, pixels.is_blank(decoded.grey), "", file, stamp)
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
