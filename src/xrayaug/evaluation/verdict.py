"""Decide from the differences to the baseline whether each arm helps, hurts, is equivalent, or cannot be judged.

An arm helps or hurts if the difference is significant at 5 % after Holm's correction over the arms; it is equivalent if
two one-sided tests, corrected in the same way, show that the difference lies within the margin. If both hold, the
difference is real but too small to matter, and the verdict is that the arm is equivalent. The differences of arms to
their controls are tested in the same way, with a correction of their own. docs/explanation/verdict.md has the formulas,
and docs/explanation/power.md the simulations.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

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

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Decision:
    """The verdict on one arm and the corrected p-values behind it."""

    verdict: str
    p_different: float | None
    p_equivalent: float | None  # None also where equivalence is not tested, at a look that is not the last
    level: float = ALPHA  # at which the difference is tested

    @property
    def is_different(self) -> bool:
        """Whether the difference is significant after correction."""
        return self.p_different is not None and self.p_different <= self.level


@dataclass(frozen=True)
class Contrast:
    """The difference of an arm to another, and the decision on it."""

    difference: Estimate | None
    decision: Decision
    tests: int  # that were corrected together

    @property
    def sign(self) -> int:
        """1 or -1 if the difference is significant after correction, else 0."""
        if self.difference is None or not self.decision.is_different:
            return 0
        return 1 if self.difference.value > 0 else -1

    @property
    def is_equivalent(self) -> bool:
        """Whether the difference is shown to lie within the margin."""
        return self.decision.verdict == EQUIVALENT


def decide(
    differences: Mapping[Key, Estimate | None],
    margin: float,
    *,
    level: float = ALPHA,
    equivalence_level: float | None = ALPHA,
    size: int | None = None,
) -> dict[Key, Decision]:
    """Decide on all arms together, by name, or by test set and name.

    Args:
        differences: to the baseline, in a score of which a higher value is better; None if there is none.
        margin: the largest difference that does not matter.
        level: at which differences are tested: 5 %, or what a look of a sequential study spends.
        equivalence_level: at which equivalence is tested; None if it is not.
        size: number of tests in the family; by default those that are made.
    """
    tested = {name: each for name, each in differences.items() if each and each.seeds >= MIN_SEEDS}
    p_different = paired_tests.holm({name: each.p_value() for name, each in tested.items()}, size)
    p_equivalent = paired_tests.holm({name: each.p_equivalent(margin) for name, each in tested.items()}, size)
    decisions = {}
    for name in differences:
        if name not in tested:
            decisions[name] = Decision(UNCLEAR, None, None, level)
        elif equivalence_level is not None and p_equivalent[name] <= equivalence_level:
            decisions[name] = Decision(EQUIVALENT, p_different[name], p_equivalent[name], level)
        else:
            is_different = p_different[name] <= level
            told = (HELPS if tested[name].value > 0 else HURTS) if is_different else UNCLEAR
            p_tested = None if equivalence_level is None else p_equivalent[name]
            decisions[name] = Decision(told, p_different[name], p_tested, level)
    return decisions


def agree(verdicts: Sequence[str]) -> str:
    """Return the verdict of all comparisons of an arm; "cannot tell" if they differ or there is none."""
    return verdicts[0] if len(set(verdicts)) == 1 else UNCLEAR


def explain(
    decision: Decision, difference: Estimate | None, metric: str, margin: float, other: str = "", *, missing: str = ""
) -> str:
    """Return the reason for a decision in one sentence.

    Args:
        decision: on the difference.
        difference: of an arm to its baseline, or to a control.
        metric: the score, as it is displayed.
        margin: the largest difference that does not matter.
        other: what the arm is compared with, such as `the control 'duplicate'`; empty for the baseline.
        missing: why there is no difference, if there is none.
    """
    if difference is None:
        return f"the difference in {metric}{other and f' to {other}'} cannot be estimated{missing and f': {missing}'}"
    metric += other and f" to {other}"
    level = 2 * ALPHA if decision.verdict == EQUIVALENT else ALPHA  # two one-sided tests are the 90 % interval
    low, high = difference.interval(level)
    interval = f"marginal {100 * (1 - level):.0f} % interval {low:+.3f} to {high:+.3f}"
    if difference.seeds < MIN_SEEDS:
        return (
            f"the difference in {metric} cannot be tested with one seed, which shows no variation between trainings: "
            f"{difference.value:+.3f} ({interval}, over patients only)"
        )
    conclusion = _describe_conclusion(decision, difference, margin)
    return f"the difference in {metric} is {conclusion}: {difference.value:+.3f} ({interval}, {difference.seeds} seeds)"


def is_significant(difference: Estimate | None) -> bool:
    """Return whether the 95 % interval leaves out 0."""
    return difference is not None and abs(difference.value) >= difference.half_width(ALPHA)


def _describe_conclusion(decision: Decision, difference: Estimate, margin: float) -> str:
    """Return what the tests show, to continue "the difference is"."""
    different = format_p_values(difference.p_value(), decision.p_different)
    equivalent = format_p_values(difference.p_equivalent(margin), decision.p_equivalent)
    if decision.verdict == EQUIVALENT:
        significant = "statistically significant, but " if decision.is_different else ""
        return f"{significant}within ±{margin:g} and too small to matter (equivalence {equivalent})"
    if decision.verdict == UNCLEAR:
        corrected = " after correction for several tests" if is_significant(difference) else ""
        if decision.p_different is not None and decision.p_equivalent is None:
            return f"not statistically significant at this look{corrected} ({different})"
        return f"neither statistically significant{corrected} ({different}) nor shown to be within ±{margin:g}"
    return f"statistically significant ({different})"


def format_p_values(uncorrected: float | None, corrected: float | None) -> str:
    """Format a p-value before and after Holm's correction: `p = 0.012, Holm p = 0.036`."""
    return f"p {format_p(uncorrected)}, Holm p {format_p(corrected)}"


def format_p(p_value: float | None) -> str:
    """Format a p-value with its relation sign: `= 0.012`, `< 0.001`."""
    if p_value is None:
        return UNDEFINED
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"
