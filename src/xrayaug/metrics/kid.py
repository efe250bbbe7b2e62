"""Kernel distance (KID) of two sets of features: unbiased, so comparable between sets of different sizes.

The squared maximum mean discrepancy with the kernel k(x, y) = (x · y / D + 1)³ (Bińkowski et al., 2018,
arXiv:1801.01401; Gretton et al., 2012, equation 3):

    MMD² = Σ_{i≠j} k(x_i, x_j) / (m (m - 1)) + Σ_{i≠j} k(y_i, y_j) / (m (m - 1)) - 2 Σ_{i,j} k(x_i, y_j) / m²

averaged over random subsets. It is unbiased, so it can be negative: for equal distributions its mean is 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from xrayaug.errors import DataError
from xrayaug.stats.array_types import FloatArray, Matrix

N_SUBSETS = 100
MAX_SUBSET_SIZE = 1000
MIN_IMAGES = 4  # images per side: subsets of two


@dataclass(frozen=True)
class KernelDistance:
    """The mean over the subsets, and its standard error."""

    value: float
    standard_error: float
    subsets: int
    subset_size: int


def distance(a: Matrix, b: Matrix, random: np.random.Generator, subsets: int = N_SUBSETS) -> KernelDistance:
    """Return the kernel distance of features `[N, D]` and `[M, D]`.

    A subset holds 1000 images of each side, or half of the smaller side if that has fewer than 2000: subsets of all
    images would be equal, and their deviation no measure of error. The standard error is that of the delete-d
    jackknife with d = n - m of n images (Shao and Wu, 1989): the subsets' deviation times √(m / (n - m)).

    Raises:
        DataError: too few images.
    """
    n = min(len(a), len(b))
    if n < MIN_IMAGES:
        raise DataError(f"{n} images are too few for a kernel distance", f"at least {MIN_IMAGES} are needed")
    m = min(MAX_SUBSET_SIZE, n // 2)
    estimates = [squared_mmd(*(side[random.permutation(len(side))[:m]] for side in (a, b))) for _ in range(subsets)]
    error = float(np.std(estimates, ddof=1)) * math.sqrt(m / (n - m))
    return KernelDistance(float(np.mean(estimates)), error, subsets, m)


def squared_mmd(x: Matrix, y: Matrix) -> float:
    """Return the unbiased MMD² of features `[m, D]` and `[n, D]` (Gretton et al., 2012, equation 3)."""
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2 * float(_kernel(first, second).mean())


def _mean_of_pairs(x: FloatArray) -> float:
    """Return the mean of the kernel over pairs of different rows."""
    kernel = _kernel(x, x)
    return float(kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the kernel matrix (x · y / D + 1)³, `[m, n]`."""
    products: FloatArray = x @ y.T / x.shape[1] + 1
    return products * products * products
