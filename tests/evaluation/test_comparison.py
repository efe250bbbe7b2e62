import numpy as np
import pytest

from xrayaug.evaluation import comparison
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.stats import bootstrap
from xrayaug.stats.classification import Probabilities

LABELS = np.arange(400) % 2
PATIENTS = np.arange(400) // 2
COUNTS = bootstrap.draw_resamples(PATIENTS, 200, seed=0)


def measured(seed: int, strength: float) -> ScoredNetwork:
    noise = np.random.default_rng(seed).normal(size=400)  # of the seed, whatever the arm
    return of(seed, 1 / (1 + np.exp(noise - strength * (LABELS - 0.5))))


def of(seed: int, probabilities: Probabilities) -> ScoredNetwork:
    return comparison.score_network(seed, LABELS, probabilities, 0.5, COUNTS, patients=PATIENTS)


def test_differences_pair_equal_seeds() -> None:
    arm, other = [measured(seed, 2.0) for seed in (2, 0, 1)], [measured(seed, 1.0) for seed in (1, 2, 3)]
    pairs = comparison.pair_by_seed(arm, other)
    assert [(one.seed, two.seed) for one, two in pairs] == [(1, 1), (2, 2)]
    found = comparison.estimate_difference(arm, other, "auroc")
    assert found is not None
    assert found.seeds == 2
    assert found.value == pytest.approx(np.mean([one.value("auroc") - two.value("auroc") for one, two in pairs]))
    assert comparison.estimate_difference(arm[1:2], other, "auroc") is None  # no seed in common


def test_pairing_removes_the_variance_shared_by_seeds_and_patients() -> None:
    arm, other = [measured(seed, 2.0) for seed in range(5)], [measured(seed, 1.9) for seed in range(5)]
    alone, difference = comparison.estimate_score(arm, "auroc"), comparison.estimate_difference(arm, other, "auroc")
    assert alone is not None and difference is not None
    assert difference.error < 0.7 * alone.error


def test_mcnemar_and_delong_of_a_pair_of_networks() -> None:
    one, other = measured(0, 3.0), measured(0, 0.0)
    found = comparison.compare_pair(one, other)
    right = [(each.probabilities > 0.5) == (LABELS == 1) for each in (one, other)]
    assert found.only_arm_right == np.sum(right[0] & ~right[1])
    assert found.auroc_difference == pytest.approx(one.value("auroc") - other.value("auroc"))
    assert found.delong_p is not None and found.delong_p < 0.05


def test_an_undefined_score_has_no_estimate() -> None:
    normal = comparison.score_network(0, np.zeros(400, np.int64), np.full(400, 0.2), 0.5, COUNTS, patients=PATIENTS)
    assert comparison.estimate_score([normal], "auroc") is None
    assert comparison.estimate_score([normal], "accuracy") is not None


def test_identical_arms_have_difference_0_with_a_positive_interval() -> None:
    arm = [measured(seed, 2.0) for seed in range(3)]
    found = comparison.estimate_difference(arm, arm, "auroc")
    assert found is not None
    assert (found.value, found.p_value()) == (0, 1)
    assert found.error > 0


def test_equal_probabilities_have_auroc_one_half() -> None:
    found = comparison.estimate_score([of(seed, np.full(400, 0.5)) for seed in range(3)], "auroc")
    assert found is not None
    assert found.value == 0.5


def test_a_shifted_threshold_changes_the_call_rate_but_not_the_auroc() -> None:
    arm = [measured(seed, 2.0) for seed in range(3)]
    moved = [of(each.seed, each.probabilities**2) for each in arm]  # fewer above one half, in the same order
    calls, auroc = (
        comparison.estimate_call_rate_difference(moved, arm),
        comparison.estimate_difference(moved, arm, "auroc"),
    )
    assert calls is not None and auroc is not None
    called = [np.mean([np.mean(each.probabilities[label == LABELS] > 0.5) for label in (0, 1)]) for each in moved + arm]
    assert calls.value == pytest.approx(np.mean(called[:3]) - np.mean(called[3:]))
    assert calls.interval()[1] < 0
    assert auroc.value == 0
    assert comparison.estimate_call_rate_difference(moved, []) is None
