"""The `sample` stage: draw synthetic images from a GAN run into a dataset, each from its own random stream."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch

from xrayaug.data import dataset
from xrayaug.data.dataset import LABELS, UNLABELLED, Row
from xrayaug.data.images import arrays, contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import ArtifactError, UsageError
from xrayaug.options import Sample
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.sampling import rejection
from xrayaug.sampling.rejection import RejectionResult
from xrayaug.sampling.sampler import (
    BALANCED,
    BATCH_SIZE,
    INTERPOLATION_STRIDE,
    SNAPSHOTS,
    ImageSampler,
    TrainedGan,
    label_of,
)
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints

CONTACT_SHEET = 100  # images on the contact sheet
MOST_PNGS = 200_000  # limit of the number of files in a manifest

DRAWN, SCORED = "drawn", "scored"  # names of the work that several processes share

Scored = Callable[[range], Iterator[list[float]]]  # start numbers of passes -> the scores of each pass


def run(options: Sample) -> Result:
    """Sample images; writes a dataset whose rows are all synthetic and in train."""
    if options.png and options.count > MOST_PNGS:
        raise UsageError(
            f"--png with --count {options.count} makes too many files", f"at most {MOST_PNGS}, or no --png"
        )
    if options.reject and options.reject_by != rejection.DISCRIMINATOR:
        _check_features(options.reject_by)
    device = devices.resolve(options.device, deterministic=options.deterministic)
    sample, device_name = partial(_sample, options, device), devices.describe_one(device)
    lead = partial(builder.build_artifact, options, "dataset", sample, device_name=device_name)
    with devices.translate_device_errors(deterministic=options.deterministic):
        return leader_worker.run(lead, partial(_works, options, device), device)


def plan(options: Sample) -> Result:
    """Return what would be drawn."""
    more = rejection.count_candidates(options.count, options.reject)
    planned = _summary(options, TrainedGan(artifacts.open_artifact(options.run, "gan-run")))
    return planned | ({"candidates": more, "rejected_by": options.reject_by} if options.reject else {})


def tables(result: Result) -> list[Table]:
    """Return the table of what was drawn."""
    shown = {name: value for name, value in result.items() if name != "rejection"} | result.get("rejection", {})
    return [Table("Synthetic images", ("", "value"), [(name, str(value)) for name, value in shown.items()])]


def _sample(options: Sample, device: torch.device, directory: Path) -> Result:
    source = TrainedGan(artifacts.open_artifact(options.run, "gan-run"))
    summary = _summary(options, source)
    drawing = _drawing(options, source, device)
    verdict = _judged(options, source, drawing, summary["label"], directory) if options.reject else None
    kept = range(options.count) if verdict is None else verdict.kept
    with (
        arrays.writing_images(directory, source.shape.size, options.checkpoint_every) as writer,
        console.progress(options.count, "sample", done=writer.count) as advance,
    ):
        for drawn in leader_worker.ordered_map(
            DRAWN, drawing.some, list(rejection.group_by_batch(kept[writer.count :], BATCH_SIZE))
        ):
            writer.write(drawn)
            advance(len(drawn))
    images = np.load(directory / arrays.IMAGES, mmap_mode="r")
    if options.png:
        _write_pngs(directory / "png", images)
    contact_sheets.save_png(directory / "contact-sheet.png", contact_sheets.make_grid(images[:CONTACT_SHEET]))
    if options.interpolate is not None:
        with torch.inference_mode():
            way = drawing.way(options.interpolate)
        contact_sheets.save_png(
            directory / "interpolation.png", contact_sheets.make_grid(way, -(-BATCH_SIZE // INTERPOLATION_STRIDE))
        )
    if verdict is not None:
        verdict.write(directory)
        summary["rejection"] = verdict.summary()
    told = verdict.index_columns() if verdict else [{}] * options.count
    rows = [_row(row, number, summary, extra) for row, (number, extra) in enumerate(zip(kept, told, strict=True))]
    dataset.write_index(directory, rows)
    return summary


def _drawing(options: Sample, source: TrainedGan, device: torch.device) -> ImageSampler:
    g = source.generator(options.snapshot).to(device).to(memory_format=torch.channels_last).eval()
    return ImageSampler(g, source.shape, options.seed, device, options.label or BALANCED, options.truncation)


def _works(options: Sample, device: torch.device) -> dict[str, Work]:
    """Return the work that other processes can share, by its name."""
    source = TrainedGan(artifacts.open_artifact(options.run, "gan-run"))
    _check_able(options, source)
    drawing = _drawing(options, source, device)
    if not options.reject:
        return {DRAWN: drawing.some}
    from xrayaug.sampling import scoring

    if options.reject_by == rejection.DISCRIMINATOR:
        return {DRAWN: drawing.some, SCORED: scoring.discriminator_work(source, drawing)}
    nearness = scoring.RealismScorer(options, source, drawing)
    return {DRAWN: drawing.some, scoring.REAL_FEATURES: nearness.learning, SCORED: nearness.looking}


def _judged(options: Sample, source: TrainedGan, drawing: ImageSampler, label: str, directory: Path) -> RejectionResult:
    """Score all candidates and select those that are kept."""
    count = rejection.count_candidates(options.count, options.reject)
    scored = _scored(options, source, drawing, directory)
    kept = Checkpoints(directory / builder.RESUME / "scores", options.checkpoint_every)
    scores = rejection.score_candidates(range(0, count, BATCH_SIZE), scored, kept)[:count]
    labels = [label_of(index, label) for index in range(count)]
    by = options.identity()["reject_by"]
    return RejectionResult(
        "classifier features" if by == "run" else by, options.reject, scores, labels, labels[: options.count]
    )


def _scored(options: Sample, source: TrainedGan, drawing: ImageSampler, directory: Path) -> Scored:
    """Return a function that yields the scores of the passes with given start numbers."""
    from xrayaug.sampling import scoring

    if options.reject_by == rejection.DISCRIMINATOR:
        work = scoring.discriminator_work(source, drawing)
        return lambda starts: (made.tolist() for made in leader_worker.ordered_map(SCORED, work, starts))
    nearness = scoring.RealismScorer(options, source, drawing)
    real = nearness.gathered(directory)
    looked = partial(leader_worker.ordered_map, SCORED, nearness.looking)
    return lambda starts: (rejection.realism_scores(made, real) for made in looked(starts))


def _check_features(name: str) -> None:
    from xrayaug.metrics import features

    if features.is_classifier_run(name):
        features.open_classifier_run(name)


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


def _summary(options: Sample, source: TrainedGan) -> Result:
    run, shape = source.run, source.shape
    _check_able(options, source)
    learnt = list(run.get(dict, "result", "training_images"))
    if not set(learnt) <= {*LABELS, UNLABELLED}:
        raise ArtifactError(f"{run.path} learnt images labelled {', '.join(learnt)}", f"make {run.path} again")
    alone = learnt[0] if len(learnt) == 1 else UNLABELLED
    return {
        "images": options.count,
        "size": shape.size,
        "arch": run.get(str, "result", "arch"),
        "label": (options.label or BALANCED) if shape.classes else alone,
        "split_by": "patient",
    }


def _check_able(options: Sample, source: TrainedGan) -> None:
    """Check that the run can draw what the options ask for.

    Raises:
        UsageError: a label for an unconditional run, truncation for a generator without it, or a snapshot that was
            not kept.
    """
    run = source.run
    arch = run.get(str, "result", "arch")
    if options.label is not None and not source.shape.classes:
        raise UsageError(f"--label {options.label}: {run.path} was told no labels", "train a conditional --arch")
    if options.truncation is not None and not hasattr(source.sketch, "truncated"):
        raise UsageError(f"--truncation is not for {arch}, which has no mean to draw towards", "leave it out")
    if options.snapshot != "last" and SNAPSHOTS[options.snapshot] not in run.manifest["files"]:
        raise UsageError(f"{run.path} kept no best snapshot", "train-gan --fid-every keeps one; or --snapshot last")


def _write_pngs(directory: Path, images: Pixels) -> None:
    with console.progress(len(images), "writing PNG files") as advance:
        for index, picture in enumerate(images):
            contact_sheets.save_png(directory / f"{index:06}.png", picture)
            advance(1)
