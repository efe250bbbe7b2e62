"""Write the numbers of an evaluation as files: JSON, CSV, Table 5 as Markdown, and Figure 7."""

import math
from pathlib import Path

from xrayaug.evaluation import dose_lines, serialization, sheets, tables
from xrayaug.evaluation.results import METRICS_FILE, VERDICT_FILE, ArmResult, Evaluation
from xrayaug.plots import scores
from xrayaug.plots.scores import Dose, Series
from xrayaug.runtime.console import Table
from xrayaug.storage import files


def write(directory: Path, evaluation: Evaluation) -> None:
    """Write all numbers as JSON, the verdict in a file of its own, the CSV files, Table 5 as Markdown, and Figure 7.

    The differences are below Table 5.
    """
    files.write_json(directory / METRICS_FILE, serialization.to_dict(evaluation))
    others = {} if evaluation.others is None else {"others": serialization.to_dict(evaluation.others)}
    files.write_json(directory / VERDICT_FILE, serialization.to_dict(evaluation.verdict) | others)
    for name, content in sheets.make_sheets(evaluation).items():
        files.write_text(directory / name, content)
    table5 = (_markdown(tables.spread_table(evaluation, level)) for level in tables.table5_levels(evaluation))
    differences = map(_markdown, tables.difference_tables(evaluation.arms, evaluation.verdict))
    files.write_text(directory / files.TABLE5_FILE, "\n".join([*table5, *differences]))
    if tables.have_doses(evaluation.arms):
        _save_figure7((directory / files.FIGURE7_FILE).with_suffix(""), evaluation)


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n" + "".join(f"- {note}\n" for note in table.notes)


def _save_figure7(stem: Path, evaluation: Evaluation) -> None:
    lines = dose_lines.group_into_lines(evaluation.arms).items()
    series = [Series(name, [_make_dose(evaluation, arm) for arm in arms]) for name, arms in lines]
    subtitle = f"per image, {evaluation.test.images:,} test images"
    scores.save_figure7(stem, series, dose_lines.reported_accuracies(evaluation), subtitle)


def _make_dose(evaluation: Evaluation, arm: ArmResult) -> Dose:
    run_accuracies = [run.scores["image"].accuracy for run in evaluation.runs if run.arm_name == arm.name]
    seed_accuracies = [value for value in run_accuracies if value is not None]  # None only without test images
    accuracy = arm.scores["image"]["accuracy"]
    mean = math.nan if accuracy.mean is None else accuracy.mean
    return Dose(dose_lines.find_settings(arm).percent, seed_accuracies, mean, accuracy.sd)
