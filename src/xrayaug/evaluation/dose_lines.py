"""The lines of Figure 7: arms over their doses, by what is added."""

import itertools
from collections.abc import Sequence

from xrayaug.data.arms import BALANCE, SCHEDULES, ArmSettings, describe_variant
from xrayaug.evaluation.results import ArmResult, Evaluation

# Key of a line of Figure 7: minus the share of real images, label, control, place of the schedule, rest of its name
LineKey = tuple[float, str, str, int, str]


def reported_accuracies(evaluation: Evaluation) -> dict[float, float]:
    """Return the accuracies that the thesis reports, by percent added."""
    reported = {} if evaluation.thesis is None else evaluation.thesis.accuracy
    return {float(percent): value for percent, value in reported.items()}


def group_into_lines(arms: Sequence[ArmResult]) -> dict[str, list[ArmResult]]:
    """Group arms into the lines of Figure 7 by what is added; the arm without synthetic images begins each line."""
    lines = itertools.groupby(_sort_into_lines(arms), lambda each: each[0])
    return {_name_line(key): [arm for _, arm in members] for key, members in lines}


def find_settings(arm: ArmResult) -> ArmSettings:
    """Return the settings of an arm, which are known in figures over doses."""
    if arm.settings is None:
        raise ValueError(f"the dose of arm {arm.name} is unknown")
    return arm.settings


def _sort_into_lines(arms: Sequence[ArmResult]) -> list[tuple[LineKey, ArmResult]]:
    """Return every arm with the line it is on; a baseline is on every line of its fraction of the real images."""
    has_generators = any(find_settings(arm).generator for arm in arms)
    on_lines = [arm for arm in arms if find_settings(arm).label and not (find_settings(arm).control and has_generators)]

    def list_keys(arm: ArmResult) -> list[LineKey]:
        own = find_settings(arm)
        if own.percent or own.is_pretrained:
            return [_line_key(own, own, own.label or "no")]  # "no" image was added
        same = [find_settings(each) for each in on_lines if find_settings(each).weights == own.weights]
        return sorted({_line_key(own, each, str(each.label)) for each in same}) or [_line_key(own, own, "normal")]

    placed = [(key, arm) for arm in arms for key in list_keys(arm)]
    return sorted(placed, key=lambda each: (*each[0], find_settings(each[1]).percent))


def _line_key(arm: ArmSettings, of: ArmSettings, label: str) -> LineKey:
    """Return the key of a line for an arm, with the label and the variant of another that is on it."""
    return -arm.real_fraction, label, arm.control or "", SCHEDULES.index(of.schedule), describe_variant(of)


def _name_line(key: LineKey) -> str:
    fraction, label, control, _, variant = -key[0], *key[1:]
    balancing = "images added to balance the classes (percent of the difference in class size)"
    added = f"{control}, a control" if control else balancing if label == BALANCE else f"{label} images added"
    return added + (f" to {100 * fraction:g} % of the real ones" if fraction != 1 else "") + variant
