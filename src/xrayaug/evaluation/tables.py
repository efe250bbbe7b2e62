"""Render an evaluation as tables, for the console and for the report."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from xrayaug.evaluation import checks, verdict
from xrayaug.evaluation.results import (
    HALF,
    ArmResult,
    ConfidenceInterval,
    ControlDifference,
    Difference,
    Evaluation,
    Question,
    Subgroups,
    TestSet,
    Verdict,
)
from xrayaug.runtime.console import UNDEFINED, Table
from xrayaug.stats import classification
from xrayaug.stats.classification import Summary
from xrayaug.stats.intervals import ALPHA

TABLE5_LEVELS = ("image", "study")
TITLES = {"accuracy": "Accuracy", "kappa": "Kappa", "auroc": "AUROC", "sensitivity": "Sensitivity",
          "specificity": "Specificity"}  # fmt: skip
INTERVALS_NOTE = (
    "intervals are marginal: each has its 95 % for itself, without correction for several arms (t, over seeds and "
    "patients; verdict.json also has the percentile bootstrap intervals, not BCa)"
)
MARGINAL = "(marginal 95 %)"
UNKNOWN = "(unknown)"  # group of images whose cell in the column is empty
MEANINGS = {"difference": "a difference (helps, hurts)", "equivalence": "equivalence (no difference)"}  # of tests
P_VALUES = ("p", "Holm p", "Equivalence p", "Holm equivalence p")  # headings: before and after Holm's correction
PERCENT_ADDED, ARM = "Percent added", "Arm"  # headings of a column of arms: with known doses, and without
PASSED_LABELS = {True: "yes", False: "no", None: "unknown"}


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


def name_heading(arms: Sequence[ArmResult]) -> str:
    """Return the heading of a column of arms."""
    return PERCENT_ADDED if have_doses(arms) else ARM


def subgroup_tables(evaluation: Evaluation) -> list[Table]:
    """Return tables of the subgroups with the score that decides and its difference, one for each test set.

    There is no table without `--by`.
    """
    if evaluation.subgroups is None:
        return []
    others = evaluation.others.sets if evaluation.others else []
    tables = [_subgroup_table(evaluation, evaluation.subgroups, evaluation.others.primary if evaluation.others else "")]
    tables += [_subgroup_table(evaluation, each.subgroups, each.name) for each in others if each.subgroups]
    missing = [f"not computed for '{each.name}': {each.no_subgroups}" for each in others if each.no_subgroups]
    return [*tables[:-1], replace(tables[-1], notes=[*tables[-1].notes, *missing])]


def _subgroup_table(evaluation: Evaluation, subgroups: Subgroups, test_set: str) -> Table:
    column, metric = subgroups.column, subgroups.metric
    rows = [
        (group.value or UNKNOWN, f"{group.images:,}", arm, format_interval(intervals[metric], ".3f"),
         format_interval(group.differences.get(arm, {}).get(metric), "+.3f"))
        for group in subgroups.groups for arm, intervals in group.intervals.items()
    ]  # fmt: skip
    columns = (column, "Images", name_heading(evaluation.arms), _heading(metric), "Difference to baseline")
    has_undefined = any(cells[3] == UNDEFINED for cells in rows)
    note = f"{UNDEFINED}: undefined, because the subgroup lacks a class or has only one patient of it"
    title = f"By {column}, per image{f', test set {test_set}' if test_set else ''}: 95 % intervals, uncorrected"
    return Table(title, columns, rows, [note] if has_undefined else [])


def test_set_tables(evaluation: Evaluation) -> list[Table]:
    """Return the table of the differences on all test sets and of their mean; no table if there is one set."""
    others = evaluation.others
    if others is None:
        return []
    metric, level = evaluation.verdict.question.metric, evaluation.verdict.question.level
    sets = [(f"{others.primary} (primary)", evaluation.test, evaluation.verdict)]
    sets += [(each.name, each.test, each.verdict) for each in others.sets]
    rows = [
        (name, f"{test.images:,}", arm.arm, verdict.DISPLAY_NAMES[arm.verdict], *_difference_cells(arm.difference)[:3])
        for name, test, verdicts in sets
        for arm in verdicts.arms
    ]
    total = sum(test.images for _, test, _ in sets)
    rows += [
        (f"mean of {len(sets)} sets", f"{total:,}", mean.arm, UNDEFINED, format_interval(mean.difference, "+.3f"),
         format_p_cell(mean.p), UNDEFINED)
        for mean in others.means
    ]  # fmt: skip
    columns = ("Test set", "Images", name_heading(evaluation.arms), "Verdict", f"Difference to baseline {MARGINAL}",
               *P_VALUES[:2])  # fmt: skip
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
        verb = "are taken to be" if any(map(checks.describe_unknown_patients, others.shared)) else "are"
        notes.append(
            f"the mean has equal weight for every set; seeds are shared, patients {verb} independent between sets"
        )
    notes += [
        f"{' and '.join(pair.sets)} have {pair.patients:,} patients and {pair.images:,} images in common"
        f"{checks.describe_same_names(pair.same_names)}, so their results are not independent and no mean is given"
        for pair in others.shared
        if pair.has_any
    ]
    notes += [
        f"{' and '.join(pair.sets)}: {unknown}"
        for pair in others.shared
        if (unknown := checks.describe_unknown_patients(pair)) and not pair.has_any
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


def spread_table(evaluation: Evaluation, level: str) -> Table:
    """Return Table 5 with standard deviations over runs."""
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


def difference_tables(arms: Sequence[ArmResult], verdicts: Verdict) -> list[Table]:
    """Return the table of the differences of arms to their baselines, and that of those to their controls, if any.

    Each has the p-values before and after Holm's correction; the notes say which tests are corrected together.
    """
    question = verdicts.question
    metric = classification.display_name(question.metric)
    heading = name_heading(arms)
    tables = [
        Table(
            f"Differences in {metric} per {question.level} to the baseline",
            (heading, f"Difference {MARGINAL}", *P_VALUES),
            [(arm.arm, *_difference_cells(arm.difference)) for arm in verdicts.arms],
        ),
        Table(
            f"Differences in {metric} per {question.level} to the controls of equal size",
            (heading, "Control", f"Difference {MARGINAL}", *P_VALUES),
            [
                (arm.arm, each.control, *_difference_cells(each.difference))
                for arm in verdicts.arms
                for each in arm.controls
            ],
        ),
    ]
    shown = [table for table in tables if table.rows]
    if not shown:
        return []
    return [*shown[:-1], replace(shown[-1], notes=[INTERVALS_NOTE, *describe_families(verdicts)])]


def describe_families(verdicts: Verdict) -> list[str]:
    """Return which tests are corrected together, and how often some of them err; nothing if that is not known."""
    families = [each for each in verdicts.families if each.tests]
    if not families:
        return []
    lists: dict[str, list[str]] = {}  # which of the two is tested, by what is compared
    for each in families:
        lists.setdefault(f"{each.compared} ({each.tests})", []).append(each.shown)
    levels = {each.shown: f"{100 * each.level:.3g} %" for each in families}
    compared = "; ".join(
        name + ("" if len(shown) == len(levels) else f", {shown[0]} alone") for name, shown in lists.items()
    )
    at = " and ".join(f"{MEANINGS[shown]} at {level}" for shown, level in levels.items())
    lines = [f"Holm's correction is made within each family of tests, for {at}. Families: {compared}"]
    if verdicts.sequential is not None:
        whole = f"{100 * ALPHA:g} %"
        lines.append(
            f"over all looks of the plan, arms are wrongly said to help or hurt in at most {whole} of studies, and "
            f"wrongly to make no difference in at most {whole}; so either happens in at most {200 * ALPHA:g} %"
        )
    elif len(levels) > 1:
        either = 100 * sum({each.shown: each.level for each in families}.values())
        lines.append(
            f"arms are wrongly said to help or hurt in at most {levels['difference']} of studies, and wrongly to make "
            f"no difference in at most {levels['equivalence']}; so either happens in at most {either:.3g} %"
        )
    return lines


def _difference_cells(difference: Difference | ControlDifference | None) -> tuple[str, ...]:
    if difference is None:
        return (UNDEFINED,) * (1 + len(P_VALUES))
    p_values = (difference.p, difference.p_holm, difference.p_equivalent, difference.p_equivalent_holm)
    return format_interval(difference, "+.3f"), *map(format_p_cell, p_values)


def format_p_cell(p_value: float | None) -> str:
    """Format a p-value as a cell of a table: `0.012`, `< 0.001`."""
    return verdict.format_p(p_value).removeprefix("= ")


def format_interval(interval: ConfidenceInterval | None, form: str) -> str:
    """Format a value and its interval by a format specification, such as `.3f`: `0.831 (0.790 to 0.872)`."""
    if interval is None:
        return UNDEFINED
    return f"{interval.value:{form}} ({interval.low:{form}} to {interval.high:{form}})"


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
