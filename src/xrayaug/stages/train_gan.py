"""dataset -> gan run: train a generator and a discriminator against each other.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, Algorithm 1 with one discriminator step per generator
step; networks and losses come from `gans/`, Adam and its settings from Radford et al. 2016.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug import collapse, console, device, gans, pictures, production, stopping, training, weights
from xrayaug.artifacts import Result
from xrayaug.checkpoints import Checkpoints, State
from xrayaug.console import Table
from xrayaug.dataset import Dataset, Row, open_dataset
from xrayaug.errors import DataError, TrainingError
from xrayaug.files import Log
from xrayaug.gans import Architecture, Shape
from xrayaug.options import TrainGan
from xrayaug.profiling import Profile
from xrayaug.stopping import Pace
from xrayaug.training import LOOK, Step

PREVIEWS = 64  # pictures per preview grid
INITIAL, ORDER, NOISE, FIXED_NOISE = range(4)  # what a random stream is for
METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # d_real is D(x), d_fake D(G(z)), averaged over the epoch


def run(options: TrainGan) -> Result:
    """Train; leaves weights, log, previews and a grid of reals in the run directory."""
    where = device.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    return production.produce(options, "gan-run", partial(_train, options, where), computing=device.describe(where))


def plan(options: TrainGan) -> Result:
    """The networks layer by layer, and how long the training is."""
    data, rows = _training_rows(options)
    arch, shape = _architecture(options, data)
    return _summary(options, rows, shape, arch) | {
        "networks": {
            "generator": layers(arch.generator, shape, (options.batch_size, shape.latent)),
            "discriminator": layers(arch.discriminator, shape, (options.batch_size, 1, shape.size, shape.size)),
        }
    }


def tables(result: Result) -> list[Table]:
    """The dry run's networks, and the run in a few lines."""
    networks = [_network_table(name, network) for name, network in result.get("networks", {}).items()]
    shown = {name: value for name, value in result.items() if name != "networks"}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    return [*networks, Table("GAN", ("", "value"), rows)]


@dataclass
class Adversaries:
    """Both networks with their optimisers, and the context in which networks compute."""

    arch: Architecture
    g: nn.Module
    d: nn.Module
    g_optimiser: torch.optim.Adam
    d_optimiser: torch.optim.Adam
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext

    def step(self, real: Tensor, z: Tensor) -> Tensor:
        """One optimiser step of D, then one of G.

        Args:
            real: `[N, 1, H, W]` in [-1, 1].
            z: `[N, latent]`.

        Returns:
            `METRICS` of this step, float32 `[4]`, still on the device.
        """
        with self.autocast():
            fake = self.g(z)

        self.d.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            d_real, d_fake = self.d(real), self.d(fake.detach())
        d_loss = self.arch.discriminator_loss(d_real, d_fake)
        torch.autograd.backward(d_loss)
        self.d_optimiser.step()

        self.d.requires_grad_(False)  # G's step needs no gradient for D's weights
        self.g_optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            d_generated = self.d(fake)
        g_loss = self.arch.generator_loss(d_generated)
        torch.autograd.backward(g_loss)
        self.g_optimiser.step()

        return torch.stack([d_loss.detach(), g_loss.detach(), d_real.detach().mean(), d_fake.detach().mean()])

    def state(self) -> State:
        """What both networks and optimisers are now."""
        return {
            "g": self.g.state_dict(),
            "d": self.d.state_dict(),
            "g_optimiser": self.g_optimiser.state_dict(),
            "d_optimiser": self.d_optimiser.state_dict(),
        }

    def load(self, state: State) -> None:
        """Be what `state` was."""
        weights.put(state["g"], self.g, "the checkpoint")
        weights.put(state["d"], self.d, "the checkpoint")
        training.put_optimiser(state["g_optimiser"], self.g_optimiser)
        training.put_optimiser(state["d_optimiser"], self.d_optimiser)

    def largest_weights(self) -> dict[str, float]:
        """Each network's largest weight or statistic; NaN or infinite once a step has broken any."""
        found = {}
        for name, network in (("generator", self.g), ("discriminator", self.d)):
            tensors = [tensor for tensor in network.state_dict().values() if tensor.is_floating_point()]
            found[f"the {name}'s weights"] = torch.stack([tensor.abs().max() for tensor in tensors]).max().item()
        return found


def layers(build: Any, shape: Shape, input_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Every layer of a network with its output shape and parameters, found without computing anything."""
    found: list[dict[str, Any]] = []

    def record(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if not found:  # as the first layer sees it: a latent vector is 1 x 1 pixel with `latent` channels
            found.append({"layer": "Input", "output": list(given[0].shape), "parameters": 0})
        parameters = sum(p.numel() for p in module.parameters(recurse=False))
        found.append({"layer": type(module).__name__, "output": list(output.shape), "parameters": parameters})

    with torch.device("meta"):
        network = build(shape)
        for module in network.modules():
            if not any(module.children()):
                module.register_forward_hook(record)
        network(torch.empty(input_shape))
    return found


@dataclass
class Position:
    """How far the run has come: so many batches into an epoch, and what they add up to."""

    epoch: int = 1
    batches: int = 0
    sums: Tensor = field(default_factory=lambda: torch.zeros(len(METRICS)))
    seconds: float = 0.0  # spent on this epoch


class Training:
    """A run from its first step or from where it was stopped to its last."""

    def __init__(self, options: TrainGan, where: torch.device, directory: Path) -> None:
        self.options = options
        self.directory = directory
        self.profile = Profile(options.profile, where, overwrite=options.overwrite)
        self.data, self.rows = _training_rows(options)
        self.arch, self.shape = _architecture(options, self.data)
        reals = torch.from_numpy(self.data.pixels(self.rows, self.shape.size))
        self.reals = reals.to(where)  # resident: [N, H, W] uint8
        self.adversaries = _adversaries(options, self.arch, self.shape, where)
        self.step = Step(self._step, where)
        fixed = torch.randn(PREVIEWS, self.shape.latent, generator=device.generator(options.seed, FIXED_NOISE))
        self.fixed = fixed.to(where)
        self.spread_of_reals = collapse.spread(device.to_unit(reals[: collapse.LOOKED_AT])) or 1.0
        self.checkpoints = Checkpoints(directory / production.RESUME / "checkpoints", options.checkpoint_every)
        self.look = Pace(LOOK)
        self.at = Position(sums=torch.zeros(len(METRICS), device=where))
        self._take_up(self.checkpoints.restore())

    def _step(self, batch: Tensor, z: Tensor) -> Tensor:
        """A step on the real images numbered `batch`."""
        real = self.reals.index_select(0, batch)  # on a CPU many times as fast as self.reals[batch]
        return self.adversaries.step(device.to_unit(real), z)

    def run(self) -> Result:
        """Train to the end; the last epoch's line of the log."""
        pictures.save_png(self.directory / "reals.png", pictures.grid(self.reals[:PREVIEWS].cpu().numpy()))
        total = self.options.epochs * len(self.rows)
        with (
            stopping.deferred(),
            self.profile,
            console.progress(total, "train-gan", done=self._seen()) as advance,
        ):
            while self.at.epoch <= self.options.epochs:
                self._epoch(advance)
                self._end_epoch()
            self.checkpoints.visit(self._seen(), self._state)
        return self.log.lines[-1]

    def _epoch(self, advance: Callable[..., None]) -> None:
        """Pass once over the reals, or over those left of them, in the epoch's order."""
        at, where = self.at, self.reals.device
        order = torch.randperm(len(self.reals), generator=device.generator(self.options.seed, ORDER, at.epoch))
        for batch in torch.split(order.to(where), self.options.batch_size)[at.batches :]:
            started = time.monotonic()
            noise = device.generator(self.options.seed, NOISE, at.epoch, at.batches)
            z = torch.randn(len(batch), self.options.latent, generator=noise)
            at.sums += len(batch) * self.step(batch, z)
            at.batches += 1
            if self.look.due(0):  # steps are asked for faster than a GPU takes them
                device.wait(where)
                self.look.restart(0)
            at.seconds += time.monotonic() - started
            self.profile.step(len(batch))
            advance(len(batch), f"epoch {at.epoch}")
            self.checkpoints.visit(self._seen(), self._state, suspect=collapse.is_suspect(self.log.lines))

    def _end_epoch(self) -> None:
        """Log, look for a breakdown, draw a preview.

        Raises:
            TrainingError: NaN, or a collapse that `--on-collapse stop` ends the run for.
        """
        at, options = self.at, self.options
        started = time.monotonic()
        device.wait(self.reals.device)
        at.seconds += time.monotonic() - started
        means = dict(zip(METRICS, (at.sums / len(self.reals)).tolist(), strict=True))
        _stop_on_nan(means | self.adversaries.largest_weights(), at.epoch)
        generated = self._generated()
        spread = collapse.spread(generated[: collapse.LOOKED_AT]) / self.spread_of_reals
        self.log.append(_line(at.epoch, len(self.rows), means | {"spread": spread}, at.seconds))
        if (options.preview_every and at.epoch % options.preview_every == 0) or at.epoch == options.epochs:
            preview = self.directory / "previews" / f"epoch-{at.epoch:04}.png"
            pictures.save_png(preview, pictures.grid(device.from_unit(generated)), durable=True)
        alarm = collapse.alarm(self.log.lines, len(self.rows))
        if alarm:
            self._alarm(alarm)
        self.at = Position(at.epoch + 1, sums=torch.zeros_like(at.sums))

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
        """The fixed noise's images `[N, 1, H, W]`, as sampling would make them."""
        self.adversaries.g.eval()
        with torch.inference_mode():
            images: Tensor = self.adversaries.g(self.fixed)
        self.adversaries.g.train()
        return images

    def _seen(self) -> int:
        return (self.at.epoch - 1) * len(self.rows) + min(self.at.batches * self.options.batch_size, len(self.rows))

    def _state(self) -> State:
        return {**vars(self.at), "adversaries": self.adversaries.state(), "log": self.log.lines}

    def _take_up(self, state: State | None) -> None:
        state = state or {"log": []}
        self.log = Log(self.directory / "log.jsonl", state.pop("log"))
        if state:
            self.adversaries.load(state.pop("adversaries"))
            self.at = Position(**state)
            self.at.sums = self.at.sums.to(self.reals.device)


def _train(options: TrainGan, where: torch.device, directory: Path) -> Result:
    with device.naming_limits(options.batch_size, deterministic=options.deterministic):
        training = Training(options, where, directory)
        images = f"{len(training.rows)} images of {training.shape.size} px"
        console.say(f"training {options.arch} on {images} on {device.describe(where)}")
        last = training.run()
    weights.save(directory / "generator.safetensors", weights.state_of(training.adversaries.g))
    weights.save(directory / "discriminator.safetensors", weights.state_of(training.adversaries.d))
    summary = _summary(options, training.rows, training.shape, training.arch)
    return summary | {"last_epoch": {name: last[name] for name in (*METRICS, "spread")}}


def _training_rows(options: TrainGan) -> tuple[Dataset, list[Row]]:
    data = open_dataset(options.data)
    rows = data.select(split="train", label=options.only_label)
    if not rows:
        wanted = f"{options.only_label} images" if options.only_label else "images"
        raise DataError(f"{options.data} has no {wanted} in its train split", "see its index.csv")
    return data, rows


def _architecture(options: TrainGan, data: Dataset) -> tuple[Architecture, Shape]:
    arch = gans.load(options.arch)
    if data.size not in arch.SIZES:
        sizes = ", ".join(str(size) for size in arch.SIZES)
        raise DataError(
            f"{options.data} holds images of {data.size} px; {options.arch} makes {sizes} px",
            f"prepare them with --size {min(arch.SIZES, key=lambda size: abs(size - data.size))}",
        )
    return arch, Shape(data.size, options.latent)


def _adversaries(options: TrainGan, arch: Architecture, shape: Shape, where: torch.device) -> Adversaries:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(device.generator(options.seed, INITIAL).initial_seed())
        g, d = arch.generator(shape), arch.discriminator(shape)
    g, d = (network.to(where).to(memory_format=torch.channels_last) for network in (g, d))
    adam = partial(training.adam, where=where, lr=options.lr, betas=(options.beta1, options.beta2))
    autocast = partial(device.autocast, where, options.precision)
    return Adversaries(arch, g, d, adam(g.parameters()), adam(d.parameters()), autocast)


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


def _summary(options: TrainGan, rows: list[Row], shape: Shape, arch: Architecture) -> Result:
    with torch.device("meta"):
        g, d = arch.generator(shape), arch.discriminator(shape)
    steps = -(-len(rows) // options.batch_size)
    return {
        "arch": options.arch,
        "paper": arch.PAPER,
        "size": shape.size,
        "latent": shape.latent,
        "generator_parameters": sum(p.numel() for p in g.parameters()),
        "discriminator_parameters": sum(p.numel() for p in d.parameters()),
        "training_images": dict(sorted(Counter(row.label for row in rows).items())),
        "epochs": options.epochs,
        "steps": steps * options.epochs,
        "images_seen": len(rows) * options.epochs,
    }


def _network_table(name: str, found: list[dict[str, Any]]) -> Table:
    rows = [(entry["layer"], str(entry["output"]), f"{entry['parameters']:,}" if entry["parameters"] else "--")
            for entry in found]  # fmt: skip
    total = sum(entry["parameters"] for entry in found)
    return Table(name.capitalize(), ("Layer", "Output shape", "Parameters"), [*rows, ("Total", "", f"{total:,}")])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
