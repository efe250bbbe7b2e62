"""Records of the files that a command read of a raw input, by which a later run finds out whether they changed.

An artifact that was made from raw files keeps a record of each such input, `read-<input>.jsonl`. Its first line has the
sha256 of each list (such as a table of labels); a line for each picture follows, with its name, its size in bytes, and
the sha256 of the decoded pixels or `unusable`. The sha256 of the record is the digest of the input. The record leaves
out files that were not read, and times: these are in `read-<input>.times`, which no manifest lists. A picture whose
size and times are unchanged is taken to be unchanged; any other is decoded again. If the file of times is lost or out
of date, only time is lost.
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

UNUSABLE = "unusable"  # stands for the sha256 of a picture that could not be decoded
RECORD, TIMES = "read-{}.jsonl", "read-{}.times"

Hashes = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True)
class RawInput:
    """The files that a command reads of a raw input."""

    root: Path
    pictures: Sequence[str]  # relative to the root, in the order in which they are read
    hashes: Hashes  # maps names of pictures to the sha256 of their decoded pixels, or `UNUSABLE`
    lists: Sequence[Path] = ()

    def lists_by_name(self) -> dict[str, str]:
        """Return the sha256 of every list, by its path relative to the root."""
        return {Path(os.path.relpath(path, self.root)).as_posix(): files.sha256_file(path) for path in self.lists}


RawInputs = Mapping[str, RawInput]  # by the input's name


@dataclass(frozen=True)
class DecodedImage:
    """The name, stamp and hash of a picture that was decoded."""

    file: str
    stamp: Stamp
    sha256: str  # of the decoded pixels, or `UNUSABLE`


@dataclass(frozen=True)
class _Record:
    """The content of a record."""

    lists: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, tuple[int, str]] = field(default_factory=dict)  # name -> size and sha256
    has_pseudonyms: bool = False  # whether names are not those of the files, which are known by their order alone


def write(
    directory: Path,
    name: str,
    lists: Mapping[str, str],
    pictures: Iterable[DecodedImage],
    *,
    has_pseudonyms: bool = False,
) -> None:
    """Write the record of an input, and the times of its pictures, into an artifact that is being built.

    Args:
        directory: directory of the artifact.
        name: name of the input.
        lists: sha256 of the lists that were read, by name.
        pictures: the pictures, in the order in which they were read.
        has_pseudonyms: whether the names of the pictures are not those of their files.
    """
    stamps = array("q")

    def lines() -> Iterator[str]:
        yield json.dumps({"lists": dict(lists)} | ({"pseudonyms": True} if has_pseudonyms else {})) + "\n"
        for picture in pictures:
            stamps.extend(_conceal(picture.stamp) if has_pseudonyms else picture.stamp)
            yield json.dumps([picture.file, picture.stamp.size, picture.sha256]) + "\n"

    files.write_lines(directory / RECORD.format(name), lines(), durable=False)  # `builder.build_artifact` flushes it
    _write_times(directory, name, (Stamp(*stamps[place : place + 3]) for place in range(0, len(stamps), 3)))


def _conceal(stamp: Stamp) -> Stamp:
    """Return a stamp with a hash in place of the times: a file's time may be the date of a patient's study."""
    if not stamp.ctime_ns:
        return stamp
    times = hashlib.sha256(f"{stamp.mtime_ns} {stamp.ctime_ns}".encode()).digest()
    return Stamp(stamp.size, 0, int.from_bytes(times[:7]) | 1)


def digest(directory: Path, name: str) -> str:
    """Return the digest of an input: the sha256 of its record in the artifact."""
    return files.sha256_file(directory / RECORD.format(name))


def listed_digest(raw: RawInput) -> str:
    """Return a sha256 of what is known of an input before decoding: its lists and its pictures' names and sizes."""
    hasher = hashlib.sha256(json.dumps(raw.lists_by_name()).encode())
    for file in raw.pictures:
        hasher.update(json.dumps([file, _size(raw.root / file)]).encode())
    return hasher.hexdigest()


def times_file_names(names: Iterable[str]) -> set[str]:
    """Return the names of the files of times of inputs; no manifest lists these files."""
    return {TIMES.format(name) for name in names}


def find_differences(directory: Path, name: str, raw: RawInput, *, decode: bool) -> list[str]:
    """Return the differences between the files of an input and the artifact's record of them, one line each.

    Args:
        directory: directory of the artifact.
        name: name of the input.
        raw: the present files of the input.
        decode: decode pictures whose times changed, if no other difference is found.

    Raises:
        ArtifactError: the record cannot be read.
    """
    before = _read(directory / RECORD.format(name))
    differences = _describe_list_changes(before.lists, raw.lists_by_name())
    if before.has_pseudonyms and len(raw.pictures) != len(before.pictures):
        return [*differences, f"{len(before.pictures):,} images were read, and there are {len(raw.pictures):,}"]
    recorded = before.pictures if before.has_pseudonyms else raw.pictures
    actual = dict(zip(recorded, raw.pictures, strict=True))  # name in the record -> name of the file
    stamps = {name: stamp for name, file in actual.items() if (stamp := files.try_stamp(raw.root / file)) is not None}
    if before.has_pseudonyms:
        stamps = {name: _conceal(stamp) for name, stamp in stamps.items()}
    common = [file for file in stamps if file in before.pictures]
    differences += _describe_images(sorted(stamps.keys() - before.pictures.keys()), "is new", "are new")
    differences += _describe_images(sorted(before.pictures.keys() - stamps.keys()), "is gone", "are gone")
    changed = [file for file in common if stamps[file].size != before.pictures[file][0]]
    if not (differences or changed) and decode:
        changed = _find_changed_images(directory, name, raw, before, stamps=stamps, actual=actual)
    return differences + _describe_images(changed, "changed", "changed")


def _find_changed_images(
    directory: Path,
    name: str,
    raw: RawInput,
    before: _Record,
    *,
    stamps: Mapping[str, Stamp],
    actual: Mapping[str, str],
) -> list[str]:
    """Return the pictures that decode to other pixels than before, among those whose times changed.

    If there is none, the present times are saved, provided that the artifact can be written.
    """
    saved = _read_times(directory, name, list(before.pictures))
    suspects = [file for file, stamp in stamps.items() if not stamp.matches(saved.get(file))]
    if not suspects:
        return []
    with console.progress(len(suspects), f"looking again at {raw.root.name}") as advance:
        changed = []
        for file, sha256 in zip(suspects, raw.hashes([actual[name] for name in suspects]), strict=True):
            advance(1)
            if sha256 != before.pictures[file][1]:
                changed.append(file)
    if not changed:
        with suppress(OSError):
            _write_times(directory, name, (stamps[file] for file in before.pictures))
    return changed


def _describe_list_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    changed = [f"{name} changed" for name in before if name in now and now[name] != before[name]]
    new = [f"the list {name} is new" for name in now if name not in before]
    return changed + new + [f"the list {name} is gone" for name in before if name not in now]


def _describe_images(names: Sequence[str], one: str, several: str) -> list[str]:
    if not names:
        return []
    return [f"1 image {one}: {names[0]}" if len(names) == 1 else f"{len(names)} images {several}, such as {names[0]}"]


def _size(path: Path) -> int:
    stamp = files.try_stamp(path)
    return -1 if stamp is None else stamp.size


def _read(path: Path) -> _Record:
    """Read a record, whose hash was checked when the artifact was opened.

    Raises:
        ArtifactError: the file cannot be read or is no record.
    """
    try:
        first, *rest = path.read_bytes().splitlines()
        pictures = {str(file): (int(size), str(sha256)) for file, size, sha256 in map(json.loads, rest)}
        head = json.loads(first)
        return _Record(dict(head["lists"]), pictures, bool(head.get("pseudonyms", False)))
    except (OSError, ValueError, TypeError, KeyError) as problem:
        raise ArtifactError(f"{path} cannot be read: {problem}", f"make {path.parent} again with --overwrite") from None


def _write_times(directory: Path, name: str, stamps: Iterable[Stamp]) -> None:
    first = f"{digest(directory, name)}\n"
    lines = (f"{stamp.size} {stamp.mtime_ns} {stamp.ctime_ns}\n" for stamp in stamps)
    files.write_lines(directory / TIMES.format(name), itertools.chain([first], lines), durable=False)


def _read_times(directory: Path, name: str, pictures: Sequence[str]) -> dict[str, Stamp]:
    """Return the saved stamps by picture; an empty dict if they are missing, damaged or of another record."""
    try:
        first, *rest = (directory / TIMES.format(name)).read_text(encoding="ascii").splitlines()
        if first != digest(directory, name):
            return {}
        stamps = [Stamp(*map(int, line.split())) for line in rest]
        return dict(zip(pictures, stamps, strict=True))
    except (OSError, ValueError, TypeError):
        return {}
