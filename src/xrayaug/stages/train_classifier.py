"""dataset or arm -> classifier run: train the abnormality classifier; the test split is never looked at."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from xrayaug.data.dataset import LABELS, Dataset, Row, arm_of, open_dataset
from xrayaug.data.images import loaders
from xrayaug.errors import DataError, TrainingError
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import builder, weights
from xrayaug.storage.artifacts import Result
from xrayaug.training.classifier_training import Material, Pictures, Training, side_by_side, steps_of
from xrayaug.training.profiling import Profile

# The arm of a dataset that is none.
BASELINE = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None}
WEIGHTS = "weights.safetensors"
SHOWN = ("best_epoch", "valid_loss", "valid_accuracy", "valid_auroc")  # of each run, where there are several


def run(options: TrainClassifier) -> Result:
    """Train; leaves the best epoch's weights and a log in the run directory, or in one for each of `--seeds`."""
    device = devices.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    process_group.join(device)
    with devices.naming_limits(options.batch_size, deterministic=options.deterministic), _own_randomness(device):
        made = Group(options, device).made(options.parts())
    return made[0] if options.seeds is None else {"runs": made}


def plan(options: TrainClassifier) -> Result:
    """The network block by block, the data's counts, and how long the training is; no weights are fetched."""
    data, train, valid = _rows(options)
    outline = classifier.outline(options.arch, size=options.size)
    steps = steps_of(_real(train) if options.budget == "steps" else len(train), options.batch_size)
    seeds = {"seed": ", ".join(str(part.seed) for part in options.parts())}
    return (
        _summary(options, data, train, valid, outline)
        | seeds
        | {
            "steps_per_epoch": steps,
            "steps": steps * options.epochs,
            "network": classifier.layers(options.arch, size=options.size),
        }
    )


def tables(result: Result) -> list[Table]:
    """The dry run's network, the training images, and the run in a few lines; of several, a line of each."""
    if "runs" in result:
        rows = [(str(run["seed"]), *(_text(run[name]) for name in SHOWN)) for run in result["runs"]]
        columns = ("seed", *(name.replace("_", " ") for name in SHOWN))
        return [_images_table(result["runs"][0]), Table("Classifiers", columns, rows, _notes(result["runs"][0]))]
    network = [_network_table(result)] if "network" in result else []
    shown = {name: value for name, value in result.items() if name not in ("network", "train", "valid")}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    return [*network, _images_table(result), Table("Classifier", ("", "value"), rows, _notes(result))]


class Group:
    """The runs of one command: a single one, or one for each of `--seeds`."""

    def __init__(self, options: TrainClassifier, device: torch.device) -> None:
        self.options = options
        self.device = device
        self.profile = Profile(
            options.profile if ranks.is_first() else None,
            device,
            overwrite=options.overwrite,
            side_by_side=len(options.parts()),
        )

    @cached_property
    def rows(self) -> tuple[Dataset, list[Row], list[Row]]:
        """The arm, its training rows and its validation rows."""
        return _rows(self.options)

    @cached_property
    def material(self) -> Material:
        """What they learn from, on the device once for all of them."""
        data, *splits = self.rows
        train, valid = (_pictures(data, rows, self.options.size, self.device) for rows in splits)
        arm = _arm_of(data)
        return Material(
            train, valid, *_class_weights(splits[0], arm), _real(splits[0]), emphasis=_emphasis(splits[0], arm)
        )

    def made(self, left: Sequence[TrainClassifier], begun: Sequence[Training] = ()) -> list[Result]:
        """Make each run within the making of the one before, so that all have begun when they train, which is together.

        Raises:
            TrainingError: one broke down; the others are made.
        """
        if not left:
            self._train(begun)
            return []
        options, *rest = left
        results: list[Result] = []
        problems: list[TrainingError] = []
        have_others_begun = False

        def build(directory: Path) -> Result:
            nonlocal have_others_begun
            training = Training(options, self.device, directory, self.material)
            have_others_begun = True
            try:
                results.extend(self.made(rest, [*begun, training]))
            except TrainingError as problem:
                problems.append(problem)
            return self._finished(training)

        computing = devices.describe(self.device)
        results.insert(0, builder.produce(options, "classifier-run", build, computing=computing))
        if not have_others_begun:  # this one was complete
            results += self.made(rest, begun)
        if problems:
            raise problems[0]
        return results

    def _train(self, trainings: Sequence[Training]) -> None:
        if trainings:
            networks = self.options.arch if len(trainings) == 1 else f"{len(trainings)} {self.options.arch}"
            images = f"{trainings[0].count} images of {self.options.size} px"
            console.say(f"training {networks} on {images} on {devices.describe(self.device)}")
            side_by_side(trainings, self.profile)

    def _finished(self, training: Training) -> Result:
        """Leave the best weights; the run's numbers.

        Raises:
            TrainingError: it broke down.
        """
        if training.problem is not None:
            raise training.problem
        best = training.best
        if ranks.is_first():
            weights.save(training.directory / WEIGHTS, best.weights)
        found = {f"valid_{name}": getattr(best, name) for name in ("loss", "accuracy", "auroc")}
        return _summary(training.options, *self.rows, training.network) | {"best_epoch": best.epoch} | found


def _rows(options: TrainClassifier) -> tuple[Dataset, list[Row], list[Row]]:
    """The arm and its training rows, real ones first, and validation rows.

    Raises:
        DataError: a split is empty, a class is absent from training, or an image bears no label.
    """
    data = open_dataset(options.data, options.local_cache)
    train = sorted(data.select(split="train"), key=lambda row: row.added)
    valid = data.select(split="valid")
    if not valid:
        raise DataError(
            f"{options.data} has no validation images, by which the best epoch is chosen",
            "xrayaug prepare --holdout 0.1, which takes one patient of each label or more where there are two",
        )
    unlabelled = sum(row.label not in LABELS for row in train)
    if unlabelled:
        raise DataError(f"{unlabelled} training images of {options.data} bear no label", "xrayaug augment --label")
    found = {row.label for row in train}
    if len(found) < len(LABELS):
        raise DataError(
            f"{options.data} has {' and '.join(found) or 'no'} training images only",
            "a classifier needs normal and abnormal ones",
        )
    return data, train, valid


def _pictures(data: Dataset, rows: list[Row], size: int, device: torch.device) -> Pictures:
    labels = torch.tensor([float(row.label == "abnormal") for row in rows])
    return Pictures(loaders.feed(data.stack(rows, size), device), labels.to(device))


def _arm_of(data: Dataset) -> dict[str, Any]:
    return arm_of(data.artifact) if "arm" in data.artifact.result else BASELINE


def _real(train: list[Row]) -> int:
    """The training images that nobody added."""
    return sum(not row.added for row in train)


def _class_counts(train: list[Row], arm: dict[str, Any]) -> tuple[int, int]:
    """Normal and abnormal training images as the loss takes them: of a control that is reweighted its `prior`."""
    of = arm.get("prior") or Counter(row.label for row in train)
    return of["normal"], of["abnormal"]


def _class_weights(train: list[Row], arm: dict[str, Any]) -> tuple[float, float]:
    return classifier.class_weights(*_class_counts(train, arm))


def _emphasis(train: list[Row], arm: dict[str, Any]) -> tuple[float, float]:
    """How much more a normal and an abnormal image count than there are of them: each class by its share in the arm
    over its share here, the weights of importance sampling. So the mean over the training images is 1."""
    here, there = Counter(row.label for row in train), _class_counts(train, arm)
    e0, e1 = (
        count / sum(there) * len(train) / here[label] if arm.get("prior") else 1.0
        for label, count in zip(LABELS, there, strict=True)
    )
    return e0, e1


def _own_randomness(device: torch.device) -> Any:
    """A context in which dropout is drawn from our seeds, and the caller's random state is left alone."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def _summary(
    options: TrainClassifier, data: Dataset, train: list[Row], valid: list[Row], network: Classifier
) -> Result:
    arm = _arm_of(data)
    w0, w1 = _class_weights(train, arm)
    e0, e1 = _emphasis(train, arm)
    return {
        "arch": options.arch,
        "weights": options.identity()["weights"],
        "size": options.size,
        "parameters": classifier.count(network),
        "class_weights": {"normal": w0, "abnormal": w1},
        **({"emphasis": {"normal": e0, "abnormal": e1}} if "prior" in arm else {}),
        "train": _by_origin(train),
        "valid": {"real": _counts(valid)},
        "epochs": options.epochs,
        **({"steps": options.epochs * steps_of(_real(train), options.batch_size)} if options.budget == "steps" else {}),
        "arm": arm,
        "seed": options.seed,
        "split_by": data.split_by,
    }


def _by_origin(train: list[Row]) -> dict[str, dict[str, int]]:
    """Images of each label: real, synthetic and, where there are any, real ones again."""
    copies = [row for row in train if row.copy]
    return {
        "real": _counts(row for row in train if not row.added),
        "synthetic": _counts(row for row in train if row.synthetic),
        **({"copies": _counts(copies)} if copies else {}),
    }


def _counts(rows: Any) -> dict[str, int]:
    of = Counter(row.label for row in rows)
    return {label: of[label] for label in LABELS}


def _images_table(result: Result) -> Table:
    rows = [
        (f"{split}, {origin}", *(f"{number:,}" for number in of.values()), f"{sum(of.values()):,}")
        for split in ("train", "valid")
        for origin, of in result[split].items()
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


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name.replace('_', ' ')} {_text(inner)}" for name, inner in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else "--" if value is None else str(value)


def _notes(result: Result) -> list[str]:
    return [] if result["split_by"] == "patient" else ["split by image: patients leak between train and validation"]
