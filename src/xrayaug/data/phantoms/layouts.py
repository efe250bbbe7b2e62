"""The files of a set of phantoms in the layout of RSNA or MURA, before they are drawn."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from xrayaug.data.sources import Record, mura
from xrayaug.errors import UsageError
from xrayaug.options import Phantom

LAYOUT, DRAWING = range(2)  # purposes of random streams
MURA_ROOT = "MURA-v1.1"
RSNA_FIRST_ID = 1377
MURA_ABNORMAL_SHARE = 0.3  # of the studies, as among MURA's hands
MURA_VIEWS = ((1, 0.1), (2, 0.2), (3, 0.6), (4, 0.1))  # images per study, and how often


@dataclass(frozen=True)
class PlannedImage:
    """One image to draw, and its file."""

    file: str
    abnormal: bool
    left: bool


def plan_images(options: Phantom) -> list[PlannedImage]:
    """Return the images to draw, in order.

    Raises:
        UsageError: the layout has no split for testing, but a share was given.
    """
    random = np.random.default_rng((options.seed, LAYOUT))
    if options.layout == "rsna":
        if options.test != Phantom.test:
            raise UsageError("--test does nothing with --layout rsna, which has no split", "leave it out")
        return list(_plan_rsna(options.count, random))
    return list(_plan_mura(options.count, options.test, random))


def _plan_rsna(count: int, random: np.random.Generator) -> Iterator[PlannedImage]:
    """Yield normal left hands; ids rise from RSNA's first with gaps, in the doubled directory of the Kaggle copy."""
    folder = "boneage-training-dataset/boneage-training-dataset"
    for number in RSNA_FIRST_ID + np.cumsum(random.integers(1, 3, count)):
        yield PlannedImage(f"{folder}/{number}.png", abnormal=False, left=True)


def _plan_mura(count: int, test_share: float, random: np.random.Generator) -> Iterator[PlannedImage]:
    """Yield the images of studies of one to four views, of either hand, each of a patient of its own."""
    views, shares = zip(*MURA_VIEWS, strict=True)
    studies: Counter[str] = Counter()
    drawn = 0
    for patient in itertools.count(1):
        split = "valid" if _is_due(test_share, patient) else "train"
        studies[split] += 1
        abnormal = _is_due(MURA_ABNORMAL_SHARE, studies[split])
        left = bool(random.random() < 0.5)
        study = f"study1_{'positive' if abnormal else 'negative'}"
        folder = f"{MURA_ROOT}/{split}/XR_HAND/patient{patient:05}/{study}"
        for view in range(1, min(int(random.choice(views, p=shares)), count - drawn) + 1):
            drawn += 1
            yield PlannedImage(f"{folder}/image{view}.png", abnormal, left)
        if drawn == count:
            return


def _is_due(share: float, number: int) -> bool:
    """Return whether the `number`-th image, from 1, belongs to an evenly spread share; the first always does."""
    return math.ceil(share * number) > math.ceil(share * (number - 1))


def list_records(options: Phantom) -> list[Record]:
    """Return the records that `prepare` would read from a set in MURA's layout, in its order."""
    prefix = f"{MURA_ROOT}/"
    files = [image.file.removeprefix(prefix) for image in plan_images(options)]
    return [mura.make_record(file) for split in mura.SPLITS for file in files if file.startswith(f"{split}/")]
