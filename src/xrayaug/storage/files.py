"""Files written whole or not at all, and told apart by their content."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from xrayaug.runtime.distributed import ranks

NEW = ".new"  # ends the name of a file that is being written

# Nanoseconds within which a file may change again without a change of its times; the second where they are of seconds.
TICK, COARSE_TICK = 50_000_000, 2_000_000_000


class Stamp(NamedTuple):
    """A file's size and times. The times are 0 where it had just changed: it may have changed again since."""

    size: int
    mtime_ns: int
    ctime_ns: int

    def matches(self, noted: "Stamp | None") -> bool:
        """Whether the file is as it was when that was noted, as far as size and times tell."""
        return self == noted and self.ctime_ns > 0


def stamp(path: str | Path) -> Stamp:
    """The stamp of a file as it is now.

    Raises:
        OSError: it is not there, or cannot be reached.
    """
    found = os.stat(path)  # noqa: PTH116 # decoding asks for many
    tick = TICK if found.st_mtime_ns % 1_000_000_000 else COARSE_TICK
    if max(found.st_mtime_ns, found.st_ctime_ns) > time.time_ns() - tick:
        return Stamp(found.st_size, 0, 0)
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def try_stamp(path: str | Path) -> Stamp | None:
    """The same; None where the file cannot be reached."""
    try:
        return stamp(path)
    except OSError:
        return None


def resolve_directory(path: Path) -> Path:
    """Where a directory really lies that is named by dots or by a link to it; any other path is given as it is."""
    return Path(os.path.realpath(path)) if path.name in ("", "..") or path.is_symlink() else path


def sibling(path: Path, ending: str) -> Path:
    """The neighbour of a directory that has its name and that ending."""
    place = resolve_directory(path)
    return place.with_name(place.name + ending)


def write_bytes(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write a file whole or not at all: to a neighbour, flushed to disk, then renamed.

    Args:
        path: the file; its directory is made if it is not there.
        content: all of it.
        durable: flush to disk before renaming. Not needed where `production` flushes the whole artifact in the end.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    _write(path, [content], durable=durable)


def write_lines(path: Path, lines: Iterable[str], *, durable: bool = True) -> None:
    """Write a text file, UTF-8, whole or not at all, of lines with their ends, which are never all in memory."""
    _write(path, (line.encode() for line in lines), durable=durable)


def _write(path: Path, pieces: Iterable[bytes | memoryview], *, durable: bool) -> None:
    _make_directory(path.parent, durable=durable)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}{NEW}")  # of this process: jobs may share a cache
    try:
        with neighbour.open("wb") as file:
            file.writelines(pieces)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        neighbour.replace(path)
    except BaseException:
        neighbour.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, format_json(value))


def format_json(value: Any) -> str:
    """`value` as indented JSON."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _make_directory(directory: Path, *, durable: bool) -> None:
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for made in missing if durable else []:
        sync_directory(made.parent)


def sync(file: Path) -> None:
    """Have the disk hold what was written to a file."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_directory(directory: Path) -> None:
    """Have the disk hold which files a directory has: renaming is else forgotten when the power fails."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete_leftovers(directory: Path, *, deep: bool = True) -> None:
    """Delete what killed processes were writing in `directory`, and below it if `deep`."""
    for neighbour in directory.glob(f"{'**/' if deep else ''}.*{NEW}"):
        neighbour.unlink(missing_ok=True)


def sha256_file(file: Path) -> str:
    """The sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_bytes(content: bytes) -> str:
    """The sha256 of bytes."""
    return hashlib.sha256(content).hexdigest()


class Log:
    """`log.jsonl`: one JSON object per tick of a training run.

    `lines` is all of it, so that a checkpoint can hold the log and a run that goes on rewrites it as it was then. Of
    several processes each has the lines, and the first writes them.
    """

    def __init__(self, path: Path, lines: Iterable[dict[str, Any]] = ()) -> None:
        self.path = path
        self.lines = list(lines)
        if ranks.is_first():
            write_text(path, "".join(_json_line(line) for line in self.lines))

    def append(self, line: dict[str, Any]) -> None:
        """Add what is to be said of a tick."""
        self.lines.append(line)
        if ranks.is_first():
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_json_line(line))


def _json_line(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
