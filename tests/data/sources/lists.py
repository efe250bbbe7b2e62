"""Random lists of images with a truth that is known beforehand, written as people and their spreadsheets write them.

The truth is the generator's own: it never asks the package what a word means.
"""

import csv
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MISSING = ("", "NA", "N/A", "n/a", "nan", "NaN", "null", "None", "#N/A", "-", " ")
UNSURE = ("-1", "-1.0")
IMAGES = [f"img{number:02}.png" for number in range(16)]
FOLDERS = ("images", "b")
FINDINGS = ("Mass", "Nodule", "Hernia", "Edema")


@dataclass(frozen=True)
class Coding:
    """One form of a list's labels: the title of the column, words of either kind, and the expected messages."""

    title: str
    normal: tuple[str, ...]
    abnormal: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)


CODINGS = (
    Coding("label", ("0", "0.0"), ("1", "1.0")),
    Coding("Abnormal", ("0",), ("1",), {"label_column": "Abnormal"}),
    Coding("target", ("no", "No", "NO"), ("yes", "Yes")),
    Coding("fracture", ("False", "FALSE"), ("True", "true"), {"label_column": "fracture"}),
    Coding("diagnosis", ("negative", "Negative"), ("positive",)),
    Coding("class", ("normal", "Normal "), ("abnormal", "ABNORMAL")),
    Coding("class", ("Non_fractured", "not fractured"), ("fractured", "Fractured")),
    Coding("No Finding", ("1.0", "1"), ("0.0", "0"), {"label_column": "No Finding"}),
    Coding("is_healthy", ("yes",), ("no",), {"label_column": "is_healthy"}),
    Coding("Normal", ("True",), ("False",), {"label_column": "normal"}),
    Coding("grade", ("0", "1"), ("2", "3", "4"), {"label_column": "grade", "abnormal_class": "2,3,4"}),
    Coding("grade", ("0", "1"), ("2", "4"), {"label_column": "grade", "normal_class": "0,1"}),
    Coding("Finding Labels", ("No Finding", "no finding"), FINDINGS, {"normal_class": "No Finding"}),
    Coding("findings", ("clear", "Nodule"), ("Mass",), {"abnormal_class": "Mass"}),
)
SEVERAL: dict[str, Callable[[random.Random], tuple[list[str], str]]] = {
    # cells of several findings: what they name, and what that means, by the title of the column
    "Finding Labels": lambda r: (r.sample(FINDINGS, 2), "abnormal"),
    "findings": lambda r: r.choice([(["clear", "Nodule"], "normal"), (["Nodule", "Mass"], "abnormal")]),
}
PATIENT_TITLES = ("patient", "PatientID", "patientId", "Patient ID", "subject_id", "mrn", "case", "Case_ID", "SUBJECT")
EXTRA = {"view": ("AP", "PA", "a, b", 'say "no"', "1;2"), "Site": ("Zürich", "Köln", "x"), "n": ("-1", "2.5", "")}


@dataclass
class Case:
    """A list on disk, the options to read it with, and the expected result."""

    root: Path
    options: dict[str, Any]
    labels: dict[str, str]  # file -> label of the images that are read
    skipped: dict[str, str]  # file -> part of the reason
    patients: dict[str, str]  # file -> whose it is; missing where that is unknown
    columns: dict[str, dict[str, str]]  # file -> further columns
    refused: str = ""  # what the message must name, where the list cannot be trusted


def make(root: Path, seed: int) -> Case:
    """Write a list under `root`, where the images lie already."""
    r = random.Random(seed)
    coding = r.choice(CODINGS)
    options = dict(coding.options)
    if r.random() < 0.3:
        options["empty_label"] = r.choice(("normal", "abnormal"))
    unsure = r.choice((None, None, "skip", "normal", "abnormal"))
    if unsure:
        options["unsure_label"] = unsure
    files = [f"{r.choice(FOLDERS)}/{name}" for name in r.sample(IMAGES, r.randint(6, len(IMAGES)))]
    case = Case(root, options, {}, {}, {}, {})
    words = _label_words(files, coding, case, r)
    header, columns = ["file", coding.title], [_paths(files, r), words]
    if r.random() < 0.8:
        header.append(r.choice(PATIENT_TITLES))
        columns.append(_patients(files, case, r))
    for title in r.sample(sorted(EXTRA), r.randint(0, len(EXTRA))):
        header.append(title)
        columns.append([r.choice(EXTRA[title]) for _ in files])
        for file, value in zip(files, columns[-1], strict=True):
            case.columns.setdefault(file, {})[title] = value
    order = list(range(len(header)))
    r.shuffle(order)
    rows = [[columns[place][line] for place in order] for line in range(len(files))]
    _write(root / "list.csv", [[header[place] for place in order], *rows], r)
    return case


def _label_words(files: list[str], coding: Coding, case: Case, r: random.Random) -> list[str]:
    # At least one of every word that the options may name, and of both kinds: else they would name what is not there.
    certain = [*((word, "normal") for word in coding.normal), *((word, "abnormal") for word in coding.abnormal)]
    certain = certain[: len(files)] if len(certain) <= len(files) else r.sample(certain, len(files))
    words = []
    for place, file in enumerate(files):
        kind = "certain" if place < len(certain) else r.choice(("certain", "missing", "unsure", "several"))
        if kind == "missing":
            word, label, reason = r.choice(MISSING), case.options.get("empty_label"), "no label"
        elif kind == "unsure":
            decided = case.options.get("unsure_label")
            word, label, reason = r.choice(UNSURE), None if decided in (None, "skip") else decided, "uncertain"
        elif kind == "several" and coding.title in SEVERAL:
            parts, label = SEVERAL[coding.title](r)
            word, reason = r.choice(("|", ";", ", ")).join(parts), ""
        else:
            (word, label), reason = certain[place] if place < len(certain) else r.choice(certain), ""
        words.append(word)
        if label is None:
            case.skipped[file] = reason
        else:
            case.labels[file] = label
    return words


def _patients(files: list[str], case: Case, r: random.Random) -> list[str]:
    style = r.choice(("number", "number", "zeros", "text"))
    known = [
        {"number": str(n), "zeros": f"{n:05}", "text": f"P-{n}"}[style] for n in range(3, 3 + max(2, len(files) // 2))
    ]
    cells = []
    for file in files:
        if r.random() < 0.15:
            cells.append(r.choice(MISSING))
            continue
        whose = r.choice(known)
        case.patients[file] = whose
        cells.append(r.choice((whose, f" {whose}", f"{whose}.0" if style == "number" else whose)))
    fault = r.random()
    if fault < 0.1 and style != "text":  # what a spreadsheet destroys
        here, there = r.sample(range(len(files)), 2)
        cells[here], cells[there] = "07", "7"
        case.refused = "07"
    elif fault < 0.15:
        cells[r.randrange(len(files))] = "1.2E+11"
        case.refused = "1.2E+11"
    return cells


def _paths(files: list[str], r: random.Random) -> list[str]:
    style = r.choice(("as it is", "windows", "above", "without suffix", "capitals"))
    ways: dict[str, Callable[[str], str]] = {
        "as it is": lambda file: file,
        "windows": lambda file: file.replace("/", "\\"),
        "above": lambda file: f"set-v1/{file}",
        "without suffix": lambda file: file.removesuffix(".png"),
        "capitals": lambda file: file.replace(".png", ".PNG"),
    }
    return [ways[style](file) for file in files]


def _write(path: Path, rows: list[list[str]], r: random.Random) -> None:
    delimiter = r.choice((",", ";", "\t"))
    text = io.StringIO()
    if r.random() < 0.2:
        text.write(f"sep={delimiter}\r\n")
    csv.writer(text, delimiter=delimiter, lineterminator=r.choice(("\n", "\r\n"))).writerows(rows)
    data = text.getvalue().encode(r.choice(("utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252")))
    path.write_bytes(gzip.compress(data) if r.random() < 0.2 else data)
