"""Training of the abnormality classifier: one run, or the runs of several seeds interleaved on one device.

The recipe is that of the thesis and of Rajpurkar et al. 2018 (MURA, section 3.1): Adam, binary cross-entropy weighted
by class, the learning rate divided by ten when the validation loss stops falling, and the weights of the lowest
validation loss kept.

With `--init`, training starts from the weights of another run, as the second of two phases (pretraining and
fine-tuning); the optimiser and the learning rate start anew.

Arms are paired: in every arm, a seed gives the same initial weights, and every pass shows the real images in the same
relative order with the same random flips and rotations, whatever images were added to them.

An epoch is a pass over the training images. With `--budget steps` an epoch has as many steps as a pass over the real
images, so that all arms take equally many steps; a pass may then continue in the next epoch.
"""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug.data.images.loaders import ImageLoader
from xrayaug.errors import TrainingError, WeightsError
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import ranks, sharing
from xrayaug.runtime.distributed.sharing import BatchShard
from xrayaug.runtime.stopping import SaveSchedule, Stopped
from xrayaug.stats import classification
from xrayaug.storage import artifacts, builder, weights
from xrayaug.storage.checkpoints import Checkpoints, State
from xrayaug.storage.files import WEIGHTS_FILE
from xrayaug.training import steps, tensorboard
from xrayaug.training.losses import weighted_bce
from xrayaug.training.profiling import Profile
from xrayaug.training.steps import SYNC_INTERVAL, CudaGraphRecorder

INITIAL, AUGMENTATION, DROPOUT = range(3)  # random streams: initial weights, order and augmentation, dropout masks
BETAS = (0.9, 0.999)  # Adam's, as in Rajpurkar et al. 2018
PLATEAU_FACTOR = 0.1
VALIDATION_BATCH_SIZE = 32


@dataclass(frozen=True)
class LabelledImages:
    """Images uint8 `[N, S, S]` and labels float `[N]` (1.0 is abnormal), on one device."""

    pixels: ImageLoader
    labels: Tensor


@dataclass(frozen=True)
class ClassifierTrainingData:
    """Training and validation images, and the class weights of the loss."""

    train: LabelledImages  # real images come first
    valid: LabelledImages
    w0: float  # class weight of normal images
    w1: float  # class weight of abnormal images
    real_count: int  # real images in `train`
    importance_weights: tuple[float, float] = (1.0, 1.0)  # of normal and abnormal images, in the training loss only


@dataclass(frozen=True)
class ValidationMetrics:
    """Metrics of the validation images after an epoch, None where undefined; the log has them as `valid_...`."""

    loss: float
    accuracy: float | None
    auroc: float | None


@dataclass
class ClassifierProgress:
    """Position of a run: the epoch and its batches so far. Its fields are keys of checkpoints."""

    epoch: int = 1
    batches: int = 0
    images: int = 0  # in these batches
    total: float = 0.0  # sum of their images' losses
    seconds: float = 0.0  # spent training in this epoch


@dataclass
class BestEpoch:
    """The epoch of the lowest validation loss so far, the first of equals. Its fields are keys of checkpoints."""

    epoch: int = 0
    loss: float = math.inf
    accuracy: float | None = None
    auroc: float | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)


class ClassifierTrainer:
    """A training run, which begins anew or goes on from its last checkpoint."""

    def __init__(
        self, options: TrainClassifier, device: torch.device, directory: Path, training_data: ClassifierTrainingData
    ) -> None:
        self.options = options
        self.directory = directory
        self.training_data = training_data
        seed = devices.seeded_generator(options.seed, INITIAL).initial_seed()
        with ranks.local_rank_zero_first():
            self.network = self._build(seed)
        if options.sync_bn:
            sharing.convert_sync_batchnorm(self.network)
        self.min_shard = sharing.min_shard_size([self.network])
        sharing.check_batch_size(options.batch_size, self.min_shard)
        self.network.to(device)
        trained = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        self.optimiser = steps.adam(trained, device, lr=options.recipe.lr, betas=BETAS)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimiser, factor=PLATEAU_FACTOR, patience=options.recipe.patience
        )
        self.recorder = CudaGraphRecorder(device, precision=options.precision, graphs=not options.no_graphs)
        self.losses: list[tuple[Tensor, int]] = []  # loss and image count of each step whose loss has not been read yet
        self.sync_schedule = SaveSchedule(SYNC_INTERVAL)
        self.note = ""  # shown by the progress line
        self.problem: TrainingError | None = None  # the error that ended the run
        self.checkpoints = Checkpoints(directory / builder.RESUME / "checkpoints", options.checkpoint_every)
        self.progress, self.best = ClassifierProgress(), BestEpoch()
        self._restore(self.checkpoints.restore())
        self.stream = devices.side_stream(device)

    @property
    def image_count(self) -> int:
        """Number of training images."""
        return len(self.training_data.train.labels)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch: as many as a pass over the training images has, or with `--budget steps` the real ones."""
        return count_batches(
            self.training_data.real_count if self.options.budget == "steps" else self.image_count,
            self.options.batch_size,
        )

    @property
    def steps_done(self) -> int:
        """Number of steps so far."""
        return (self.progress.epoch - 1) * self.steps_per_epoch + self.progress.batches

    @property
    def seen(self) -> int:
        """Number of images seen so far, repeats included."""
        return self._count_images(self.steps_done)

    @property
    def total(self) -> int:
        """Number of images that the whole training sees, repeats included."""
        return self._count_images(self.options.recipe.epochs * self.steps_per_epoch)

    def steps(self) -> Iterator[int]:
        """Train to the end, one step at a time.

        Yields:
            The number of images in the step's batch.

        Raises:
            TrainingError: a loss became NaN or infinite.
            Stopped: the run was asked to stop, and has saved a checkpoint.
        """
        while self.progress.epoch <= self.options.recipe.epochs:
            yield from self._run_epoch()
            self._end_epoch(self._validate())
        self.save_if_due()

    def save_if_due(self) -> None:
        """Save a checkpoint if it is time to, and stop if asked to; see `Checkpoints.save_if_due`."""
        self.checkpoints.save_if_due(self.seen, self._state)

    @property
    def _stored_part(self) -> nn.Module:
        """The module whose best weights are kept."""
        assert isinstance(self.network, Classifier)
        return self.network.network

    def _build(self, seed: int) -> nn.Module:
        """Return the module that the steps compute, with its initial weights."""
        options = self.options
        network = (
            classifier.restore(open_init(options), options.arch, size=options.size)
            if options.init
            else (build_initial(options, seed))
        )
        if options.trained_blocks:
            classifier.freeze_all_but_last(network, options.trained_blocks)
        return network

    def _count_images(self, steps: int) -> int:
        """Return the number of images in the first `steps` batches; only the last batch of a pass has another size."""
        passes, batches = divmod(steps, count_batches(self.image_count, self.options.batch_size))
        return passes * self.image_count + batches * self.options.batch_size

    def _run_epoch(self) -> Iterator[int]:
        """Take the steps that are left of an epoch: one pass over the training images, a part of one, or several."""
        self.network.train()
        while self.progress.batches < self.steps_per_epoch:
            passes, batches = divmod(self.steps_done, count_batches(self.image_count, self.options.batch_size))
            yield from self._run_pass(passes + 1, batches)
        started = time.monotonic()
        self._read_losses()
        self.progress.seconds += time.monotonic() - started

    def _run_pass(self, number: int, first: int) -> Iterator[int]:
        """Run pass `number` over the training images from batch `first` on, to its end or that of the epoch."""
        progress, options, device = self.progress, self.options, self.training_data.train.labels.device
        draws = _draw_augmentations(self.image_count, options.seed, number)
        augmentations = self._augmentations(draws[:, 1:]).to(device)
        order = draws[:, 0].argsort(stable=True)
        left = split_batches(order, options.batch_size)[first : first + self.steps_per_epoch - progress.batches]
        shards, own = sharing.shard_batches(left, self.min_shard)
        started = time.monotonic()
        for whole, shard, (batch, *inputs) in zip(
            left, shards, self.training_data.train.pixels.iter_batches(own), strict=True
        ):
            self.losses.append((self._run_step(shard, batch, augmentations[batch], *inputs), len(whole)))
            progress.batches += 1
            progress.images += len(whole)
            if ranks.all_reduce_max(self.sync_schedule.is_due(0))[0]:
                self._read_losses()
            progress.seconds += time.monotonic() - started
            self.save_if_due()
            yield len(whole)
            started = time.monotonic()

    def _run_step(self, shard: BatchShard | None, *inputs: Tensor) -> Tensor:
        """Take a step on this process's shard of a batch, and return the whole batch's loss."""
        progress, rank = self.progress, ranks.current_rank().number
        masks = devices.seeded_generator(
            self.options.seed, DROPOUT, progress.epoch, progress.batches, *([rank] if rank else [])
        )
        with sharing.use_shard(shard):
            return self.recorder.run(self._step, *inputs, seed=masks.initial_seed(), key=shard)

    def _augmentations(self, draws: Tensor) -> Tensor:
        """Return the affine transforms `[N, 2, 3]` of the images of a pass, for uniform draws `[N, 2]`."""
        return classifier.random_affine(draws, flip=self.options.flip, rotation=self.options.rotation)

    def _training_logits(self, batch: Tensor, augmentations: Tensor, *inputs: Tensor) -> Tensor:
        """Return the logits of a batch of augmented training images; the arguments are those of `_step`."""
        images = classifier.to_input(self.training_data.train.pixels.gather(batch, *inputs))
        if self.options.flip or self.options.rotation:
            images = classifier.apply_affine(images, augmentations)
        with devices.autocast(images.device, self.options.precision):
            logits: Tensor = self.network(images)
        return logits

    def _validation_logits(self) -> Tensor:
        """Return the logits of the validation images, float64 `[N]`, on the CPU; the run may stop after each batch."""
        return classifier.predict_logits(
            self.network,
            self.training_data.valid.pixels,
            batch_size=VALIDATION_BATCH_SIZE,
            device=self.training_data.valid.labels.device,
            after_each=self.save_if_due,
        )

    def _step(self, batch: Tensor, augmentations: Tensor, *inputs: Tensor) -> Tensor:
        """Take an optimiser step and return the whole batch's loss before it.

        Args:
            batch: indices of this process's training images.
            augmentations: their rows of `_augmentations`.
            inputs: what the image loader needs to look them up.
        """
        train = self.training_data.train
        logits = self._training_logits(batch, augmentations, *inputs)
        e0, e1 = self.training_data.importance_weights
        loss = weighted_bce(logits, train.labels[batch], e0 * self.training_data.w0, e1 * self.training_data.w1)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(sharing.scale_loss(loss))
        (mean_loss,) = sharing.reduce_gradients(self.network, means=[loss])
        self.optimiser.step()
        return mean_loss.detach()

    def _read_losses(self) -> None:
        """Read the losses of the steps since the last call, which waits until the device has computed them.

        Raises:
            TrainingError: a loss is NaN or infinite.
        """
        losses = torch.stack([loss for loss, _ in self.losses]).tolist() if self.losses else []
        for loss, (_, images) in zip(losses, self.losses, strict=True):
            _stop_on_nan(loss, f"the training loss became {loss}", self.progress.epoch)
            self.progress.total += loss * images
            self.note = f"epoch {self.progress.epoch}, loss {loss:.4f}"
        self.losses.clear()
        self.sync_schedule.reset(0)

    def _validate(self) -> ValidationMetrics:
        """Evaluate the network on the validation images, without augmentation; the run may stop after each batch.

        Raises:
            TrainingError: the loss became NaN or infinite.
        """
        logits = self._validation_logits()
        labels = self.training_data.valid.labels.cpu().double()
        loss = weighted_bce(logits, labels, self.training_data.w0, self.training_data.w1).item()
        _stop_on_nan(loss, f"the validation loss became {loss}", self.progress.epoch)
        scores = classification.score(labels.numpy(), classifier.to_probabilities(logits))
        return ValidationMetrics(loss, scores.accuracy, scores.auroc)

    def _end_epoch(self, metrics: ValidationMetrics) -> None:
        """Log the epoch, keep its weights if they are the best so far, and reduce the learning rate on a plateau."""
        self.log.append(ranks.broadcast(self._log_entry(metrics)))
        rate = self.optimiser.param_groups[0]["lr"]
        if metrics.loss < self.best.loss:
            self.best = BestEpoch(
                self.progress.epoch, **asdict(metrics), weights=weights.cpu_state_dict(self._stored_part)
            )
        self.plateau.step(metrics.loss)
        if self.optimiser.param_groups[0]["lr"] != rate:
            self.recorder.reset()  # recorded steps hold the old rate
        self.progress = ClassifierProgress(self.progress.epoch + 1)

    def _log_entry(self, metrics: ValidationMetrics) -> dict[str, Any]:
        """Return an epoch's line of the log; `seconds` and `images_per_second` leave out validation."""
        progress = self.progress
        return {
            "epoch": progress.epoch,
            "images": self.seen,
            "train_loss": progress.total / progress.images,
            **{f"valid_{name}": value for name, value in asdict(metrics).items()},
            "lr": self.optimiser.param_groups[0]["lr"],
            "seconds": round(progress.seconds, 3),
            "images_per_second": round(progress.images / max(progress.seconds, 1e-9), 1),
        }

    def _state(self) -> State:
        self._read_losses()
        return {
            "at": vars(self.progress),
            "best": vars(self.best),
            "log": self.log.lines,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "plateau": self.plateau.state_dict(),
        }

    def _restore(self, state: State | None) -> None:
        self.log = tensorboard.open_log(self.options, self.directory, state["log"] if state else ())
        if state:
            weights.assign(state["network"], self.network, "the checkpoint")
            steps.load_optimiser_state(state["optimiser"], self.optimiser)
            self.plateau.load_state_dict(state["plateau"])
            self.progress, self.best = ClassifierProgress(**state["at"]), BestEpoch(**state["best"])


def open_init(options: TrainClassifier) -> Path:
    """Return the weights file of the run of `--init`.

    Raises:
        ArtifactError: it is no finished classifier run.
    """
    assert options.init is not None
    return artifacts.open_artifact(options.init, "classifier-run").file(WEIGHTS_FILE)


def build_initial(options: TrainClassifier, seed: int = 0) -> Classifier:
    """Build the network with the initial weights that the options name.

    Raises:
        WeightsError: the weights are missing, damaged, or of another network.
    """
    try:
        return classifier.build(options.arch, size=options.size, weights=options.weights, seed=seed)
    except WeightsError as problem:
        if options.weights != "imagenet":
            raise
        raise WeightsError(problem.message, f"{problem.hint}; or give --weights FILE; or --weights none") from None


def train_interleaved(trainings: Sequence[ClassifierTrainer], profile: Profile) -> None:
    """Train all runs to the end, taking one step of each in turn; a GPU computes steps of several runs concurrently.

    If a run fails, its `problem` is set and the others go on. Each run ends with the same bytes as when trained alone.

    Raises:
        Stopped: the command was asked to stop, and every run has saved a checkpoint.
    """
    try:
        _train_interleaved(trainings, profile)
    finally:
        for training in trainings:
            training.recorder.reset()


def _train_interleaved(trainings: Sequence[ClassifierTrainer], profile: Profile) -> None:
    """Take the steps that are left, one of each run in turn."""
    total = sum(training.total for training in trainings)
    done = sum(training.seen for training in trainings)
    with stopping.deferred(), profile, console.progress(total, "train-classifier", done=done) as advance:
        left = {training: training.steps() for training in trainings}
        while left:
            for training, steps in list(left.items()):
                if images := _advance(training, steps, trainings):
                    profile.step(images)
                    prefix = "" if len(trainings) == 1 else f"seed {training.options.seed}: "
                    advance(images, prefix + training.note)
                else:
                    del left[training]


def _advance(training: ClassifierTrainer, steps: Iterator[int], trainings: Sequence[ClassifierTrainer]) -> int:
    """Take the next step of a run and return its number of images, 0 if no step is left or the run failed.

    Raises:
        Stopped: the command was asked to stop, and all `trainings` have saved a checkpoint.
    """
    try:
        with training.stream:
            return next(steps, 0)
    except TrainingError as problem:
        training.problem = problem
        if len(trainings) > 1:
            console.warning(f"seed {training.options.seed}: {problem.message}; the other seeds go on")
        return 0
    except Stopped:
        for other in trainings:
            if other is not training and other.problem is None:
                with other.stream, suppress(Stopped, TrainingError):
                    other.save_if_due()
        raise


def _draw_augmentations(count: int, seed: int, number: int) -> Tensor:
    """Return uniform random numbers for each training image in pass `number`: its sort key, flip and angle, `[N, 3]`.

    They are drawn image by image, so that the first rows do not depend on how many images follow: the real images come
    first and get the same numbers in every arm.
    """
    return torch.rand(count, 3, dtype=torch.float64, generator=devices.seeded_generator(seed, AUGMENTATION, number))


def split_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """Split image indices into batches; a last batch of a single image is joined to the one before.

    Batch norm cannot train on a single image, and with one SqueezeNet's gradients round differently from process to
    process.
    """
    batches = list(torch.split(order, batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def count_batches(images: int, batch_size: int) -> int:
    """Return how many batches `split_batches` makes of that many images."""
    whole, rest = divmod(images, batch_size)
    return max(whole, 1) if rest <= 1 else whole + 1


def _stop_on_nan(value: float, what: str, epoch: int) -> None:
    if not math.isfinite(value):
        raise TrainingError(
            f"{what} in epoch {epoch}", "a lower --lr usually helps; the log is in the .partial directory beside --out"
        )
