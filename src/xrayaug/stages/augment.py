"""dataset + synthetic dataset -> dataset: add a measured dose of synthetic images, one arm of the study."""

from functools import partial
from pathlib import Path

import numpy as np

from xrayaug import dataset, production, splits
from xrayaug.artifacts import Result
from xrayaug.console import Table
from xrayaug.dataset import LABELS, MIXED, Dataset, Row, borrowed, open_dataset
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Augment


def run(options: Augment) -> Result:
    """Write the arm: an index whose rows point into the arrays of its inputs."""
    return production.produce(options, "dataset", partial(_augment, options))


def plan(options: Augment) -> Result:
    """The arm's counts."""
    return _arm(options)[1]


def tables(result: Result) -> list[Table]:
    """The arm's row of the thesis's Table 4, and what the training split then holds."""
    arm, training = result["arm"], result["counts"]["train"]
    normal = training.get("normal", 0)
    row = (f"{arm['percent']:g}", f"{arm['added']:,}", f"{normal:,}", f"{training.get('abnormal', 0):,}")
    columns = ("Percent added", "Synthetic images added", "Normal training images", "Abnormal training images")
    notes = [f"real training images kept: {arm['real']:,} ({arm['real_fraction']:.0%})",
             f"share of normal images in training: {normal / sum(training.values()):.3f}"]  # fmt: skip
    return [Table("Arm (Table 4)", columns, [row], notes)]


def dose(percent: float, normals: int) -> int:
    """Synthetic images to add: `percent` of the real normal training images, half going up (Table 4)."""
    return splits.share(percent, normals, whole=100)


def _augment(options: Augment, directory: Path) -> Result:
    rows, result = _arm(options)
    dataset.write_index(directory, rows, split_by=result["split_by"])
    return result


def _arm(options: Augment) -> tuple[list[Row], Result]:
    real = open_dataset(options.real)
    kept = _keep(real, options.real_fraction, options.seed)
    normals = sum(row.split == "train" and row.label == "normal" for row in kept)
    added = _draw(options, dose(options.percent, normals))
    rows = [borrowed(row, "real") for row in kept] + added
    result = {
        "arm": {
            "percent": options.percent,
            "real_fraction": options.real_fraction,
            "label": _label_of(added),
            "added": len(added),
            "real": sum(row.split == "train" for row in kept),
        },
        "counts": dataset.counts(rows),
        "size": real.size,
        "split_by": real.split_by,
    }
    return rows, result


def _keep(real: Dataset, fraction: float, seed: int) -> list[Row]:
    """The real rows without those that the low-data sweep leaves out of training, whole patients at a time."""
    if any(row.synthetic for row in real.rows):
        raise DataError(f"{real.path} already holds synthetic images", "give the real dataset as --real")
    training = [place for place, row in enumerate(real.rows) if row.split == "train"]
    if not training:
        raise DataError(f"{real.path} has no training images", "see its index.csv")
    patients = [real.rows[place].patient or place for place in training]  # an unknown patient is one of its own
    labels = [real.rows[place].label for place in training]
    kept = {training[index] for index in splits.draw(patients, labels, fraction, seed)}
    return [row for place, row in enumerate(real.rows) if row.split != "train" or place in kept]


def _draw(options: Augment, wanted: int) -> list[Row]:
    """The first `wanted` of the synthetic images in a seeded order: without replacement, and arms nest."""
    if wanted == 0:
        return []
    if options.synthetic is None:
        raise UsageError(f"--percent {options.percent:g} needs --synthetic", "a dataset that xrayaug sample wrote")
    synthetic = _offered(options.synthetic, options.label)
    if wanted > len(synthetic):
        offered = f"{len(synthetic)}" if options.label is None else f"{len(synthetic)} to take for {options.label}"
        raise DataError(
            f"--percent {options.percent:g} asks for {wanted} synthetic images, {options.synthetic} holds {offered}",
            f"sample at least {wanted}",
        )
    order = np.random.default_rng(options.seed).permutation(len(synthetic))
    return [_labelled(synthetic[place], options) for place in order[:wanted]]


def _offered(path: Path, label: str | None) -> list[Row]:
    """The synthetic images to draw from: of a set that was drawn as both labels, those of the one that is wanted.

    Of any other set all: there the label says what they are, which the generator was not told.
    """
    rows = open_dataset(path).select(synthetic=True)
    if label is None or {row.label for row in rows} != set(LABELS):
        return rows
    return [row for row in rows if row.label == label]


def _label_of(added: list[Row]) -> str | None:
    """What was added, as the arm is named by it."""
    labels = {row.label for row in added}
    return MIXED if len(labels) > 1 else next(iter(labels), None)


def _labelled(row: Row, options: Augment) -> Row:
    label = options.label or row.label
    if not label:
        raise DataError(
            f"the images of {options.synthetic} bear no label: their generator learnt both",
            "say what they are with --label, or train-gan --only-label normal",
        )
    return borrowed(row, "synthetic", label=label)
