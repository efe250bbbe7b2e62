"""Measured arms -> what stands in an evaluation: intervals, differences to the baseline, the verdict on every arm."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from xrayaug.errors import VerdictError
from xrayaug.evaluation import comparison, validity, verdict
from xrayaug.evaluation.comparison import Measured
from xrayaug.evaluation.validity import Check
from xrayaug.evaluation.verdict import Decision
from xrayaug.stats import classification, intervals, paired_tests
from xrayaug.stats.classification import METRICS
from xrayaug.stats.intervals import Estimate

RANGES = {"kappa": (-1.0, 1.0)}  # of scores that do not lie in [0, 1]
HALF, CHOSEN = "half", "chosen"  # thresholds: 0.5, and that of the greatest balanced accuracy on validation

Measurements = Mapping[tuple[str, str], Mapping[str, Sequence[Measured]]]
"""By level and threshold, then by the arm's name: its networks, by seed."""


@dataclass(frozen=True)
class Arm:
    """What an arm is."""

    name: str
    percent: float
    real_fraction: float
    label: str | None
    control: str | None
    share_normal: float  # of its training images


@dataclass(frozen=True)
class Question:
    """What is asked of the arms: by which score, of what, and which difference does not matter."""

    metric: str
    level: str
    margin: float
    seed: int


def baseline_of(arm: Arm, arms: Sequence[Arm]) -> Arm | None:
    """The arm of the same real images with nothing added; None where it is not there."""
    same = (each for each in arms if each.real_fraction == arm.real_fraction)
    return next((each for each in same if each.percent == 0 and each.control is None), None)


def controls_of(arm: Arm, arms: Sequence[Arm]) -> list[Arm]:
    """The controls of the same size: what is to be judged left out."""
    return [
        each
        for each in arms
        if each.control is not None
        and (each.real_fraction, each.percent) == (arm.real_fraction, arm.percent)
        and each.label in (arm.label, None)
    ]


def intervals_of(measured: Mapping[str, Sequence[Measured]]) -> dict[str, dict[str, Any]]:
    """Every arm's mean of every score with its 95 % interval; None where it is undefined."""
    return {
        name: {metric: _told(comparison.of_arm(arm, metric), *RANGES.get(metric, (0.0, 1.0))) for metric in METRICS}
        for name, arm in measured.items()
    }


def differences_of(arms: Sequence[Arm], measured: Mapping[str, Sequence[Measured]]) -> dict[str, dict[str, Any]]:
    """Every arm's difference to its baseline in every score, likewise; nothing for a baseline."""
    found: dict[str, dict[str, Any]] = {}
    for arm in arms:
        baseline = baseline_of(arm, arms)
        if baseline is not None and baseline != arm:
            pair = measured[arm.name], measured[baseline.name]
            found[arm.name] = {metric: _told(comparison.of_difference(*pair, metric)) for metric in METRICS}
    return found


def conclude(
    arms: Sequence[Arm], measurements: Measurements, question: Question, checks: Sequence[Check]
) -> dict[str, Any]:
    """The verdict on every arm but the baselines, with the checks beside it.

    Controls are decided on apart from the arms, so that adding one does not make the others' correction harder.
    """
    study = _Study(arms, measurements, question)
    judged = [arm for arm in arms if baseline_of(arm, arms) != arm]
    differences = {arm.name: study.difference(arm, question.metric) for arm in judged}
    decisions: dict[str, Decision] = {}
    for group in (True, False):
        of_group = {arm.name: differences[arm.name] for arm in judged if (arm.control is None) == group}
        decisions |= verdict.decide(of_group, question.margin)
    grave = validity.gravest(checks)
    return {
        **asdict(question),
        "threshold": HALF,
        "confidence": 1 - intervals.LEVEL,
        "valid": grave is None,
        "checks": [asdict(check) for check in checks],
        "arms": [study.told(arm, differences[arm.name], decisions[arm.name], grave) for arm in judged],
    }


def specificity_check(arms: Sequence[Arm], measurements: Measurements, question: Question) -> list[Check]:
    """Whether arms call real normal test images abnormal more often than their baselines; none without such arms.

    Each 95 % interval is uncorrected, at 0.5 and at the thresholds chosen on validation. Where no interval shows a fall
    and one does not leave out a fall that matters, it is unknown.
    """
    told: list[str] = []
    estimates: list[Estimate | None] = []
    for arm in arms:
        baseline = baseline_of(arm, arms)
        if arm.control is None and baseline is not None and baseline != arm:
            pairs = [(at, measurements[question.level, at]) for at in (HALF, CHOSEN)]
            found = {at: comparison.of_difference(of[arm.name], of[baseline.name], "specificity") for at, of in pairs}
            estimates += found.values()
            told.append(f"{arm.name}: {_bounds(found[HALF])} at 0.5, {_bounds(found[CHOSEN])} at the one chosen")
    fall = any(each is not None and verdict.is_apart(each) and each.value < 0 for each in estimates)
    unseen = any(each is None or each.interval()[0] < -question.margin for each in estimates)
    holds = False if fall else None if unseen else True
    sentence = "specificity on real normal test images, difference to 0 by threshold: " + "; ".join(told)
    return [Check("real normals", holds, sentence)] if told else []


def demand(found: Mapping[str, Any], wanted: str | None) -> None:
    """Hold the verdict, as `conclude` gives it, to `--fail-unless`.

    Raises:
        VerdictError: no arm does what is wanted.
    """
    arms = [each for each in found["arms"] if each["control"] is None]
    if wanted is not None and not any(each["verdict"] == wanted for each in arms):
        said = ", ".join(f"{each['arm']}: {verdict.SAID[each['verdict']]}" for each in arms) or "there is none to judge"
        raise VerdictError(f"no arm {wanted}: {said}", "the reasons are in verdict.json")


@dataclass(frozen=True)
class _Study:
    """All arms, what was measured of them, and what is asked."""

    arms: Sequence[Arm]
    measurements: Measurements
    question: Question

    def difference(self, arm: Arm, metric: str, threshold: str = HALF) -> Estimate | None:
        """To the baseline; None where there is none."""
        baseline = baseline_of(arm, self.arms)
        if baseline is None:
            return None
        measured = self.measurements[self.question.level, threshold]
        return comparison.of_difference(measured[arm.name], measured[baseline.name], metric)

    def told(self, arm: Arm, difference: Estimate | None, decision: Decision, grave: Check | None) -> dict[str, Any]:
        """All that is said of one arm."""
        baseline = baseline_of(arm, self.arms)
        shift = self._prior_shift(arm)
        controls = self._controls(arm, difference)
        reasons = [
            verdict.reason(decision, difference, classification.plain(self.question.metric), self.question.margin)
        ]
        if decision.verdict in (verdict.HELPS, verdict.HURTS):
            reasons += [control["sentence"] for control in controls]
        return {
            "arm": arm.name,
            "control": arm.control,
            "baseline": baseline and baseline.name,
            "verdict": verdict.UNCLEAR if grave else decision.verdict,
            "reason": "; ".join(filter(None, [grave.sentence if grave else "", *reasons, shift["sentence"]])),
            "difference": difference and self._detailed(arm, difference, decision),
            "pairs": [comparison.tests_of(*pair) for pair in self._pairs(arm)],
            "prior_shift": shift,
            "controls": controls,
        }

    def _detailed(self, arm: Arm, difference: Estimate, decision: Decision) -> dict[str, Any]:
        """The difference that decides, with every p-value, and the bootstrap's interval and the sign flip beside it."""
        pairs, metric = self._pairs(arm), self.question.metric
        of_seeds = comparison.differences(pairs, metric)
        low, high = intervals.percentile(comparison.resampled_differences(pairs, metric), self.question.seed)
        flipped, smallest = paired_tests.sign_flip(of_seeds)
        return difference.told() | {
            "standard_error": difference.error,
            "variance_of_seeds": difference.of_seeds,
            "variance_of_patients": difference.of_patients,
            "p": difference.p_value(),
            "p_holm": decision.p_different,
            "p_equivalent": difference.p_equivalent(self.question.margin),
            "p_equivalent_holm": decision.p_equivalent,
            "bootstrap": {"kind": "percentile", "low": low, "high": high},
            "sign_flip": {"p": flipped, "smallest": smallest},
            "of_seeds": {str(one.seed): float(each) for (one, _), each in zip(pairs, of_seeds, strict=True)},
        }

    def _prior_shift(self, arm: Arm) -> dict[str, Any]:
        baseline = baseline_of(arm, self.arms) or arm
        return verdict.prior_shift(
            (arm.share_normal, baseline.share_normal),
            self._calls(arm),
            (self.difference(arm, "accuracy"), self.difference(arm, "accuracy", CHOSEN)),
            self.difference(arm, "auroc"),
        )

    def _calls(self, arm: Arm) -> Estimate | None:
        baseline, measured = baseline_of(arm, self.arms), self.measurements[self.question.level, HALF]
        return comparison.of_calls(measured[arm.name], measured[baseline.name]) if baseline else None

    def _controls(self, arm: Arm, difference: Estimate | None) -> list[dict[str, Any]]:
        """What the controls of the same size say of an arm that is none itself."""
        measured, metric = self.measurements[self.question.level, HALF], self.question.metric
        if arm.control is not None:
            return []
        return [
            verdict.control(
                str(each.control),
                difference,
                self.difference(each, metric),
                comparison.of_difference(measured[arm.name], measured[each.name], metric),
            )
            for each in controls_of(arm, self.arms)
        ]

    def _pairs(self, arm: Arm) -> list[tuple[Measured, Measured]]:
        baseline, measured = baseline_of(arm, self.arms), self.measurements[self.question.level, HALF]
        return comparison.pairs_of(measured[arm.name], measured[baseline.name]) if baseline else []


def _bounds(estimate: Estimate | None) -> str:
    if estimate is None:
        return "undefined"
    low, high = estimate.interval()
    return f"{estimate.value:+.3f} ({low:+.3f} to {high:+.3f})"


def _told(estimate: Estimate | None, least: float = -math.inf, most: float = math.inf) -> dict[str, Any] | None:
    """An estimate for the result; its interval ends where a score does, which is no less often right."""
    if estimate is None:
        return None
    told = estimate.told()
    return told | {"low": max(told["low"], least), "high": min(told["high"], most)}
