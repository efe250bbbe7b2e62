"""Render an evaluation as tables, CSV, Markdown, JSON files and Figure 7."""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from xrayaug import plots
from xrayaug.data.arms import BALANCE, SCHEDULES, ArmSettings, describe_variant
from xrayaug.evaluation import serialization, verdict
from xrayaug.evaluation.results import (
    CHOSEN,
    HALF,
    LEVELS,
    METRICS_FILE,
    VERDICT_FILE,
    ArmResult,
    ConfidenceInterval,
    Difference,
    Evaluation,
    Question,
    TestSet,
)
from xrayaug.runtime.console import UNDEFINED, Table
from xrayaug.stats import classification
from xrayaug.stats.classification import Summary
from xrayaug.storage import csvfile, files

TABLE5_LEVELS = ("image", "study")
TITLES = {"accuracy": "Accuracy", "kappa": "Kappa", "auroc": "AUROC", "sensitivity": "Sensitivity",
          "specificity": "Specificity"}  # fmt: skip
INTERVALS_NOTE = (
    "intervals: t, over seeds and patients; verdict.json also has the percentile bootstrap intervals (not BCa)"
)
PERCENT_ADDED, ARM = "Percent added", "Arm"  # headings of a column of arms: with known doses, and without
PASSED_LABELS = {True: "yes", False: "no", None: "unknown"}

# Key of a line of Figure 7: minus the share of real images, label, control, place of the schedule, rest of its name
LineKey = tuple[float, str, str, int, str]


def score_table(arms: Sequence[ArmResult], question: Question) -> Table:
    """Return a short table of the arms: accuracy, AUROC and the score that decides, at the level that decides."""
    metrics = dict.fromkeys(("accuracy", "auroc", question.metric))
    rows = [
        (*_describe_arm(arm), *(_format_summary(arm.scores[question.level][metric]) for metric in metrics))
        for arm in arms
    ]
    columns = (*_arm_headings(arms), *(_heading(metric) for metric in metrics))
    return Table(f"Results per {question.level}: mean ± standard deviation over runs", columns, rows)


def _describe_arm(arm: ArmResult) -> tuple[str, ...]:
    """Return the cells that name an arm and count what it adds, which is left out if it is unknown, and its runs."""
    added = () if arm.settings is None else (f"{arm.settings.added:,}",)
    return arm.name, *added, str(len(arm.seeds))


def _arm_headings(arms: Sequence[ArmResult]) -> tuple[str, ...]:
    return (PERCENT_ADDED, "Images added", "Runs") if have_doses(arms) else (ARM, "Runs")


def have_doses(arms: Sequence[ArmResult]) -> bool:
    """Return whether it is known how the arms were made, and so which dose each has."""
    return all(arm.settings is not None for arm in arms)


def name_heading(evaluation: Evaluation) -> str:
    """Return the heading of a column of arms."""
    return PERCENT_ADDED if have_doses(evaluation.arms) else ARM


def sheets(evaluation: Evaluation) -> dict[str, str]:
    """Return the numbers as CSV files: content by file name."""
    return {
        "table5.csv": csvfile.dump(_table5_lines(evaluation)),
        "verdict.csv": csvfile.dump(_verdict_lines(evaluation)),
        "intervals.csv": csvfile.dump(_interval_lines(evaluation)),
        **({"subgroups.csv": csvfile.dump(_subgroup_lines(evaluation))} if evaluation.subgroups else {}),
    }


def write(directory: Path, evaluation: Evaluation) -> None:
    """Write all numbers as JSON, the verdict in a file of its own, the CSV files, Table 5 as Markdown, and Figure 7."""
    files.write_json(directory / METRICS_FILE, serialization.to_dict(evaluation))
    others = {} if evaluation.others is None else {"others": serialization.to_dict(evaluation.others)}
    files.write_json(directory / VERDICT_FILE, serialization.to_dict(evaluation.verdict) | others)
    for name, content in sheets(evaluation).items():
        files.write_text(directory / name, content)
    table5 = (_markdown(_spread_table(evaluation, level)) for level in table5_levels(evaluation))
    files.write_text(directory / files.TABLE5_FILE, "\n".join(table5))
    if have_doses(evaluation.arms):
        _save_figure7((directory / files.FIGURE7_FILE).with_suffix(""), evaluation)


def subgroup_tables(evaluation: Evaluation) -> list[Table]:
    """Return the table of the subgroups with the score that decides and its difference; no table without `--by`."""
    if evaluation.subgroups is None:
        return []
    column, metric = evaluation.subgroups.column, evaluation.subgroups.metric
    rows = [
        (group.value, f"{group.images:,}", arm, format_interval(intervals[metric], ".3f"),
         format_interval(group.differences.get(arm, {}).get(metric), "+.3f"))
        for group in evaluation.subgroups.groups for arm, intervals in group.intervals.items()
    ]  # fmt: skip
    columns = (column, "Images", name_heading(evaluation), _heading(metric), "Difference to baseline")
    has_undefined = any(cells[3] == UNDEFINED for cells in rows)
    note = f"{UNDEFINED}: undefined, because the subgroup lacks a class or has only one patient of it"
    return [
        Table(f"By {column}, per image: 95 % intervals, uncorrected", columns, rows, [note] if has_undefined else [])
    ]


def test_set_tables(evaluation: Evaluation) -> list[Table]:
    """Return the table of the differences on all test sets and of their mean; no table if there is one set."""
    others = evaluation.others
    if others is None:
        return []
    metric, level = evaluation.verdict.question.metric, evaluation.verdict.question.level
    sets = [(f"{others.primary} (primary)", evaluation.test, evaluation.verdict)]
    sets += [(each.name, each.test, each.verdict) for each in others.sets]
    rows = [
        (name, f"{test.images:,}", arm.arm, verdict.DISPLAY_NAMES[arm.verdict], *_difference_cells(arm.difference)[:2])
        for name, test, verdicts in sets
        for arm in verdicts.arms
    ]
    total = sum(test.images for _, test, _ in sets)
    rows += [
        (f"mean of {len(sets)} sets", f"{total:,}", mean.arm, UNDEFINED, format_interval(mean.difference, "+.3f"),
         f"{format_p_cell(mean.p)} (uncorrected)" if mean.p is not None else UNDEFINED)
        for mean in others.means
    ]  # fmt: skip
    columns = ("Test set", "Images", name_heading(evaluation), "Verdict", "Difference to baseline (95 %)", "p (Holm)")
    title = f"Test sets, by {classification.display_name(metric)} per {level}"
    return [Table(title, columns, rows, describe_test_sets(evaluation))]


def describe_test_sets(evaluation: Evaluation) -> list[str]:
    """Return how several test sets are corrected, which of them are not independent, and which checks they fail."""
    others = evaluation.others
    if others is None:
        return []
    corrected = (
        f"those on '{others.sets[0].name}' are corrected for all arms"
        if len(others.sets) == 1
        else f"those on the {len(others.sets)} others are corrected for all arms on all of them"
    )
    notes = [f"the verdict that counts is that on '{others.primary}'; {corrected}"]
    if others.means:
        notes.append("the mean has equal weight for every set; seeds are shared, patients are independent between sets")
    notes += [
        f"{' and '.join(pair.sets)} have {pair.patients:,} patients and {pair.images:,} images in common, so their "
        "results are not independent and no mean is given"
        for pair in others.shared
    ]
    for each in others.sets:
        failed = [check.sentence for check in each.verdict.checks if check.critical and check.passed is False]
        notes += [f"{each.name}: {sentence}; so there is no verdict, and no mean is given" for sentence in failed]
    return notes


def interval_table(evaluation: Evaluation, level: str) -> Table:
    """Return Table 5 with 95 % intervals in place of standard deviations."""
    title = f"{_table5_name(evaluation)}, per {level}: mean over runs (95 % interval)"
    return _table5(evaluation, title, lambda arm, metric: format_interval(arm.intervals[level][HALF][metric], ".3f"))


def table5_levels(evaluation: Evaluation) -> tuple[str, ...]:
    """Return the levels of Table 5; only images, if their studies are unknown."""
    return ("image",) if evaluation.test.studies is None else TABLE5_LEVELS


def _table5_name(evaluation: Evaluation) -> str:
    """Return the name of Table 5, which is the thesis's table only if arms have doses."""
    return "Table 5" if have_doses(evaluation.arms) else "Scores"


def _spread_table(evaluation: Evaluation, level: str) -> Table:
    title = f"{_table5_name(evaluation)}, per {level}: mean ± standard deviation over runs"
    return _table5(evaluation, title, lambda arm, metric: _format_summary(arm.scores[level][metric]))


def _table5(evaluation: Evaluation, title: str, cell: Callable[[ArmResult, str], str]) -> Table:
    thesis = evaluation.thesis is not None
    columns = (*_arm_headings(evaluation.arms), *TITLES.values(), *(["Accuracy, thesis (reported)"] if thesis else []))
    rows = [
        (
            *_describe_arm(arm),
            *(cell(arm, metric) for metric in TITLES),
            *([UNDEFINED if arm.thesis_accuracy is None else f"{arm.thesis_accuracy:.3f}"] if thesis else []),
        )
        for arm in evaluation.arms
    ]
    return Table(title, columns, rows, notes(evaluation))


def checks_table(evaluation: Evaluation) -> Table:
    """Return the table of the checks of the comparison."""
    rows = [(each.name, PASSED_LABELS[each.passed], each.sentence) for each in evaluation.verdict.checks]
    return Table("Checks of the comparison", ("Check", "Passed", "Finding"), rows)


def difference_table(evaluation: Evaluation) -> Table:
    """Return the table of the verdict on every arm with its difference and p-values; the notes are the reasons."""
    arms, question = evaluation.verdict.arms, evaluation.verdict.question
    metric = classification.display_name(question.metric)
    title = f"Verdict by {metric} per {question.level}, margin {question.margin:g}"
    rows = [(arm.arm, verdict.DISPLAY_NAMES[arm.verdict], *_difference_cells(arm.difference)) for arm in arms]
    columns = (name_heading(evaluation), "Verdict", "Difference to baseline (95 %)", "p (Holm)", "Equivalence p (Holm)")
    notes = [f"{arm.arm}: {verdict.DISPLAY_NAMES[arm.verdict]}: {arm.reason}" for arm in arms]
    notes.append(INTERVALS_NOTE)
    return Table(title, columns, rows, notes)


def _difference_cells(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return UNDEFINED, UNDEFINED, UNDEFINED
    p_holm, p_equivalent_holm = format_p_cell(difference.p_holm), format_p_cell(difference.p_equivalent_holm)
    return format_interval(difference, "+.3f"), p_holm, p_equivalent_holm


def format_p_cell(p_value: float | None) -> str:
    """Format a p-value as a cell of a table: `0.012`, `< 0.001`."""
    return verdict.format_p(p_value).removeprefix("= ")


def format_interval(interval: ConfidenceInterval | None, form: str) -> str:
    """Format a value and its interval by a format specification, such as `.3f`: `0.831 (0.790 to 0.872)`."""
    if interval is None:
        return UNDEFINED
    return f"{interval.value:{form}} ({interval.low:{form}} to {interval.high:{form}})"


def _table5_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    """Return one line per level and arm; arms are named where their dose does not tell them apart."""
    spread = [f"{metric}_{part}" for metric in TITLES for part in ("mean", "sd")]
    settings_names = ("percent_added", "real_fraction", "label", "images_added")
    known = have_doses(evaluation.arms)
    has_names = not known or any(arm.settings and describe_variant(arm.settings) for arm in evaluation.arms)
    about = ("level", *(["arm"] if has_names else []), *(settings_names if known else []), "runs")
    lines: list[tuple[object, ...]] = [(*about, *spread, *(["thesis_accuracy_reported"] if known else []))]
    for level, arm in itertools.product(table5_levels(evaluation), evaluation.arms):
        summaries = [arm.scores[level][metric] for metric in TITLES]
        numbers = [number for each in summaries for number in (each.mean, each.sd)]
        described: tuple[object, ...] = (arm.name,) if has_names else ()
        if known and (settings := arm.settings) is not None:
            described += (f"{settings.percent:g}", f"{settings.real_fraction:g}", settings.label, settings.added)
        lines.append((level, *described, len(arm.seeds), *numbers, *([arm.thesis_accuracy] if known else [])))
    return lines


def _verdict_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    arms, question = evaluation.verdict.arms, evaluation.verdict.question
    names = ("value", "low", "high", "seeds", "p", "p_holm", "p_equivalent", "p_equivalent_holm")
    lines: list[tuple[object, ...]] = [("arm", "control", "baseline", "verdict", "metric", "level", *names, "reason")]
    for arm in arms:
        numbers = [arm.difference and getattr(arm.difference, name) for name in names]
        leading = (arm.arm, arm.control, arm.baseline, arm.verdict, question.metric, question.level)
        lines.append((*leading, *numbers, arm.reason))
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


def _subgroup_lines(evaluation: Evaluation) -> list[tuple[object, ...]]:
    if evaluation.subgroups is None:
        return []
    lines: list[tuple[object, ...]] = [
        ("column", "value", "images", "abnormal", "arm", "of", "metric", "estimate", "low", "high", "seeds")
    ]
    for group in evaluation.subgroups.groups:
        for of, by_arm in (("score", group.intervals), ("difference", group.differences)):
            for arm, by_metric in by_arm.items():
                leading = (evaluation.subgroups.column, group.value, group.images, group.abnormal, arm, of)
                lines += [(*leading, metric, *_numbers(interval)) for metric, interval in by_metric.items()]
    return lines


def _numbers(interval: ConfidenceInterval | None) -> tuple[object, ...]:
    if interval is None:
        return (None,) * 4
    return interval.value, interval.low, interval.high, interval.seeds


def _heading(metric: str) -> str:
    name = classification.display_name(metric)
    return name[0].upper() + name[1:]


def _format_summary(summary: Summary) -> str:
    if summary.mean is None:
        return UNDEFINED
    return f"{summary.mean:.3f}" + ("" if summary.sd is None else f" ± {summary.sd:.3f}")


def notes(evaluation: Evaluation) -> list[str]:
    """Return the notes under a table of scores."""
    thesis = [] if evaluation.thesis is None else [evaluation.thesis.note]
    return [*describe_test_set(evaluation.test, evaluation.split_by), *thesis]


def describe_test_set(test: TestSet, split_by: str | None) -> list[str]:
    """Return the sizes of the test set, and a warning if patients may leak."""
    counted = f"test: {test.images:,} images" + ("" if test.studies is None else f" of {test.studies:,} studies")
    lines = [f"{counted}; {test.normal:,} images normal, {test.abnormal:,} abnormal"]
    if split_by == "image":
        lines.append("warning: split by image, so patients may be in both training and validation")
    return lines


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n" + "".join(f"- {note}\n" for note in table.notes)


def reported_accuracies(evaluation: Evaluation) -> dict[float, float]:
    """Return the accuracies that the thesis reports, by percent added."""
    reported = {} if evaluation.thesis is None else evaluation.thesis.accuracy
    return {float(percent): value for percent, value in reported.items()}


def group_into_lines(arms: Sequence[ArmResult]) -> dict[str, list[ArmResult]]:
    """Group arms into the lines of Figure 7 by what is added; the arm without synthetic images begins each line."""
    lines = itertools.groupby(_sort_into_lines(arms), lambda each: each[0])
    return {_name_line(key): [arm for _, arm in members] for key, members in lines}


def _save_figure7(stem: Path, evaluation: Evaluation) -> None:
    lines = group_into_lines(evaluation.arms).items()
    series = [plots.Series(name, [_make_dose(evaluation, arm) for arm in arms]) for name, arms in lines]
    subtitle = f"per image, {evaluation.test.images:,} test images"
    plots.save_figure7(stem, series, reported_accuracies(evaluation), subtitle)


def _dose(arm: ArmResult) -> ArmSettings:
    """Return the settings of an arm, which are known in figures over doses."""
    if arm.settings is None:
        raise ValueError(f"the dose of arm {arm.name} is unknown")
    return arm.settings


def _sort_into_lines(arms: Sequence[ArmResult]) -> list[tuple[LineKey, ArmResult]]:
    """Return every arm with the line it is on; a baseline is on every line of its fraction of the real images."""
    has_generators = any(_dose(arm).generator for arm in arms)
    on_lines = [arm for arm in arms if _dose(arm).label and not (_dose(arm).control and has_generators)]

    def list_keys(arm: ArmResult) -> list[LineKey]:
        own = _dose(arm)
        if own.percent or own.is_pretrained:
            return [_line_key(own, own, own.label or "no")]  # "no" image was added
        same = [_dose(each) for each in on_lines if _dose(each).weights == own.weights]
        return sorted({_line_key(own, each, str(each.label)) for each in same}) or [_line_key(own, own, "normal")]

    placed = [(key, arm) for arm in arms for key in list_keys(arm)]
    return sorted(placed, key=lambda each: (*each[0], _dose(each[1]).percent))


def _line_key(arm: ArmSettings, of: ArmSettings, label: str) -> LineKey:
    """Return the key of a line for an arm, with the label and the variant of another that is on it."""
    return -arm.real_fraction, label, arm.control or "", SCHEDULES.index(of.schedule), describe_variant(of)


def _name_line(key: LineKey) -> str:
    fraction, label, control, _, variant = -key[0], *key[1:]
    balancing = "images added to balance the classes (percent of the difference in class size)"
    added = f"{control}, a control" if control else balancing if label == BALANCE else f"{label} images added"
    return added + (f" to {100 * fraction:g}% of the real ones" if fraction != 1 else "") + variant


def _make_dose(evaluation: Evaluation, arm: ArmResult) -> plots.Dose:
    run_accuracies = [run.scores["image"].accuracy for run in evaluation.runs if run.arm_name == arm.name]
    seed_accuracies = [value for value in run_accuracies if value is not None]  # None only without test images
    accuracy = arm.scores["image"]["accuracy"]
    mean = math.nan if accuracy.mean is None else accuracy.mean
    return plots.Dose(_dose(arm).percent, seed_accuracies, mean, accuracy.sd)
