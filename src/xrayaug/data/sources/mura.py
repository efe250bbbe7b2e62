"""MURA: `train|valid/XR_<PART>/patient<N>/study<K>_<positive|negative>/image<J>.png`, with CSV lists beside.

Rajpurkar et al., "MURA: Large Dataset for Abnormality Detection in Musculoskeletal Radiographs", 2018. Version 1.1
lists images in `{train,valid}_image_paths.csv` and labels in `{train,valid}_labeled_studies.csv`, without header;
version 1.0 has `{train,valid}.csv`. A study's label is read from its directory's name, and
the lists must agree with it. MURA's `valid` is the thesis's test set. Oakden-Rayner, "Exploring Large-scale Public
Medical Image Datasets", Academic Radiology 27(1), 2020, found hardware in many positive studies, and unmarked
degenerative disease.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from xrayaug.data.parsing import directories, image_files, labels, non_images, skip_reasons
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Line

SPLITS = {"train": "train", "valid": "test"}  # MURA's own name -> ours
PART_PREFIX = "XR_"
CAUTION = "labels of mura: many positive studies show hardware, and degenerative joint disease is often not marked"
STUDY = re.compile(r".+_(positive|negative)", re.IGNORECASE)
LABELS = {"positive": "abnormal", "negative": "normal"}
LISTED_LABELS = {"0": "normal", "0.0": "normal", "1": "abnormal", "1.0": "abnormal"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of a list: the image or study that it names, as a path that begins with `train` or `valid`."""

    location: str  # list and line number
    path: str
    label: str  # empty where the list gives none


@dataclass
class _MuraFiles:
    """Images and messages gathered while the tree and its lists are read."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lists: list[Path] = field(default_factory=list)
    mask_reasons: dict[str, str] = field(default_factory=dict)  # mask or the like -> reason to skip it


def detect(path: Path) -> bool:
    """Return whether a MURA tree lies at `path` or a few levels below."""
    return any(_is_root(directory) for directory in directories.search_directories(path))


def read(options: Prepare) -> Listing:
    """Return the images of `options.part` that the lists name, or without lists all that are in the tree.

    Raises:
        InputError: there is no MURA tree, no such part in it, or none of the listed images.
        DataError: a list contradicts a study's directory name, or leads out of the tree.
    """
    directories.check_directory(options.input)
    root = _find_root(options.input)
    on_disk = _files_of_part(root, options.part)
    lists = _list_directories(options.input, root)
    collected = _MuraFiles(mask_reasons=non_images.find_non_images(filter(image_files.has_image_suffix, on_disk)))
    for split in SPLITS:
        files = [file for file in on_disk if file.startswith(f"{split}/")]
        _add_split(split, files, lists, options.part, collected)
    if not collected.records:
        raise InputError(_describe_no_images(root, options.part, collected), "unpack the images beside their lists")
    words = labels.count_words((_label_word(file) for file in collected.records), labels.DEFAULT_RULES)
    return Listing(
        root,
        list(collected.records.values()),
        collected.skipped,
        [CAUTION, *collected.notes],
        lists=collected.lists,
        words=words,
    )


def _add_split(split: str, files: list[str], lists: list[Path], part: str, collected: _MuraFiles) -> None:
    """Add the images of MURA's `train` or `valid`.

    Args:
        split: MURA's name of the split.
        files: files of that split on disk.
        lists: directories to search for lists.
        part: body part to read, or `all`.
        collected: the images so far, to which those of the split are added.
    """
    _check_labels(_read_list(lists, f"{split}_labeled_studies.csv", collected, part))
    entries = _read_list(lists, f"{split}_image_paths.csv", collected, part)
    if entries is None:
        entries = _read_list(lists, f"{split}.csv", collected, part)
        _check_labels(entries)
    if entries is not None:
        _add_listed(entries, files, collected)
    elif files:
        collected.notes.append(f"no {split}_image_paths.csv: every image under {split}/ is read")
        for file in files:
            _add_file(file, collected)
    else:
        collected.notes.append(f"neither images nor a list of MURA's {split}: there is no {SPLITS[split]} split")


def _find_root(path: Path) -> Path:
    roots = [directory for directory in directories.search_directories(path) if _is_root(directory)]
    if not roots:
        raise InputError(
            f"{path} holds no MURA tree: looked {directories.SEARCH_DEPTH} levels deep for "
            "train/XR_... or valid/XR_...",
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
    return any(_part_directories(directory / split) for split in SPLITS)


def _part_directories(directory: Path) -> list[Path]:
    return [path for path in directories.subdirectories(directory) if path.name.upper().startswith(PART_PREFIX)]


def _is_wanted(directory_name: str, part: str) -> bool:
    name = directory_name.upper()
    return name == PART_PREFIX + part.upper() or (part == "all" and name.startswith(PART_PREFIX))


def _files_of_part(root: Path, part: str) -> list[str]:
    """Return all files of the wanted part, relative to `root`.

    Raises:
        InputError: the part is not in the tree.
    """
    folders = [folder for split in SPLITS for folder in _part_directories(root / split)]
    wanted = [folder for folder in folders if _is_wanted(folder.name, part)]
    if not wanted:
        raise InputError(
            f"{root} has no {PART_PREFIX}{part.upper()}; there are {', '.join(sorted({f.name for f in folders}))}",
            "choose one with --part",
        )
    return [f"{folder.relative_to(root).as_posix()}/{file}" for folder in wanted for file in directories.walk(folder)]


def _list_directories(input_path: Path, root: Path) -> list[Path]:
    """Return the directories that may hold the lists: the root, those above it up to `--input`, and its parent."""
    above = [directory for directory in root.parents if directory.is_relative_to(input_path)]
    return [root, *above, root.parent]


def _read_list(directories: Iterable[Path], name: str, collected: _MuraFiles, part: str) -> list[_Entry] | None:
    """Return the entries of the wanted part in the first list of that name; None where there is no such list.

    Raises:
        DataError: a line leads out of the tree.
    """
    path = next((directory / name for directory in directories if (directory / name).is_file()), None)
    if path is None:
        return None
    collected.lists.append(path)
    entries: list[_Entry] = []
    for place, line in enumerate(csvfile.read_lines(path)):
        entry = _parse_entry(line, name)
        if entry is not None and _is_wanted(entry.path.split("/")[1], part):
            entries.append(entry)
        elif entry is None and place > 0:  # the first may be a header
            collected.skipped.append((line.cell(0), f"{name} line {line.number} is not a MURA path"))
    return entries


def _parse_entry(line: Line, name: str) -> _Entry | None:
    """Return the entry of a list's line, its path relative to the root; None where it is not a MURA path.

    Raises:
        DataError: the path leads out of the tree.
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
    """Check that the labels of a list agree with the names of the studies' directories.

    Raises:
        DataError: they differ.
    """
    for entry in entries or []:
        label = _read_label(entry.path)
        if entry.label and label and entry.label != label:
            study = "/".join(entry.path.split("/")[:4])
            raise DataError(
                f"{entry.location} says that {study} is {entry.label}, its directory's name says {label}",
                "find out which is right and mend the other",
            )


def _read_label(path: str) -> str:
    """Return the label in the name of the study's directory; empty where it has none."""
    return LABELS.get(_label_word(path), "")


def _label_word(path: str) -> str:
    """Return `positive` or `negative` from the name of the study's directory; empty where it has neither."""
    steps = path.split("/")
    match = STUDY.fullmatch(steps[3]) if len(steps) > 3 else None
    return match[1].lower() if match else ""


def _add_listed(entries: Iterable[_Entry], files: list[str], collected: _MuraFiles) -> None:
    """Add the images or whole studies that a list names; note images that are not in it."""
    studies: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        studies[str(PurePosixPath(file).parent)].append(file)
    on_disk = set(files)
    listed: set[str] = set()
    repeated = 0
    for entry in entries:
        named = [entry.path] if entry.path in on_disk else studies.get(entry.path, [])
        if not named:
            collected.skipped.append((entry.path, skip_reasons.MISSING))
        repeated += any(file in listed for file in named)
        for file in named:
            if file not in listed:
                _add_file(file, collected)
        listed.update(named)
    unlisted = sum(image_files.has_image_suffix(file) and file not in listed for file in files)
    if unlisted:
        collected.notes.append(f"{unlisted} images are on disk but not in the list, and are not read")
    if repeated:
        collected.notes.append(f"{repeated} lines of the list name an image for the second time")


def _add_file(file: str, collected: _MuraFiles) -> None:
    """Add the record of one file, or skip it with a reason."""
    _, _, *rest = file.split("/")
    label = _read_label(file)
    if not image_files.has_image_suffix(file):
        collected.skipped.append((file, "not an image"))
    elif reason := collected.mask_reasons.get(file):
        collected.skipped.append((file, reason))
    elif len(rest) < 3:
        collected.skipped.append((file, "not in a study's directory"))
    elif not label:
        collected.skipped.append((file, f"'{rest[1]}' ends in neither _positive nor _negative"))
    else:
        collected.records[file] = make_record(file)


def make_record(file: str) -> Record:
    """Return the record of an image at a path such as `train/XR_HAND/patient00001/study1_positive/image1.png`."""
    split, folder, patient, study, *_ = file.split("/")
    name = sys.intern(f"{folder}/{patient}/{study}")  # one string for all their images
    return Record(file, _read_label(file), sys.intern(patient), name, SPLITS[split], _part(folder))


@cache
def _part(folder: str) -> Mapping[str, str]:
    return {"part": folder[len(PART_PREFIX) :].lower()}


def _describe_no_images(root: Path, part: str, collected: _MuraFiles) -> str:
    missing = [file for file, reason in collected.skipped if reason == skip_reasons.MISSING]
    if missing:
        return f"none of the {len(missing)} listed images is under {root}: looked for {missing[0]} and so on"
    return f"no labelled image under {root} in {PART_PREFIX}{part.upper()}"
