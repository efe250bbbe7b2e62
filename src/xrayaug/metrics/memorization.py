"""Screening for memorised images: generated images that are nearer to a training image than fresh real images are.

Pictures are compared at 30 x 30 (of 64 x 64, cropped and halved), normalised for brightness and contrast, up to
mirroring and shifts by half a pixel and by one; features are compared as they are. The threshold comes from the
distances of n real reference images to their nearest training image. If a generated image is exchangeable with these,
its distance is below their k-th smallest with probability k / (n + 1), and of m such images the number below it is
beta-binomial with parameters m, k and n + 1 - k. Unlike the binomial distribution this allows for the threshold being
a sample itself. Only exchangeability is assumed, as in conformal prediction (Vovk et al., 2005). Comparing the
distances of generated and of fresh real images to the training set follows Meehan et al., 2020 (arXiv:2004.05675).
"""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import betabinom

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import neighbours
from xrayaug.stats.array_types import FloatArray, IndexArray, Matrix

SPACES = ("pixels", "features")  # in which images are compared
IMAGE_SIZE = 64  # width and height of the pictures; they are compared at half resolution
MAX_SHIFT = 2  # pixels at that size, in each direction
N_VARIANTS = 2 * (2 * MAX_SHIFT + 1) ** 2  # mirrorings times shifts
# A smaller distance is a copy whatever the threshold: of unit vectors in pixels, relative to the spread in features.
DUPLICATE_DISTANCE = 1e-4

Nearest = tuple[IndexArray, FloatArray]  # indices and distances of the nearest images


@dataclass(frozen=True)
class Threshold:
    """Distance below which an image is set aside: an order statistic of the reference distances."""

    value: float
    k: int  # the k-th smallest reference distance
    n: int  # number of reference distances

    @property
    def rate(self) -> float:
        """Probability that a fresh real image lies below the threshold."""
        return self.k / (self.n + 1)

    def tail_probability(self, below: int, count: int) -> float:
        """Return the probability that `below` or more of `count` fresh real images lie below the threshold."""
        return float(betabinom.sf(below - 1, count, self.k, self.n + 1 - self.k))

    def is_exceeded(self, below: int, count: int, level: float) -> bool:
        """Return whether more of `count` images lie below it than of fresh real ones with probability `level`.

        The level is divided among `SPACES`, so that it holds for both comparisons together.
        """
        return self.tail_probability(below, count) < level / len(SPACES)

    def is_above(self, distances: FloatArray) -> npt.NDArray[np.bool_]:
        """Return which distances are too small: below the threshold, or those of duplicates, whatever it is."""
        return (distances < self.value) | (distances < DUPLICATE_DISTANCE)


def find_threshold(reference: FloatArray, alpha: float) -> Threshold:
    """Return the largest order statistic below which a fresh real image lies with probability at most `alpha`.

    With too few reference distances it is the smallest one; see `rate` for its probability.
    """
    k = max(1, math.floor(alpha * (len(reference) + 1) + 1e-9))
    return Threshold(float(np.sort(reference)[k - 1]), k, len(reference))


def min_reference_size(alpha: float) -> int:
    """Return the number of reference images from which on there is an order statistic for `alpha`."""
    return math.ceil(1 / alpha - 1e-9) - 1


def nearest_images(
    queries: Pixels,
    pictures: Pixels,
    groups: tuple[IndexArray, IndexArray] | None = None,
    after_each: Callable[[], None] = lambda: None,
) -> Nearest:
    """Find the nearest of pictures uint8 `[M, 64, 64]` to each query `[N, 64, 64]`, over mirroring and shifts.

    The distance is √(2 (1 - r)), r the correlation of the pixels. `groups` is that of `neighbours.nearest`;
    `after_each` is called for each of the `N_VARIANTS`.

    Returns:
        The nearest picture's index `[N]` and its distance `[N]`.
    """
    vectors = _unit_vectors(pictures, 0, 0)
    indices, smallest = np.zeros(len(queries), np.int64), np.full(len(queries), np.inf)
    for variant, down, right in _variants(queries):
        nearest, distances = _nearest_unit_vectors(_unit_vectors(variant, down, right), vectors, groups)
        is_nearer = distances < smallest
        indices[is_nearer], smallest[is_nearer] = nearest[is_nearer], distances[is_nearer]
        after_each()
    return indices, smallest


def image_distances(queries: Pixels, pictures: Pixels) -> FloatArray:
    """Return the distance of each query uint8 `[N, 64, 64]` to each picture `[M, 64, 64]`, `[N, M]`.

    It is that of `nearest_images`, the smallest over mirroring and shifts, in single precision.
    """
    vectors = _unit_vectors(pictures, 0, 0).astype(np.float32)
    largest = np.full((len(queries), len(pictures)), -1.0, np.float32)
    for variant, down, right in _variants(queries):
        np.maximum(largest, _unit_vectors(variant, down, right).astype(np.float32) @ vectors.T, out=largest)
    distances: FloatArray = np.sqrt(np.maximum(2.0 - 2.0 * largest.astype(np.float64), 0.0))
    return distances


def nearest_features(queries: Matrix, points: Matrix, groups: tuple[IndexArray, IndexArray] | None = None) -> Nearest:
    """Find the nearest of features `[M, D]` to each query `[N, D]`; distances are in units of the points' spread.

    The spread is the root mean squared distance from the points' mean. `groups` is that of `neighbours.nearest`.

    Returns:
        The nearest point's index `[N]` and its distance `[N]`.
    """
    indices, distances = neighbours.nearest(queries, points, groups)
    return indices, distances / _spread(points)


def _variants(queries: Pixels) -> Iterator[tuple[Pixels, int, int]]:
    """Yield the queries mirrored or not, and how far to shift them down and right, in pixels."""
    shifts = range(-MAX_SHIFT, MAX_SHIFT + 1)
    return itertools.product((queries, queries[:, :, ::-1]), shifts, shifts)


def feature_distances(queries: Matrix, points: Matrix, reference: Matrix) -> FloatArray:
    """Return the distance of each query `[N, D]` to each point `[M, D]`, `[N, M]`.

    The unit is the spread of `reference` `[K, D]`, as `nearest_features` has it.
    """
    blocks = [np.sqrt(squared) for _, squared in neighbours.distance_blocks(queries, points)]
    distances: FloatArray = np.concatenate(blocks) / _spread(reference)
    return distances


def _spread(points: Matrix) -> float:
    """Return the root mean squared distance from the points' mean; 1 if they are all equal."""
    return math.sqrt(float(np.var(points, axis=0, dtype=np.float64).sum())) or 1.0


def _nearest_unit_vectors(
    queries: FloatArray, vectors: FloatArray, groups: tuple[IndexArray, IndexArray] | None
) -> Nearest:
    """Find the nearest of unit vectors `[M, D]` to each query `[N, D]`, by the largest dot product.

    The search is in single precision, which takes a third of the time; the distances are in double precision.
    """
    single_queries, single_vectors = queries.astype(np.float32), vectors.astype(np.float32)
    indices = np.empty(len(queries), np.int64)
    rows = max(1, neighbours.BLOCK_BYTES // (4 * len(vectors)))
    for start in range(0, len(queries), rows):
        products = single_queries[start : start + rows] @ single_vectors.T
        if groups is not None:
            products[groups[0][start : start + rows, None] == groups[1]] = -2  # below any dot product of unit vectors
        indices[start : start + rows] = products.argmax(axis=1)
    return indices, np.linalg.norm(queries - vectors[indices], axis=1)


def _unit_vectors(pictures: Pixels, down: int, right: int) -> FloatArray:
    """Return each picture's shifted inner part at half size, with mean 0 and length 1, `[N, D]`; 0 if constant."""
    inner = IMAGE_SIZE - 2 * MAX_SHIFT
    top, left = MAX_SHIFT + down, MAX_SHIFT + right
    moved = pictures[:, top : top + inner, left : left + inner].astype(np.uint16)
    rows = moved[:, ::2] + moved[:, 1::2]  # adding slices takes a tenth of the time of a mean over two axes
    flat = (rows[:, :, ::2] + rows[:, :, 1::2]).reshape(len(pictures), -1) / 4.0
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    vectors: FloatArray = flat / np.where(lengths > 0, lengths, 1.0)
    return vectors
