"""The Fréchet distance of two sets of infinite size, extrapolated from samples, with its standard error.

The bias of the distance is proportional to 1 / n, so a line fitted to the distances of subsets of several sizes n over
1 / n has the unbiased distance as intercept (Chong and Forsyth, 2020, arXiv:1911.07023).

The intercept varies for two reasons, whose variances add up. Given the images, it varies with the subsets: the line's
own error, by the estimator HC2 (MacKinnon and White, 1985), since small subsets scatter more than large ones. And the
images are samples: the variance of a smooth function of means and covariances is that of its influence function over n
(the infinitesimal jackknife: Efron, 1982, SIAM). With the optimal transport map T from A to B, the symmetric matrix
with T C_a T = C_b, an image x of A has the influence

    2 (m_a - m_b)·(x - m_a) + (x - m_a)·(I - T)(x - m_a)

less its mean, as I - T is the gradient of the distance by C_a; and so has B with the map from B to A.
"""

from dataclasses import dataclass

import numpy as np

from xrayaug.metrics import frechet
from xrayaug.metrics.frechet import Statistics
from xrayaug.stats.array_types import FloatArray, IndexArray, Matrix

N_POINTS = 15  # sample sizes, as in the paper
MIN_PATIENTS = 4  # per side, for a standard error
SINGULAR = 1e-12  # eigenvalues below this share of the largest one are raised to it


@dataclass(frozen=True)
class ExtrapolatedDistance:
    """The distance extrapolated to sets of infinite size, and the distances it was extrapolated from."""

    value: float
    standard_error: float | None  # over samples of both sides and over subsets; None if there are too few patients
    subset_error: float  # the part over subsets, given the images
    counts: list[int]  # images per side, n
    distances: list[float]


def extrapolate(
    a: Matrix, b: Matrix, random: np.random.Generator, groups: tuple[IndexArray, IndexArray] | None = None
) -> ExtrapolatedDistance | None:
    """Return the distance of features `[N, D]` and `[M, D]` without sample size bias; None if there are too few.

    Both sets are subsampled to n, because both are samples. It takes `N_POINTS` equally spaced n, from a quarter of the
    smaller set to all of it, and only if that quarter is at least twice the number of features: below, covariances are
    nearly singular and the bias is not linear.

    Args:
        a: features of the first side.
        b: features of the second side.
        random: generator of the subsets.
        groups: numbers of the images' patients from 0, `[N]` and `[M]`, for the standard error; None if each image is
            of another patient.
    """
    max_count = min(len(a), len(b))
    if max_count < min_images_for_extrapolation(a.shape[1]):
        return None
    counts = [int(n) for n in np.linspace(max_count // 4, max_count, N_POINTS)]
    distances = [
        frechet.distance(*(frechet.compute_statistics(side[random.permutation(len(side))[:n]]) for side in (a, b)))
        for n in counts
    ]
    line = np.polyfit(1 / np.array(counts), distances, 1)
    subset_variance = _intercept_variance(1 / np.array(counts), np.array(distances))
    sampling_variance = _sampling_variance(a, b, groups or (np.arange(len(a)), np.arange(len(b))))
    error = None if sampling_variance is None else float(np.sqrt(sampling_variance + subset_variance))
    return ExtrapolatedDistance(float(line[1]), error, float(np.sqrt(subset_variance)), counts, distances)


def min_images_for_extrapolation(dims: int) -> int:
    """Return the number of images per side that `extrapolate` needs."""
    return 8 * dims


def _intercept_variance(x: FloatArray, y: FloatArray) -> float:
    """Return the variance of the intercept of the least squares line through `[K]` points, by HC2."""
    design = np.stack([np.ones_like(x), x], axis=1)
    solution = np.linalg.pinv(design)  # [2, K]
    residuals = y - design @ (solution @ y)
    leverages = np.einsum("kp,pk->k", design, solution)
    return float(solution[0] ** 2 @ (residuals**2 / (1 - leverages)))


def _sampling_variance(a: Matrix, b: Matrix, groups: tuple[IndexArray, IndexArray]) -> float | None:
    """Return the variance of the distance over samples of the patients of both sides; None if they are too few."""
    if min(len(np.unique(each)) for each in groups) < MIN_PATIENTS:
        return None
    first, second = frechet.compute_statistics(a), frechet.compute_statistics(b)
    to_second, to_first = _transport_maps(first.covariance, second.covariance)
    return _variance_of_mean(_influences(a, first, second, to_second), groups[0]) + _variance_of_mean(
        _influences(b, second, first, to_first), groups[1]
    )


def _influences(features: Matrix, own: Statistics, other: Statistics, transport: FloatArray) -> FloatArray:
    """Return the influence of each image of a side on the distance, `[N]`, up to a constant."""
    gradient = np.eye(own.dims) - transport
    influences = np.empty(len(features))
    for start in range(0, len(features), frechet.ROWS_AT_ONCE):
        rows = slice(start, start + frechet.ROWS_AT_ONCE)
        centred = features[rows].astype(np.float64) - own.mean
        influences[rows] = 2 * centred @ (own.mean - other.mean)
        influences[rows] += np.einsum("nd,nd->n", centred @ gradient, centred)
    return influences


def _variance_of_mean(values: FloatArray, groups: IndexArray) -> float:
    """Return the variance of the mean of `values` `[N]`, whose groups are independent."""
    numbers = np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(numbers, values - values.mean())
    return float(sums @ sums) / len(values) ** 2 * len(sums) / (len(sums) - 1)


def _transport_maps(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the optimal transport maps between normal distributions of covariances A and B `[D, D]`, both ways.

    The map from A to B is A^-½ (A^½ B A^½)^½ A^-½ (Olkin and Pukelsheim, 1982).
    """
    root, inverse_root = _roots(a)
    middle, inverse_middle = _roots(root @ b @ root)
    return inverse_root @ middle @ inverse_root, root @ inverse_middle @ root


def _roots(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the symmetric root of a positive semi-definite matrix `[D, D]`, and the inverse of the root."""
    values, vectors = np.linalg.eigh(a)
    roots = np.sqrt(np.maximum(values, max(SINGULAR * values[-1], np.finfo(np.float64).tiny)))
    return (vectors * roots) @ vectors.T, (vectors / roots) @ vectors.T
