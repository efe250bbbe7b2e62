"""The run in which two adversaries are trained, from its first step to its last or from where it was stopped.

What a step is, `adversaries.py` says. Here is which images and which chances each step gets, what an epoch's end looks
at, and what a stopped run goes on from.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xrayaug import plots
from xrayaug.data.images import contact_sheets, tensors
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.loaders import Feed
from xrayaug.errors import TrainingError
from xrayaug.networks.gans import CLASSES
from xrayaug.options import TrainGan
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import ranks, sharing
from xrayaug.runtime.distributed.sharing import Share
from xrayaug.runtime.stopping import Pace
from xrayaug.storage import builder, weights
from xrayaug.storage.checkpoints import Checkpoints, State
from xrayaug.storage.files import Log
from xrayaug.training import collapse, ema, fid_monitor, gan_model
from xrayaug.training.fid_monitor import Yardstick
from xrayaug.training.gan_model import FURTHER, INITIAL, METRICS, Chances, Design
from xrayaug.training.profiling import Profile
from xrayaug.training.steps import LOOK, Recorder

PREVIEWS = 64  # pictures per preview grid
ORDER, NOISE, FIXED_NOISE, WITHIN, CHANCE, MEASURED = range(INITIAL + 1, 7)  # what a random stream is for


@dataclass
class Position:
    """How far the run has come: so many batches into an epoch, and what they add up to."""

    epoch: int = 1
    batches: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(METRICS) + len(FURTHER)))
    seconds: float = 0.0  # spent on this epoch


@dataclass
class Best:
    """The generator that counts at the smallest distance so far, the first of equals."""

    epoch: int = 0
    distance: float = math.inf
    weights: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Material:
    """What is learnt from: pictures uint8 `[N, H, W]`, labels int64 `[N]` where networks are told them."""

    pixels: Feed
    labels: Sequence[int] | None = None


class Training:
    """A run from its first step or from where it was stopped to its last."""

    def __init__(
        self, options: TrainGan, design: Design, material: Material, device: torch.device, directory: Path
    ) -> None:
        self.options = options
        self.design, self.recipe = design, design.recipe
        self.directory = directory
        self.profile = Profile(options.profile if ranks.is_first() else None, device, overwrite=options.overwrite)
        self.reals = material.pixels
        self.labels = torch.tensor(material.labels, device=device) if material.labels else None
        self.adversaries = gan_model.build(options, design, device)
        self.least = sharing.least_of([self.adversaries.g, self.adversaries.d])
        sharing.check_fit(self.recipe.batch_size, self.least)
        self.columns = gan_model.columns(self.recipe, mirror=options.mirror)
        self.recorder = Recorder(device, precision=options.precision, graphs=not options.no_graphs)
        fixed = torch.randn(PREVIEWS, self.recipe.latent, generator=devices.generator(options.seed, FIXED_NOISE))
        self.fixed = fixed.to(device)
        classes = design.shape.classes
        self.fixed_labels = torch.arange(PREVIEWS, device=device) % classes if classes else None
        self.spreads_of_reals = [found or 1.0 for found in _spreads(self.reals, self.labels)]
        with ranks.one_first():
            self.yardstick = _yardstick(options, self.reals) if options.fid_every else None
        self.checkpoints = Checkpoints(directory / builder.RESUME / "checkpoints", options.checkpoint_every)
        self.look = Pace(LOOK)
        self.at, self.best = Position(), Best()
        self._take_up(self.checkpoints.restore())

    @property
    def total(self) -> int:
        """Images that the whole training sees."""
        return self.options.epochs * len(self.reals)

    @property
    def seen(self) -> int:
        """Images so far."""
        return (self.at.epoch - 1) * len(self.reals) + min(self.at.batches * self.recipe.batch_size, len(self.reals))

    def run(self) -> dict[str, Any]:
        """Train to the end; the last epoch's line of the log."""
        if ranks.is_first():
            contact_sheets.save_png(
                self.directory / "reals.png", contact_sheets.grid(self.reals[:PREVIEWS].cpu().numpy())
            )
        try:
            self._epochs()
        finally:
            self.recorder.forget()
        if ranks.is_first():
            plots.learning_curves(self.directory / "curves.png", self.log.lines, self.options.arch)
        return self.log.lines[-1]

    def _epochs(self) -> None:
        with (
            stopping.deferred(),
            self.profile,
            console.progress(self.total, "train-gan", done=self.seen) as advance,
        ):
            while self.at.epoch <= self.options.epochs:
                self._epoch(advance)
                self._end_epoch()
            self.checkpoints.visit(self.seen, self._state)

    def _epoch(self, advance: Callable[..., None]) -> None:
        """Pass once over the reals, or over those left of them, in the epoch's order."""
        at, device = self.at, self.reals.device
        order = torch.randperm(len(self.reals), generator=devices.generator(self.options.seed, ORDER, at.epoch))
        left = torch.split(order, self.recipe.batch_size)[at.batches :]
        shares, own = sharing.stretches(left, self.least)
        started = time.monotonic()
        for whole, share, given in zip(left, shares, self.reals.each(own), strict=True):
            at.sums += len(whole) * self._taken(len(whole), share, *given)
            at.batches += 1
            if self.look.due(0):  # steps are asked for faster than a GPU takes them
                devices.wait(device)
                self.look.restart(0)
            at.seconds += time.monotonic() - started
            self.profile.step(len(whole))
            advance(len(whole), f"epoch {at.epoch}")
            self._visit()
            started = time.monotonic()

    def _taken(self, images: int, share: Share | None, batch: Tensor, *given: Tensor) -> Tensor:
        """The metrics of a step on so many real images, which is taken; those of this process are numbered `batch`.

        Every process draws the chances of the whole batch, and takes its share of it.
        """
        at, seed = self.at, self.options.seed
        if self.adversaries.grow(self.seen / self.total):
            self.recorder.forget()
        z = torch.randn(images, self.recipe.latent, generator=devices.generator(seed, NOISE, at.epoch, at.batches))
        chances = torch.rand(images, self.columns, generator=devices.generator(seed, CHANCE, at.epoch, at.batches))
        within = devices.generator(seed, WITHIN, at.epoch, at.batches).initial_seed()
        new = self._new(images)
        if share:
            z, chances = share.of(z), share.of(chances)
        penalised = self._is_penalised()
        step = partial(self._step, penalised)
        with sharing.of_batch(share):
            return self.recorder.take(step, batch, z, chances, new, *given, seed=within, key=(penalised, share))

    def _step(self, penalised: bool, batch: Tensor, z: Tensor, drawn: Tensor, new: Tensor, *given: Tensor) -> Tensor:
        real = tensors.to_unit(self.reals.shown(batch, *given))
        chances = Chances(drawn)
        if self.options.mirror:
            real = torch.where(chances.mirrored, real.flip(3), real)
        labels = None if self.labels is None else self.labels.index_select(0, batch)
        return self.adversaries.step(real, z, labels, chances, new, penalised=penalised)

    def _is_penalised(self) -> bool:
        """Whether the next step is one with penalties."""
        steps_before = (self.at.epoch - 1) * -(-len(self.reals) // self.recipe.batch_size) + self.at.batches
        return self.design.penalises and steps_before % self.recipe.penalty_every == 0

    def _new(self, images: int) -> Tensor:
        """Of the averaged generator, what becomes new with the next step."""
        if not self.recipe.ema:
            return torch.ones(())
        return torch.tensor(ema.share(self.recipe.ema, self.seen + images, images))

    def _end_epoch(self) -> None:
        """Measure, log, look for a breakdown, draw a preview.

        Raises:
            TrainingError: NaN, or a collapse that `--on-collapse stop` ends the run for.
        """
        at, options = self.at, self.options
        started = time.monotonic()
        devices.wait(self.reals.device)
        at.seconds += time.monotonic() - started
        means = self._means()
        _stop_on_nan(means | self.adversaries.largest_weights(), at.epoch)
        generated = self._generated()
        means["spread"] = self._spread(generated)
        if self.yardstick and (at.epoch % options.fid_every == 0 or at.epoch == options.epochs):
            means["distance"] = self._distance(self.yardstick)
        self.log.append(ranks.told(_line(at.epoch, len(self.reals), means, at.seconds)))
        if (options.preview_every and at.epoch % options.preview_every == 0) or at.epoch == options.epochs:
            self._preview(generated)
        alarm = collapse.alarm(self.log.lines, len(self.reals), self.recipe.loss)
        if alarm:
            self._alarm(alarm)
        self.at = Position(at.epoch + 1, sums=torch.zeros_like(at.sums))

    def _preview(self, generated: Tensor) -> None:
        if ranks.is_first():
            preview = self.directory / "previews" / f"epoch-{self.at.epoch:04}.png"
            contact_sheets.save_png(preview, contact_sheets.grid(tensors.from_unit(generated)), durable=True)

    def _means(self) -> dict[str, float]:
        """The epoch's metrics, and how strong the augmentation is now."""
        named = dict(zip((*METRICS, *FURTHER), (self.at.sums / len(self.reals)).tolist(), strict=True))
        found = {name: named[name] for name in (*METRICS, *self.design.further())}
        return found | ({"augment_p": self.adversaries.ada.p.item()} if self.adversaries.ada else {})

    def _spread(self, generated: Tensor) -> float:
        """The variety of the fixed noise's images beside that of real ones; of the label that has the least."""
        of_generated = _spreads(generated, self.fixed_labels)
        return min(found / real for found, real in zip(of_generated, self.spreads_of_reals, strict=True))

    def _distance(self, yardstick: Yardstick) -> float:
        """How far the generator's images are from the real ones; its weights are kept if none were as near before.

        A stop is possible after each pass of images: the epoch then ends anew.
        """
        distance = ranks.told(yardstick.distance(self._as_many, self._visit))
        if distance < self.best.distance:
            self.best = Best(self.at.epoch, distance, weights.state_of(self.adversaries.drawing))
        return distance

    def _as_many(self, start: int, count: int) -> Pixels:
        """Generated images in place of the real ones from `start` on, with their labels: uint8 `[count, H, W]`."""
        noise = devices.generator(self.options.seed, MEASURED, start)
        z = torch.randn(count, self.recipe.latent, generator=noise).to(self.reals.device)
        labels = None if self.labels is None else self.labels[start : start + count]
        return tensors.from_unit(self._drawn(z, labels))

    def _alarm(self, alarm: str) -> None:
        kept = self.checkpoints.last_good()
        saved = f"the last checkpoint from before is {kept}" if kept else "no checkpoint from before was kept"
        if self.options.on_collapse == "stop":
            raise TrainingError(
                f"the GAN collapsed by epoch {self.at.epoch}: {alarm}; {saved}",
                "--on-collapse warn goes on from there; a lower --lr or another --seed may not collapse",
            )
        console.warn(f"the GAN has collapsed by epoch {self.at.epoch}: {alarm}; {saved}")

    def _generated(self) -> Tensor:
        """The fixed noise's images `[N, 1, H, W]`, as sampling would make them; labels take turns."""
        return self._drawn(self.fixed, self.fixed_labels)

    def _drawn(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Images `[N, 1, H, W]` by the generator that counts, as sampling would make them."""
        g = self.adversaries.drawing.eval()
        with torch.inference_mode():
            images: Tensor = g(z, labels)
        g.train()
        return images

    def _visit(self) -> None:
        suspect = collapse.is_suspect(self.log.lines, self.recipe.loss)
        self.checkpoints.visit(self.seen, self._state, suspect=suspect)

    def _state(self) -> State:
        return {
            "at": vars(self.at),
            "best": vars(self.best),
            "adversaries": self.adversaries.state(),
            "log": self.log.lines,
        }

    def _take_up(self, state: State | None) -> None:
        self.log = Log(self.directory / "log.jsonl", state["log"] if state else ())
        if state:
            self.adversaries.load(state["adversaries"])
            self.at, self.best = Position(**state["at"]), Best(**state["best"])
        self.at.sums = self.at.sums.to(self.reals.device)


def _yardstick(options: TrainGan, reals: Feed) -> Yardstick:
    return Yardstick(options.fid_features, reals[: fid_monitor.MOST].cpu().numpy(), reals.device)


def _spreads(images: Tensor | Feed, labels: Tensor | None) -> list[float]:
    """How far apart images are, uint8 `[N, H, W]` or float `[N, 1, H, W]`: of each label, or of all."""
    if labels is None:
        looked_at = [images[: collapse.LOOKED_AT]]
    else:
        places = [torch.nonzero(labels == place)[: collapse.LOOKED_AT, 0] for place in range(len(CLASSES))]
        looked_at = [images[place] for place in places]
    return [collapse.spread(tensors.to_unit(part) if part.dtype == torch.uint8 else part) for part in looked_at]


def _stop_on_nan(metrics: dict[str, float], epoch: int) -> None:
    broken = [name for name, value in metrics.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"{' and '.join(broken)} became NaN or infinite in epoch {epoch}",
            "a lower --lr or another --seed usually helps; the log is in the .partial directory beside --out",
        )


def _line(epoch: int, count: int, metrics: dict[str, float], seconds: float) -> dict[str, Any]:
    """What the log says of an epoch."""
    return {
        "epoch": epoch,
        "images": epoch * count,
        **{name: round(value, 6) for name, value in metrics.items()},
        "seconds": round(seconds, 3),
        "images_per_second": round(count / max(seconds, 1e-9), 1),
    }
