"""Make an arm: a dataset with a measured dose of synthetic images, or a control of the same size."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xrayaug.data import arms, controls, dataset, synthetic_sets
from xrayaug.data.arms import (
    BALANCE,
    DUPLICATE,
    LOW_RESOLUTION,
    MIXED,
    MORE_REAL,
    REWEIGHT,
    SYNTHETIC_ONLY,
    WITH_GENERATOR,
)
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset, reference_row
from xrayaug.data.generators import SYNTHETIC
from xrayaug.data.images import arrays, classical
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.data.synthetic_sets import DrawnImages, SyntheticSet
from xrayaug.errors import DataError, UsageError
from xrayaug.options import Augment
from xrayaug.options.prepare import MAX_GENERATOR_NAME, is_generator_name
from xrayaug.runtime.console import Table
from xrayaug.storage import builder
from xrayaug.storage.artifacts import Result

CONTROLS_FROM_REAL_IMAGES = (DUPLICATE, "classical", REWEIGHT, MORE_REAL)  # controls that need no synthetic images


@dataclass(frozen=True)
class PlannedArm:
    """The rows of an arm, its result, and the real rows whose changed images go into an array of the arm."""

    rows: list[Row]
    result: Result
    changed: list[Row]
    size: int  # of the images in that array, in pixels


def run(options: Augment) -> Result:
    """Write the arm: an index whose rows point into the arrays of its inputs, or also into one of its own."""
    for path in options.synthetic or ():
        synthetic_sets.refuse_foreign_images(path)  # before its digest is asked for, which a folder does not have
    return builder.build_artifact(options, "dataset", partial(_augment, options))


def plan(options: Augment) -> Result:
    """Return the result of the arm, with its counts, without writing it."""
    return _plan_arm(options, open_dataset(options.real, options.local_cache)).result


def tables(result: Result) -> list[Table]:
    """Return the arm's row of the thesis's Table 4, and the class counts of its training split."""
    arm, training = result["arm"], result["counts"]["train"]
    normal = training.get("normal", 0)
    row = (f"{arm['percent']:g}", f"{arm['added']:,}", f"{normal:,}", f"{training.get('abnormal', 0):,}")
    added = {None: "Synthetic images added", "shuffle": "Synthetic images added", MORE_REAL: "Further real images"}.get(
        arm["control"], "Real images added again"
    )
    columns = ("Percent added", added, "Normal training images", "Abnormal training images")
    kept = f"{arm['real']:,} ({100 * arm['real_fraction']:.0f} %)"
    notes = [f"real training images kept: {kept if arm['real'] else 'none, only what is added is trained on'}",
             f"share of normal images in training: {normal / sum(training.values()):.3f}"]  # fmt: skip
    if arm["control"]:
        notes.insert(0, f"a control: {arm['control']}")
    if "prior" in arm:
        notes.append(f"class counts in the loss: {_format_counts(arm['prior'])}")
    if "added_size" in result:
        notes.append(_describe_sizes(result))
    if "copies" in result:
        screening = result["copies"]
        notes.append(
            f"set aside by copies: {screening['quarantined']:,} synthetic images; left out: {screening['left_out']:,}"
        )
    if SYNTHETIC in result:
        drawn = result[SYNTHETIC].values()
        notes.append("drawn: " + ", ".join(f"{each['added']:,} of {each['generator']}" for each in drawn))
    return [Table("Arm (Table 4)", columns, [row], notes)]


def _describe_sizes(result: Result) -> str:
    """Return a note on an arm whose added images have another size than its real ones."""
    arm, size, real_size = result["arm"], result["added_size"], result["size"]
    sizes = f"images differ in size: {arm['added']:,} added of {size} px, {arm['real']:,} real of {real_size} px"
    is_explained = arm["control"] == LOW_RESOLUTION or size > real_size
    return sizes if is_explained else f"{sizes}; compare --control {LOW_RESOLUTION} and {DUPLICATE}"


def _format_counts(counts: Mapping[str, int]) -> str:
    return " and ".join(f"{counts[label]:,} {label}" for label in LABELS)


def _augment(options: Augment, directory: Path) -> Result:
    real = open_dataset(options.real, options.local_cache)
    arm = _plan_arm(options, real)
    if arm.changed:
        _write_changed(real, arm, options, directory)
    dataset.write_index(directory, arm.rows, split_by=arm.result["split_by"])
    return arm.result


def _write_changed(real: Dataset, arm: PlannedArm, options: Augment, directory: Path) -> None:
    """Write the arm's own array image by image."""
    stack = real.stack(arm.changed)  # releases the pages of images that were read
    with arrays.writing_images(directory, arm.size) as writer:
        for place in range(writer.count, len(arm.changed)):
            writer.write(_change(stack.picture(place), arm.changed[place], options, arm.size)[None])


def _change(picture: Pixels, row: Row, options: Augment, size: int) -> Pixels:
    """Return a real image as the control adds it; it depends only on the seed, its row and the number of the copy."""
    if options.control == LOW_RESOLUTION:
        return resize_bicubic(picture, (size, size))
    return classical.augment(picture, (options.seed, row.row, row.copy))


def _plan_arm(options: Augment, real: Dataset) -> PlannedArm:
    kept = _keep_real(real, options.baseline_fraction, options.seed)
    training = [row for row in kept if row.split == "train"]
    sets = synthetic_sets.open_sets(options)
    images = _draw_images(options, training, sets, real.size)
    drawn, drawn_size = images.rows, images.size
    if options.control == LOW_RESOLUTION and drawn:
        _check_resolution(options, drawn_size, real.size)
    counts = Counter(row.label for row in drawn)
    left_out_rows = arms.list_left_out(real.rows, kept) if options.control == MORE_REAL else []
    added, changed = _select_added(drawn, options, training, left_out_rows)
    if options.is_synthetic_only:
        _check_synthetic_only(options, real, added)
        kept = [row for row in kept if row.split != "train"]
    rows = [reference_row(row, "real") for row in kept] + added
    added_size = drawn_size if options.control in WITH_GENERATOR else real.size
    result = {
        "arm": {
            "percent": options.percent,
            "real_fraction": options.baseline_fraction,
            "label": _arm_label(counts, options),
            "added": len(added),
            "real": 0 if options.is_synthetic_only else len(training),
            "control": options.control,
            **({"schedule": SYNTHETIC_ONLY, "baseline_images": len(training)} if options.is_synthetic_only else {}),
            **({"generator": _read_generator(options, drawn)} if options.generator is not None else {}),
            **(_class_prior(training, counts) if options.control == REWEIGHT else {}),
        },
        "counts": dataset.count_images(rows),
        "size": real.size,
        **({"added_size": added_size} if added_size != real.size else {}),
        "split_by": real.split_by,
        **({"copies": synthetic_sets.count_screened(options, sets)} if options.copies else {}),
        **({SYNTHETIC: synthetic_sets.describe_sets(options, sets, images.counts)} if len(sets) > 1 else {}),
    }
    return PlannedArm(rows, result, changed, added_size)


def _select_added(
    drawn: list[Row], options: Augment, training: Sequence[Row], left_out: Sequence[Row]
) -> tuple[list[Row], list[Row]]:
    """Return the rows that the arm or its control adds, and the real rows whose changed images it adds.

    Raises:
        UsageError: a control of an arm that adds nothing.
    """
    if options.control is None:
        return drawn, []
    if not drawn:
        raise UsageError(
            f"--control {options.control} needs a dose to match, but --percent {options.percent:g} adds no images",
            "the arm of 0 percent is the baseline itself",
        )
    if options.control == "shuffle":
        return controls.shuffle_labels(drawn, options.seed), []
    if options.control == REWEIGHT:
        return [], []
    if options.control == MORE_REAL:
        more = controls.draw_more_real(left_out, Counter(row.label for row in drawn), options.seed)
        return [reference_row(row, "real") for row in more], []
    again = controls.duplicate_rows(training, Counter(row.label for row in drawn), options.seed)
    if options.control == DUPLICATE:
        return [reference_row(row, "real") for row in again], []
    own = [replace(row, image=arrays.IMAGES, row=place, sha256="") for place, row in enumerate(again)]
    return own, again


def _check_synthetic_only(options: Augment, real: Dataset, added: Sequence[Row]) -> None:
    """Check that the images that an arm adds can be trained on alone.

    Raises:
        UsageError: nothing is added.
        DataError: there are images of one label only; or the real images are themselves a part of a dataset, so that
            the arm would be compared with a baseline of more of them.
    """
    what = "a synthetic-only arm"
    if not added:
        raise UsageError(
            f"{what} has nothing to train on: "
            + (f"--control {REWEIGHT} adds no images" if options.control else f"--percent is {options.percent:g}"),
            "another control, or the control of an arm with real images" if options.control else "a larger --percent",
        )
    labels = {row.label for row in added}
    if len(labels) == 1:
        raise DataError(
            f"{what} needs images of both labels, and all that are added are {labels.pop()}",
            "give images of both labels as --synthetic, such as those of train-gan --arch cgan, and no --label",
        )
    if arms.read_arm_of(real.artifact).settings.real_fraction != 1:
        raise DataError(f"{options.real} is an arm with a share of the real images",
                        "give the whole dataset as --real, and --real-fraction")  # fmt: skip


def _read_generator(options: Augment, drawn: Sequence[Row]) -> str:
    """Return the name of `--generator`.

    Raises:
        UsageError: it is no name, or there are no synthetic images that it could name.
    """
    name = str(options.generator)
    if not is_generator_name(name):
        raise UsageError(
            f"--generator {name!r} is no name", f"give 1 to {MAX_GENERATOR_NAME} printable characters without commas"
        )
    if not (drawn and options.synthetic):
        raise UsageError("--generator names the generator of synthetic images, and there are none", "leave it out")
    return name


def _check_resolution(options: Augment, synthetic: int, real: int) -> None:
    """Check that synthetic images are smaller than real ones, in pixels.

    Raises:
        DataError: they are not, so real images at their size have no lower resolution.
    """
    if synthetic >= real:
        raise DataError(
            f"--control {LOW_RESOLUTION} needs synthetic images that are smaller than the real ones: "
            f"{synthetic_sets.list_paths(options.synthetic)} has {synthetic} px, {options.real} {real} px",
            "--control duplicate repeats real images as they are",
        )


def _class_prior(training: Sequence[Row], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the class counts of training with the drawn images."""
    real = Counter(row.label for row in training)
    return {"prior": {label: real[label] + counts[label] for label in LABELS}}


def _keep_real(real: Dataset, fraction: float, seed: int) -> list[Row]:
    """Return the real rows, with a fraction of the training rows drawn by whole patients.

    Raises:
        DataError: it is an arm that adds something, or a control; or there is nothing to train on.
    """
    if any(row.synthetic for row in real.rows):
        raise DataError(f"{real.path} already holds synthetic images", "give the real dataset as --real")
    if "arm" in real.artifact.result and arms.read_arm(real.artifact).settings.control:
        raise DataError(f"{real.path} is a control", "give the real dataset as --real")
    if not any(row.split == "train" for row in real.rows):
        raise DataError(f"{real.path} has no training images", "see its index.csv")
    return arms.keep_real(real.rows, fraction, seed)


def _draw_images(
    options: Augment, training: Sequence[Row], sets: Sequence[SyntheticSet], real_size: int
) -> DrawnImages:
    """Draw the synthetic images that the arm adds.

    For a control that needs only labels, real rows can replace them.

    Raises:
        UsageError: there is no synthetic set to draw from.
        DataError: one has too few images, or they have no label.
    """
    label, wanted = arms.find_dose(options.percent, options.label, training)
    if wanted == 0:
        return DrawnImages([], real_size)
    if sets:
        return synthetic_sets.draw_images(options, sets, wanted, label)
    if options.control in CONTROLS_FROM_REAL_IMAGES:
        return DrawnImages(controls.duplicate_rows(training, {label or "normal": wanted}, options.seed), real_size)
    raise UsageError(
        f"--percent {options.percent:g} needs --synthetic", "a dataset of xrayaug sample or prepare --synthetic"
    )


def _arm_label(counts: Mapping[str, int], options: Augment) -> str | None:
    """Return the label in the name of the arm: that of the added images, "mixed" or "balance"."""
    if options.label == BALANCE and counts:
        return BALANCE
    return MIXED if len(counts) > 1 else next(iter(counts), None)
