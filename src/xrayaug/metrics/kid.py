"""Kernel distance (KID) of two sets of features: unbiased, so comparable between sets of different sizes.

The squared maximum mean discrepancy with the kernel k(x, y) = (x · y / D + 1)³ (Bińkowski et al., 2018,
arXiv:1801.01401; Gretton et al., 2012, equation 3):

    MMD² = Σ_{i≠j} k(x_i, x_j) / (m (m - 1)) + Σ_{i≠j} k(y_i, y_j) / (m (m - 1)) - 2 Σ_{i,j} k(x_i, y_j) / m²

averaged over random subsets. It is unbiased, so it can be negative: for equal distributions its mean is 0.

Its standard error is that of a U-statistic over both samples: Hoeffding's decomposition (1948) splits its variance into
a part of single images, which vanishes for equal distributions, and a part of pairs, which remains. Both are estimated
without bias from sums over distinct images, as by Sutherland and Deka (2019, arXiv:1906.02104) for samples of one size;
the plain jackknife would count the part of pairs twice. Images of one patient count as one unit.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from xrayaug.errors import DataError
from xrayaug.stats.array_types import FloatArray, IndexArray, Matrix

N_SUBSETS = 100
MAX_SUBSET_SIZE = 1000
MIN_IMAGES = 4  # images per side: subsets of two
MIN_PATIENTS = 4  # per side, for a standard error: products over four distinct patients
MAX_ERROR_IMAGES = 2000  # images per side that the standard error is estimated from: 32 MB per kernel matrix


@dataclass(frozen=True)
class KernelDistance:
    """The mean over the subsets, with its standard error."""

    value: float
    standard_error: float | None  # over samples of both sides and over the subsets; None if there are too few patients
    subset_sd: float  # standard deviation over the subsets, which is often reported: no standard error of the mean
    subsets: int
    subset_size: int


def distance(
    a: Matrix,
    b: Matrix,
    random: np.random.Generator,
    groups: tuple[IndexArray, IndexArray] | None = None,
    subsets: int = N_SUBSETS,
) -> KernelDistance:
    """Return the kernel distance of features `[N, D]` and `[M, D]`.

    A subset holds 1000 images of each side, or half of the smaller side if that has fewer than 2000: subsets of all
    images would be equal. The squared standard error is the variance of the complete statistic over samples of both
    sides, plus the variance of the mean over the subsets given these samples.

    Args:
        a: features of the first side.
        b: features of the second side.
        random: generator of the subsets.
        groups: numbers of the images' patients from 0, `[N]` and `[M]`; None if each image is of another patient.
        subsets: number of subsets.

    Raises:
        DataError: too few images.
    """
    estimates, size = _estimate_from_subsets(a, b, random, subsets)
    sides = [
        _subsample_patients(side, number, MAX_ERROR_IMAGES, random)
        for side, number in zip((a, b), groups or (np.arange(len(a)), np.arange(len(b))), strict=True)
    ]
    counts = [len(np.unique(number)) for number in groups] if groups else [len(a), len(b)]
    error = None
    if min(len(np.unique(number)) for _, number in sides) >= MIN_PATIENTS:
        variance = _sampling_variance(sides[0], sides[1], (counts[0], counts[1]))
        error = float(np.sqrt(variance + np.var(estimates, ddof=1) / subsets))
    return KernelDistance(float(np.mean(estimates)), error, float(np.std(estimates, ddof=1)), subsets, size)


def mean_over_subsets(a: Matrix, b: Matrix, random: np.random.Generator, subsets: int) -> float:
    """Return the value of `distance` without its standard error.

    Raises:
        DataError: too few images.
    """
    return float(np.mean(_estimate_from_subsets(a, b, random, subsets)[0]))


def _estimate_from_subsets(a: Matrix, b: Matrix, random: np.random.Generator, subsets: int) -> tuple[list[float], int]:
    """Return the unbiased MMD² of each subset, and the subsets' size."""
    n = min(len(a), len(b))
    if n < MIN_IMAGES:
        raise DataError(f"{n} images are too few for a kernel distance", f"at least {MIN_IMAGES} are needed")
    m = min(MAX_SUBSET_SIZE, n // 2)
    return [squared_mmd(*(side[random.permutation(len(side))[:m]] for side in (a, b))) for _ in range(subsets)], m


def squared_mmd(x: Matrix, y: Matrix) -> float:
    """Return the unbiased MMD² of features `[m, D]` and `[n, D]` (Gretton et al., 2012, equation 3)."""
    first, second = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return _mean_of_pairs(first) + _mean_of_pairs(second) - 2 * float(compute_kernel(first, second).mean())


def _mean_of_pairs(x: FloatArray) -> float:
    """Return the mean of the kernel over pairs of different rows."""
    kernel = compute_kernel(x, x)
    return float(kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))


def compute_kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """Return the kernel matrix (x · y / D + 1)³, `[m, n]`."""
    products: FloatArray = x @ y.T / x.shape[1] + 1
    return products * products * products


def _subsample_patients(
    features: Matrix, groups: IndexArray, max_images: int, random: np.random.Generator
) -> tuple[FloatArray, IndexArray]:
    """Return the features of at most `max_images` images, of whole patients, with patients numbered from 0."""
    numbers, sizes = np.unique(groups, return_counts=True)
    if len(features) > max_images:
        order = random.permutation(len(numbers))
        kept = order[np.cumsum(sizes[order]) <= max_images]
        is_kept = np.isin(groups, numbers[kept])
        features, groups = features[is_kept], groups[is_kept]
    return np.asarray(features, np.float64), np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _sampling_variance(
    a: tuple[FloatArray, IndexArray], b: tuple[FloatArray, IndexArray], counts: tuple[int, int]
) -> float:
    """Return the variance of the complete MMD² over samples of `counts` patients.

    For kernels k of patients p of the first and q of the second side, with the main effect
    g(p) = E k(p, P) - E k(p, Q), and likewise of q, and the interactions h of pairs, the variance is

        4 Var g(P) / n + 4 Var g(Q) / m + 2 Var h(P, P') / (n (n - 1)) + 2 Var h(Q, Q') / (m (m - 1))
        + 4 Var h(P, Q) / (n m)

    The first two terms are together at least 0, but their unbiased estimate need not be. The variance returned is at
    least half of the estimate of the others.

    Args:
        a: features `[N, D]` of the first side, and the number of each image's patient from 0, `[N]`.
        b: those of the second side.
        counts: patients of each side in the samples whose variance is returned, n and m.
    """
    (x, groups_x), (y, groups_y) = a, b
    between = _centred_kernel(x, y, groups_x, groups_y, is_same=False)
    first, second = 0.0, 0.0
    for (features, groups), cross, n in (((x, groups_x), between, counts[0]), ((y, groups_y), between.T, counts[1])):
        within = _centred_kernel(features, features, groups, groups, is_same=True)
        main, interaction = _variance_components(within, cross)
        first += 4 * main / n
        second += 2 * interaction / (n * (n - 1))
    second += 4 * _interaction_between(between) / (counts[0] * counts[1])
    return max(first + second, second / 2, 0.0)


def _centred_kernel(
    x: FloatArray, y: FloatArray, groups_x: IndexArray, groups_y: IndexArray, *, is_same: bool
) -> FloatArray:
    """Return the kernel of patients, `[P, Q]`: the sum over pairs of their images of k less its mean, scaled.

    It is divided by the mean numbers of images per patient, so that its scale is that of the kernel of images. With
    `is_same`, pairs within a patient have the kernel 0 and do not count for the mean.
    """
    first, second = (_indicators(groups) for groups in (groups_x, groups_y))
    kernel: FloatArray = first @ compute_kernel(x, y) @ second.T
    sizes = first.sum(axis=1), second.sum(axis=1)
    pairs = float(sizes[0].sum() * sizes[1].sum())
    if is_same:
        np.fill_diagonal(kernel, 0.0)
        pairs -= float(sizes[0] @ sizes[0])
    kernel -= float(kernel.sum()) / pairs * sizes[0][:, None] * sizes[1]
    if is_same:
        np.fill_diagonal(kernel, 0.0)
    kernel /= sizes[0].mean() * sizes[1].mean()
    return kernel


def _indicators(groups: IndexArray) -> sparse.csr_array:
    """Return the matrix that sums over the images of each group, `[G, N]`."""
    return sparse.csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))))


def _variance_components(within: FloatArray, between: FloatArray) -> tuple[float, float]:
    """Return unbiased estimates of Var g and Var h within a side, from sums over distinct patients.

    Args:
        within: kernel of the side's patients, `[P, P]`, 0 on the diagonal.
        between: kernel of its patients and those of the other side, `[P, Q]`.
    """
    n, m = between.shape
    rows, cross = within.sum(axis=1), between.sum(axis=1)
    total, cross_total = float(rows.sum()), float(cross.sum())
    squares, row_squares = float(np.square(within).sum()), float(rows @ rows)
    pairs = n * (n - 1)
    of_pair = squares / pairs  # E k(1, 2)²
    sharing = (row_squares - squares) / (pairs * (n - 2))  # E k(1, 2) k(1, 3)
    mean_squared = (total**2 - 4 * row_squares + 2 * squares) / (pairs * (n - 2) * (n - 3))  # E k(1, 2) k(3, 4)
    cross_squares, all_squares = float(cross @ cross), float(np.square(between).sum())
    columns = between.sum(axis=0)
    column_squares = float(columns @ columns)
    cross_sharing = (cross_squares - all_squares) / (n * m * (m - 1))
    cross_mean = (cross_total**2 - cross_squares - column_squares + all_squares) / (n * (n - 1) * m * (m - 1))
    mixed = float(rows @ cross) / (pairs * m)  # E k(1, 2) k(1, q)
    mixed_mean = (total * cross_total - 2 * float(rows @ cross)) / (pairs * (n - 2) * m)  # E k(1, 2) k(3, q)
    main = (sharing - mean_squared) + (cross_sharing - cross_mean) - 2 * (mixed - mixed_mean)
    return main, of_pair - 2 * sharing + mean_squared


def _interaction_between(kernel: FloatArray) -> float:
    """Return an unbiased estimate of Var h between the sides from their kernel `[P, Q]`."""
    n, m = kernel.shape
    rows, columns, squares = kernel.sum(axis=1), kernel.sum(axis=0), float(np.square(kernel).sum())
    total, row_squares, column_squares = float(rows.sum()), float(rows @ rows), float(columns @ columns)
    by_row = (row_squares - squares) / (n * m * (m - 1))
    by_column = (column_squares - squares) / (n * m * (n - 1))
    mean_squared = (total**2 - row_squares - column_squares + squares) / (n * (n - 1) * m * (m - 1))
    return float(squares / (n * m) - by_row - by_column + mean_squared)
