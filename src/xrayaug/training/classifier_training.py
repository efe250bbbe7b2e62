"""Training the abnormality classifier: one run, or those of several seeds side by side on one device.

The thesis's and Rajpurkar et al. 2018's (MURA, section 3.1) recipe: Adam, binary cross-entropy weighted by class, the
learning rate divided by ten when the validation loss stands still, the network of the best validation loss kept.

Arms are paired: a seed gives every arm the same initial weights, and in every pass shows the real images in the same
relative order, mirrored and rotated by the same draws, whatever is added to them.

An epoch is a pass over the training images. With `--budget steps` it is as many steps as a pass over the real ones
takes, so that all arms take as many; passes then go on through the ends of epochs.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xrayaug.data.images.loaders import Feed
from xrayaug.errors import TrainingError
from xrayaug.networks import classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import ranks, sharing
from xrayaug.runtime.distributed.sharing import Share
from xrayaug.runtime.stopping import Pace, Stopped
from xrayaug.stats import classification
from xrayaug.storage import builder, weights
from xrayaug.storage.checkpoints import Checkpoints, State
from xrayaug.storage.files import Log
from xrayaug.training import steps
from xrayaug.training.profiling import Profile
from xrayaug.training.steps import LOOK, Recorder

INITIAL, DRAWS, DROPOUT = range(3)  # what a random stream is for
BETAS = (0.9, 0.999)  # Adam's, as in Rajpurkar et al. 2018
PLATEAU_FACTOR = 0.1
LOOK_BATCH = 32  # validation images per pass
LOG = "log.jsonl"


@dataclass(frozen=True)
class Pictures:
    """What a network is shown: pictures uint8 `[N, S, S]` and labels float `[N]`, 1.0 abnormal, on one device."""

    pixels: Feed
    labels: Tensor


@dataclass(frozen=True)
class Material:
    """What runs learn from and are judged by, and what a mistake on a normal and an abnormal image weighs.

    The real ones come first among the training pictures. For training alone, `emphasis` is how much more an image of
    each class counts than there are of it.
    """

    train: Pictures
    valid: Pictures
    w0: float
    w1: float
    real: int
    emphasis: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class Judgement:
    """What the validation images say of the network after an epoch."""

    loss: float
    accuracy: float | None
    auroc: float | None


@dataclass
class Position:
    """How far the run has come: so many batches into an epoch, how many images they held, what their losses sum to."""

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

    def __init__(self, options: TrainClassifier, device: torch.device, directory: Path, material: Material) -> None:
        self.options = options
        self.directory = directory
        self.material = material
        seed = devices.generator(options.seed, INITIAL).initial_seed()
        with ranks.one_first():
            network = classifier.build(options.arch, size=options.size, weights=options.weights, seed=seed)
        if options.sync_bn:
            sharing.synchronise(network)
        self.least = sharing.least_of([network])
        sharing.check_fit(options.batch_size, self.least)
        self.network = network.to(device)
        self.optimiser = steps.adam(self.network.parameters(), device, lr=options.lr, betas=BETAS)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=PLATEAU_FACTOR, patience=options.patience
        )
        self.recorder = Recorder(device, precision=options.precision, graphs=not options.no_graphs)
        self.losses: list[tuple[Tensor, int]] = []  # of the steps since the last look, and their images
        self.look = Pace(LOOK)
        self.note = ""  # what the progress says beside its figures
        self.problem: TrainingError | None = None  # which ended it
        self.checkpoints = Checkpoints(directory / builder.RESUME / "checkpoints", options.checkpoint_every)
        self.at, self.best = Position(), Best()
        self._take_up(self.checkpoints.restore())
        self.turn = devices.own_queue(device)

    @property
    def count(self) -> int:
        """Training images."""
        return len(self.material.train.labels)

    @property
    def length(self) -> int:
        """Steps of an epoch: those of a pass over the training images, or with `--budget steps` over the real ones."""
        return steps_of(self.material.real if self.options.budget == "steps" else self.count, self.options.batch_size)

    @property
    def done(self) -> int:
        """Steps so far."""
        return (self.at.epoch - 1) * self.length + self.at.batches

    @property
    def seen(self) -> int:
        """Images so far."""
        return self._images_of(self.done)

    @property
    def total(self) -> int:
        """Images from the first step to the last."""
        return self._images_of(self.options.epochs * self.length)

    def steps(self) -> Iterator[int]:
        """Train to the end, giving way after every step.

        Yields:
            How many images the step was on.

        Raises:
            TrainingError: a loss became NaN or infinite.
            Stopped: the run was asked to stop, and has saved what it needs to go on.
        """
        while self.at.epoch <= self.options.epochs:
            yield from self._epoch()
            self._end_epoch(self._judge())
        self.visit()

    def visit(self) -> None:
        """A point at which the run may stop; see `Checkpoints.visit`."""
        self.checkpoints.visit(self.seen, self._state)

    def _images_of(self, steps: int) -> int:
        """How many images the first `steps` are on; only the last batch of a pass is of another size."""
        passes, batches = divmod(steps, steps_of(self.count, self.options.batch_size))
        return passes * self.count + batches * self.options.batch_size

    def _epoch(self) -> Iterator[int]:
        """Take an epoch's steps, or those left of them: a pass over the training images, a part of one, or several."""
        self.network.train()
        while self.at.batches < self.length:
            before, batches = divmod(self.done, steps_of(self.count, self.options.batch_size))
            yield from self._pass(before + 1, batches)
        started = time.monotonic()
        self._look()
        self.at.seconds += time.monotonic() - started

    def _pass(self, number: int, first: int) -> Iterator[int]:
        """Go on with a pass over the training images at a batch of its order, to its end or the epoch's."""
        at, options, device = self.at, self.options, self.material.train.labels.device
        draws = _draws(self.count, options.seed, number)
        theta = classifier.transforms(draws[:, 1:], flip=options.flip, rotation=options.rotation).to(device)
        order = draws[:, 0].argsort(stable=True)
        left = batches(order, options.batch_size)[first : first + self.length - at.batches]
        shares, own = sharing.stretches(left, self.least)
        started = time.monotonic()
        for whole, share, (batch, *given) in zip(left, shares, self.material.train.pixels.each(own), strict=True):
            self.losses.append((self._taken(share, batch, theta[batch], *given), len(whole)))
            at.batches += 1
            at.images += len(whole)
            if ranks.agreed(self.look.due(0))[0]:
                self._look()
            at.seconds += time.monotonic() - started
            self.visit()
            yield len(whole)
            started = time.monotonic()

    def _taken(self, share: Share | None, *given: Tensor) -> Tensor:
        """The loss of the step on a batch, of which this process has its share."""
        at, rank = self.at, ranks.own().number
        masks = devices.generator(self.options.seed, DROPOUT, at.epoch, at.batches, *([rank] if rank else []))
        with sharing.of_batch(share):
            return self.recorder.take(self._step, *given, seed=masks.initial_seed(), key=share)

    def _step(self, batch: Tensor, theta: Tensor, *given: Tensor) -> Tensor:
        """One optimiser step on the pictures numbered `batch`, each transformed; the whole batch's loss before it."""
        shown = self.material.train
        images = classifier.images_of(shown.pixels.shown(batch, *given))
        if self.options.flip or self.options.rotation:
            images = classifier.warp(images, theta)
        with devices.autocast(images.device, self.options.precision):
            logits = self.network(images)
        e0, e1 = self.material.emphasis
        loss = classifier.weighted_bce(logits, shown.labels[batch], e0 * self.material.w0, e1 * self.material.w1)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(sharing.weighed(loss))
        (found,) = sharing.reduced(self.network, means=[loss])
        self.optimiser.step()
        return found.detach()

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
        valid = self.material.valid
        logits = classifier.logits(
            self.network, valid.pixels, batch_size=LOOK_BATCH, device=valid.labels.device, after_each=self.visit
        )
        labels = valid.labels.cpu().double()
        loss = classifier.weighted_bce(logits, labels, self.material.w0, self.material.w1).item()
        _stop_on_nan(loss, f"the validation loss became {loss}", self.at.epoch)
        found = classification.score(labels.numpy(), classifier.probabilities(logits))
        return Judgement(loss, found.accuracy, found.auroc)

    def _end_epoch(self, judged: Judgement) -> None:
        """Log, keep the weights if they are the best so far, and let the rate fall if they have not been for long."""
        self.log.append(ranks.told(self._line(judged)))
        rate = self.optimiser.param_groups[0]["lr"]
        if judged.loss < self.best.loss:
            self.best = Best(self.at.epoch, **asdict(judged), weights=classifier.state_of(self.network))
        self.plateau.step(judged.loss)
        if self.optimiser.param_groups[0]["lr"] != rate:
            self.recorder.forget()
        self.at = Position(self.at.epoch + 1)

    def _line(self, judged: Judgement) -> dict[str, Any]:
        """What the log says of an epoch; seconds and images a second are of training alone."""
        at = self.at
        return {
            "epoch": at.epoch,
            "images": self.seen,
            "train_loss": at.total / at.images,
            **{f"valid_{name}": value for name, value in asdict(judged).items()},
            "lr": self.optimiser.param_groups[0]["lr"],
            "seconds": round(at.seconds, 3),
            "images_per_second": round(at.images / max(at.seconds, 1e-9), 1),
        }

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
            steps.put_optimiser(state["optimiser"], self.optimiser)
            self.plateau.load_state_dict(state["plateau"])
            self.at, self.best = Position(**state["at"]), Best(**state["best"])


def side_by_side(trainings: Sequence[Training], profile: Profile) -> None:
    """Train them all to the end, a step of each in turn; a GPU computes the steps of several at a time.

    Where one fails, its `problem` says why, and the others go on. Each ends with the bytes that it alone would.

    Raises:
        Stopped: the command was asked to stop, and every one has saved what it needs to go on.
    """
    try:
        _in_turn(trainings, profile)
    finally:
        for each in trainings:
            each.recorder.forget()


def _in_turn(trainings: Sequence[Training], profile: Profile) -> None:
    """Take the steps that are left, one of each training in turn."""
    total = sum(each.total for each in trainings)
    done = sum(each.seen for each in trainings)
    with stopping.deferred(), profile, console.progress(total, "train-classifier", done=done) as advance:
        left = {each: each.steps() for each in trainings}
        while left:
            for each, steps in list(left.items()):
                if images := _taken(each, steps, trainings):
                    profile.step(images)
                    advance(images, each.note if len(trainings) == 1 else f"seed {each.options.seed}: {each.note}")
                else:
                    del left[each]


def _taken(one: Training, steps: Iterator[int], all_of_them: Sequence[Training]) -> int:
    """Take the next step of `one`: how many images it was on, 0 where there is none."""
    try:
        with one.turn:
            return next(steps, 0)
    except TrainingError as problem:
        one.problem = problem
        if len(all_of_them) > 1:
            console.warn(f"seed {one.options.seed}: {problem.message}; the others go on")
        return 0
    except Stopped:
        for other in all_of_them:
            if other is not one and other.problem is None:
                with other.turn, suppress(Stopped, TrainingError):
                    other.visit()
        raise


def _draws(count: int, seed: int, number: int) -> Tensor:
    """Three uniform numbers for every training image `[N, 3]` in the pass of that number: its place, flip and angle.

    Drawn image by image, so that the first rows do not depend on how many follow: the real images come first, and
    have the same draws in every arm.
    """
    return torch.rand(count, 3, dtype=torch.float64, generator=devices.generator(seed, DRAWS, number))


def batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """The order in batches; a last one of a single image joins the one before.

    Batch norm cannot take it alone, and SqueezeNet's gradients then round differently from process to process.
    """
    parts = list(torch.split(order, batch_size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def steps_of(images: int, batch_size: int) -> int:
    """How many `batches` there are of so many images."""
    whole, rest = divmod(images, batch_size)
    return max(whole, 1) if rest <= 1 else whole + 1


def _stop_on_nan(value: float, what: str, epoch: int) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"{what} in epoch {epoch}", "a lower --lr usually helps; the log is in the .partial directory beside --out"
        )
