"""The runs of `train-classifier` on one dataset, one per seed, which share its images and are trained together."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from xrayaug.data.arms import TOGETHER, Arm, read_arm, read_arm_of
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset
from xrayaug.data.images import loaders
from xrayaug.data.images.loaders import InMemoryLoader
from xrayaug.errors import DataError, TrainingError, UsageError
from xrayaug.metrics.backbone_features import IDENTITY, BackboneFeatures, list_views
from xrayaug.networks import architectures
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import artifacts, builder, cache, weights
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.training import losses
from xrayaug.training.classifier_training import (
    ClassifierTrainer,
    ClassifierTrainingData,
    LabelledImages,
    build_initial,
    train_interleaved,
)
from xrayaug.training.head_training import HeadTrainer
from xrayaug.training.profiling import Profile

Summarize = Callable[[TrainClassifier, Dataset, list[Row], list[Row]], Result]


class SeedGroup:
    """The runs of a command, which are trained together: one per seed.

    Args:
        options: of the command.
        device: where to compute.
        summarize: returns what the manifest of a run says of its network, images and options, to which its metrics
            are added.
    """

    def __init__(self, options: TrainClassifier, device: torch.device, summarize: Summarize) -> None:
        self.options = options
        self.device = device
        self.summarize = summarize
        self.profile = Profile(
            options.profile if ranks.is_first() else None,
            device,
            overwrite=options.overwrite,
            concurrent_runs=len(options.parts()),
        )

    @cached_property
    def rows(self) -> tuple[Dataset, list[Row], list[Row]]:
        """The dataset, its training rows and its validation rows."""
        return load_rows(self.options)

    @cached_property
    def training_data(self) -> ClassifierTrainingData:
        """Training data on the device, shared by all runs."""
        data, *splits = self.rows
        for part in self.options.parts():
            check_init(part, data)
        if self.options.train == "head":
            for part in self.options.parts():
                _check_backbone(part, self.backbone)
            train, valid = self._extract_features()
        else:
            train, valid = (_load_images(data, rows, self.options.size, self.device) for rows in splits)
        arm = read_arm_of(data.artifact)
        return ClassifierTrainingData(
            train,
            valid,
            *class_weights(splits[0], arm),
            count_budget(splits[0], arm),
            importance_weights=importance_weights(splits[0], arm),
        )

    @cached_property
    def backbone(self) -> BackboneFeatures:
        """The frozen network of `--train head`, the same for all seeds."""
        options = self.options
        network = build_initial(options).to(self.device).eval()
        return BackboneFeatures(network, self.device, cache.directory("features", options.cache))

    def _extract_features(self) -> list[LabelledImages]:
        """Return the features of the training images, under each view, and of the validation images."""
        options, (data, train, valid) = self.options, self.rows
        views = list_views(options.views, flip=options.flip, rotation=options.rotation)
        jobs = [(train, views), (valid, [IDENTITY])]
        with console.progress(sum(len(rows) * len(views) for rows, views in jobs), "features") as advance:
            extracted = [
                self.backbone.extract(data.stack(rows, options.size), views, advance).to(self.device)
                for rows, views in jobs
            ]
        return [
            LabelledImages(InMemoryLoader(features), _labels(rows).to(self.device))
            for (rows, _), features in zip(jobs, extracted, strict=True)
        ]

    def build_runs(
        self, remaining: Sequence[TrainClassifier], trainings: Sequence[ClassifierTrainer] = ()
    ) -> list[Result]:
        """Build the artifacts of the remaining runs, and return their results.

        Each artifact is built inside the building of the one before, so that all artifacts are open while their runs
        are trained together.

        Args:
            remaining: options of the runs whose artifacts are not open yet.
            trainings: the runs whose artifacts are open.

        Raises:
            TrainingError: a run failed; the others are complete.
        """
        if not remaining:
            self._train(trainings)
            return []
        options, *rest = remaining
        results: list[Result] = []
        problems: list[TrainingError] = []
        have_others_begun = False

        def build(directory: Path) -> Result:
            nonlocal have_others_begun
            trainer = HeadTrainer if options.train == "head" else ClassifierTrainer
            training = trainer(options, self.device, directory, self.training_data)
            have_others_begun = True
            try:
                results.extend(self.build_runs(rest, [*trainings, training]))
            except TrainingError as problem:
                problems.append(problem)
            return self._save_best(training)

        device_name = devices.describe(self.device)
        results.insert(0, builder.build_artifact(options, "classifier-run", build, device_name=device_name))
        if not have_others_begun:  # this run was complete already, so `build` was not called
            results += self.build_runs(rest, trainings)
        if problems:
            raise problems[0]
        return results

    def _train(self, trainings: Sequence[ClassifierTrainer]) -> None:
        if trainings:
            networks = self.options.arch if len(trainings) == 1 else f"{len(trainings)} {self.options.arch}"
            images = f"{trainings[0].image_count} images of {self.options.size} px"
            console.info(f"training {networks} on {images} on {devices.describe(self.device)}")
            train_interleaved(trainings, self.profile)

    def _save_best(self, training: ClassifierTrainer) -> Result:
        """Save the best weights of a run and return its result.

        Raises:
            TrainingError: the run failed.
        """
        if training.problem is not None:
            raise training.problem
        best = training.best
        if ranks.is_first():
            weights.save(training.directory / WEIGHTS_FILE, self._full_state(best.weights))
        metrics = {f"valid_{name}": getattr(best, name) for name in ("loss", "accuracy", "auroc")}
        return (
            self.summarize(training.options, *self.rows)
            | ({"backbone_sha256": self.backbone.identity} if self.options.train == "head" else {})
            | {"best_epoch": best.epoch}
            | metrics
        )

    def _full_state(self, trained: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of the whole network; those of `--train head` are joined with the backbone's."""
        if self.options.train != "head":
            return trained
        network = self.backbone.network.network
        output = architectures.output_layer(network)
        head = {f"{output}.{name}": tensor for name, tensor in trained.items()}
        return weights.cpu_state_dict(network) | head


def load_rows(options: TrainClassifier) -> tuple[Dataset, list[Row], list[Row]]:
    """Return the dataset, its training rows (real images first) and its validation rows.

    Raises:
        DataError: a split is empty, a label has no training images, or a training image has no label.
    """
    data = open_dataset(options.data, options.local_cache)
    train = sorted(data.select(split="train"), key=lambda row: row.is_added)
    valid = data.select(split="valid")
    if not valid:
        raise DataError(
            f"{options.data} has no validation images, which the best epoch is chosen by",
            "prepare it with --holdout 0.1, which holds out one patient of each label or more",
        )
    unlabelled = sum(row.label not in LABELS for row in train)
    if unlabelled:
        raise DataError(f"{unlabelled} training images of {options.data} have no label", "xrayaug augment --label")
    labels = {row.label for row in train}
    if len(labels) < len(LABELS):
        raise DataError(
            f"{options.data} has {' and '.join(labels) or 'no'} training images only",
            "a classifier needs normal and abnormal ones",
        )
    return data, train, valid


def check_init(options: TrainClassifier, data: Dataset) -> None:
    """Check that training can start from the run of `--init`, if it is given.

    Raises:
        ArtifactError: it is no finished classifier run.
        UsageError: it has another network, size or initial weights, or has itself started from another run.
        DataError: the data add images to the real ones, or the run had another share of the real images.
    """
    if options.init is None:
        return
    run = artifacts.open_artifact(options.init, "classifier-run")
    mine = options.identity()
    for name in ("arch", "size", "weights"):
        if run.options.get(name) != mine[name]:
            was = "FILE" if run.options.get(name) == "file" else run.options.get(name)
            raise UsageError(
                f"--init {options.init} was trained with --{name} {was}, and this is --{name} {getattr(options, name)}",
                f"--{name} {was}",
            )
    file = run.manifest["inputs"].get("weights", {}).get("sha256")
    if mine["weights"] == "file" and file != artifacts.digest(Path(options.weights)):
        raise UsageError(f"--init {options.init} started from another weights file", "give the same one as --weights")
    own, first = read_arm_of(data.artifact).settings, read_arm(run).settings
    if "init" in run.manifest["inputs"] or first.is_pretrained:
        raise UsageError(
            f"--init {options.init} has itself started from another run", "train in two phases: --init of the first"
        )
    if own.added or own.control or own.schedule != TOGETHER:
        raise DataError(
            f"--init needs real images to go on with, and {options.data} is an arm that adds others",
            "the dataset that was prepared, or its arm of 0 percent",
        )
    if own.real_fraction != first.real_fraction:
        raise DataError(
            f"--init {options.init} belongs to {first.real_fraction:.4g} of the real images, and {options.data} has "
            f"{own.real_fraction:.4g} of them",
            "both must have the same --real-fraction of augment",
        )


def count_real(train: list[Row]) -> int:
    """Return the number of training images that were not added by `augment`."""
    return sum(not row.is_added for row in train)


def count_budget(train: list[Row], arm: Arm) -> int:
    """Return the number of images that `--budget steps` counts: the real ones of the arm, or of its baseline."""
    return arm.baseline_images or count_real(train)


def class_weights(train: list[Row], arm: Arm) -> tuple[float, float]:
    """Return the class weights of normal and abnormal images in the loss."""
    return losses.class_weights(*_class_counts(train, arm))


def importance_weights(train: list[Row], arm: Arm) -> tuple[float, float]:
    """Return the importance weights of normal and abnormal images; 1 unless the arm is a reweighted control."""
    counts = Counter(row.label for row in train)
    return (
        losses.importance_weights((counts["normal"], counts["abnormal"]), _class_counts(train, arm))
        if arm.prior
        else (1.0, 1.0)
    )


def _class_counts(train: list[Row], arm: Arm) -> tuple[int, int]:
    """Return the counts of normal and abnormal images that class weights are computed from.

    They are those of the training images, or the `prior` of a control arm that is reweighted.
    """
    counts = arm.prior or Counter(row.label for row in train)
    return counts["normal"], counts["abnormal"]


def _check_backbone(options: TrainClassifier, backbone: BackboneFeatures) -> None:
    """Check that the run of `--init` has the frozen network of this one.

    Raises:
        UsageError: it has another.
    """
    if options.init is None:
        return
    run = artifacts.open_artifact(options.init, "classifier-run")
    if run.result.get("backbone_sha256") != backbone.identity:
        how = "trained more than its output layer" if "backbone_sha256" not in run.result else "has another backbone"
        raise UsageError(
            f"--train head keeps the network of --weights, and --init {options.init} {how}",
            "--init a run of --train head, or another --train",
        )


def _load_images(data: Dataset, rows: list[Row], size: int, device: torch.device) -> LabelledImages:
    return LabelledImages(loaders.make_loader(data.stack(rows, size), device), _labels(rows).to(device))


def _labels(rows: list[Row]) -> Tensor:
    return torch.tensor([float(row.label == "abnormal") for row in rows])
