"""Decide from the differences to the baseline whether each arm helps, hurts, is equivalent, or whether that is unclear.

An arm helps or hurts if the difference is significant at 5 % after Holm's correction over the arms; it is equivalent if
two one-sided tests, corrected in the same way, show that the difference lies within the margin. If both hold, the
difference is real but too small to matter, and the verdict is that the arm is equivalent. docs/explanation/verdict.md
has the formulas, and docs/explanation/power.md the simulations.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from xrayaug.evaluation.results import ControlComparison, Interval, PriorShift
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
MIN_PRIOR_SHIFT = 0.01  # of the share of normal training images, to count as moved
CONTROL_SENTENCES = {
    "duplicate": "repeating real images does the same",
    "classical": "classically augmented copies do the same",
    "reweight": "weighing the classes alike does the same",
    "shuffle": "synthetic images with random labels do the same",
}


@dataclass(frozen=True)
class Decision:
    """The verdict on one arm and the corrected p-values behind it."""

    verdict: str
    p_different: float | None
    p_equivalent: float | None


def decide(differences: Mapping[str, Estimate | None], margin: float) -> dict[str, Decision]:
    """Decide on every arm together, by name.

    Args:
        differences: to the baseline, in a score of which a higher value is better; None if there is none.
        margin: the largest difference that does not matter.
    """
    usable = {name: found for name, found in differences.items() if found and found.seeds >= MIN_SEEDS}
    different = paired_tests.holm({name: found.p_value() for name, found in usable.items()})
    equivalent = paired_tests.holm({name: found.p_equivalent(margin) for name, found in usable.items()})
    return {
        name: Decision(_verdict(usable[name], different[name], equivalent[name]), different[name], equivalent[name])
        if name in usable
        else Decision(UNCLEAR, None, None)
        for name in differences
    }


def reason(decision: Decision, difference: Estimate | None, metric: str, margin: float) -> str:
    """Return the reason for a decision in one sentence."""
    if difference is None:
        return "there is no arm of 0 % with a seed in common, the score is undefined, or a class is of one patient"
    level = 2 * ALPHA if decision.verdict == EQUIVALENT else ALPHA  # two one-sided tests are the 90 % interval
    low, high = difference.interval(level)
    confidence = f"{100 * (1 - level):.0f} % interval"
    measured = f"{metric} differs by {difference.value:+.3f} ({confidence} {low:+.3f} to {high:+.3f})"
    if difference.seeds < MIN_SEEDS:
        return f"{measured}, over patients alone: one seed shows nothing of what training leaves to chance"
    return f"{measured} over {difference.seeds} seeds, {_explain(decision, difference, margin)}"


def judge_prior_shift(
    shares: tuple[float, float],
    calls: Estimate | None,
    accuracies: tuple[Estimate | None, Estimate | None],
    auroc: Estimate | None,
) -> PriorShift:
    """Judge whether a moved class prior alone explains what an arm changes.

    It does if the prior moved, the rate at which the network calls images abnormal at 0.5 changed in the direction that
    this prior implies, and neither the accuracy at a threshold chosen on validation nor the area under the ROC curve
    differs significantly from the baseline's: the network ranks images as before and only decides at another point
    (Saerens et al. 2002, Neural Computation 14:21). Each interval is of 95 %, uncorrected.

    Args:
        shares: of normal images in the arm's training set, and in the baseline's.
        calls: difference in the rate of calling images abnormal at 0.5, `comparison.estimate_call_rate_difference`.
        accuracies: differences in accuracy, at 0.5 and at the thresholds chosen on validation.
        auroc: difference in the area under the ROC curve.
    """
    share, of_baseline = shares
    moved = abs(share - of_baseline) >= MIN_PRIOR_SHIFT
    as_expected = calls is not None and is_significant(calls) and calls.value * (share - of_baseline) < 0
    alone = moved and as_expected and not is_significant(accuracies[1]) and not is_significant(auroc)
    sentence = _describe_prior_shift(shares, calls, accuracies[0]) if alone and calls else ""
    interval = Interval.from_estimate(calls, -math.inf, math.inf)
    return PriorShift(share, of_baseline, moved, alone, interval, sentence)


def compare_with_control(
    name: str, of_arm: Estimate | None, of_control: Estimate | None, apart: Estimate | None
) -> ControlComparison:
    """Judge whether a control of equal size explains what an arm does.

    The relation is `explains` if both differences to the baseline have the same sign and intervals without 0, and arm
    and control do not differ significantly; `apart` if they do, and the sentence says which of them scores higher; else
    `cannot-tell`.

    Args:
        name: of the control, such as `duplicate`.
        of_arm: the arm's difference to the baseline.
        of_control: the control's difference to the baseline.
        apart: the arm's difference to the control.
    """
    same_way = of_arm is not None and of_control is not None and of_arm.value * of_control.value > 0
    if apart is not None and is_significant(apart):
        higher = "higher" if apart.value > 0 else "lower"
        relation, sentence = "apart", f"it scores {higher} than the control '{name}'"
    elif same_way and is_significant(of_arm) and is_significant(of_control):
        relation, sentence = "explains", CONTROL_SENTENCES.get(name, f"the control '{name}' does the same")
    else:
        relation, sentence = "cannot-tell", f"it cannot be told from the control '{name}'"
    return ControlComparison(name, relation, sentence, Interval.from_estimate(apart, -math.inf, math.inf))


def is_significant(difference: Estimate | None) -> bool:
    """Return whether the 95 % interval leaves out 0."""
    return difference is not None and abs(difference.value) >= difference.half_width(ALPHA)


def _describe_prior_shift(shares: tuple[float, float], calls: Estimate, at_half: Estimate | None) -> str:
    low, high = calls.interval()
    accuracy = f", which changes the accuracy there by {at_half.value:+.3f}" if at_half else ""
    return (
        f"as a moved prior alone would have it, it calls {'fewer' if calls.value < 0 else 'more'} images abnormal at "
        f"the threshold 0.5 ({calls.value:+.3f} of both classes alike, {low:+.3f} to {high:+.3f}){accuracy}, and "
        "neither the accuracy at the threshold chosen on validation nor the AUROC is told from the baseline's: "
        f"training had {shares[0]:.0%} normal images instead of {shares[1]:.0%}"
    )


def _verdict(difference: Estimate, different: float, equivalent: float) -> str:
    if equivalent <= ALPHA:
        return EQUIVALENT
    if different <= ALPHA:
        return HELPS if difference.value > 0 else HURTS
    return UNCLEAR


def _explain(decision: Decision, difference: Estimate, margin: float) -> str:
    if decision.verdict == EQUIVALENT:
        real = decision.p_different is not None and decision.p_different <= ALPHA
        return f"shown to lie within ±{margin:g} (p {format_p(decision.p_equivalent)})" + (
            ": real, but too small to matter" if real else ""
        )
    if decision.verdict == UNCLEAR:
        corrected = " after correction for several arms" if is_significant(difference) else ""
        return (
            f"neither told from 0{corrected} (p {format_p(decision.p_different)}) nor shown to lie within ±{margin:g}"
        )
    return f"told from 0 (p {format_p(decision.p_different)})"


def format_p(p_value: float | None) -> str:
    """Format a p-value with its relation sign: `= 0.012`, `< 0.001`."""
    if p_value is None:
        return "--"
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
