"""What runs say of the test and validation images -> cases: the images themselves, studies or patients; and CSV."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from xrayaug.data.dataset import Row
from xrayaug.evaluation.runs import Run
from xrayaug.stats import bootstrap, classification
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.storage import csvfile

LEVELS = ("image", "study", "patient")
COLUMNS = ("run", "arm", "seed", "image", "row", "file", "patient", "study", "label", "probability")


@dataclass(frozen=True)
class Predicted:
    """What a run says of the test and of the validation images."""

    run: Run
    test: Probabilities
    valid: Probabilities
    temperature: float = 1.0  # its logits were divided by


@dataclass(frozen=True)
class Cases:
    """The images of a split gathered into cases: themselves, studies or patients."""

    gathered_by: list[str]  # [N], the case of each image
    labels: Labels  # [M]
    patients: Labels  # [M], numbered

    def probabilities(self, of_images: Probabilities) -> Probabilities:
        """`[M]`, the mean over a case's images `[N]`."""
        return classification.by_study(self.gathered_by, np.zeros(len(of_images), np.int64), of_images)[2]


def cases(rows: Sequence[Row], level: str) -> Cases:
    """The images as cases of that level; one is abnormal if any of its images is, and has their first one's patient."""
    gathered_by = {"image": [str(place) for place in range(len(rows))], "study": studies(rows),
                   "patient": _patients(rows)}[level]  # fmt: skip
    names, labels, _ = classification.by_study(gathered_by, [_is_abnormal(row) for row in rows], np.zeros(len(rows)))
    of_case = dict(zip(reversed(gathered_by), reversed(_patients(rows)), strict=True))
    return Cases(gathered_by, labels, bootstrap.numbered([of_case[name] for name in names]))


def cooled(each: Predicted) -> Predicted:
    """With probabilities by the temperature that fits the validation images best."""
    divisor = classification.temperature([_is_abnormal(row) for row in each.run.valid], each.valid)
    return Predicted(
        each.run, classification.cooled(each.test, divisor), classification.cooled(each.valid, divisor), divisor
    )


def lines(predicted: Sequence[Predicted], split: Literal["test", "valid"]) -> Iterator[str]:
    """Every run's probability of every image of a split, as the lines of a CSV file."""
    of_runs = (_rows_of(each, split) for each in predicted)
    return csvfile.lines(itertools.chain([COLUMNS], itertools.chain.from_iterable(of_runs)))


def _rows_of(each: Predicted, split: Literal["test", "valid"]) -> Iterator[tuple[object, ...]]:
    run, probabilities = each.run, getattr(each, split).tolist()
    name, arm, seed = run.name, run.arm_name, run.seed
    for row, probability in zip(getattr(run, split), probabilities, strict=True):
        known = (row.image, row.row, row.file, row.patient, row.study, row.label)
        yield (name, arm, seed, *known, probability)


def studies(rows: Sequence[Row]) -> list[str]:
    """The study of each image; an image that names none is one of its own."""
    return [row.study or f"image {place}" for place, row in enumerate(rows)]


def _patients(rows: Sequence[Row]) -> list[str]:
    """The patient of each image; an image that names none is of one of its own."""
    return [row.patient or f"image {place}" for place, row in enumerate(rows)]


def _is_abnormal(row: Row) -> int:
    return int(row.label == "abnormal")
