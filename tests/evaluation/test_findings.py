"""The check of specificity passes, fails or is unknown, depending on the interval."""

import numpy as np
import pytest

from xrayaug.data.arms import ArmSettings
from xrayaug.evaluation import comparison, findings
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.results import CHOSEN, HALF, EvaluatedArm, Question
from xrayaug.stats.classification import Labels

PATIENTS = np.arange(80)
ARMS = [
    EvaluatedArm("0", ArmSettings(1.0, 0.0, None, 0, None), 0.5),
    EvaluatedArm("10", ArmSettings(1.0, 10.0, "normal", 5, None), 0.55),
]


def score_networks(labels: Labels, called: float) -> list[ScoredNetwork]:
    """Score two networks that call this share of the images abnormal."""
    probabilities = np.where(np.arange(len(labels)) < called * len(labels), 0.9, 0.1)
    return [comparison.score_network(seed, labels, probabilities, 0.5, patients=PATIENTS) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("labels", "called", "margin", "passed"),
    [
        (np.arange(80) % 2, 0.2, 0.1, True),
        (np.arange(80) % 2, 0.2, 0.01, None),  # the interval includes a fall larger than the margin
        (np.arange(80) % 2, 0.9, 0.1, False),  # real normal images are called abnormal more often
        (np.ones(80, np.int64), 0.9, 0.1, None),  # there are no normal images
    ],
)
def test_specificity_on_real_normal_images(labels: Labels, called: float, margin: float, passed: bool | None) -> None:
    scored = {"0": score_networks(labels, 0.2), "10": score_networks(labels, called)}
    (check,) = findings.check_specificity(
        ARMS, {("image", HALF): scored, ("image", CHOSEN): scored}, Question("auroc", "image", margin, 0)
    )
    assert check.passed is passed
    assert ("undefined at 0.5" in check.sentence) == bool(labels.all())
