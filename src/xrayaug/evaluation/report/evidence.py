"""What lies in the artifacts behind the runs: pictures, logs, distances, nearest pairs; what is not there is said."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data.dataset import LABELS, Dataset
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import InputError
from xrayaug.evaluation.runs import Run
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact

LOG = "log.jsonl"
SHOWN = 12  # pictures of a grid
IN_ROW = 6
SIDE = 96  # pixels of each at most
MOST_LOG_BYTES = 16 << 20

Line = dict[str, Any]


@dataclass(frozen=True)
class Grid:
    """Real and synthetic training images of one label; none of either where there are none."""

    label: str
    arm: str
    real: Pixels | None
    synthetic: Pixels | None


@dataclass(frozen=True)
class Gan:
    """A GAN run that the arms' synthetic images came from."""

    name: str
    log: Sequence[Line]


@dataclass(frozen=True)
class Evidence:
    """All of it."""

    grids: Sequence[Grid]
    logs: dict[str, list[tuple[int, list[Line]]]]  # by arm: each seed's
    gans: Sequence[Gan]
    distances: Sequence[Artifact]
    copies: Sequence[Artifact]
    missing: dict[str, list[str]] = field(default_factory=dict)  # by section, one line each


@dataclass(frozen=True)
class Given:
    """What the user gave for the report."""

    distances: Sequence[Artifact] = ()
    copies: Sequence[Artifact] = ()


def given(distances: Sequence[Path], copies: Path | None) -> Given:
    """Open what the user gave.

    Raises:
        ArtifactError: it is no distance, or no screening.
    """
    screenings = [artifacts.open_artifact(copies, "copies")] if copies else []
    return Given([artifacts.open_artifact(path, "fid") for path in distances], screenings)


def gather(runs: Sequence[Run], given: Given) -> Evidence:
    """Everything behind `runs`, beside what was given; without a screening, those that the arms were made with."""
    missing: dict[str, list[str]] = {"learning": [], "copies": []}
    arms = _arms(runs)
    screened = given.copies or _screenings(arms, missing["copies"])
    return Evidence(
        _grids(arms),
        _logs(runs, missing["learning"]),
        _gans(arms, missing["learning"]),
        given.distances,
        screened,
        missing,
    )


def _arms(runs: Sequence[Run]) -> dict[str, Dataset]:
    """Each arm's data, by its name."""
    return {run.arm_name: run.data for run in reversed(runs)}


def _grids(arms: dict[str, Dataset]) -> list[Grid]:
    """Of each label, images of the arm that adds most of it: what lies side by side was trained on together."""
    found = []
    for label in LABELS:
        counts = {name: len(data.select(split="train", label=label, synthetic=True)) for name, data in arms.items()}
        fullest = max(sorted(counts), key=lambda name: counts[name])
        data = arms[fullest]
        real, synthetic = (_grid(data, label, synthetic=made) for made in (False, True))
        found.append(Grid(label, fullest, real, synthetic))
    return found


def _grid(data: Dataset, label: str, *, synthetic: bool) -> Pixels | None:
    """Some of the arm's training images, drawn without looking."""
    rows = [row for row in data.select(split="train", label=label, synthetic=synthetic) if not row.copy]
    if not rows:
        return None
    order = np.random.default_rng(0).permutation(len(rows))[:SHOWN]
    drawn = [rows[place] for place in order]
    return contact_sheets.grid(data.pixels(drawn, min(SIDE, data.size)), columns=IN_ROW)


def _logs(runs: Sequence[Run], missing: list[str]) -> dict[str, list[tuple[int, list[Line]]]]:
    found: dict[str, list[tuple[int, list[Line]]]] = {}
    for run in runs:
        lines = _log(run.artifact)
        if lines:
            found.setdefault(run.arm_name, []).append((run.seed, lines))
        else:
            missing.append(f"{run.name} has no log that can be read")
    return found


def _gans(arms: dict[str, Dataset], missing: list[str]) -> list[Gan]:
    """The GAN runs that can be reached from the arms; each once."""
    found: dict[Path, Gan] = {}
    for name, data in arms.items():
        if not any(row.synthetic for row in data.rows):
            continue
        try:
            run = data.artifact.open_input("synthetic", "dataset").open_input("run", "gan-run")
        except InputError as problem:
            missing.append(f"the GAN behind arm {name} cannot be reached: {problem.message}")
            continue
        found[run.path.resolve()] = Gan(str(run.options.get("arch", "GAN")), _log(run))
    return list(found.values())


def _screenings(arms: dict[str, Dataset], missing: list[str]) -> list[Artifact]:
    """The screenings for copies that the arms were made with; each once."""
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


def _log(run: Artifact) -> list[Line]:
    """The lines of a run's log; none where there is none, or what is there is none."""
    if LOG not in run.manifest["files"] or run.manifest["files"][LOG]["bytes"] > MOST_LOG_BYTES:
        return []
    try:
        lines = [json.loads(line) for line in run.file(LOG).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return []
    return [line for line in lines if isinstance(line, dict) and _is_number(line.get("images"))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
