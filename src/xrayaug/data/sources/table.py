"""A CSV list with a column of image paths and columns of what is known about them: any set that fits in a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from xrayaug.data import sources
from xrayaug.data.parsing import (
    columns,
    directories,
    image_files,
    label_checks,
    label_options,
    labels,
    list_files,
    list_paths,
    patients,
    skip_reasons,
    split_names,
    synthetic_marks,
)
from xrayaug.data.parsing.file_lookup import Match
from xrayaug.data.parsing.image_list import ImageList, open_list, parse_split
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Cells, Line, Sheet

FEW_PATIENTS, MANY_IMAGES = 3, 12  # so few values for so many images are hardly patients
MERGED = 0.2  # share of images without a patient above which cells may have been merged


@dataclass
class _ListedImages:
    """Images gathered from the lines of a list, and counts of what was noticed."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    excluded: set[str] = field(default_factory=set)  # files that a line excludes by its label
    words: dict[str, str] = field(default_factory=dict)  # file -> word of its first line in the label column
    joined: int = 0  # lines that name another finding than an earlier line of the image
    repeated: int = 0  # lines of an image that an earlier line names
    differing: Counter[str] = field(
        default_factory=Counter
    )  # kept columns in which lines of one image differ -> how often


def detect(path: Path) -> bool:
    """Return whether `path` is a CSV file with a column of images, or a directory with one that is no other set.

    A list without a label column does not count where there are class directories.
    """
    if path.is_file():
        return list_files.lists_images(path)
    lists = [file for file in list_files.csv_files(path) if list_files.lists_images(file)]
    if not lists or any(sources.load(name).detect(path) for name in ("mura", "rsna")):
        return False
    if sources.find_public_sets(path):
        return False
    has_labels = any(columns.is_there(csvfile.read_header(file), "label", None) for file in lists)
    return has_labels or not sources.load("folder").detect(path)


def read(options: Prepare) -> Listing:
    """Return the images that the list names, with labels, and patients, studies and splits where it has them.

    Raises:
        UsageError: options contradict each other.
        InputError: there is no list, or none of its images is usable.
        DataError: a column, label, split, identifier or path is not valid, or lines contradict each other.
    """
    sheet = csvfile.read_sheet(list_files.find_list(options), options.encoding)
    try:
        return _read(sheet, options)
    except DataError as problem:
        if not sheet.notes:
            raise
        # The notes say which encoding and delimiter were guessed, which may be the cause.
        raise DataError(problem.message, f"{problem.hint}; {'; '.join(sheet.notes)}") from None


def _read(sheet: Sheet, options: Prepare) -> Listing:
    image_list = open_list(sheet, options)
    synthetic_marks.check_column(sheet, image_list.lines, synthetic=options.synthetic)
    collected = _ListedImages()
    for line, named, match in list_paths.match_paths(image_list):
        _add_line(line, named, match, image_list, collected)
    if not collected.records:
        raise InputError(
            f"none of the {len(image_list.lines)} images that {image_list.sheet.path} lists is usable: "
            f"{_describe_first_skipped(collected)}",
            f"paths are relative to {image_list.root}",
        )
    records, unified = patients.unify_patients(list(collected.records.values()), options.patient_pattern)
    label_checks.check_labels_agree(records, image_list)
    titles = {role: image_list.sheet.header[index] for role, index in image_list.columns.items() if index is not None}
    return Listing(
        image_list.root,
        records,
        collected.skipped,
        notes=[*image_list.notes, *unified, *_notes(image_list, collected, options)],
        warnings=[
            *image_list.warnings,
            *label_options.label_warnings(image_list.words, image_list.rules),
            *_column_warnings(records, image_list, options),
            *([] if options.synthetic else patients.patient_warnings(records)),
        ],
        lists=[image_list.sheet.path],
        words=image_list.words,
        columns=titles,
    )


def _add_line(line: Line, named: str, match: Match, image_list: ImageList, collected: _ListedImages) -> None:
    """Add the image of one line, or skip it with a reason.

    Raises:
        DataError: the line contradicts an earlier one on the same image.
    """
    if not named:
        collected.skipped.append((f"line {line.number}", skip_reasons.NO_NAME))
        return
    reading = image_list.readings.get(image_list.cell(line, "label"), labels.LabelReading(None))
    label = image_list.label or reading.label
    if label is None:
        file = match.files[0] if len(match.files) == 1 else named
        if file in collected.records:
            raise _contradiction(line, file, image_list)
        collected.skipped.append((file, reading.reason))
        collected.excluded.add(file)
        return
    if len(match.files) != 1:
        collected.skipped.append((named, _missing_reason(named, match, image_list)))
        return
    (file,) = match.files
    if file in collected.excluded:
        raise _contradiction(line, file, image_list)
    record = _make_record(file, line, label, image_list)
    before = collected.records.get(file)
    if before is None:
        collected.records[file] = record
        collected.words[file] = image_list.cell(line, "label")
        return
    if before.label != record.label:
        first_word, word = collected.words[file], image_list.cell(line, "label")
        if not image_list.rules.names_other_finding(first_word if before.label == "normal" else word):
            raise _contradiction(line, file, image_list)
        before, record = (replace(version, label="abnormal") for version in (before, record))
        collected.joined += 1
    if replace(before, extra={}) != replace(record, extra={}):
        raise _contradiction(line, file, image_list)
    collected.repeated += 1
    collected.records[file] = replace(before, extra=_merge_extra(before.extra, record.extra, collected))


def _contradiction(line: Line, file: str, image_list: ImageList) -> DataError:
    return DataError(
        f"{image_list.describe_line(line)} contradicts an earlier line on {file}",
        "lines of an image must agree on label, patient, study and split; write several findings into one cell: A|B",
    )


def _missing_reason(named: str, match: Match, image_list: ImageList) -> str:
    if match.files:
        return f"{skip_reasons.AMBIGUOUS}: {', '.join(match.files)}"
    return directories.missing_reason(image_list.root / named) or skip_reasons.MISSING


def _merge_extra(before: Mapping[str, str], extra: Mapping[str, str], collected: _ListedImages) -> Mapping[str, str]:
    """Return the kept cells of two lines of an image, values that differ joined by `|`."""
    if before == extra:
        return before
    joined = dict(before)
    for name, value in extra.items():
        if value not in joined[name].split("|"):
            joined[name] = f"{joined[name]}|{value}"
            collected.differing[name] += 1
    return joined


def _make_record(file: str, line: Line, label: str, image_list: ImageList) -> Record:
    own_id = image_files.strip_suffix(file)
    if image_list.find_patient:
        patient = image_list.find_patient(file)
    else:
        patient = image_list.patient_ids.get(image_list.cell(line, "patient"), "")
    study = image_list.study_ids.get(image_list.cell(line, "study"), "")
    if patient and study:
        study = f"{patient}/{study}"  # names such as "study1" repeat among patients
    split = parse_split(image_list.sheet, line, image_list.columns["split"])
    extra = Cells(image_list.kept_columns, line.cells)
    # All images of a study are of one patient, even where the list does not name the patient.
    patient_or_study = patient or (f"study:{study}" if study else own_id)
    return Record(file, label, patient_or_study, study or own_id, split, extra, bool(patient))


def _column_warnings(records: Sequence[Record], image_list: ImageList, options: Prepare) -> list[str]:
    """Return warnings on columns whose values look like patients or splits, on few patients, and on merged cells."""
    return ([] if options.synthetic else _patient_warnings(records, image_list, options)) + _split_warnings(
        image_list, options
    )


def _patient_warnings(records: Sequence[Record], image_list: ImageList, options: Prepare) -> list[str]:
    warnings = []
    title = image_list.sheet.header[image_list.columns["patient"]] if image_list.columns["patient"] is not None else ""
    known = {record.patient for record in records if record.patient_known}
    if title and known and len(known) <= FEW_PATIENTS and len(records) >= MANY_IMAGES:
        warnings.append(
            f"column '{title}' names only {len(known)} patients for {len(records)} images: is it one of patients?"
        )
    unknown = sum(not record.patient_known for record in records)
    if title and MERGED * len(records) < unknown < len(records):
        warnings.append(
            f"column '{title}' is empty for {unknown} of {len(records)} images: merged cells of a spreadsheet?"
        )
    if not (title or options.patient_column or options.patient_pattern):
        likely = columns.find_identifier_like(image_list.sheet, image_list.lines, image_list.columns)
        warnings += [
            f"patients are unknown: if column '{name}' tells them, use --patient-column '{name}'" for name in likely
        ]
    return warnings


def _split_warnings(image_list: ImageList, options: Prepare) -> list[str]:
    warnings = []
    if image_list.columns["split"] is None and not options.split_column:
        for index, name in enumerate(image_list.sheet.header):
            words = {line.cell(index) for line in image_list.lines if not labels.is_missing(line.cell(index))}
            if len(words) > 1 and all(split_names.parse_split(word) for word in words):
                warnings.append(f"column '{name}' holds splits, and is not used: --split-column '{name}' uses it")
    return warnings


def _describe_first_skipped(collected: _ListedImages) -> str:
    return "; ".join(f"{file}: {reason}" for file, reason in collected.skipped[:2]) or "it has only a header"


def _notes(image_list: ImageList, collected: _ListedImages, options: Prepare) -> list[str]:
    notes = []
    if image_list.label and image_list.columns["label"] is not None:
        title = image_list.sheet.header[image_list.columns["label"]]
        notes.append(f"--label is given: the column '{title}' is not read")
    if len(image_list.lines) < len(image_list.sheet.lines):
        notes.append(f"--only: {len(image_list.lines)} of {len(image_list.sheet.lines)} lines are read")
    unknown = sum(not record.patient_known for record in collected.records.values())
    if unknown and not options.synthetic:
        rest = ", but images of a study stay together" if image_list.study_ids else ""
        notes.append(f"the patient of {unknown} images is unknown: each counts as a patient of its own{rest}")
    without = sum(not image_list.study_ids.get(image_list.cell(line, "study"), "") for line in image_list.lines)
    if without and not options.synthetic:
        notes.append(f"the study of {without} lines is unknown: each image counts as a study of its own")
    if collected.repeated:
        notes.append(f"{collected.repeated} lines repeat an image, with the same label, patient, study and split")
    if collected.joined:
        notes.append(f"{collected.joined} of them name another finding: an image is abnormal if any of its lines is")
    if collected.differing:
        names = ", ".join(sorted(collected.differing))
        notes.append(f"lines of one image differ in {names}: all their values are kept, joined by |")
    return notes
