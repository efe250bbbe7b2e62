"""A CSV file with a column of image paths and columns of what is known of them: any set that fits on a sheet."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from xrayaug import csvfile, sources
from xrayaug.csvfile import Line, Sheet
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.options import Prepare
from xrayaug.sources import SPLIT_NAMES, Classes, Listing, Record

USUAL_NAMES = {
    "image": ("image", "file", "filename", "path", "image_path", "img"),
    "label": ("label", "class", "target", "abnormal", "diagnosis"),
    "patient": ("patient", "patient_id", "subject"),
    "study": ("study", "study_id"),
    "split": ("split", "set", "subset"),
}
WHOLE_NUMBER = re.compile(r"(\d+)\.0+")  # how a sheet with gaps saves 0 and 1
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True)
class _Table:
    """A sheet, where its columns stand, and what the options say besides."""

    sheet: Sheet
    lines: list[Line]  # those of the sheet that are to be read
    root: Path
    columns: Mapping[str, int | None]  # what it tells -> where it stands
    label: str | None  # of every image, in place of a column
    empty_label: str | None  # of lines that name none
    patient: Callable[[str], str] | None  # of an image's path, in place of a column
    classes: Classes

    def where(self, line: Line) -> str:
        """The line, for an error to name."""
        return f"{self.sheet.path} line {line.number}"

    def cell(self, line: Line, what: str) -> str:
        """What the line says in the column of that meaning; empty where there is none."""
        return line.cell(self.columns[what])

    @cached_property
    def below(self) -> dict[str, list[str]]:
        """Where images lie below the root, by their names with and without the ending; looked for once."""
        places: dict[str, list[str]] = {}
        for file in filter(sources.is_picture, sources.walk(self.root)):
            path = PurePosixPath(file)
            for name in (path.name, path.stem):
                places.setdefault(name, []).append(file)
        return places


@dataclass
class _Found:
    """What has been gathered so far."""

    records: dict[str, Record] = field(default_factory=dict)  # by file
    skipped: list[tuple[str, str]] = field(default_factory=list)
    repeated: int = 0


def detect(path: Path) -> bool:
    """Whether `path` is a CSV file with a column of images, or a directory with one that is no MURA or RSNA set."""
    if path.is_file():
        return _names_images(path)
    if not any(_names_images(file) for file in _csv_files(path)):
        return False
    return not any(sources.load(name).detect(path) for name in ("mura", "rsna"))


def read(options: Prepare) -> Listing:
    """List the images that the sheet names, with its labels, patients, studies and splits as far as it has them.

    Raises:
        UsageError: options contradict each other.
        InputError: there is no sheet, or none of its images.
        DataError: a column, label, split or path that cannot stand, or lines that contradict each other.
    """
    table = _open_table(options)
    found = _Found()
    for line in table.lines:
        _take(line, table, found)
    if not found.records:
        raise InputError(
            f"none of the {len(table.lines)} images that {table.sheet.path} lists is usable: " + _first_reasons(found),
            f"paths are relative to {table.root}",
        )
    lists = [table.sheet.path]
    return Listing(table.root, list(found.records.values()), found.skipped, _notes(table, found), lists)


def _open_table(options: Prepare) -> _Table:
    if options.label and options.label_column:
        raise UsageError("--label and --label-column are both given", "leave out one")
    if options.patient_pattern and options.patient_column:
        raise UsageError("--patient-pattern and --patient-column are both given", "leave out one")
    sheet = csvfile.read_sheet(_find_file(options))
    columns = {what: _find_column(sheet, what, getattr(options, f"{what}_column")) for what in USUAL_NAMES}
    if columns["image"] is None:
        raise _missing_column(sheet, "of images", "image")
    if columns["label"] is None and not options.label:
        raise _missing_column(sheet, "of labels", "label")
    root = options.input if options.input.is_dir() else options.input.parent
    lines = _chosen(sheet, options.only or ())
    there = [] if options.label else [name for line in lines if (name := _whole(line.cell(columns["label"])))]
    classes = sources.BY_NAME if options.label else sources.named_classes(options, there)
    patient = sources.patients_by_path(options)
    return _Table(sheet, lines, root, columns, options.label, options.empty_label, patient, classes)


def _chosen(sheet: Sheet, conditions: Iterable[str]) -> list[Line]:
    """The lines of which all conditions hold, each `COLUMN=VALUE`.

    Raises:
        UsageError: a condition is none.
        DataError: there is no such column, or no such line.
    """
    lines = sheet.lines
    for condition in conditions:
        name, is_one, value = (part.strip() for part in condition.partition("="))
        if not (name and is_one):
            raise UsageError(f"--only {condition} is no condition", "write COLUMN=VALUE, as in --only hand=1")
        place = sheet.column([name])
        if place is None:
            there = ", ".join(sheet.header)
            raise DataError(f"{sheet.path} has no column '{name}'; there are {there}", "check --only")
        lines = [line for line in lines if _whole(line.cell(place)).lower() == value.lower()]
        if not lines:
            raise DataError(f"no line of {sheet.path} has {condition}", "check --only for a typing error")
    return lines


def _find_file(options: Prepare) -> Path:
    """The CSV file: `--table`, `--input` itself, or the one in `--input` that has the columns.

    Raises:
        UsageError: two files are given.
        InputError: there is none.
        DataError: several fit, or none has the columns.
    """
    if options.input.is_file():
        if options.table not in (None, options.input):
            raise UsageError(f"--input is the file {options.input}, and --table another", "give one of them")
        return options.input
    sources.require_directory(options.input)
    if options.table is not None:
        return _existing(options.table, options.input)
    files = _csv_files(options.input)
    fitting = [file for file in files if _fits(csvfile.header(file), options)]
    if len(fitting) > 1:
        names = ", ".join(file.name for file in fitting)
        raise DataError(f"{options.input} holds {len(fitting)} tables of images: {names}", "choose one with --table")
    if not files:
        raise InputError(f"{options.input} holds no CSV file", "name one elsewhere with --table")
    if not fitting:
        there = "; ".join(f"{file.name} has {', '.join(csvfile.header(file))}" for file in files)
        raise DataError(
            f"no CSV file in {options.input} has the columns of images and labels: {there}",
            "name them with --image-column and --label-column, or give every image one --label",
        )
    return fitting[0]


def _existing(table: Path, directory: Path) -> Path:
    for path in (table, directory / table):
        if path.is_file():
            return path
    raise InputError(f"{table} does not exist, neither here nor in {directory}", "check --table for a typing error")


def _csv_files(directory: Path) -> list[Path]:
    return [path for path in sources.files(directory) if path.suffix.lower() in csvfile.SUFFIXES]


def _names_images(file: Path) -> bool:
    return file.suffix.lower() in csvfile.SUFFIXES and _has(csvfile.header(file), USUAL_NAMES["image"])


def _fits(header: tuple[str, ...], options: Prepare) -> bool:
    image = [options.image_column] if options.image_column else USUAL_NAMES["image"]
    label = [options.label_column] if options.label_column else USUAL_NAMES["label"]
    return _has(header, image) and (options.label is not None or _has(header, label))


def _has(header: Iterable[str], names: Iterable[str]) -> bool:
    return not {title.lower() for title in header}.isdisjoint(name.strip().lower() for name in names)


def _find_column(sheet: Sheet, what: str, named: str | None) -> int | None:
    """Where a column stands, by its given name or by a usual one.

    Raises:
        DataError: there is no column of the given name.
    """
    place = sheet.column([named] if named else USUAL_NAMES[what])
    if named and place is None:
        raise _missing_column(sheet, f"'{named}'", what)
    return place


def _missing_column(sheet: Sheet, wanted: str, what: str) -> DataError:
    hint = f"name one with --{what}-column" + ("; or give every image one --label" if what == "label" else "")
    return DataError(f"{sheet.path} has no column {wanted}; there are {', '.join(sheet.header)}", hint)


def _take(line: Line, table: _Table, found: _Found) -> None:
    """Add the record of one line, or skip it with the reason.

    Raises:
        DataError: the line cannot stand, or contradicts an earlier one.
    """
    named = table.cell(line, "image")
    if not named:
        found.skipped.append((f"line {line.number}", "names no image"))
        return
    path = _inside(named, table.where(line))
    files = _on_disk(path, table.root) or (table.below.get(path.name, []) if len(path.parts) == 1 else [])
    if len(files) != 1:
        found.skipped.append((named, f"in several places: {', '.join(files)}" if files else "listed but not on disk"))
        return
    (file,) = files
    if not (table.label or table.empty_label or table.cell(line, "label")):
        found.skipped.append((file, "no label"))
        return
    record = _record(file, line, table)
    if found.records.get(file, record) != record:
        raise DataError(f"{table.where(line)} contradicts an earlier line on {file}", "delete the wrong line")
    found.repeated += file in found.records
    found.records[file] = record


def _record(file: str, line: Line, table: _Table) -> Record:
    alone = PurePosixPath(file).with_suffix("").as_posix()
    patient = table.patient(file) if table.patient else table.cell(line, "patient")
    study = table.cell(line, "study")
    if patient and study:
        study = f"{patient}/{study}"  # "study1" may be every patient's
    return Record(file, _label(line, table), patient or alone, study or alone, _split(line, table))


def _label(line: Line, table: _Table) -> str:
    if table.label:
        return table.label
    name = _whole(table.cell(line, "label"))
    if not name and table.empty_label:
        return table.empty_label
    try:
        return table.classes.label(name)
    except DataError as problem:
        raise DataError(f"{table.where(line)}: {problem.message}", problem.hint) from None


def _whole(cell: str) -> str:
    """The cell, a whole number without what a sheet appends to it."""
    whole = WHOLE_NUMBER.fullmatch(cell)
    return whole[1] if whole else cell


def _split(line: Line, table: _Table) -> str:
    word = table.cell(line, "split")
    if word and word.lower() not in SPLIT_NAMES:
        raise DataError(
            f"{table.where(line)}: '{word}' is no split",
            f"splits are {', '.join(SPLIT_NAMES)} or empty; --split-column names the column",
        )
    return SPLIT_NAMES[word.lower()] if word else ""


def _inside(named: str, where: str) -> PurePosixPath:
    """The path as the line has it, held to lead nowhere but down from the root.

    Raises:
        DataError: it is absolute or climbs.
    """
    path = PurePosixPath(named.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or DRIVE.match(named):
        raise DataError(f"{where}: the path {named} leads out of the set", "make paths relative to --input")
    return path


def _on_disk(path: PurePosixPath, root: Path) -> list[str]:
    """The path, or with `.png` after it, where such a file is; else nothing."""
    try:
        return [name for name in (str(path), f"{path}.png") if (root / name).is_file()][:1]
    except PermissionError:
        sources.why_lost(root / path)  # says which folder cannot be searched
        raise
    except OSError:  # a name too long to be one
        return []


def _first_reasons(found: _Found) -> str:
    return "; ".join(f"{file}: {reason}" for file, reason in found.skipped[:2]) or "it has only a header"


def _notes(table: _Table, found: _Found) -> list[str]:
    notes = []
    if table.label and table.columns["label"] is not None:
        notes.append(f"--label is given: the column '{table.sheet.header[table.columns['label']]}' is not read")
    if len(table.lines) < len(table.sheet.lines):
        notes.append(f"--only: {len(table.lines)} of {len(table.sheet.lines)} lines are read")
    for what in ("study",) if table.patient else ("patient", "study"):
        unknown = sum(not table.cell(line, what) for line in table.lines)
        if unknown:
            notes.append(f"the {what} of {unknown} lines is unknown: each image counts as a {what} of its own")
    if found.repeated:
        notes.append(f"{found.repeated} lines repeat an image, with the same values")
    return notes
