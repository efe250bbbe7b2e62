"""Arms, the trainings of a study: what they are, which of them may be compared, and the doses of their training sets.

An arm is what its `ArmSettings` say: its runs differ in their seed alone. Arms may differ in all of these settings, but
a difference between two of them means something only for some pairs:

- an arm and its baseline (`is_baseline`) start from the same weights and have the same share of the real images, and
  therefore the same ones. The baseline adds nothing, and trains on them at once.
- an arm and its controls (`is_control`) are equal in all but the control, and in the generator where the control adds
  real images. Such a control has the class counts of its arm: it has no generator if they are those of the arms of all
  generators, else that of its own arm (`assign_controls`).

Nothing else may differ in the training of any arms: the options of training are equal but for `FREE_OPTIONS`, and so
are the real images of all arms that have the same share of them. The checks `recipe`, `real images`, `budget` and
`pairing` of an evaluation say whether it is so.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np

from xrayaug.data import splits
from xrayaug.data.dataset import LABELS, Row
from xrayaug.options import choices
from xrayaug.storage.artifacts import Artifact

CONTROLS: tuple[str, ...] = get_args(choices.Control)  # arms of the same size without the effect that is measured
DUPLICATE = "duplicate"  # the control that adds real images again
REWEIGHT = "reweight"  # the control that adds no images
LOW_RESOLUTION = "low-resolution"  # the control that adds real images at the size of the synthetic ones
MORE_REAL = "more-real"  # the control that adds real images which the arm's share of them leaves out
MAX_PERCENT = 1e6  # largest dose of an arm
MAX_IMAGES = 1 << 40  # of a class, a plausibility limit
MIXED = "mixed"  # label of an arm whose added images have both labels
BALANCE = "balance"  # label of an arm whose added images balance the classes
# Schedules of the training: real and added images together; the added ones alone, which are real in some controls;
# first these, then the real ones; first real and added ones together, then the real ones.
SCHEDULES: tuple[str, ...] = get_args(choices.Schedule)
TOGETHER, SYNTHETIC_ONLY, PRETRAIN, MIXED_PRETRAIN = SCHEDULES
PRETRAINED = {SYNTHETIC_ONLY: PRETRAIN, TOGETHER: MIXED_PRETRAIN}  # schedule of a run by that of the one it starts from
WITH_SYNTHETIC = (None, "shuffle")  # arms and controls that have synthetic images
WITH_GENERATOR = (None, "shuffle", LOW_RESOLUTION)  # arms and controls that differ from generator to generator
FREE_OPTIONS = ("epochs", "budget", "weights")  # of training: the check `budget` has the first two, arms the last


@dataclass(frozen=True)
class ArmSettings:
    """What distinguishes arms.

    `generator` and `weights` are None in an evaluation whose arms have one generator, or start from the same weights.
    """

    real_fraction: float  # share of the real training images that the arm and its baseline have
    percent: float  # of synthetic images added
    label: str | None  # of the added images
    added: int  # images
    control: str | None  # what the arm is a control of, if it is one
    schedule: str = field(default=TOGETHER, metadata={"optional": True})  # one of SCHEDULES
    generator: str | None = field(default=None, metadata={"optional": True})  # of the synthetic images
    weights: str | None = field(default=None, metadata={"optional": True})  # initial ones, before any pretraining

    @property
    def is_pretrained(self) -> bool:
        """Whether it is trained in two phases."""
        return self.schedule in (PRETRAIN, MIXED_PRETRAIN)

    @property
    def sorting_key(self) -> tuple[float, float, str, str, int, str, str]:
        """Key that the runs of one arm have in common, and that sorts arms."""
        return (
            self.real_fraction,
            self.percent,
            self.label or "",
            self.control or "",
            SCHEDULES.index(self.schedule),
            self.generator or "",
            self.weights or "",
        )


@dataclass(frozen=True)
class Arm:
    """An arm as a manifest records it."""

    settings: ArmSettings
    prior: Mapping[str, int] | None  # class counts of a reweighted control
    record: Mapping[str, Any]  # JSON object in the manifest, checked
    baseline_images: int | None = None  # training images of the baseline, if the arm has no real ones itself


BASELINE = Arm(  # of a dataset that `augment` did not make
    ArmSettings(real_fraction=1.0, percent=0.0, label=None, added=0, control=None),
    prior=None,
    record={"percent": 0.0, "real_fraction": 1.0, "label": None, "added": 0, "control": None},
)


def is_baseline(one: ArmSettings, of: ArmSettings) -> bool:
    """Return whether an arm is the baseline of another: nothing is added to its real images, which are the same."""
    adds_nothing = one.percent == 0 and one.control is None and one.schedule == TOGETHER
    return adds_nothing and (one.real_fraction, one.weights) == (of.real_fraction, of.weights)


def is_control(one: ArmSettings, of: ArmSettings) -> bool:
    """Return whether an arm is a control of another: it adds equally many images, but not the synthetic ones.

    That of the control `low-resolution` is `duplicate`, which adds the same images at their full resolution. Other
    controls have none.
    """
    kinds = {None: CONTROLS, LOW_RESOLUTION: (DUPLICATE,)}.get(of.control, ())
    same = ("real_fraction", "percent", "schedule", "weights")
    return (
        one.control in kinds
        and all(getattr(one, name) == getattr(of, name) for name in same)
        and one.label in (of.label, None)
        and (one.generator == of.generator or (one.generator is None and one.control not in WITH_GENERATOR))
    )


@dataclass(frozen=True)
class TrainedArm:
    """An arm, and the data that it is trained on."""

    settings: ArmSettings
    counts: Mapping[str, int]  # training images by label, as the loss counts them; of the first of two phases
    drawn_by: str | None  # generator of the synthetic images that it adds, or whose labels it has as a control


def assign_controls(arms: Sequence[TrainedArm]) -> list[ArmSettings]:
    """Return the settings of arms that are evaluated together, with the generators of controls of real images.

    A control has as many images of each label as its arm. One that was made for the images of a generator has none if
    the arms of all generators have these numbers, as it is then a control of all of them. Otherwise it has its own.
    """
    return [replace(each.settings, generator=_find_generator_of(each, arms)) for each in arms]


def _find_generator_of(one: TrainedArm, arms: Sequence[TrainedArm]) -> str | None:
    settings = one.settings
    is_unassigned = settings.control is not None and settings.control not in WITH_GENERATOR and not settings.generator
    if not is_unassigned or one.drawn_by is None:
        return settings.generator
    same = ("real_fraction", "percent", "label", "schedule", "weights")
    others = [
        each
        for each in arms
        if (each.settings.generator or each.drawn_by) not in (None, one.drawn_by)
        and all(getattr(each.settings, name) == getattr(settings, name) for name in same)
    ]
    has_rival = any(each.settings.control == settings.control for each in others)
    is_of_all = all(dict(each.counts) == dict(one.counts) for each in others if each.settings.control is None)
    return settings.generator if is_of_all and not has_rival else one.drawn_by


def leave_out_common(arms: Sequence[ArmSettings]) -> list[ArmSettings]:
    """Return the settings of arms that are evaluated together, without a generator or weights that all have.

    Arms without synthetic images have no generator in either case.
    """
    has_several = len({each.generator for each in arms if each.generator}) > 1
    differ = len({each.weights for each in arms}) > 1
    return [
        replace(each, generator=each.generator if has_several else None, weights=each.weights if differ else None)
        for each in arms
    ]


def name_arm(arm: ArmSettings) -> str:
    """Return the short name of an arm, such as `10`, `10 abnormal`, `10 duplicate` or `10, of 50% of the real images`.

    The defaults (normal images, all real images, trained on together) are left out. A dose that came to no image at
    all, such as that of a balanced set, is `10, adding nothing`.
    """
    label = f" {arm.label}" if arm.label not in (None, "normal") else ""
    if arm.label is None and arm.percent:
        label = ", adding nothing"
    control = f" {arm.control}" if arm.control else ""
    kept = f", of {100 * arm.real_fraction:g}% of the real images" if arm.real_fraction != 1 else ""
    return f"{arm.percent:g}{label}{control}{describe_variant(arm)}{kept}"


def describe_variant(arm: ArmSettings) -> str:
    """Return the schedule, generator and initial weights of an arm to add to its name; empty for the defaults."""
    alone = "synthetic only" if arm.control in (None, "shuffle") else "added images only"
    parts = [
        alone if arm.schedule in (SYNTHETIC_ONLY, PRETRAIN) else "",
        "then real" if arm.is_pretrained else "",
        f"of {arm.generator}" if arm.generator else "",
        f"from {arm.weights}" if arm.weights else "",
    ]
    return "".join(f", {part}" for part in parts if part)


def read_arm(artifact: Artifact) -> Arm:
    """Read the arm in the manifest of an arm or of a run on it.

    Raises:
        ArtifactError: it records none, or an absurd value.
    """
    keys = ("result", "arm")
    arm = artifact.get(dict, *keys)
    added = artifact.get(int, *keys, "added", minimum=0)
    is_control = arm.get("control") is not None
    control = artifact.get(str, *keys, "control", among=CONTROLS) if is_control else None
    prior_counts = (artifact.get(int, *keys, "prior", label, minimum=1, maximum=MAX_IMAGES) for label in LABELS)
    schedule = artifact.get(str, *keys, "schedule", among=SCHEDULES) if "schedule" in arm else TOGETHER
    baseline_images = (
        artifact.get(int, *keys, "baseline_images", minimum=1, maximum=MAX_IMAGES)
        if schedule == SYNTHETIC_ONLY
        else None
    )
    settings = ArmSettings(
        percent=float(artifact.get(float, *keys, "percent", minimum=0, maximum=MAX_PERCENT)),
        real_fraction=float(artifact.get(float, *keys, "real_fraction", minimum=0, maximum=1)),
        label=artifact.get(str, *keys, "label", among=(*LABELS, MIXED, BALANCE)) if added or is_control else None,
        added=added,
        control=control,
        schedule=schedule,
        generator=artifact.get(str, *keys, "generator") if "generator" in arm else None,
    )
    prior = dict(zip(LABELS, prior_counts, strict=True)) if control == REWEIGHT else None
    checked = {name: getattr(settings, name) for name in ("percent", "real_fraction", "label", "added", "control")}
    return Arm(settings, prior, arm | checked | ({} if prior is None else {"prior": prior}), baseline_images)


def read_arm_of(artifact: Artifact) -> Arm:
    """Read the arm in the manifest of a dataset; a dataset that `augment` did not make is a baseline.

    Raises:
        ArtifactError: it records an absurd value.
    """
    return read_arm(artifact) if "arm" in artifact.result else BASELINE


def keep_real(rows: Sequence[Row], fraction: float, seed: int) -> list[Row]:
    """Return the rows of an arm: those of validation and test, and a fraction of training drawn by whole patients."""
    training = [place for place, row in enumerate(rows) if row.split == "train"]
    patients = [rows[place].patient or place for place in training]  # an unknown patient is one of its own
    labels = [rows[place].label for place in training]
    kept = {training[index] for index in splits.draw(patients, labels, fraction, seed)}
    return [row for place, row in enumerate(rows) if row.split != "train" or place in kept]


def list_left_out(rows: Sequence[Row], kept: Sequence[Row]) -> list[Row]:
    """Return the rows that are not among those that an arm keeps."""
    known = {(row.image, row.row) for row in kept}
    return [row for row in rows if (row.image, row.row) not in known]


def round_dose(percent: float, of: int) -> int:
    """Return the number of images to add: `percent` of `of`, the real normal training images in Table 4."""
    return splits.round_share(percent, of, whole=100)


def find_dose(percent: float, label: str | None, training: Sequence[Row]) -> tuple[str | None, int]:
    """Return the label of the images to add to real training rows, None for the one they have, and their number.

    Args:
        percent: of the normal training images; with the label `balance`, of the difference in class size.
        label: as in `augment --label`.
        training: real training rows that the arm keeps.
    """
    counts = Counter(row.label for row in training)
    if label != BALANCE:
        return label, round_dose(percent, counts["normal"])
    rarer = min(LABELS, key=lambda name: counts[name])
    return rarer, round_dose(percent, abs(counts["normal"] - counts["abnormal"]))


def draw_order(count: int, seed: int) -> list[int]:
    """Return the order in which arms draw from so many synthetic images; a smaller dose takes a prefix of a larger."""
    return [int(place) for place in np.random.default_rng(seed).permutation(count)]
