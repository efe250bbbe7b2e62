"""Permutation test of each measure: are the images of side A worse than real images of side B are by chance?

If the images of A are drawn from the distribution of B, it makes no difference which of them are called A. So the
measure of A against B is compared with those of random partitions of all their images into sets of the same sizes. The
p-value is the share of partitions, the observed one included, whose measure is as bad or worse; at any level the test
rejects with at most that probability if there is no difference (Phipson and Smyth, 2010, Statistical Applications in
Genetics and Molecular Biology 9:39). Images of one patient cannot be exchanged for those of others, so it takes one
image of each patient.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from xrayaug.metrics import frechet, kid, neighbours, prdc
from xrayaug.stats import paired_tests
from xrayaug.stats.array_types import FeatureArray, FloatArray, IndexArray

N_PERMUTATIONS = 199
LEVEL = 0.05  # after Holm's correction over the measures
MAX_IMAGES = 500  # per side: every permutation measures them anew
MIN_IMAGES = 10  # per side, each of another patient
LARGER_IS_WORSE = ("fid", "kid")  # of the other measures smaller values are worse


@dataclass(frozen=True)
class PermutationTest:
    """P-values of the measures of side A against side B."""

    count_a: int  # images of side A, each of another patient
    count_b: int
    p_values: dict[str, float]  # by measure
    permutations: int = N_PERMUTATIONS
    level: float = LEVEL

    @property
    def p_holm(self) -> dict[str, float]:
        """The p-values, corrected for the number of measures (Holm, 1979)."""
        return paired_tests.holm(self.p_values)


def run_test(
    names: tuple[str, ...],
    a: FeatureArray,
    b: FeatureArray,
    random: np.random.Generator,
    groups: tuple[IndexArray, IndexArray] | None = None,
    *,
    after_each: Callable[[], None] = lambda: None,
) -> PermutationTest | None:
    """Test the measures of features `[N, D]` against `[M, D]`; None if there are too few patients.

    Args:
        names: the metrics, as `suite.parse_metrics` returns them.
        a: features of side A.
        b: features of side B, of the same scale: a scale must not depend on which images are of which side.
        random: generator of the images and the permutations.
        groups: numbers of the images' patients, `[N]` and `[M]`; None if each image is of another patient.
        after_each: called after each permutation.
    """
    numbers = groups or (np.arange(len(a)), np.arange(len(b)))
    sides = [side[_draw_one_per_group(each, random)] for side, each in zip((a, b), numbers, strict=True)]
    n, m = (len(side) for side in sides)
    if min(n, m) < MIN_IMAGES:
        return None
    pooled = _PooledImages(names, np.concatenate(sides).astype(np.float64))
    observed = pooled.measure(np.arange(n), np.arange(n, n + m))
    exceeding = dict.fromkeys(observed, 1)
    for _ in range(N_PERMUTATIONS):
        order = random.permutation(n + m)
        for name, value in pooled.measure(order[:n], order[n:]).items():
            worse, better = (value, observed[name]) if name in LARGER_IS_WORSE else (observed[name], value)
            exceeding[name] += worse >= better
        after_each()
    return PermutationTest(n, m, {name: count / (N_PERMUTATIONS + 1) for name, count in exceeding.items()})


def _draw_one_per_group(groups: IndexArray, random: np.random.Generator) -> IndexArray:
    """Return the indices of at most `MAX_IMAGES` images, drawn at random, each of another group."""
    order = random.permutation(len(groups))
    first_of_each = np.sort(np.unique(groups[order], return_index=True)[1])
    return order[first_of_each[:MAX_IMAGES]]


class _PooledImages:
    """The images of both sides, with the products that the measures of any partition are computed from."""

    def __init__(self, names: tuple[str, ...], features: FloatArray) -> None:
        self.features = features  # [N, D]
        centred = features - features.mean(axis=0)
        self.products = centred @ centred.T  # [N, N]
        self.kernel = kid.compute_kernel(features, features) if "kid" in names else None
        self.kernel_sums = 0.0 if self.kernel is None else self.kernel.sum(axis=1)
        self.distances = None
        if "prdc" in names:
            blocks = neighbours.distance_blocks(features, features)
            self.distances = np.concatenate([distances for _, distances in blocks])
            np.fill_diagonal(self.distances, 0.0)

    def measure(self, first: IndexArray, second: IndexArray) -> dict[str, float]:
        """Return the measures of the images `first` against the images `second`."""
        measures = {"fid": self._frechet_distance(first, second)}
        if self.kernel is not None:
            measures["kid"] = self._squared_mmd(self.kernel, first, second)
        if self.distances is not None:
            pairs = ((first, first), (second, second), (first, second))
            measures |= asdict(prdc.prdc_from_distances(*(self.distances[np.ix_(*pair)] for pair in pairs)))
        return measures

    def _frechet_distance(self, first: IndexArray, second: IndexArray) -> float:
        """Return the Fréchet distance; of fewer images than features from their products alone.

        With X and Y the centred features, divided by √(n - 1) and √(m - 1), Tr (C_a C_b)^½ is the sum of the singular
        values of X Y^T, `[n, m]`.
        """
        if self.features.shape[1] < min(len(first), len(second)):
            return frechet.distance(*(frechet.compute_statistics(self.features[each]) for each in (first, second)))
        within = [self.products[np.ix_(each, each)] for each in (first, second)]
        between = self.products[np.ix_(first, second)]
        means = [float(block.mean()) for block in within]
        traces = [
            (float(np.trace(block)) - len(block) * mean) / (len(block) - 1)
            for block, mean in zip(within, means, strict=True)
        ]
        centred = between - between.mean(axis=0) - between.mean(axis=1)[:, None] + between.mean()
        centred /= np.sqrt((len(first) - 1) * (len(second) - 1))
        smaller = centred if len(first) <= len(second) else centred.T
        roots = np.sqrt(np.clip(np.linalg.eigvalsh(smaller @ smaller.T), 0.0, None))
        return sum(means) - 2 * float(between.mean()) + sum(traces) - 2 * float(roots.sum())

    def _squared_mmd(self, kernel: FloatArray, first: IndexArray, second: IndexArray) -> float:
        """Return the unbiased MMD², as `kid.squared_mmd` does."""
        n, m, diagonal = len(first), len(second), np.diagonal(kernel)
        sums = kernel[:, first].sum(axis=1)
        other_sums = self.kernel_sums - sums
        within_first = float(sums[first].sum() - diagonal[first].sum()) / (n * (n - 1))
        within_second = float(other_sums[second].sum() - diagonal[second].sum()) / (m * (m - 1))
        return within_first + within_second - 2 * float(sums[second].sum()) / (n * m)
