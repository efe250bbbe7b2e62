"""Which files a command reads of a raw input, and whether they are still what they were.

An artifact that was made of raw files keeps a record for each such input, `read-<input>.jsonl`: its first line has the
lists (tables of labels and the like) by the sha256 of their bytes; then comes a line for each picture with its name,
its size and the sha256 of what was decoded, or `unusable`. The record's own sha256 is the input's digest. Files that
are not read are not in it, and times are not: they stand beside it in `read-<input>.times`, which no manifest lists. A
picture whose size and times are what they were is taken to be what it was; any other is decoded again. So a file of
times that is lost or out of date costs time alone.
"""

import hashlib
import itertools
import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.errors import ArtifactError
from xrayaug.runtime import console
from xrayaug.storage import files
from xrayaug.storage.files import Stamp

UNUSABLE = "unusable"  # in place of the sha256 of a picture that could not be decoded
RECORD, TIMES = "read-{}.jsonl", "read-{}.times"

Hashes = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True)
class RawInput:
    """The files that a command reads of a raw input."""

    root: Path
    pictures: Sequence[str]  # relative to the root, in the order in which they are read
    hashes: Hashes  # of pictures by name: the sha256 of what is decoded of each, or `UNUSABLE`
    lists: Sequence[Path] = ()

    def lists_by_name(self) -> dict[str, str]:
        """The sha256 of every list by its path from the root."""
        return {Path(os.path.relpath(path, self.root)).as_posix(): files.sha256_file(path) for path in self.lists}


RawInputs = Mapping[str, RawInput]  # by the input's name


@dataclass(frozen=True)
class DecodedImage:
    """A picture as it was read."""

    file: str
    stamp: Stamp
    sha256: str  # of what was decoded, or `UNUSABLE`


@dataclass(frozen=True)
class _Record:
    """What a record says."""

    lists: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> size and sha256


def write(directory: Path, name: str, lists: Mapping[str, str], pictures: Iterable[DecodedImage]) -> None:
    """Write the record of the input of that name into an artifact that is being made, and the times beside it."""
    stamps = array("q")

    def lines() -> Iterator[str]:
        yield json.dumps({"lists": dict(lists)}) + "\n"
        for each in pictures:
            stamps.extend(each.stamp)
            yield json.dumps([each.file, each.stamp.size, each.sha256]) + "\n"

    files.write_lines(directory / RECORD.format(name), lines(), durable=False)  # production flushes it
    _write_times(directory, name, (Stamp(*stamps[place : place + 3]) for place in range(0, len(stamps), 3)))


def digest(directory: Path, name: str) -> str:
    """The digest of the input of that name: the sha256 of the record that the artifact has of it."""
    return files.sha256_file(directory / RECORD.format(name))


def listed_digest(raw: RawInput) -> str:
    """What is known of an input before it is decoded, as sha256: its lists, its pictures' names and sizes."""
    found = hashlib.sha256(json.dumps(raw.lists_by_name()).encode())
    for file in raw.pictures:
        found.update(json.dumps([file, _size(raw.root / file)]).encode())
    return found.hexdigest()


def times_file_names(names: Iterable[str]) -> set[str]:
    """What the files of times of such inputs are called, which no manifest lists."""
    return {TIMES.format(name) for name in names}


def find_differences(directory: Path, name: str, raw: RawInput, *, decode: bool) -> list[str]:
    """In what the files of an input are not those of the artifact's record, one line each.

    Args:
        directory: of the artifact.
        name: of the input.
        raw: its files as they are now.
        decode: whether pictures whose times changed are decoded, where nothing else tells of a difference.
    """
    before = _read(directory / RECORD.format(name))
    stamps = {file: stamp for file in raw.pictures if (stamp := files.try_stamp(raw.root / file)) is not None}
    found = _differing_lists(before.lists, raw.lists_by_name())
    common = [file for file in stamps if file in before.pictures]
    found += _told(sorted(stamps.keys() - before.pictures.keys()), "is new", "are new")
    found += _told(sorted(before.pictures.keys() - stamps.keys()), "is gone", "are gone")
    changed = [file for file in common if stamps[file].size != before.pictures[file][0]]
    if not (found or changed) and decode:
        changed = _changed(directory, name, raw, before, stamps)
    return found + _told(changed, "changed", "changed")


def _changed(directory: Path, name: str, raw: RawInput, before: _Record, stamps: Mapping[str, Stamp]) -> list[str]:
    """The pictures of which something else is decoded now, of those whose times are not as noted.

    Where there is none, the times as they are now are noted, if the artifact may be written.
    """
    noted = _read_times(directory, name, list(before.pictures))
    suspects = [file for file, stamp in stamps.items() if not stamp.matches(noted.get(file))]
    if not suspects:
        return []
    with console.progress(len(suspects), f"looking again at {raw.root.name}") as advance:
        changed = []
        for file, sha256 in zip(suspects, raw.hashes(suspects), strict=True):
            advance(1)
            if sha256 != before.pictures[file][1]:
                changed.append(file)
    if not changed:
        with suppress(OSError):
            _write_times(directory, name, (stamps[file] for file in before.pictures))
    return changed


def _differing_lists(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{name} changed" for name in before if name in now and now[name] != before[name]]
    new = [f"the list {name} is new" for name in now if name not in before]
    return changed + new + [f"the list {name} is gone" for name in before if name not in now]


def _told(names: Sequence[str], one: str, several: str) -> list[str]:
    if not names:
        return []
    return [f"1 image {one}: {names[0]}" if len(names) == 1 else f"{len(names)} images {several}, such as {names[0]}"]


def _size(path: Path) -> int:
    stamp = files.try_stamp(path)
    return -1 if stamp is None else stamp.size


def _read(path: Path) -> _Record:
    """A record; the artifact's manifest vouches for its bytes.

    Raises:
        ArtifactError: it is none.
    """
    try:
        first, *rest = path.read_bytes().splitlines()
        pictures = {str(file): (int(size), str(sha256)) for file, size, sha256 in map(json.loads, rest)}
        return _Record(dict(json.loads(first)["lists"]), pictures)
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise ArtifactError(f"{path} cannot be read: {problem}", f"make {path.parent} again with --overwrite") from None


def _write_times(directory: Path, name: str, stamps: Iterable[Stamp]) -> None:
    first = f"{digest(directory, name)}\n"
    lines = (f"{stamp.size} {stamp.mtime_ns} {stamp.ctime_ns}\n" for stamp in stamps)
    files.write_lines(directory / TIMES.format(name), itertools.chain([first], lines), durable=False)


def _read_times(directory: Path, name: str, pictures: Sequence[str]) -> dict[str, Stamp]:
    """The stamps that were noted, by picture; nothing where they are of another record, or damaged."""
    try:
        first, *rest = (directory / TIMES.format(name)).read_text(encoding="ascii").splitlines()
        if first != digest(directory, name):
            return {}
        stamps = [Stamp(*map(int, line.split())) for line in rest]
        return dict(zip(pictures, stamps, strict=True))
    except (OSError, ValueError, TypeError):
        return {}
