"""Predictions of runs on test and validation images, grouped into cases: single images, studies or patients."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import Row
from xrayaug.evaluation.results import EvaluatedArm
from xrayaug.stats import bootstrap, classification
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.storage import csvfile

COLUMNS = ("run", "arm", "seed", "image", "row", "file", "patient", "study", "label", "probability")


@dataclass(frozen=True)
class RunInfo:
    """Name, arm and seed of a run, and the class prior of its training."""

    name: str
    arm: ArmSettings
    arm_name: str
    seed: int
    share_normal: float  # of the training images

    @property
    def evaluated_arm(self) -> EvaluatedArm:
        """Arm of the run."""
        return EvaluatedArm(self.arm_name, self.arm, self.share_normal)


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

    case_names: list[str]  # [N], the case of each image
    labels: Labels  # [M], 1 is abnormal
    patients: Labels  # [M], number of the patient

    def probabilities(self, image_probabilities: Probabilities) -> Probabilities:
        """Average the probabilities of images `[N]` over the images of each case, `[M]`."""
        no_labels = np.zeros(len(image_probabilities), np.int64)  # the labels of the cases are known
        return classification.average_by_study(self.case_names, no_labels, image_probabilities)[2]


def group_cases(rows: Sequence[Row], level: str) -> Cases:
    """Group images into cases. A case is abnormal if any of its images is; its patient is that of its first image."""
    case_names = {"image": [str(place) for place in range(len(rows))], "study": study_names(rows),
                   "patient": _patient_names(rows)}[level]  # fmt: skip
    names, labels, _ = classification.average_by_study(
        case_names, [_is_abnormal(row) for row in rows], np.zeros(len(rows))
    )
    first_patients = dict(zip(reversed(case_names), reversed(_patient_names(rows)), strict=True))
    return Cases(case_names, labels, bootstrap.encode_groups([first_patients[name] for name in names]))


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


def format_csv(predicted: Sequence[RunPredictions], split: Literal["test", "valid"]) -> Iterator[str]:
    """Yield the lines of a CSV file with the probability of every image of a split by every run."""
    rows = itertools.chain.from_iterable(_format_rows(each, split) for each in predicted)
    return csvfile.format_lines(itertools.chain([COLUMNS], rows))


def _format_rows(predicted: RunPredictions, split: Literal["test", "valid"]) -> Iterator[tuple[object, ...]]:
    run, probabilities = predicted.run, (predicted.test if split == "test" else predicted.valid).tolist()
    rows = predicted.test_rows if split == "test" else predicted.valid_rows
    for row, probability in zip(rows, probabilities, strict=True):
        image = (row.image, row.row, row.file, row.patient, row.study, row.label)
        yield (run.name, run.arm_name, run.seed, *image, probability)


def study_names(rows: Sequence[Row]) -> list[str]:
    """Return the study of each image; an image without one counts as a study of its own."""
    return [row.study or f"image {place}" for place, row in enumerate(rows)]


def _patient_names(rows: Sequence[Row]) -> list[str]:
    """Return the patient of each image; an image without one counts as a patient of its own."""
    return [row.patient or f"image {place}" for place, row in enumerate(rows)]


def _is_abnormal(row: Row) -> int:
    return int(row.label == "abnormal")
