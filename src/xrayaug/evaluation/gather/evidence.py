"""Collect what the report shows from the artifacts behind the runs; what cannot be read is listed as missing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data.dataset import LABELS, Dataset
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import InputError
from xrayaug.evaluation.gather import lineage
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.report.evidence import (
    DistanceEvidence,
    Evidence,
    Floor,
    FloorMeasure,
    GanLog,
    ImageGrid,
    Line,
    Provenance,
    ScreeningEvidence,
)
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import LOG_FILE

GRID_IMAGES = 12
GRID_COLUMNS = 6
MAX_IMAGE_SIZE = 96  # pixels, of each image of a grid
MAX_LOG_BYTES = 16 << 20
MAX_PICTURE_BYTES = 2 << 20


@dataclass(frozen=True)
class GivenArtifacts:
    """The distances and screenings that the user wants shown."""

    distances: Sequence[Artifact] = ()
    screenings: Sequence[Artifact] = ()


def open_given(options: Evaluate) -> GivenArtifacts:
    """Open the artifacts of `--fid` and `--copies`.

    Raises:
        ArtifactError: one is of another kind.
    """
    screenings = [artifacts.open_artifact(options.copies, "copies")] if options.copies else []
    return GivenArtifacts([artifacts.open_artifact(path, "fid") for path in options.fid or ()], screenings)


def gather_evidence(
    options: Evaluate, runs: Sequence[Run], given: GivenArtifacts, environment: Mapping[str, Any]
) -> Evidence:
    """Collect everything behind `runs`, and what was given; without a given screening, those the arms were made with.

    Raises:
        ArtifactError: a distance or a screening lacks a number.
    """
    missing: dict[str, list[str]] = {"learning": [], "copies": []}
    arms = {run.arm_name: run.data for run in reversed(runs)}
    screenings = given.screenings or _open_screenings(arms, missing["copies"])
    roots = [*(run.artifact for run in runs), *given.distances, *screenings]
    return Evidence(
        grids=_make_grids(arms),
        logs=_read_logs(runs, missing["learning"]),
        gans=_read_gans(arms, missing["learning"]),
        distances=[_read_distance(each) for each in given.distances],
        screenings=[_read_screening(each) for each in screenings],
        provenance=_trace(options, runs, roots, environment),
        missing=missing,
    )


def _trace(
    options: Evaluate, runs: Sequence[Run], roots: Sequence[Artifact], environment: Mapping[str, Any]
) -> Provenance:
    traced = lineage.trace(roots)
    here = f"{lineage.describe_environment(environment)} (this evaluation)"
    commands = traced.command_lines(options, [run.artifact.path for run in runs])
    return Provenance(commands, {**traced.environments(), here: []}, list(traced.missing))


def _make_grids(arms: Mapping[str, Dataset]) -> list[ImageGrid]:
    """Show for each label images of the arm that adds most of it: real and synthetic ones were trained on together."""
    grids = []
    for label in LABELS:
        counts = {name: len(data.select(split="train", label=label, synthetic=True)) for name, data in arms.items()}
        fullest = max(sorted(counts), key=lambda name: counts[name])
        data = arms[fullest]
        real, synthetic = (_make_grid(data, label, synthetic=made) for made in (False, True))
        grids.append(ImageGrid(label, fullest, real, synthetic))
    return grids


def _make_grid(data: Dataset, label: str, *, synthetic: bool) -> Pixels | None:
    """Return some training images of the arm, drawn at random."""
    rows = [row for row in data.select(split="train", label=label, synthetic=synthetic) if not row.copy]
    if not rows:
        return None
    order = np.random.default_rng(0).permutation(len(rows))[:GRID_IMAGES]
    drawn = [rows[place] for place in order]
    return contact_sheets.make_grid(data.pixels(drawn, min(MAX_IMAGE_SIZE, data.size)), columns=GRID_COLUMNS)


def _read_logs(runs: Sequence[Run], missing: list[str]) -> dict[str, list[tuple[int, list[Line]]]]:
    found: dict[str, list[tuple[int, list[Line]]]] = {}
    for run in runs:
        lines = _read_log(run.artifact)
        if lines:
            found.setdefault(run.arm_name, []).append((run.seed, lines))
        else:
            missing.append(f"{run.name} has no log that can be read")
    return found


def _read_gans(arms: Mapping[str, Dataset], missing: list[str]) -> list[GanLog]:
    """Return the GAN runs that can be reached from the arms, each once."""
    found: dict[Path, GanLog] = {}
    for name, data in arms.items():
        if not any(row.synthetic for row in data.rows):
            continue
        try:
            run = data.artifact.open_input("synthetic", "dataset").open_input("run", "gan-run")
        except InputError as problem:
            missing.append(f"the GAN behind arm {name} cannot be reached: {problem.message}")
            continue
        found[run.path.resolve()] = GanLog(str(run.options.get("arch", "GAN")), _read_log(run))
    return list(found.values())


def _open_screenings(arms: Mapping[str, Dataset], missing: list[str]) -> list[Artifact]:
    """Open the screenings for copies that the arms were made with, each once."""
    found: dict[Path, Artifact] = {}
    for name, data in arms.items():
        if "copies" not in data.artifact.manifest["inputs"]:
            continue
        try:
            screening = data.artifact.open_input("copies", "copies")
        except InputError as problem:
            missing.append(f"the screening that arm {name} was made with cannot be reached: {problem.message}")
            continue
        found[screening.path.resolve()] = screening
    return list(found.values())


def _read_log(run: Artifact) -> list[Line]:
    """Return the lines of a run's log; none if there is no readable log."""
    if LOG_FILE not in run.manifest["files"] or run.manifest["files"][LOG_FILE]["bytes"] > MAX_LOG_BYTES:
        return []
    try:
        lines = [json.loads(line) for line in run.file(LOG_FILE).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return []
    return [line for line in lines if isinstance(line, dict) and _is_number(line.get("images"))]


def _read_distance(artifact: Artifact) -> DistanceEvidence:
    sides = [Path(artifact.get(str, "result", side, "path")).name for side in ("a", "b")]
    first, second = (str(artifact.get(dict, "result", side).get("n")) for side in ("a", "b"))
    return DistanceEvidence(
        name=f"{sides[0]} to {sides[1]}",
        description=artifact.get(str, "result", "description"),
        value=artifact.get(float, "result", "value"),
        counts=(first, second),
        floor=_read_floor(artifact),
        warnings=[str(line) for line in artifact.result.get("warnings", [])],
    )


def _read_floor(artifact: Artifact) -> Floor | None:
    floor = artifact.result.get("floor")
    if not isinstance(floor, dict):
        return None
    names = {"fid": "FID" if "fid" in artifact.result else "Fréchet distance", "kid": "Kernel distance (KID)"}
    parts = ("value", "floor", "floor_sd", "excess", "ratio")
    measures = [
        FloorMeasure(names.get(name, name.capitalize()), *(_number(of.get(part)) for part in parts))
        for name, of in floor["measures"].items()
    ]
    return Floor(floor["n"], measures)


def _read_screening(artifact: Artifact) -> ScreeningEvidence:
    verdict = artifact.get(str, "result", "verdict", among=("pass", "fail"))
    judged, aside = artifact.get(int, "result", "judged"), artifact.get(list, "result", "quarantined")
    picture = artifact.file("nearest.png").read_bytes()
    is_small = len(picture) <= MAX_PICTURE_BYTES
    rule = artifact.get(str, "result", "rule")
    return ScreeningEvidence(verdict, judged, len(aside), rule, picture if is_small else None)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
