"""dataset -> gan run: train a generator and a discriminator against each other."""

from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.images import loaders
from xrayaug.errors import DataError, UsageError
from xrayaug.networks import gans
from xrayaug.networks.gans import CLASSES, Architecture, Shape
from xrayaug.options import TrainGan
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.storage import builder, weights
from xrayaug.storage.artifacts import Result
from xrayaug.training import gan_model
from xrayaug.training.gan_model import METRICS, Design
from xrayaug.training.gan_training import Material, Training


def run(options: TrainGan) -> Result:
    """Train; leaves weights, log, previews and a grid of reals in the run directory."""
    device = devices.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    process_group.join(device)
    return builder.produce(options, "gan-run", partial(_train, options, device), computing=devices.describe(device))


def plan(options: TrainGan) -> Result:
    """The networks layer by layer, and how long the training is."""
    data, rows = _training_rows(options)
    chosen = design(options, data.size)
    _labels(options, chosen.shape, rows)
    shape, batch = chosen.shape, chosen.recipe.batch_size
    return _summary(options, rows, chosen) | {
        "networks": {
            "generator": layers(chosen.arch.generator, shape, (batch, shape.latent)),
            "discriminator": layers(chosen.arch.discriminator, shape, (batch, 1, shape.size, shape.size)),
        }
    }


def tables(result: Result) -> list[Table]:
    """The dry run's networks, and the run in a few lines."""
    networks = [_network_table(name, network) for name, network in result.get("networks", {}).items()]
    shown = {name: value for name, value in result.items() if name != "networks"}
    rows = [(name.replace("_", " "), _text(value)) for name, value in shown.items()]
    return [*networks, Table("GAN", ("", "value"), rows)]


def design(options: TrainGan, size: int) -> Design:
    """What is trained and how, on images of that size.

    Raises:
        DataError: the architecture makes no such images.
        UsageError: it cannot do what is asked of it.
    """
    arch = gans.load(options.arch)
    if size not in arch.SIZES:
        sizes = ", ".join(str(each) for each in arch.SIZES)
        raise DataError(
            f"{options.data} holds images of {size} px; {options.arch} makes {sizes} px",
            f"prepare them with --size {min(arch.SIZES, key=lambda each: abs(each - size))}",
        )
    recipe = gan_model.resolve_recipe(options, arch, size)
    shape = Shape(size, recipe.latent, len(CLASSES) if _is_conditional(options, arch) else 0, options.width)
    with torch.device("meta"):
        g, d = arch.generator(shape), arch.discriminator(shape)
        judged = d(torch.empty(2, 1, size, size), _no_labels(shape, 2))
    if recipe.path_length and not hasattr(g, "penalty"):
        raise UsageError(f"--path-length is not for {options.arch}: its generator has no penalty", "leave it out")
    return Design(arch, shape, recipe, classifies=judged.ndim == 2)


def layers(build: Any, shape: Shape, input_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Every layer of a network with its output shape and parameters, found without computing anything."""
    found: list[dict[str, Any]] = []
    counted: set[nn.Parameter] = set()  # a layer that is used twice has its parameters once

    def record(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        is_image = isinstance(given[0], Tensor) and given[0].is_floating_point() if given else False
        if is_image and not any(entry["layer"] == "Input" for entry in found):
            # as the first layer sees it: a latent vector is 1 x 1 pixel with `latent` channels
            found.insert(0, {"layer": "Input", "output": list(given[0].shape), "parameters": 0})
        own = set(module.parameters(recurse=False)) - counted
        counted.update(own)
        shown = list(output.shape) if isinstance(output, Tensor) else []
        parameters = sum(p.numel() for p in own)
        found.append({"layer": type(module).__name__, "output": shown, "parameters": parameters})

    with torch.device("meta"):
        network = build(shape)
        for module in network.modules():
            if not any(module.children()) or any(module.parameters(recurse=False)):
                module.register_forward_hook(record)
        network(torch.empty(input_shape), _no_labels(shape, input_shape[0]))
    return found


def _train(options: TrainGan, device: torch.device, directory: Path) -> Result:
    data, rows = _training_rows(options)
    chosen = design(options, data.size)
    labels = _labels(options, chosen.shape, rows)
    with devices.naming_limits(chosen.recipe.batch_size, deterministic=options.deterministic):
        material = Material(loaders.feed(data.stack(rows, data.size), device), labels)
        training = Training(options, chosen, material, device, directory)
        images = f"{len(rows)} images of {data.size} px"
        console.say(f"training {options.arch} on {images} on {devices.describe(device)}")
        last = training.run()
    if ranks.is_first():
        _save(training, directory)
    names = (*METRICS, *chosen.further(), "spread", *(["distance"] if options.fid_every else []))
    best = {"best": {"epoch": training.best.epoch, "distance": training.best.distance}} if training.best.epoch else {}
    return _summary(options, rows, chosen) | {"last_epoch": {name: last[name] for name in names}} | best


def _save(training: Training, directory: Path) -> None:
    """The weights: of the generator that is sampled, of the discriminator, and what the first is the average of.

    And of the generator at its best, where that was measured.
    """
    found = {"generator": training.adversaries.drawing, "discriminator": training.adversaries.d}
    if training.adversaries.average:
        found["generator-raw"] = training.adversaries.g
    for name, network in found.items():
        weights.save(directory / f"{name}.safetensors", weights.state_of(network))
    if training.best.epoch:
        weights.save(directory / "best-generator.safetensors", training.best.weights)


def _training_rows(options: TrainGan) -> tuple[Dataset, list[Row]]:
    data = open_dataset(options.data, options.local_cache)
    rows = data.select(split="train", label=options.only_label)
    if not rows:
        wanted = f"{options.only_label} images" if options.only_label else "images"
        raise DataError(f"{options.data} has no {wanted} in its train split", "see its index.csv")
    return data, rows


def _is_conditional(options: TrainGan, arch: Architecture) -> bool:
    """Whether the networks are told labels.

    Raises:
        UsageError: the architecture cannot be told any, or is nothing without.
    """
    if options.conditional is None:
        return arch.CONDITIONAL == "always"
    if options.conditional and arch.CONDITIONAL == "never":
        able = [name for name in gans.names() if gans.load(name).CONDITIONAL != "never"]
        raise UsageError(
            f"--conditional is not for {options.arch}, which is told no labels", f"--arch {' or '.join(able)}"
        )
    if not options.conditional and arch.CONDITIONAL == "always":
        raise UsageError(f"--no-conditional is not for {options.arch}, which is told labels", "another --arch")
    return options.conditional


def _labels(options: TrainGan, shape: Shape, rows: list[Row]) -> list[int] | None:
    """Each row's place in `CLASSES`, where the networks are told labels.

    Raises:
        DataError: some label is not among the rows, or some row has none.
    """
    if not shape.classes:
        return None
    missing = [label for label in CLASSES if not any(row.label == label for row in rows)]
    if missing:
        chosen = f" with --only-label {options.only_label}" if options.only_label else ""
        raise DataError(
            f"{options.arch} learns to tell labels apart: {options.data}{chosen} has no {missing[0]} training images",
            "give it both labels, or take an --arch that is told none",
        )
    unknown = next((row for row in rows if row.label not in CLASSES), None)
    if unknown:
        raise DataError(f"an image of {options.data} bears no label: row {unknown.row} of {unknown.image}")
    return [CLASSES.index(row.label) for row in rows]


def _no_labels(shape: Shape, count: int) -> Tensor | None:
    """Labels without numbers, for a network without numbers."""
    return torch.empty(count, dtype=torch.int64) if shape.classes else None


def _summary(options: TrainGan, rows: list[Row], chosen: Design) -> Result:
    arch, shape, recipe = chosen.arch, chosen.shape, chosen.recipe
    with torch.device("meta"):
        g, d = arch.generator(shape), arch.discriminator(shape)
    steps = -(-len(rows) // recipe.batch_size)
    return {
        "arch": options.arch,
        "paper": arch.PAPER,
        "size": shape.size,
        "latent": shape.latent,
        "classes": shape.classes,
        "width": shape.width,
        "recipe": asdict(recipe),
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
