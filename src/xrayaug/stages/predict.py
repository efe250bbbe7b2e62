"""classifier runs + images -> probabilities: of the images of a dataset, or of a folder of image files.

The files have the form of those that `evaluate` writes, and `evaluate --predictions` reads them.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug.data.dataset import LABELS
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation import measure, predictions, serialization
from xrayaug.evaluation.gather import predicted_images, predicting_runs
from xrayaug.evaluation.gather.predicted_images import Folder, PredictedImages
from xrayaug.evaluation.gather.predicting_runs import PredictingRun
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.inference import Inference
from xrayaug.evaluation.measure import PredictionTask
from xrayaug.evaluation.predictions import RunPredictions
from xrayaug.options import Predict
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.stopping import Interval
from xrayaug.stats import classification
from xrayaug.storage import builder, cache, csvfile, files
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints
from xrayaug.storage.raw_inputs import RawInputs

EVERY_RUN = Interval(images=1)  # predictions are saved after each run
LEVELS = ("image", "study")


def run(options: Predict) -> Result:
    """Predict; write `predictions.csv`, `studies.csv`, and `validation.csv` with the runs' own validation images."""
    device = devices.resolve(options.device, deterministic=options.deterministic)
    work = _Prediction(options)
    build = partial(_build, work, device)
    name = devices.describe(device)
    return builder.build_artifact(options, "predictions", build, device_name=name, raw=work.raw_inputs)


def plan(options: Predict) -> Result:
    """Return the runs, and the number of images that they would predict."""
    work = _Prediction(options)
    count = len(work.folder.files) if work.folder else len(predicted_images.open_images(options).rows)
    planned = [{"arm": each.arm_name, "seed": each.seed, "run": each.name} for each in work.runs]
    return {"images": count, "planned": planned}


def tables(result: Result) -> list[Table]:
    """Return a table of the runs with their scores, where the images are labelled; for a dry run the runs."""
    notes = [f"{result['images']:,} images"]
    if "planned" in result:
        rows = [(each["arm"], str(each["seed"]), each["run"]) for each in result["planned"]]
        return [Table("Runs to predict with", ("Arm", "Seed", "Run"), rows, notes)]
    counts = ", ".join(f"{count:,} {label}" for label, count in result["labels"].items() if count)
    notes = [f"{notes[0]}: {counts}"]
    rows = [
        (
            each["arm_name"],
            str(each["seed"]),
            f"{each['mean_probability']:.3f}",
            *(console.UNDEFINED if each[level] is None or each[level]["auroc"] is None
              else f"{each[level]['auroc']:.3f}" for level in LEVELS),
        )
        for each in result["runs"]
    ]  # fmt: skip
    columns = ("Arm", "Seed", "Mean probability", "AUROC per image", "AUROC per study")
    return [Table("Predictions", columns, rows, notes)]


class _Prediction:
    """What a command reads: the runs, and the images of a dataset or a folder."""

    def __init__(self, options: Predict) -> None:
        self.options = options
        self.runs: Sequence[PredictingRun] = predicting_runs.open_predicting_runs(options.runs, options.local_cache)
        if options.calibrate != "none":
            predicting_runs.check_validation(self.runs)

    @cached_property
    def folder(self) -> Folder | None:
        """The folder of image files; None if the images are those of a dataset."""
        if predicted_images.is_dataset(self.options.data):
            return None
        return predicted_images.open_folder(self.options, self.runs)

    def raw_inputs(self) -> RawInputs:
        """Return the files of a folder."""
        return {"data": self.folder.raw_input()} if self.folder else {}


def _build(work: _Prediction, device: torch.device, directory: Path) -> Result:
    options = work.options
    images = work.folder.read(directory, options) if work.folder else predicted_images.open_images(options)
    checkpoints = Checkpoints(directory / builder.RESUME / "predictions", EVERY_RUN)
    inference = Inference(device, options.batch_size, cache.directory("features", options.cache))
    tasks = [_make_task(each, images) for each in work.runs]
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        found = measure.predict(tasks, inference, checkpoints, "predict")
    nothing = np.empty(0)
    predicted = [
        RunPredictions(each.info, images.rows, each.valid, probabilities["test"], probabilities.get("valid", nothing))
        for each, probabilities in zip(work.runs, found, strict=True)
    ]
    if options.calibrate == "temperature":
        predicted = [predictions.calibrate(each) for each in predicted]
    _write(directory, predicted, images)
    labels = Counter(row.label or "unlabelled" for row in images.rows)
    generators = predicting_runs.count_generators(work.runs)
    return {
        "images": len(images.rows),
        "labels": {label: labels[label] for label in (*LABELS, "unlabelled")},
        "skipped": len(images.skipped),
        "runs": [
            _describe_run(each) | {"training": predicting_runs.describe_training(run)}
            for run, each in zip(work.runs, predicted, strict=True)
        ],
        **({"generators": generators} if generators else {}),
    }


def _make_task(run: PredictingRun, images: PredictedImages) -> PredictionTask:
    return PredictionTask(run.name, run, len(images.rows) + len(run.valid), partial(_make_stacks, run, images))


def _make_stacks(run: PredictingRun, images: PredictedImages) -> dict[str, Stack]:
    stacks = {"test": images.stack(run.size)}
    return stacks | {"valid": run.stack(run.valid)} if isinstance(run, Run) and run.valid else stacks


def _write(directory: Path, predicted: Sequence[RunPredictions], images: PredictedImages) -> None:
    """Write the probabilities of images and of studies, those of validation images, and the files left out."""
    files.write_lines(directory / files.PREDICTIONS_FILE, predictions.format_csv(predicted, "test", with_split=True))
    files.write_lines(directory / "studies.csv", predictions.format_studies(predicted))
    if any(each.valid_rows for each in predicted):
        files.write_lines(
            directory / files.VALIDATION_FILE, predictions.format_csv(predicted, "valid", with_split=True)
        )
    if images.skipped:
        files.write_text(directory / "skipped.csv", csvfile.dump([("file", "reason"), *images.skipped]))


def _describe_run(predicted: RunPredictions) -> dict[str, Any]:
    """Return the arm of a run, its mean probability, and its scores where all images are labelled."""
    run = predicted.run
    return {
        "run": run.name,
        "arm_name": run.arm_name,
        "arm": None if run.arm is None else serialization.to_dict(run.arm),
        "share_normal": run.share_normal,
        "seed": run.seed,
        "temperature": predicted.temperature,
        "mean_probability": float(np.mean(predicted.test)),
        **{level: _score(predicted, level) for level in LEVELS},
    }


def _score(predicted: RunPredictions, level: str) -> dict[str, Any] | None:
    """Return the scores of a run per image or per study; None if an image has no label."""
    if not all(row.label for row in predicted.test_rows):
        return None
    cases = predictions.group_cases(predicted.test_rows, level)
    return asdict(classification.score(cases.labels, cases.probabilities(predicted.test)))
