"""Training a generator and a discriminator against each other.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, Algorithm 1 with one discriminator step per generator
step; networks come from `gans/`, losses and penalties from `adversarial.py`, as the architecture's recipe or the user
says.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug import (
    adversarial,
    augmentation,
    averaging,
    collapse,
    console,
    device,
    pictures,
    plots,
    production,
    stopping,
    training,
    weights,
)
from xrayaug.arrays import Pixels
from xrayaug.augmentation import Ada
from xrayaug.averaging import Average
from xrayaug.checkpoints import Checkpoints, State
from xrayaug.distances import Yardstick
from xrayaug.errors import TrainingError, UsageError
from xrayaug.files import Log
from xrayaug.gans import CLASSES, Architecture, Recipe, Shape
from xrayaug.options import TrainGan
from xrayaug.profiling import Profile
from xrayaug.stopping import Pace
from xrayaug.training import LOOK, Step

PREVIEWS = 64  # pictures per preview grid
INITIAL, ORDER, NOISE, FIXED_NOISE, WITHIN, CHANCE, MEASURED = range(7)  # what a random stream is for
METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # d_real is D(x), d_fake D(G(z)), averaged over the epoch
FURTHER = ("penalty", "class_loss")  # logged where there are any
VIEWS = 4  # of a step that are augmented: D's of real and of generated images, G's of generated and of real ones
WITH_SIGN = ("nonsaturating", "hinge")  # losses by which logits of real images come to be above 0
MIRRORED, BETWEEN, AUGMENTED = range(3)  # columns of a step's chances: the last is the first of many


@dataclass(frozen=True)
class Chances:
    """What a step leaves to chance: uniform numbers in [0, 1), `[N, columns]`."""

    drawn: Tensor

    @property
    def mirrored(self) -> Tensor:
        """Whether each image is, `[N, 1, 1, 1]`."""
        return self.drawn[:, MIRRORED, None, None, None] < 0.5

    @property
    def between(self) -> Tensor:
        """Where between a real and a generated image the gradient is looked at, `[N]`."""
        return self.drawn[:, BETWEEN]

    def view(self, number: int) -> Tensor:
        """How one of the step's views is augmented, `[N, DRAWS]`."""
        first = AUGMENTED + number * augmentation.DRAWS
        return self.drawn[:, first : first + augmentation.DRAWS]


@dataclass(frozen=True)
class Batch:
    """What a step is taken on; see `Adversaries.step`."""

    real: Tensor
    z: Tensor
    labels: Tensor | None = None
    chances: Chances | None = None


@dataclass
class Adversaries:
    """Both networks with their optimisers, how they are trained, and the context in which networks compute."""

    recipe: Recipe
    g: nn.Module
    d: nn.Module
    g_optimiser: torch.optim.Adam
    d_optimiser: torch.optim.Adam
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    average: Average | None = None
    ada: Ada | None = None

    @property
    def drawing(self) -> nn.Module:
        """The generator whose images count: the averaged one, where there is one."""
        return self.average.network if self.average else self.g

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All of them by the name that a user reads."""
        named = {"generator": self.g, "discriminator": self.d}
        return named | ({"averaged generator": self.average.network} if self.average else {})

    def step(
        self,
        real: Tensor,
        z: Tensor,
        labels: Tensor | None = None,
        chances: Chances | None = None,
        share: Tensor | None = None,
        *,
        penalised: bool = False,
    ) -> Tensor:
        """One optimiser step of D, then one of G.

        Args:
            real: `[N, 1, H, W]` in [-1, 1].
            z: `[N, latent]`.
            labels: of the real images, which the generated ones are to have too; int64 `[N]`.
            chances: where the step augments, or looks between images.
            share: of the averaged generator that becomes new.
            penalised: with the penalties of the recipe, `penalty_every` times as heavy.

        Returns:
            `METRICS` and `FURTHER` of this step, float32 `[6]`, still on the device.
        """
        batch = Batch(real, z, labels, chances)
        with self.autocast():
            fake = self.g(z, labels)
        of_d = self._teach_d(batch, fake.detach(), penalised=penalised)
        g_loss = self._teach_g(batch, fake, penalised=penalised)
        if self.average and share is not None:
            self.average.follow(share)
        found = {"g_loss": g_loss} | of_d
        return torch.stack([found[name].detach() for name in (*METRICS, *FURTHER)])

    def _teach_d(self, batch: Batch, fake: Tensor, *, penalised: bool) -> dict[str, Tensor]:
        """The discriminator's optimiser step, and what it found."""
        self.d.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        shown = self._shown(batch.real, batch, 0), self._shown(fake, batch, 1)
        with self.autocast():
            on_real, on_fake = self.d(shown[0], batch.labels), self.d(shown[1], batch.labels)
        d_real, d_fake = judgement(on_real), judgement(on_fake)
        loss = adversarial.discriminator_loss(self.recipe.loss, d_real, d_fake)
        of_classes = [class_loss(output, batch.labels) for output in (on_real, on_fake)]
        penalty = self._penalty(*shown, batch) if penalised else None
        torch.autograd.backward(_sum(loss, *of_classes, penalty))
        self.d_optimiser.step()
        if self.ada:
            self.ada.observe(d_real)
        none = loss.new_zeros(())
        return {
            "d_loss": loss,
            "d_real": d_real.mean(),
            "d_fake": d_fake.mean(),
            "penalty": _sum(none, penalty),
            "class_loss": _sum(none, *of_classes),
        }

    def _teach_g(self, batch: Batch, fake: Tensor, *, penalised: bool) -> Tensor:
        """The generator's optimiser step, and its loss."""
        self.d.requires_grad_(False)  # G's step needs no gradient for D's weights
        self.g_optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            on_fake = self.d(self._shown(fake, batch, 2), batch.labels)
            d_real = self._beside(batch)
        loss = adversarial.generator_loss(self.recipe.loss, d_real, judgement(on_fake))
        penalty = self._regulariser(batch) if penalised else None
        torch.autograd.backward(_sum(loss, class_loss(on_fake, batch.labels), penalty))
        self.g_optimiser.step()
        return loss

    def grow(self, progress: float) -> bool:
        """Have the networks be as they are after that share of the training; whether their layers have changed."""
        growing: list[Callable[[float], bool]] = [
            network.grow  # type: ignore[misc] # some architectures offer it
            for network in self.networks.values()
            if hasattr(network, "grow")
        ]
        changed = [grow(progress) for grow in growing]
        return any(changed)

    def state(self) -> State:
        """What the networks, the optimisers and what adapts are now."""
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "g_optimiser": self.g_optimiser.state_dict(),
            "d_optimiser": self.d_optimiser.state_dict(),
            "ada": self.ada.state() if self.ada else None,
        }

    def load(self, state: State) -> None:
        """Be what `state` was."""
        for name, network in self.networks.items():
            weights.put(state["networks"][name], network, "the checkpoint")
        training.put_optimiser(state["g_optimiser"], self.g_optimiser)
        training.put_optimiser(state["d_optimiser"], self.d_optimiser)
        if self.ada:
            self.ada.load(state["ada"])

    def largest_weights(self) -> dict[str, float]:
        """Each network's largest weight or statistic; NaN or infinite once a step has broken any."""
        found = {}
        for name, network in self.networks.items():
            tensors = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
            found[f"the {name}'s weights"] = torch.stack([tensor.abs().max() for tensor in tensors]).max().item()
        return found

    def _shown(self, images: Tensor, batch: Batch, view: int) -> Tensor:
        """The images `[N, 1, H, W]` as D sees them."""
        if self.recipe.d_augment == "none" or batch.chances is None:
            return images
        strength = self.ada.p if self.ada else augmentation.CAP
        return augmentation.augment(images, batch.chances.view(view), strength)

    def _beside(self, batch: Batch) -> Tensor | None:
        """What D says of the real images in G's step, where the loss compares with them."""
        if self.recipe.loss != "relativistic":
            return None
        with torch.no_grad():
            return judgement(self.d(self._shown(batch.real, batch, 3), batch.labels))

    def _penalty(self, real: Tensor, fake: Tensor, batch: Batch) -> Tensor | None:
        """What D's gradients at the images that it saw cost; None where the recipe has no such penalty."""

        def judge(images: Tensor) -> Tensor:
            return judgement(self.d(images, batch.labels))

        recipe, found = self.recipe, []
        if recipe.r1:
            found.append(recipe.r1 * adversarial.zero_centred(judge, real))
        if recipe.r2:
            found.append(recipe.r2 * adversarial.zero_centred(judge, fake))
        if recipe.gradient_penalty:
            assert batch.chances is not None
            found.append(recipe.gradient_penalty * adversarial.one_centred(judge, real, fake, batch.chances.between))
        return recipe.penalty_every * _sum(*found) if found else None

    def _regulariser(self, batch: Batch) -> Tensor | None:
        """G's own penalty; None where the recipe has none."""
        if not self.recipe.path_length:
            return None
        penalty: Tensor = self.g.penalty(batch.z, batch.labels)  # type: ignore[operator] # the architecture offers it
        return self.recipe.path_length * self.recipe.penalty_every * penalty


def judgement(output: Tensor) -> Tensor:
    """Of what a discriminator gives, what it says of being real: `[N]`."""
    return output if output.ndim == 1 else output[:, 0]


def class_loss(output: Tensor, labels: Tensor | None) -> Tensor | None:
    """Cross-entropy of an auxiliary classifier's columns, Odena et al. 2017, equation 3; None where there are none."""
    if output.ndim == 1 or labels is None:
        return None
    return F.cross_entropy(output[:, 1:], labels)


def _sum(*terms: Tensor | None) -> Tensor:
    """Of those that are there, at least one."""
    first, *others = [term for term in terms if term is not None]
    return sum(others, first)


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

    pixels: Pixels
    labels: Sequence[int] | None = None


@dataclass(frozen=True)
class Design:
    """What is trained and how, every default filled in."""

    arch: Architecture
    shape: Shape
    recipe: Recipe
    classifies: bool = False  # whether the discriminator has an auxiliary classifier

    @property
    def penalises(self) -> bool:
        """Whether some steps have penalties."""
        recipe = self.recipe
        return bool(recipe.r1 or recipe.r2 or recipe.gradient_penalty or recipe.path_length)

    def further(self) -> list[str]:
        """Which of `FURTHER` there are."""
        return [name for name, there in zip(FURTHER, (self.penalises, self.classifies), strict=True) if there]


class Training:
    """A run from its first step or from where it was stopped to its last."""

    def __init__(
        self, options: TrainGan, design: Design, material: Material, where: torch.device, directory: Path
    ) -> None:
        self.options = options
        self.design, self.recipe = design, design.recipe
        self.directory = directory
        self.profile = Profile(options.profile, where, overwrite=options.overwrite)
        reals = torch.from_numpy(material.pixels)
        self.reals = reals.to(where)  # resident: [N, H, W] uint8
        self.labels = torch.tensor(material.labels, device=where) if material.labels else None
        self.adversaries = adversaries(options, design, where)
        self.steps = {penalised: Step(partial(self._step, penalised), where) for penalised in (False, True)}
        fixed = torch.randn(PREVIEWS, self.recipe.latent, generator=device.generator(options.seed, FIXED_NOISE))
        self.fixed = fixed.to(where)
        classes = design.shape.classes
        self.fixed_labels = torch.arange(PREVIEWS, device=where) % classes if classes else None
        self.spreads_of_reals = [found or 1.0 for found in _spreads(self.reals, self.labels)]
        self.yardstick = Yardstick(options.fid_features, material.pixels, where) if options.fid_every else None
        self.checkpoints = Checkpoints(directory / production.RESUME / "checkpoints", options.checkpoint_every)
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
        pictures.save_png(self.directory / "reals.png", pictures.grid(self.reals[:PREVIEWS].cpu().numpy()))
        with (
            stopping.deferred(),
            self.profile,
            console.progress(self.total, "train-gan", done=self.seen) as advance,
        ):
            while self.at.epoch <= self.options.epochs:
                self._epoch(advance)
                self._end_epoch()
            self.checkpoints.visit(self.seen, self._state)
        plots.learning_curves(self.directory / "curves.png", self.log.lines, self.options.arch)
        return self.log.lines[-1]

    def _epoch(self, advance: Callable[..., None]) -> None:
        """Pass once over the reals, or over those left of them, in the epoch's order."""
        at, where = self.at, self.reals.device
        order = torch.randperm(len(self.reals), generator=device.generator(self.options.seed, ORDER, at.epoch))
        for batch in torch.split(order.to(where), self.recipe.batch_size)[at.batches :]:
            started = time.monotonic()
            at.sums += len(batch) * self._taken(batch)
            at.batches += 1
            if self.look.due(0):  # steps are asked for faster than a GPU takes them
                device.wait(where)
                self.look.restart(0)
            at.seconds += time.monotonic() - started
            self.profile.step(len(batch))
            advance(len(batch), f"epoch {at.epoch}")
            self._visit()

    def _taken(self, batch: Tensor) -> Tensor:
        """The metrics of a step on the real images numbered `batch`, which is taken."""
        at, seed = self.at, self.options.seed
        if self.adversaries.grow(self.seen / self.total):
            for step in self.steps.values():
                step.forget()
        z = torch.randn(len(batch), self.recipe.latent, generator=device.generator(seed, NOISE, at.epoch, at.batches))
        chances = torch.rand(len(batch), self._columns, generator=device.generator(seed, CHANCE, at.epoch, at.batches))
        torch.manual_seed(device.generator(seed, WITHIN, at.epoch, at.batches).initial_seed())
        return self.steps[self._is_penalised()](batch, z, chances, self._share(len(batch)))

    def _step(self, penalised: bool, batch: Tensor, z: Tensor, drawn: Tensor, share: Tensor) -> Tensor:
        real = device.to_unit(self.reals.index_select(0, batch))  # on a CPU many times as fast as self.reals[batch]
        chances = Chances(drawn)
        if self.options.mirror:
            real = torch.where(chances.mirrored, real.flip(3), real)
        labels = None if self.labels is None else self.labels.index_select(0, batch)
        return self.adversaries.step(real, z, labels, chances, share, penalised=penalised)

    @property
    def _columns(self) -> int:
        """Numbers that chance gives each image of a step: none where none are needed."""
        if self.recipe.d_augment != "none":
            return AUGMENTED + VIEWS * augmentation.DRAWS
        return AUGMENTED if self.options.mirror or self.recipe.gradient_penalty else 0

    def _is_penalised(self) -> bool:
        """Whether the next step is one with penalties."""
        steps_before = (self.at.epoch - 1) * -(-len(self.reals) // self.recipe.batch_size) + self.at.batches
        return self.design.penalises and steps_before % self.recipe.penalty_every == 0

    def _share(self, images: int) -> Tensor:
        """Of the averaged generator, what becomes new with the next step."""
        if not self.recipe.ema:
            return torch.ones(())
        return torch.tensor(averaging.share(self.recipe.ema, self.seen + images, images))

    def _end_epoch(self) -> None:
        """Measure, log, look for a breakdown, draw a preview.

        Raises:
            TrainingError: NaN, or a collapse that `--on-collapse stop` ends the run for.
        """
        at, options = self.at, self.options
        started = time.monotonic()
        device.wait(self.reals.device)
        at.seconds += time.monotonic() - started
        means = self._means()
        _stop_on_nan(means | self.adversaries.largest_weights(), at.epoch)
        generated = self._generated()
        means["spread"] = self._spread(generated)
        if self.yardstick and (at.epoch % options.fid_every == 0 or at.epoch == options.epochs):
            means["distance"] = self._distance(self.yardstick)
        self.log.append(_line(at.epoch, len(self.reals), means, at.seconds))
        if (options.preview_every and at.epoch % options.preview_every == 0) or at.epoch == options.epochs:
            preview = self.directory / "previews" / f"epoch-{at.epoch:04}.png"
            pictures.save_png(preview, pictures.grid(device.from_unit(generated)), durable=True)
        alarm = collapse.alarm(self.log.lines, len(self.reals), self.recipe.loss)
        if alarm:
            self._alarm(alarm)
        self.at = Position(at.epoch + 1, sums=torch.zeros_like(at.sums))

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
        distance = yardstick.distance(self._as_many, self._visit)
        if distance < self.best.distance:
            self.best = Best(self.at.epoch, distance, weights.state_of(self.adversaries.drawing))
        return distance

    def _as_many(self, start: int, count: int) -> Pixels:
        """Generated images in place of the real ones from `start` on, with their labels: uint8 `[count, H, W]`."""
        noise = device.generator(self.options.seed, MEASURED, start)
        z = torch.randn(count, self.recipe.latent, generator=noise).to(self.reals.device)
        labels = None if self.labels is None else self.labels[start : start + count]
        return device.from_unit(self._drawn(z, labels))

    def _alarm(self, alarm: str) -> None:
        kept = self.checkpoints.last_good()
        where = f"the last checkpoint from before is {kept}" if kept else "no checkpoint from before was kept"
        if self.options.on_collapse == "stop":
            raise TrainingError(
                f"the GAN collapsed by epoch {self.at.epoch}: {alarm}; {where}",
                "--on-collapse warn goes on from there; a lower --lr or another --seed may not collapse",
            )
        console.warn(f"the GAN has collapsed by epoch {self.at.epoch}: {alarm}; {where}")

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


def resolve_recipe(options: TrainGan, arch: Architecture, size: int) -> Recipe:
    """The architecture's own, and what the user gave instead.

    Raises:
        UsageError: a loss that the discriminator's output does not fit; penalties where it gives no logits; ADA where
            their sign means nothing.
    """
    given = {each.name: getattr(options, each.name) for each in fields(Recipe)}
    recipe = replace(arch.recipe(size), **{name: value for name, value in given.items() if value is not None})
    adversarial.check_fit(recipe.loss, arch.OUTPUT, options.arch)
    of_logits = {"--r1": recipe.r1, "--r2": recipe.r2, "--gradient-penalty": recipe.gradient_penalty}
    asked = [flag for flag, weight in of_logits.items() if weight]
    if asked and arch.OUTPUT != "logit":
        raise UsageError(f"{asked[0]} is for logits, and {options.arch} gives probabilities", "--arch dcgan-plus")
    if recipe.d_augment == "ada" and recipe.loss not in WITH_SIGN:
        raise UsageError(
            f"--d-augment ada goes by the sign of logits, of which --loss {recipe.loss} makes nothing",
            f"--d-augment diffaugment, or --loss {' or '.join(WITH_SIGN)}",
        )
    return recipe


def adversaries(options: TrainGan, design: Design, where: torch.device) -> Adversaries:
    """Both networks with the initial weights of the seed, their optimisers, and what goes beside them."""
    arch, shape, recipe = design.arch, design.shape, design.recipe
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(device.generator(options.seed, INITIAL).initial_seed())
        g, d = arch.generator(shape), arch.discriminator(shape)
    g, d = (network.to(where).to(memory_format=torch.channels_last) for network in (g, d))
    adam = partial(training.adam, where=where, lr=recipe.lr, betas=(recipe.beta1, recipe.beta2))
    return Adversaries(
        recipe,
        g,
        d,
        adam(g.parameters()),
        adam(d.parameters()),
        autocast=partial(device.autocast, where, options.precision),
        average=Average(g) if recipe.ema else None,
        ada=Ada(where) if recipe.d_augment == "ada" else None,
    )


def _spreads(images: Tensor, labels: Tensor | None) -> list[float]:
    """How far apart images are, uint8 `[N, H, W]` or float `[N, 1, H, W]`: of each label, or of all."""
    parts = [images] if labels is None else [images[labels == place] for place in range(len(CLASSES))]
    looked_at = [part[: collapse.LOOKED_AT] for part in parts]
    return [collapse.spread(device.to_unit(part) if part.dtype == torch.uint8 else part) for part in looked_at]


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
