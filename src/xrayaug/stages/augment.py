"""dataset + synthetic dataset -> dataset: add a measured dose of synthetic images, or its control: an arm."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xrayaug.data import controls, dataset, sources, splits
from xrayaug.data.dataset import BALANCE, LABELS, MIXED, REWEIGHT, Dataset, Row, borrowed, open_dataset
from xrayaug.data.images import arrays, classical
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.options import Augment
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Result

OF_REAL_IMAGES = ("duplicate", "classical", REWEIGHT)  # controls that need no synthetic images


@dataclass(frozen=True)
class Arm:
    """The rows of an arm, what is said of it, and the real rows whose changed pictures are in an array of its own."""

    rows: list[Row]
    result: Result
    changed: list[Row]


def run(options: Augment) -> Result:
    """Write the arm: an index whose rows point into the arrays of its inputs, or also into one of its own."""
    return builder.produce(options, "dataset", partial(_augment, options))


def plan(options: Augment) -> Result:
    """The arm's counts."""
    return _arm(options, open_dataset(options.real, options.local_cache)).result


def tables(result: Result) -> list[Table]:
    """The arm's row of the thesis's Table 4, and what the training split then holds."""
    arm, training = result["arm"], result["counts"]["train"]
    normal = training.get("normal", 0)
    row = (f"{arm['percent']:g}", f"{arm['added']:,}", f"{normal:,}", f"{training.get('abnormal', 0):,}")
    added = "Synthetic images added" if arm["control"] in (None, "shuffle") else "Real images added again"
    columns = ("Percent added", added, "Normal training images", "Abnormal training images")
    notes = [f"real training images kept: {arm['real']:,} ({arm['real_fraction']:.0%})",
             f"share of normal images in training: {normal / sum(training.values()):.3f}"]  # fmt: skip
    if arm["control"]:
        notes.insert(0, f"a control: {arm['control']}")
    if "prior" in arm:
        notes.append(f"class counts in the loss: {_told(arm['prior'])}")
    if "copies" in result:
        found = result["copies"]
        notes.append(f"set aside by copies: {found['quarantined']:,} synthetic images; left out: {found['left_out']:,}")
    return [Table("Arm (Table 4)", columns, [row], notes)]


def dose(percent: float, of: int) -> int:
    """Images to add: `percent` of the real normal training images (Table 4), or of the difference; half goes up."""
    return splits.share(percent, of, whole=100)


def _told(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{counts[label]:,} {label}" for label in LABELS)


def _augment(options: Augment, directory: Path) -> Result:
    real = open_dataset(options.real, options.local_cache)
    arm = _arm(options, real)
    if arm.changed:
        _write_changed(real, arm.changed, options.seed, directory)
    dataset.write_index(directory, arm.rows, split_by=arm.result["split_by"])
    return arm.result


def _write_changed(real: Dataset, rows: Sequence[Row], seed: int, directory: Path) -> None:
    """Write the arm's own array; a picture depends on the seed, on which it is and on the copy's number alone."""
    with arrays.writing_images(directory, real.size) as writer:
        for row in rows[writer.count :]:
            (picture,) = real.pixels([row])
            writer.write(classical.changed(picture, (seed, row.row, row.copy))[None])


def _arm(options: Augment, real: Dataset) -> Arm:
    kept = _keep(real, options.real_fraction, options.seed)
    training = [row for row in kept if row.split == "train"]
    set_aside = _set_aside(options)
    left_out = set() if options.keep_copies else set_aside
    drawn = _drawn(options, training, left_out)
    counts = Counter(row.label for row in drawn)
    added, changed = _in_place_of(drawn, options, training)
    rows = [borrowed(row, "real") for row in kept] + added
    result = {
        "arm": {
            "percent": options.percent,
            "real_fraction": options.real_fraction,
            "label": _label_of(counts, options),
            "added": len(added),
            "real": len(training),
            "control": options.control,
            **(_prior(training, counts) if options.control == REWEIGHT else {}),
        },
        "counts": dataset.counts(rows),
        "size": real.size,
        "split_by": real.split_by,
        **({"copies": {"quarantined": len(set_aside), "left_out": len(left_out)}} if options.copies else {}),
    }
    return Arm(rows, result, changed)


def _in_place_of(drawn: list[Row], options: Augment, training: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """What the arm adds: the synthetic images that were drawn, or its control's; and the real rows to be changed.

    Raises:
        UsageError: a control of nothing.
    """
    if options.control is None:
        return drawn, []
    if not drawn:
        raise UsageError(
            f"--control {options.control} is of the size of a dose, and --percent {options.percent:g} adds nothing",
            "the arm of 0 percent is the baseline itself",
        )
    if options.control == "shuffle":
        return controls.shuffled(drawn, options.seed), []
    if options.control == REWEIGHT:
        return [], []
    again = controls.copies(training, Counter(row.label for row in drawn), options.seed)
    if options.control == "duplicate":
        return [borrowed(row, "real") for row in again], []
    own = [replace(row, image=arrays.IMAGES, row=place, sha256="") for place, row in enumerate(again)]
    return own, again


def _prior(training: Sequence[Row], counts: Mapping[str, int]) -> dict[str, Any]:
    """The class counts that training has with what is drawn."""
    real = Counter(row.label for row in training)
    return {"prior": {label: real[label] + counts[label] for label in LABELS}}


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
    """The real rows without those that the low-data sweep leaves out of training, whole patients at a time.

    Raises:
        DataError: it is an arm that adds something, or a control; or there is nothing to train on.
    """
    if any(row.synthetic for row in real.rows):
        raise DataError(f"{real.path} already holds synthetic images", "give the real dataset as --real")
    if "arm" in real.artifact.result and dataset.arm_of(real.artifact)["control"]:
        raise DataError(f"{real.path} is a control", "give the real dataset as --real")
    training = [place for place, row in enumerate(real.rows) if row.split == "train"]
    if not training:
        raise DataError(f"{real.path} has no training images", "see its index.csv")
    patients = [real.rows[place].patient or place for place in training]  # an unknown patient is one of its own
    labels = [real.rows[place].label for place in training]
    kept = {training[index] for index in splits.draw(patients, labels, fraction, seed)}
    return [row for place, row in enumerate(real.rows) if row.split != "train" or place in kept]


def _drawn(options: Augment, training: Sequence[Row], left_out: set[int]) -> list[Row]:
    """The synthetic images that the arm adds; without a set of them, where a control needs but labels, real rows.

    Raises:
        UsageError: there is no set to draw from.
        DataError: it has too few of them, or they bear no label.
    """
    of = Counter(row.label for row in training)
    label = min(LABELS, key=lambda each: of[each]) if options.label == BALANCE else options.label
    wanted = dose(options.percent, abs(of["normal"] - of["abnormal"]) if options.label == BALANCE else of["normal"])
    if wanted == 0:
        return []
    if options.synthetic is not None:
        return _draw(options, options.synthetic, wanted, label, left_out)
    if options.control in OF_REAL_IMAGES:
        return controls.copies(training, {label or "normal": wanted}, options.seed)
    raise UsageError(f"--percent {options.percent:g} needs --synthetic", "a dataset that xrayaug sample wrote")


def _refuse_foreign_images(path: Path) -> None:
    """Refuse a folder of images as synthetic images: nothing says what made them, and from which images it learnt.

    Raises:
        DataError: it is one.
    """
    if not artifacts.is_artifact(path) and path.is_dir() and any(sources.is_picture(f.name) for f in path.rglob("*")):
        raise DataError(
            f"{path} is a folder of images: images of other generators cannot be added, only what xrayaug sample drew",
            "the checks for leaks follow a generator to the images that it learnt from",
        )


def _draw(options: Augment, path: Path, wanted: int, label: str | None, left_out: set[int]) -> list[Row]:
    """The first `wanted` of the synthetic images in a seeded order: without replacement, and arms nest.

    Those that are left out leave the others in the order that they have anyway.
    """
    _refuse_foreign_images(path)
    rows = open_dataset(path, options.local_cache).select(synthetic=True)
    aside = {(row.image, row.row) for image, row in enumerate(rows) if image in left_out}
    synthetic = _offered(rows, label, as_drawn=options.label == BALANCE)
    seeded = np.random.default_rng(options.seed).permutation(len(synthetic))
    order = [place for place in seeded if (synthetic[place].image, synthetic[place].row) not in aside]
    if wanted > len(order):
        offered = f"{len(order)}" if label is None else f"{len(order)} to take for {label}"
        without = f", without those that {options.copies} sets aside" if aside else ""
        raise DataError(
            f"--percent {options.percent:g} asks for {wanted} synthetic images, {path} holds {offered}{without}",
            f"sample at least {wanted + len(synthetic) - len(order)}",
        )
    return [_labelled(synthetic[place], label, path) for place in order[:wanted]]


def _offered(rows: list[Row], label: str | None, *, as_drawn: bool) -> list[Row]:
    """The synthetic images to draw from: of a set that was drawn as both labels, those of the one that is wanted.

    Of any other set all: there the label says what they are, which the generator was not told; unless only what was
    drawn as that label will do.
    """
    if label is None or not (as_drawn or {row.label for row in rows} == set(LABELS)):
        return rows
    return [row for row in rows if row.label == label]


def _label_of(counts: Mapping[str, int], options: Augment) -> str | None:
    """What was added, as the arm is named by it."""
    if options.label == BALANCE and counts:
        return BALANCE
    return MIXED if len(counts) > 1 else next(iter(counts), None)


def _labelled(row: Row, label: str | None, path: Path) -> Row:
    if not (label or row.label):
        raise DataError(
            f"the images of {path} bear no label: their generator learnt both",
            "say what they are with --label, or train-gan --only-label normal",
        )
    return borrowed(row, "synthetic", label=label or row.label)
