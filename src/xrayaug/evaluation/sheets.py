"""The numbers of an evaluation as CSV files."""

import itertools

from xrayaug.data.arms import describe_variant
from xrayaug.evaluation import tables
from xrayaug.evaluation.results import CHOSEN, HALF, LEVELS, ConfidenceInterval, Evaluation, Subgroups
from xrayaug.storage import csvfile

DIFFERENCE = ("value", "low", "high", "seeds", "p", "p_holm", "p_equivalent", "p_equivalent_holm")  # columns of one
REACH = ("detectable_difference", "showable_margin")  # columns of what the design could have shown
INTERVAL = "95 %, marginal"  # what `low` and `high` are


def make_sheets(evaluation: Evaluation) -> dict[str, str]:
    """Return the numbers as CSV files: content by file name."""
    return {
        "table5.csv": csvfile.dump(_table5_lines(evaluation)),
        "verdict.csv": csvfile.dump(_verdict_lines(evaluation)),
        **(
            {"controls.csv": csvfile.dump(_control_lines(evaluation))}
            if any(arm.controls for arm in evaluation.verdict.arms)
            else {}
        ),
        "intervals.csv": csvfile.dump(_interval_lines(evaluation)),
        **({"subgroups.csv": csvfile.dump(_subgroup_lines(evaluation.subgroups))} if evaluation.subgroups else {}),
        **{
            f"subgroups-{each.name}.csv": csvfile.dump(_subgroup_lines(each.subgroups))
            for each in (evaluation.others.sets if evaluation.others else ())
            if each.subgroups
        },
    }


def _table5_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    """Return one line per level and arm; arms are named where their dose does not tell them apart."""
    spread = [f"{metric}_{part}" for metric in tables.TITLES for part in ("mean", "sd")]
    settings_names = ("percent_added", "real_fraction", "label", "images_added")
    known = tables.have_doses(evaluation.arms)
    has_names = not known or any(arm.settings and describe_variant(arm.settings) for arm in evaluation.arms)
    about = ("level", *(["arm"] if has_names else []), *(settings_names if known else []), "runs")
    lines: list[tuple[object, ...]] = [(*about, *spread, *(["thesis_accuracy_reported"] if known else []))]
    for level, arm in itertools.product(tables.table5_levels(evaluation), evaluation.arms):
        summaries = [arm.scores[level][metric] for metric in tables.TITLES]
        numbers = [number for each in summaries for number in (each.mean, each.sd)]
        described: tuple[object, ...] = (arm.name,) if has_names else ()
        if known and (settings := arm.settings) is not None:
            described += (f"{settings.percent:g}", f"{settings.real_fraction:g}", settings.label, settings.added)
        lines.append((level, *described, len(arm.seeds), *numbers, *([arm.thesis_accuracy] if known else [])))
    return lines


def _verdict_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    arms, question = evaluation.verdict.arms, evaluation.verdict.question
    lines: list[tuple[object, ...]] = [
        ("arm", "control", "baseline", "verdict", "metric", "level", *DIFFERENCE, "reason", *REACH, "interval")
    ]
    for arm in arms:
        leading = (arm.arm, arm.control, arm.baseline, arm.verdict, question.metric, question.level)
        numbers, reach = (
            [arm.difference and getattr(arm.difference, name) for name in of] for of in (DIFFERENCE, REACH)
        )
        lines.append((*leading, *numbers, arm.reason, *reach, INTERVAL))
    return lines


def _control_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    """Return one line per arm and control, with the difference of the two."""
    question = evaluation.verdict.question
    about = ("arm", "control", "control_arm", "relation", "verdict", "metric", "level")
    lines: list[tuple[object, ...]] = [(*about, *DIFFERENCE, *REACH, "interval")]
    for arm in evaluation.verdict.arms:
        for each in arm.controls:
            leading = (arm.arm, each.control, each.arm, each.relation, each.verdict, question.metric, question.level)
            numbers = [each.difference and getattr(each.difference, name) for name in (*DIFFERENCE, *REACH)]
            lines.append((*leading, *numbers, INTERVAL))
    return lines


def _interval_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    """Return every score and every difference with its interval."""
    lines: list[tuple[object, ...]] = [("level", "threshold", "arm", "of", "metric", "value", "low", "high", "seeds")]
    for level, threshold, arm in itertools.product(LEVELS, (HALF, CHOSEN), evaluation.arms):
        if threshold not in arm.intervals[level]:
            continue
        for of, by_metric in (
            ("score", arm.intervals[level][threshold]),
            ("difference", arm.differences[level][threshold] or {}),
        ):
            leading = (level, threshold, arm.name, of)
            lines += [(*leading, metric, *_numbers(interval)) for metric, interval in by_metric.items()]
    return lines


def _subgroup_lines(subgroups: Subgroups) -> list[tuple[object, ...]]:
    lines: list[tuple[object, ...]] = [
        ("column", "value", "images", "abnormal", "arm", "of", "metric", "estimate", "low", "high", "seeds")
    ]
    for group in subgroups.groups:
        for of, by_arm in (("score", group.intervals), ("difference", group.differences)):
            for arm, by_metric in by_arm.items():
                leading = (subgroups.column, group.value, group.images, group.abnormal, arm, of)
                lines += [(*leading, metric, *_numbers(interval)) for metric, interval in by_metric.items()]
    return lines


def _numbers(interval: ConfidenceInterval | None) -> tuple[object, ...]:
    if interval is None:
        return (None,) * 4
    return interval.value, interval.low, interval.high, interval.seeds
