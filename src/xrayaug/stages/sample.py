"""gan run -> dataset: draw synthetic images, each from a random stream of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from xrayaug import (
    arrays,
    artifacts,
    console,
    dataset,
    device,
    gans,
    imagesets,
    pictures,
    production,
    rejection,
    turns,
    weights,
)
from xrayaug.arrays import Pixels
from xrayaug.artifacts import Artifact, Result
from xrayaug.checkpoints import Checkpoints
from xrayaug.console import Table
from xrayaug.dataset import LABELS, UNLABELLED, Dataset, Row, copied
from xrayaug.errors import ArtifactError, UsageError
from xrayaug.gans import CLASSES, Architecture, Shape
from xrayaug.imagesets import Pictures
from xrayaug.options import Sample
from xrayaug.rejection import Verdict
from xrayaug.turns import Array, Stream, Work

if TYPE_CHECKING:
    from xrayaug.features import Features

PASS = 64  # images per pass through the generator: fixed, since rounding may differ between batch sizes
CONTACT_SHEET = 100  # images on the contact sheet
SHOWN_EVERY = 9  # of a pass of images on the way from one to another: 8 of 64, both ends among them
MOST_PNGS = 200_000  # files that a manifest has room for
LONGEST_LATENT = 1 << 20  # a generator for it has a thousand times the usual weights
WIDEST = 16  # as `train-gan --width` allows
SNAPSHOTS = {"last": "generator.safetensors", "best": "best-generator.safetensors"}
BALANCED = "balanced"
DISCRIMINATOR = "discriminator"  # what --reject-by may be beside features
DISCRIMINATOR_FILE = "discriminator.safetensors"

DRAWN, SCORED, LEARNT = "drawn", "scored", "learnt"  # work that several processes share

Scored = Callable[[range], Iterator[list[float]]]  # of the passes that begin at some numbers


@dataclass(frozen=True)
class Source:
    """What a run can draw, by what its manifest says."""

    run: Artifact

    @cached_property
    def arch(self) -> Architecture:
        """What the run trained.

        Raises:
            ArtifactError: it names an architecture that is not there, or a size that it does not make.
        """
        arch = gans.load(self.run.said(str, "result", "arch", among=gans.names()))
        self.run.said(int, "result", "size", among=arch.SIZES)
        return arch

    @cached_property
    def shape(self) -> Shape:
        """What its networks fit; the first runs did not say of labels and width, having neither."""
        said, result = self.run.said, self.run.result
        arch = self.arch
        classes = said(int, "result", "classes", among=(0, len(CLASSES))) if "classes" in result else 0
        if bool(classes) not in {"never": (False,), "always": (True,), "optional": (False, True)}[arch.CONDITIONAL]:
            raise ArtifactError(f"{self.run.path} says what {result['arch']} cannot be", f"make {self.run.path} again")
        return Shape(
            size=said(int, "result", "size"),
            latent=said(int, "result", "latent", minimum=1, maximum=LONGEST_LATENT),
            classes=classes,
            width=said(float, "result", "width", minimum=1e-3, maximum=WIDEST) if "width" in result else 1.0,
        )

    def generator(self, snapshot: str = "last") -> nn.Module:
        """The generator with its weights; built only once a sketch of it, which takes no memory, fits them."""
        file = self.run.file(SNAPSHOTS[snapshot])
        state = weights.read(file)
        weights.check_finite(state, file)
        weights.check_fit(state, self.sketch, file)
        network = self.arch.generator(self.shape)
        weights.put(state, network, file)
        return network

    @cached_property
    def sketch(self) -> nn.Module:
        """The generator without numbers."""
        with torch.device("meta"):
            return self.arch.generator(self.shape)


@dataclass(frozen=True)
class Drawing:
    """How images are drawn; every image by its number alone."""

    g: nn.Module
    shape: Shape
    seed: int
    where: torch.device
    label: str = BALANCED
    psi: float | None = None

    def images(self, z: Tensor, labels: Sequence[int] | None) -> Pixels:
        """A pass of images, uint8 `[PASS, H, W]`, for latent vectors `[PASS, latent]` and as many labels."""
        told = torch.tensor(labels, device=self.where) if labels is not None else None
        given = z.to(self.where)
        if self.psi is None:
            return device.from_unit(self.g(given, told))
        return device.from_unit(self.g.truncated(given, told, self.psi))  # type: ignore[operator] # as was checked

    def labels(self, indices: Sequence[int]) -> list[int] | None:
        """The places in `CLASSES` of those images; None where the network is told none."""
        if not self.shape.classes:
            return None
        return [CLASSES.index(label_of(index, self.label)) for index in indices]

    def draw(self, start: int) -> Pixels:
        """A whole pass of images from index `start` on, uint8 `[PASS, H, W]`."""
        indices = range(start, start + PASS)
        with torch.inference_mode():
            return self.images(latents(self.seed, indices, self.shape.latent), self.labels(indices))

    def some(self, passes: Sequence[tuple[int, list[int]]]) -> Stream:
        """Of each pass, by where it begins, the images at some places within it."""
        for start, within in passes:
            yield self.draw(start)[within]

    def way(self, ends: tuple[int, int]) -> Pixels:
        """The way from one image to another, a row for each label that is drawn: uint8 `[8 or 16, H, W]`."""
        z = between(*(latents(self.seed, range(end, end + 1), self.shape.latent)[0] for end in ends))
        drawn = CLASSES if self.label == BALANCED else (self.label,)
        told = [[CLASSES.index(label)] * PASS for label in drawn] if self.shape.classes else [None]
        return np.concatenate([self.images(z, each)[::SHOWN_EVERY] for each in told])


def run(options: Sample) -> Result:
    """Sample; leaves a dataset whose rows are all synthetic and in train."""
    if options.png and options.count > MOST_PNGS:
        raise UsageError(
            f"--png with --count {options.count} makes too many files", f"at most {MOST_PNGS}, or no --png"
        )
    if options.reject and options.reject_by != DISCRIMINATOR:
        _check_features(options.reject_by)
    where = device.resolve(options.device, deterministic=options.deterministic)
    sample, computing = partial(_sample, options, where), device.describe_one(where)
    lead = partial(production.produce, options, "dataset", sample, computing=computing)
    return turns.shared(lead, partial(_works, options, where), where)


def plan(options: Sample) -> Result:
    """What would be drawn."""
    more = rejection.candidates(options.count, options.reject)
    planned = _summary(options, Source(artifacts.open_artifact(options.run, "gan-run")))
    return planned | ({"candidates": more, "rejected_by": options.reject_by} if options.reject else {})


def tables(result: Result) -> list[Table]:
    """What was drawn."""
    shown = {name: value for name, value in result.items() if name != "rejection"} | result.get("rejection", {})
    return [Table("Synthetic images", ("", "value"), [(name, str(value)) for name, value in shown.items()])]


def latents(seed: int, indices: range, length: int) -> Tensor:
    """Latent vectors `[N, length]`: that of image i depends on (seed, i) alone."""
    return torch.stack([torch.randn(length, generator=device.generator(seed, index)) for index in indices])


def between(first: Tensor, last: Tensor) -> Tensor:
    """Latent vectors `[PASS, latent]` on the way from one `[latent]` to another, as long as normal ones are.

    Spherical interpolation: White 2016, arXiv:1609.04468, section 2.1.
    """
    share = torch.linspace(0, 1, PASS)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, last, dim=0).clamp(-1, 1)
    angle = cosine.acos()
    if angle.sin() < 1e-4:  # they point the same way, or opposite ways, where no way is the shortest
        return torch.lerp(first[None], last[None], share)
    return (((1 - share) * angle).sin() * first + (share * angle).sin() * last) / angle.sin()


def label_of(index: int, label: str) -> str:
    """The label of image `index`: the one asked for, or by turns."""
    return CLASSES[index % len(CLASSES)] if label == BALANCED else label


def _sample(options: Sample, where: torch.device, directory: Path) -> Result:
    source = Source(artifacts.open_artifact(options.run, "gan-run"))
    summary = _summary(options, source)
    drawing = _drawing(options, source, where)
    verdict = _judged(options, source, drawing, summary["label"], directory) if options.reject else None
    kept = range(options.count) if verdict is None else verdict.kept
    with (
        arrays.writing_images(directory, source.shape.size, options.checkpoint_every) as writer,
        console.progress(options.count, "sample", done=writer.count) as advance,
    ):
        for drawn in turns.in_turn(DRAWN, drawing.some, list(rejection.passes(kept[writer.count :], PASS))):
            writer.write(drawn)
            advance(len(drawn))
    images = np.load(directory / arrays.IMAGES, mmap_mode="r")
    if options.png:
        _write_pngs(directory / "png", images)
    pictures.save_png(directory / "contact-sheet.png", pictures.grid(images[:CONTACT_SHEET]))
    if options.interpolate is not None:
        with torch.inference_mode():
            way = drawing.way(options.interpolate)
        pictures.save_png(directory / "interpolation.png", pictures.grid(way, -(-PASS // SHOWN_EVERY)))
    if verdict is not None:
        verdict.write(directory)
        summary["rejection"] = verdict.summary()
    told = verdict.told() if verdict else [{}] * options.count
    rows = [_row(row, number, summary, extra) for row, (number, extra) in enumerate(zip(kept, told, strict=True))]
    dataset.write_index(directory, rows)
    return summary


def _drawing(options: Sample, source: Source, where: torch.device) -> Drawing:
    g = source.generator(options.snapshot).to(where).to(memory_format=torch.channels_last).eval()
    return Drawing(g, source.shape, options.seed, where, options.label or BALANCED, options.truncation)


def _works(options: Sample, where: torch.device) -> dict[str, Work]:
    """What other processes may do of it."""
    source = Source(artifacts.open_artifact(options.run, "gan-run"))
    _check_able(options, source)
    drawing = _drawing(options, source, where)
    if not options.reject:
        return {DRAWN: drawing.some}
    if options.reject_by == DISCRIMINATOR:
        return {DRAWN: drawing.some, SCORED: _discriminating(source, drawing)}
    nearness = Nearness(options, source, drawing)
    return {DRAWN: drawing.some, LEARNT: nearness.learning, SCORED: nearness.looking}


def _judged(options: Sample, source: Source, drawing: Drawing, label: str, directory: Path) -> Verdict:
    """Every candidate's score, and so which are kept."""
    count = rejection.candidates(options.count, options.reject)
    scored = _scored(options, source, drawing, directory)
    kept = Checkpoints(directory / production.RESUME / "scores", options.checkpoint_every)
    scores = rejection.scores(range(0, count, PASS), scored, kept)[:count]
    labels = [label_of(index, label) for index in range(count)]
    by = options.identity()["reject_by"]
    return Verdict(
        "classifier features" if by == "run" else by, options.reject, scores, labels, labels[: options.count]
    )


def _scored(options: Sample, source: Source, drawing: Drawing, directory: Path) -> Scored:
    """What gives the scores of the passes that begin at some numbers."""
    if options.reject_by == DISCRIMINATOR:
        work = _discriminating(source, drawing)
        return lambda starts: (made.tolist() for made in turns.in_turn(SCORED, work, starts))
    nearness = Nearness(options, source, drawing)
    real = nearness.gathered(directory)
    looked = partial(turns.in_turn, SCORED, nearness.looking)
    return lambda starts: (rejection.nearness(made, real) for made in looked(starts))


def _discriminating(source: Source, drawing: Drawing) -> Work:
    """How real the discriminator takes each image of a pass to be: its probability or logit, `[PASS]`."""
    file = source.run.file(DISCRIMINATOR_FILE)
    state = weights.read(file)
    weights.check_finite(state, file)
    with torch.device("meta"):
        weights.check_fit(state, source.arch.discriminator(source.shape), file)
    d = source.arch.discriminator(source.shape)
    weights.put(state, d, file)
    d = d.to(drawing.where).to(memory_format=torch.channels_last).eval()

    def judged(start: int) -> Array:
        labels = drawing.labels(range(start, start + PASS))
        told = torch.tensor(labels, device=drawing.where) if labels is not None else None
        with torch.inference_mode():
            images = device.to_unit(torch.from_numpy(drawing.draw(start)).to(drawing.where))
            found: Array = d(images, told).reshape(PASS, -1)[:, 0].double().cpu().numpy()
        return found

    def stream(starts: Sequence[int]) -> Stream:
        for start in starts:
            yield judged(start)

    return stream


def _check_features(name: str) -> None:
    from xrayaug import features

    if features.is_run(name):
        features.open_run(name)


@dataclass(frozen=True)
class Nearness:
    """How near images are to those that the run learnt from, in features."""

    options: Sample
    source: Source
    drawing: Drawing

    @cached_property
    def network(self) -> "Features":
        """What makes the features."""
        from xrayaug import features

        given = self.options
        return features.load(given.reject_by, self.drawing.where, dims=rejection.DIMS, seed=given.seed)

    @cached_property
    def learnt(self) -> Pictures:
        """The images that the run learnt from.

        Raises:
            ArtifactError: there is none.
        """
        run = self.source.run
        cache = self.options.local_cache
        data = Dataset(run.open_input("data", "dataset", later=copied(cache)), cache)
        rows = data.select(split="train", label=run.options.get("only_label"))
        if not rows:
            raise ArtifactError(f"{run.path} learnt no image of {data.path}", "train it again")
        return imagesets.of_rows(data, rows)

    def learning(self, starts: Sequence[int]) -> Stream:
        """The features of those images, `[N, D]`, pass by pass."""
        from xrayaug import features

        return features.passing(lambda: self.network, self.learnt, PASS)(starts)

    def looking(self, starts: Sequence[int]) -> Stream:
        """The features of candidates, `[PASS, D]`, pass by pass."""
        for start in starts:
            yield self.network.features(list(self.drawing.draw(start)))

    def gathered(self, directory: Path) -> Array:
        """The features of all images that the run learnt from, `[N, D]`, kept for a run that stops."""
        from xrayaug import features

        kept = Checkpoints(directory / production.RESUME / "real-features", self.options.checkpoint_every)
        state = kept.restore()
        real = features.gather(self.network, self.learnt, PASS, state, kept.visit, name=LEARNT)
        kept.save(len(real), [len(real), torch.from_numpy(real)])
        return real


def _row(row: int, index: int, summary: Result, extra: dict[str, str]) -> Row:
    return Row(
        image=arrays.IMAGES,
        row=row,
        split="train",
        label=label_of(index, summary["label"]),
        patient="",
        study="",
        source=summary["arch"],
        synthetic=True,
        extra=extra,
    )


def _summary(options: Sample, source: Source) -> Result:
    run, shape = source.run, source.shape
    _check_able(options, source)
    learnt = list(run.said(dict, "result", "training_images"))
    if not set(learnt) <= {*LABELS, UNLABELLED}:
        raise ArtifactError(f"{run.path} learnt images labelled {', '.join(learnt)}", f"make {run.path} again")
    alone = learnt[0] if len(learnt) == 1 else UNLABELLED
    return {
        "images": options.count,
        "size": shape.size,
        "arch": run.said(str, "result", "arch"),
        "label": (options.label or BALANCED) if shape.classes else alone,
        "split_by": "patient",
    }


def _check_able(options: Sample, source: Source) -> None:
    """Refuse what the run cannot draw.

    Raises:
        UsageError: a label, of a run that was told none; truncation, where the generator has none; a snapshot that was
            not kept.
    """
    run = source.run
    arch = run.said(str, "result", "arch")
    if options.label is not None and not source.shape.classes:
        raise UsageError(f"--label {options.label}: {run.path} was told no labels", "train a conditional --arch")
    if options.truncation is not None and not hasattr(source.sketch, "truncated"):
        raise UsageError(f"--truncation is not for {arch}, which has no mean to draw towards", "leave it out")
    if options.snapshot != "last" and SNAPSHOTS[options.snapshot] not in run.manifest["files"]:
        raise UsageError(f"{run.path} kept no best snapshot", "train-gan --fid-every keeps one; or --snapshot last")


def _write_pngs(directory: Path, images: Pixels) -> None:
    with console.progress(len(images), "writing PNG files") as advance:
        for index, picture in enumerate(images):
            pictures.save_png(directory / f"{index:06}.png", picture)
            advance(1)
