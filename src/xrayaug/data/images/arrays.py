"""`images.npy`, the pictures of a dataset: uint8 `[N, H, W]`, 0 black to 255 white. Sole reader and writer."""

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
from xrayaug.runtime.stopping import Interval, Pace
from xrayaug.storage import builder

IMAGES = "images.npy"
JOURNAL = "images.jsonl"  # beside what else a stopped run needs
FREQUENT = Interval(seconds=60)  # between lines of the journal
CHUNK_BYTES = 1 << 26  # pixels of one line, at most
LARGEST = 4096  # pixels of a picture's side, as `prepare --size` allows

Pixels = npt.NDArray[np.uint8]
AreCurrent = Callable[[int, list[Any]], bool]


def map_images(path: Path) -> Pixels:
    """The pictures uint8 `[N, H, W]` in the file, mapped and not yet read.

    Raises:
        ArtifactError: it is no array of pictures, or cut short.
    """
    try:
        shape, start = _read_header(path)
        return np.memmap(path, np.uint8, "r", start, shape)
    except Exception as problem:  # NumPy's parser of damaged headers raises whatever it trips over
        raise ArtifactError(f"{path} cannot be read: {problem}", f"make {path.parent} again") from None


@contextmanager
def writing_images(
    directory: Path, size: int, every: Interval = FREQUENT, are_current: AreCurrent = lambda first, notes: True
) -> Iterator["ImageWriter"]:
    """Write `images.npy` picture by picture; how many there are need not be known before the end.

    Args:
        directory: of the artifact that is being made.
        size: of the pictures' sides.
        every: how often to keep what a stopped run needs.
        are_current: given the number of the first of some notes and the notes, whether what they are of is still the
            same; what a stopped run wrote is cut off where it is not.

    Yields:
        The writer, which has already what a stopped run wrote into this directory.

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
    """`images.npy` as it grows, with a journal beside it: what a killed run wrote since its last line is cut off.

    Each line of the journal stands for the pictures since the line before and holds the notes that came with them,
    and a hash of both.
    """

    def __init__(self, directory: Path, size: int, every: Interval, are_current: AreCurrent) -> None:
        self.size = size
        self._are_current = are_current
        self.count = 0  # pictures written
        self.notes: list[Any] = []  # what was noted of those that a stopped run wrote, in order
        self._pace = Pace(every)
        self._journal = directory / builder.RESUME / JOURNAL
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        self._file = (directory / IMAGES).open("r+b" if (directory / IMAGES).exists() else "w+b")
        self._file.seek(len(_header(0, size)))
        self._take_up()
        self._begin_chunk()

    def write(self, pictures: Pixels, *notes: Any) -> None:
        """Append pictures uint8 `[N, size, size]` and what is to be known of them, as JSON; a stop waits for this.

        Raises:
            Stopped: the run was asked to stop, and everything up to here is kept.
        """
        content = np.ascontiguousarray(pictures).data
        self._file.write(content)
        self._hash.update(content)
        self._added += len(pictures)
        self._new_notes += notes
        full = self._added * self.size**2 >= CHUNK_BYTES
        if full or stopping.requested() or self._pace.due(self.count + self._added):
            self._commit()
        stopping.check()

    def finish(self) -> None:
        """Commit what is left, and have the array's header say how many pictures there are."""
        self._commit()
        self._file.seek(0)
        self._file.write(_header(self.count, self.size))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _take_up(self) -> None:
        """Read the journal and cut off what it does not vouch for."""
        lines = self._journal.read_bytes().splitlines(keepends=True) if self._journal.exists() else []
        vouched = 0
        for line in lines:
            if not self._holds(line):
                break
            vouched += len(line)
        if lines:
            os.truncate(self._journal, vouched)
            console.say(f"going on after {self.count:,} images")
        self._file.seek(len(_header(0, self.size)) + self.count * self.size**2)
        self._file.truncate()

    def _holds(self, line: bytes) -> bool:
        """Whether the next pictures are those that the line is of; if so, they are taken."""
        if not line.endswith(b"\n"):  # the run was killed while it wrote the line
            return False
        try:
            entry = json.loads(line)
            length, left = entry["images"] * self.size**2, os.fstat(self._file.fileno()).st_size - self._file.tell()
            pixels = self._file.read(length) if 0 <= length <= left else b""
            holds = bool(_chunk_hash(hashlib.sha256(pixels), entry["notes"]) == entry["sha256"])
        except (ValueError, KeyError, TypeError):
            return False
        if holds and not self._are_current(len(self.notes), entry["notes"]):
            console.say(f"files changed since this run was stopped: what follows {self.count:,} images is read again")
            return False
        if holds:
            self.count += entry["images"]
            self.notes += entry["notes"]
        else:
            console.warn(f"{self._file.name} is damaged after {self.count} images, and is made again from there")
        return holds

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
        self._pace.restart(self.count)


def _read_header(path: Path) -> tuple[tuple[int, ...], int]:
    """Shape of the array and where its pixels begin.

    Raises:
        ValueError: it is no array of pictures, or the file has not the size that its header says.
    """
    with path.open("rb") as file, warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy mends headers that Python 2 wrote; ours it did not
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, in_columns, dtype = read(file)
        start = file.tell()
    if dtype != np.uint8 or len(shape) != 3 or in_columns:
        raise ValueError(f"it holds {dtype} {list(shape)}, must be uint8 [N, H, W] in rows")
    if min(shape) < 1 or max(shape[1:]) > LARGEST:
        raise ValueError(f"its shape is {list(shape)}, and a picture's sides are from 1 to {LARGEST} pixels")
    if path.stat().st_size != start + math.prod(shape):
        raise ValueError(f"its header says {list(shape)}, which is not the file's size")
    return shape, start


def _header(count: int, size: int) -> bytes:
    """The first bytes of `images.npy`; their length does not depend on the count: NumPy leaves room for it to grow."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size)})
    return header.getvalue()


def _chunk_hash(pixels: "hashlib._Hash", notes: list[Any]) -> str:
    pixels.update(json.dumps(notes).encode())
    return pixels.hexdigest()
