"""All of it on one page, `report.html`: nothing is loaded from anywhere. The only importer of jinja2.

The template escapes whatever it is given, since names of files and labels are other people's text; only drawings, made
by `figures` from escaped text, go in as they are.
"""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from xrayaug.data.dataset import BALANCE
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation import predictions, tables, verdict
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.report import figures
from xrayaug.evaluation.report.evidence import DistanceEvidence, Evidence, Floor, ScreeningEvidence
from xrayaug.evaluation.report.figures import Figure
from xrayaug.evaluation.results import ArmVerdict, Evaluation, Verdict
from xrayaug.runtime.console import Table
from xrayaug.stats import classification

MAX_CSV_BYTES = 1 << 20  # of a file that can be taken from the page
SIGNS = {verdict.HELPS: "▲", verdict.HURTS: "▼", verdict.EQUIVALENT: "=", verdict.UNCLEAR: "?"}


@dataclass(frozen=True)
class Download:
    """A file that can be taken from the page; None for one that is too large for that."""

    name: str
    address: str | None
    size: str


@dataclass(frozen=True)
class Picture:
    """A picture with what is said of it for who does not see it."""

    address: str
    alt: str


def render(evaluation: Evaluation, predicted: Sequence[RunPredictions], evidence: Evidence) -> str:
    """Return the page.

    Args:
        evaluation: the numbers and the verdict.
        predicted: the predictions they come from, for curves and downloads.
        evidence: what is shown beside them.
    """
    found = evaluation.verdict
    return _template().render(
        test=evaluation.test,
        split_by=evaluation.split_by,
        question=found.question,
        metric=classification.display_name(found.question.metric),
        answer=_answer(found),
        arms=[_describe_arm(arm, evaluation) for arm in found.arms],
        tables=_tables(evaluation),
        figures=_figures(evaluation, predicted, evidence),
        scores_of_runs=_confusion(evaluation),
        grids=_grids(evidence),
        distances=[_describe_distance(each) for each in evidence.distances],
        copies=[_describe_screening(each) for each in evidence.screenings],
        missing={**evidence.missing, "made": evidence.provenance.missing},
        commands=evidence.provenance.commands,
        environments=evidence.provenance.environments,
        downloads=_downloads(evaluation, predicted),
        most_csv=_size(MAX_CSV_BYTES),
    )


@cache
def _template() -> Template:
    loader = PackageLoader("xrayaug.evaluation.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, keep_trailing_newline=True)  # fmt: skip
    return environment.get_template("page.html.j2")


def _answer(found: Verdict) -> str:
    """Return one line that answers the question in the title."""
    if not found.valid:
        return "It cannot be told: a check that the comparison rests on does not hold."
    by_verdict: dict[str, list[str]] = {}
    for arm in found.arms:
        if arm.control is None:
            by_verdict.setdefault(arm.verdict, []).append(arm.arm)
    if not by_verdict:
        return "There is nothing to compare: no arm with images added stands beside one without."
    order = [each for each in SIGNS if each in by_verdict]
    return "; ".join(
        f"{verdict.DISPLAY_NAMES[each]}: {', '.join(f'arm {name}' for name in by_verdict[each])}" for each in order
    )


def _describe_arm(arm: ArmVerdict, evaluation: Evaluation) -> dict[str, Any]:
    """Return the verdict on an arm with the words of the page."""
    settings = next(each.settings for each in evaluation.arms if each.name == arm.arm)
    of = "what the classes differ by" if settings.label == BALANCE else "the real normal images"
    dose = f"{settings.percent:g} % of {of}: {settings.added:,} images added"
    return {
        "arm": arm.arm,
        "verdict": arm.verdict,
        "reason": arm.reason,
        "controls": arm.controls,
        "sign": SIGNS[arm.verdict],
        "said": verdict.DISPLAY_NAMES[arm.verdict],
        "about": f"a control ({arm.control}), {dose}" if arm.control else dose,
    }


def _tables(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "checks": replace(tables.checks_table(evaluation), title="Checks"),
        "scores": [replace(tables.interval_table(evaluation, level), notes=()) for level in tables.IN_TABLE5],
        "notes": [*tables.notes(evaluation), *_note_single_runs(evaluation)],
        "differences": replace(tables.difference_table(evaluation), notes=()),  # they stand at the top
        "pairs": _pairs(evaluation.verdict),
        "subgroups": tables.subgroup_tables(evaluation),
    }


def _note_single_runs(evaluation: Evaluation) -> list[str]:
    """Return a note on what the intervals of arms with one run lack."""
    alone = [f"arm {arm.name}" for arm in evaluation.arms if len(arm.seeds) == 1]
    return [f"one run alone: {', '.join(alone)}; the interval is over patients, not over seeds"] if alone else []


def _pairs(found: Verdict) -> Table:
    """Return the table of the tests of two networks of one seed."""
    rows = [
        (arm.arm, str(pair.seed), str(pair.only_arm_right), str(pair.only_baseline_right),
         tables.format_p_cell(pair.mcnemar_p), _number(pair.auroc_difference, "+.3f"),
         tables.format_p_cell(pair.delong_p))
        for arm in found.arms for pair in arm.pairs
    ]  # fmt: skip
    columns = ("Percent added", "Seed", "Only arm right", "Only 0 right", "p, McNemar", "AUROC difference", "p, DeLong")
    return Table("Seed by seed: exact McNemar and DeLong, of these two networks alone", columns, rows)


def _confusion(evaluation: Evaluation) -> Table:
    """Return the table of the confusion matrix of every run."""
    level = evaluation.verdict.question.level
    parts = ("tp", "fp", "tn", "fn")
    rows = [
        (run.arm_name, str(run.seed), *(f"{getattr(run.scores[level], part):,}" for part in parts),
         *(_number(getattr(run.scores[level], name)) for name in ("auroc", "brier", "calibration_error")))
        for run in evaluation.runs
    ]  # fmt: skip
    columns = ("Percent added", "Seed", "Abnormal, called so", "Normal, called abnormal", "Normal, called so",
               "Abnormal, called normal", "AUROC", "Brier score", "Calibration error")  # fmt: skip
    return Table(f"Confusion of every run, per {level}, at {evaluation.threshold:g}", columns, rows)


def _figures(evaluation: Evaluation, predicted: Sequence[RunPredictions], behind: Evidence) -> dict[str, Any]:
    level = evaluation.verdict.question.level
    gans = [figures.gan(each, place) for place, each in enumerate(behind.gans)]
    return {
        "accuracy": _drawn(figures.accuracy(evaluation)),
        "differences": _drawn(figures.differences(evaluation)),
        "roc": _drawn(figures.roc(predicted, level)),
        "calibration": _drawn(figures.calibration(predicted, level)),
        "losses": _drawn(figures.losses(behind.logs)),
        "gans": [_drawn(each) for each in gans if each],
    }


def _drawn(figure: Figure | None) -> dict[str, Any] | None:
    return None if figure is None else {"svg": Markup(figure.svg), "caption": figure.caption}


def _grids(behind: Evidence) -> list[dict[str, Any]]:
    return [
        {
            "label": grid.label,
            "arm": grid.arm,
            "real": _grid(grid.real, f"Real {grid.label} training images"),
            "synthetic": _grid(grid.synthetic, f"Synthetic images trained on as {grid.label}"),
        }
        for grid in behind.grids
    ]


def _grid(pixels: Pixels | None, alt: str) -> Picture | None:
    return None if pixels is None else Picture(_address("image/png", contact_sheets.encode_png(pixels)), alt)


def _describe_distance(distance: DistanceEvidence) -> dict[str, Any]:
    """Return the numbers of a distance as text, and the table of its floor."""
    return {
        "name": distance.name,
        "value": f"{distance.description}: {distance.value:.6g}",
        "counts": " and ".join(distance.counts),
        "table": _floor_table(distance.floor),
        "warnings": distance.warnings,
    }


def _floor_table(floor: Floor | None) -> Table | None:
    if floor is None:
        return None
    rows = [
        (
            each.name,
            *(_number(part, ".4g") for part in (each.value, each.floor, each.floor_sd, each.excess, each.ratio)),
        )
        for each in floor.measures
    ]
    columns = ("Measure", "Value", "Floor", "Deviation of the floor", "Excess", "Ratio")
    title = f"Beside the floor, what real images score against real ones, at {floor.n} images"
    return Table(title, columns, rows)


def _describe_screening(screening: ScreeningEvidence) -> dict[str, Any]:
    alt = "The ten synthetic images nearest to a training image, each with that image at its right, four to a row"
    counts = f"{screening.quarantined:,} of {screening.judged:,} synthetic images are set aside."
    return {
        "said": f"{screening.verdict.capitalize()}: {counts}",
        "rule": screening.rule,
        "picture": None if screening.picture is None else Picture(_address("image/png", screening.picture), alt),
    }


def _downloads(evaluation: Evaluation, predicted: Sequence[RunPredictions]) -> list[Download]:
    sheets = {name: iter([content]) for name, content in tables.sheets(evaluation).items()}
    sheets |= {"predictions.csv": predictions.format_csv(predicted, "test")}
    return [_download(name, lines) for name, lines in sheets.items()]


def _download(name: str, lines: Iterable[str]) -> Download:
    """Encode a file for download; a file too large for the page is only counted, without keeping its content."""
    content, size = bytearray(), 0
    for line in lines:
        encoded = line.encode()
        size += len(encoded)
        if size <= MAX_CSV_BYTES:
            content += encoded
    fits = size <= MAX_CSV_BYTES
    return Download(name, _address("text/csv;charset=utf-8", content) if fits else None, _size(size))


def _address(kind: str, content: bytes | bytearray) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count >= 1024 else f"{count} bytes"


def _number(value: Any, form: str = ".3f") -> str:
    return f"{value:{form}}" if isinstance(value, int | float) else tables.UNDEFINED
