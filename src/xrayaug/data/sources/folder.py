"""One directory per class, as image classification sets are often shared; `train`, `valid` and `test` may lie above.

normal/a.png  abnormal/b.png        or        train/normal/a.png  test/abnormal/site2/b.png
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from xrayaug.data import sources
from xrayaug.data.parsing import (
    directories,
    image_files,
    label_options,
    labels,
    non_images,
    patients,
    split_names,
    synthetic_marks,
)
from xrayaug.data.parsing.labels import LabelReading, LabelRules, WordCount
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare


@dataclass(frozen=True)
class _ClassifiedFile:
    """A file, with the split and class that its directories name."""

    file: str
    split: str
    class_name: str  # empty for a file outside the class directories


def detect(path: Path) -> bool:
    """Return whether `path` has directories named after classes, directly or below directories of splits."""
    root = _find_root(path)
    folders = directories.subdirectories(root)
    below = [folder for split in folders if _is_split(split) for folder in directories.subdirectories(split)]
    has_classes = any(labels.is_label_name(folder.name) for folder in folders + below)
    return has_classes and not sources.find_public_sets(path)


def read(options: Prepare) -> Listing:
    """Return the images with the class and split that their directories name; `--label` gives all the same class.

    Raises:
        InputError: `--input` is not a directory, or holds no image.
        DataError: a class is neither normal nor abnormal, or there are neither classes nor `--label`.
    """
    directories.check_directory(options.input)
    root = _find_root(options.input)
    files = list(directories.walk(root))
    has_splits = any(_is_split(folder) for folder in directories.subdirectories(root))
    candidates = {file for file in files if image_files.is_image(root, file)}
    mask_reasons = non_images.find_non_images(file for file in files if file in candidates)
    images = [_classify(file, has_splits) for file in files if file in candidates and file not in mask_reasons]
    if not images:
        others = f", and {len(mask_reasons)} of them seem to be masks, previews and the like" if mask_reasons else ""
        raise InputError(f"{root} holds no image among {len(files)} files{others}", "point --input at the images")
    synthetic_marks.check_names(root, [image.file for image in images], synthetic=options.synthetic)
    rules, words = _read_labels(root, images, options)
    find_patient = patients.patient_finder(options)
    readings = {count.word: count.reading for count in words}
    if options.label:
        readings[""] = LabelReading(options.label)
    other_files = (file for file in files if file not in candidates)
    skipped = [(file, _non_image_reason(root, file)) for file in other_files]
    skipped += mask_reasons.items()
    records: list[Record] = []
    for image in images:
        reading = readings.get(image.class_name, LabelReading(None, "not in a class's directory"))
        if reading.label:
            records.append(_make_record(image, reading.label, find_patient))
        else:
            skipped.append((image.file, reading.reason))
    records, notes = patients.unify_patients(records, options.patient_pattern)
    if not options.synthetic:
        notes += _notes(records, are_known=find_patient is not None)
    warnings = [
        *_mask_folder_warnings(options.input, root),
        *label_options.label_warnings(words, rules),
        *([] if options.synthetic else patients.patient_warnings(records)),
    ]
    return Listing(root, records, skipped, notes, warnings=warnings, words=words)


def _find_root(path: Path) -> Path:
    """Return the directory that holds the classes or splits: the first below `path` that has more than one directory.

    Archives often hold one directory in another. Directories of masks do not count.
    """
    for _ in range(directories.SEARCH_DEPTH):
        folders = [folder for folder in directories.subdirectories(path) if not _is_mask_folder(folder)]
        has_classes = any(_is_split(folder) or labels.is_label_name(folder.name) for folder in folders)
        if (
            len(folders) != 1
            or has_classes
            or any(image_files.has_image_suffix(file.name) for file in directories.files(path))
        ):
            break
        path = folders[0]
    return path


def _is_mask_folder(folder: Path) -> bool:
    return non_images.is_folder_of_masks(folder.name)


def _non_image_reason(root: Path, file: str) -> str:
    if any(map(non_images.is_folder_of_masks, PurePosixPath(file).parts[:-1])):
        return non_images.NO_RADIOGRAPH
    return image_files.non_image_reason(root, file)


def _mask_folder_warnings(path: Path, root: Path) -> list[str]:
    """Return one warning for each directory of masks and the like between `path` and the root."""
    above = [path, *(path / part for part in root.relative_to(path).parts)][:-1]
    folders = [folder for parent in above for folder in directories.subdirectories(parent) if _is_mask_folder(folder)]
    return [f"{folder} is left out, as a folder of masks, previews and the like" for folder in folders]


def _is_split(folder: Path) -> bool:
    return split_names.parse_split(folder.name) is not None


def _classify(file: str, has_splits: bool) -> _ClassifiedFile:
    folders = list(PurePosixPath(file).parts[:-1])
    split = (split_names.parse_split(folders[0]) or "") if has_splits and folders else ""
    if split:
        del folders[0]
    return _ClassifiedFile(file, split, folders[0] if folders else "")


def _read_labels(root: Path, images: list[_ClassifiedFile], options: Prepare) -> tuple[LabelRules, list[WordCount]]:
    """Return the rules for labels, and each class with its number of images and its label.

    Raises:
        DataError: classes and splits lie side by side, there are neither classes nor `--label`, or they contradict.
    """
    classes = [image.class_name for image in images if image.class_name]
    outside = sorted({image.class_name for image in images if not image.split} - {""})
    if outside and len({bool(image.split) for image in images}) > 1:
        raise DataError(
            f"{root} has directories of splits and others side by side: {', '.join(outside)}",
            "move all images under train, valid or test, or none",
        )
    if options.label:
        _check_label(sorted(set(classes)), options.label)
        counted = sorted(Counter(classes).items())
        return labels.DEFAULT_RULES, [WordCount(name, count, LabelReading(options.label)) for name, count in counted]
    if not classes:
        raise DataError(
            f"the images of {root} lie in no directory of a class, so they have no labels",
            "make directories called normal and abnormal, or give every image one --label",
        )
    rules = label_options.rules_from_options(options, classes)
    return rules, labels.count_words(classes, rules)


def _check_label(classes: list[str], label: str) -> None:
    for name in classes:
        if labels.is_label_name(name) and labels.DEFAULT_RULES.read(name).label != label:
            raise DataError(f"--label is {label}, but the images lie in classes: {', '.join(classes)}", "leave it out")


def _make_record(image: _ClassifiedFile, label: str, find_patient: Callable[[str], str] | None) -> Record:
    own_id = image_files.strip_suffix(image.file)
    patient = find_patient(image.file) if find_patient else ""
    return Record(image.file, label, patient or own_id, own_id, image.split, patient_known=bool(patient))


def _notes(records: list[Record], *, are_known: bool) -> list[str]:
    if are_known:
        return []
    return [f"patients are unknown: each of the {len(records)} images counts as a patient of its own"]
