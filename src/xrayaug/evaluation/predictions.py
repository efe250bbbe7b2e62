"""Predictions of runs on test and validation images, grouped into cases: single images, studies or patients."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import Row
from xrayaug.errors import DataError
from xrayaug.stats import bootstrap, classification
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.storage import csvfile

COLUMNS = ("run", "arm", "seed", "image", "row", "file", "patient", "study", "label", "probability")
MAX_GROUPS = 20  # values of the column that --by names
STUDY_COLUMNS = ("run", "arm", "seed", "study", "patient", "images", "label", "probability")


@dataclass(frozen=True)
class RunInfo:
    """Name, arm and seed of a run, and the class prior of its training."""

    name: str
    arm: ArmSettings | None  # None if how the run was trained is unknown
    arm_name: str
    seed: int
    share_normal: float | None  # of the training images; None if unknown
    pair: int | None = None  # runs of two arms with one number are a pair; None: those with one seed

    @property
    def pair_number(self) -> int:
        """Number of the run by which it is paired with a run of another arm."""
        return self.seed if self.pair is None else self.pair


@dataclass(frozen=True)
class RunPredictions:
    """The probabilities that a run gives the test and the validation images."""

    run: RunInfo
    test_rows: Sequence[Row]
    valid_rows: Sequence[Row]
    test: Probabilities
    valid: Probabilities
    temperature: float = 1.0  # divisor of the logits


@dataclass(frozen=True)
class Cases:
    """The images of a split grouped into cases: single images, studies or patients."""

    members: Labels  # [N], number of the case of each image
    labels: Labels  # [M], 1 is abnormal
    patients: Labels  # [M], number of the patient

    def probabilities(self, image_probabilities: Probabilities) -> Probabilities:
        """Average the probabilities of images `[N]` over the images of each case, `[M]`."""
        counts = np.bincount(self.members, minlength=len(self.labels))
        return np.bincount(self.members, image_probabilities, len(self.labels)) / counts

    def is_same(self, other: "Cases") -> bool:
        """Return whether the other cases are the same, of the same patients."""
        return np.array_equal(self.members, other.members) and np.array_equal(self.patients, other.patients)


def group_cases(rows: Sequence[Row], level: str) -> Cases:
    """Group images into cases. A case is abnormal if any of its images is; its patient is that of its first image."""
    case_names = {"image": [str(place) for place in range(len(rows))], "study": study_names(rows),
                   "patient": _patient_names(rows)}[level]  # fmt: skip
    members = bootstrap.encode_groups(case_names)
    count = int(members.max()) + 1 if len(members) else 0
    abnormal = np.bincount(members, [_is_abnormal(row) for row in rows], count)
    first_patients = dict(zip(reversed(members.tolist()), reversed(_patient_names(rows)), strict=True))
    return Cases(
        members,
        (abnormal > 0).astype(np.int64),
        bootstrap.encode_groups([first_patients[case] for case in range(count)]),
    )


def group_values(values: Sequence[str], column: str) -> dict[str, list[int]]:
    """Return the places of each value of a column, sorted by value.

    Raises:
        DataError: there are more values than there can be groups.
    """
    places: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        places.setdefault(value, []).append(place)
    if len(places) > MAX_GROUPS:
        raise DataError(
            f"--by {column} makes {len(places)} groups, more than {MAX_GROUPS}", "name a column of few values"
        )
    return {value: places[value] for value in sorted(places)}


def calibrate(predicted: RunPredictions) -> RunPredictions:
    """Return the predictions scaled by the temperature that fits the validation images best."""
    labels = [_is_abnormal(row) for row in predicted.valid_rows]
    temperature = classification.fit_temperature(labels, predicted.valid)
    return replace(
        predicted,
        test=classification.apply_temperature(predicted.test, temperature),
        valid=classification.apply_temperature(predicted.valid, temperature),
        temperature=temperature,
    )


def average_shares(shares: Sequence[float]) -> float:
    """Return the mean share of normal training images of the runs of an arm, which is that of all if it is the same."""
    return shares[0] if len(set(shares)) == 1 else sum(shares) / len(shares)


def format_csv(
    predicted: Sequence[RunPredictions], split: Literal["test", "valid"], *, with_split: bool = False
) -> Iterator[str]:
    """Yield the lines of a CSV file with the probability of every image that is tested, or of validation, by every run.

    Args:
        predicted: the runs.
        split: `test` or `valid`.
        with_split: add a column with the split of each image in its dataset.
    """
    yield csvfile.format_cells((*COLUMNS, "split") if with_split else COLUMNS) + "\n"
    rows: Sequence[Row] = ()
    images: list[str] = []  # the cells of each image, which are the same in every run on the same rows
    for each in predicted:
        run, probabilities = each.run, (each.test if split == "test" else each.valid).tolist()
        own = each.test_rows if split == "test" else each.valid_rows
        if own is not rows:
            rows = own
            images = [
                csvfile.format_cells((row.image, row.row, row.file, row.patient, row.study, row.label)) for row in rows
            ]
        start = csvfile.format_cells((run.name, run.arm_name, run.seed))
        if with_split:
            ends = [f",{csvfile.format_cells([row.split])}\n" for row in rows]
            for image, probability, end in zip(images, probabilities, ends, strict=True):
                yield f"{start},{image},{probability}{end}"
        else:
            for image, probability in zip(images, probabilities, strict=True):
                yield f"{start},{image},{probability}\n"


def format_studies(predicted: Sequence[RunPredictions]) -> Iterator[str]:
    """Yield the lines of a CSV file with the mean probability of every study that is tested by every run.

    A study is abnormal if any of its images is, and has no label if one of them has none. An image without a study is
    one of its own.
    """
    return csvfile.format_lines(itertools.chain([STUDY_COLUMNS], *map(_format_study_rows, predicted)))


def _format_study_rows(predicted: RunPredictions) -> Iterator[tuple[object, ...]]:
    run, rows = predicted.run, predicted.test_rows
    cases = group_cases(rows, "study")
    images = np.bincount(cases.members, minlength=len(cases.labels)).tolist()
    unlabelled = {case for case, row in zip(cases.members.tolist(), rows, strict=True) if not row.label}
    first = dict(zip(reversed(cases.members.tolist()), reversed(rows), strict=True))
    for case, probability in enumerate(cases.probabilities(predicted.test).tolist()):
        label = "" if case in unlabelled else ("normal", "abnormal")[cases.labels[case]]
        study = first[case].study or first[case].file
        yield (run.name, run.arm_name, run.seed, study, first[case].patient, images[case], label, probability)


def study_names(rows: Sequence[Row]) -> list[str]:
    """Return the study of each image; an image without one counts as a study of its own."""
    return [row.study or f"image {place}" for place, row in enumerate(rows)]


def _patient_names(rows: Sequence[Row]) -> list[str]:
    """Return the patient of each image; an image without one counts as a patient of its own."""
    return [row.patient or f"image {place}" for place, row in enumerate(rows)]


def _is_abnormal(row: Row) -> int:
    return int(row.label == "abnormal")
