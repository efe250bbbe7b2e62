"""dataset or arm -> classifier run: train the abnormality classifier; the test split is never looked at.

The thesis's and Rajpurkar et al. 2018's (MURA, section 3.1) recipe: Adam, binary cross-entropy weighted by class, the
learning rate divided by ten when the validation loss stands still, the network of the best validation loss kept.

Arms are paired: a seed gives every arm the same initial weights, and in every epoch shows the real images in the same
relative order, mirrored and rotated by the same draws, whatever is added to them.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xrayaug import classifier, console, device, production, scores, stopping, training, weights
from xrayaug.artifacts import Result
from xrayaug.checkpoints import Checkpoints, State
from xrayaug.classifier import Classifier
from xrayaug.console import Table
from xrayaug.dataset import LABELS, Dataset, Row, arm_of, open_dataset
from xrayaug.errors import DataError, TrainingError
from xrayaug.files import Log
from xrayaug.options import TrainClassifier
from xrayaug.profiling import Profile
from xrayaug.stopping import Pace
from xrayaug.training import LOOK, Step

INITIAL, DRAWS, DROPOUT = range(3)  # what a random stream is for
BETAS = (0.9, 0.999)  # Adam's, as in Rajpurkar et al. 2018
PLATEAU_FACTOR = 0.1
LOOK_BATCH = 32  # validation images per pass
BASELINE = {"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0}  # the arm of a dataset that is none
WEIGHTS = "weights.safetensors"
LOG = "log.jsonl"


def run(options: TrainClassifier) -> Result:
    """Train; leaves the best epoch's weights and a log in the run directory."""
    where = device.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    return production.produce(
        options, "classifier-run", partial(_train, options, where), computing=device.describe(where)
    )


def plan(options: TrainClassifier) -> Result:
    """The network block by block, the data's counts, and how long the training is; no weights are fetched."""
    data, train, valid = _rows(options)
    outline = classifier.outline(options.arch, size=options.size)
    steps = len(_batches(torch.arange(len(train)), options.batch_size))
    return _summary(options, data, train, valid, outline) | {
        "steps_per_epoch": steps,
        "steps": steps * options.epochs,
        "network": classifier.layers(options.arch, size=options.size),
    }


def tables(result: Result) -> list[Table]:
    """The dry run's network, the training images, and the run in a few lines."""
    network = [_network_table(result)] if "network" in result else []
    shown = {name: value for name, value in result.items() if name not in ("network", "train", "valid")}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    notes = [] if result["split_by"] == "patient" else ["split by image: patients leak between train and validation"]
    return [*network, _images_table(result), Table("Classifier", ("", "value"), rows, notes)]


@dataclass(frozen=True)
class Pictures:
    """What a network is shown: pictures uint8 `[N, S, S]` and labels float `[N]`, 1.0 abnormal, on one device."""

    pixels: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Judgement:
    """What the validation images say of the network after an epoch."""

    loss: float
    accuracy: float | None
    auroc: float | None


@dataclass
class Position:
    """How far the run has come: so many batches into an epoch, and what their losses add up to."""

    epoch: int = 1
    batches: int = 0
    images: int = 0  # in those batches
    total: float = 0.0
    seconds: float = 0.0  # spent training in this epoch


@dataclass
class Best:
    """The epoch of the lowest validation loss, the first of equals."""

    epoch: int = 0
    loss: float = math.inf
    accuracy: float | None = None
    auroc: float | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)


class Training:
    """A run from its first step or from where it was stopped to its last."""

    def __init__(self, options: TrainClassifier, where: torch.device, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.profile = Profile(options.profile, where, overwrite=options.overwrite)
        self.data, train, valid = self.rows = _rows(options)
        self.train, self.valid = (_pictures(self.data, rows, options.size, where) for rows in (train, valid))
        self.w0, self.w1 = _class_weights(train)
        seed = device.generator(options.seed, INITIAL).initial_seed()
        network = classifier.build(options.arch, size=options.size, weights=options.weights, seed=seed)
        self.network = network.to(where)
        self.optimiser = training.adam(self.network.parameters(), where, lr=options.lr, betas=BETAS)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=PLATEAU_FACTOR, patience=options.patience
        )
        self.step = Step(self._step, where)
        self.losses: list[tuple[Tensor, int]] = []  # of the steps since the last look, and their images
        self.look = Pace(LOOK)
        self.note = ""  # what the progress says beside its figures
        self.checkpoints = Checkpoints(directory / production.RESUME / "checkpoints", options.checkpoint_every)
        self.at, self.best = Position(), Best()
        self._take_up(self.checkpoints.restore())

    def run(self) -> None:
        """Train to the end."""
        total = self.options.epochs * len(self.train.labels)
        with (
            stopping.deferred(),
            self.profile,
            console.progress(total, "train-classifier", done=self._seen()) as advance,
        ):
            while self.at.epoch <= self.options.epochs:
                self._epoch(advance)
                self._end_epoch(self._judge())
            self._visit()

    def _epoch(self, advance: Callable[..., None]) -> None:
        """Pass once over the training images, or over those left of them, in the epoch's order.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        at, options, where = self.at, self.options, self.train.labels.device
        self.network.train()
        draws = _draws(len(self.train.labels), options.seed, at.epoch)
        theta = classifier.transforms(draws[:, 1:], flip=options.flip, rotation=options.rotation).to(where)
        order = draws[:, 0].argsort(stable=True).to(where)
        for batch in _batches(order, options.batch_size)[at.batches :]:
            started = time.monotonic()
            torch.manual_seed(device.generator(options.seed, DROPOUT, at.epoch, at.batches).initial_seed())
            self.losses.append((self.step(batch, theta[batch]), len(batch)))
            at.batches += 1
            at.images += len(batch)
            if self.look.due(0):
                self._look()
            at.seconds += time.monotonic() - started
            self.profile.step(len(batch))
            advance(len(batch), self.note)
            self._visit()
        started = time.monotonic()
        self._look()
        at.seconds += time.monotonic() - started

    def _step(self, batch: Tensor, theta: Tensor) -> Tensor:
        """One optimiser step on the pictures numbered `batch`, each transformed; the loss before it."""
        images = classifier.images_of(self.train.pixels[batch])
        if self.options.flip or self.options.rotation:
            images = classifier.warp(images, theta)
        with device.autocast(images.device, self.options.precision):
            logits = self.network(images)
        loss = classifier.weighted_bce(logits, self.train.labels[batch], self.w0, self.w1)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        return loss.detach()

    def _look(self) -> None:
        """Read the losses that the device has computed since the last look, for which it must be waited for.

        Raises:
            TrainingError: one is NaN or infinite.
        """
        losses = torch.stack([loss for loss, _ in self.losses]).tolist() if self.losses else []
        for loss, (_, images) in zip(losses, self.losses, strict=True):
            _stop_on_nan(loss, f"the training loss became {loss}", self.at.epoch)
            self.at.total += loss * images
            self.note = f"epoch {self.at.epoch}, loss {loss:.4f}"
        self.losses.clear()
        self.look.restart(0)

    def _judge(self) -> Judgement:
        """Look at the validation images, without augmentation; a stop is possible after each batch of them.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        where = self.train.labels.device
        logits = classifier.logits(
            self.network, self.valid.pixels, batch_size=LOOK_BATCH, device=where, after_each=self._visit
        )
        labels = self.valid.labels.cpu().double()
        loss = classifier.weighted_bce(logits, labels, self.w0, self.w1).item()
        _stop_on_nan(loss, f"the validation loss became {loss}", self.at.epoch)
        found = scores.score(labels.numpy(), classifier.probabilities(logits))
        return Judgement(loss, found.accuracy, found.auroc)

    def _end_epoch(self, judged: Judgement) -> None:
        """Log, keep the weights if they are the best so far, and let the rate fall if they have not been for long."""
        self.log.append(self._line(judged))
        rate = self.optimiser.param_groups[0]["lr"]
        if judged.loss < self.best.loss:
            self.best = Best(self.at.epoch, **asdict(judged), weights=classifier.state_of(self.network))
        self.plateau.step(judged.loss)
        if self.optimiser.param_groups[0]["lr"] != rate:
            self.step.forget()
        self.at = Position(self.at.epoch + 1)

    def _line(self, judged: Judgement) -> dict[str, Any]:
        """What the log says of an epoch; seconds and images a second are of training alone."""
        at, count = self.at, len(self.train.labels)
        return {
            "epoch": at.epoch,
            "images": at.epoch * count,
            "train_loss": at.total / count,
            **{f"valid_{name}": value for name, value in asdict(judged).items()},
            "lr": self.optimiser.param_groups[0]["lr"],
            "seconds": round(at.seconds, 3),
            "images_per_second": round(count / max(at.seconds, 1e-9), 1),
        }

    def _visit(self) -> None:
        self.checkpoints.visit(self._seen(), self._state)

    def _seen(self) -> int:
        return (self.at.epoch - 1) * len(self.train.labels) + self.at.images

    def _state(self) -> State:
        self._look()
        return {
            "at": vars(self.at),
            "best": vars(self.best),
            "log": self.log.lines,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": self.plateau.state_dict(),
        }

    def _take_up(self, state: State | None) -> None:
        self.log = Log(self.directory / LOG, state["log"] if state else ())
        if state:
            weights.put(state["network"], self.network, "the checkpoint")
            training.put_optimiser(state["optimiser"], self.optimiser)
            self.plateau.load_state_dict(state["plateau"])
            self.at, self.best = Position(**state["at"]), Best(**state["best"])


def _train(options: TrainClassifier, where: torch.device, directory: Path) -> Result:
    with device.naming_limits(options.batch_size, deterministic=options.deterministic), _own_randomness(where):
        training = Training(options, where, directory)
        count = len(training.train.labels)
        console.say(f"training {options.arch} on {count} images of {options.size} px on {device.describe(where)}")
        training.run()
    weights.save(directory / WEIGHTS, training.best.weights)
    best = {f"valid_{name}": getattr(training.best, name) for name in ("loss", "accuracy", "auroc")}
    return _summary(options, *training.rows, training.network) | {"best_epoch": training.best.epoch} | best


def _rows(options: TrainClassifier) -> tuple[Dataset, list[Row], list[Row]]:
    """The arm and its training rows, real ones first, and validation rows.

    Raises:
        DataError: a split is empty, a class is absent from training, or an image bears no label.
    """
    data = open_dataset(options.data)
    train = sorted(data.select(split="train"), key=lambda row: row.synthetic)
    valid = data.select(split="valid")
    if not valid:
        raise DataError(
            f"{options.data} has no validation images, by which the best epoch is chosen",
            "xrayaug prepare --holdout 0.1",
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


def _pictures(data: Dataset, rows: list[Row], size: int, where: torch.device) -> Pictures:
    labels = torch.tensor([float(row.label == "abnormal") for row in rows])
    return Pictures(torch.from_numpy(data.pixels(rows, size)).to(where), labels.to(where))


def _class_weights(train: list[Row]) -> tuple[float, float]:
    of = Counter(row.label for row in train)
    return classifier.class_weights(of["normal"], of["abnormal"])


def _draws(count: int, seed: int, epoch: int) -> Tensor:
    """Three uniform numbers for every training image `[N, 3]`: its place in the order, its flip, its angle.

    Drawn image by image, so that the first rows do not depend on how many follow: the real images come first, and
    have the same draws in every arm.
    """
    return torch.rand(count, 3, dtype=torch.float64, generator=device.generator(seed, DRAWS, epoch))


def _batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """The order in batches; a last one of a single image joins the one before.

    Batch norm cannot take it alone, and SqueezeNet's gradients then round differently from process to process.
    """
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _own_randomness(where: torch.device) -> Any:
    """A context in which dropout is drawn from our seeds, and the caller's random state is left alone."""
    return torch.random.fork_rng(devices=[where] if where.type == "cuda" else [])


def _stop_on_nan(value: float, what: str, epoch: int) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"{what} in epoch {epoch}", "a lower --lr usually helps; the log is in the .partial directory beside --out"
        )


def _summary(
    options: TrainClassifier, data: Dataset, train: list[Row], valid: list[Row], network: Classifier
) -> Result:
    w0, w1 = _class_weights(train)
    return {
        "arch": options.arch,
        "weights": options.identity()["weights"],
        "size": options.size,
        "parameters": classifier.count(network),
        "class_weights": {"normal": w0, "abnormal": w1},
        "train": {
            "real": _counts(row for row in train if not row.synthetic),
            "synthetic": _counts(row for row in train if row.synthetic),
        },
        "valid": {"real": _counts(valid)},
        "epochs": options.epochs,
        "arm": arm_of(data.artifact) if "arm" in data.artifact.result else BASELINE,
        "seed": options.seed,
        "split_by": data.split_by,
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
