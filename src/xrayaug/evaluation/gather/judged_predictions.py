"""Read the predictions that a finished evaluation judged, and its report, as it wrote them or as a stop left them."""

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from xrayaug.data.dataset import Row
from xrayaug.errors import DataError
from xrayaug.evaluation import pairing
from xrayaug.evaluation.planted.results import PLANTED_FILE
from xrayaug.evaluation.predictions import RunInfo, RunPredictions
from xrayaug.evaluation.results import Evaluation
from xrayaug.storage import artifacts, csvfile, files
from xrayaug.storage.artifacts import Artifact

NOTHING = np.zeros(0)


def read_judged(artifact: Artifact, evaluation: Evaluation, *, are_from_elsewhere: bool) -> list[RunPredictions]:
    """Return the predictions of the primary test set by every run, in the order of the runs.

    Args:
        artifact: the evaluation.
        evaluation: its numbers.
        are_from_elsewhere: whether predictions were judged instead of runs, whose seeds may not be those of the
            baseline.

    Raises:
        DataError: the file does not fit the numbers.
    """
    path = artifact.file(files.PREDICTIONS_FILE)
    seeds: dict[str, list[int]] = {}
    for run in evaluation.runs:
        seeds.setdefault(run.arm_name, []).append(run.seed)
    baselines = {arm.arm: arm.baseline for arm in evaluation.verdict.arms if arm.baseline is not None}
    pairs = pairing.pair_runs(seeds, baselines) if are_from_elsewhere else {}
    found: list[RunPredictions] = []
    rows: list[Row] = []
    with path.open(encoding="utf-8", newline="") as text:
        for (name, arm, seed), lines in groupby(_read(csv.DictReader(text, strict=True)), key=_identify):
            own = list(lines)
            rows = rows or [_make_row(line) for line in own]
            info = RunInfo(name, None, arm, seed, None, pairs.get(arm, {}).get(seed))
            found.append(
                RunPredictions(info, rows, [], np.array([float(line["probability"]) for line in own]), NOTHING)
            )
    judged = [(run.arm_name, run.seed) for run in evaluation.runs]
    if [(each.run.arm_name, each.run.seed) for each in found] != judged or any(
        len(each.test) != evaluation.test.images for each in found
    ):
        raise DataError(f"{path} does not have the predictions that were judged", "evaluate again with --overwrite")
    return found


def read_report(artifact: Artifact) -> str:
    """Return the page of an evaluation; if adding to it was interrupted, the page that this left, which is whole.

    Raises:
        ArtifactError: there is none.
    """
    path = artifact.path / files.REPORT_FILE
    if not path.is_file():
        path = artifact.file(files.REPORT_FILE)  # says that it is not there
    return path.read_text(encoding="utf-8")


def is_report_interrupted(path: Path) -> bool:
    """Return whether adding to the page of a finished evaluation was interrupted, so that its manifest has no page."""
    listed = artifacts.open_artifact(path).manifest["files"]
    return files.REPORT_FILE not in listed and (path / files.REPORT_FILE).is_file()


def delete_unfinished(artifact: Artifact) -> None:
    """Delete what was written when adding to an evaluation was interrupted, but for the page itself."""
    files.delete_leftovers(artifact.path, deep=False)
    if PLANTED_FILE not in artifact.manifest["files"]:
        (artifact.path / PLANTED_FILE).unlink(missing_ok=True)


def _read(lines: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    for line in lines:
        yield {name: csvfile.unescape_formula(cell) for name, cell in line.items()}


def _identify(line: dict[str, str]) -> tuple[str, str, int]:
    return line["run"], line["arm"], int(line["seed"])


def _make_row(line: dict[str, str]) -> Row:
    return Row(
        line["image"],
        int(line["row"] or 0),
        split="test",
        label=line["label"],
        patient=line["patient"],
        study=line["study"],
        source="",
        synthetic=False,
        file=line["file"],
    )
