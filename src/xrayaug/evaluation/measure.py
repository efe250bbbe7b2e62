"""Run the networks: probabilities of test and validation images, and audits of the arms' synthetic images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from xrayaug.evaluation import predictions
from xrayaug.evaluation.audits import audit_arms
from xrayaug.evaluation.classifier_run import ClassifierRun
from xrayaug.evaluation.inference import Inference
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.evaluation.results import Audit
from xrayaug.options import Evaluate
from xrayaug.runtime import console, devices
from xrayaug.storage import cache
from xrayaug.storage.checkpoints import Checkpoints


@dataclass(frozen=True)
class MeasuredRuns:
    """The predictions of every run and the audits of every arm."""

    predictions: Sequence[RunPredictions]
    audits: Sequence[Audit]


def measure(
    options: Evaluate, runs: Sequence[ClassifierRun], device: torch.device, checkpoints: Checkpoints
) -> MeasuredRuns:
    """Predict with every run, calibrate if that is asked for, and audit the arms.

    Args:
        options: of the evaluation.
        runs: sorted by arm and seed; weights and pixels of one run at a time are loaded through their methods.
        device: to compute on.
        checkpoints: predictions of a stopped evaluation, which are not made again.
    """
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        inference = Inference(device, options.batch_size, cache.directory("features", options.cache))
        predicted = _predict(runs, inference, checkpoints)
        audited = audit_arms(runs, options.audit_images, inference, options.seed) if options.audit_images else []
    if options.calibrate == "temperature":
        predicted = [predictions.calibrate(each) for each in predicted]
    return MeasuredRuns(predicted, audited)


def _predict(runs: Sequence[ClassifierRun], inference: Inference, checkpoints: Checkpoints) -> list[RunPredictions]:
    """Predict the test and validation images of each run's own dataset."""
    done: list[dict[str, torch.Tensor]] = checkpoints.restore() or []
    images = [len(run.test) + len(run.valid) for run in runs]
    with console.progress(sum(images), "evaluate", done=sum(images[: len(done)])) as advance:
        for run in runs[len(done) :]:
            test, valid = inference.probabilities(run, run.test, run.valid)
            advance(len(test) + len(valid), run.info.name)
            done.append({"test": torch.from_numpy(test), "valid": torch.from_numpy(valid)})
            checkpoints.save_if_due(sum(images[: len(done)]), lambda: done)
    return [
        RunPredictions(run.info, run.test, run.valid, each["test"].numpy(), each["valid"].numpy())
        for run, each in zip(runs, done, strict=True)
    ]
