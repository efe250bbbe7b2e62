"""How good generated features are, and how much of the real ones they reach: told apart, which one distance cannot.

The manifold of a set is the union of balls, one about each of its features, that reach its k-th nearest other.

- precision: share of the generated images within the real manifold; recall: share of the real ones within the
  generated manifold (Kynkäänniemi et al., 2019, arXiv:1904.06991).
- density: how many real balls a generated image lies in, over k, which an outlier among the real ones raises little;
  coverage: share of the real images whose ball holds a generated one (Naeem et al., 2020, arXiv:2002.09797).
"""

from dataclasses import asdict, dataclass

import numpy as np

from xrayaug.errors import DataError
from xrayaug.metrics import neighbours
from xrayaug.metrics.neighbours import Matrix

K_PRECISION, K_DENSITY = 3, 5  # the papers' own
MIN_IMAGES = K_DENSITY + 1  # images of a side


@dataclass(frozen=True)
class PrecisionRecall:
    """The four measures; each is 1 at its best but for density, which has no bound."""

    precision: float
    recall: float
    density: float
    coverage: float

    def named(self) -> dict[str, float]:
        """By their names."""
        return asdict(self)


def compute_prdc(
    generated: Matrix, real: Matrix, k_precision: int = K_PRECISION, k_density: int = K_DENSITY
) -> PrecisionRecall:
    """The four measures of generated features `[N, D]` against real ones `[M, D]`.

    Raises:
        DataError: a side has too few images for its k-th neighbour.
    """
    least = max(k_precision, k_density) + 1
    if min(len(generated), len(real)) < least:
        raise DataError(
            f"{min(len(generated), len(real))} images are too few for precision and recall",
            f"at least {least} are needed",
        )
    real_radii, wide_radii = neighbours.kth_squared_distances(real, k_precision, k_density)
    (generated_radii,) = neighbours.kth_squared_distances(generated, k_precision)
    within, recalled, inside, covered = 0, np.zeros(len(real), bool), 0, np.zeros(len(real), bool)
    for rows, distances in neighbours.distance_blocks(generated, real):  # [n, M]
        within += int((distances <= real_radii).any(axis=1).sum())
        recalled |= (distances <= generated_radii[rows, None]).any(axis=0)
        balls = distances <= wide_radii
        inside += int(balls.sum())
        covered |= balls.any(axis=0)
    return PrecisionRecall(
        precision=within / len(generated),
        recall=float(recalled.mean()),
        density=inside / (k_density * len(generated)),
        coverage=float(covered.mean()),
    )
