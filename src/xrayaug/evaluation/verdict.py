"""Decide from the differences to the baseline whether each arm helps, hurts, is equivalent, or cannot be judged.

An arm helps or hurts if the difference is significant at 5 % after Holm's correction over the arms; it is equivalent if
two one-sided tests, corrected in the same way, show that the difference lies within the margin. If both hold, the
difference is real but too small to matter, and the verdict is that the arm is equivalent. docs/explanation/verdict.md
has the formulas, and docs/explanation/power.md the simulations.
"""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from xrayaug.data.arms import MIXED_PRETRAIN, PRETRAIN, REWEIGHT, SYNTHETIC_ONLY, TOGETHER
from xrayaug.evaluation.results import ConfidenceInterval, ControlComparison, PriorShift
from xrayaug.runtime.console import UNDEFINED
from xrayaug.stats import paired_tests
from xrayaug.stats.intervals import ALPHA, Estimate

HELPS, HURTS, EQUIVALENT, UNCLEAR = "helps", "hurts", "equivalent", "cannot-tell"
DISPLAY_NAMES = {
    HELPS: "helps",
    HURTS: "hurts",
    EQUIVALENT: "no difference larger than the margin",
    UNCLEAR: "cannot tell",
}
MIN_SEEDS = 2  # the variance between trainings cannot be estimated from one seed
MIN_PRIOR_SHIFT = 0.01  # smallest change in the share of normal training images that counts as a shift
CONTROL_IMAGES = {  # what the controls add
    "duplicate": "duplicates of real images",
    "classical": "classically augmented copies of real images",
    "shuffle": "synthetic images with shuffled labels",
    "low-resolution": "duplicates of real images at the resolution of the synthetic ones",
    "more-real": "as many further real images",
}
CONTROL_USES = {  # what they do with it, by schedule
    TOGETHER: "adding {}",
    SYNTHETIC_ONLY: "training on {} alone",
    PRETRAIN: "pretraining on {}",
    MIXED_PRETRAIN: "adding {} in the first phase",
}


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Decision:
    """The verdict on one arm and the corrected p-values behind it."""

    verdict: str
    p_different: float | None
    p_equivalent: float | None


def decide(differences: Mapping[Key, Estimate | None], margin: float) -> dict[Key, Decision]:
    """Decide on all arms together, by name, or by test set and name.

    Args:
        differences: to the baseline, in a score of which a higher value is better; None if there is none.
        margin: the largest difference that does not matter.
    """
    tested = {name: each for name, each in differences.items() if each and each.seeds >= MIN_SEEDS}
    p_different = paired_tests.holm({name: each.p_value() for name, each in tested.items()})
    p_equivalent = paired_tests.holm({name: each.p_equivalent(margin) for name, each in tested.items()})
    return {
        name: Decision(
            _choose_verdict(tested[name], p_different[name], p_equivalent[name]), p_different[name], p_equivalent[name]
        )
        if name in tested
        else Decision(UNCLEAR, None, None)
        for name in differences
    }


def explain(decision: Decision, difference: Estimate | None, metric: str, margin: float) -> str:
    """Return the reason for a decision in one sentence."""
    if difference is None:
        return (
            f"the difference in {metric} cannot be estimated: there is no baseline (an arm of 0 %) with a common seed, "
            "the score is undefined, or one class has a single patient"
        )
    level = 2 * ALPHA if decision.verdict == EQUIVALENT else ALPHA  # two one-sided tests are the 90 % interval
    low, high = difference.interval(level)
    interval = f"{100 * (1 - level):.0f} % interval {low:+.3f} to {high:+.3f}"
    if difference.seeds < MIN_SEEDS:
        return (
            f"the difference in {metric} cannot be tested with one seed, which shows no variation between trainings: "
            f"{difference.value:+.3f} ({interval}, over patients only)"
        )
    conclusion = _describe_conclusion(decision, difference, margin)
    return f"the difference in {metric} is {conclusion}: {difference.value:+.3f} ({interval}, {difference.seeds} seeds)"


def judge_prior_shift(
    shares: tuple[float, float],
    call_rate: Estimate | None,
    accuracies: tuple[Estimate | None, Estimate | None],
    auroc: Estimate | None,
) -> PriorShift:
    """Judge whether a shifted class prior alone can explain the difference of an arm.

    It can if the prior shifted, the rate at which the network calls images abnormal at 0.5 changed in the direction
    that this prior implies, and neither the accuracy at a threshold chosen on validation nor the area under the ROC
    curve differs significantly from the baseline's: the network ranks images as before and only decides at another
    point (Saerens et al. 2002, Neural Computation 14:21). Each interval is of 95 %, uncorrected.

    Args:
        shares: of normal images in the arm's training set, and in the baseline's.
        call_rate: difference in the rate of calling images abnormal at 0.5, `comparison.estimate_call_rate_difference`.
        accuracies: differences in accuracy, at 0.5 and at the thresholds chosen on validation.
        auroc: difference in the area under the ROC curve.
    """
    share, baseline_share = shares
    shifted = abs(share - baseline_share) >= MIN_PRIOR_SHIFT
    has_expected_sign = call_rate is not None and call_rate.value * (share - baseline_share) < 0
    explains_difference = (
        shifted
        and has_expected_sign
        and is_significant(call_rate)
        and not is_significant(accuracies[1])
        and not is_significant(auroc)
    )
    sentence = _describe_prior_shift(shares, call_rate, accuracies[0]) if explains_difference and call_rate else ""
    interval = ConfidenceInterval.from_estimate(call_rate, -math.inf, math.inf)
    return PriorShift(share, baseline_share, shifted, explains_difference, interval, sentence)


def compare_with_control(
    name: str,
    schedule: str,
    arm_effect: Estimate | None,
    control_effect: Estimate | None,
    difference: Estimate | None,
) -> ControlComparison:
    """Judge whether a control of equal size explains the effect of an arm.

    The relation is `explains` if both differences to the baseline have the same sign and intervals without 0, and arm
    and control do not differ significantly; `differs` if they do, and the sentence says which of them scores higher;
    else `cannot-tell`.

    Args:
        name: of the control, such as `duplicate`.
        schedule: of the arm and of the control, such as `mixed`.
        arm_effect: the arm's difference to the baseline.
        control_effect: the control's difference to the baseline.
        difference: the arm's difference to the control.
    """
    same_sign = arm_effect is not None and control_effect is not None and arm_effect.value * control_effect.value > 0
    if difference is not None and is_significant(difference):
        higher = "higher" if difference.value > 0 else "lower"
        relation, sentence = "differs", f"the arm scores significantly {higher} than the control '{name}'"
    elif same_sign and is_significant(arm_effect) and is_significant(control_effect):
        relation, sentence = "explains", explain_by_control(name, schedule)
    else:
        relation, sentence = "cannot-tell", f"the arm does not differ significantly from the control '{name}'"
    interval = ConfidenceInterval.from_estimate(difference, -math.inf, math.inf)
    return ControlComparison(name, relation, sentence, interval)


def explain_by_control(name: str, schedule: str) -> str:
    """Return the sentence that a control, used by this schedule, has the effect of its arm."""
    if name == REWEIGHT:
        use = f"reweighting the classes{' in the first phase' if schedule == MIXED_PRETRAIN else ''}"
    else:
        use = CONTROL_USES[schedule].format(CONTROL_IMAGES[name])
    return f"{use} has the same effect"


def is_significant(difference: Estimate | None) -> bool:
    """Return whether the 95 % interval leaves out 0."""
    return difference is not None and abs(difference.value) >= difference.half_width(ALPHA)


def _describe_prior_shift(shares: tuple[float, float], call_rate: Estimate, accuracy: Estimate | None) -> str:
    low, high = call_rate.interval()
    changed = f", which changes the accuracy at 0.5 by {accuracy.value:+.3f}" if accuracy else ""
    return (
        f"a shifted class prior alone can explain the difference: training had {shares[0]:.0%} normal images instead "
        f"of {shares[1]:.0%}; at the threshold 0.5 the network calls {'fewer' if call_rate.value < 0 else 'more'} "
        f"images abnormal ({call_rate.value:+.3f} with both classes weighted equally, 95 % interval {low:+.3f} to "
        f"{high:+.3f}){changed}; neither the accuracy at the threshold chosen on validation nor the AUROC differs "
        "significantly from the baseline"
    )


def _choose_verdict(difference: Estimate, p_different: float, p_equivalent: float) -> str:
    if p_equivalent <= ALPHA:
        return EQUIVALENT
    if p_different <= ALPHA:
        return HELPS if difference.value > 0 else HURTS
    return UNCLEAR


def _describe_conclusion(decision: Decision, difference: Estimate, margin: float) -> str:
    """Return what the tests show, to continue "the difference is"."""
    p_different, p_equivalent = format_p(decision.p_different), format_p(decision.p_equivalent)
    if decision.verdict == EQUIVALENT:
        has_effect = decision.p_different is not None and decision.p_different <= ALPHA
        significant = "statistically significant, but " if has_effect else ""
        return f"{significant}within ±{margin:g} and too small to matter (equivalence p {p_equivalent})"
    if decision.verdict == UNCLEAR:
        corrected = " after correction for several arms" if is_significant(difference) else ""
        return f"neither statistically significant{corrected} (p {p_different}) nor shown to be within ±{margin:g}"
    return f"statistically significant (p {p_different})"


def format_p(p_value: float | None) -> str:
    """Format a p-value with its relation sign: `= 0.012`, `< 0.001`."""
    if p_value is None:
        return UNDEFINED
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
