"""What stands in an evaluation beside the verdict follows from what was measured, or says that it cannot be told."""

import numpy as np
import pytest

from xrayaug.evaluation import comparison, findings
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.results import CHOSEN, HALF, ArmSettings, EvaluatedArm, Question
from xrayaug.stats import bootstrap
from xrayaug.stats.classification import Labels

PATIENTS = np.arange(80)
COUNTS = bootstrap.draw_resamples(PATIENTS, 100, seed=0)
ARMS = [
    EvaluatedArm("0", ArmSettings(1.0, 0.0, None, 0, None), 0.5),
    EvaluatedArm("10", ArmSettings(1.0, 10.0, "normal", 5, None), 0.55),
]


def measured(labels: Labels, called: float) -> list[ScoredNetwork]:
    """Two seeds' networks that call that share of the images abnormal."""
    probabilities = np.where(np.arange(len(labels)) < called * len(labels), 0.9, 0.1)
    return [comparison.score_network(seed, labels, probabilities, 0.5, COUNTS, patients=PATIENTS) for seed in (0, 1)]


@pytest.mark.parametrize(
    ("labels", "called", "margin", "holds"),
    [
        (np.arange(80) % 2, 0.2, 0.1, True),
        (np.arange(80) % 2, 0.2, 0.01, None),  # so few images leave out no fall that small
        (np.arange(80) % 2, 0.9, 0.1, False),  # of real normals too
        (np.ones(80, np.int64), 0.9, 0.1, None),  # there are none
    ],
)
def test_whether_real_normals_are_called_abnormal_more_often(
    labels: Labels, called: float, margin: float, holds: bool | None
) -> None:
    of = {"0": measured(labels, 0.2), "10": measured(labels, called)}
    (check,) = findings.check_specificity(
        ARMS, {("image", HALF): of, ("image", CHOSEN): of}, Question("auroc", "image", margin, 0)
    )
    assert check.passed is holds
    assert ("undefined at 0.5" in check.sentence) == bool(labels.all())
