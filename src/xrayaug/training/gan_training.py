"""A training run of a GAN, from its first step or from where it was stopped to its last.

`gan_model.py` defines a single step. This module chooses the images and random numbers of each step, measures the
networks at the end of each epoch, and saves what a stopped run needs to go on.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xrayaug.data.images import contact_sheets, tensors
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.loaders import ImageLoader
from xrayaug.errors import TrainingError
from xrayaug.options import TrainGan
from xrayaug.options.choices import LABELS
from xrayaug.plots import curves
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import ranks, sharing
from xrayaug.runtime.distributed.sharing import BatchShard
from xrayaug.runtime.stopping import SaveSchedule
from xrayaug.storage import builder, files, weights
from xrayaug.storage.checkpoints import Checkpoints, State
from xrayaug.training import collapse, ema, fid_monitor, gan_model, tensorboard
from xrayaug.training.fid_monitor import FidMonitor
from xrayaug.training.gan_model import EXTRA_METRICS, INITIAL, METRICS, GanConfig, StepRandomness
from xrayaug.training.profiling import Profile
from xrayaug.training.steps import SYNC_INTERVAL, CudaGraphRecorder

PREVIEWS = 64  # images per preview grid
# Random streams: the order of images, latent vectors, the latent vectors of previews, what networks draw within a step,
# the uniform numbers of `StepRandomness`, and the latent vectors that the Fréchet distance is measured on.
ORDER, NOISE, FIXED_NOISE, WITHIN, UNIFORMS, FID_NOISE = range(INITIAL + 1, 7)


@dataclass
class GanProgress:
    """Position of a run: the epoch, its batches so far and their summed metrics; fields are keys of checkpoints."""

    epoch: int = 1
    batches: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(METRICS) + len(EXTRA_METRICS)))
    seconds: float = 0.0  # spent on this epoch


@dataclass
class BestGenerator:
    """The generator weights of the smallest Fréchet distance so far, the first of equals; fields of checkpoints."""

    epoch: int = 0
    distance: float = math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class GanTrainingData:
    """Training images, uint8 `[N, H, W]`, and class indices `[N]` if the networks are conditional."""

    pixels: ImageLoader
    labels: Sequence[int] | None = None


class GanTrainer:
    """A training run, which begins anew or goes on from its last checkpoint."""

    def __init__(
        self,
        options: TrainGan,
        config: GanConfig,
        training_data: GanTrainingData,
        device: torch.device,
        directory: Path,
        *,
        initial_weights: Mapping[str, Mapping[str, Tensor]] | None = None,
    ) -> None:
        self.options = options
        self.config, self.recipe = config, config.recipe
        self.directory = directory
        self.profile = Profile(options.profile if ranks.is_first() else None, device, overwrite=options.overwrite)
        self.reals = training_data.pixels
        self.labels = torch.tensor(training_data.labels, device=device) if training_data.labels else None
        self.model = gan_model.build(options, config, device)
        if initial_weights:
            self.model.load_weights(initial_weights, str(options.init))
        self.min_shard = sharing.min_shard_size([self.model.g, self.model.d])
        sharing.check_batch_size(self.recipe.batch_size, self.min_shard)
        self.random_columns = gan_model.random_columns(self.recipe, mirror=options.mirror)
        self.recorder = CudaGraphRecorder(device, precision=options.precision, graphs=not options.no_graphs)
        fixed_noise = torch.randn(
            PREVIEWS, self.recipe.latent, generator=devices.seeded_generator(options.seed, FIXED_NOISE)
        )
        self.fixed_noise = fixed_noise.to(device)
        classes = config.shape.classes
        self.fixed_labels = torch.arange(PREVIEWS, device=device) % classes if classes else None
        self.real_spreads = [spread or 1.0 for spread in _spread_by_label(self.reals, self.labels)]
        with ranks.local_rank_zero_first():
            self.fid_monitor = _load_fid_monitor(options, self.reals) if options.fid_every else None
        self.checkpoints = Checkpoints(directory / builder.RESUME / "checkpoints", options.checkpoint_every)
        self.sync_schedule = SaveSchedule(SYNC_INTERVAL)
        self.progress, self.best = GanProgress(), BestGenerator()
        self._restore(self.checkpoints.restore())

    @property
    def total(self) -> int:
        """Number of images that the whole training sees, repeats included."""
        return self.options.epochs * len(self.reals)

    @property
    def seen(self) -> int:
        """Number of images seen so far, repeats included."""
        return (self.progress.epoch - 1) * len(self.reals) + min(
            self.progress.batches * self.recipe.batch_size, len(self.reals)
        )

    def run(self) -> dict[str, Any]:
        """Train to the end and return the last epoch's log entry."""
        if ranks.is_first():
            contact_sheets.save_png(
                self.directory / files.REAL_IMAGES_FILE, contact_sheets.make_grid(self.reals[:PREVIEWS].cpu().numpy())
            )
        try:
            self._run_epochs()
        finally:
            self.recorder.reset()
        if ranks.is_first():
            curves.save_learning_curves(self.directory / "curves.png", self.log.lines, self.options.arch)
        return self.log.lines[-1]

    def _run_epochs(self) -> None:
        with (
            stopping.deferred(),
            self.profile,
            console.progress(self.total, "train-gan", done=self.seen) as advance,
        ):
            while self.progress.epoch <= self.options.epochs:
                self._run_epoch(advance)
                self._end_epoch()
            self.checkpoints.save_if_due(self.seen, self._state)

    def _run_epoch(self, advance: Callable[..., None]) -> None:
        """Pass once over the real images in the epoch's order, or over those that are left of them."""
        progress, device = self.progress, self.reals.device
        order = torch.randperm(
            len(self.reals), generator=devices.seeded_generator(self.options.seed, ORDER, progress.epoch)
        )
        left = torch.split(order, self.recipe.batch_size)[progress.batches :]
        shards, own = sharing.shard_batches(left, self.min_shard)
        started = time.monotonic()
        for whole, shard, inputs in zip(left, shards, self.reals.iter_batches(own), strict=True):
            progress.sums += len(whole) * self._run_step(len(whole), shard, *inputs)
            progress.batches += 1
            if self.sync_schedule.is_due(0):  # or steps would be launched much faster than a GPU computes them
                devices.synchronize(device)
                self.sync_schedule.reset(0)
            progress.seconds += time.monotonic() - started
            self.profile.step(len(whole))
            advance(len(whole), f"epoch {progress.epoch}")
            self._save_if_due()
            started = time.monotonic()

    def _run_step(self, images: int, shard: BatchShard | None, batch: Tensor, *inputs: Tensor) -> Tensor:
        """Take a step and return its metrics.

        Every process draws the random numbers of the whole batch and uses those of its shard.

        Args:
            images: number of real images in the whole batch.
            shard: this process's part of it, if there are several processes.
            batch: indices of this process's images.
            inputs: what the image loader needs to look them up.
        """
        progress, seed = self.progress, self.options.seed
        if self.model.grow(self.seen / self.total):
            self.recorder.reset()
        z = torch.randn(
            images,
            self.recipe.latent,
            generator=devices.seeded_generator(seed, NOISE, progress.epoch, progress.batches),
        )
        randomness = torch.rand(
            images,
            self.random_columns,
            generator=devices.seeded_generator(seed, UNIFORMS, progress.epoch, progress.batches),
        )
        within = devices.seeded_generator(seed, WITHIN, progress.epoch, progress.batches).initial_seed()
        update_rate = self._ema_rate(images)
        if shard:
            z, randomness = shard.of(z), shard.of(randomness)
        penalised = self._is_penalised()
        step = partial(self._step, penalised)
        with sharing.use_shard(shard):
            return self.recorder.run(
                step, batch, z, randomness, update_rate, *inputs, seed=within, key=(penalised, shard)
            )

    def _step(
        self, penalised: bool, batch: Tensor, z: Tensor, uniforms: Tensor, update_rate: Tensor, *inputs: Tensor
    ) -> Tensor:
        real = tensors.to_unit(self.reals.gather(batch, *inputs))
        randomness = StepRandomness(uniforms)
        if self.options.mirror:
            real = torch.where(randomness.mirror_mask, real.flip(3), real)
        labels = None if self.labels is None else self.labels.index_select(0, batch)
        return self.model.step(real, z, labels, randomness, update_rate, penalised=penalised)

    def _is_penalised(self) -> bool:
        """Return whether the next step has penalties."""
        steps_before = (self.progress.epoch - 1) * -(-len(self.reals) // self.recipe.batch_size) + self.progress.batches
        return self.config.has_penalties and steps_before % self.recipe.penalty_every == 0

    def _ema_rate(self, images: int) -> Tensor:
        """Return the weight of the new generator in the averaged one in the next step, a scalar."""
        if not self.recipe.ema:
            return torch.ones(())
        return torch.tensor(ema.update_rate(self.recipe.ema, self.seen + images, images))

    def _end_epoch(self) -> None:
        """Measure and log the epoch, check for NaN and collapse, and save a preview.

        Raises:
            TrainingError: a metric or weight is NaN or infinite, or the GAN collapsed and `--on-collapse` is `stop`.
        """
        progress, options = self.progress, self.options
        started = time.monotonic()
        devices.synchronize(self.reals.device)
        progress.seconds += time.monotonic() - started
        means = self._epoch_means()
        _stop_on_nan(means | self.model.max_abs_weights(), progress.epoch)
        generated = self._generate_fixed()
        means["spread"] = self._relative_spread(generated)
        if self.fid_monitor and (progress.epoch % options.fid_every == 0 or progress.epoch == options.epochs):
            means["distance"] = self._measure_distance(self.fid_monitor)
        self.log.append(ranks.broadcast(_log_entry(progress.epoch, len(self.reals), means, progress.seconds)))
        if (options.preview_every and progress.epoch % options.preview_every == 0) or progress.epoch == options.epochs:
            self._save_preview(generated)
        description = collapse.describe_collapse(self.log.lines, len(self.reals), self.recipe.loss)
        if description:
            self._report_collapse(description)
        self.progress = GanProgress(progress.epoch + 1, sums=torch.zeros_like(progress.sums))

    def _save_preview(self, generated: Tensor) -> None:
        if ranks.is_first():
            preview = self.directory / files.PREVIEWS_DIRECTORY / files.preview_name(self.progress.epoch)
            contact_sheets.save_png(preview, contact_sheets.make_grid(tensors.from_unit(generated)), durable=True)
            tensorboard.add_preview(self.log, self.progress.epoch, preview)

    def _epoch_means(self) -> dict[str, float]:
        """Return the epoch's mean metrics, and the augmentation's strength if it adapts."""
        means = dict(zip((*METRICS, *EXTRA_METRICS), (self.progress.sums / len(self.reals)).tolist(), strict=True))
        logged = {name: means[name] for name in (*METRICS, *self.config.extra_metrics())}
        return logged | ({"augment_p": self.model.ada.p.item()} if self.model.ada else {})

    def _relative_spread(self, generated: Tensor) -> float:
        """Return the spread of the preview images divided by that of real ones, for the label with the smallest."""
        generated_spreads = _spread_by_label(generated, self.fixed_labels)
        return min(fake / real for fake, real in zip(generated_spreads, self.real_spreads, strict=True))

    def _measure_distance(self, monitor: FidMonitor) -> float:
        """Return the Fréchet distance of generated images to real ones, and keep the weights if it is the smallest.

        The run may stop after each batch of images; it then goes on at the end of the epoch, which is measured anew.
        """
        distance = ranks.broadcast(monitor.distance(self._generate_like_reals, self._save_if_due))
        if distance < self.best.distance:
            self.best = BestGenerator(
                self.progress.epoch, distance, weights.cpu_state_dict(self.model.sampling_generator)
            )
        return distance

    def _generate_like_reals(self, start: int, count: int) -> Pixels:
        """Generate images with the labels of the real ones from index `start` on: uint8 `[count, H, W]`."""
        noise = devices.seeded_generator(self.options.seed, FID_NOISE, start)
        z = torch.randn(count, self.recipe.latent, generator=noise).to(self.reals.device)
        labels = None if self.labels is None else self.labels[start : start + count]
        return tensors.from_unit(self._generate(z, labels))

    def _report_collapse(self, description: str) -> None:
        kept = self.checkpoints.last_good()
        saved = f"the last checkpoint from before is {kept}" if kept else "no checkpoint from before was kept"
        if self.options.on_collapse == "stop":
            raise TrainingError(
                f"the GAN collapsed by epoch {self.progress.epoch}: {description}; {saved}",
                "--on-collapse warn goes on from there; a lower --lr or another --seed may not collapse",
            )
        console.warning(f"the GAN has collapsed by epoch {self.progress.epoch}: {description}; {saved}")

    def _generate_fixed(self) -> Tensor:
        """Generate the preview images `[N, 1, H, W]`, from the same latent vectors in every epoch; labels alternate."""
        return self._generate(self.fixed_noise, self.fixed_labels)

    def _generate(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Generate images `[N, 1, H, W]` in [-1, 1] as sampling does: averaged generator, evaluation mode."""
        g = self.model.sampling_generator.eval()
        with torch.inference_mode():
            images: Tensor = g(z, labels)
        g.train()
        return images

    def _save_if_due(self) -> None:
        suspect = collapse.is_suspect(self.log.lines, self.recipe.loss)
        self.checkpoints.save_if_due(self.seen, self._state, suspect=suspect)

    def _state(self) -> State:
        return {
            "at": vars(self.progress),
            "best": vars(self.best),
            "model": self.model.state_dict(),
            "log": self.log.lines,
        }

    def _restore(self, state: State | None) -> None:
        self.log = tensorboard.open_log(self.options, self.directory, state["log"] if state else ())
        if state:
            self.model.load_state_dict(state["model"])
            self.progress, self.best = GanProgress(**state["at"]), BestGenerator(**state["best"])
        self.progress.sums = self.progress.sums.to(self.reals.device)


def _load_fid_monitor(options: TrainGan, reals: ImageLoader) -> FidMonitor:
    return FidMonitor(options.fid_features, reals[: fid_monitor.MAX_IMAGES].cpu().numpy(), reals.device)


def _spread_by_label(images: Tensor | ImageLoader, labels: Tensor | None) -> list[float]:
    """Return the spread of images, uint8 `[N, H, W]` or float `[N, 1, H, W]`: one per label, or one without labels."""
    if labels is None:
        groups = [images[: collapse.SPREAD_IMAGES]]
    else:
        indices = [torch.nonzero(labels == label)[: collapse.SPREAD_IMAGES, 0] for label in range(len(LABELS))]
        groups = [images[group] for group in indices]
    return [collapse.spread(tensors.to_unit(group) if group.dtype == torch.uint8 else group) for group in groups]


def _stop_on_nan(metrics: dict[str, float], epoch: int) -> None:
    broken = [name for name, value in metrics.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"{' and '.join(broken)} became NaN or infinite in epoch {epoch}",
            "a lower --lr or another --seed usually helps; the log is in the .partial directory beside --out",
        )


def _log_entry(epoch: int, count: int, metrics: dict[str, float], seconds: float) -> dict[str, Any]:
    """Return an epoch's line of `log.jsonl`."""
    return {
        "epoch": epoch,
        "images": epoch * count,
        **{name: round(value, 6) for name, value in metrics.items()},
        "seconds": round(seconds, 3),
        "images_per_second": round(count / max(seconds, 1e-9), 1),
    }
