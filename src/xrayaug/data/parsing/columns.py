"""Columns of other people's lists: which one tells what, by the names in use; and those that are kept as they are."""

from collections.abc import Mapping, Sequence

from xrayaug.data.parsing.labels import CAPITALS, WORD, is_missing
from xrayaug.errors import DataError
from xrayaug.storage.csvfile import Line, Sheet, title_key

NONE = "none"  # given as a column's name: there is none, whatever the names say

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
# What a title holds that looks as if its column told a patient or a study; and words of one that tells a split.
LOOKS_LIKE = {"patient": ("patient", "subject", "participant", "mrn", "medicalrecord"), "study": ("study", "accession")}
SPLIT_WORDS = frozenset({"split", "splits", "fold", "folds", "partition", "subset", "train", "test"})
# Words of titles that tell something about a patient or a study, and not which one it is.
ATTRIBUTES = frozenset(
    {"age", "sex", "gender", "weight", "height", "size", "position", "orientation", "race", "ethnicity", "birth",
     "birthdate", "birthday", "dob", "date", "time", "year", "month", "country", "zip", "insurance", "smoker",
     "history", "count", "desc", "description", "comment", "comments", "species", "type", "status", "diagnosis",
     "label", "bmi", "followup", "modality", "view"}
)  # fmt: skip
REQUIRED = ("image", "label")
FEWEST_VALUES = 5  # different ones, of a column that may name patients


def find(sheet: Sheet, what: str, named: str | None) -> int | None:
    """Return where a column stands, by its given name or by a usual one; None if there is none, or `none` is given.

    Raises:
        DataError: there is no column of the given name, or several have it.
    """
    if named is not None and named.strip().casefold() == NONE and what not in REQUIRED:
        return None
    place = sheet.column([named] if named else USUAL_NAMES[what])
    if named and place is None:
        raise missing(sheet, f"'{named}'", what)
    return place


def missing(sheet: Sheet, wanted: str, what: str) -> DataError:
    """Return the error of a column that is not there, which names those that are."""
    hint = f"name one with --{what}-column" + ("; or give every image one --label" if what == "label" else "")
    return DataError(f"{sheet.path} has no column {wanted}; there are {', '.join(sheet.header)}", hint)


def is_there(header: Sequence[str], what: str, named: str | None) -> bool:
    """Return whether a header has the column of that name, or one of a usual name."""
    names = [named] if named else USUAL_NAMES[what]
    return not {title_key(title) for title in header}.isdisjoint(map(title_key, names))


def unused(sheet: Sheet, used: Mapping[str, int | None], declined: Sequence[str]) -> list[tuple[str, str]]:
    """Return the unused columns that look like a patient, a study or a split, or bear a usual name of a label.

    Args:
        sheet: the list.
        used: what is told -> where the column stands.
        declined: what the user chose a column for, or said that there is none.
    """
    found = []
    for place, title in enumerate(sheet.header):
        what = "" if place in used.values() else _looks_like(title)
        if what and what not in declined:
            found.append((title, what))
    return found


def _looks_like(title: str) -> str:
    key = title_key(title)
    for what, names in USUAL_NAMES.items():
        if what != "image" and key in map(title_key, names):
            return what
    words = [word.casefold() for word in WORD.findall(CAPITALS.sub(" ", title))]
    if not SPLIT_WORDS.isdisjoint(words):
        return "split"
    for what, parts in LOOKS_LIKE.items():
        part = next((part for part in parts if part in key), None)
        if part:
            return "" if not ATTRIBUTES.isdisjoint([*words, key.replace(part, "")]) else what
    return ""


def like_identifiers(sheet: Sheet, lines: Sequence[Line], used: Mapping[str, int | None]) -> list[str]:
    """Return unused columns that hold as many different values as patients might: most occur several times."""
    found = []
    for place, title in enumerate(sheet.header):
        words = {word.casefold() for word in WORD.findall(CAPITALS.sub(" ", title))}
        if place in used.values() or _looks_like(title) or not ATTRIBUTES.isdisjoint(words):
            continue
        cells = [line.cell(place) for line in lines]
        known = [cell for cell in cells if not is_missing(cell)]
        if FEWEST_VALUES <= len(set(known)) <= len(known) / 1.2 and len(known) <= 20 * len(set(known)):
            found.append(title)
    return found


def kept_names(sheet: Sheet, wanted: Sequence[str] | None, image: int) -> dict[str, int]:
    """Return the columns that are kept, each with its place in a line; a second one of a name becomes `NAME_2`.

    Args:
        sheet: the list.
        wanted: their names; None keeps all but the paths of images, `none` alone keeps none.
        image: where paths of images stand.

    Raises:
        DataError: there is no column of a wanted name.
    """
    if wanted is not None and [name.casefold() for name in wanted] == [NONE]:
        return {}
    others = [place for place in range(len(sheet.header)) if place != image]
    places = others if wanted is None else [_place(sheet, name) for name in wanted]
    kept: dict[str, int] = {}
    for place in places:
        title = sheet.header[place] or f"column_{place + 1}"
        number = 1 + sum(name == title or name.startswith(f"{title}_") for name in kept) if title in kept else 1
        kept[title if number == 1 else f"{title}_{number}"] = place
    return kept


def _place(sheet: Sheet, name: str) -> int:
    place = sheet.column([name])
    if place is None:
        raise DataError(
            f"{sheet.path} has no column '{name}'; there are {', '.join(sheet.header)}", "check --keep-columns"
        )
    return place
