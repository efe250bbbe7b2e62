"""Run the networks: probabilities of test and validation images, and audits of the arms' synthetic images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from xrayaug.data.dataset import Row
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation import predictions
from xrayaug.evaluation.audits import audit_arms
from xrayaug.evaluation.classifier_run import ClassifierRun, TrainedNetwork
from xrayaug.evaluation.inference import Inference
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.results import Audit
from xrayaug.options import Evaluate
from xrayaug.runtime import console, devices
from xrayaug.stats.classification import Probabilities
from xrayaug.storage import cache
from xrayaug.storage.checkpoints import Checkpoints


@dataclass(frozen=True)
class PredictionTask:
    """Images for one network to predict."""

    name: str
    network: TrainedNetwork
    images: int
    stacks: Callable[[], Mapping[str, Stack]]  # by name, opened when the network runs


@dataclass(frozen=True)
class OtherImages:
    """The images of another test set than that of the runs' own dataset."""

    name: str
    rows: Sequence[Row]
    stack: Callable[[int], Stack]  # all images at a size in pixels


@dataclass(frozen=True)
class MeasuredRuns:
    """The predictions of every run and the audits of every arm."""

    predictions: Sequence[RunPredictions]
    audits: Sequence[Audit]
    others: Mapping[str, Sequence[RunPredictions]]  # of other test sets, by name


def measure(
    options: Evaluate,
    runs: Sequence[ClassifierRun],
    device: torch.device,
    checkpoints: Checkpoints,
    others: Sequence[OtherImages] = (),
) -> MeasuredRuns:
    """Predict with every run, calibrate if that is asked for, and audit the arms.

    Args:
        options: of the evaluation.
        runs: sorted by arm and seed; weights and pixels of one run at a time are loaded through their methods.
        device: to compute on.
        checkpoints: predictions of a stopped evaluation, which are not made again.
        others: the images of other test sets.
    """
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        inference = Inference(device, options.batch_size, cache.directory("features", options.cache))
        by_set = _predict(runs, inference, checkpoints, others)
        audited = audit_arms(runs, options.audit_images, inference, options.seed) if options.audit_images else []
    if options.calibrate == "temperature":
        by_set = [[predictions.calibrate(each) for each in predicted] for predicted in by_set]
    own, *rest = by_set
    return MeasuredRuns(own, audited, {other.name: predicted for other, predicted in zip(others, rest, strict=True)})


def predict(
    tasks: Sequence[PredictionTask], inference: Inference, checkpoints: Checkpoints, activity: str
) -> list[dict[str, Probabilities]]:
    """Return the probabilities of every task's images by the name of the stack, float64 `[N]` each.

    Args:
        tasks: one network each.
        inference: of the networks.
        checkpoints: predictions of a stopped command, which are not made again.
        activity: name of the work, for its progress.
    """
    done: list[dict[str, torch.Tensor]] = checkpoints.restore() or []
    images = [task.images for task in tasks]
    with console.progress(sum(images), activity, done=sum(images[: len(done)])) as advance:
        for task in tasks[len(done) :]:
            stacks = task.stacks()
            found = inference.probabilities(task.network, *stacks.values())
            advance(task.images, task.name)
            done.append({name: torch.from_numpy(each) for name, each in zip(stacks, found, strict=True)})
            checkpoints.save_if_due(sum(images[: len(done)]), lambda: done)
    return [{name: each.numpy() for name, each in found.items()} for found in done]


def _predict(
    runs: Sequence[ClassifierRun], inference: Inference, checkpoints: Checkpoints, others: Sequence[OtherImages]
) -> list[list[RunPredictions]]:
    """Predict the test and validation images of each run's own dataset, and other test sets.

    Returns:
        The predictions of all runs on their own test images, and those on each other set.
    """
    count = sum(len(other.rows) for other in others)
    tasks = [
        PredictionTask(run.info.name, run, len(run.test) + len(run.valid) + count, partial(_make_stacks, run, others))
        for run in runs
    ]
    by_set: list[list[RunPredictions]] = [[] for _ in range(1 + len(others))]
    for run, found in zip(runs, predict(tasks, inference, checkpoints, "evaluate"), strict=True):
        valid = run.valid
        by_set[0].append(RunPredictions(run.info, run.test, valid, found["test"], found["valid"]))
        for predicted, other in zip(by_set[1:], others, strict=True):
            predicted.append(RunPredictions(run.info, other.rows, valid, found[_key(other)], found["valid"]))
    return by_set


def _make_stacks(run: ClassifierRun, others: Sequence[OtherImages]) -> dict[str, Stack]:
    own = {"test": run.stack(run.test), "valid": run.stack(run.valid)}
    return own | {_key(other): other.stack(run.size) for other in others}


def _key(other: OtherImages) -> str:
    """Return the name of a set's predictions in a checkpoint."""
    return f"also {other.name}"
