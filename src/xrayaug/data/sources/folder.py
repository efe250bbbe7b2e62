"""One directory per class, as image classification sets are often shared; `train`, `valid` and `test` may lie above.

normal/a.png  abnormal/b.png        or        train/normal/a.png  test/abnormal/site2/b.png
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xrayaug.data import sources
from xrayaug.data.parsing import labels, non_images
from xrayaug.data.parsing.labels import LabelRules, Reading, WordCount
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare


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
    return any(labels.tells_label(folder.name) for folder in folders + below)


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
    beside = non_images.left_out(filter(sources.is_picture, files))
    places = [_place(file, has_splits) for file in files if sources.is_picture(file) and file not in beside]
    if not places:
        others = f", and {len(beside)} of them seem to be masks, previews and the like" if beside else ""
        raise InputError(f"{root} holds no image among {len(files)} files{others}", "point --input at the images")
    rules, words = _labels(root, places, options)
    patient = sources.patients_by_path(options)
    readings = {each.word: each.reading for each in words}
    if options.label:
        readings[""] = Reading(options.label)
    no_pictures = (file for file in files if not sources.is_picture(file))
    skipped = [(file, _why_no_picture(root, file)) for file in no_pictures]
    skipped += beside.items()
    records: list[Record] = []
    for place in places:
        reading = readings.get(place.class_name, Reading(None, "not in a class's directory"))
        if reading.label:
            records.append(_record(place, reading.label, patient))
        else:
            skipped.append((place.file, reading.reason))
    records, notes = sources.unified(records, options.patient_pattern)
    notes += _notes(records, are_known=patient is not None)
    warnings = [*_passed_over(options.input, root), *sources.on_labels(words, rules), *sources.on_patients(records)]
    return Listing(root, records, skipped, notes, warnings=warnings, words=words)


def _root(path: Path) -> Path:
    """Where the classes or splits begin: below directories with one other alone (copies double them), masks aside."""
    for _ in range(sources.LEVELS):
        folders = [folder for folder in sources.subdirectories(path) if not _is_of_masks(folder)]
        telling = any(_is_split(folder) or labels.tells_label(folder.name) for folder in folders)
        if len(folders) != 1 or telling or any(sources.is_picture(file.name) for file in sources.files(path)):
            break
        path = folders[0]
    return path


def _is_of_masks(folder: Path) -> bool:
    return non_images.is_folder_of_masks(folder.name)


def _why_no_picture(root: Path, file: str) -> str:
    if any(map(non_images.is_folder_of_masks, PurePosixPath(file).parts[:-1])):
        return non_images.NO_RADIOGRAPH
    return sources.why_no_picture(root, file)


def _passed_over(path: Path, root: Path) -> list[str]:
    """Return a warning of directories of masks and the like that lie beside those which lead to the root."""
    above = [path, *(path / part for part in root.relative_to(path).parts)][:-1]
    found = [folder for each in above for folder in sources.subdirectories(each) if _is_of_masks(folder)]
    return [f"{folder} is left out, as a folder of masks, previews and the like" for folder in found]


def _is_split(folder: Path) -> bool:
    return sources.split_of(folder.name) is not None


def _place(file: str, has_splits: bool) -> _Place:
    folders = list(PurePosixPath(file).parts[:-1])
    split = (sources.split_of(folders[0]) or "") if has_splits and folders else ""
    if split:
        del folders[0]
    return _Place(file, split, folders[0] if folders else "")


def _labels(root: Path, places: list[_Place], options: Prepare) -> tuple[LabelRules, list[WordCount]]:
    """Return how classes become labels, and every class with its number of images and label; all one with `--label`.

    Raises:
        DataError: classes and splits on one level, no classes and no `--label`, or a class that contradicts it.
    """
    classes = [place.class_name for place in places if place.class_name]
    outside = sorted({place.class_name for place in places if not place.split} - {""})
    if outside and len({bool(place.split) for place in places}) > 1:
        raise DataError(
            f"{root} has directories of splits and others side by side: {', '.join(outside)}",
            "move all images under train, valid or test, or none",
        )
    if options.label:
        _check_label(sorted(set(classes)), options.label)
        counted = sorted(Counter(classes).items())
        return labels.BY_NAME, [WordCount(name, count, Reading(options.label)) for name, count in counted]
    if not classes:
        raise DataError(
            f"the images of {root} lie in no directory of a class, so they have no labels",
            "make directories called normal and abnormal, or give every image one --label",
        )
    rules = sources.label_rules(options, classes)
    return rules, labels.count_words(classes, rules)


def _check_label(classes: list[str], label: str) -> None:
    for name in classes:
        if labels.tells_label(name) and labels.BY_NAME.read(name).label != label:
            raise DataError(f"--label is {label}, but the images lie in classes: {', '.join(classes)}", "leave it out")


def _record(place: _Place, label: str, patient: Callable[[str], str] | None) -> Record:
    alone = PurePosixPath(place.file).with_suffix("").as_posix()
    known = patient(place.file) if patient else ""
    return Record(place.file, label, known or alone, alone, place.split, patient_known=bool(known))


def _notes(records: list[Record], *, are_known: bool) -> list[str]:
    if are_known:
        return []
    return [f"patients are unknown: each of the {len(records)} images counts as a patient of its own"]
