import numpy as np
import pytest

from xrayaug import comparison, resampling
from xrayaug.comparison import Measured

LABELS = np.arange(400) % 2
COUNTS = resampling.draw(np.arange(400) // 2, 200, seed=0)


def measured(seed: int, strength: float) -> Measured:
    noise = np.random.default_rng(seed).normal(size=400)  # of the seed, whatever the arm
    return comparison.measure(seed, LABELS, 1 / (1 + np.exp(noise - strength * (LABELS - 0.5))), 0.5, COUNTS)


def test_differences_are_of_equal_seeds() -> None:
    arm, other = [measured(seed, 2.0) for seed in (2, 0, 1)], [measured(seed, 1.0) for seed in (1, 2, 3)]
    pairs = comparison.pairs_of(arm, other)
    assert [(one.seed, two.seed) for one, two in pairs] == [(1, 1), (2, 2)]
    found = comparison.of_difference(arm, other, "auroc")
    assert found is not None
    assert found.seeds == 2
    assert found.value == pytest.approx(np.mean([one.value("auroc") - two.value("auroc") for one, two in pairs]))
    assert comparison.of_difference(arm[1:2], other, "auroc") is None  # no seed in common


def test_pairing_takes_out_what_seed_and_patients_share() -> None:
    arm, other = [measured(seed, 2.0) for seed in range(5)], [measured(seed, 1.9) for seed in range(5)]
    alone, difference = comparison.of_arm(arm, "auroc"), comparison.of_difference(arm, other, "auroc")
    assert alone is not None and difference is not None
    assert difference.error < 0.6 * alone.error


def test_tests_of_two_networks_alone() -> None:
    one, other = measured(0, 3.0), measured(0, 0.0)
    found = comparison.tests_of(one, other)
    right = [(each.probabilities > 0.5) == (LABELS == 1) for each in (one, other)]
    assert found["only_arm_right"] == np.sum(right[0] & ~right[1])
    assert found["auroc_difference"] == pytest.approx(one.value("auroc") - other.value("auroc"))
    assert found["delong_p"] < 0.05


def test_an_undefined_score_has_no_estimate() -> None:
    normal = comparison.measure(0, np.zeros(400, np.int64), np.full(400, 0.2), 0.5, COUNTS)
    assert comparison.of_arm([normal], "auroc") is None
    assert comparison.of_arm([normal], "accuracy") is not None
