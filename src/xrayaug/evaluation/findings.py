"""Estimate intervals and differences to the baseline from scored networks, and conclude with a verdict on every arm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xrayaug.data.arms import is_baseline, is_control
from xrayaug.errors import VerdictError
from xrayaug.evaluation import checks, comparison, verdict
from xrayaug.evaluation.comparison import ScoredNetwork
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    VERDICT_FILE,
    ArmVerdict,
    BootstrapInterval,
    Check,
    ConfidenceInterval,
    ControlComparison,
    Difference,
    EvaluatedArm,
    MeanDifference,
    MetricIntervals,
    PriorShift,
    Question,
    SignFlip,
    Verdict,
)
from xrayaug.evaluation.verdict import Decision
from xrayaug.stats import classification, intervals, paired_tests, power
from xrayaug.stats.classification import METRICS
from xrayaug.stats.intervals import Estimate

RANGES = {"kappa": (-1.0, 1.0)}  # of scores that do not lie in [0, 1]

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
    """Return the controls of an arm."""
    return [each for each in arms if each.settings and arm.settings and is_control(each.settings, arm.settings)]


def estimate_scores(networks: Mapping[str, Sequence[ScoredNetwork]]) -> dict[str, MetricIntervals]:
    """Return the mean of every score of every arm with its 95 % interval; None where it is undefined."""
    return {
        name: {
            metric: ConfidenceInterval.from_estimate(
                comparison.estimate_score(members, metric), *RANGES.get(metric, (0.0, 1.0))
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
            pair = networks[arm.name], networks[baseline.name]
            differences[arm.name] = {
                metric: _to_interval(comparison.estimate_difference(*pair, metric)) for metric in METRICS
            }
    return differences


def conclude(
    arms: Sequence[EvaluatedArm], scored: ScoredArms, question: Question, study_checks: Sequence[Check]
) -> Verdict:
    """Return the verdict on every arm but the baselines, with the checks it rests on.

    Controls are corrected separately from the arms, so that adding a control costs the arms no power.
    """
    return conclude_together(arms, [(scored, study_checks)], question)[0]


def conclude_together(
    arms: Sequence[EvaluatedArm], sets: Sequence[tuple[ScoredArms, Sequence[Check]]], question: Question
) -> list[Verdict]:
    """Return the verdicts on every arm on several test sets, corrected for all arms on all of these sets.

    Args:
        arms: that are compared.
        sets: the networks on each test set, and the checks of it.
        question: of the evaluation.
    """
    judged = [arm for arm in arms if find_baseline(arm, arms) != arm]
    judges = [_ArmJudge(arms, scored, question) for scored, _ in sets]
    differences = {
        (place, arm.name): judge.difference(arm, question.metric)
        for place, judge in enumerate(judges)
        for arm in judged
    }
    decisions: dict[tuple[int, str], Decision] = {}
    comparisons: dict[tuple[int, str], int] = {}
    for of_controls in (False, True):
        family = {
            (place, arm.name): differences[place, arm.name]
            for place in range(len(sets))
            for arm in judged
            if (arm.control is not None) == of_controls
        }
        decisions |= verdict.decide(family, question.margin)
        comparisons |= dict.fromkeys(family, len(family))
    verdicts = []
    for place, (judge, (_, study_checks)) in enumerate(zip(judges, sets, strict=True)):
        failure = checks.find_critical_failure(study_checks)
        arm_verdicts = []
        for arm in judged:
            key = place, arm.name
            arm_verdicts.append(judge.judge_arm(arm, differences[key], decisions[key], comparisons[key], failure))
        verdicts.append(
            Verdict(
                question,
                threshold=HALF,
                confidence=1 - intervals.ALPHA,
                valid=failure is None,
                checks=study_checks,
                arms=arm_verdicts,
            )
        )
    return verdicts


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
        estimate = comparison.estimate_mean_difference(pairs, question.metric)
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
                    scored[question.level, name][arm.name], scored[question.level, name][baseline.name], "specificity"
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


def demand(verdicts: Verdict, wanted: str | None) -> None:
    """Check the verdicts on the arms that are no controls against `--fail-unless`.

    Raises:
        VerdictError: no arm has the verdict that is wanted.
    """
    arms = [arm for arm in verdicts.arms if arm.control is None]
    if wanted is not None and all(arm.verdict != wanted for arm in arms):
        listed = ", ".join(f"{arm.arm}: {verdict.DISPLAY_NAMES[arm.verdict]}" for arm in arms)
        raise VerdictError(
            f"no arm has the verdict '{wanted}': {listed or 'no arm was judged'}", f"the reasons are in {VERDICT_FILE}"
        )


@dataclass(frozen=True)
class _ArmJudge:
    """All arms, their scored networks, and the question."""

    arms: Sequence[EvaluatedArm]
    scored: ScoredArms
    question: Question

    def difference(self, arm: EvaluatedArm, metric: str, threshold: str = HALF) -> Estimate | None:
        """Estimate the difference of an arm to its baseline; None if there is none."""
        baseline = find_baseline(arm, self.arms)
        if baseline is None:
            return None
        networks = self.scored[self.question.level, threshold]
        return comparison.estimate_difference(networks[arm.name], networks[baseline.name], metric)

    def judge_arm(
        self,
        arm: EvaluatedArm,
        difference: Estimate | None,
        decision: Decision,
        comparisons: int,
        failure: Check | None,
    ) -> ArmVerdict:
        """Return the verdict on one arm, one of so many comparisons; it is unclear if a critical check fails."""
        baseline = find_baseline(arm, self.arms)
        shift = self._judge_prior_shift(arm)
        controls = self._compare_with_controls(arm, difference)
        metric = classification.display_name(self.question.metric)
        reasons = [verdict.explain(decision, difference, metric, self.question.margin)]
        if decision.verdict in (verdict.HELPS, verdict.HURTS):
            reasons += [control.sentence for control in controls]
        return ArmVerdict(
            arm=arm.name,
            control=arm.control,
            baseline=baseline.name if baseline else None,
            verdict=verdict.UNCLEAR if failure else decision.verdict,
            reason="; ".join(
                filter(None, [failure.sentence if failure else "", *reasons, shift.sentence if shift else ""])
            ),
            difference=self._describe_difference(arm, difference, decision, comparisons) if difference else None,
            pairs=[comparison.compare_pair(*pair) for pair in self._pairs(arm)],
            prior_shift=shift,
            controls=controls,
        )

    def _describe_difference(
        self, arm: EvaluatedArm, difference: Estimate, decision: Decision, comparisons: int
    ) -> Difference:
        """Return the difference that decides, with all p-values, the interval of the bootstrap and the sign flip."""
        pairs, metric = self._pairs(arm), self.question.metric
        seed_differences = comparison.seed_differences(pairs, metric)
        low, high = intervals.percentile_interval(comparison.resampled_differences(pairs, metric), self.question.seed)
        sign_flip = SignFlip(*paired_tests.sign_flip(seed_differences))
        bounds = difference.interval()
        return Difference(
            difference.value,
            *bounds,
            seeds=difference.seeds,
            standard_error=difference.error,
            seed_variance=difference.seed_variance,
            patient_variance=difference.patient_variance,
            p=difference.p_value(),
            p_holm=decision.p_different,
            p_equivalent=difference.p_equivalent(self.question.margin),
            p_equivalent_holm=decision.p_equivalent,
            bootstrap=BootstrapInterval("percentile", low, high),
            sign_flip=sign_flip,
            seed_differences={one.seed: float(value) for (one, _), value in zip(pairs, seed_differences, strict=True)},
            detectable_difference=(
                power.detectable_difference(difference, comparisons) if difference.seeds >= verdict.MIN_SEEDS else None
            ),
        )

    def _judge_prior_shift(self, arm: EvaluatedArm) -> PriorShift | None:
        """Judge whether a shifted class prior explains the difference; None where that cannot be known."""
        baseline = find_baseline(arm, self.arms) or arm
        has_chosen = (self.question.level, CHOSEN) in self.scored
        if arm.share_normal is None or baseline.share_normal is None or not has_chosen:
            return None
        return verdict.judge_prior_shift(
            (arm.share_normal, baseline.share_normal),
            self._call_rate_difference(arm),
            (self.difference(arm, "accuracy"), self.difference(arm, "accuracy", CHOSEN)),
            self.difference(arm, "auroc"),
        )

    def _call_rate_difference(self, arm: EvaluatedArm) -> Estimate | None:
        baseline, networks = find_baseline(arm, self.arms), self.scored[self.question.level, HALF]
        if baseline is None:
            return None
        return comparison.estimate_call_rate_difference(networks[arm.name], networks[baseline.name])

    def _compare_with_controls(self, arm: EvaluatedArm, difference: Estimate | None) -> list[ControlComparison]:
        """Compare an arm with its controls."""
        networks, metric = self.scored[self.question.level, HALF], self.question.metric
        return [
            verdict.compare_with_control(
                str(each.settings.control),
                each.settings.schedule,
                difference,
                self.difference(each, metric),
                comparison.estimate_difference(networks[arm.name], networks[each.name], metric),
            )
            for each in find_controls(arm, self.arms)
            if each.settings is not None
        ]

    def _pairs(self, arm: EvaluatedArm) -> list[tuple[ScoredNetwork, ScoredNetwork]]:
        baseline, networks = find_baseline(arm, self.arms), self.scored[self.question.level, HALF]
        return comparison.pair_by_seed(networks[arm.name], networks[baseline.name]) if baseline else []


def _to_interval(estimate: Estimate | None) -> ConfidenceInterval | None:
    return ConfidenceInterval.from_estimate(estimate, -math.inf, math.inf)


def _format(estimate: Estimate | None) -> str:
    if estimate is None:
        return "undefined"
    low, high = estimate.interval()
    return f"{estimate.value:+.3f} ({low:+.3f} to {high:+.3f})"
