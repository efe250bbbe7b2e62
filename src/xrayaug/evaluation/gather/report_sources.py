"""Collect the evidence of the report from the artifacts that the runs depend on; what cannot be read is listed."""

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data import generators
from xrayaug.data.dataset import LABELS, Dataset
from xrayaug.data.generators import Generator
from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import InputError
from xrayaug.evaluation.evidence import (
    AttackEvidence,
    DistanceEvidence,
    Evidence,
    FloorEvidence,
    GanLog,
    ImageGrid,
    LogRecord,
    MeasureEvidence,
    PrivacyEvidence,
    Provenance,
    ScreeningEvidence,
)
from xrayaug.evaluation.gather import lineage, origins
from xrayaug.evaluation.gather.runs import Run
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import LOG_FILE, NEAREST_PAIRS_FILE

GRID_IMAGES = 12
GRID_COLUMNS = 6
MAX_IMAGE_SIZE = 96  # pixels, of each image of a grid
MAX_LOG_BYTES = 16 << 20
MAX_PICTURE_BYTES = 2 << 20
PROVENANCE = {
    generators.DECLARED: "what it was trained on was declared by the user",
    generators.NONE: "that it saw none of the images of this study was declared by the user",
    generators.UNKNOWN: "what it was trained on is unknown",
}


@dataclass(frozen=True)
class RequestedArtifacts:
    """The distances, screenings and results of `privacy` that the user asks to show."""

    distances: Sequence[Artifact] = ()
    screenings: Sequence[Artifact] = ()
    privacy: Sequence[Artifact] = ()


def open_requested(options: Evaluate) -> RequestedArtifacts:
    """Open the artifacts of `--fid`, `--copies` and `--privacy`.

    Raises:
        ArtifactError: one is of another kind.
    """
    return RequestedArtifacts(
        [artifacts.open_artifact(path, "fid") for path in options.fid or ()],
        [artifacts.open_artifact(path, "copies") for path in options.copies or ()],
        [artifacts.open_artifact(path, "privacy") for path in options.privacy or ()],
    )


def gather_evidence(
    options: Evaluate,
    runs: Sequence[Run],
    requested: RequestedArtifacts,
    environment: Mapping[str, Any],
    test_sets: Sequence[Artifact] = (),
) -> Evidence:
    """Collect the evidence of the report; without a requested screening, show those that the arms were made with.

    Args:
        options: of the evaluation.
        runs: the runs that are judged.
        requested: the distances and screenings to show.
        environment: of this evaluation.
        test_sets: datasets of further test sets.

    Raises:
        ArtifactError: a distance or a screening lacks a number.
        InputError: the dataset behind an arm or test set cannot be read.
    """
    missing: dict[str, list[str]] = {"learning": [], "copies": []}
    arms = _list_datasets(runs)
    screenings = requested.screenings or _open_screenings(arms, missing["copies"])
    roots = [*(run.artifact for run in runs), *requested.distances, *screenings, *requested.privacy]
    sets = [*(data.artifact for of in arms.values() for data in of), *test_sets]
    return Evidence(
        grids=_make_grids(arms),
        logs=_read_logs(runs, missing["learning"]),
        gans=_read_gans(arms, missing["learning"]),
        distances=[_read_distance(each) for each in requested.distances],
        screenings=[_read_screening(each) for each in screenings],
        privacy=[_read_privacy(each) for each in requested.privacy],
        provenance=_trace(options, runs, roots, environment),
        missing=missing,
        cautions=list(dict.fromkeys(line for each in sets for line in origins.find_cautions(each))),
    )


def gather_evidence_of_predictions(
    options: Evaluate, requested: RequestedArtifacts, environment: Mapping[str, Any]
) -> Evidence:
    """Collect the evidence for predictions: the requested distances and screenings, and the commands behind them.

    Raises:
        ArtifactError: a distance or a screening lacks a number.
    """
    ours = [artifacts.open_artifact(path) for path in options.predictions or () if artifacts.is_artifact(path)]
    return Evidence(
        grids=[],
        logs={},
        gans=[],
        distances=[_read_distance(each) for each in requested.distances],
        screenings=[_read_screening(each) for each in requested.screenings],
        privacy=[_read_privacy(each) for each in requested.privacy],
        provenance=_trace(
            options, [], [*ours, *requested.distances, *requested.screenings, *requested.privacy], environment
        ),
        missing={"learning": [], "copies": []},
    )


def _trace(
    options: Evaluate, runs: Sequence[Run], roots: Sequence[Artifact], environment: Mapping[str, Any]
) -> Provenance:
    traced = lineage.trace(roots)
    here = f"{lineage.describe_environment(environment)} (this evaluation)"
    commands = traced.command_lines(options, [run.artifact.path for run in runs])
    return Provenance(commands, {**traced.environments(), here: []}, list(traced.missing))


def _list_datasets(runs: Sequence[Run]) -> dict[str, list[Dataset]]:
    """Return the datasets that hold what each arm adds, each once: one, unless its runs have several generators."""
    arms: dict[str, dict[str, Dataset]] = {}
    for run in reversed(runs):
        arms.setdefault(run.arm_name, {})[artifacts.digest(run.dose_data.path)] = run.dose_data
    return {name: list(of.values())[::-1] for name, of in arms.items()}


def _make_grids(arms: Mapping[str, Sequence[Dataset]]) -> list[ImageGrid]:
    """Make a grid for each label, from the arm that adds most images of it."""
    grids = []
    for label in LABELS:
        counts = {name: len(of[0].select(split="train", label=label, synthetic=True)) for name, of in arms.items()}
        arm = max(sorted(counts), key=lambda name: counts[name])
        real = _make_grid(arms[arm][:1], label, synthetic=False)
        synthetic = _make_grid(arms[arm], label, synthetic=True)
        grids.append(ImageGrid(label, arm, real, synthetic, generators=len(arms[arm])))
    return grids


def _make_grid(sets: Sequence[Dataset], label: str, *, synthetic: bool) -> Pixels | None:
    """Return a grid of randomly drawn training images of an arm, from its datasets in turn; None if there are none."""
    size = min(MAX_IMAGE_SIZE, *(data.size for data in sets))
    drawn: list[list[Pixels]] = []
    for data in sets:
        rows = [row for row in data.select(split="train", label=label, synthetic=synthetic) if not row.copy]
        order = np.random.default_rng(0).permutation(len(rows))[: math.ceil(GRID_IMAGES / len(sets))]
        drawn.append(list(data.pixels([rows[place] for place in order], size)) if rows else [])
    pictures = [each for turn in itertools.zip_longest(*drawn) for each in turn if each is not None][:GRID_IMAGES]
    return contact_sheets.make_grid(np.stack(pictures), columns=GRID_COLUMNS) if pictures else None


def _read_logs(runs: Sequence[Run], missing: list[str]) -> dict[str, list[tuple[int, list[LogRecord]]]]:
    logs: dict[str, list[tuple[int, list[LogRecord]]]] = {}
    for run in runs:
        lines = _read_log(run.artifact)
        if lines:
            logs.setdefault(run.arm_name, []).append((run.seed, lines))
        else:
            missing.append(f"{run.name} has no log that can be read")
    return logs


def _read_gans(arms: Mapping[str, Sequence[Dataset]], missing: list[str]) -> list[GanLog]:
    """Return the logs of the GAN runs that the arms depend on, each once; with their seeds if some have one name."""
    logs: dict[Path, tuple[str, str, list[LogRecord]]] = {}  # architecture, seed and log by path
    for name, data in ((name, data) for name, of in arms.items() for data in of):
        if not any(row.synthetic for row in data.rows):
            continue
        for set_name in generators.list_synthetic_inputs(data.artifact) or [generators.SYNTHETIC]:
            try:
                synthetic = data.artifact.open_input(set_name, "dataset")
                if generators.is_external(synthetic):
                    line = _describe_external(generators.read_generator(synthetic))
                    missing += [line] if line not in missing else []
                    continue
                run = synthetic.open_input("run", "gan-run")
            except InputError as problem:
                missing.append(f"the GAN behind arm {name} cannot be reached: {problem.message}")
                continue
            arch, seed = (str(run.options.get(option, "unknown")) for option in ("arch", "seed"))
            logs[run.path.resolve()] = arch, seed, _read_log(run)
    counts = Counter(arch for arch, _, _ in logs.values())
    return [GanLog(f"{arch}, seed {seed}" if counts[arch] > 1 else arch, log) for arch, seed, log in logs.values()]


def _describe_external(generator: Generator) -> str:
    """Return a sentence on a generator from elsewhere, which has no log here."""
    return (
        f"{generator.name} is a generator from elsewhere, of which there is no log; {PROVENANCE[generator.learnt_from]}"
    )


def _open_screenings(arms: Mapping[str, Sequence[Dataset]], missing: list[str]) -> list[Artifact]:
    """Open the screenings for copies that the arms were made with, each once."""
    screenings: dict[Path, Artifact] = {}
    for name, data in ((name, data) for name, of in arms.items() for data in of):
        for input_name in data.artifact.manifest["inputs"]:
            if input_name.partition("/")[0] != "copies":
                continue
            try:
                screening = data.artifact.open_input(input_name, "copies")
            except InputError as problem:
                missing.append(f"the screening that arm {name} was made with cannot be reached: {problem.message}")
                continue
            screenings[screening.path.resolve()] = screening
    return list(screenings.values())


def _read_log(run: Artifact) -> list[LogRecord]:
    """Return the lines of a run's log; none if there is no readable log."""
    if LOG_FILE not in run.manifest["files"] or run.manifest["files"][LOG_FILE]["bytes"] > MAX_LOG_BYTES:
        return []
    try:
        lines = [json.loads(line) for line in run.file(LOG_FILE).read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        return []
    return [_select_numbers(line) for line in lines if isinstance(line, dict) and _is_number(line.get("images"))]


def _select_numbers(line: Mapping[str, Any]) -> LogRecord:
    return {name: value for name, value in line.items() if _is_number(value)}


def _read_distance(artifact: Artifact) -> DistanceEvidence:
    names = [Path(artifact.get(str, "result", side, "path")).name for side in ("a", "b")]
    first, second = (str(artifact.get(dict, "result", side).get("n")) for side in ("a", "b"))
    return DistanceEvidence(
        name=f"{names[0]} to {names[1]}",
        description=artifact.get(str, "result", "description"),
        value=artifact.get(float, "result", "value"),
        counts=(first, second),
        floor=_read_floor(artifact),
        warnings=[str(line) for line in artifact.result.get("warnings", [])],
    )


def _read_floor(artifact: Artifact) -> FloorEvidence | None:
    floor = artifact.result.get("floor")
    if not isinstance(floor, dict):
        return None
    names = {"fid": "FID" if "fid" in artifact.result else "Fréchet distance", "kid": "Kernel distance (KID)"}
    parts = ("value", "floor", "floor_sd", "excess", "ratio", "p_value", "p_holm")
    measures = [
        MeasureEvidence(names.get(name, name.capitalize()), *(_to_number(values.get(part)) for part in parts))
        for name, values in floor["measures"].items()
    ]
    return FloorEvidence(artifact.get(int, "result", "floor", "n"), measures)


def _read_screening(artifact: Artifact) -> ScreeningEvidence:
    verdict = artifact.get(str, "result", "verdict", among=("pass", "fail"))
    judged, quarantined = artifact.get(int, "result", "judged"), artifact.get(list, "result", "quarantined")
    picture = artifact.file(NEAREST_PAIRS_FILE).read_bytes()
    is_small = len(picture) <= MAX_PICTURE_BYTES
    rule = artifact.get(str, "result", "rule")
    images = Path(artifact.manifest["inputs"].get("synthetic", {}).get("path", "")).name
    return ScreeningEvidence(verdict, judged, len(quarantined), rule, picture if is_small else None, images)


def _read_privacy(artifact: Artifact) -> PrivacyEvidence:
    corrected = artifact.get(dict, "result", "p_corrected")
    attacks = [
        AttackEvidence(
            name,
            auroc=artifact.get(float, "result", "membership", name, "auroc"),
            low=artifact.get(float, "result", "membership", name, "low"),
            high=artifact.get(float, "result", "membership", name, "high"),
            p_holm=float(corrected[f"{name} auroc"]),
        )
        for name in artifact.get(dict, "result", "membership")
    ]
    return PrivacyEvidence(
        images=Path(artifact.manifest["inputs"]["synthetic"]["path"]).name,
        verdict=artifact.get(str, "result", "verdict"),
        reason=artifact.get(str, "result", "reason"),
        rule=artifact.get(str, "result", "rule"),
        attacks=attacks,
    )


def _to_number(value: Any) -> float | None:
    return value if isinstance(value, int | float) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
