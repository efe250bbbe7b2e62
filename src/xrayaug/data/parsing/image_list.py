"""An opened list (CSV table) of images: its columns, the lines to read, and the meaning of their cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xrayaug.data.parsing import columns, identifiers, label_options, labels, patients, split_names
from xrayaug.data.parsing.labels import LabelRules, WordCount
from xrayaug.data.parsing.line_selection import select_lines
from xrayaug.data.parsing.split_names import SPLIT_NAMES
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Prepare
from xrayaug.storage.csvfile import Line, Sheet


@dataclass(frozen=True)
class ImageList:
    """A sheet with the indices of its columns and what the options add.

    `notes`, `warnings` and `foreign_paths` are filled further while the list is read.
    """

    sheet: Sheet
    lines: list[Line]  # lines of the sheet that are read
    root: Path
    columns: Mapping[str, int | None]  # role (image, label, ...) -> index; None where there is no such column
    kept_columns: Mapping[str, int]  # further column of the dataset's index -> its index in the sheet
    label: str | None  # label of all images, given by --label instead of a column
    rules: LabelRules
    words: list[WordCount]  # words of the label column
    readings: Mapping[str, labels.LabelReading]  # cell of the label column -> its meaning
    find_patient: Callable[[str], str] | None  # returns the patient in an image's path (--patient-pattern)
    patient_ids: Mapping[str, str]  # cell of the patient column -> identifier
    study_ids: Mapping[str, str]  # cell of the study column -> identifier
    notes: list[str]
    warnings: list[str]
    foreign_paths: list[str] = field(default_factory=list)  # absolute paths of another computer

    def describe_line(self, line: Line) -> str:
        """Return file and number of a line, for error messages."""
        return f"{self.sheet.path} line {line.number}"

    def cell(self, line: Line, role: str) -> str:
        """Return the line's cell in the column of that role; empty where there is no such column."""
        return line.cell(self.columns[role])


def open_list(sheet: Sheet, options: Prepare) -> ImageList:
    """Return a sheet as a list of images, with columns, lines and labels as the options say.

    Raises:
        UsageError: options contradict each other.
        DataError: a column is missing, or a label, identifier or condition is not understood.
    """
    check_label_options(options)
    if options.patient_pattern and options.patient_column:
        raise UsageError("--patient-pattern and --patient-column are both given", "leave out one")
    indices = {role: columns.find(sheet, role, _column_option(options, role)) for role in columns.USUAL_NAMES}
    if indices["image"] is None:
        raise columns.missing(sheet, "of images", "image")
    check_label_column(sheet, indices["label"], options)
    lines = select_lines(sheet, options.only or ())
    read_roles = [role for role in indices if not (role == "label" and options.label)]
    if options.patient_pattern:
        read_roles.remove("patient")
    sheet.check_cells(lines, [indices[role] for role in read_roles])
    rules = label_rules(sheet, lines, indices["label"], options)
    words = [] if options.label else count_words(sheet, lines, indices["label"], rules)
    patient_ids, patient_notes = _unify_identifiers(
        sheet, lines, None if options.patient_pattern else indices["patient"]
    )
    study_ids, study_notes = _unify_identifiers(sheet, lines, indices["study"])
    return ImageList(
        sheet=sheet,
        lines=lines,
        root=options.input if options.input.is_dir() else options.input.parent,
        columns=indices,
        kept_columns=columns.select_kept(sheet, options.keep_columns, indices["image"]),
        label=options.label,
        rules=rules,
        words=words,
        readings={count.word: count.reading for count in words},
        find_patient=patients.patient_finder(options),
        patient_ids=patient_ids,
        study_ids=study_ids,
        notes=[*sheet.notes, *patient_notes, *study_notes],
        warnings=_unused_column_warnings(sheet, indices, options),
    )


def check_label_options(options: Prepare) -> None:
    """Check that labels come from a column or from `--label`.

    Raises:
        UsageError: both are given.
    """
    if options.label and options.label_column:
        raise UsageError("--label and --label-column are both given", "leave out one")


def check_label_column(sheet: Sheet, index: int | None, options: Prepare) -> None:
    """Check that a list has a column of labels unless `--label` gives them.

    Raises:
        DataError: it has none.
    """
    if index is None and not options.label:
        raise columns.missing(sheet, "of labels", "label")


def parse_split(sheet: Sheet, line: Line, index: int | None) -> str:
    """Return the split in a column of a line; empty where it names none.

    Raises:
        DataError: the cell holds something else.
    """
    word = line.cell(index)
    if labels.is_missing(word):
        return ""
    split = split_names.parse_split(word)
    if split is None:
        raise DataError(
            f"{sheet.path} line {line.number}: '{word}' is no split",
            f"splits are {', '.join(SPLIT_NAMES)} or empty; --split-column names the column, or is {columns.NONE}",
        )
    return split


def _column_option(options: Prepare, role: str) -> str | None:
    return getattr(options, f"{role}_column")  # type: ignore[no-any-return] # a text option


def _unify_identifiers(sheet: Sheet, lines: list[Line], index: int | None) -> tuple[Mapping[str, str], list[str]]:
    """Return the identifier of each cell of a column, and notes; nothing where there is no such column."""
    if index is None:
        return {}, []
    return identifiers.unify((line.cell(index) for line in lines), sheet.header[index])


def label_rules(sheet: Sheet, lines: list[Line], index: int | None, options: Prepare) -> LabelRules:
    """Return the rules by which words of the label column become labels.

    Raises:
        DataError: the column's name leaves open what "yes" means, or contradicts the options.
    """
    if options.label or index is None:
        return labels.DEFAULT_RULES
    title = sheet.header[index]
    words = {line.cell(index) for line in lines}
    answers = {form for word in words if (form := labels.canonical(word)) in labels.ANSWERS}
    inverted = labels.yes_means_normal(title) if answers else False
    rules = label_options.rules_from_options(options, words, inverted=bool(inverted))
    named = rules.normal | rules.abnormal
    if inverted is None and not answers & named:
        raise DataError(
            f"{sheet.path}: the name of column '{title}' does not say which of {', '.join(sorted(answers))} is normal",
            "name them with --normal-class and --abnormal-class",
        )
    contradicted = [form for form in sorted(answers & named) if inverted and rules.read(form) == _read_answer(form)]
    if contradicted:
        raise DataError(
            f"{sheet.path}: yes in column '{title}' means normal, and the options say the opposite of "
            f"'{contradicted[0]}'",
            "leave out --normal-class and --abnormal-class, or rename the column",
        )
    return rules


def _read_answer(form: str) -> labels.LabelReading:
    """Return the meaning of a yes or no in a column that says which images are abnormal."""
    return labels.DEFAULT_RULES.read(form)


def count_words(sheet: Sheet, lines: list[Line], index: int | None, rules: LabelRules) -> list[WordCount]:
    """Return the words of the label column with their counts and meanings.

    Raises:
        DataError: a word is not understood; the message names the first line that has it.
    """
    first_lines: dict[str, Line] = {}
    for line in lines:
        first_lines.setdefault(line.cell(index), line)
    for word, line in first_lines.items():
        try:
            rules.read(word)
        except DataError as problem:
            raise DataError(f"{sheet.path} line {line.number}: {problem.message}", problem.hint) from None
    return labels.count_words((line.cell(index) for line in lines), rules)


def _unused_column_warnings(sheet: Sheet, indices: Mapping[str, int | None], options: Prepare) -> list[str]:
    """Return one warning for each unused column that looks like a label, patient, study or split."""
    decided = [role for role in columns.USUAL_NAMES if _column_option(options, role)]
    decided += ["patient"] * (options.patient_pattern is not None) + ["label"] * (options.label is not None)
    return [_unused_column_warning(title, role) for title, role in columns.unused(sheet, indices, decided)]


def _unused_column_warning(title: str, role: str) -> str:
    if role == "label":
        return f"column '{title}' may be a label too, and is not used: --label-column chooses one"
    flag = f"--{role}-column"
    return f"column '{title}' looks like a {role}, and is not used: {flag} '{title}' or {flag} {columns.NONE} decides"
