"""The `sample` stage: draw synthetic images from a GAN run into a dataset, each from its own random stream."""

from collections.abc import Callable, Iterator, Sequence
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
from xrayaug.sampling.malformed import MalformedImages
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
from xrayaug.storage import artifacts, builder, files
from xrayaug.storage.artifacts import Result
from xrayaug.storage.checkpoints import Checkpoints

CONTACT_SHEET = 100  # images on the contact sheet
MAX_PNGS = 200_000  # limit of the number of files in a manifest

DRAWN, SCORED = "drawn", "scored"  # names of the work that several processes share

ScoreFunction = Callable[[range], Iterator[list[float]]]  # first indices of passes -> the scores of each pass


def run(options: Sample) -> Result:
    """Draw images; write a dataset whose rows are all synthetic and in train."""
    if options.png and options.count > MAX_PNGS:
        raise UsageError(f"--png with --count {options.count} makes too many files", f"at most {MAX_PNGS}, or no --png")
    if options.reject and options.reject_by != rejection.DISCRIMINATOR:
        _check_features(options.reject_by)
    if options.malformed is not None:
        _check_features(options.malformed)
    device = devices.resolve(options.device, deterministic=options.deterministic)
    sample, device_name = partial(_sample, options, device), devices.describe_one(device)
    lead = partial(builder.build_artifact, options, "dataset", sample, device_name=device_name)
    with devices.translate_device_errors(deterministic=options.deterministic):
        return leader_worker.run(lead, partial(_works, options, device), device)


def plan(options: Sample) -> Result:
    """Return what would be drawn."""
    candidates = rejection.count_candidates(options.count, options.reject)
    planned = _summary(options, TrainedGan(artifacts.open_artifact(options.run, "gan-run")))
    return planned | ({"candidates": candidates, "rejected_by": options.reject_by} if options.reject else {})


def tables(result: Result) -> list[Table]:
    """Return the table of what was drawn."""
    groups = ("rejection", "malformed")
    shown = {name: value for name, value in result.items() if name not in groups} | result.get("rejection", {})
    notes = [_describe_malformed(result["malformed"])] if "malformed" in result else []
    return [Table("Synthetic images", ("", "value"), [(name, str(value)) for name, value in shown.items()], notes)]


def _describe_malformed(found: Result) -> str:
    low, high = found["low"], found["high"]
    return (
        f"malformed: {found['images']:,} images, {100 * found['share']:.1f} % ({100 * low:.1f} to {100 * high:.1f} %), "
        f"by the distance to the nearest real one in {found['features']} features, which marks "
        f"{100 * found['real_share']:.0f} % of real images"
    )


def _sample(options: Sample, device: torch.device, directory: Path) -> Result:
    gan = TrainedGan(artifacts.open_artifact(options.run, "gan-run"))
    summary = _summary(options, gan)
    sampler = _make_sampler(options, gan, device)
    rejected = _reject(options, gan, sampler, summary["label"], directory) if options.reject else None
    kept = range(options.count) if rejected is None else rejected.kept
    with (
        arrays.writing_images(directory, gan.shape.size, options.checkpoint_every) as writer,
        console.progress(options.count, "sample", done=writer.count) as advance,
    ):
        passes = list(rejection.group_by_pass(kept[writer.count :], BATCH_SIZE))
        for batch in leader_worker.ordered_map(DRAWN, sampler.draw_selected, passes):
            writer.write(batch)
            advance(len(batch))
    images = np.load(directory / arrays.IMAGES, mmap_mode="r")
    if options.png:
        _write_pngs(directory / "png", images)
    contact_sheets.save_png(directory / files.CONTACT_SHEET_FILE, contact_sheets.make_grid(images[:CONTACT_SHEET]))
    if options.interpolate is not None:
        with torch.inference_mode():
            interpolated = sampler.interpolate(options.interpolate)
        grid = contact_sheets.make_grid(interpolated, -(-BATCH_SIZE // INTERPOLATION_STRIDE))
        contact_sheets.save_png(directory / "interpolation.png", grid)
    if rejected is not None:
        rejected.write(directory)
        summary["rejection"] = rejected.summary()
    columns = rejected.index_columns() if rejected else [{}] * options.count
    if options.malformed is not None:
        found = _find_malformed(options, gan, sampler, kept, directory / builder.RESUME)
        found.write(directory, images)
        summary["malformed"] = found.summary()
        columns = [own | more for own, more in zip(columns, found.index_columns(), strict=True)]
    rows = [_row(row, index, summary, extra) for row, (index, extra) in enumerate(zip(kept, columns, strict=True))]
    dataset.write_index(directory, rows)
    return summary


def _make_sampler(options: Sample, gan: TrainedGan, device: torch.device) -> ImageSampler:
    g = gan.generator(options.snapshot).to(device).to(memory_format=torch.channels_last).eval()
    return ImageSampler(g, gan.shape, options.seed, device, options.label or BALANCED, options.truncation)


def _works(options: Sample, device: torch.device) -> dict[str, Work]:
    """Return the work that other processes can share, by its name."""
    gan = TrainedGan(artifacts.open_artifact(options.run, "gan-run"))
    _check_supported(options, gan)
    sampler = _make_sampler(options, gan, device)
    works: dict[str, Work] = {DRAWN: sampler.draw_selected}
    if options.reject or options.malformed is not None:
        from xrayaug.sampling import scoring

        if options.reject and options.reject_by == rejection.DISCRIMINATOR:
            works[SCORED] = scoring.discriminator_work(gan, sampler)
        elif options.reject:
            scorer = scoring.RealismScorer(options.reject_by, options, gan, sampler)
            works |= scorer.works | {SCORED: scorer.stream_candidate_features}
        if options.malformed is not None:
            works |= scoring.RealismScorer(options.malformed, options, gan, sampler).works
    return works


def _reject(options: Sample, gan: TrainedGan, sampler: ImageSampler, label: str, directory: Path) -> RejectionResult:
    """Score all candidates and select those that are kept."""
    count = rejection.count_candidates(options.count, options.reject)
    score_passes = _make_score_function(options, gan, sampler, directory)
    checkpoints = Checkpoints(directory / builder.RESUME / "scores", options.checkpoint_every)
    scores = rejection.score_candidates(range(0, count, BATCH_SIZE), score_passes, checkpoints)[:count]
    labels = [label_of(index, label) for index in range(count)]
    reject_by = options.identity()["reject_by"]
    score_name = "classifier features" if reject_by == "run" else reject_by
    return RejectionResult(score_name, options.reject, scores, labels, labels[: options.count])


def _make_score_function(options: Sample, gan: TrainedGan, sampler: ImageSampler, directory: Path) -> ScoreFunction:
    """Return a function that yields the scores of the passes with given first indices."""
    from xrayaug.metrics.feature_scaling import FeatureScaler
    from xrayaug.sampling import scoring

    if options.reject_by == rejection.DISCRIMINATOR:
        work = scoring.discriminator_work(gan, sampler)
        return lambda starts: (scores.tolist() for scores in leader_worker.ordered_map(SCORED, work, starts))
    scorer = scoring.RealismScorer(options.reject_by, options, gan, sampler)
    real = scorer.extract_real_features(directory / builder.RESUME / "real-features")
    scaler = FeatureScaler.fit(scorer.network.origin["features"], real)
    scaled = scaler.transform(real)
    extract = partial(leader_worker.ordered_map, SCORED, scorer.stream_candidate_features)
    return lambda starts: (rejection.realism_scores(scaler.transform(features), scaled) for features in extract(starts))


def _find_malformed(
    options: Sample, gan: TrainedGan, sampler: ImageSampler, kept: Sequence[int], directory: Path
) -> MalformedImages:
    """Find the images that resemble no training image in features; `directory` has the checkpoints."""
    assert options.malformed is not None
    from xrayaug.metrics.feature_scaling import FeatureScaler
    from xrayaug.sampling import malformed, scoring

    scorer = scoring.RealismScorer(options.malformed, options, gan, sampler)
    real = scorer.extract_real_features(directory / "malformed-real-features")
    passes = list(rejection.group_by_pass(kept, BATCH_SIZE))
    drawn = scorer.extract_selected_features(passes, directory / "malformed-features")
    scaler = FeatureScaler.fit(scorer.network.origin["features"], real)
    patients = [row.patient for row in scorer.training_rows]
    shown_name = options.identity()["malformed"]
    return malformed.find_malformed(shown_name, scaler.transform(drawn), scaler.transform(real), patients)


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


def _summary(options: Sample, gan: TrainedGan) -> Result:
    run, shape = gan.run, gan.shape
    _check_supported(options, gan)
    labels = list(run.get(dict, "result", "training_images"))
    if not set(labels) <= {*LABELS, UNLABELLED}:
        raise ArtifactError(
            f"{run.path} was trained on images labelled {', '.join(labels)}, which are no labels of this program",
            f"make {run.path} again",
        )
    common_label = labels[0] if len(labels) == 1 else UNLABELLED
    return {
        "images": options.count,
        "size": shape.size,
        "arch": run.get(str, "result", "arch"),
        "label": (options.label or BALANCED) if shape.classes else common_label,
        "split_by": "patient",
    }


def _check_supported(options: Sample, gan: TrainedGan) -> None:
    """Check that the run can draw what the options ask for.

    Raises:
        UsageError: a label for an unconditional run, truncation for a generator without it, or a snapshot that was
            not kept.
    """
    run = gan.run
    arch = run.get(str, "result", "arch")
    if options.label is not None and not gan.shape.classes:
        raise UsageError(
            f"--label {options.label} needs a conditional GAN, and {run.path} is not conditional",
            "train a conditional --arch, or leave --label out",
        )
    if options.truncation is not None and not hasattr(gan.sketch, "truncated"):
        raise UsageError(f"--truncation needs a generator that can truncate, and that of {arch} cannot", "leave it out")
    if options.snapshot != "last" and SNAPSHOTS[options.snapshot] not in run.manifest["files"]:
        raise UsageError(f"{run.path} has no best snapshot", "train-gan --fid-every saves one; or use --snapshot last")


def _write_pngs(directory: Path, images: Pixels) -> None:
    with console.progress(len(images), "writing PNG files") as advance:
        for index, picture in enumerate(images):
            contact_sheets.save_png(directory / f"{index:06}.png", picture)
            advance(1)
