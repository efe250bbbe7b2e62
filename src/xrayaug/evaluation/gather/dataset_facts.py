"""Read the facts about a prepared dataset: from its manifest, from its index, and from the list of what it left out."""

import csv
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from xrayaug.data.dataset import LABELS, SPLITS, Row, open_dataset
from xrayaug.errors import ArtifactError
from xrayaug.evaluation.gather import origins
from xrayaug.evaluation.paper.facts import (
    ACQUISITION,
    DEMOGRAPHIC,
    Characteristic,
    Counts,
    DatasetFacts,
    LabelWord,
    NumberSummary,
    SplitFacts,
)
from xrayaug.storage import csvfile
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.manifests import Manifest

MAX_VALUES = 12  # of a column whose values are counted; a column of more numbers is summarised
SKIPPED_FILE = "skipped.csv"
COLUMN_WORDS = {  # words in the name of a column that say what it is
    DEMOGRAPHIC: {
        "age", "boneage", "sex", "gender", "male", "female", "race", "ethnicity", "ethnic", "bmi", "height", "weight",
    },
    ACQUISITION: {
        "view", "laterality", "body", "manufacturer", "model", "scanner", "kvp", "spacing", "intent", "site",
        "hospital", "institution", "center", "centre", "modality", "projection", "device",
    },
}  # fmt: skip

T = TypeVar("T", int, float, str, dict[str, Any], list[Any])


def read_value(manifest: Manifest, kind: type[T], *names: str) -> T | None:
    """Return a value of a manifest under nested keys; None if it is absent or of another type."""
    try:
        return Artifact(Path(), manifest).get(kind, *names)
    except ArtifactError:
        return None


def count_values(manifest: Manifest, *names: str) -> dict[str, int]:
    """Return the whole numbers in an object of a manifest, by name."""
    found = read_value(manifest, dict, *names) or {}
    return {name: value for name, value in found.items() if isinstance(value, int) and not isinstance(value, bool)}


def read_dataset(path: Path, shown: str, roles: Sequence[str]) -> DatasetFacts:
    """Read the facts about a dataset that `prepare` made.

    Args:
        path: its directory.
        shown: the path to show.
        roles: what it is used for.

    Raises:
        ArtifactError: it is damaged.
    """
    data = open_dataset(path)
    manifest = data.artifact.manifest
    raw = origins.read_input(data.artifact, "input")
    settings = {name: value for name, value in manifest["options"].items() if value is None or is_single(value)}
    known = {name for name in {name for row in data.rows for name in row.extra} if not name.startswith("list_")}
    characteristics = [
        _summarize(column, group, data.rows) for column in sorted(known) if (group := find_group(column)) is not None
    ]
    described = {each.column for each in characteristics}
    dicom = read_value(manifest, dict, "result", "dicom")
    return DatasetFacts(
        path=shown,
        roles=roles,
        source=str(manifest["options"].get("source", "unknown")),
        is_drawn=raw is not None and raw.manifest["stage"] == "phantom",
        options=settings,
        images=len(data.rows),
        patients=_count_patients(data.rows),
        patients_unknown=read_value(manifest, int, "result", "patients_unknown"),
        patients_in_two_splits=read_value(manifest, int, "result", "patients_in_two_splits"),
        size=read_value(manifest, int, "result", "size"),
        split_by=read_value(manifest, str, "result", "split_by"),
        splits=[_count_split(name, rows) for name in SPLITS if (rows := data.select(split=name))],
        skipped=_count_skipped(data.artifact),
        labels=[
            LabelWord(str(each.get("word")), int(each.get("count", 0)), str(each.get("label")))
            for each in read_value(manifest, list, "result", "labels") or []
            if isinstance(each, dict)
        ],
        duplicates=count_values(manifest, "result", "duplicates"),
        near_copies=count_values(manifest, "result", "near_copies"),
        dicom=None if dicom is None else {name: value for name, value in dicom.items() if is_single(value)},
        windows=count_values(manifest, "result", "dicom", "windows"),
        cautions=origins.find_cautions(data.artifact),
        characteristics=characteristics,
        other_columns=sorted(known - described),
    )


def is_single(value: object) -> bool:
    """Return whether a value of a manifest is a text, a number or a truth value."""
    return isinstance(value, str | int | float)


def find_group(column: str) -> str | None:
    """Return what a column of the index describes by its name, `PatientAge` or `Patient Age`; None if it is unknown."""
    words = {word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column)}
    return next((group for group, known in COLUMN_WORDS.items() if words & known), None)


def hide_names(reason: str) -> str:
    """Return a reason for leaving out a file without what may name a patient: quoted words, paths, numbers, details."""
    hidden = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", reason.partition(": ")[0])
    words = ["..." if "/" in word or re.search(r"\d|\.\w", word) else word for word in hidden.split()]
    return " ".join(words)


def _count_split(name: str, rows: Sequence[Row]) -> SplitFacts:
    labels = Counter(row.label for row in rows)
    return SplitFacts(name, labels[LABELS[0]], labels[LABELS[1]], _count_patients(rows))


def _count_patients(rows: Sequence[Row]) -> int | None:
    """Count patients; None if one is unknown."""
    return None if any(not row.patient for row in rows) else len({row.patient for row in rows})


def _count_skipped(artifact: Artifact) -> Counts:
    """Count the files that were left out by the reason, the most frequent first; without names that a reason quotes."""
    if SKIPPED_FILE not in artifact.manifest["files"]:
        return {}
    with artifact.file(SKIPPED_FILE).open(encoding="utf-8", newline="") as text:
        reasons = Counter(hide_names(csvfile.unescape_formula(line["reason"])) for line in csv.DictReader(text))
    return dict(reasons.most_common())


def _summarize(column: str, group: str, rows: Sequence[Row]) -> Characteristic:
    """Summarise a column by split.

    What describes patients is counted by patient, each by the first of their images that has a value; if a patient is
    unknown, and for what describes the acquisition, which differs between images of a patient, images are counted.
    """
    by_patient = group == DEMOGRAPHIC and _count_patients(rows) is not None
    cases = _choose_images(rows, column) if by_patient else rows
    values = {name: [row.extra.get(column, "").strip() for row in cases if row.split == name] for name in SPLITS}
    present = {name: [value for value in cells if value] for name, cells in values.items() if cells}
    distinct = {value for cells in present.values() for value in cells}
    numbers = len(distinct) > MAX_VALUES and all(_is_number(value) for value in distinct)
    too_many = len(distinct) > MAX_VALUES and not numbers
    return Characteristic(
        column,
        group,
        "patients" if by_patient else "images",
        numbers={name: _summarize_numbers(cells) for name, cells in present.items() if cells} if numbers else {},
        counts={name: _count_sorted(cells) for name, cells in present.items() if not (cells and (numbers or too_many))},
        missing={name: len(values[name]) - len(cells) for name, cells in present.items()},
    )


def _choose_images(rows: Sequence[Row], column: str) -> list[Row]:
    """Return an image of each patient in each split: the first that has a value in the column, or else the first."""
    chosen: dict[tuple[str, str], Row] = {}
    for row in rows:
        known = chosen.setdefault((row.split, row.patient), row)
        if row.extra.get(column, "").strip() and not known.extra.get(column, "").strip():
            chosen[row.split, row.patient] = row
    return list(chosen.values())


def _count_sorted(cells: Sequence[str]) -> Counts:
    return dict(sorted(Counter(cells).items()))


def _summarize_numbers(cells: Sequence[str]) -> NumberSummary:
    numbers = [float(cell) for cell in cells]
    spread = statistics.stdev(numbers) if len(numbers) > 1 else None
    return NumberSummary(len(numbers), statistics.fmean(numbers), spread, min(numbers), max(numbers))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,9})?", text) is not None
