"""dataset or arm -> classifier run: train the abnormality classifier, without looking at the test split."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xrayaug.data.arms import MORE_REAL, Arm, ArmSettings, read_arm
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset
from xrayaug.data.images import loaders
from xrayaug.data.images.loaders import InMemoryLoader
from xrayaug.errors import DataError, TrainingError
from xrayaug.metrics.backbone_features import IDENTITY, BackboneFeatures, list_views
from xrayaug.networks import architectures, classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import builder, cache, weights
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.training import losses
from xrayaug.training.classifier_training import (
    ClassifierTrainer,
    ClassifierTrainingData,
    LabelledImages,
    build_initial,
    count_batches,
    train_interleaved,
)
from xrayaug.training.head_training import HeadTrainer
from xrayaug.training.profiling import Profile

# Arm of a dataset that `augment` did not make.
BASELINE = Arm(  # of a dataset that is no arm
    ArmSettings(real_fraction=1.0, percent=0.0, label=None, added=0, control=None),
    prior=None,
    record={"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None},
)
SHOWN_METRICS = ("best_epoch", "valid_loss", "valid_accuracy", "valid_auroc")  # columns of the table of several runs


def run(options: TrainClassifier) -> Result:
    """Train classifiers, and write the best epoch's weights and a log to one run directory per seed."""
    options.check_trained_layers()
    device = devices.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    process_group.join(device)
    with (
        devices.translate_device_errors(options.batch_size, deterministic=options.deterministic),
        _isolate_random_state(device),
    ):
        results = SeedGroup(options, device).build_runs(options.parts())
    return results[0] if options.seeds is None else {"runs": results}


def plan(options: TrainClassifier) -> Result:
    """Return the network block by block, the image counts and the length of the training, without training."""
    options.check_trained_layers()
    data, train, valid = _load_rows(options)
    outline = classifier.outline(options.arch, options.size)
    steps = count_batches(_count_real(train) if options.budget == "steps" else len(train), options.batch_size)
    seeds = {"seed": ", ".join(str(part.seed) for part in options.parts())}
    return (
        _summary(options, data, train, valid, outline)
        | seeds
        | {
            "steps_per_epoch": steps,
            "steps": steps * options.recipe.epochs,
            "network": classifier.summarize_layers(options.arch, size=options.size),
        }
    )


def tables(result: Result) -> list[Table]:
    """Return tables of the network (in a dry run), of the training images, and of the run or of all seeds' runs."""
    if "runs" in result:
        rows = [(str(run["seed"]), *(_format_value(run[name]) for name in SHOWN_METRICS)) for run in result["runs"]]
        columns = ("seed", *(name.replace("_", " ") for name in SHOWN_METRICS))
        return [_images_table(result["runs"][0]), Table("Classifiers", columns, rows, _split_notes(result["runs"][0]))]
    network = [_network_table(result)] if "network" in result else []
    rows = [
        (name.replace("_", " "), _format_value(value))
        for name, value in result.items()
        if name not in ("network", "train", "valid")
    ]
    return [*network, _images_table(result), Table("Classifier", ("", "value"), rows, _split_notes(result))]


class SeedGroup:
    """The runs of a command, which are trained together: one per seed.

    Args:
        options: of the command.
        device: where to compute.
    """

    def __init__(self, options: TrainClassifier, device: torch.device) -> None:
        self.options = options
        self.device = device
        self.profile = Profile(
            options.profile if ranks.is_first() else None,
            device,
            overwrite=options.overwrite,
            concurrent_runs=len(options.parts()),
        )

    @cached_property
    def rows(self) -> tuple[Dataset, list[Row], list[Row]]:
        """The dataset, its training rows and its validation rows."""
        return _load_rows(self.options)

    @cached_property
    def training_data(self) -> ClassifierTrainingData:
        """Training data on the device, shared by all runs."""
        data, *splits = self.rows
        if self.options.train == "head":
            train, valid = self._extract_features()
        else:
            train, valid = (_load_images(data, rows, self.options.size, self.device) for rows in splits)
        arm = _read_arm(data)
        return ClassifierTrainingData(
            train,
            valid,
            *_class_weights(splits[0], arm),
            _count_real(splits[0]),
            importance_weights=_importance_weights(splits[0], arm),
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
            _summary(training.options, *self.rows, classifier.outline(self.options.arch, self.options.size))
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


def _load_rows(options: TrainClassifier) -> tuple[Dataset, list[Row], list[Row]]:
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


def _load_images(data: Dataset, rows: list[Row], size: int, device: torch.device) -> LabelledImages:
    return LabelledImages(loaders.make_loader(data.stack(rows, size), device), _labels(rows).to(device))


def _count_parameters(options: TrainClassifier, network: Classifier) -> dict[str, Any]:
    """Return how many parameters the network has and, if not all, how many are trained."""
    counts = {"parameters": classifier.count_parameters(network)}
    if options.train == "all":
        return counts
    parts = [classifier.output_layer(network)]
    if options.trained_blocks:
        parts = classifier.split_blocks(network, options.trained_blocks)[1]
    trained = sum(classifier.count_parameters(part) for part in parts)
    return counts | {"trained": options.train, "trained_parameters": trained}


def _labels(rows: list[Row]) -> Tensor:
    return torch.tensor([float(row.label == "abnormal") for row in rows])


def _read_arm(data: Dataset) -> Arm:
    return read_arm(data.artifact) if "arm" in data.artifact.result else BASELINE


def _count_real(train: list[Row]) -> int:
    """Return the number of training images that were not added by `augment`."""
    return sum(not row.is_added for row in train)


def _class_counts(train: list[Row], arm: Arm) -> tuple[int, int]:
    """Return the counts of normal and abnormal images that class weights are computed from.

    They are those of the training images, or the `prior` of a control arm that is reweighted.
    """
    counts = arm.prior or Counter(row.label for row in train)
    return counts["normal"], counts["abnormal"]


def _class_weights(train: list[Row], arm: Arm) -> tuple[float, float]:
    return losses.class_weights(*_class_counts(train, arm))


def _importance_weights(train: list[Row], arm: Arm) -> tuple[float, float]:
    """Return the importance weights of normal and abnormal images; 1 unless the arm is a reweighted control."""
    counts = Counter(row.label for row in train)
    return (
        losses.importance_weights((counts["normal"], counts["abnormal"]), _class_counts(train, arm))
        if arm.prior
        else (1.0, 1.0)
    )


def _isolate_random_state(device: torch.device) -> Any:
    """Context that restores the caller's random state, which dropout would otherwise change."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _summary(
    options: TrainClassifier, data: Dataset, train: list[Row], valid: list[Row], outline: Classifier
) -> Result:
    arm = _read_arm(data)
    w0, w1 = _class_weights(train, arm)
    e0, e1 = _importance_weights(train, arm)
    return {
        "arch": options.arch,
        "weights": options.identity()["weights"],
        "size": options.size,
        **_count_parameters(options, outline),
        "class_weights": {"normal": w0, "abnormal": w1},
        **({"importance_weights": {"normal": e0, "abnormal": e1}} if arm.prior else {}),
        "train": _count_by_origin(train, arm.settings.control),
        "valid": {"real": _count_labels(valid)},
        "epochs": options.recipe.epochs,
        **(
            {"steps": options.recipe.epochs * count_batches(_count_real(train), options.batch_size)}
            if options.budget == "steps"
            else {}
        ),
        "arm": arm.record,
        "seed": options.seed,
        "split_by": data.split_by,
    }


def _count_by_origin(train: list[Row], control: str | None) -> dict[str, dict[str, int]]:
    """Count images by origin and label: real, synthetic and, if there are any, real ones that a control added."""
    added = [row for row in train if row.copy]
    name = "more_real" if control == MORE_REAL else "copies"
    return {
        "real": _count_labels(row for row in train if not row.is_added),
        "synthetic": _count_labels(row for row in train if row.synthetic),
        **({name: _count_labels(added)} if added else {}),
    }


def _count_labels(rows: Any) -> dict[str, int]:
    counts = Counter(row.label for row in rows)
    return {label: counts[label] for label in LABELS}


def _images_table(result: Result) -> Table:
    rows = [
        (
            f"{split}, {origin.replace('_', ' ')}",
            *(f"{count:,}" for count in counts.values()),
            f"{sum(counts.values()):,}",
        )
        for split in ("train", "valid")
        for origin, counts in result[split].items()
    ]
    return Table("Images", ("", *(label.capitalize() for label in LABELS), "Total"), rows)


def _network_table(result: Result) -> Table:
    rows = [
        (block["layer"], block["kind"], str(block["output"]), f"{block['parameters']:,}") for block in result["network"]
    ]
    return Table(
        f"{result['arch']}, one output",
        ("Layer", "Kind", "Output shape", "Parameters"),
        [*rows, ("Total", "", "", f"{result['parameters']:,}")],
    )


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_format_value(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else console.UNDEFINED if value is None else str(value)


def _split_notes(result: Result) -> list[str]:
    return [] if result["split_by"] == "patient" else ["split by image: patients leak between train and validation"]
