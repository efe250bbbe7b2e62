"""Estimate the scores of arms and their differences to the baseline, with intervals, from scored networks."""

import math
from collections.abc import Mapping, Sequence

from xrayaug.data.arms import is_baseline, is_control
from xrayaug.errors import UsageError
from xrayaug.evaluation import comparison, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    Check,
    ConfidenceInterval,
    EvaluatedArm,
    MeanDifference,
    MetricIntervals,
    Question,
)
from xrayaug.stats import classification
from xrayaug.stats.classification import METRICS
from xrayaug.stats.intervals import Estimate

ScoredArms = Mapping[tuple[str, str], Mapping[str, Sequence[ScoredNetwork]]]
"""The networks of each arm sorted by seed, by level and threshold and then by the name of the arm."""


def find_baseline(arm: EvaluatedArm, arms: Sequence[EvaluatedArm]) -> EvaluatedArm | None:
    """Return the baseline of an arm, which is its own if it is one; None if there is none."""
    if arm.baseline is not None:
        return next((each for each in arms if each.name == arm.baseline), None)
    if arm.settings is None:
        return None
    return next((each for each in arms if each.settings and is_baseline(each.settings, arm.settings)), None)


def find_controls(arm: EvaluatedArm, arms: Sequence[EvaluatedArm]) -> list[EvaluatedArm]:
    """Return the controls of an arm, which are named or, if none are, those that its settings say."""
    if arm.controls is not None:
        return [each for each in arms if each.name in arm.controls]
    return [each for each in arms if each.settings and arm.settings and is_control(each.settings, arm.settings)]


def check_against(arms: Sequence[EvaluatedArm], against: str, hint: str) -> None:
    """Check that an arm has a control of equal size if arms are to be judged against them.

    Raises:
        UsageError: none has.
    """
    judged = [arm for arm in arms if arm.control is None]
    if against != "baseline" and not any(find_controls(arm, arms) for arm in judged):
        raise UsageError(f"--against {against}: no arm has a control of equal size", hint)


def find_pool(
    arm: EvaluatedArm, arms: Sequence[EvaluatedArm], networks: Mapping[str, Sequence[ScoredNetwork]]
) -> list[Sequence[ScoredNetwork]]:
    """Return the networks of the arms over which the variance between seeds is pooled: all of the arm's baseline.

    Controls are left out: their seeds may vary less, as they share no generator. So are arms of other seeds than the
    baseline, as their scores do not rise and fall with the others'; for such an arm nothing is pooled.
    """
    if not arm.is_paired:
        return []
    baseline = find_baseline(arm, arms)
    return [
        networks[each.name]
        for each in arms
        if each.control is None and each.is_paired and each != baseline and find_baseline(each, arms) == baseline
    ]


def estimate_scores(networks: Mapping[str, Sequence[ScoredNetwork]]) -> dict[str, MetricIntervals]:
    """Return the mean of every score of every arm with its 95 % interval; None where it is undefined."""
    return {
        name: {
            metric: ConfidenceInterval.from_estimate(
                comparison.estimate_score(members, metric), *classification.bounds(metric)
            )
            for metric in METRICS
        }
        for name, members in networks.items()
    }


def estimate_differences(
    arms: Sequence[EvaluatedArm], networks: Mapping[str, Sequence[ScoredNetwork]]
) -> dict[str, MetricIntervals]:
    """Return the difference of every arm but the baselines to its baseline in every score, with its 95 % interval."""
    differences: dict[str, MetricIntervals] = {}
    for arm in arms:
        baseline = find_baseline(arm, arms)
        if baseline is not None and baseline != arm:
            pair, pool = (networks[arm.name], networks[baseline.name]), find_pool(arm, arms, networks)
            differences[arm.name] = {
                metric: _to_interval(comparison.estimate_difference(*pair, metric, pool)) for metric in METRICS
            }
    return differences


def average_differences(
    arms: Sequence[EvaluatedArm], sets: Sequence[ScoredArms], question: Question
) -> list[MeanDifference]:
    """Return the mean over test sets of the difference of every arm to its baseline, with its 95 % interval.

    Args:
        arms: that are compared.
        sets: the networks on each test set; no patient is in two of them.
        question: of the evaluation.
    """
    means = []
    for arm in arms:
        baseline = find_baseline(arm, arms)
        if baseline is None or baseline == arm:
            continue
        by_set = [scored[question.level, HALF] for scored in sets]
        pairs = [(networks[arm.name], networks[baseline.name]) for networks in by_set]
        pools = [find_pool(arm, arms, networks) for networks in by_set]
        estimate = comparison.estimate_mean_difference(pairs, question.metric, pools)
        means.append(
            MeanDifference(
                arm.name, arm.control, _to_interval(estimate), None if estimate is None else estimate.p_value()
            )
        )
    return means


def check_specificity(arms: Sequence[EvaluatedArm], scored: ScoredArms, question: Question) -> list[Check]:
    """Check that no arm calls real normal test images abnormal more often than its baseline.

    Each 95 % interval is uncorrected, at 0.5 and at the thresholds chosen on validation. The result is unknown if no
    specificity falls significantly and an interval includes a fall larger than the margin.

    Returns:
        One check; none if there is no arm to compare with a baseline.
    """
    described: list[str] = []
    estimates: list[Estimate | None] = []
    for arm in arms:
        baseline = find_baseline(arm, arms)
        if arm.control is None and baseline is not None and baseline != arm:
            by_threshold = {
                described_as: comparison.estimate_difference(
                    scored[question.level, name][arm.name],
                    scored[question.level, name][baseline.name],
                    "specificity",
                    find_pool(arm, arms, scored[question.level, name]),
                )
                for name, described_as in ((HALF, "0.5"), (CHOSEN, "the chosen threshold"))
                if (question.level, name) in scored
            }
            estimates += by_threshold.values()
            listed = ", ".join(f"{_format(each)} at {threshold}" for threshold, each in by_threshold.items())
            described.append(f"{arm.name}: {listed}")
    has_fallen = any(each is not None and verdict.is_significant(each) and each.value < 0 for each in estimates)
    may_have_fallen = any(each is None or each.interval()[0] < -question.margin for each in estimates)
    passed = False if has_fallen else None if may_have_fallen else True
    sentence = "difference to the baseline in specificity on real normal test images: " + "; ".join(described)
    return [Check("real normals", passed, sentence)] if described else []


def _to_interval(estimate: Estimate | None) -> ConfidenceInterval | None:
    return ConfidenceInterval.from_estimate(estimate, -math.inf, math.inf)


def _format(estimate: Estimate | None) -> str:
    if estimate is None:
        return "undefined"
    low, high = estimate.interval()
    return f"{estimate.value:+.3f} ({low:+.3f} to {high:+.3f})"
