"""Arms, the training sets of a study: what manifests record of them, the real images that they keep, their doses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ArmSettings:
    """The training set of an arm: its share of the real images and what was added to them."""

    real_fraction: float
    percent: float  # of synthetic images added
    label: str | None  # of the added images
    added: int  # images
    control: str | None  # what the arm is a control of, if it is one


@dataclass(frozen=True)
class Arm:
    """An arm as a manifest records it."""

    settings: ArmSettings
    prior: Mapping[str, int] | None  # class counts of a reweighted control
    record: Mapping[str, Any]  # JSON object in the manifest, checked


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
    settings = ArmSettings(
        percent=float(artifact.get(float, *keys, "percent", minimum=0, maximum=MAX_PERCENT)),
        real_fraction=float(artifact.get(float, *keys, "real_fraction", minimum=0, maximum=1)),
        label=artifact.get(str, *keys, "label", among=(*LABELS, MIXED, BALANCE)) if added or is_control else None,
        added=added,
        control=control,
    )
    prior = dict(zip(LABELS, prior_counts, strict=True)) if control == REWEIGHT else None
    checked = {name: getattr(settings, name) for name in ("percent", "real_fraction", "label", "added", "control")}
    return Arm(settings, prior, arm | checked | ({} if prior is None else {"prior": prior}))


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
