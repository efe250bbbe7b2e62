"""The share of malformed images: those that resemble no real image, as far as features tell.

An image counts as malformed if its distance to the nearest real training image, in features, is larger than a limit
that 95 % of the real training images keep, each compared with the images of other patients. This is one-class
classification by the nearest neighbour (Tax 2001, One-class classification, section 3.4.2). The rule marks 5 % of real
images by its construction, so a share near 5 % says that the synthetic images are no odder than real ones. It does not
see an image that resembles a real one in all but a detail; docs/explanation/generators.md has how far it agrees with a
person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xrayaug.data.images import contact_sheets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError
from xrayaug.metrics import neighbours
from xrayaug.stats import proportions
from xrayaug.stats.array_types import FloatArray, Matrix

REAL_SHARE = 0.05  # of the real images that the rule marks
MIN_PATIENTS = 20  # with real training images: fewer have no image in their outer 5 %
SHOWN = 100  # images of `PICTURE_FILE`
PICTURE_FILE = "malformed.png"
COLUMNS = ("distance", "malformed")  # of the index


@dataclass(frozen=True)
class MalformedImages:
    """Distances of synthetic images to the nearest real one, and the limit above which an image is malformed."""

    features: str  # name of the features
    distances: FloatArray  # [N]
    limit: float

    @cached_property
    def is_malformed(self) -> npt.NDArray[np.bool_]:
        """Whether each image counts as malformed, `[N]`."""
        return self.distances > self.limit

    def index_columns(self) -> list[dict[str, str]]:
        """Return the extra index columns of each image: its distance, and whether that is above the limit."""
        return [
            dict(zip(COLUMNS, (f"{distance:.6g}", "yes" if marked else "no"), strict=True))
            for distance, marked in zip(self.distances, self.is_malformed, strict=True)
        ]

    def summary(self) -> dict[str, Any]:
        """Return the entry in the result."""
        count, images = int(self.is_malformed.sum()), len(self.distances)
        low, high = proportions.exact_interval(count, images)
        return {
            "features": self.features,
            "images": count,
            "share": count / images,
            "low": low,
            "high": high,
            "real_share": REAL_SHARE,
            "limit": self.limit,
        }

    def write(self, directory: Path, images: Pixels) -> None:
        """Write a contact sheet of the malformed ones of images `[N, H, W]`, the farthest first, if there are any."""
        farthest = np.argsort(-self.distances, kind="stable")[: int(self.is_malformed.sum())][:SHOWN]
        if len(farthest):
            sheet = contact_sheets.make_grid(images[farthest])
            contact_sheets.save_png(directory / PICTURE_FILE, sheet)


def find_malformed(name: str, features: Matrix, real: Matrix, patients: Sequence[str]) -> MalformedImages:
    """Find the synthetic images that resemble no real one.

    Args:
        name: of the features.
        features: of the synthetic images, `[N, D]`.
        real: of the real training images, `[M, D]`.
        patients: of the real images, `[M]`; an image without one counts as a patient of its own.

    Raises:
        DataError: the real images are of fewer than `MIN_PATIENTS` patients.
    """
    groups = np.unique([patient or f"\0{place}" for place, patient in enumerate(patients)], return_inverse=True)[1]
    if groups.max() + 1 < MIN_PATIENTS:
        raise DataError(
            f"--malformed needs real training images of {MIN_PATIENTS} patients or more, and the generator learnt "
            f"from those of {groups.max() + 1}",
            "leave it out",
        )
    _, real_distances = neighbours.nearest(real, real, (groups, groups))
    _, distances = neighbours.nearest(features, real)
    return MalformedImages(name, distances, float(np.quantile(real_distances, 1 - REAL_SHARE)))
