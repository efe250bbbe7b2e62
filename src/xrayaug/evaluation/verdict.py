"""Differences to the baseline -> what each arm does: helps, hurts, makes no difference that matters, or cannot be told.

An arm helps or hurts where the difference is significant at 5 % after Holm's correction over the arms; it makes no
difference larger than the margin where two one-sided tests say so, corrected in the same way. Where both hold, the
difference is real and too small to matter, and the second is said. docs/verdict.md has the maths and its simulation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xrayaug.stats import paired_tests
from xrayaug.stats.intervals import LEVEL, Estimate

HELPS, HURTS, EQUIVALENT, UNCLEAR = "helps", "hurts", "equivalent", "cannot-tell"
SAID = {
    HELPS: "helps",
    HURTS: "hurts",
    EQUIVALENT: "no difference larger than the margin",
    UNCLEAR: "cannot tell",
}
FEWEST_SEEDS = 2  # one shows nothing of how much training leaves to chance
MOVED = 0.01  # share of normal training images by which a prior counts as moved
DOES_THE_SAME = {
    "duplicate": "repeating real images does the same",
    "classical": "classically augmented copies do the same",
    "reweight": "weighing the classes alike does the same",
    "shuffle": "synthetic images with random labels do the same",
}


@dataclass(frozen=True)
class Decision:
    """What is said of one arm, and the corrected p-values that say it."""

    verdict: str
    p_different: float | None
    p_equivalent: float | None


def decide(differences: Mapping[str, Estimate | None], margin: float) -> dict[str, Decision]:
    """Decide on every arm together, by name.

    Args:
        differences: to the baseline, of a score of which more is better; None where there is none.
        margin: a smaller difference does not matter.
    """
    usable = {name: found for name, found in differences.items() if found and found.seeds >= FEWEST_SEEDS}
    different = paired_tests.holm({name: found.p_value() for name, found in usable.items()})
    equivalent = paired_tests.holm({name: found.p_equivalent(margin) for name, found in usable.items()})
    return {
        name: Decision(_verdict(usable[name], different[name], equivalent[name]), different[name], equivalent[name])
        if name in usable
        else Decision(UNCLEAR, None, None)
        for name in differences
    }


def reason(decision: Decision, difference: Estimate | None, metric: str, margin: float) -> str:
    """One sentence that says why."""
    if difference is None:
        return "there is no arm of 0 % with a seed in common, the score is undefined, or a class is of one patient"
    level = 2 * LEVEL if decision.verdict == EQUIVALENT else LEVEL  # two one-sided tests are the 90 % interval
    low, high = difference.interval(level)
    confidence = f"{100 * (1 - level):.0f} % interval"
    measured = f"{metric} differs by {difference.value:+.3f} ({confidence} {low:+.3f} to {high:+.3f})"
    if difference.seeds < FEWEST_SEEDS:
        return f"{measured}, over patients alone: one seed shows nothing of what training leaves to chance"
    return f"{measured} over {difference.seeds} seeds, {_because(decision, difference, margin)}"


def prior_shift(
    shares: tuple[float, float],
    calls: Estimate | None,
    accuracies: tuple[Estimate | None, Estimate | None],
    auroc: Estimate | None,
) -> dict[str, Any]:
    """Whether what an arm changes is what a moved class prior alone would.

    So it is called where the prior moved, the network calls images abnormal at 0.5 less readily, or more so, as that
    prior would have it, and neither the accuracy at a threshold chosen on validation nor the area under the ROC curve
    is told from the baseline's: it ranks as before and only calls at another point (Saerens et al. 2002, Neural
    Computation 14:21). Each interval is of 95 %, uncorrected.

    Args:
        shares: of normal images in the arm's training set, and in the baseline's.
        calls: difference in how readily images are called abnormal at 0.5, `comparison.of_calls`.
        accuracies: differences of the accuracy, at 0.5 and at the thresholds chosen on validation.
        auroc: difference of the areas.
    """
    share, of_baseline = shares
    moved = abs(share - of_baseline) >= MOVED
    as_the_prior = is_apart(calls) and calls is not None and calls.value * (share - of_baseline) < 0
    alone = moved and as_the_prior and not is_apart(accuracies[1]) and not is_apart(auroc)
    found = {"share_normal": share, "share_normal_baseline": of_baseline, "moved": moved, "alone": alone,
             "calls": calls and calls.told()}  # fmt: skip
    return found | {"sentence": _of_prior(shares, calls, accuracies[0]) if alone and calls else ""}


def control(name: str, of_arm: Estimate | None, of_control: Estimate | None, apart: Estimate | None) -> dict[str, Any]:
    """Whether a control of equal size explains what an arm does.

    It does where its own difference to the baseline goes the same way and has an interval without 0, and arm and
    control cannot be told apart. Of an arm that is apart from it is said which of them scores higher; else nothing can
    be said.

    Args:
        name: of the control, such as `duplicate`.
        of_arm: the arm's difference to the baseline.
        of_control: the control's.
        apart: the arm's to the control.
    """
    same_way = of_arm is not None and of_control is not None and of_arm.value * of_control.value > 0
    if apart is not None and is_apart(apart):
        higher = "higher" if apart.value > 0 else "lower"
        relation, sentence = "apart", f"it scores {higher} than the control '{name}'"
    elif same_way and is_apart(of_arm) and is_apart(of_control):
        relation, sentence = "explains", DOES_THE_SAME.get(name, f"the control '{name}' does the same")
    else:
        relation, sentence = "cannot-tell", f"it cannot be told from the control '{name}'"
    told = None if apart is None else apart.told()
    return {"control": name, "relation": relation, "sentence": sentence, "difference": told}


def is_apart(difference: Estimate | None) -> bool:
    """Whether the 95 % interval leaves out 0."""
    return difference is not None and abs(difference.value) >= difference.half_width(LEVEL)


def _of_prior(shares: tuple[float, float], calls: Estimate, at_half: Estimate | None) -> str:
    low, high = calls.interval()
    accuracy = f", which changes the accuracy there by {at_half.value:+.3f}" if at_half else ""
    return (
        f"as a moved prior alone would have it, it calls {'fewer' if calls.value < 0 else 'more'} images abnormal at "
        f"the threshold 0.5 ({calls.value:+.3f} of both classes alike, {low:+.3f} to {high:+.3f}){accuracy}, and "
        "neither the accuracy at the threshold chosen on validation nor the AUROC is told from the baseline's: "
        f"training had {shares[0]:.0%} normal images instead of {shares[1]:.0%}"
    )


def _verdict(difference: Estimate, different: float, equivalent: float) -> str:
    if equivalent <= LEVEL:
        return EQUIVALENT
    if different <= LEVEL:
        return HELPS if difference.value > 0 else HURTS
    return UNCLEAR


def _because(decision: Decision, difference: Estimate, margin: float) -> str:
    if decision.verdict == EQUIVALENT:
        real = decision.p_different is not None and decision.p_different <= LEVEL
        return f"shown to lie within ±{margin:g} (p {p_told(decision.p_equivalent)})" + (
            ": real, but too small to matter" if real else ""
        )
    if decision.verdict == UNCLEAR:
        corrected = " after correction for several arms" if is_apart(difference) else ""
        return f"neither told from 0{corrected} (p {p_told(decision.p_different)}) nor shown to lie within ±{margin:g}"
    return f"told from 0 (p {p_told(decision.p_different)})"


def p_told(p_value: float | None) -> str:
    """A p-value as it stands after a p: ``= 0.012``, ``< 0.001``."""
    if p_value is None:
        return "--"
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
