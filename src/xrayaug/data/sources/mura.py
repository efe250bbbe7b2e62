"""MURA: `train|valid/XR_<PART>/patient<N>/study<K>_<positive|negative>/image<J>.png`, with lists beside.

Rajpurkar et al., "MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs", 2018. Version 1.1
lists images in `{train,valid}_image_paths.csv` and labels in `{train,valid}_labeled_studies.csv`, without header;
version 1.0 has `{train,valid}.csv`. A study's label also stands in its directory's name, which is what counts here;
the lists must agree. MURA's `valid` is the thesis's test set.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from xrayaug.data import sources
from xrayaug.data.parsing import labels, non_images
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Line

SPLITS = {"train": "train", "valid": "test"}  # MURA's own name -> ours
PART_PREFIX = "XR_"
STUDY = re.compile(r".+_(positive|negative)", re.IGNORECASE)
LABELS = {"positive": "abnormal", "negative": "normal"}
LISTED_LABELS = {"0": "normal", "0.0": "normal", "1": "abnormal", "1.0": "abnormal"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a list: the image or study it names, from `train` or `valid` on."""

    where: str  # list and line number
    path: str
    label: str  # empty where the list gives none


@dataclass
class _Found:
    """What has been gathered so far."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lists: list[Path] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)  # masks and the like, with the reason


def detect(path: Path) -> bool:
    """Whether a MURA tree lies at `path` or little below."""
    return any(_is_root(directory) for directory in sources.nearby(path))


def read(options: Prepare) -> Listing:
    """List the images of `options.part`, by the lists where they are, else by walking the tree.

    Raises:
        InputError: no MURA tree, no such part in it, or none of the listed images.
        DataError: a list contradicts a study's directory name, or leads out of the tree.
    """
    sources.require_directory(options.input)
    root = _find_root(options.input)
    on_disk = _files_of_part(root, options.part)
    lists = _list_directories(options.input, root)
    found = _Found(beside=non_images.left_out(filter(sources.is_picture, on_disk)))
    for split in SPLITS:
        files = [file for file in on_disk if file.startswith(f"{split}/")]
        _take_split(split, files, lists, options.part, found)
    if not found.records:
        raise InputError(_nothing_found(root, options.part, found), "unpack the images beside their lists")
    words = labels.count_words((_word_of(file) for file in found.records), labels.BY_NAME)
    return Listing(root, list(found.records.values()), found.skipped, found.notes, lists=found.lists, words=words)


def _take_split(split: str, files: list[str], lists: list[Path], part: str, found: _Found) -> None:
    """Take the images of MURA's `train` or `valid`, `files` being what lies there."""
    _check_labels(_read_list(lists, f"{split}_labeled_studies.csv", found, part))
    entries = _read_list(lists, f"{split}_image_paths.csv", found, part)
    if entries is None:
        entries = _read_list(lists, f"{split}.csv", found, part)
        _check_labels(entries)
    if entries is not None:
        _take_listed(entries, files, found)
    elif files:
        found.notes.append(f"no {split}_image_paths.csv: every image under {split}/ is read")
        for file in files:
            _take(file, found)
    else:
        found.notes.append(f"neither images nor a list of MURA's {split}: there is no {SPLITS[split]} split")


def _find_root(path: Path) -> Path:
    roots = [directory for directory in sources.nearby(path) if _is_root(directory)]
    if not roots:
        raise InputError(
            f"{path} holds no MURA tree: looked {sources.LEVELS} levels deep for train/XR_... or valid/XR_...",
            "point --input at the directory that holds train and valid",
        )
    nearest = [root for root in roots if len(root.parts) == len(roots[0].parts)]
    if len(nearest) > 1:
        raise InputError(
            f"{path} holds {len(nearest)} MURA trees: {', '.join(str(root.relative_to(path)) for root in nearest)}",
            "point --input at one of them",
        )
    return roots[0]


def _is_root(directory: Path) -> bool:
    return any(_parts_of(directory / split) for split in SPLITS)


def _parts_of(directory: Path) -> list[Path]:
    return [path for path in sources.subdirectories(directory) if path.name.upper().startswith(PART_PREFIX)]


def _wanted(directory_name: str, part: str) -> bool:
    name = directory_name.upper()
    return name == PART_PREFIX + part.upper() or (part == "all" and name.startswith(PART_PREFIX))


def _files_of_part(root: Path, part: str) -> list[str]:
    """Every file of the wanted part, relative to `root`.

    Raises:
        InputError: the part is not in the tree.
    """
    there = [folder for split in SPLITS for folder in _parts_of(root / split)]
    wanted = [folder for folder in there if _wanted(folder.name, part)]
    if not wanted:
        raise InputError(
            f"{root} has no {PART_PREFIX}{part.upper()}; there are {', '.join(sorted({f.name for f in there}))}",
            "choose one with --part",
        )
    return [f"{folder.relative_to(root).as_posix()}/{file}" for folder in wanted for file in sources.walk(folder)]


def _list_directories(given: Path, root: Path) -> list[Path]:
    """Where the lists may lie: in the root, above it as far as `--input`, or right beside it."""
    above = [directory for directory in root.parents if directory.is_relative_to(given)]
    return [root, *above, root.parent]


def _read_list(directories: Iterable[Path], name: str, found: _Found, part: str) -> list[_Entry] | None:
    """The lines of the first list of that name that are of the wanted part; None where there is no such list.

    Raises:
        DataError: a line leads out of the tree.
    """
    path = next((directory / name for directory in directories if (directory / name).is_file()), None)
    if path is None:
        return None
    found.lists.append(path)
    entries: list[_Entry] = []
    for place, line in enumerate(csvfile.read_lines(path)):
        entry = _entry(line, name)
        if entry is not None and _wanted(entry.path.split("/")[1], part):
            entries.append(entry)
        elif entry is None and place > 0:  # the first may be a header
            found.skipped.append((line.cell(0), f"{name} line {line.number} is not a MURA path"))
    return entries


def _entry(line: Line, name: str) -> _Entry | None:
    """A list's line, its path cut to what follows the root; None where that is no MURA path.

    Raises:
        DataError: it leads out of the tree.
    """
    steps = [step for step in line.cell(0).replace("\\", "/").split("/") if step not in ("", ".")]
    if ".." in steps:
        raise DataError(f"{name} line {line.number} leads out of the tree: {line.cell(0)}", "mend the list")
    for place in range(len(steps) - 1):
        if steps[place] in SPLITS and steps[place + 1].upper().startswith(PART_PREFIX):
            path = "/".join(steps[place:])
            return _Entry(f"{name} line {line.number}", path, LISTED_LABELS.get(line.cell(1), ""))
    return None


def _check_labels(entries: list[_Entry] | None) -> None:
    """Hold the lists' labels to the directories' names.

    Raises:
        DataError: they differ.
    """
    for entry in entries or []:
        told = _label_of(entry.path)
        if entry.label and told and entry.label != told:
            study = "/".join(entry.path.split("/")[:4])
            raise DataError(
                f"{entry.where} says that {study} is {entry.label}, its directory's name says {told}",
                "find out which is right and mend the other",
            )


def _label_of(path: str) -> str:
    """The label in the study directory's name; empty where it tells none."""
    return LABELS.get(_word_of(path), "")


def _word_of(path: str) -> str:
    """The word that tells the label in the study directory's name; empty where none does."""
    steps = path.split("/")
    match = STUDY.fullmatch(steps[3]) if len(steps) > 3 else None
    return match[1].lower() if match else ""


def _take_listed(entries: Iterable[_Entry], files: list[str], found: _Found) -> None:
    """Take what the list names, be it images or whole studies; note what lies there unlisted."""
    studies: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        studies[str(PurePosixPath(file).parent)].append(file)
    known = set(files)
    listed: set[str] = set()
    repeated = 0
    for entry in entries:
        named = [entry.path] if entry.path in known else studies.get(entry.path, [])
        if not named:
            found.skipped.append((entry.path, sources.MISSING))
        repeated += any(file in listed for file in named)
        for file in named:
            if file not in listed:
                _take(file, found)
        listed.update(named)
    unlisted = sum(sources.is_picture(file) and file not in listed for file in files)
    if unlisted:
        found.notes.append(f"{unlisted} images are on disk but not in the list, and are not read")
    if repeated:
        found.notes.append(f"{repeated} lines of the list name an image for the second time")


def _take(file: str, found: _Found) -> None:
    """Add the record of one file, or skip it with the reason."""
    split, folder, *rest = file.split("/")
    label = _label_of(file)
    if not sources.is_picture(file):
        found.skipped.append((file, "not an image"))
    elif why := found.beside.get(file):
        found.skipped.append((file, why))
    elif len(rest) < 3:
        found.skipped.append((file, "not in a study's directory"))
    elif not label:
        found.skipped.append((file, f"'{rest[1]}' ends in neither _positive nor _negative"))
    else:
        patient, study = sys.intern(rest[0]), sys.intern(f"{folder}/{rest[0]}/{rest[1]}")  # once for all their images
        found.records[file] = Record(file, label, patient, study, SPLITS[split], _part(folder))


@cache
def _part(folder: str) -> Mapping[str, str]:
    return {"part": folder[len(PART_PREFIX) :].lower()}


def _nothing_found(root: Path, part: str, found: _Found) -> str:
    missing = [file for file, reason in found.skipped if reason == sources.MISSING]
    if missing:
        return f"none of the {len(missing)} listed images is under {root}: looked for {missing[0]} and so on"
    return f"no labelled image under {root} in {PART_PREFIX}{part.upper()}"
