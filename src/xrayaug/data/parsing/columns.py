"""Columns of lists of images: their roles (image, label, patient, ...) by usual names, and further columns to keep."""

from collections.abc import Mapping, Sequence

from xrayaug.data.parsing.labels import CAPITALS, WORD, is_missing
from xrayaug.errors import DataError
from xrayaug.storage.csvfile import Line, Sheet, normalize_title

NONE = "none"  # as the name of a column: use no column for that role

USUAL_NAMES = {
    "image": ("image", "file", "filename", "path", "image_path", "img", "image index", "image id", "image file",
              "image name", "file path", "img path", "img name"),
    "label": ("label", "class", "target", "abnormal", "diagnosis", "labels", "finding", "findings", "finding labels",
              "abnormality", "category"),
    "patient": ("patient_id", "subject_id", "patient", "subject", "patient no", "patient nr", "patient number",
                "patient key", "patient uid", "subject no", "subject nr", "subject number", "participant",
                "participant_id", "person_id", "mrn", "medical record number", "empi_anon", "anon patient id", "pid",
                "ptid", "pat_id", "uhid", "hospital number", "hospital no", "subj", "subj_id", "paciente", "paziente",
                "patienten id", "patientennummer", "pacjent", "患者ID", "患者", "病历号", "病人", "hasta no", "case_id",
                "case no", "case number", "case"),
    "study": ("study", "study_id", "study instance uid", "study uid", "accession number", "accession", "exam id"),
    "split": ("split", "set", "subset", "data split", "dataset split"),
}  # fmt: skip
# Parts of titles of columns that may name patients or studies, and words in titles of columns of splits.
LOOKS_LIKE = {"patient": ("patient", "subject", "participant", "mrn", "medicalrecord"), "study": ("study", "accession")}
SPLIT_WORDS = frozenset({"split", "splits", "fold", "folds", "partition", "subset", "train", "test"})
# Words in titles of columns that describe a patient or a study, but do not identify it.
ATTRIBUTES = frozenset(
    {"age", "sex", "gender", "weight", "height", "size", "position", "orientation", "race", "ethnicity", "birth",
     "birthdate", "birthday", "dob", "date", "time", "year", "month", "country", "zip", "insurance", "smoker",
     "history", "count", "desc", "description", "comment", "comments", "species", "type", "status", "diagnosis",
     "label", "bmi", "followup", "modality", "view"}
)  # fmt: skip
REQUIRED = ("image", "label")
MIN_VALUES = 5  # distinct values of a column that may name patients


def find(sheet: Sheet, role: str, named: str | None) -> int | None:
    """Return the index of a column, by the given name or by a usual one; None if there is none or `none` is given.

    Raises:
        DataError: there is no column of the given name, or several have it.
    """
    if named is not None and named.strip().casefold() == NONE and role not in REQUIRED:
        return None
    index = sheet.column([named] if named else USUAL_NAMES[role])
    if named and index is None:
        raise missing(sheet, f"'{named}'", role)
    return index


def missing(sheet: Sheet, wanted: str, role: str) -> DataError:
    """Return the error of a missing column, which names those that the list has."""
    hint = f"name one with --{role}-column" + ("; or give every image one --label" if role == "label" else "")
    return DataError(f"{sheet.path} has no column {wanted}; there are {', '.join(sheet.header)}", hint)


def is_there(header: Sequence[str], role: str, named: str | None) -> bool:
    """Return whether a header has a column of the given name, or else of a usual name for its role."""
    names = [named] if named else USUAL_NAMES[role]
    return not {normalize_title(title) for title in header}.isdisjoint(map(normalize_title, names))


def unused(sheet: Sheet, used: Mapping[str, int | None], declined: Sequence[str]) -> list[tuple[str, str]]:
    """Return the unused columns, with roles, that look like patients, studies or splits, or have a usual label name.

    Args:
        sheet: the list.
        used: role -> index of its column.
        declined: roles for which the user chose a column or `none`.
    """
    unused_columns = []
    for index, title in enumerate(sheet.header):
        role = "" if index in used.values() else _looks_like(title)
        if role and role not in declined:
            unused_columns.append((title, role))
    return unused_columns


def _looks_like(title: str) -> str:
    key = normalize_title(title)
    for role, names in USUAL_NAMES.items():
        if role != "image" and key in map(normalize_title, names):
            return role
    words = [word.casefold() for word in WORD.findall(CAPITALS.sub(" ", title))]
    if not SPLIT_WORDS.isdisjoint(words):
        return "split"
    for role, parts in LOOKS_LIKE.items():
        part = next((part for part in parts if part in key), None)
        if part:
            return "" if not ATTRIBUTES.isdisjoint([*words, key.replace(part, "")]) else role
    return ""


def find_identifier_like(sheet: Sheet, lines: Sequence[Line], used: Mapping[str, int | None]) -> list[str]:
    """Return unused columns whose numbers of distinct and repeated values are typical of patients."""
    found = []
    for index, title in enumerate(sheet.header):
        words = {word.casefold() for word in WORD.findall(CAPITALS.sub(" ", title))}
        if index in used.values() or _looks_like(title) or not ATTRIBUTES.isdisjoint(words):
            continue
        cells = [line.cell(index) for line in lines]
        known = [cell for cell in cells if not is_missing(cell)]
        if MIN_VALUES <= len(set(known)) <= len(known) / 1.2 and len(known) <= 20 * len(set(known)):
            found.append(title)
    return found


def select_kept(sheet: Sheet, wanted: Sequence[str] | None, image: int) -> dict[str, int]:
    """Return the columns to keep and their indices; a second column of the same name becomes `NAME_2`.

    Args:
        sheet: the list.
        wanted: their names; None keeps all but the paths of images, `none` alone keeps none.
        image: index of the column of image paths.

    Raises:
        DataError: there is no column of a wanted name.
    """
    if wanted is not None and [name.casefold() for name in wanted] == [NONE]:
        return {}
    others = [index for index in range(len(sheet.header)) if index != image]
    indices = others if wanted is None else [_find_index(sheet, name) for name in wanted]
    kept: dict[str, int] = {}
    for index in indices:
        title = sheet.header[index] or f"column_{index + 1}"
        number = 1 + sum(name == title or name.startswith(f"{title}_") for name in kept) if title in kept else 1
        kept[title if number == 1 else f"{title}_{number}"] = index
    return kept


def _find_index(sheet: Sheet, name: str) -> int:
    index = sheet.column([name])
    if index is None:
        raise DataError(
            f"{sheet.path} has no column '{name}'; there are {', '.join(sheet.header)}", "check --keep-columns"
        )
    return index
