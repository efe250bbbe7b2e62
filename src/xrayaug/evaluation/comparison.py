"""Estimate the scores of arms of several seeds on one test set, and their paired differences to another arm.

Arms are paired by seed, because a seed gives every arm the same initial weights and the same order of real images, and
by patient, because every network is scored on the same resamples of the patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrayaug.evaluation.results import PairTests
from xrayaug.stats import bootstrap, classification, intervals, paired_tests
from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.bootstrap import Counts
from xrayaug.stats.classification import Labels, Probabilities, Scores
from xrayaug.stats.intervals import Estimate


@dataclass(frozen=True)
class ScoredNetwork:
    """The network of one seed on one set of cases: probabilities, scores, and the scores of every resample."""

    seed: int
    labels: Labels  # [N]
    probabilities: Probabilities  # [N]
    threshold: float
    patients: int  # number in the class with the fewest patients
    scores: Scores
    resampled: Mapping[str, FloatArray]  # of each metric [B]

    @property
    def cases(self) -> int:
        """Number of cases."""
        return len(self.labels)

    def value(self, metric: str) -> float:
        """Return a score, NaN if it is undefined."""
        score = getattr(self.scores, metric)
        return np.nan if score is None else float(score)


def score_network(
    seed: int, labels: Labels, probabilities: Probabilities, threshold: float, counts: Counts, *, patients: Labels
) -> ScoredNetwork:
    """Score a network on cases `[N]` of these patients `[N]`, and on their resamples `[B, N]`."""
    scores = classification.score(labels, probabilities, threshold)
    resampled = bootstrap.resampled_scores(labels, probabilities, threshold, counts)
    return ScoredNetwork(
        seed, labels, probabilities, threshold, bootstrap.min_class_patients(labels, patients), scores, resampled
    )


def estimate_score(arm: Sequence[ScoredNetwork], metric: str) -> Estimate | None:
    """Estimate the mean score of an arm over its seeds; None if it is undefined."""
    values = np.array([each.value(metric) for each in arm])
    return intervals.estimate(values, _resampled(arm, metric), arm[0].cases, arm[0].patients)


def estimate_difference(arm: Sequence[ScoredNetwork], other: Sequence[ScoredNetwork], metric: str) -> Estimate | None:
    """Estimate by how much an arm scores higher than the other over their common seeds; None if undefined."""
    pairs = pair_by_seed(arm, other)
    if not pairs:
        return None
    differences, resampled = seed_differences(pairs, metric), resampled_differences(pairs, metric)
    return intervals.estimate(differences, resampled, arm[0].cases, arm[0].patients)


def estimate_mean_difference(
    sets: Sequence[tuple[Sequence[ScoredNetwork], Sequence[ScoredNetwork]]], metric: str
) -> Estimate | None:
    """Estimate the mean over test sets, with equal weight, of the difference of an arm to another.

    Args:
        sets: the arm and the other on each of several test sets, which have no patient in common.
        metric: name of the score.

    Returns:
        None if the difference is undefined on a set.
    """
    estimates = [estimate_difference(arm, other, metric) for arm, other in sets]
    known = [each for each in estimates if each is not None]
    if len(known) < len(sets):
        return None
    values = np.stack([seed_differences(pair_by_seed(arm, other), metric) for arm, other in sets])
    return intervals.average(known, values)


def estimate_call_rate_difference(arm: Sequence[ScoredNetwork], other: Sequence[ScoredNetwork]) -> Estimate | None:
    """Estimate the difference of two arms in the rate of calling images abnormal, with both classes weighted equally.

    The rate is (sensitivity + 1 - specificity) / 2. It measures response bias as opposed to sensitivity in detection
    theory (Macmillan and Creelman 2005, Detection Theory, chapter 2): a moved threshold changes it, better ranking need
    not. None if there is no common seed or the rate is undefined.
    """
    pairs = pair_by_seed(arm, other)
    if not pairs:
        return None
    differences = (seed_differences(pairs, "sensitivity") - seed_differences(pairs, "specificity")) / 2
    resampled = (resampled_differences(pairs, "sensitivity") - resampled_differences(pairs, "specificity")) / 2
    return intervals.estimate(differences, resampled, arm[0].cases, arm[0].patients)


def pair_by_seed(
    arm: Sequence[ScoredNetwork], other: Sequence[ScoredNetwork]
) -> list[tuple[ScoredNetwork, ScoredNetwork]]:
    """Return the pairs of networks with equal seeds, sorted by seed."""
    by_seed = {network.seed: network for network in other}
    ordered = sorted(arm, key=lambda network: network.seed)
    return [(network, by_seed[network.seed]) for network in ordered if network.seed in by_seed]


def seed_differences(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str) -> FloatArray:
    """Return the score of the first network minus that of the second, for each pair `[S]`."""
    return np.array([one.value(metric) - other.value(metric) for one, other in pairs])


def resampled_differences(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str) -> FloatArray:
    """Return the score of the first network minus that of the second on each resample, `[B, S]`."""
    return _resampled([one for one, _ in pairs], metric) - _resampled([other for _, other in pairs], metric)


def compare_pair(one: ScoredNetwork, other: ScoredNetwork) -> PairTests:
    """Compare two networks on the same cases: exact McNemar test of who is right, DeLong test of the areas."""
    right = [(each.probabilities > each.threshold) == (each.labels == 1) for each in (one, other)]
    only_one, only_other = int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))
    areas = paired_tests.delong(one.labels, one.probabilities, other.probabilities)
    return PairTests(
        seed=one.seed,
        only_arm_right=only_one,
        only_baseline_right=only_other,
        mcnemar_p=paired_tests.mcnemar(only_one, only_other),
        auroc_difference=areas and areas[0],
        delong_p=areas and areas[2],
    )


def _resampled(arm: Sequence[ScoredNetwork], metric: str) -> FloatArray:
    return np.stack([each.resampled[metric] for each in arm], axis=1)
