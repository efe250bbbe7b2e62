import dataclasses

import numpy as np
import pytest
from scipy import stats

from xrayaug.evaluation import comparison
from xrayaug.evaluation.comparison import Resamples, ScoredNetwork
from xrayaug.stats import bootstrap, intervals
from xrayaug.stats.classification import METRICS, Probabilities

LABELS = np.arange(400) % 2
PATIENTS = np.arange(400) // 2


def measured(seed: int, strength: float) -> ScoredNetwork:
    noise = np.random.default_rng(seed).normal(size=400)  # of the seed, whatever the arm
    return of(seed, 1 / (1 + np.exp(noise - strength * (LABELS - 0.5))))


def of(seed: int, probabilities: Probabilities) -> ScoredNetwork:
    return comparison.score_network(seed, LABELS, probabilities, 0.5, patients=PATIENTS)


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
    normal = comparison.score_network(0, np.zeros(400, np.int64), np.full(400, 0.2), 0.5, patients=PATIENTS)
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


def test_an_identical_pair_with_few_abnormal_patients_is_not_equivalent() -> None:
    """Ten abnormal of 500, all right in every run of both arms: the rule of three is about 0.3."""
    labels = (np.arange(500) < 10).astype(np.int64)
    probabilities = np.where(labels == 1, 0.9, 0.1)
    arm = [comparison.score_network(seed, labels, probabilities, 0.5, patients=np.arange(500)) for seed in range(3)]
    for metric in ("sensitivity", "auroc"):
        score, difference = comparison.estimate_score(arm, metric), comparison.estimate_difference(arm, arm, metric)
        assert score is not None and difference is not None
        assert score.value == 1
        assert score.interval()[1] == 1
        assert difference.p_equivalent(0.02) > 0.05
    sensitivity, specificity = (comparison.estimate_score(arm, each) for each in ("sensitivity", "specificity"))
    assert sensitivity is not None and specificity is not None
    assert sensitivity.interval()[0] == pytest.approx(1 / (1 + stats.t.isf(0.025, 9) ** 2 / 10))  # 0.66; exact: 0.69
    assert specificity.interval()[0] > 0.99


@pytest.mark.parametrize("metric", ["balanced_accuracy", "kappa", "f1"])
def test_scores_made_of_rates_hold_their_level_where_few_abnormal_patients_are_all_right(metric: str) -> None:
    """Ten abnormal of 500, of whom all networks find the same: all ten in a fifth to a quarter of the studies."""
    random = np.random.default_rng(0)
    labels, patients = (np.arange(500) < 10).astype(np.int64), np.arange(500)

    def arm_of(is_found: np.ndarray) -> list[ScoredNetwork]:
        probabilities = np.where(labels == 1, np.concatenate([np.where(is_found, 0.9, 0.2), np.zeros(490)]), 0.1)
        return [comparison.score_network(seed, labels, probabilities, 0.5, patients=patients) for seed in range(2)]

    sensitivity = 0.86
    truth = {
        "balanced_accuracy": (sensitivity + 1) / 2,
        "f1": 2 * sensitivity / (1 + sensitivity),
        "kappa": 1 - 0.02 * (1 - sensitivity) / (0.02 + 0.02 * sensitivity - 2 * 0.02 * 0.02 * sensitivity),
    }[metric]
    perfect = arm_of(np.ones(10, bool))
    covered, told = 0, 0
    for _ in range(60):
        arm = arm_of(random.random(10) < sensitivity)
        score, difference = comparison.estimate_score(arm, metric), comparison.estimate_difference(perfect, arm, metric)
        assert score is not None and difference is not None
        covered += score.interval()[0] <= truth <= score.interval()[1]
        told += difference.interval()[0] <= 1 - truth <= difference.interval()[1]
    assert covered >= 54
    assert told >= 54  # of 60 at 95 %: fewer in 3 % of such tests


@pytest.mark.parametrize("metric", METRICS)
def test_intervals_stay_within_what_is_possible(metric: str) -> None:
    """Two to four abnormal patients of forty, and networks that are anything from perfect to worse than chance."""
    random = np.random.default_rng(0)
    lowest, highest = (-1, 1) if metric == "kappa" else (0, 1)
    for study in range(20):
        labels = (np.arange(40) < 2 + study % 3).astype(np.int64)
        arms = [
            [
                comparison.score_network(
                    seed,
                    labels,
                    np.clip(strength * (labels - 0.5) + random.normal(0.5, 0.2, 40), 0, 1),
                    0.5,
                    patients=np.arange(40),
                )
                for seed in range(2)
            ]
            for strength in (3.0, -2.0)
        ]
        for arm in arms:
            score = comparison.estimate_score(arm, metric)
            assert score is not None
            low, high = score.interval()
            assert lowest <= low <= score.value <= high <= highest
        difference = comparison.estimate_difference(arms[0], arms[1], metric)
        assert difference is not None
        low, high = difference.interval()
        assert lowest - highest <= low <= difference.value <= high <= highest - lowest


def test_the_variance_between_seeds_is_pooled_over_arms_of_the_same_seeds() -> None:
    arms = [[measured(10 * arm + seed, 2.0) for seed in range(4)] for arm in range(4)]
    arms = [[dataclasses.replace(each, seed=seed) for seed, each in enumerate(arm)] for arm in arms]
    alone = comparison.estimate_difference(arms[1], arms[0], "auroc")
    pooled = comparison.estimate_difference(arms[1], arms[0], "auroc", arms[1:])
    assert alone is not None and pooled is not None
    scores = np.array([[each.value("auroc") for each in arm] for arm in arms])
    expected = intervals.pool_seed_variance(scores)
    assert expected is not None
    variance = max(float(np.var(scores[1] - scores[0], ddof=1)), expected.variance)
    assert pooled.seed_variance == pytest.approx(variance / 4)
    assert (pooled.pooled_df, pooled.seed_df) == (9, 9)
    assert (alone.pooled_df, alone.seed_df) == (None, 3)
    assert pooled.patient_variance == alone.patient_variance
    shuffled = comparison.estimate_difference(arms[1][::-1], arms[0], "auroc", [arms[3], arms[1], arms[2][::-1]])
    assert shuffled is not None
    assert vars(shuffled) == pytest.approx(vars(pooled)), "the order of arms and of seeds is irrelevant"
    for pool in ([], [arms[1]], [arms[1], arms[2][:3]], [arms[1], arms[2], arms[3][1:]]):  # nothing, or not complete
        assert comparison.estimate_difference(arms[1], arms[0], "auroc", pool) == alone


def test_the_mean_over_test_sets_pools_the_mean_of_each_seed() -> None:
    def score(strength: float) -> list[list[ScoredNetwork]]:
        drawn = [[measured(int(10 * strength) + 5 * arm + seed, strength) for seed in range(3)] for arm in range(3)]
        return [[dataclasses.replace(each, seed=seed) for seed, each in enumerate(arm)] for arm in drawn]

    sets = [score(1.0), score(2.0)]
    found = comparison.estimate_mean_difference(
        [(arms[1], arms[0]) for arms in sets], "auroc", [arms[1:] for arms in sets]
    )
    assert found is not None
    scores = np.mean([[[each.value("auroc") for each in arm] for arm in arms] for arms in sets], axis=0)
    pooled = intervals.pool_seed_variance(scores)
    assert pooled is not None
    variance = max(float(np.var(scores[1] - scores[0], ddof=1)), pooled.variance)
    assert found.seed_variance == pytest.approx(variance / 3)
    assert found.pooled_df == 4


def test_resamples_are_scored_where_they_are_asked_for() -> None:
    counts = bootstrap.draw_resamples(PATIENTS, 50, seed=0)
    probabilities = measured(0, 1.0).probabilities
    resamples = Resamples(counts, ["auroc"])
    found = comparison.score_network(0, LABELS, probabilities, 0.5, patients=PATIENTS, resamples=resamples)
    expected = bootstrap.resampled_scores(LABELS, probabilities, 0.5, counts)
    assert list(found.resampled) == ["auroc"]
    assert (found.resampled["auroc"] == expected["auroc"]).all()
    assert measured(0, 1.0).resampled == {}
