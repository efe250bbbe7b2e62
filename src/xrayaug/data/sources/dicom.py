"""A tree of DICOM files in any order, as archives export studies, with a list of labels, or with one `--label` for all.

Files are found by their content, whatever their names. The list is a CSV file with a column of labels and a column of
SOPInstanceUID (an image), StudyInstanceUID, AccessionNumber (both a study) or PatientID, by which its lines are joined
to the headers of the files.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from xrayaug.data import dicom_listing, sources
from xrayaug.data.images.dicom import reading
from xrayaug.data.images.dicom.headers import Header
from xrayaug.data.parsing import (
    columns,
    directories,
    identifiers,
    image_files,
    image_list,
    label_options,
    line_selection,
    list_files,
    skip_reasons,
)
from xrayaug.data.parsing.labels import LabelReading, LabelRules, WordCount
from xrayaug.data.sources import Listing, Record
from xrayaug.errors import DataError, InputError
from xrayaug.options import Prepare
from xrayaug.storage import csvfile
from xrayaug.storage.csvfile import Cells, Line, Sheet

SEARCHED_FILES = 100  # of a tree, for a DICOM file
NOT_LISTED, NO_HEADER = "the list does not name it", "damaged: its DICOM header cannot be read"


@dataclass(frozen=True)
class _Key:
    """An identifier of the header by which lines are joined to files."""

    name: str
    titles: tuple[str, ...]  # of a list's column
    field: str  # of `Header`


KEYS = (  # from the most specific on
    _Key("SOPInstanceUID", ("SOPInstanceUID", "SOP UID", "instance UID", "image UID", "image id"), "image"),
    _Key("StudyInstanceUID", ("StudyInstanceUID", "study UID", "study id", "study"), "study"),
    _Key("AccessionNumber", ("AccessionNumber", "accession", "accession no", "accession nr"), "accession"),
    _Key("PatientID", ("PatientID", "patient", "MRN", "subject id", "subject"), "patient_id"),
)


@dataclass(frozen=True)
class _LabelList:
    """A list of labels, and how its lines are joined to files."""

    sheet: Sheet
    lines: list[Line]
    key: _Key
    by_key: Mapping[str, Line]
    label: int | None  # index of the column of labels; None where `--label` gives them
    split: int | None
    rules: LabelRules
    words: list[WordCount]
    kept: Mapping[str, int]


def detect(path: Path) -> bool:
    """Return whether `path` is a directory with DICOM files, that is no set of classes or a list of files."""
    if not path.is_dir():
        return False
    if not any(reading.is_dicom(path / file) for file in islice(directories.walk(path), SEARCHED_FILES)):
        return False
    others = any(sources.load(name).detect(path) for name in ("mura", "rsna", "table", "folder"))
    return not others and not sources.find_public_sets(path)


def read(options: Prepare) -> Listing:
    """Return the DICOM files with the labels of the list.

    Raises:
        UsageError: options contradict each other.
        InputError: there is no DICOM file or list, or pydicom is not installed.
        DataError: a column, label or split is not valid, lines contradict each other, or none fits a file.
    """
    directories.check_directory(options.input)
    root = options.input
    if not reading.is_installed():
        raise InputError("--source dicom needs pydicom", reading.INSTALL)
    image_list.check_label_options(options)
    walked = list(directories.walk(root))
    files = [file for file in walked if reading.is_dicom(root / file)]
    if not files:
        raise InputError(f"{root} holds no DICOM file among {len(walked):,} files", "point --input at the studies")
    headers = dict(zip(files, dicom_listing.read_files(root, files, options.workers), strict=True))
    table = _find_list(options)
    if table is None:
        return _label_all(options, headers)
    return _join(options, headers, _open_list(csvfile.read_sheet(table, options.encoding), headers, options))


def _find_list(options: Prepare) -> Path | None:
    """Return the list of labels: `--table`, or the only one directly in `--input`; None if `--label` replaces it.

    Raises:
        InputError: there is none, and no `--label`.
        DataError: there are several.
    """
    if options.table is not None:
        return list_files.find_named_list(options.table, options.input)
    if options.label:
        return None
    found = [file for file in list_files.csv_files(options.input) if _is_list(csvfile.read_header(file), options)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{options.input} holds {len(found)} lists of labels: {names}", "choose one with --table")
    if not found:
        raise InputError(
            f"{options.input} holds no CSV file with a column of labels and one of {_key_names()}",
            "name the list with --table, its columns with --label-column and --image-column; or give all one --label",
        )
    return found[0]


def _is_list(header: tuple[str, ...], options: Prepare) -> bool:
    titles = {csvfile.normalize_title(title) for title in header}
    named = (options.image_column,) if options.image_column else tuple(title for key in KEYS for title in key.titles)
    has_key = not titles.isdisjoint(map(csvfile.normalize_title, named))
    return has_key and columns.is_there(header, "label", options.label_column)


def _key_names() -> str:
    return ", ".join(key.name for key in KEYS[:-1]) + f" or {KEYS[-1].name}"


def _label_all(options: Prepare, headers: Mapping[str, Header | None]) -> Listing:
    """Return all files with the label of `--label`."""
    assert options.label is not None
    records = [_make_record(file, options.label) for file in headers]
    reading_of_all = LabelReading(options.label)
    return Listing(options.input, records, words=[WordCount("", len(records), reading_of_all)], headers=headers)


def _open_list(sheet: Sheet, headers: Mapping[str, Header | None], options: Prepare) -> _LabelList:
    """Return the list with the column by which it is joined, and the lines by its values.

    Raises:
        DataError: no column fits, or two lines of one value contradict each other.
    """
    label = None if options.label else columns.find(sheet, "label", options.label_column)
    image_list.check_label_column(sheet, label, options)
    split = columns.find(sheet, "split", options.split_column)
    lines = line_selection.select_lines(sheet, options.only or ())
    key, place = _choose_key(sheet, lines, headers, options)
    sheet.check_cells(lines, [place, label, split])
    rules = image_list.label_rules(sheet, lines, label, options)
    by_key: dict[str, Line] = {}
    for line in lines:
        value = identifiers.canonical(line.cell(place))
        before = by_key.setdefault(value, line)
        if value and any(before.cell(column) != line.cell(column) for column in (label, split) if column is not None):
            raise DataError(
                f"{sheet.path} line {line.number} contradicts line {before.number}: both have one {key.name}",
                "write one line each, or join the labels by SOPInstanceUID",
            )
    by_key.pop("", None)
    words = [] if label is None else image_list.count_words(sheet, lines, label, rules)
    kept = columns.select_kept(sheet, options.keep_columns, place)
    return _LabelList(sheet, lines, key, by_key, label, split, rules, words, kept)


def _choose_key(
    sheet: Sheet, lines: list[Line], headers: Mapping[str, Header | None], options: Prepare
) -> tuple[_Key, int]:
    """Return the most specific identifier that a column of the list shares with headers, and the column's index.

    Raises:
        DataError: no column has an identifier that is in a header.
    """
    tried = []
    for key in KEYS:
        place = sheet.column([options.image_column] if options.image_column else key.titles)
        if place is None:
            continue
        tried.append(sheet.header[place])
        in_headers = {_identifier(header, key) for header in headers.values() if header} - {""}
        listed = {identifiers.canonical(line.cell(place)) for line in lines} - {""}
        if not listed.isdisjoint(in_headers):
            _check_key(sheet, place, listed, in_headers)
            return key, place
    if not tried:
        raise DataError(
            f"{sheet.path} has no column of {_key_names()}; there are {', '.join(sheet.header)}",
            "name it with --image-column",
        )
    raise DataError(
        f"{sheet.path}: no value of column {' or '.join(dict.fromkeys(tried))} is in the header of a file",
        "were the files anonymised after the list was made? Look for lost leading zeros, too",
    )


def _check_key(sheet: Sheet, place: int, listed: set[str], in_headers: set[str]) -> None:
    """Check that a spreadsheet did not change identifiers so that they fit another file.

    Raises:
        DataError: digits were lost, or an identifier fits two files but for leading zeros, which may have been lost.
    """
    identifiers.check_digits(sorted(listed), sheet.header[place])
    others = {identifiers.LEADING_ZEROS.sub("", each) for each in in_headers - listed}
    unclear = [each for each in listed & in_headers if identifiers.LEADING_ZEROS.sub("", each) in others]
    if unclear:
        raise DataError(
            f"{sheet.path}: {len(unclear):,} values of column {sheet.header[place]} fit two headers but for leading "
            "zeros, which spreadsheets drop",
            "export the list again with that column as text, and name both",
        )


def _check_patients(headers: Collection[Header], listed: _LabelList) -> None:
    """Check that no line gives one label to several patients; hospitals may give them one number.

    Raises:
        DataError: one does.
    """
    unified = dicom_listing.unify_patients(headers)
    patients: defaultdict[str, set[str]] = defaultdict(set)
    for header in headers:
        patients[_identifier(header, listed.key)] |= {unified[header.patient]} - {""}
    several = [value for value in listed.by_key if len(patients.get(value, ())) > 1]
    if several:
        raise DataError(
            f"{listed.sheet.path}: {len(several):,} lines fit headers of several patients with one {listed.key.name}, "
            f"the first is line {listed.by_key[several[0]].number}",
            "join the labels by SOPInstanceUID"
            if listed.key is not KEYS[0]
            else "the files were renamed wrongly: take the wrong ones out",
        )


def _identifier(header: Header, key: _Key) -> str:
    return identifiers.canonical(str(getattr(header, key.field)))


def _join(options: Prepare, headers: Mapping[str, Header | None], listed: _LabelList) -> Listing:
    """Return the files that the list names, with their labels.

    Raises:
        DataError: a split is not one, or a line fits several patients.
    """
    _check_patients([header for header in headers.values() if header], listed)
    readings = {count.word: count.reading for count in listed.words}
    records, skipped = [], []
    used: defaultdict[str, int] = defaultdict(int)
    for file, header in headers.items():
        if header is None:
            skipped.append((file, NO_HEADER))
            continue
        value = _identifier(header, listed.key)
        line = listed.by_key.get(value)
        if line is not None:
            used[value] += 1
        if header.refusal or line is None:
            skipped.append((file, header.refusal or NOT_LISTED))
            continue
        found = LabelReading(options.label) if options.label else readings[line.cell(listed.label)]
        if found.label is None:
            skipped.append((file, found.reason))
            continue
        extra = Cells(listed.kept, line.cells)
        records.append(_make_record(file, found.label, image_list.parse_split(listed.sheet, line, listed.split), extra))
    missing = [line for value, line in listed.by_key.items() if value not in used]
    skipped += [
        (f"line {line.number}", f"{skip_reasons.MISSING}: no file has its {listed.key.name}") for line in missing
    ]
    if not records:
        raise DataError(
            f"{listed.sheet.path} gives no file a label: {skipped[0][1]}", "check --label-column and the words in it"
        )
    unnamed = sum(reason == NOT_LISTED for _, reason in skipped)
    refused = Counter(header.refusal for header in headers.values() if header and header.refusal)
    title = listed.sheet.header[listed.label] if listed.label is not None else ""
    return Listing(
        options.input,
        records,
        skipped,
        notes=[
            *listed.sheet.notes,
            f"labels are joined by {listed.key.name}: {len(used):,} of {len(listed.by_key):,} in the list have files",
        ],
        warnings=[
            *([f"the list does not name {unnamed:,} of {len(headers):,} files, which are left out"] if unnamed else []),
            *(f"{count:,} DICOM files are left out: {reason}" for reason, count in sorted(refused.items())),
            *label_options.label_warnings(listed.words, listed.rules),
        ],
        words=listed.words,
        columns={"label": title} if title else {},
        lists=[listed.sheet.path],
        headers=headers,
    )


def _make_record(file: str, label: str, split: str = "", extra: Mapping[str, str] | None = None) -> Record:
    own = image_files.strip_suffix(file)  # the header says more, which `dicom_listing.read_headers` adds
    return Record(file, label, own, own, split, extra or {}, patient_known=False)
