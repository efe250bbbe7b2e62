"""Arms of several seeds on one test set -> scores with intervals, and differences to another arm, paired.

Paired by seed, since a seed gives every arm the same initial weights and the same order of real images; and by patient,
since every network is scored on the same resamples of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xrayaug.stats import bootstrap, classification, intervals, paired_tests
from xrayaug.stats.bootstrap import Counts, Values
from xrayaug.stats.classification import Labels, Probabilities
from xrayaug.stats.intervals import Estimate


@dataclass(frozen=True)
class Measured:
    """One seed's network on one set of cases: its probabilities, its scores, and those of every resample."""

    seed: int
    labels: Labels  # [N]
    probabilities: Probabilities  # [N]
    threshold: float
    patients: int  # of the class that has fewest of them
    scores: Mapping[str, Any]  # `scores.Scores` as a mapping
    resampled: Mapping[str, Values]  # of each metric [B]

    @property
    def cases(self) -> int:
        """How many the scores are of."""
        return len(self.labels)

    def value(self, metric: str) -> float:
        """A score, NaN where it is undefined."""
        found = self.scores[metric]
        return np.nan if found is None else float(found)


def measure(
    seed: int, labels: Labels, probabilities: Probabilities, threshold: float, counts: Counts, *, patients: Labels
) -> Measured:
    """Score a network on cases `[N]` of these patients `[N]`, and on their resamples `[B, N]`."""
    found = asdict(classification.score(labels, probabilities, threshold))
    resampled = bootstrap.scores_of(labels, probabilities, threshold, counts)
    return Measured(seed, labels, probabilities, threshold, bootstrap.fewest(labels, patients), found, resampled)


def of_arm(arm: Sequence[Measured], metric: str) -> Estimate | None:
    """An arm's mean over its seeds; None where it is undefined."""
    values = np.array([each.value(metric) for each in arm])
    return intervals.estimate(values, _resampled(arm, metric), arm[0].cases, arm[0].patients)


def of_difference(arm: Sequence[Measured], other: Sequence[Measured], metric: str) -> Estimate | None:
    """By how much an arm scores higher than the other, over the seeds that both have; None where it is undefined."""
    pairs = pairs_of(arm, other)
    if not pairs:
        return None
    of_seeds, resampled = differences(pairs, metric), resampled_differences(pairs, metric)
    return intervals.estimate(of_seeds, resampled, arm[0].cases, arm[0].patients)


def of_calls(arm: Sequence[Measured], other: Sequence[Measured]) -> Estimate | None:
    """By how much more readily an arm calls images abnormal than the other: the share of them, were classes even.

    That is (sensitivity + 1 - specificity) / 2, which a moved point of decision changes and better ranking need not: a
    reader's bias, apart from what the reader can tell (Macmillan and Creelman 2005, Detection Theory, chapter 2).
    """
    pairs = pairs_of(arm, other)
    if not pairs:
        return None
    of_seeds = (differences(pairs, "sensitivity") - differences(pairs, "specificity")) / 2
    resampled = (resampled_differences(pairs, "sensitivity") - resampled_differences(pairs, "specificity")) / 2
    return intervals.estimate(of_seeds, resampled, arm[0].cases, arm[0].patients)


def pairs_of(arm: Sequence[Measured], other: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """The networks of equal seeds, by seed."""
    of_seed = {each.seed: each for each in other}
    return [(each, of_seed[each.seed]) for each in sorted(arm, key=lambda each: each.seed) if each.seed in of_seed]


def differences(pairs: Sequence[tuple[Measured, Measured]], metric: str) -> Values:
    """First minus second of each pair `[S]`."""
    return np.array([one.value(metric) - other.value(metric) for one, other in pairs])


def resampled_differences(pairs: Sequence[tuple[Measured, Measured]], metric: str) -> Values:
    """First minus second of each pair on each resample `[B, S]`."""
    return _resampled([one for one, _ in pairs], metric) - _resampled([other for _, other in pairs], metric)


def tests_of(one: Measured, other: Measured) -> dict[str, Any]:
    """Of two networks alone, on these cases: exact McNemar on who is right, DeLong on the areas under the ROC curve."""
    right = [(each.probabilities > each.threshold) == (each.labels == 1) for each in (one, other)]
    only_one, only_other = int(np.sum(right[0] & ~right[1])), int(np.sum(right[1] & ~right[0]))
    areas = paired_tests.delong(one.labels, one.probabilities, other.probabilities)
    return {
        "seed": one.seed,
        "only_arm_right": only_one,
        "only_baseline_right": only_other,
        "mcnemar_p": paired_tests.mcnemar(only_one, only_other),
        "auroc_difference": areas and areas[0],
        "delong_p": areas and areas[2],
    }


def _resampled(arm: Sequence[Measured], metric: str) -> Values:
    return np.stack([each.resampled[metric] for each in arm], axis=1)
