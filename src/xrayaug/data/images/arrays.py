"""Read and write `images.npy`, the images of a dataset: uint8 `[N, H, W]`, 0 black to 255 white."""

import hashlib
import io
import json
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xrayaug.errors import ArtifactError
from xrayaug.runtime import console, stopping
from xrayaug.runtime.stopping import Interval, SaveSchedule
from xrayaug.storage import builder

IMAGES = "images.npy"
JOURNAL = "images.jsonl"  # in the directory with the state to resume a stopped run
JOURNAL_INTERVAL = Interval(seconds=60)  # between lines of the journal
CHUNK_BYTES = 1 << 26  # most pixels for one line of the journal
MAX_SIDE = 4096  # largest side of an image in pixels, as in `prepare --size`

Pixels = npt.NDArray[np.uint8]
AreCurrent = Callable[[int, list[Any]], bool]


def map_images(path: Path) -> Pixels:
    """Memory-map the images uint8 `[N, H, W]` in the file.

    Raises:
        ArtifactError: it is no array of images, or it is truncated.
    """
    try:
        shape, start = _read_header(path)
        return np.memmap(path, np.uint8, "r", start, shape)
    except Exception as problem:  # NumPy's parser raises many types for damaged headers
        raise ArtifactError(f"{path} cannot be read: {problem}", f"make {path.parent} again") from None


@contextmanager
def writing_images(
    directory: Path, size: int, every: Interval = JOURNAL_INTERVAL, are_current: AreCurrent = lambda first, notes: True
) -> Iterator["ImageWriter"]:
    """Write `images.npy` image by image; their number need not be known in advance.

    Args:
        directory: directory of the artifact that is being made.
        size: side of the images in pixels.
        every: interval between lines of the journal.
        are_current: called with the index of the first of some notes, and the notes; returns whether their source files
            are unchanged. The images of a stopped run are discarded from the first chunk for which it is false.

    Yields:
        The writer, which has restored the images that a stopped run wrote into this directory.

    Raises:
        Stopped: the run was asked to stop; what was written is kept.
    """
    writer = ImageWriter(directory, size, every, are_current)
    try:
        with stopping.deferred():
            yield writer
            writer.finish()
    finally:
        writer.close()


class ImageWriter:
    """Writer of `images.npy` with a journal, by which a killed run can be resumed.

    Each line of the journal has the number of images since the line before, their notes, and a hash of both. Images
    written after the last line are discarded on resuming.
    """

    def __init__(self, directory: Path, size: int, every: Interval, are_current: AreCurrent) -> None:
        self.size = size
        self._are_current = are_current
        self.count = 0  # images written
        self.notes: list[Any] = []  # notes of the images that a stopped run wrote, in order
        self._pace = SaveSchedule(every)
        self._journal = directory / builder.RESUME / JOURNAL
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        self._file = (directory / IMAGES).open("r+b" if (directory / IMAGES).exists() else "w+b")
        self._file.seek(len(_header(0, size)))
        self._restore()
        self._begin_chunk()

    def write(self, pictures: Pixels, *notes: Any) -> None:
        """Append images uint8 `[N, size, size]` and notes on them, which must be JSON; a stop waits for this.

        Raises:
            Stopped: the run was asked to stop; all images so far are kept.
        """
        content = np.ascontiguousarray(pictures).data
        self._file.write(content)
        self._hash.update(content)
        self._added += len(pictures)
        self._new_notes += notes
        is_full = self._added * self.size**2 >= CHUNK_BYTES
        if is_full or stopping.is_requested() or self._pace.is_due(self.count + self._added):
            self._commit()
        stopping.check()

    def finish(self) -> None:
        """Commit the remaining images, and write their number into the header of the array."""
        self._commit()
        self._file.seek(0)
        self._file.write(_header(self.count, self.size))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _restore(self) -> None:
        """Read the journal, and truncate both files after the last chunk that it verifies."""
        lines = self._journal.read_bytes().splitlines(keepends=True) if self._journal.exists() else []
        verified_bytes = 0
        for line in lines:
            if not self._restore_chunk(line):
                break
            verified_bytes += len(line)
        if lines:
            os.truncate(self._journal, verified_bytes)
            console.info(f"going on after {self.count:,} images")
        self._file.seek(len(_header(0, self.size)) + self.count * self.size**2)
        self._file.truncate()

    def _restore_chunk(self, line: bytes) -> bool:
        """Restore the next images if they match the line of the journal; return whether they do."""
        if not line.endswith(b"\n"):  # the run was killed while it wrote the line
            return False
        try:
            entry = json.loads(line)
            length, remaining = (
                entry["images"] * self.size**2,
                os.fstat(self._file.fileno()).st_size - self._file.tell(),
            )
            pixels = self._file.read(length) if 0 <= length <= remaining else b""
            is_intact = bool(_chunk_hash(hashlib.sha256(pixels), entry["notes"]) == entry["sha256"])
        except (ValueError, KeyError, TypeError):
            return False
        if is_intact and not self._are_current(len(self.notes), entry["notes"]):
            console.info(f"files changed since this run was stopped: what follows {self.count:,} images is read again")
            return False
        if is_intact:
            self.count += entry["images"]
            self.notes += entry["notes"]
        else:
            console.warning(f"{self._file.name} is damaged after {self.count} images, and is made again from there")
        return is_intact

    def _commit(self) -> None:
        if self._added or self._new_notes:
            self._file.flush()
            os.fsync(self._file.fileno())
            line = {"images": self._added, "notes": self._new_notes, "sha256": _chunk_hash(self._hash, self._new_notes)}
            with self._journal.open("ab") as journal:
                journal.write(json.dumps(line).encode() + b"\n")
                journal.flush()
                os.fsync(journal.fileno())
            self.count += self._added
        self._begin_chunk()

    def _begin_chunk(self) -> None:
        self._hash = hashlib.sha256()
        self._added = 0
        self._new_notes: list[Any] = []
        self._pace.reset(self.count)


def _read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Return the shape of the array and the offset of its pixels in bytes.

    Raises:
        ValueError: it is no array of images, or the size of the file does not match its header.
    """
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy repairs headers written by Python 2, which ours are not
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(file)
        start = file.tell()
    if dtype != np.uint8 or len(shape) != 3 or in_columns:
        raise ValueError(f"it holds {dtype} {list(shape)}, must be uint8 [N, H, W] in rows")
    if min(shape) < 1 or max(shape[1:]) > MAX_SIDE:
        raise ValueError(f"its shape is {list(shape)}, and a picture's sides are from 1 to {MAX_SIDE} pixels")
    if path.stat().st_size != start + math.prod(shape):
        raise ValueError(f"its header says {list(shape)}, which is not the file's size")
    return shape, start


def _header(count: int, size: int) -> bytes:
    """Return the header of `images.npy`; its length does not depend on `count`, because NumPy reserves space."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)})
    return header.getvalue()


def _chunk_hash(pixels: "hashlib._Hash", notes: list[Any]) -> str:
    pixels.update(json.dumps(notes).encode())
    return pixels.hexdigest()
