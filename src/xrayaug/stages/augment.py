"""dataset + synthetic dataset -> dataset: add a measured dose of synthetic images, one arm of the study."""

from functools import partial
from pathlib import Path

import numpy as np

from xrayaug import artifacts, console, dataset, production, splits
from xrayaug.artifacts import Result
from xrayaug.console import Table
from xrayaug.dataset import LABELS, MIXED, Dataset, Row, borrowed, open_dataset
from xrayaug.errors import ArtifactError, DataError, UsageError
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
    if "copies" in result:
        found = result["copies"]
        notes.append(f"set aside by copies: {found['quarantined']:,} synthetic images; left out: {found['left_out']:,}")
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
    set_aside = _set_aside(options)
    left_out = set() if options.keep_copies else set_aside
    added = _draw(options, dose(options.percent, normals), left_out)
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
        **({"copies": {"quarantined": len(set_aside), "left_out": len(left_out)}} if options.copies else {}),
    }
    return rows, result


def _set_aside(options: Augment) -> set[int]:
    """The synthetic images, by their number, that `copies` set aside.

    Raises:
        UsageError: `--keep-copies` without them, or no synthetic set.
        DataError: they are of another synthetic set.
    """
    if options.copies is None:
        if options.keep_copies:
            raise UsageError("--keep-copies needs --copies", "it keeps what that directory sets aside")
        return set()
    if options.synthetic is None:
        raise UsageError("--copies needs --synthetic", "the set that was screened")
    found = artifacts.open_artifact(options.copies, "copies")
    screened = found.manifest["inputs"].get("synthetic", {}).get("sha256")
    if screened != artifacts.digest(options.synthetic):
        raise DataError(
            f"{options.copies} is of another synthetic set than {options.synthetic}",
            f"xrayaug copies {options.synthetic} --real ...",
        )
    if found.said(str, "result", "verdict", among=("pass", "fail")) == "fail":
        console.warn(f"{options.synthetic} failed the screening for copies: see {options.copies / 'nearest.png'}")
    images = found.said(list, "result", "quarantined")
    if not all(isinstance(image, int) for image in images):
        raise ArtifactError(f"{options.copies} sets aside what is no image", f"make {options.copies} again")
    return set(images)


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


def _draw(options: Augment, wanted: int, left_out: set[int]) -> list[Row]:
    """The first `wanted` of the synthetic images in a seeded order: without replacement, and arms nest.

    Those that are left out leave the others in the order that they have anyway.
    """
    if wanted == 0:
        return []
    if options.synthetic is None:
        raise UsageError(f"--percent {options.percent:g} needs --synthetic", "a dataset that xrayaug sample wrote")
    rows = open_dataset(options.synthetic).select(synthetic=True)
    aside = {(row.image, row.row) for image, row in enumerate(rows) if image in left_out}
    synthetic = _offered(rows, options.label)
    seeded = np.random.default_rng(options.seed).permutation(len(synthetic))
    order = [place for place in seeded if (synthetic[place].image, synthetic[place].row) not in aside]
    if wanted > len(order):
        offered = f"{len(order)}" if options.label is None else f"{len(order)} to take for {options.label}"
        without = f", without those that {options.copies} sets aside" if aside else ""
        raise DataError(
            f"--percent {options.percent:g} asks for {wanted} synthetic images, {options.synthetic} "
            f"holds {offered}{without}",
            f"sample at least {wanted + len(synthetic) - len(order)}",
        )
    return [_labelled(synthetic[place], options) for place in order[:wanted]]


def _offered(rows: list[Row], label: str | None) -> list[Row]:
    """The synthetic images to draw from: of a set that was drawn as both labels, those of the one that is wanted.

    Of any other set all: there the label says what they are, which the generator was not told.
    """
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
