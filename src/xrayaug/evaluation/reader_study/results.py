"""Results of a reader study: the scores of readers, their agreement, and the answers on each image.

`reader.json` is a `StudyScores` as JSON: the names of the fields are its keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xrayaug.evaluation import serialization

SCORES_FILE = "reader.json"
SCORES_FIELD = "readers"  # of the result of an evaluation


@dataclass(frozen=True)
class Proportion:
    """The proportion of correct answers with its exact 95 % interval; None if there are no cases."""

    correct: int
    cases: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SensitivityIndex:
    """Sensitivity index d' and criterion c of signal detection theory."""

    d_prime: float
    criterion: float


@dataclass(frozen=True)
class ReaderScores:
    """The scores of one reader over the images that the reader answered."""

    reader: str
    file: str
    sha256: str  # of the file
    answered: int
    unanswered: int
    accuracy: Proportion
    p_value: float  # of the exact binomial test against one half, two-sided
    sensitivity: Proportion  # of the synthetic images
    specificity: Proportion  # of the real images
    index: SensitivityIndex | None
    auroc: float | None
    median_seconds: float
    labels: Mapping[str, Proportion]  # accuracy by label


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two readers over the images that both answered; None if it is undefined."""

    readers: Sequence[str]
    images: int
    kappa: float | None


@dataclass(frozen=True)
class MeanAccuracy:
    """The mean accuracy over readers with its 95 % interval, over readers and images."""

    readers: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class ImageScores:
    """The truth about an image and the number of readers that gave each answer and each defect."""

    image: str
    truth: str
    label: str
    data: str  # name of the dataset
    array: str
    row: int
    called_synthetic: int
    called_real: int
    defects: Mapping[str, int]


@dataclass(frozen=True)
class Comment:
    """A reader's comment on an image, with the truth and the reader's answer."""

    reader: str
    image: str
    truth: str
    answer: str
    comment: str


@dataclass(frozen=True)
class StudyScores:
    """All scores of a reader study."""

    study: str
    images: int
    readers: Sequence[ReaderScores]
    agreement: Sequence[Agreement]
    mean_accuracy: MeanAccuracy | None
    defects: Mapping[str, Mapping[str, int]]  # number of answers by defect and kind of image
    image_scores: Sequence[ImageScores]
    comments: Sequence[Comment]

    def to_dict(self) -> dict[str, Any]:
        """Return the scores as a JSON object."""
        return serialization.to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "StudyScores":
        """Return the scores that `to_dict` made `data` from."""
        return serialization.from_dict(cls, data)
