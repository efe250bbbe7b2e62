"""An evaluation's numbers -> what people read of them: tables, CSV, Markdown, Figure 7."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from xrayaug import plots
from xrayaug.data.dataset import BALANCE
from xrayaug.evaluation import verdict
from xrayaug.evaluation.findings import CHOSEN, HALF
from xrayaug.evaluation.predictions import LEVELS
from xrayaug.runtime.console import Table
from xrayaug.stats import classification
from xrayaug.storage import csvfile, files
from xrayaug.storage.artifacts import Result

IN_TABLE5 = ("image", "study")
TITLES = {"accuracy": "Accuracy", "kappa": "Kappa", "auroc": "AUROC", "sensitivity": "Sensitivity",
          "specificity": "Specificity"}  # fmt: skip
UNDEFINED = "--"
INTERVALS_NOTE = (
    "intervals: t, over seeds and patients; beside them in verdict.json the bootstrap's, by percentiles (not BCa)"
)
HOLDS = {True: "yes", False: "no", None: "unknown"}

Kind = tuple[float, str, str]  # of a line of Figure 7: minus the share of real images, label, control


def tables(result: Result) -> list[Table]:
    """Table 5 per image and per study, subgroups, the verdict and what it stands on."""
    return [*(_spread_table(result, level) for level in IN_TABLE5), *subgroup_tables(result), *verdict_tables(result)]


def sheets(result: Result) -> dict[str, str]:
    """The numbers as CSV, by the name of the file."""
    return {
        "table5.csv": csvfile.dump(_table5_lines(result)),
        "verdict.csv": csvfile.dump(_verdict_lines(result)),
        "intervals.csv": csvfile.dump(_interval_lines(result)),
        **({"subgroups.csv": csvfile.dump(_subgroup_lines(result))} if "subgroups" in result else {}),
    }


def write(directory: Path, result: Result) -> None:
    """All numbers as JSON, the verdict apart, the sheets, Table 5 as Markdown, Figure 7."""
    files.write_json(directory / "metrics.json", result)
    files.write_json(directory / "verdict.json", result["verdict"])
    for name, content in sheets(result).items():
        files.write_text(directory / name, content)
    files.write_text(directory / "table5.md", "\n".join(_markdown(_spread_table(result, level)) for level in IN_TABLE5))
    _draw_figure7(directory / "figure7", result)


def subgroup_tables(result: Result) -> list[Table]:
    """With `--by`, of every group and arm the score that decides and its difference."""
    if "subgroups" not in result:
        return []
    column, metric = result["subgroups"]["column"], result["subgroups"]["metric"]
    rows = [
        (group["value"], f"{group['images']:,}", arm, bounded(told[metric], ".3f"),
         bounded(group["differences"].get(arm, {}).get(metric), "+.3f"))
        for group in result["subgroups"]["groups"] for arm, told in group["intervals"].items()
    ]  # fmt: skip
    columns = (column, "Images", "Percent added", _heading(metric), "Difference to 0")
    undefined = any(cells[3] == UNDEFINED for cells in rows)
    why = f"{UNDEFINED}: undefined, as where a group lacks a class or has one patient of it"
    return [Table(f"By {column}, per image: 95 % intervals, uncorrected", columns, rows, [why] if undefined else [])]


def interval_table(result: Result, level: str) -> Table:
    """Table 5 with 95 % intervals in place of deviations."""
    title = f"Table 5, per {level}: mean over runs (95 % interval)"
    return _table5(result, title, lambda arm, metric: bounded(arm["intervals"][level][HALF][metric], ".3f"))


def _spread_table(result: Result, level: str) -> Table:
    title = f"Table 5, per {level}: mean ± standard deviation over runs"
    return _table5(result, title, lambda arm, metric: _spread(arm[level][metric]))


def _table5(result: Result, title: str, cell: Callable[[dict[str, Any], str], str]) -> Table:
    columns = ("Percent added", "Images added", "Runs", *TITLES.values(), "Accuracy, thesis (reported)")
    rows = [
        (
            arm["name"],
            f"{arm['added']:,}",
            str(len(arm["seeds"])),
            *(cell(arm, metric) for metric in TITLES),
            UNDEFINED if arm["thesis_accuracy"] is None else f"{arm['thesis_accuracy']:.3f}",
        )
        for arm in result["arms"]
    ]
    return Table(title, columns, rows, notes(result))


def verdict_tables(result: Result) -> list[Table]:
    """What the verdict stands on, and the verdict arm by arm with its reasons."""
    return [checks_table(result), *([difference_table(result)] if result["verdict"]["arms"] else [])]


def checks_table(result: Result) -> Table:
    """The checks that the verdict stands on."""
    rows = [(each["name"], HOLDS[each["holds"]], each["sentence"]) for each in result["verdict"]["checks"]]
    return Table("What the verdict stands on", ("Check", "Holds", "What was found"), rows)


def difference_table(result: Result) -> Table:
    """Every arm's verdict with its difference and p-values, the reasons under it."""
    found = result["verdict"]
    title = f"Verdict by {classification.plain(found['metric'])} per {found['level']}, margin {found['margin']:g}"
    said = [verdict.SAID[each["verdict"]] for each in found["arms"]]
    cells = [_difference_cells(each["difference"]) for each in found["arms"]]
    rows = [(each["arm"], word, *told) for each, word, told in zip(found["arms"], said, cells, strict=True)]
    columns = ("Percent added", "Verdict", "Difference to 0 (95 %)", "p (Holm)", "p equivalent (Holm)")
    notes = [f"{each['arm']}: {word}: {each['reason']}" for each, word in zip(found["arms"], said, strict=True)]
    notes.append(INTERVALS_NOTE)
    return Table(title, columns, rows, notes)


def _difference_cells(difference: dict[str, Any] | None) -> tuple[str, str, str]:
    if difference is None:
        return UNDEFINED, UNDEFINED, UNDEFINED
    different, equivalent = (p_cell(difference[name]) for name in ("p_holm", "p_equivalent_holm"))
    return bounded(difference, "+.3f"), different, equivalent


def p_cell(p_value: float | None) -> str:
    """A p-value in a table: `0.012`, `< 0.001`."""
    return verdict.p_told(p_value).removeprefix("= ")


def bounded(told: dict[str, Any] | None, form: str) -> str:
    """`0.831 (0.790 to 0.872)`."""
    if told is None:
        return UNDEFINED
    return f"{told['value']:{form}} ({told['low']:{form}} to {told['high']:{form}})"


def _table5_lines(result: Result) -> list[tuple[object, ...]]:
    """One line per level and arm."""
    spread = [f"{metric}_{part}" for metric in TITLES for part in ("mean", "sd")]
    about = ("level", "percent_added", "real_fraction", "label", "images_added", "runs")
    lines: list[tuple[object, ...]] = [(*about, *spread, "thesis_accuracy_reported")]
    for level, arm in itertools.product(IN_TABLE5, result["arms"]):
        numbers = [arm[level][metric][part] for metric in TITLES for part in ("mean", "sd")]
        told = (f"{arm['percent']:g}", f"{arm['real_fraction']:g}", arm["label"], arm["added"], len(arm["seeds"]))
        lines.append((level, *told, *numbers, arm["thesis_accuracy"]))
    return lines


def _verdict_lines(result: Result) -> list[tuple[object, ...]]:
    found = result["verdict"]
    names = ("value", "low", "high", "seeds", "p", "p_holm", "p_equivalent", "p_equivalent_holm")
    lines: list[tuple[object, ...]] = [("arm", "control", "baseline", "verdict", "metric", "level", *names, "reason")]
    for each in found["arms"]:
        numbers = [(each["difference"] or {}).get(name) for name in names]
        said = (each["arm"], each["control"], each["baseline"], each["verdict"], found["metric"], found["level"])
        lines.append((*said, *numbers, each["reason"]))
    return lines


def _interval_lines(result: Result) -> list[tuple[object, ...]]:
    """Every score and every difference with its interval."""
    lines: list[tuple[object, ...]] = [("level", "threshold", "arm", "of", "metric", "value", "low", "high", "seeds")]
    for level, threshold, arm in itertools.product(LEVELS, (HALF, CHOSEN), result["arms"]):
        for of in ("intervals", "differences"):
            for metric, told in (arm[of][level][threshold] or {}).items():
                where = (level, threshold, arm["name"], "score" if of == "intervals" else "difference", metric)
                lines.append((*where, *_numbers(told)))
    return lines


def _subgroup_lines(result: Result) -> list[tuple[object, ...]]:
    column = result["subgroups"]["column"]
    lines: list[tuple[object, ...]] = [
        ("column", "value", "images", "abnormal", "arm", "of", "metric", "estimate", "low", "high", "seeds")
    ]
    for group in result["subgroups"]["groups"]:
        for of in ("intervals", "differences"):
            for arm, told in group[of].items():
                where = (column, group["value"], group["images"], group["abnormal"], arm)
                what = "score" if of == "intervals" else "difference"
                lines += [(*where, what, metric, *_numbers(each)) for metric, each in told.items()]
    return lines


def _numbers(told: dict[str, Any] | None) -> tuple[object, ...]:
    return tuple((told or {}).get(name) for name in ("value", "low", "high", "seeds"))


def _heading(metric: str) -> str:
    name = classification.plain(metric)
    return name[0].upper() + name[1:]


def _spread(summary: dict[str, Any]) -> str:
    if summary["mean"] is None:
        return UNDEFINED
    return f"{summary['mean']:.3f}" + ("" if summary["sd"] is None else f" ± {summary['sd']:.3f}")


def notes(result: Result) -> list[str]:
    """What a table of the result, or of a plan, must say with it."""
    test = result["test"]
    counted = f"test: {test['images']:,} images of {test['studies']:,} studies"
    lines = [f"{counted}; {test['normal']:,} images normal, {test['abnormal']:,} abnormal"]
    if result["split_by"] == "image":
        lines.append("warning: split by image: patients leak between train and validation")
    return lines if "planned" in result else [*lines, result["thesis"]["note"]]


def _markdown(table: Table) -> str:
    lines = [table.columns, ["---", *["---:"] * (len(table.columns) - 1)], *table.rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{body}\n\n" + "".join(f"- {note}\n" for note in table.notes)


def reported(result: Result) -> dict[float, float]:
    """The thesis's accuracy by percent added."""
    return {float(percent): value for percent, value in result["thesis"]["accuracy"].items()}


def by_kind(arms: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The arms as lines of Figure 7, by what is added: an arm without synthetic images begins each of its fraction."""
    return {_kind_name(kind): list(found) for kind, found in itertools.groupby(_by_kind(arms), _kind)}


def _draw_figure7(stem: Path, result: Result) -> None:
    kinds = by_kind(result["arms"]).items()
    series = [plots.Series(name, [_dose(result, arm) for arm in arms]) for name, arms in kinds]
    subtitle = f"per image, {result['test']['images']:,} test images"
    plots.figure7(stem, series, reported(result), subtitle)


def _by_kind(arms: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The arms sorted into lines of the figure; a baseline begins every line of its fraction."""
    labels = sorted({arm["label"] for arm in arms if arm["label"]}) or ["normal"]
    spread = [
        {**arm, "line": label}
        for arm in arms
        for label in (labels if not arm["percent"] else [arm["label"] or "no"])  # no: a dose that came to nothing
    ]
    return sorted(spread, key=lambda arm: (*_kind(arm), arm["percent"]))


def _kind(arm: dict[str, Any]) -> Kind:
    return -arm["real_fraction"], arm["line"], arm["control"] or ""


def _kind_name(kind: Kind) -> str:
    fraction, label, control = -kind[0], *kind[1:]
    what = "images that even out the classes added (percent of what these differ by)"
    added = f"{control}, a control" if control else what if label == BALANCE else f"{label} images added"
    return added + (f" to {100 * fraction:g}% of the real ones" if fraction != 1 else "")


def _dose(result: Result, arm: dict[str, Any]) -> plots.Dose:
    of_seed = [each["image"]["accuracy"] for each in result["runs"] if each["arm_name"] == arm["name"]]
    accuracy = arm["image"]["accuracy"]
    return plots.Dose(arm["percent"], of_seed, accuracy["mean"], accuracy["sd"])
