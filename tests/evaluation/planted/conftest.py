"""Studies of networks whose scores are known, without files."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.special import expit

from xrayaug.evaluation.planted.gains import JudgedStudy
from xrayaug.evaluation.results import EvaluatedArm, Question
from xrayaug.stats.classification import Probabilities

CASES, PATIENTS = 160, 90


def draw_study(
    arms: Sequence[str] = ("0", "one", "two"),
    seeds: int = 3,
    *,
    metric: str = "auroc",
    seed_sd: float = 0.2,
    digits: int | None = None,
) -> JudgedStudy:
    """Draw a study without gains; `seed_sd` is that of the separation of the classes, over seeds."""
    random = np.random.default_rng(0)
    patients = np.sort(random.integers(0, PATIENTS, CASES))
    patients = np.unique(patients, return_inverse=True)[1].astype(np.int64)
    labels = (np.arange(patients.max() + 1) % 2)[patients].astype(np.int64)
    shared = random.normal(size=CASES)
    probabilities: dict[str, dict[int, Probabilities]] = {}
    for arm in arms:
        probabilities[arm] = {}
        for seed in range(seeds):
            separation = 1.2 + seed_sd * random.normal()
            logits = separation * (labels - 0.5) + 0.8 * shared + 0.6 * random.normal(size=CASES)
            given = expit(logits)
            probabilities[arm][seed] = given if digits is None else np.round(given, digits)
    return JudgedStudy(
        arms=[EvaluatedArm(arm, None, None, arms[0]) for arm in arms],
        labels=labels,
        patients=patients,
        probabilities=probabilities,
        question=Question(metric, "image", 0.02, 0),
    )


@pytest.fixture(scope="session")
def study() -> JudgedStudy:
    return draw_study()
