"""Raw files -> squares of one size with what is to be known of each: many at a time, in the order given."""

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from xrayaug import console
from xrayaug.images import pixels, png, prefetching
from xrayaug.images.arrays import Pixels
from xrayaug.options import Prepare
from xrayaug.sources import Listing, Record

LOST = {  # what a disk or a mount that fails says of a file that was there when the set was listed
    errno.EIO, errno.ENOENT, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.EHOSTDOWN, errno.ETIMEDOUT,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


@dataclass(frozen=True)
class Note:
    """What is to be known of a record once it was read: of a usable image, or why it is none."""

    sha256: str = ""
    depth: str = ""
    blank: bool = False
    unusable: str = ""


@dataclass(frozen=True)
class Picture:
    """One usable image, ready to be written."""

    square: Pixels  # uint8 [1, size, size]
    note: Note


def decode_all(options: Prepare, listing: Listing, records: Sequence[Record]) -> Iterator[Picture]:
    """Decode `records`, those of `listing` that are left to read, in parallel and in the order given.

    Threads do: Pillow lets go of the interpreter while it works.

    Raises:
        OSError: the storage fails.
        MemoryError: there is none left for a picture.
    """
    workers = options.workers or os.cpu_count() or 1
    count = len(listing.records)
    decode = partial(_decode, options, listing.root, workers <= png.MOST_THREADS)
    ahead = workers + prefetching.AHEAD  # so that all are busy while one picture takes long
    with console.progress(count, "prepare", done=count - len(records)) as advance:
        for picture in prefetching.in_threads(decode, records, ahead, workers):
            advance(1)
            yield picture


def _decode(options: Prepare, root: Path, quick: bool, record: Record) -> Picture:
    try:
        decoded = pixels.decode(root / record.file, bits=options.bits, invert=options.invert, quick=quick)
    except pixels.Unusable as reason:
        _raise_if_lost(reason, root / record.file)
        return Picture(np.empty((0, options.size, options.size), np.uint8), Note(unusable=str(reason)))
    square = pixels.square(decoded.grey, options.size, fit=options.fit, resample=options.resample)
    note = Note(pixels.checksum(decoded.grey), decoded.depth, pixels.is_blank(decoded.grey))
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
