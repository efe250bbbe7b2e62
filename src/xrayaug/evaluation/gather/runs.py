"""Open classifier runs with the data they were trained on, and check that they can be compared."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xrayaug.data.arms import ArmSettings, read_arm
from xrayaug.data.dataset import Dataset, Row, cached_files
from xrayaug.data.images.arrays import MAX_SIDE
from xrayaug.data.images.stack import Stack
from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation.predictions import RunInfo
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import WEIGHTS_FILE

DEFAULTS_LEFT_OUT = {"train": TrainClassifier.train, "views": TrainClassifier.views}  # by TrainClassifier.identity
ArmKey = tuple[float, float, str, str]  # share of real images, percent added, label of what was added, control


@dataclass(frozen=True)
class Run:
    """One trained classifier and the data it was trained with: a `ClassifierRun`, whose methods load what they return.

    The manifests and the index are read and checked; weights and pixels are read when a method asks for them.
    """

    name: str  # the path, as it was given
    artifact: Artifact
    data: Dataset
    test: list[Row]

    @property
    def seed(self) -> int:
        """Seed that it was trained with."""
        return self.artifact.get(int, "options", "seed", minimum=0)

    @property
    def arm(self) -> ArmSettings:
        """Settings of the arm it was trained on."""
        return read_arm(self.artifact).settings

    @property
    def info(self) -> RunInfo:
        """Name, arm and seed of the run, as they are written beside its predictions."""
        return RunInfo(self.name, self.arm, self.arm_name, self.seed, self.share_normal)

    @property
    def arch(self) -> str:
        """Architecture of the network."""
        return self.artifact.get(str, "options", "arch")

    @property
    def size(self) -> int:
        """Size of the images that the network reads, in pixels."""
        return self.artifact.get(int, "options", "size", minimum=1, maximum=MAX_SIDE)

    @property
    def settings(self) -> dict[str, Any]:
        """Options of training but the seed; a weights file is given by its content, not by its path.

        A manifest leaves out `train` and `views` at their defaults, so that it stays that of a run from before they
        were options. They are filled in here: a run without them was trained with their defaults.
        """
        settings = DEFAULTS_LEFT_OUT | {name: value for name, value in self.artifact.options.items() if name != "seed"}
        started_from = self.artifact.manifest["inputs"].get("weights")
        return settings | ({"weights": f"a file with sha256 {started_from['sha256'][:8]}"} if started_from else {})

    @property
    def arm_key(self) -> ArmKey:
        """Sorting key that the runs of one arm have in common."""
        arm = self.arm
        return arm.real_fraction, arm.percent, arm.label or "", arm.control or ""

    @property
    def arm_name(self) -> str:
        """Short name such as `10`, `10 abnormal`, `10 duplicate` or `10, of 50% of the real images`.

        The defaults (normal images, all real images) are left out. A dose that came to no image at all, such as that
        of a balanced set, is `10, adding nothing`.
        """
        arm = self.arm
        label = f" {arm.label}" if arm.label not in (None, "normal") else ""
        if arm.label is None and arm.percent:
            label = ", adding nothing"
        control = f" {arm.control}" if arm.control else ""
        kept = f", of {100 * arm.real_fraction:g}% of the real images" if arm.real_fraction != 1 else ""
        return f"{arm.percent:g}{label}{control}{kept}"

    @property
    def rows(self) -> Sequence[Row]:
        """All images of its dataset."""
        return self.data.rows

    @property
    def valid(self) -> list[Row]:
        """Validation images, on which thresholds are chosen."""
        return self.data.select(split="valid")

    @property
    def share_normal(self) -> float:
        """Share of normal training images, as a reweighted control counts them; NaN without images."""
        prior = read_arm(self.artifact).prior
        labels = [row.label for row in self.data.select(split="train")]
        if prior is not None:
            return float(prior["normal"]) / (float(prior["normal"]) + float(prior["abnormal"]))
        return labels.count("normal") / len(labels) if labels else math.nan

    @property
    def steps(self) -> int:
        """Optimiser steps of training; without a record the most that there can have been."""
        if "steps" in self.artifact.result:
            return self.artifact.get(int, "result", "steps", minimum=0)
        epochs = self.artifact.get(int, "options", "epochs", minimum=1)
        batch_size = self.artifact.get(int, "options", "batch_size", minimum=1)
        return epochs * math.ceil(len(self.data.select(split="train")) / batch_size)

    def stack(self, rows: Sequence[Row]) -> Stack:
        """Return images of the dataset at the size of the network, read on demand."""
        return self.data.stack(rows, self.size)

    def load_network(self, device: torch.device) -> Classifier:
        """Load the trained network onto a device.

        Raises:
            WeightsError: the weights do not fit the network that the manifest names.
        """
        return classifier.restore(self.artifact.file(WEIGHTS_FILE), self.arch, size=self.size).to(device)

    @property
    def backbone(self) -> str | None:
        """The sha256 of the frozen weights; None if more than the output layer was trained."""
        if self.artifact.result.get("backbone_sha256") is None:
            return None
        return self.artifact.get(str, "result", "backbone_sha256")

    def load_output_layer(self) -> nn.Module:
        """Load the output layer alone, onto the CPU.

        Raises:
            WeightsError: the weights do not fit the network that the manifest names.
        """
        return classifier.restore_output_layer(self.artifact.file(WEIGHTS_FILE), self.arch, size=self.size)


def open_runs(paths: Sequence[Path], cache: Path | None = None) -> list[Run]:
    """Open every run with its data, sorted by arm and seed; pixels are read from `cache` if that is given.

    Raises:
        UsageError: no run is given, or one twice.
        DataError: there are no test images, or runs cannot be compared.
    """
    if not paths:
        raise UsageError("no runs are given", "xrayaug evaluate RUN... --out DIR")
    opened: dict[tuple[Path, str], Dataset] = {}
    runs = [_open_run(path, opened, cache) for path in paths]
    _check_tests(runs)
    runs.sort(key=lambda each: (each.arm_key, each.seed))
    for one, other in itertools.pairwise(runs):
        _check_neighbours(one, other)
    return runs


def split_by(runs: Sequence[Run]) -> str:
    """Return `image` if the validation images of any run were split off by image, else `patient`."""
    return "image" if any(each.data.split_by == "image" for each in runs) else "patient"


def _open_run(path: Path, opened: dict[tuple[Path, str], Dataset], cache: Path | None) -> Run:
    """Open one run; `opened` holds the datasets opened so far, by path and digest."""
    artifact = artifacts.open_artifact(path, "classifier-run")
    key = artifact.input("data").resolve(), str(artifact.manifest["inputs"]["data"]["sha256"])
    if key not in opened:
        opened[key] = Dataset(artifact.open_input("data", "dataset", hash_later=cached_files(cache)), cache)
    test = opened[key].select(split="test")
    if not test:
        raise DataError(
            f"{opened[key].path}, which {path} was trained on, has no test images",
            "xrayaug prepare --test 0.2; of MURA, the valid directory is the test set",
        )
    if not opened[key].select(split="valid"):
        raise DataError(
            f"{opened[key].path}, which {path} was trained on, has no validation images to choose thresholds on",
            "xrayaug prepare --holdout 0.1, which takes one patient of each label or more where there are two",
        )
    return Run(path.as_posix(), artifact, opened[key], test)


def _check_tests(runs: Sequence[Run]) -> None:
    """Check that all runs have the same test images."""
    expected = _identities(runs[0].test)
    for each in runs[1:]:
        found = _identities(each.test)
        if found != expected:
            raise DataError(
                f"{each.name} and {runs[0].name} have different test images: "
                f"{len(set(found) ^ set(expected))} are in one alone or labelled otherwise",
                "compare runs whose arms come from one prepared dataset",
            )


def _identities(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [(row.file, row.sha256, row.label, row.patient, row.study) for row in rows]


def _check_neighbours(one: Run, other: Run) -> None:
    """Check that neighbours of one arm are repetitions; warn if arms differ in training."""
    same_arm = one.arm_key == other.arm_key
    if same_arm and one.seed == other.seed:
        raise DataError(
            f"{one.name} and {other.name} are of the same arm and seed {one.seed}", "give each run once, one per seed"
        )
    differing = [
        f"{name} is {value} and {other.settings.get(name)}"
        for name, value in one.settings.items()
        if value != other.settings.get(name)
    ]
    if differing and same_arm:
        raise DataError(
            f"{one.name} and {other.name} are of one arm, but trained differently: {'; '.join(differing)}",
            "evaluate them apart",
        )
    if differing:
        console.warning(f"{one.name} and {other.name} were trained differently: {'; '.join(differing)}")
