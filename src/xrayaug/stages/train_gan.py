"""dataset -> gan run: train a generator and a discriminator against each other.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, Algorithm 1 with one discriminator step per generator
step; networks and losses come from `gans/`, Adam and its settings from Radford et al. 2016.
"""

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug import artifacts, console, device, gans, pictures, weights
from xrayaug.artifacts import Result
from xrayaug.console import Table
from xrayaug.dataset import Dataset, Row, open_dataset
from xrayaug.errors import DataError, TrainingError
from xrayaug.gans import Architecture, Shape
from xrayaug.options import TrainGan

PREVIEWS = 64  # pictures per preview grid
INITIAL, ORDER, NOISE, FIXED_NOISE = range(4)  # what a random stream is for
METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # d_real is D(x), d_fake D(G(z)), averaged over the epoch


def run(options: TrainGan) -> Result:
    """Train; leaves weights, log, previews and a grid of reals in the run directory."""
    return artifacts.produce(options, "gan-run", partial(_train, options))


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
    """Both networks with their optimisers."""

    arch: Architecture
    g: nn.Module
    d: nn.Module
    g_optimiser: torch.optim.Optimizer
    d_optimiser: torch.optim.Optimizer

    def step(self, real: Tensor, z: Tensor) -> Tensor:
        """One optimiser step of D, then one of G.

        Args:
            real: `[N, 1, H, W]` in [-1, 1].
            z: `[N, latent]`.

        Returns:
            `METRICS` of this step, float32 `[4]`, still on the device.
        """
        fake = self.g(z)

        self.d.requires_grad_(True)
        self.d_optimiser.zero_grad(set_to_none=True)
        d_real, d_fake = self.d(real), self.d(fake.detach())
        d_loss = self.arch.discriminator_loss(d_real, d_fake)
        torch.autograd.backward(d_loss)
        self.d_optimiser.step()

        self.d.requires_grad_(False)  # G's step needs no gradient for D's weights
        self.g_optimiser.zero_grad(set_to_none=True)
        g_loss = self.arch.generator_loss(self.d(fake))
        torch.autograd.backward(g_loss)
        self.g_optimiser.step()

        return torch.stack([d_loss.detach(), g_loss.detach(), d_real.detach().mean(), d_fake.detach().mean()])

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


def _train(options: TrainGan, directory: Path) -> Result:
    data, rows = _training_rows(options)
    arch, shape = _architecture(options, data)
    where = device.resolve(options.device)
    reals = torch.from_numpy(data.pixels(rows, shape.size)).to(where)  # resident: [N, H, W] uint8
    adversaries = _adversaries(options, arch, shape, where)
    fixed = torch.randn(PREVIEWS, shape.latent, generator=device.generator(options.seed, FIXED_NOISE)).to(where)
    console.say(f"training {options.arch} on {len(rows)} images of {shape.size} px on {device.describe(where)}")
    pictures.save_png(directory / "reals.png", pictures.grid(reals[:PREVIEWS].cpu().numpy()))

    last: dict[str, float] = {}
    with console.progress(options.epochs * len(rows), "train-gan") as advance:
        for epoch in range(1, options.epochs + 1):
            started = time.monotonic()
            last = _epoch(options, adversaries, reals, epoch, advance)
            _stop_on_nan(last | adversaries.largest_weights(), epoch)
            _log(directory, epoch, len(rows), last, time.monotonic() - started)
            if epoch == options.epochs or (options.preview_every and epoch % options.preview_every == 0):
                _preview(directory / "previews" / f"epoch-{epoch:04}.png", adversaries.g, fixed)

    weights.save(directory / "generator.safetensors", adversaries.g)
    weights.save(directory / "discriminator.safetensors", adversaries.d)
    return _summary(options, rows, shape, arch) | {"last_epoch": {name: round(last[name], 6) for name in METRICS}}


def _epoch(options: TrainGan, adversaries: Adversaries, reals: Tensor, epoch: int, advance: Any) -> dict[str, float]:
    """Pass once over the reals in a new order; the epoch's mean of each metric."""
    sums = torch.zeros(len(METRICS), device=reals.device)
    noise = device.generator(options.seed, NOISE, epoch)
    for batch in _batches(len(reals), options, epoch):
        z = torch.randn(len(batch), options.latent, generator=noise).to(reals.device)
        sums += len(batch) * adversaries.step(device.to_unit(reals[batch.to(reals.device)]), z)
        advance(len(batch), f"epoch {epoch}")
    return dict(zip(METRICS, (sums / len(reals)).tolist(), strict=True))


def _batches(count: int, options: TrainGan, epoch: int) -> Iterator[Tensor]:
    """The epoch's order in batches; the last may be smaller."""
    order = torch.randperm(count, generator=device.generator(options.seed, ORDER, epoch))
    for start in range(0, count, options.batch_size):
        yield order[start : start + options.batch_size]


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
    adam = partial(torch.optim.Adam, lr=options.lr, betas=(options.beta1, options.beta2))
    return Adversaries(arch, g, d, adam(g.parameters()), adam(d.parameters()))


def _stop_on_nan(metrics: dict[str, float], epoch: int) -> None:
    broken = [name for name, value in metrics.items() if not math.isfinite(value)]
    if broken:
        raise TrainingError(
            f"{' and '.join(broken)} became NaN or infinite in epoch {epoch}",
            "a lower --lr or another --seed usually helps; the log is in the .partial directory beside --out",
        )


def _log(directory: Path, epoch: int, count: int, metrics: dict[str, float], seconds: float) -> None:
    line = {"epoch": epoch, "images": epoch * count, **{name: round(value, 6) for name, value in metrics.items()}}
    line |= {"seconds": round(seconds, 3), "images_per_second": round(count / seconds, 1)}
    artifacts.append_json(directory / "log.jsonl", line)


def _preview(path: Path, g: nn.Module, z: Tensor) -> None:
    g.eval()
    with torch.inference_mode():
        pictures.save_png(path, pictures.grid(device.from_unit(g(z))))
    g.train()


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
