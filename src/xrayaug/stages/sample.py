"""gan run -> dataset: draw synthetic images, each from a random stream of its own."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from xrayaug import arrays, artifacts, console, dataset, device, gans, pictures, production, weights
from xrayaug.arrays import Pixels
from xrayaug.artifacts import Artifact, Result
from xrayaug.console import Table
from xrayaug.dataset import LABELS, UNLABELLED, Row
from xrayaug.errors import ArtifactError, UsageError
from xrayaug.gans import Architecture, Shape
from xrayaug.options import Sample

PASS = 64  # images per pass through the generator: fixed, since rounding may differ between batch sizes
CONTACT_SHEET = 100  # images on the contact sheet
MOST_PNGS = 200_000  # files that a manifest has room for
LONGEST_LATENT = 1 << 20  # a generator for it has a thousand times the usual weights


def run(options: Sample) -> Result:
    """Sample; leaves a dataset whose rows are all synthetic and in train."""
    if options.png and options.count > MOST_PNGS:
        raise UsageError(
            f"--png with --count {options.count} makes too many files", f"at most {MOST_PNGS}, or no --png"
        )
    where = device.resolve(options.device, deterministic=options.deterministic)
    return production.produce(options, "dataset", partial(_sample, options, where), computing=device.describe(where))


def plan(options: Sample) -> Result:
    """What would be drawn."""
    return _summary(options, artifacts.open_artifact(options.run, "gan-run"))


def tables(result: Result) -> list[Table]:
    """What was drawn."""
    return [Table("Synthetic images", ("", "value"), [(name, str(value)) for name, value in result.items()])]


def latents(seed: int, indices: range, length: int) -> Tensor:
    """Latent vectors `[N, length]`: that of image i depends on (seed, i) alone."""
    return torch.stack([torch.randn(length, generator=device.generator(seed, index)) for index in indices])


def _sample(options: Sample, where: torch.device, directory: Path) -> Result:
    run = artifacts.open_artifact(options.run, "gan-run")
    g = _generator(run).to(where).to(memory_format=torch.channels_last).eval()
    size, length = run.said(int, "result", "size"), run.said(int, "result", "latent")
    with (
        arrays.writing_images(directory, size, options.checkpoint_every) as writer,
        console.progress(options.count, "sample", done=writer.count) as advance,
        torch.inference_mode(),
    ):
        for start in range(writer.count, options.count, PASS):
            drawn = _draw(g, options.seed, start, length, where)[: options.count - start]
            writer.write(drawn)
            advance(len(drawn))
    images = np.load(directory / arrays.IMAGES, mmap_mode="r")
    if options.png:
        _write_pngs(directory / "png", images)
    pictures.save_png(directory / "contact-sheet.png", pictures.grid(images[:CONTACT_SHEET]))
    summary = _summary(options, run)
    dataset.write_index(directory, [_row(index, summary) for index in range(options.count)])
    return summary


def _draw(g: nn.Module, seed: int, start: int, length: int, where: torch.device) -> Pixels:
    """A whole pass of images from index `start` on, uint8 `[PASS, H, W]`."""
    z = latents(seed, range(start, start + PASS), length).to(where)
    return device.from_unit(g(z))


def _generator(run: Artifact) -> nn.Module:
    """The generator with its weights; built only once a sketch of it, which takes no memory, fits them."""
    arch = _architecture(run)
    shape = Shape(run.said(int, "result", "size"), run.said(int, "result", "latent", minimum=1, maximum=LONGEST_LATENT))
    file = run.file("generator.safetensors")
    state = weights.read(file)
    weights.check_finite(state, file)
    with torch.device("meta"):
        weights.check_fit(state, arch.generator(shape), file)
    network = arch.generator(shape)
    weights.put(state, network, file)
    return network


def _architecture(run: Artifact) -> Architecture:
    """What the run trained.

    Raises:
        ArtifactError: it names an architecture that is not there, or a size that it does not make.
    """
    arch = gans.load(run.said(str, "result", "arch", among=gans.names()))
    run.said(int, "result", "size", among=arch.SIZES)
    return arch


def _row(index: int, summary: Result) -> Row:
    return Row(
        image=arrays.IMAGES,
        row=index,
        split="train",
        label=summary["label"],
        patient="",
        study="",
        source=summary["arch"],
        synthetic=True,
    )


def _summary(options: Sample, run: Artifact) -> Result:
    _architecture(run)
    learnt = list(run.said(dict, "result", "training_images"))
    if not set(learnt) <= {*LABELS, UNLABELLED}:
        raise ArtifactError(f"{run.path} learnt images labelled {', '.join(learnt)}", f"make {run.path} again")
    return {
        "images": options.count,
        "size": run.said(int, "result", "size"),
        "arch": run.said(str, "result", "arch"),
        "label": learnt[0] if len(learnt) == 1 else UNLABELLED,
        "split_by": "patient",
    }


def _write_pngs(directory: Path, images: Pixels) -> None:
    with console.progress(len(images), "writing PNG files") as advance:
        for index, picture in enumerate(images):
            pictures.save_png(directory / f"{index:06}.png", picture)
            advance(1)
