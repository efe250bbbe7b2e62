"""Collect the facts of a paper from the manifests behind an evaluation, and the test images that its arms get wrong."""

import csv
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.data import generators
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.gather import dataset_facts, lineage, reader_files, report_sources, test_sets
from xrayaug.evaluation.gather.dataset_facts import count_values, read_value
from xrayaug.evaluation.gather.lineage import Lineage, MadeArtifact
from xrayaug.evaluation.gather.runs import Run, open_runs
from xrayaug.evaluation.paper import failures
from xrayaug.evaluation.paper.facts import (
    CLASSIFIER,
    GENERATOR,
    OTHER_TEST,
    START,
    ClassifierFacts,
    DistanceFacts,
    GanFacts,
    PaperFacts,
    PhaseFacts,
    ScreeningFacts,
    Settings,
    StudyFacts,
    SyntheticFacts,
    TrainedArm,
)
from xrayaug.evaluation.paper.failures import FailedImage, ScoredImage
from xrayaug.evaluation.results import Evaluation
from xrayaug.options import Evaluate
from xrayaug.storage import artifacts, csvfile, files
from xrayaug.storage.artifacts import Artifact

IDENTITY = ("file", "patient", "study", "label")  # columns that an image has in common in all runs
MAX_PICTURE_SIZE = 256  # pixels, of each picture of the failures


@dataclass(frozen=True)
class PaperInputs:
    """The facts, the test images that fail, and the pictures of the first of them; None without pictures."""

    facts: PaperFacts
    baselines: Mapping[str, str | None]  # of the compared arms, without controls; None for a baseline
    failed: Sequence[FailedImage]
    pictures: Pixels | None  # [N, S, S] of the first N


def gather_paper(options: Evaluate, evaluation: Artifact) -> PaperInputs:
    """Collect everything that the files for a paper are made from.

    Args:
        options: of the evaluation.
        evaluation: the finished evaluation.

    Raises:
        ArtifactError: an artifact behind it is damaged, or the evaluation was made by another version.
        DataError: its predictions do not fit its arms.
    """
    result = serialization.from_dict(Evaluation, evaluation.result)
    runs = [] if options.predictions is not None else open_runs(options.runs, options.local_cache)
    baselines = {
        arm.name: next((each.baseline for each in result.verdict.arms if each.arm == arm.name), None)
        for arm in result.arms
        if not any(each.arm == arm.name and each.control for each in result.verdict.arms)
    }
    failed = failures.list_failures(
        read_scored_images(evaluation.file(files.PREDICTIONS_FILE), list(baselines)), baselines, result.threshold
    )
    pictures = _read_pictures(options, runs, failed[: failures.MAX_SHOWN])
    here = lineage.describe_environment(evaluation.manifest.get("environment"))
    requested = report_sources.open_requested(options)
    further = [artifacts.open_artifact(path, "dataset") for path in options.also or ()]
    roots = [*(run.artifact for run in runs), *requested.distances, *requested.screenings, *further]
    traced = lineage.trace(roots)
    facts = PaperFacts(
        path=files.resolve_directory(options.out).name,
        evaluation=result,
        options=_select_settings(evaluation.options),
        environments=list(dict.fromkeys([*traced.environments(), here])),
        has_readers=reader_files.read_scores(evaluation) is not None,
        study=_gather_study(options, runs, traced) if runs else None,
        failures=len(failed),
        is_pictured=pictures is not None,
    )
    return PaperInputs(facts, baselines, failed, pictures)


def read_scored_images(path: Path, arms: Sequence[str]) -> list[ScoredImage]:
    """Read the mean probability that the runs of each arm give each test image, from `predictions.csv`.

    Args:
        path: of the file.
        arms: names of the arms to read.

    Raises:
        DataError: the runs are not of the same images, or an arm has none.
    """
    images: list[tuple[str, int, str]] = []  # array, row and label, as the first run has them
    identities: list[tuple[str, ...]] = []
    sums = {arm: list[float]() for arm in arms}
    runs: Counter[str] = Counter()
    for run, lines in itertools.groupby(_read_predictions(path), lambda line: (line["run"], line["arm"], line["seed"])):
        if run[1] not in sums:
            continue
        rows = list(lines)
        images = images or [(line["image"], int(line["row"]), line["label"]) for line in rows]
        own = [tuple(line[name] for name in IDENTITY) for line in rows]  # arms of arms have other names of arrays
        identities = identities or own
        if own != identities:
            raise DataError(f"{path}: {run[0]} has other images than the first run", "evaluate again with --overwrite")
        values = [float(line["probability"]) for line in rows]
        sums[run[1]] = [a + b for a, b in zip(sums[run[1]] or [0.0] * len(values), values, strict=True)]
        runs[run[1]] += 1
    if absent := [arm for arm in arms if not runs[arm]]:
        raise DataError(f"{path} has no predictions of arm {absent[0]}", "evaluate again with --overwrite")
    return [
        ScoredImage(place, array, row, label, {arm: sums[arm][place] / runs[arm] for arm in arms})
        for place, (array, row, label) in enumerate(images)
    ]


def _read_predictions(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as text:
        for line in csv.DictReader(text, strict=True):
            yield {name: csvfile.unescape_formula(cell) for name, cell in line.items()}


def _read_pictures(options: Evaluate, runs: Sequence[Run], failed: Sequence[FailedImage]) -> Pixels | None:
    """Return the pictures of test images at one size; None if there are no images at hand, or no failures."""
    if not runs or not failed:
        return None
    tested = test_sets.open_test_sets(options, runs)[0].tested
    rows = [tested.rows[each.image.place] for each in failed]
    if any((row.row, row.label) != (each.image.row, each.image.label) for row, each in zip(rows, failed, strict=True)):
        raise DataError("predictions.csv has other images than the test set", "evaluate again with --overwrite")
    size = min(MAX_PICTURE_SIZE, *(tested.data.size_of(row) for row in rows))
    return tested.data.pixels(rows, size)


def _gather_study(options: Evaluate, runs: Sequence[Run], traced: Lineage) -> StudyFacts:
    gans = [each for each in traced.made if each.manifest["kind"] == "gan-run"]
    sets = [each for each in traced.made if each.manifest["kind"] == "dataset"]
    real = [each for each in sets if each.manifest["stage"] == "prepare" and not _is_synthetic(each)]
    roles = defaultdict[Path, set[str]](set)
    for path, role in _list_roles(options, runs, sets, gans):
        roles[path].add(role)
    return StudyFacts(
        datasets=[
            dataset_facts.read_dataset(each.path, traced.locate(each.path), sorted(roles[each.path]))
            for each in real
            if each.path in roles
        ],
        gans=[_read_gan(each, traced) for each in gans],
        synthetic=[_read_synthetic(each, traced) for each in sets if _is_synthetic(each)],
        screenings=[_read_screening(each, traced) for each in traced.made if each.manifest["kind"] == "copies"],
        distances=[_read_distance(each, traced) for each in traced.made if each.manifest["kind"] == "fid"],
        arms=[_read_arm(list(members), traced) for _, members in itertools.groupby(runs, lambda run: run.arm_name)],
        classifier=_read_classifier(runs, traced),
        gone=traced.missing,
    )


def _is_synthetic(made: MadeArtifact) -> bool:
    return made.manifest["stage"] == "sample" or "generator" in made.manifest["result"]


def _list_roles(
    options: Evaluate, runs: Sequence[Run], sets: Sequence[MadeArtifact], gans: Sequence[MadeArtifact]
) -> Iterable[tuple[Path, str]]:
    """Yield the paths of datasets with their roles: in arms, in the training of generators, and in further tests."""
    for each in sets:
        if each.manifest["stage"] == "augment":
            yield lineage.inputs_of(each)["real"], CLASSIFIER
        if "learnt_from" in each.manifest["inputs"]:
            yield lineage.inputs_of(each)["learnt_from"], GENERATOR
    drawn_from = {lineage.inputs_of(each)["run"] for each in sets if each.manifest["stage"] == "sample"}
    starts = {inputs["init"] for each in gans if "init" in (inputs := lineage.inputs_of(each))} - drawn_from
    for each in gans:
        yield lineage.inputs_of(each)["data"], START if each.path in starts else GENERATOR
    for run in runs:
        for phase in run.phases:
            yield lineage.absolute_path(phase.data.path), CLASSIFIER
    for path in options.also or ():
        yield lineage.absolute_path(path), OTHER_TEST


def _read_gan(made: MadeArtifact, traced: Lineage) -> GanFacts:
    manifest = made.manifest
    inputs = lineage.inputs_of(made)
    names = ("size", "epochs", "steps", "images_seen", "generator_parameters", "discriminator_parameters", "classes")
    return GanFacts(
        path=traced.locate(made.path),
        data=traced.locate(inputs["data"]),
        init=traced.locate(inputs["init"]) if "init" in inputs else None,
        arch=str(manifest["options"].get("arch", "unknown")),
        paper=read_value(manifest, str, "result", "paper"),
        options=_select_settings(manifest["options"]),
        recipe=_select_settings(read_value(manifest, dict, "result", "recipe") or {}),
        training_images=count_values(manifest, "result", "training_images"),
        **{name: read_value(manifest, int, "result", name) for name in names},
    )


def _read_synthetic(made: MadeArtifact, traced: Lineage) -> SyntheticFacts:
    artifact = Artifact(made.path, made.manifest)
    generator = generators.read_generator(artifact)
    is_external = generators.is_external(artifact)
    return SyntheticFacts(
        path=traced.locate(made.path),
        generator=generator.name,
        run=None if is_external else traced.locate(lineage.inputs_of(made)["run"]),
        learnt_from=generator.learnt_from if is_external else None,
        images=read_value(made.manifest, int, "result", "images"),
        size=read_value(made.manifest, int, "result", "size"),
        options={} if is_external else _select_settings(made.manifest["options"]),
    )


def _read_screening(made: MadeArtifact, traced: Lineage) -> ScreeningFacts:
    artifact, inputs = Artifact(made.path, made.manifest), lineage.inputs_of(made)
    return ScreeningFacts(
        path=traced.locate(made.path),
        synthetic=traced.locate(inputs["synthetic"]),
        real=traced.locate(inputs["real"]),
        judged=artifact.get(int, "result", "judged"),
        training=read_value(made.manifest, int, "result", "training"),
        set_aside=len(artifact.get(list, "result", "quarantined")),
        verdict=artifact.get(str, "result", "verdict"),
        level=read_value(made.manifest, float, "options", "level"),
        features=read_value(made.manifest, str, "options", "features"),
        reference=read_value(made.manifest, str, "result", "reference"),
    )


def _read_distance(made: MadeArtifact, traced: Lineage) -> DistanceFacts:
    artifact = Artifact(made.path, made.manifest)
    first, second = (Path(artifact.get(str, "result", side, "path")).name for side in ("a", "b"))
    sizes = [read_value(made.manifest, int, "result", side, "n") for side in ("a", "b")]
    return DistanceFacts(
        traced.locate(made.path),
        artifact.get(str, "result", "description"),
        first,
        second,
        artifact.get(float, "result", "value"),
        (sizes[0], sizes[1]),
    )


def _read_arm(runs: Sequence[Run], traced: Lineage) -> TrainedArm:
    of_runs = [_read_phases(run) for run in runs]
    arm = runs[0].arm
    where = traced.locate(lineage.absolute_path(runs[0].artifact.path))
    return TrainedArm(
        runs[0].arm_name,
        arm.control,
        arm.percent,
        arm.added,
        arm.real_fraction,
        [run.seed for run in runs],
        of_runs[0],
        where,
        differs=any(phases != of_runs[0] for phases in of_runs),
    )


def _read_phases(run: Run) -> list[PhaseFacts]:
    """Return the numbers of training images of each phase of a run."""
    phases = []
    for phase in run.phases:
        manifest = phase.artifact.manifest
        kinds = read_value(manifest, dict, "result", "train") or {}
        phases.append(PhaseFacts({kind: count_values(manifest, "result", "train", kind) for kind in kinds}))
    return phases


def _read_classifier(runs: Sequence[Run], traced: Lineage) -> ClassifierFacts:
    phases = [phase for run in runs for phase in run.phases]
    options = [_select_settings(phase.artifact.options) for phase in phases]
    names = [name for name in dict.fromkeys(name for each in options for name in each) if name not in ("seed", "init")]
    values = {name: list(dict.fromkeys(each.get(name) for each in options)) for name in names}
    first = runs[0].artifact.manifest
    best = [number for each in phases if (number := read_value(each.artifact.manifest, int, "result", "best_epoch"))]
    return ClassifierFacts(
        traced.locate(lineage.absolute_path(runs[0].artifact.path)),
        settings={name: found[0] for name, found in values.items() if len(found) == 1},
        differing={name: found for name, found in values.items() if len(found) > 1},
        parameters=read_value(first, int, "result", "parameters"),
        trained_parameters=read_value(first, int, "result", "trained_parameters"),
        best_epochs=(min(best), max(best)) if best else None,
        is_loss_weighted="class_weights" in runs[0].artifact.result,
    )


def _select_settings(options: Mapping[str, Any]) -> Settings:
    """Return the settings that are single values; several values are joined."""
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        for name, value in options.items()
        if value is None or isinstance(value, str | int | float | list | tuple)
    }
