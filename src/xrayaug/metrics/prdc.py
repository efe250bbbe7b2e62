"""Precision, recall, density and coverage: fidelity and diversity of generated features, measured separately.

The manifold of a set is the union of balls around its features, each with the k-th nearest other on its surface.

- precision: share of the generated images within the real manifold; recall: share of the real ones within the
  generated manifold (Kynkäänniemi et al., 2019, arXiv:1904.06991).
- density: number of real balls that hold a generated image, over k, which is robust to real outliers;
  coverage: share of the real images whose ball holds a generated one (Naeem et al., 2020, arXiv:2002.09797).
"""

from dataclasses import dataclass

import numpy as np

from xrayaug.errors import DataError
from xrayaug.metrics import neighbours
from xrayaug.stats.array_types import FloatArray, Matrix

K_PRECISION, K_DENSITY = 3, 5  # the papers' own
MIN_IMAGES = K_DENSITY + 1  # images per side


@dataclass(frozen=True)
class PrecisionRecall:
    """The four measures; the best value is 1, except for density, which is unbounded."""

    precision: float
    recall: float
    density: float
    coverage: float


def prdc_from_distances(generated: FloatArray, real: FloatArray, between: FloatArray) -> PrecisionRecall:
    """Return the four measures from squared distances, for sets that are measured many times.

    Args:
        generated: distances of the generated images to each other, `[N, N]`.
        real: distances of the real images to each other, `[M, M]`.
        between: distances of the generated images to the real ones, `[N, M]`.
    """
    # The k-th nearest other is at place k, as each image is its own nearest, at place 0.
    ordered = np.partition(real, (K_PRECISION, K_DENSITY), axis=1)
    generated_radii = np.partition(generated, K_PRECISION, axis=1)[:, K_PRECISION]
    is_inside = between <= ordered[:, K_DENSITY]
    return PrecisionRecall(
        precision=float((between <= ordered[:, K_PRECISION]).any(axis=1).mean()),
        recall=float((between <= generated_radii[:, None]).any(axis=0).mean()),
        density=float(is_inside.sum()) / (K_DENSITY * len(generated)),
        coverage=float(is_inside.any(axis=0).mean()),
    )


def compute_prdc(
    generated: Matrix, real: Matrix, k_precision: int = K_PRECISION, k_density: int = K_DENSITY
) -> PrecisionRecall:
    """Return the four measures of generated features `[N, D]` against real ones `[M, D]`.

    Raises:
        DataError: a side has too few images for its k-th neighbour.
    """
    min_images = max(k_precision, k_density) + 1
    if min(len(generated), len(real)) < min_images:
        raise DataError(
            f"{min(len(generated), len(real))} images are too few for precision and recall",
            f"at least {min_images} are needed",
        )
    real_radii, density_radii = neighbours.kth_squared_distances(real, k_precision, k_density)
    (generated_radii,) = neighbours.kth_squared_distances(generated, k_precision)
    precise, density_sum = 0, 0
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows, distances in neighbours.distance_blocks(generated, real):  # [n, M]
        precise += int((distances <= real_radii).any(axis=1).sum())
        recalled |= (distances <= generated_radii[rows, None]).any(axis=0)
        is_inside = distances <= density_radii  # [n, M]
        density_sum += int(is_inside.sum())
        covered |= is_inside.any(axis=0)
    return PrecisionRecall(
        precision=precise / len(generated),
        recall=float(recalled.mean()),
        density=density_sum / (k_density * len(generated)),
        coverage=float(covered.mean()),
    )
