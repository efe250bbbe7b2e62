"""dataset -> gan run: train a generator and a discriminator."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from xrayaug.data.dataset import Dataset, Row, open_dataset
from xrayaug.data.images import loaders
from xrayaug.errors import DataError, UsageError
from xrayaug.networks import gans
from xrayaug.networks.gans import Architecture, Shape
from xrayaug.options import TrainGan
from xrayaug.options.choices import LABELS
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.sampling.sampler import DISCRIMINATOR_FILE, NOT_AVERAGED, SNAPSHOTS, TrainedGan
from xrayaug.storage import artifacts, builder, weights
from xrayaug.storage.artifacts import Result
from xrayaug.training import gan_model, tensorboard
from xrayaug.training.gan_model import METRICS, GanConfig
from xrayaug.training.gan_training import GanTrainer, GanTrainingData


def run(options: TrainGan) -> Result:
    """Train a GAN, and write weights, log, previews and a grid of real images to the run directory."""
    tensorboard.check_installed(options)
    device = devices.resolve(options.device, deterministic=options.deterministic, precision=options.precision)
    process_group.join(device)
    result = builder.build_artifact(
        options, "gan-run", partial(_train, options, device), device_name=devices.describe(device)
    )
    tensorboard.complete_events(options)
    return result


def plan(options: TrainGan) -> Result:
    """Return the networks layer by layer and the length of the training, without training."""
    tensorboard.check_installed(options)
    data, rows = _training_rows(options)
    config = make_config(options, data.size)
    _class_indices(options, config.shape, rows)
    _initial_weights(options, config)
    shape, batch = config.shape, config.recipe.batch_size
    return _summary(options, rows, config) | {
        "networks": {
            "generator": summarize_layers(config.arch.generator, shape, (batch, shape.latent)),
            "discriminator": summarize_layers(config.arch.discriminator, shape, (batch, 1, shape.size, shape.size)),
        }
    }


def tables(result: Result) -> list[Table]:
    """Return a table of the run, preceded by one per network in a dry run."""
    networks = [_network_table(name, network) for name, network in result.get("networks", {}).items()]
    rows = [(name.replace("_", " "), _format_value(value)) for name, value in result.items() if name != "networks"]
    return [*networks, Table("GAN", ("", "value"), rows)]


def make_config(options: TrainGan, size: int) -> GanConfig:
    """Return the architecture, shape and recipe of a training on images of that size, in pixels.

    Raises:
        DataError: the architecture does not generate images of that size.
        UsageError: an option does not fit the architecture.
    """
    arch = gans.load(options.arch)
    if size not in arch.SIZES:
        sizes = ", ".join(map(str, arch.SIZES))
        raise DataError(
            f"{options.data} holds images of {size} px; {options.arch} makes {sizes} px",
            f"prepare them with --size {min(arch.SIZES, key=lambda possible: abs(possible - size))}",
        )
    recipe = gan_model.resolve_recipe(options, arch, size)
    shape = Shape(size, recipe.latent, len(LABELS) if _is_conditional(options, arch) else 0, options.width)
    with torch.device("meta"):
        g, d = arch.generator(shape), arch.discriminator(shape)
        scores = d(torch.empty(2, 1, size, size), _no_labels(shape, 2))
    if recipe.path_length and not hasattr(g, "penalty"):
        raise UsageError(
            f"--path-length is not for {options.arch}: its generator has no path length penalty", "leave it out"
        )
    return GanConfig(arch, shape, recipe, has_auxiliary_classifier=scores.ndim == 2)


def summarize_layers(build: Any, shape: Shape, input_shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return every layer of a network with its output shape and number of parameters, computed on the meta device."""
    entries: list[dict[str, Any]] = []
    counted: set[nn.Parameter] = set()  # a layer that is used twice counts once

    def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        is_image = isinstance(inputs[0], Tensor) and inputs[0].is_floating_point() if inputs else False
        if is_image and not any(entry["layer"] == "Input" for entry in entries):
            # as the first layer sees it: a latent vector is 1 x 1 pixel with `latent` channels
            entries.insert(0, {"layer": "Input", "output": list(inputs[0].shape), "parameters": 0})
        own = set(_own_parameters(module)) - counted
        counted.update(own)
        shape = list(output.shape) if isinstance(output, Tensor) else []
        parameters = sum(p.numel() for p in own)
        layer = type(module).__name__.removeprefix("Parametrized")  # a layer with spectral normalisation
        entries.append({"layer": layer, "output": shape, "parameters": parameters})

    with torch.device("meta"):
        network = build(shape)
        for name, module in network.named_modules():
            is_layer = not list(module.children()) or list(_own_parameters(module))
            if is_layer and "parametrizations" not in name and not isinstance(module, nn.Identity | nn.Sequential):
                module.register_forward_hook(record)
        network(torch.empty(input_shape), _no_labels(shape, input_shape[0]))
    return entries


def _own_parameters(module: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the parameters of a module without those of its layers, but with those that its weights are made of."""
    yield from module.parameters(recurse=False)
    if is_parametrized(module):
        yield from module.parametrizations.parameters()  # type: ignore[union-attr] # is_parametrized checked it


def _train(options: TrainGan, device: torch.device, directory: Path) -> Result:
    data, rows = _training_rows(options)
    config = make_config(options, data.size)
    labels = _class_indices(options, config.shape, rows)
    with devices.translate_device_errors(config.recipe.batch_size, deterministic=options.deterministic):
        training_data = GanTrainingData(loaders.make_loader(data.stack(rows, data.size), device), labels)
        initial = _initial_weights(options, config)
        training = GanTrainer(options, config, training_data, device, directory, initial_weights=initial)
        images = f"{len(rows)} images of {data.size} px"
        console.info(f"training {options.arch} on {images} on {devices.describe(device)}")
        last = training.run()
    if ranks.is_first():
        _save(training, directory)
    names = (*METRICS, *config.extra_metrics(), "spread", *(["distance"] if options.fid_every else []))
    best = {"best": {"epoch": training.best.epoch, "distance": training.best.distance}} if training.best.epoch else {}
    return _summary(options, rows, config) | {"last_epoch": {name: last[name] for name in names}} | best


def _save(training: GanTrainer, directory: Path) -> None:
    """Save the weights of the generator that is sampled and of the discriminator.

    If they exist, save also those of the generator that was averaged, and of the generator of the smallest distance.
    """
    networks = {SNAPSHOTS["last"]: training.model.sampling_generator, DISCRIMINATOR_FILE: training.model.d}
    if training.model.ema:
        networks[NOT_AVERAGED] = training.model.g
    for name, network in networks.items():
        weights.save(directory / name, weights.cpu_state_dict(network))
    if training.best.epoch:
        weights.save(directory / SNAPSHOTS["best"], training.best.weights)


def _initial_weights(options: TrainGan, config: GanConfig) -> dict[str, dict[str, Tensor]] | None:
    """Return the weights of `--init` by network; None without the option.

    Raises:
        ArtifactError: the run has another architecture or shape.
    """
    if options.init is None:
        return None
    gan = TrainedGan(artifacts.open_artifact(options.init, "gan-run"))
    if gan.arch is not config.arch:
        raise UsageError(
            f"--init {options.init} is a run of {gan.run.result['arch']}, not of {options.arch}",
            f"--arch {gan.run.result['arch']}",
        )
    if gan.shape.size < config.shape.size:
        console.info(
            f"--init {options.init} has images of {gan.shape.size} px: the generator keeps its layers up to that size, "
            "and its other layers and the discriminator are new"
        )
    return gan.initial_weights(config.shape, devices.seeded_generator(options.seed, gan_model.INITIAL).initial_seed())


def _training_rows(options: TrainGan) -> tuple[Dataset, list[Row]]:
    data = open_dataset(options.data, options.local_cache)
    rows = data.select(split="train", label=options.only_label)
    if not rows:
        wanted = f"{options.only_label} images" if options.only_label else "images"
        raise DataError(f"{options.data} has no {wanted} in its train split", "see its index.csv")
    return data, rows


def _is_conditional(options: TrainGan, arch: Architecture) -> bool:
    """Return whether the networks are conditioned on labels.

    Raises:
        UsageError: the architecture cannot be conditioned, or cannot do without.
    """
    if options.conditional is None:
        return arch.CONDITIONAL == "always"
    if options.conditional and arch.CONDITIONAL == "never":
        able = [name for name in gans.names() if gans.load(name).CONDITIONAL != "never"]
        raise UsageError(
            f"--conditional is not for {options.arch}, which takes no labels", f"--arch {' or '.join(able)}"
        )
    if not options.conditional and arch.CONDITIONAL == "always":
        raise UsageError(f"--no-conditional is not for {options.arch}, which needs labels", "another --arch")
    return options.conditional


def _class_indices(options: TrainGan, shape: Shape, rows: list[Row]) -> list[int] | None:
    """Return each row's index in `LABELS`; None if the networks are not conditional.

    Raises:
        DataError: no row has one of the labels, or a row has no label.
    """
    if not shape.classes:
        return None
    missing = [label for label in LABELS if not any(row.label == label for row in rows)]
    if missing:
        selection = f" with --only-label {options.only_label}" if options.only_label else ""
        raise DataError(
            f"{options.arch} needs both labels: {options.data}{selection} has no {missing[0]} training images",
            "give it images of both labels, or choose an --arch that takes no labels",
        )
    unknown = next((row for row in rows if row.label not in LABELS), None)
    if unknown:
        raise DataError(f"an image of {options.data} has no label: row {unknown.row} of {unknown.image}")
    return [LABELS.index(row.label) for row in rows]


def _no_labels(shape: Shape, count: int) -> Tensor | None:
    """Return labels for a network on the meta device; None if it is not conditional."""
    return torch.empty(count, dtype=torch.int64) if shape.classes else None


def _summary(options: TrainGan, rows: list[Row], config: GanConfig) -> Result:
    arch, shape, recipe = config.arch, config.shape, config.recipe
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
        **({"init": str(options.init)} if options.init else {}),
        "recipe": asdict(recipe),
        "generator_parameters": sum(p.numel() for p in g.parameters()),
        "discriminator_parameters": sum(p.numel() for p in d.parameters()),
        "training_images": dict(sorted(Counter(row.label for row in rows).items())),
        "epochs": options.epochs,
        "steps": steps * options.epochs,
        "images_seen": len(rows) * options.epochs,
    }


def _network_table(name: str, layers: list[dict[str, Any]]) -> Table:
    rows = [
        (
            layer["layer"],
            str(layer["output"]),
            f"{layer['parameters']:,}" if layer["parameters"] else console.UNDEFINED,
        )
        for layer in layers
    ]
    total = sum(layer["parameters"] for layer in layers)
    return Table(name.capitalize(), ("Layer", "Output shape", "Parameters"), [*rows, ("Total", "", f"{total:,}")])


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_format_value(inner)}" for name, inner in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
