"""Which generated images lie nearer to a training image than real ones that were never trained on: a screening.

Pictures are compared at 32 x 32, without brightness and contrast, tolerating mirroring and shifts by half a pixel of
these and by one; features as they are. How near is too near the real ones say: the distances of n reference images to
their nearest training image. Where a generated image is to the training images as a fresh real one is, it lies below
the k-th smallest of these with probability k / (n + 1), and of m such images the number below it is beta-binomial with
parameters m, k and n + 1 - k: unlike the binomial distribution this knows that the threshold is itself a sample.
Exchangeability alone is needed, as in conformal prediction (Vovk et al., 2005). The comparison of generated with fresh
real images' distances to the training set is that of Meehan et al., 2020 (arXiv:2004.05675).
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import betabinom

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import neighbours
from xrayaug.metrics.neighbours import FloatArray, IndexArray, Matrix

IMAGE_SIZE = 64  # pixels that pictures are given at; they are compared at half of that
MAX_SHIFT = 2  # of these, either way
N_VARIANTS = 2 * (2 * MAX_SHIFT + 1) ** 2  # mirrored and shifted
DUPLICATE_DISTANCE = (
    1e-4  # a distance below that is a copy, whatever the reference says: of unit vectors, and of features relative
)

Nearest = tuple[IndexArray, FloatArray]


@dataclass(frozen=True)
class Threshold:
    """The distance below which an image is set aside, from the reference distances."""

    value: float
    k: int  # it is the k-th smallest
    n: int  # of so many

    @property
    def rate(self) -> float:
        """The probability that a fresh real image lies below it."""
        return self.k / (self.n + 1)

    def chance(self, below: int, of: int) -> float:
        """The probability that `below` or more of so many fresh real images lie below it."""
        return float(betabinom.sf(below - 1, of, self.k, self.n + 1 - self.k))


def find_threshold(reference: FloatArray, alpha: float) -> Threshold:
    """The largest order statistic below which a fresh real image lies with probability `alpha` at most.

    Where there are too few for that it is the smallest; `rate` says what that means.
    """
    k = max(1, math.floor(alpha * (len(reference) + 1) + 1e-9))
    return Threshold(float(np.sort(reference)[k - 1]), k, len(reference))


def min_reference_size(alpha: float) -> int:
    """Reference images from which on there is an order statistic for `alpha`."""
    return math.ceil(1 / alpha - 1e-9) - 1


def nearest_images(
    of: Pixels,
    to: Pixels,
    apart: tuple[IndexArray, IndexArray] | None = None,
    after_each: Callable[[], None] = lambda: None,
) -> Nearest:
    """The nearest of pictures uint8 `[M, 64, 64]` to each of `[N, 64, 64]`, mirrored and shifted as fits best.

    The distance is √(2 (1 - r)), r the correlation of the pixels. `apart` is as `neighbours.nearest` takes it;
    `after_each` is called for each of the `N_VARIANTS`.
    """
    there = _vectors(to, 0, 0)
    places, found = np.zeros(len(of), np.int64), np.full(len(of), np.inf)
    shifts = range(-MAX_SHIFT, MAX_SHIFT + 1)
    for picture, down, right in itertools.product((of, of[:, :, ::-1]), shifts, shifts):
        which, distances = _most_alike(_vectors(picture, down, right), there, apart)
        nearer = distances < found
        places[nearer], found[nearer] = which[nearer], distances[nearer]
        after_each()
    return places, found


def nearest_features(of: Matrix, to: Matrix, apart: tuple[IndexArray, IndexArray] | None = None) -> Nearest:
    """The nearest of features `[M, D]` to each of `[N, D]`, in units of the training features' spread about their mean.

    The unit is the root of the mean squared distance from the mean.
    """
    spread = math.sqrt(float(np.var(to, axis=0, dtype=np.float64).sum())) or 1.0
    places, distances = neighbours.nearest(of, to, apart)
    return places, distances / spread


def _most_alike(of: FloatArray, to: FloatArray, apart: tuple[IndexArray, IndexArray] | None) -> Nearest:
    """The nearest of unit vectors `[M, D]` to each of `[N, D]`: that of the largest product.

    It is looked for in single precision, at a third of the time; its distance is in double.
    """
    here, there = of.astype(np.float32), to.astype(np.float32)
    places = np.empty(len(of), np.int64)
    rows = max(1, neighbours.BLOCK_BYTES // (4 * len(to)))
    for start in range(0, len(of), rows):
        products = here[start : start + rows] @ there.T
        if apart is not None:
            products[apart[0][start : start + rows, None] == apart[1]] = -2  # below any product of unit vectors
        places[start : start + rows] = products.argmax(axis=1)
    return places, np.linalg.norm(of - to[places], axis=1)


def _vectors(pictures: Pixels, down: int, right: int) -> FloatArray:
    """The inner part of each picture, moved so far and halved, with mean 0 and length 1, `[N, D]`; of one grey, 0."""
    inner = IMAGE_SIZE - 2 * MAX_SHIFT
    top, left = MAX_SHIFT + down, MAX_SHIFT + right
    moved = pictures[:, top : top + inner, left : left + inner].reshape(len(pictures), inner // 2, 2, inner // 2, 2)
    flat = moved.mean(axis=(2, 4), dtype=np.float64).reshape(len(pictures), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    vectors: FloatArray = flat / np.where(lengths > 0, lengths, 1.0)
    return vectors
