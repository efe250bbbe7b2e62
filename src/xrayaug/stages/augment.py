"""Make an arm: a dataset with a measured dose of synthetic images, or a control of the same size."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xrayaug.data import arms, controls, dataset
from xrayaug.data.arms import BALANCE, DUPLICATE, LOW_RESOLUTION, MIXED, MORE_REAL, REWEIGHT
from xrayaug.data.dataset import LABELS, Dataset, Row, open_dataset, reference_row
from xrayaug.data.images import arrays, classical
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.data.parsing import image_files
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.options import Augment
from xrayaug.runtime import console
from xrayaug.runtime.console import Table
from xrayaug.storage import artifacts, builder
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import NEAREST_PAIRS_FILE

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
    if options.synthetic is not None:
        _refuse_foreign_images(options.synthetic)  # before its digest is asked for, which a folder does not have
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
    notes = [f"real training images kept: {arm['real']:,} ({arm['real_fraction']:.0%})",
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
    kept = _keep_real(real, options.real_fraction, options.seed)
    training = [row for row in kept if row.split == "train"]
    quarantined = _read_quarantined(options)
    left_out = set() if options.keep_copies else quarantined
    drawn, drawn_size = _draw_images(options, training, left_out, real.size)
    if options.control == LOW_RESOLUTION and drawn:
        _check_resolution(options, drawn_size, real.size)
    counts = Counter(row.label for row in drawn)
    left_out_rows = arms.list_left_out(real.rows, kept) if options.control == MORE_REAL else []
    added, changed = _select_added(drawn, options, training, left_out_rows)
    rows = [reference_row(row, "real") for row in kept] + added
    added_size = drawn_size if options.control in (None, "shuffle", LOW_RESOLUTION) else real.size
    result = {
        "arm": {
            "percent": options.percent,
            "real_fraction": options.real_fraction,
            "label": _arm_label(counts, options),
            "added": len(added),
            "real": len(training),
            "control": options.control,
            **(_class_prior(training, counts) if options.control == REWEIGHT else {}),
        },
        "counts": dataset.count_images(rows),
        "size": real.size,
        **({"added_size": added_size} if added_size != real.size else {}),
        "split_by": real.split_by,
        **({"copies": {"quarantined": len(quarantined), "left_out": len(left_out)}} if options.copies else {}),
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


def _check_resolution(options: Augment, synthetic: int, real: int) -> None:
    """Check that synthetic images are smaller than real ones, in pixels.

    Raises:
        DataError: they are not, so real images at their size have no lower resolution.
    """
    if synthetic >= real:
        raise DataError(
            f"--control {LOW_RESOLUTION} needs synthetic images that are smaller than the real ones: "
            f"{options.synthetic} has {synthetic} px, {options.real} {real} px",
            "--control duplicate repeats real images as they are",
        )


def _class_prior(training: Sequence[Row], counts: Mapping[str, int]) -> dict[str, Any]:
    """Return the class counts of training with the drawn images."""
    real = Counter(row.label for row in training)
    return {"prior": {label: real[label] + counts[label] for label in LABELS}}


def _read_quarantined(options: Augment) -> set[int]:
    """Return the indices of the synthetic images that `copies` quarantined.

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
    screening = artifacts.open_artifact(options.copies, "copies")
    screened = screening.manifest["inputs"].get("synthetic", {}).get("sha256")
    if screened != artifacts.digest(options.synthetic):
        raise DataError(
            f"{options.copies} is of another synthetic set than {options.synthetic}",
            f"xrayaug copies {options.synthetic} --real ...",
        )
    if screening.get(str, "result", "verdict", among=("pass", "fail")) == "fail":
        pairs = options.copies / NEAREST_PAIRS_FILE
        console.warning(f"{options.synthetic} failed the screening for copies: see {pairs}")
    images = screening.get(list, "result", "quarantined")
    if not all(isinstance(image, int) for image in images):
        raise ArtifactError(
            f"{options.copies}: result.quarantined of its manifest holds a value that is not an image number",
            f"delete {options.copies} and run xrayaug copies again",
        )
    return set(images)


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
    options: Augment, training: Sequence[Row], left_out: set[int], real_size: int
) -> tuple[list[Row], int]:
    """Draw the synthetic images that the arm adds, and return their rows and their size in pixels.

    For a control that needs only labels, real rows can replace them.

    Raises:
        UsageError: there is no synthetic set to draw from.
        DataError: it has too few images, or they have no label.
    """
    label, wanted = arms.find_dose(options.percent, options.label, training)
    if wanted == 0:
        return [], real_size
    if options.synthetic is not None:
        return _draw(options, options.synthetic, wanted, label, left_out)
    if options.control in CONTROLS_FROM_REAL_IMAGES:
        return controls.duplicate_rows(training, {label or "normal": wanted}, options.seed), real_size
    raise UsageError(f"--percent {options.percent:g} needs --synthetic", "a dataset that xrayaug sample wrote")


def _refuse_foreign_images(path: Path) -> None:
    """Refuse a folder of images as synthetic images, because its generator and training images are unknown.

    Raises:
        DataError: it is one.
    """
    if (
        not artifacts.is_artifact(path)
        and path.is_dir()
        and any(image_files.has_image_suffix(f.name) for f in path.rglob("*"))
    ):
        raise DataError(
            f"{path} is a folder of images: images of other generators cannot be added, only what xrayaug sample drew",
            "the checks for leaks follow a generator to the images that it learnt from",
        )


def _draw(options: Augment, path: Path, wanted: int, label: str | None, left_out: set[int]) -> tuple[list[Row], int]:
    """Draw the first `wanted` synthetic images in a seeded order, without replacement, so that arms nest.

    Images that are left out do not change the order of the others. The size of all images is returned too.
    """
    _refuse_foreign_images(path)
    data = open_dataset(path, options.local_cache)
    rows = data.select(synthetic=True)
    quarantined_places = {(row.image, row.row) for image, row in enumerate(rows) if image in left_out}
    synthetic = _candidates(rows, label, must_match=options.label == BALANCE)
    order = [
        place
        for place in arms.draw_order(len(synthetic), options.seed)
        if (synthetic[place].image, synthetic[place].row) not in quarantined_places
    ]
    if wanted > len(order):
        offered = f"{len(order)}" if label is None else f"{len(order)} to take for {label}"
        without = f", without those that {options.copies} sets aside" if quarantined_places else ""
        raise DataError(
            f"--percent {options.percent:g} asks for {wanted} synthetic images, {path} holds {offered}{without}",
            f"sample at least {wanted + len(synthetic) - len(order)}",
        )
    return [_reference_synthetic(synthetic[place], label, path) for place in order[:wanted]], data.size


def _candidates(rows: list[Row], label: str | None, *, must_match: bool) -> list[Row]:
    """Return the synthetic images to draw from: those of the wanted label, if the set was sampled with both labels.

    Otherwise return all images, which then get the label, unless `must_match` is set.
    """
    if label is None or not (must_match or {row.label for row in rows} == set(LABELS)):
        return rows
    return [row for row in rows if row.label == label]


def _arm_label(counts: Mapping[str, int], options: Augment) -> str | None:
    """Return the label in the name of the arm: that of the added images, "mixed" or "balance"."""
    if options.label == BALANCE and counts:
        return BALANCE
    return MIXED if len(counts) > 1 else next(iter(counts), None)


def _reference_synthetic(row: Row, label: str | None, path: Path) -> Row:
    if not (label or row.label):
        raise DataError(
            f"the images of {path} bear no label: their generator learnt both",
            "say what they are with --label, or train-gan --only-label normal",
        )
    return reference_row(row, "synthetic", label=label or row.label)
