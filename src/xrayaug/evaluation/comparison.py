"""Estimate the scores of arms of several seeds on one test set, and their paired differences to another arm.

Arms are paired by seed, because a seed gives every arm the same initial weights and the same order of real images, and
by patient, because every network is scored on the same patients.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xrayaug.evaluation.results import PairTests
from xrayaug.stats import bootstrap, classification, influence, intervals, paired_tests
from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.bootstrap import Counts
from xrayaug.stats.classification import Labels, Probabilities, Scores
from xrayaug.stats.influence import PatientCounts
from xrayaug.stats.intervals import Estimate, PooledVariance, ScoreEstimate


@dataclass(frozen=True)
class ScoredNetwork:
    """The network of one seed on one set of cases: probabilities, scores, and how they depend on the patients."""

    seed: int
    labels: Labels  # [N]
    probabilities: Probabilities  # [N]
    threshold: float
    patients: PatientCounts
    effective_patients: PatientCounts
    scores: Scores
    influence: Mapping[str, FloatArray]  # of each patient, or group of patients, on each metric [G]
    resampled: Mapping[str, FloatArray]  # of the metrics that were asked for, in each resample of the patients [B]

    def value(self, metric: str) -> float:
        """Return a score, NaN if it is undefined."""
        score = getattr(self.scores, metric)
        return np.nan if score is None else float(score)


Arm = Sequence[ScoredNetwork]
"""The networks of one arm, each of another seed."""


@dataclass(frozen=True)
class Resamples:
    """Resamples of the patients of some cases, and the scores that are wanted of them."""

    counts: Counts  # [B, N]
    metrics: Collection[str]


def score_network(
    seed: int,
    labels: Labels,
    probabilities: Probabilities,
    threshold: float,
    *,
    patients: Labels,
    resamples: Resamples | None = None,
    metrics: Collection[str] = classification.METRICS,
) -> ScoredNetwork:
    """Score a network on cases `[N]` of these patients `[N]`, and on their resamples; influences are on `metrics`."""
    influences = influence.influences(labels, probabilities, threshold, metrics)
    return ScoredNetwork(
        seed,
        labels,
        probabilities,
        threshold,
        influence.count_patients(labels, patients),
        influence.effective_patients(labels, patients),
        classification.score(labels, probabilities, threshold),
        {metric: influence.sum_by_patient(each, patients) for metric, each in influences.items()},
        bootstrap.resampled_scores(labels, probabilities, threshold, resamples.counts, resamples.metrics)
        if resamples
        else {},
    )


def estimate_score(arm: Arm, metric: str) -> ScoreEstimate | None:
    """Estimate the mean score of an arm over its seeds; None if it is undefined."""
    values = np.array([each.value(metric) for each in arm])
    found = intervals.estimate(values, _influence(arm, metric), arm[0].effective_patients.of_metric(metric))
    if found is None:
        return None
    lowest, highest = classification.bounds(metric)
    kind = {"is_rate": metric in classification.RATES, "is_of_rates": metric in classification.OF_RATES}
    return ScoreEstimate(**dataclasses.asdict(found), lowest=lowest, highest=highest, **kind)


def estimate_difference(arm: Arm, other: Arm, metric: str, pool: Sequence[Arm] = ()) -> Estimate | None:
    """Estimate by how much an arm scores higher than the other over their common seeds; None if undefined.

    Args:
        arm: the networks of one arm.
        other: the networks of the arm that it is compared with.
        metric: name of the score.
        pool: arms over which the variance between seeds is pooled with these two (which may be among them). It is not
            pooled if there are no others, or if two of them are not of the same seeds.
    """
    pairs = pair_by_seed(arm, other)
    if not pairs:
        return None
    differences, influences = seed_differences(pairs, metric), _influence_differences(pairs, metric)
    pooled = _pool_seeds(_list_once(arm, other, pool), lambda network: network.value(metric))
    found = intervals.estimate(
        differences,
        influences,
        arm[0].effective_patients.of_metric(metric),
        pooled,
        _least_variance([network for pair in pairs for network in pair], metric),
    )
    lowest, highest = classification.bounds(metric)
    return None if found is None else dataclasses.replace(found, limit=highest - lowest)


def explain_missing(arm: Arm, other: Arm, metric: str) -> str:
    """Return why `estimate_difference` finds no difference of two arms, where it returns None."""
    pairs = pair_by_seed(arm, other)
    if not pairs:
        return "the two have no seed in common"
    if not np.isfinite(seed_differences(pairs, metric)).all():
        return "the score of a run is undefined on these test images"
    return "it rests on fewer than two patients (one who has most of the images of a class counts for nearly all)"


def estimate_mean_difference(
    sets: Sequence[tuple[Arm, Arm]], metric: str, pools: Sequence[Sequence[Arm]] = ()
) -> Estimate | None:
    """Estimate the mean over test sets, with equal weight, of the difference of an arm to another.

    Args:
        sets: the arm and the other on each of several test sets, which have no patient in common.
        metric: name of the score.
        pools: on each set the arms over which the variance between seeds is pooled, as in `estimate_difference`.

    Returns:
        None if the difference is undefined on a set.
    """
    estimates = [estimate_difference(arm, other, metric) for arm, other in sets]
    known = [each for each in estimates if each is not None]
    if len(known) < len(sets):
        return None
    values = np.stack([seed_differences(pair_by_seed(arm, other), metric) for arm, other in sets])
    scores = [
        _score_seeds(_list_once(arm, other, pool), lambda network: network.value(metric))
        for (arm, other), pool in zip(sets, pools or [()] * len(sets), strict=True)
    ]
    complete = [each for each in scores if each is not None]
    is_complete = len(complete) == len(sets) and len({each.shape for each in complete}) == 1
    pooled = intervals.pool_seed_variance(np.mean(complete, axis=0)) if is_complete else None
    return intervals.average(known, values, pooled)


def estimate_call_rate_difference(arm: Arm, other: Arm, pool: Sequence[Arm] = ()) -> Estimate | None:
    """Estimate the difference of two arms in the rate of calling images abnormal, with both classes weighted equally.

    The rate is (sensitivity + 1 - specificity) / 2. It measures response bias as opposed to sensitivity in detection
    theory (Macmillan and Creelman 2005, Detection Theory, chapter 2): a moved threshold changes it, better ranking need
    not. None if there is no common seed or the rate is undefined. `pool` is as in `estimate_difference`.
    """
    pairs = pair_by_seed(arm, other)
    if not pairs:
        return None
    differences = (seed_differences(pairs, "sensitivity") - seed_differences(pairs, "specificity")) / 2
    influences = _influence_differences(pairs, "sensitivity") - _influence_differences(pairs, "specificity")
    pooled = _pool_seeds(
        _list_once(arm, other, pool), lambda network: (network.value("sensitivity") - network.value("specificity")) / 2
    )
    least = _least_variance([network for pair in pairs for network in pair], "balanced_accuracy")
    patients = arm[0].effective_patients.of_metric("balanced_accuracy")
    found = intervals.estimate(differences, influences / 2, patients, pooled, least)
    return None if found is None else dataclasses.replace(found, limit=1.0)


def pair_by_seed(arm: Arm, other: Arm) -> list[tuple[ScoredNetwork, ScoredNetwork]]:
    """Return the pairs of networks with equal seeds, sorted by seed."""
    by_seed = {network.seed: network for network in other}
    ordered = sorted(arm, key=lambda network: network.seed)
    return [(network, by_seed[network.seed]) for network in ordered if network.seed in by_seed]


def seed_differences(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str) -> FloatArray:
    """Return the score of the first network minus that of the second, for each pair `[S]`."""
    return np.array([one.value(metric) - other.value(metric) for one, other in pairs])


def resampled_differences(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str) -> FloatArray:
    """Return the score of the first network minus that of the second on each resample, `[B, S]`."""
    one, other = (np.stack([each.resampled[metric] for each in arm], axis=1) for arm in zip(*pairs, strict=True))
    return np.asarray(one - other, np.float64)


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


def _list_once(arm: Arm, other: Arm, pool: Sequence[Arm]) -> list[Arm]:
    """Return the two arms of a difference, the reference first, and those of the pool that are neither."""
    compared = {id(network) for network in (*arm, *other)}
    return [other, arm, *(each for each in pool if not any(id(network) in compared for network in each))]


def _pool_seeds(arms: Sequence[Arm], value: Callable[[ScoredNetwork], float]) -> PooledVariance | None:
    """Pool the variance between seeds of a value over arms, the reference first; None if their seeds differ."""
    scores = _score_seeds(arms, value)
    return None if scores is None else intervals.pool_seed_variance(scores)


def _score_seeds(arms: Sequence[Arm], value: Callable[[ScoredNetwork], float]) -> FloatArray | None:
    """Return a value of each arm and seed, `[A, S]`; None if the arms' seeds differ."""
    if len({frozenset(network.seed for network in arm) for arm in arms}) > 1:
        return None
    return np.array([[value(network) for network in sorted(arm, key=lambda network: network.seed)] for arm in arms])


def _least_variance(networks: Sequence[ScoredNetwork], metric: str) -> float:
    """Return the least variance of a difference between these networks in a score; 0 where it is undefined.

    One patient changes a score made of rates half as much as the rate of the patient's class, or more: the largest
    factor of a score by degrees, a quarter at 0.5, is then the least.
    """
    mean = float(np.mean([network.value(metric) for network in networks]))
    if metric in classification.OF_RATES and np.isfinite(mean):
        mean = 0.5
    patients = networks[0].patients.of_metric(metric)
    return intervals.least_variance(patients, mean, metric in classification.RATES) if np.isfinite(mean) else 0.0


def _influence(arm: Arm, metric: str) -> FloatArray:
    return np.stack([each.influence[metric] for each in arm], axis=1)


def _influence_differences(pairs: Sequence[tuple[ScoredNetwork, ScoredNetwork]], metric: str) -> FloatArray:
    """Return the influence on the first network's score minus that on the second's, `[G, S]`."""
    return _influence([one for one, _ in pairs], metric) - _influence([other for _, other in pairs], metric)
