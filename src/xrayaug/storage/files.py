"""Files written whole or not at all, their hashes and time stamps, and the log of a training run."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from xrayaug.runtime.distributed import ranks

LOG_FILE = "log.jsonl"  # of a training run
EVENTS_ENDING = ".tensorboard"  # of the directory of the events of a training run, beside it
WEIGHTS_FILE = "weights.safetensors"  # of a classifier run
COPIES_FILE, NEAREST_PAIRS_FILE = "copies.csv", "nearest.png"  # of a screening for copies
REAL_IMAGES_FILE, PREVIEWS_DIRECTORY = "reals.png", "previews"  # of a GAN run
CONTACT_SHEET_FILE = "contact-sheet.png"  # of synthetic images
REPORT_FILE, READER_PAGE_FILE = "report.html", "reader.html"  # of an evaluation
PREDICTIONS_FILE, VALIDATION_FILE = "predictions.csv", "validation.csv"  # of an evaluation, and of predictions
TABLE5_FILE, FIGURE7_FILE = "table5.md", "figure7.png"  # of an evaluation
JUDGEMENTS_ENDING = ".judgements.jsonl"  # of the record of what was judged in the place of an evaluation, beside it
NEW = ".new"  # suffix of a file that is being written

# Nanoseconds within which a file may change again with its times unchanged; the second if times are in whole seconds.
TICK, COARSE_TICK = 50_000_000, 2_000_000_000


class Stamp(NamedTuple):
    """A file's size and times. The times are 0 if it had just changed, since it may have changed again since."""

    size: int
    mtime_ns: int
    ctime_ns: int

    def matches(self, earlier: "Stamp | None") -> bool:
        """Return whether size and times show that the file is unchanged since an earlier stamp."""
        return self == earlier and self.ctime_ns > 0


def stamp(path: str | Path) -> Stamp:
    """Return the present stamp of a file.

    Raises:
        OSError: the file does not exist or cannot be reached.
    """
    status = os.stat(path)  # noqa: PTH116 # faster than Path.stat, and called once for each image
    tick = TICK if status.st_mtime_ns % 1_000_000_000 else COARSE_TICK
    if max(status.st_mtime_ns, status.st_ctime_ns) > time.time_ns() - tick:
        return Stamp(status.st_size, 0, 0)
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def try_stamp(path: str | Path) -> Stamp | None:
    """Return the present stamp of a file; None if it cannot be reached."""
    try:
        return stamp(path)
    except OSError:
        return None


def resolve_directory(path: Path) -> Path:
    """Return the real path of a directory that is given as `.`, `..` or a link; return any other path unchanged."""
    return Path(os.path.realpath(path)) if path.name in ("", "..") or path.is_symlink() else path


def sibling(path: Path, ending: str) -> Path:
    """Return the path beside a directory that has its name with a suffix added."""
    place = resolve_directory(path)
    return place.with_name(place.name + ending)


def write_bytes(path: Path, content: bytes | memoryview, *, durable: bool = True) -> None:
    """Write a file whole or not at all: to a temporary file beside it, flushed to disk, then renamed.

    Args:
        path: the file; its directory is made if it does not exist.
        content: the whole content.
        durable: flush to disk before renaming. Not needed in an artifact that is being built, since
            `builder.build_artifact` flushes all its files in the end.

    Raises:
        OSError: the file cannot be written; an older file of that name is unchanged.
    """
    write_pieces(path, [content], durable=durable)


def write_lines(path: Path, lines: Iterable[str], *, durable: bool = True) -> None:
    """Write lines, which include their ends, as a UTF-8 file, whole or not at all, without holding all in memory."""
    write_pieces(path, (line.encode() for line in lines), durable=durable)


def write_pieces(path: Path, pieces: Iterable[bytes | memoryview], *, durable: bool = True) -> None:
    """Write a file whole or not at all from pieces of its content, without holding all in memory."""
    _make_directory(path.parent, durable=durable)
    neighbour = path.with_name(f".{path.name}.{os.getpid()}{NEW}")  # the process id keeps jobs apart that share a cache
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
    """Write text as a UTF-8 file, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, format_json(value))


def format_json(value: Any) -> str:
    """Return `value` as indented JSON with a line feed at the end."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _make_directory(directory: Path, *, durable: bool) -> None:
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    for path in missing if durable else []:
        sync_directory(path.parent)


def sync(file: Path) -> None:
    """Flush the content of a file to disk."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())


def sync_directory(directory: Path) -> None:
    """Flush the entries of a directory to disk; otherwise a power failure may undo a rename."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def delete_leftovers(directory: Path, *, deep: bool = True) -> None:
    """Delete temporary files that killed processes left in `directory`, and below it if `deep`."""
    for neighbour in directory.glob(f"{'**/' if deep else ''}.*{NEW}"):
        neighbour.unlink(missing_ok=True)


def sha256_file(file: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_bytes(content: bytes) -> str:
    """Return the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def preview_name(epoch: int) -> str:
    """Return the name of the preview of an epoch, in the directory of previews of a GAN run."""
    return f"epoch-{epoch:04}.png"


class Log:
    """`log.jsonl`: one JSON object for each logging interval of a training run.

    `lines` holds the whole log, so that a checkpoint can contain it and a resumed run rewrites the file as it was then.
    In a distributed run every process holds the lines, and the first (rank 0) writes them.
    """

    def __init__(self, path: Path, lines: Iterable[dict[str, Any]] = ()) -> None:
        self.path = path
        self.lines = list(lines)
        if ranks.is_first():
            write_text(path, "".join(_json_line(line) for line in self.lines))

    def append(self, line: dict[str, Any]) -> None:
        """Append one line to the log and to the file."""
        self.lines.append(line)
        if ranks.is_first():
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_json_line(line))


def _json_line(line: dict[str, Any]) -> str:
    return json.dumps(line) + "\n"
