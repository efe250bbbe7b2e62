"""The answer of an evaluation in plain words: what the console ends with, and what the report begins with."""

from collections.abc import Sequence
from pathlib import Path

from xrayaug.evaluation import checks, generator_design, looks, verdict
from xrayaug.evaluation.results import (
    ArmVerdict,
    ConfidenceInterval,
    ControlDifference,
    Difference,
    OtherTestSets,
    Question,
    Verdict,
)
from xrayaug.runtime.console import Section
from xrayaug.stats import classification
from xrayaug.stats.intervals import ALPHA
from xrayaug.stats.power import POWER

CONTROL_MEANINGS = {
    "duplicate": "the same real images again, to see whether more images alone have an effect",
    "classical": "real images again with classical augmentation, which needs no generator",
    "reweight": "no images, but the loss weights the classes as if they had been added, to see the effect of the class "
    "balance",
    "shuffle": "the synthetic images with shuffled labels, to see whether their labels matter",
    "low-resolution": "the same real images again at the size of the synthetic ones, to see what resolution does",
    "more-real": "as many new real images, which is what a perfect generator would give: an upper bound",
}
AGAINST = {  # what arms are judged against, by the value of the option
    "baseline": "the baseline",
    "control": "the controls of equal size",
    "both": "the baseline and the controls of equal size",
}
NAMED_CONTROL = "named as one by the user"  # the meaning of a control of which nothing else is known
ORDER = (verdict.HELPS, verdict.HURTS, verdict.EQUIVALENT, verdict.UNCLEAR)
MAX_CONTROLS = 6  # more of them are left to the report
MAX_PATHS = 3


def headline(verdicts: Verdict) -> str:
    """Return the answer to whether the synthetic images helped, in one line without intervals."""
    if not verdicts.valid:
        return "Unknown: a critical check of the comparison failed."
    by_verdict: dict[str, list[str]] = {}
    for arm in verdicts.arms:
        if arm.control is None:
            by_verdict.setdefault(arm.verdict, []).append(f"arm {arm.arm}")
    if not by_verdict:
        return "Unknown: there is no arm with added images and a baseline to compare it with."
    order = [name for name in ORDER if name in by_verdict]
    return "; ".join(f"{verdict.DISPLAY_NAMES[name]}: {', '.join(by_verdict[name])}" for name in order)


def summarize(verdicts: Verdict, paths: Sequence[str | Path]) -> list[Section | str]:
    """Return the answer for the end of the console: a few lines for each arm, and where to look.

    Args:
        verdicts: on all arms.
        paths: files to look at, the most important first; the first three are shown.
    """
    arms = [arm for arm in verdicts.arms if arm.control is None]
    controls = [arm for arm in verdicts.arms if arm.control is not None]
    lines = []
    if failure := checks.find_critical_failure(verdicts.checks):
        lines.append(f"There is no verdict, because a critical check failed: {failure.sentence}.")
    elif not arms:
        lines.append(headline(verdicts))
    lines += [_describe_arm(arm, verdicts) for arm in arms]
    if len(controls) <= MAX_CONTROLS:
        lines += [_describe_control(control, controls, verdicts) for control in controls]
    else:
        lines.append(f"The {len(controls)} controls are in the report.")
    lines += _list_open_checks(verdicts)
    lines += looks.list_notes(verdicts)
    shown = list(paths)[:MAX_PATHS]
    shown_first = [f"{'Look first at' if number == 0 else 'Then at'}: {path}" for number, path in enumerate(shown)]
    question = verdicts.question
    metric = classification.display_name(question.metric)
    judged = "" if question.against == "baseline" else f", judged against {AGAINST[question.against]}"
    title = f"Answer: {metric} per {question.level}{judged}, difference to the baseline (marginal 95 % interval)"
    return [Section(title, lines), *shown_first]


def summarize_test_sets(others: OtherTestSets | None, question: Question) -> list[Section]:
    """Return the answers on other test sets than the primary one, and of their mean; nothing if there are none."""
    if others is None:
        return []
    lines = []
    for each in others.sets:
        if failure := checks.find_critical_failure(each.verdict.checks):
            lines.append(f"{each.name}: there is no verdict, because a critical check failed: {failure.sentence}.")
            continue
        arms = [arm for arm in each.verdict.arms if arm.control is None]
        lines += [f"{each.name}, arm {arm.arm}: {_describe_verdict(arm, question)}." for arm in arms]
    count = 1 + len(others.sets)
    lines += [
        f"Mean of {count} sets, arm {mean.arm}: {_format_difference(mean.difference)}."
        for mean in others.means
        if mean.control is None and mean.difference is not None
    ]
    lines += [
        f"{' and '.join(pair.sets)} have {pair.patients:,} patients and {pair.images:,} images in common"
        f"{checks.describe_same_names(pair.same_names)}, so no mean is given."
        for pair in others.shared
        if pair.has_any
    ]
    return [Section(f"Other test sets (the answer above is on '{others.primary}')", lines)]


def _describe_arm(arm: ArmVerdict, verdicts: Verdict) -> str:
    """Return the verdict on an arm, its difference and the one thing to know about it."""
    notes = _list_contrasts(arm) if verdicts.question.against != "baseline" else []
    if arm.verdict in (verdict.HELPS, verdict.HURTS):
        notes += _explain_effect(arm)
    elif arm.verdict == verdict.UNCLEAR and verdicts.valid:
        notes += _explain_unclear(arm, verdicts)
    notes += filter(None, [looks.describe_arm(arm, verdicts.sequential)])
    sentences = [f"Arm {arm.arm}: {_describe_verdict(arm, verdicts.question)}", *notes]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)


def _describe_control(control: ArmVerdict, controls: Sequence[ArmVerdict], verdicts: Verdict) -> str:
    """Return the meaning of a control and the verdict on it; its full name if there are several of its kind."""
    is_only = sum(other.control == control.control for other in controls) == 1
    name = control.control if is_only else control.arm
    meaning = CONTROL_MEANINGS.get(str(control.control), NAMED_CONTROL)
    compared = [
        f"; minus {other.control} {_format_difference(other.difference)}"
        for other in control.controls
        if other.difference
    ]
    return f"Control {name} ({meaning}): {_describe_verdict(control, verdicts.question)}{''.join(compared)}."


def _describe_verdict(arm: ArmVerdict, question: Question) -> str:
    name, difference = verdict.DISPLAY_NAMES[arm.verdict], arm.difference
    if arm.verdict == verdict.EQUIVALENT:
        name += f" of ±{question.margin:g}"
    values = _format_difference(difference) if difference is not None else ""
    if question.against == "control" and arm.control is None and values:
        name += " in comparison with the controls" if arm.verdict == verdict.EQUIVALENT else ""
        values = f"difference to the baseline {values}"
    return ", ".join(filter(None, [name, values, generator_design.describe_scope(arm.generators, arm.draws)]))


def _format_difference(difference: Difference | ConfidenceInterval) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"


def _explain_effect(arm: ArmVerdict) -> list[str]:
    """Return what else can explain the effect of an arm: the class prior, or its controls."""
    shift = arm.prior_shift
    if shift is not None and shift.explains_difference:
        return ["a shifted class prior alone can explain the difference"]
    sentences = ["a shifted class prior contributes to it"] if shift is not None and shift.contributes else []
    sentences += [control.sentence for control in arm.controls if control.relation == "explains"]
    for start, names in {
        "it scores significantly higher than": _list_differing(arm, 1),
        "it scores significantly lower than": _list_differing(arm, -1),
        "it does not differ significantly from": [c.control for c in arm.controls if c.relation == "cannot-tell"],
        "it is within the margin of": [c.control for c in arm.controls if c.relation == "equivalent"],
    }.items():
        if names:
            sentences.append(f"{start} the control{'s' if len(names) > 1 else ''} {' and '.join(names)}")
    return sentences


def _list_differing(arm: ArmVerdict, sign: int) -> list[str]:
    """Return the controls that the arm differs from, with a difference of this sign."""
    differing = [control for control in arm.controls if control.relation == "differs" and control.difference]
    return [control.control for control in differing if control.difference and control.difference.value * sign > 0]


def _list_contrasts(arm: ArmVerdict) -> list[str]:
    """Return the differences of an arm to its controls, each with what it shows."""
    return [
        f"minus control {each.control} {_format_difference(each.difference)}: {verdict.DISPLAY_NAMES[each.verdict]}"
        for each in arm.controls
        if each.difference is not None and each.verdict is not None
    ]


def _explain_unclear(arm: ArmVerdict, verdicts: Verdict) -> list[str]:
    """Return why nothing can be said of an arm, and what its data could have shown."""
    if arm.difference is None or not is_compared(arm, verdicts.question):
        return [arm.reason]
    if arm.difference.seeds < verdict.MIN_SEEDS:
        return ["one seed shows no variation between trainings, so train several"]
    return describe_reach(arm, verdicts)


def is_compared(arm: ArmVerdict, question: Question) -> bool:
    """Return whether an arm has a control to be judged against, if arms are judged against controls."""
    return question.against == "baseline" or any(each.is_asked for each in arm.controls)


def describe_reach(arm: ArmVerdict, verdicts: Verdict) -> list[str]:
    """Return what the tests of an arm could have shown whose verdict is "cannot tell"; nothing of other verdicts.

    These are the difference that is detected, and the margin within which an arm without a difference is shown to be,
    with 80 % power. Of several comparisons that show nothing, the one of the least power counts.
    """
    if arm.verdict != verdict.UNCLEAR or not verdicts.valid:
        return []
    question = verdicts.question
    against = "baseline" if arm.control is not None else question.against
    asked = [each for each in arm.controls if each.is_asked and each.verdict in (verdict.UNCLEAR, None)]
    compared: list[Difference | ControlDifference | None] = []
    if against == "baseline" or (against == "both" and _is_open(arm)):
        compared.append(arm.difference)
    if against != "baseline":
        compared += [each.difference for each in asked]
    known = [each for each in compared if each is not None]
    detectable = [each.detectable_difference for each in known if each.detectable_difference is not None]
    showable = [each.showable_margin for each in known if each.showable_margin is not None]
    if not detectable:
        return []
    lowest, highest = classification.bounds(question.metric)
    possible = highest - lowest
    size = f"a true difference of {max(detectable):.3f} is" if max(detectable) <= possible else "no true difference is"
    could = f"with these test images and {known[0].seeds} seeds, {size} detected"
    if max([*detectable, *showable]) > possible:
        return [f"{could} with {100 * POWER:.0f} % power without more test patients or seeds"]
    if not showable:
        return [f"{could} with {100 * POWER:.0f} % power; a smaller one needs more test patients or seeds"]
    could += f" with {100 * POWER:.0f} % power, and one of 0 is shown to be within ±{max(showable):.3f}"
    if max(showable) <= question.margin:
        return [could]
    return [f"{could}; the margin of ±{question.margin:g} is out of reach without more test patients or seeds"]


def _is_open(arm: ArmVerdict) -> bool:
    """Return whether neither a difference to the baseline nor equivalence was shown."""
    if arm.difference is None:
        return False
    tests = ((arm.difference.p_holm, arm.look.level if arm.look else ALPHA), (arm.difference.p_equivalent_holm, ALPHA))
    return not any(p_value is not None and p_value <= level for p_value, level in tests)


def _list_open_checks(verdicts: Verdict) -> list[str]:
    """Return one line that names the checks that failed, and one that names those whose result is unknown."""
    lines = []
    for passed, described in ((False, "Checks that failed"), (None, "Checks whose result is unknown")):
        names = [check.name for check in verdicts.checks if check.passed is passed]
        if names:
            lines.append(f"{described}: {'; '.join(names)} (see the report).")
    return lines
