"""All of it on one page, `report.html`: nothing is loaded from anywhere. The only importer of jinja2.

The template escapes whatever it is given, since names of files and labels are other people's text; only drawings, made
by `figures` from escaped text, go in as they are.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from xrayaug.data.dataset import BALANCE
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation import predictions, scorecard, verdict
from xrayaug.evaluation.predictions import Predicted
from xrayaug.evaluation.report import evidence, figures, lineage
from xrayaug.evaluation.report.evidence import Evidence, Given
from xrayaug.evaluation.report.figures import Figure
from xrayaug.options import Evaluate
from xrayaug.runtime.console import Table
from xrayaug.stats import classification
from xrayaug.storage.artifacts import Artifact, Result

MOST_CSV_BYTES = 1 << 20  # of a file that can be taken from the page
MOST_PICTURE_BYTES = 2 << 20
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


def render(
    options: Evaluate, result: Result, predicted: Sequence[Predicted], given: Given, made_with: Mapping[str, Any]
) -> str:
    """The page.

    Args:
        options: of the evaluation.
        result: its numbers.
        predicted: what they were computed from.
        given: what the user wants shown beside them.
        made_with: the environment of the evaluation itself.

    Raises:
        ArtifactError: a distance or a screening does not say what it should.
    """
    runs = [each.run for each in predicted]
    behind = evidence.gather(runs, given)
    roots = [run.artifact for run in runs] + [*behind.distances, *behind.copies]
    made = lineage.trace(roots)
    return _template().render(
        result=result,
        verdict=result["verdict"],
        metric=classification.plain(result["verdict"]["metric"]),
        answer=_answer(result["verdict"]),
        arms=[_told(arm, result) for arm in result["verdict"]["arms"]],
        tables=_tables(result),
        figures=_figures(result, predicted, behind),
        scores_of_runs=_confusion(result),
        grids=_grids(behind),
        distances=[_distance(each) for each in behind.distances],
        copies=[_screening(each) for each in behind.copies],
        missing={**behind.missing, "made": list(made.missing)},
        commands=made.command_lines(options, [run.artifact.path for run in runs]),
        environments={**made.environments(), f"{lineage.described(made_with)} (this evaluation)": []},
        downloads=_downloads(result, predicted),
        most_csv=_size(MOST_CSV_BYTES),
    )


@cache
def _template() -> Template:
    loader = PackageLoader("xrayaug.evaluation.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, keep_trailing_newline=True)  # fmt: skip
    return environment.get_template("page.html.j2")


def _answer(found: dict[str, Any]) -> str:
    """One line that answers the question in the title."""
    if not found["valid"]:
        return "It cannot be told: a check that the comparison rests on does not hold."
    by_word: dict[str, list[str]] = {}
    for arm in found["arms"]:
        if arm["control"] is None:
            by_word.setdefault(arm["verdict"], []).append(arm["arm"])
    if not by_word:
        return "There is nothing to compare: no arm with images added stands beside one without."
    order = [word for word in SIGNS if word in by_word]
    return "; ".join(f"{verdict.SAID[word]}: {', '.join(f'arm {name}' for name in by_word[word])}" for word in order)


def _told(arm: dict[str, Any], result: Result) -> dict[str, Any]:
    """A verdict with the words it is said in."""
    about = next(each for each in result["arms"] if each["name"] == arm["arm"])
    of = "what the classes differ by" if about["label"] == BALANCE else "the real normal images"
    said = f"{about['percent']:g} % of {of}: {about['added']:,} images added"
    return {
        **arm,
        "sign": SIGNS[arm["verdict"]],
        "said": verdict.SAID[arm["verdict"]],
        "about": f"a control ({arm['control']}), {said}" if arm["control"] else said,
    }


def _tables(result: Result) -> dict[str, Any]:
    return {
        "checks": replace(scorecard.checks_table(result), title="Checks"),
        "scores": [replace(scorecard.interval_table(result, level), notes=()) for level in scorecard.IN_TABLE5],
        "notes": [*scorecard.notes(result), *_of_one_run(result)],
        "differences": replace(scorecard.difference_table(result), notes=()),  # they stand at the top
        "pairs": _pairs(result["verdict"]),
        "subgroups": scorecard.subgroup_tables(result),
    }


def _of_one_run(result: Result) -> list[str]:
    """What the intervals of arms of one run lack."""
    alone = [f"arm {arm['name']}" for arm in result["arms"] if len(arm["seeds"]) == 1]
    return [f"one run alone: {', '.join(alone)}; the interval is over patients, not over seeds"] if alone else []


def _pairs(found: dict[str, Any]) -> Table:
    """The tests of two networks of one seed."""
    rows = [
        (arm["arm"], str(pair["seed"]), str(pair["only_arm_right"]), str(pair["only_baseline_right"]),
         scorecard.p_cell(pair["mcnemar_p"]), _number(pair["auroc_difference"], "+.3f"),
         scorecard.p_cell(pair["delong_p"]))
        for arm in found["arms"] for pair in arm["pairs"]
    ]  # fmt: skip
    columns = ("Percent added", "Seed", "Only arm right", "Only 0 right", "p, McNemar", "AUROC difference", "p, DeLong")
    return Table("Seed by seed: exact McNemar and DeLong, of these two networks alone", columns, rows)


def _confusion(result: Result) -> Table:
    """What every run called right and wrong."""
    level = result["verdict"]["level"]
    parts = ("tp", "fp", "tn", "fn")
    rows = [
        (run["arm_name"], str(run["seed"]), *(f"{run[level][part]:,}" for part in parts),
         *(_number(run[level][name]) for name in ("auroc", "brier", "calibration_error")))
        for run in result["runs"]
    ]  # fmt: skip
    columns = ("Percent added", "Seed", "Abnormal, called so", "Normal, called abnormal", "Normal, called so",
               "Abnormal, called normal", "AUROC", "Brier score", "Calibration error")  # fmt: skip
    return Table(f"Confusion of every run, per {level}, at {result['threshold']:g}", columns, rows)


def _figures(result: Result, predicted: Sequence[Predicted], behind: Evidence) -> dict[str, Any]:
    level = result["verdict"]["level"]
    gans = [figures.gan(each, place) for place, each in enumerate(behind.gans)]
    return {
        "accuracy": _drawn(figures.accuracy(result)),
        "differences": _drawn(figures.differences(result)),
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
    return None if pixels is None else Picture(_address("image/png", contact_sheets.png(pixels)), alt)


def _distance(artifact: Artifact) -> dict[str, Any]:
    """A distance's numbers, and those of its floor where it was measured."""
    found = artifact.result
    sides = [str(Path(artifact.said(str, "result", side, "path")).name) for side in ("a", "b")]
    return {
        "name": f"{sides[0]} to {sides[1]}",
        "value": f"{artifact.said(str, 'result', 'description')}: {artifact.said(float, 'result', 'value'):.6g}",
        "counts": " and ".join(str(artifact.said(dict, "result", side).get("n")) for side in ("a", "b")),
        "table": _floor_table(found),
        "warnings": [str(line) for line in found.get("warnings", [])],
    }


def _floor_table(found: Result) -> Table | None:
    floor = found.get("floor")
    if not isinstance(floor, dict):
        return None
    named = {"fid": "FID" if "fid" in found else "Fréchet distance", "kid": "Kernel distance (KID)"}
    parts = ("value", "floor", "floor_sd", "excess", "ratio")
    rows = [
        (named.get(name, name.capitalize()), *(_number(of.get(part), ".4g") for part in parts))
        for name, of in floor["measures"].items()
    ]
    columns = ("Measure", "Value", "Floor", "Deviation of the floor", "Excess", "Ratio")
    title = f"Beside the floor, what real images score against real ones, at {floor['n']} images"
    return Table(title, columns, rows)


def _screening(artifact: Artifact) -> dict[str, Any]:
    said = artifact.said(str, "result", "verdict", among=("pass", "fail"))
    judged, aside = artifact.said(int, "result", "judged"), artifact.said(list, "result", "quarantined")
    picture = artifact.file("nearest.png").read_bytes()
    alt = "The ten synthetic images nearest to a training image, each with that image at its right, four to a row"
    small = len(picture) <= MOST_PICTURE_BYTES
    return {
        "said": f"{said.capitalize()}: {len(aside):,} of {judged:,} synthetic images are set aside.",
        "rule": artifact.said(str, "result", "rule"),
        "picture": Picture(_address("image/png", picture), alt) if small else None,
    }


def _downloads(result: Result, predicted: Sequence[Predicted]) -> list[Download]:
    sheets = {name: iter([content]) for name, content in scorecard.sheets(result).items()}
    sheets |= {"predictions.csv": predictions.lines(predicted, "test")}
    return [_download(name, lines) for name, lines in sheets.items()]


def _download(name: str, lines: Iterable[str]) -> Download:
    """What is too large to be in the page is not kept either."""
    content, size = bytearray(), 0
    for line in lines:
        encoded = line.encode()
        size += len(encoded)
        if size <= MOST_CSV_BYTES:
            content += encoded
    fits = size <= MOST_CSV_BYTES
    return Download(name, _address("text/csv;charset=utf-8", content) if fits else None, _size(size))


def _address(kind: str, content: bytes | bytearray) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _size(count: int) -> str:
    return f"{count / 1024:,.0f} KB" if count >= 1024 else f"{count} bytes"


def _number(value: Any, form: str = ".3f") -> str:
    return f"{value:{form}}" if isinstance(value, int | float) else scorecard.UNDEFINED
