"""One directory per class, as image classification sets are often shared; `train`, `valid` and `test` may lie above.

normal/a.png  abnormal/b.png        or        train/normal/a.png  test/abnormal/site2/b.png
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xrayaug import sources
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.sources import SPLIT_NAMES, Listing, Record


@dataclass(frozen=True)
class _Place:
    """A file, and what the directories above it say."""

    file: str
    split: str
    class_name: str  # empty where it lies in no class's directory


def detect(path: Path) -> bool:
    """Whether `path` has directories called as classes are, right there or under directories of splits."""
    root = _root(path)
    folders = sources.subdirectories(root)
    below = [folder for split in folders if _is_split(split) for folder in sources.subdirectories(split)]
    return any(sources.tells_label(folder.name) for folder in folders + below)


def read(options: Prepare) -> Listing:
    """List the images by class and split; `--label` stands in for classes where there are none.

    Raises:
        InputError: no directory, or no image in it.
        DataError: a class that is neither normal nor abnormal, or images without a class and without `--label`.
    """
    sources.require_directory(options.input)
    root = _root(options.input)
    files = list(sources.walk(root))
    has_splits = any(_is_split(folder) for folder in sources.subdirectories(root))
    places = [_place(file, has_splits) for file in files if sources.is_picture(file)]
    if not places:
        raise InputError(f"{root} holds no image among {len(files)} files", "point --input at the images")
    labels = _labels(root, places, options)
    patient = sources.patients_by_path(options)
    records = [_record(place, labels[place.class_name], patient) for place in places if place.class_name in labels]
    skipped = [(file, "not an image") for file in files if not sources.is_picture(file)]
    skipped += [(place.file, "not in a class's directory") for place in places if place.class_name not in labels]
    return Listing(root, records, skipped, _notes(records, labels, are_known=patient is not None))


def _root(path: Path) -> Path:
    """Where the classes or splits begin: below directories that hold nothing but one other (copies double them)."""
    for _ in range(sources.LEVELS):
        folders = sources.subdirectories(path)
        telling = any(_is_split(folder) or sources.tells_label(folder.name) for folder in folders)
        if len(folders) != 1 or telling or any(sources.is_picture(file.name) for file in sources.files(path)):
            break
        path = folders[0]
    return path


def _is_split(folder: Path) -> bool:
    return folder.name.strip().lower() in SPLIT_NAMES


def _place(file: str, has_splits: bool) -> _Place:
    folders = list(PurePosixPath(file).parts[:-1])
    split = SPLIT_NAMES.get(folders[0].strip().lower(), "") if has_splits and folders else ""
    if split:
        del folders[0]
    return _Place(file, split, folders[0] if folders else "")


def _labels(root: Path, places: list[_Place], options: Prepare) -> dict[str, str]:
    """Every class and its label; with `--label` that label for all, and for images without a class.

    Raises:
        DataError: classes and splits on one level, no classes and no `--label`, or a class that contradicts it.
    """
    classes = sorted({place.class_name for place in places} - {""})
    outside = sorted({place.class_name for place in places if not place.split} - {""})
    if outside and len({bool(place.split) for place in places}) > 1:
        raise DataError(
            f"{root} has directories of splits and others side by side: {', '.join(outside)}",
            "move all images under train, valid or test, or none",
        )
    if options.label:
        return _one_label(classes, options.label)
    if not classes:
        raise DataError(
            f"the images of {root} lie in no directory of a class, so they have no labels",
            "make directories called normal and abnormal, or give every image one --label",
        )
    meant = sources.named_classes(options, classes)
    return {name: meant.label(name) for name in classes}


def _one_label(classes: list[str], label: str) -> dict[str, str]:
    for name in classes:
        if sources.tells_label(name) and sources.BY_NAME.label(name) != label:
            raise DataError(f"--label is {label}, but the images lie in classes: {', '.join(classes)}", "leave it out")
    return dict.fromkeys([*classes, ""], label)


def _record(place: _Place, label: str, patient: Callable[[str], str] | None) -> Record:
    alone = PurePosixPath(place.file).with_suffix("").as_posix()
    return Record(place.file, label, patient(place.file) if patient else alone, alone, place.split)


def _notes(records: list[Record], labels: dict[str, str], *, are_known: bool) -> list[str]:
    told = ", ".join(f"'{name}' is {label}" for name, label in sorted(labels.items()) if name)
    notes = [f"classes: {told}"] if told else []
    if not are_known:
        notes.append(f"patients are unknown: each of the {len(records)} images counts as a patient of its own")
    return notes
