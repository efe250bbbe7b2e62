"""Features on one scale: less the mean of a reference set, and divided by its standard deviation.

A Fréchet distance, a kernel and a nearest neighbour weigh each feature by its spread. The features of a layer of a
network share a scale; those of `radiomics` do not: an energy is a billion times an entropy. So Konz et al. (2024,
arXiv:2412.01496) divide each by its deviation in the reference set, and so does this module, for the kinds of features
that ask for it. Features and statistics are cached as they were computed, whatever they are compared with: the mean and
covariance of the scaled features follow from those of the features.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from xrayaug.errors import DataError
from xrayaug.metrics import extractors, frechet
from xrayaug.metrics.frechet import Statistics
from xrayaug.stats.array_types import FeatureArray, FloatArray

# A deviation below this share of the mean is rounding: the feature is constant in the reference set.
MIN_RELATIVE_DEVIATION = 1e-6


@dataclass(frozen=True)
class FeatureScaler:
    """Scaling by the mean `[D]` and the factor `[D]`, 1 / deviation, of a reference set; None for no scaling.

    A feature that is constant in the reference set has no scale. Its factor is 0, so that it does not count, as in the
    paper.
    """

    mean: FloatArray | None = None
    factor: FloatArray | None = None

    @classmethod
    def fit(cls, kind: str, reference: Statistics | FeatureArray) -> Self:
        """Return the scaling of features of a kind (`origin["features"]`) by a reference set.

        Args:
            kind: the kind of features.
            reference: the reference set's statistics, or its features `[N, D]`.

        Raises:
            DataError: every feature is constant in the reference set, so that there is no scale.
        """
        if not extractors.is_scaled(kind):
            return cls()
        statistics = reference if isinstance(reference, Statistics) else frechet.compute_statistics(reference)
        deviation = np.sqrt(np.diagonal(statistics.covariance))
        varies = deviation > MIN_RELATIVE_DEVIATION * np.abs(statistics.mean)
        if not varies.any():
            raise DataError(
                f"all {kind} features are equal in all images of the reference set, which leaves nothing to compare by",
                "give reference images that differ",
            )
        return cls(statistics.mean, np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies))

    def transform(self, features: FeatureArray) -> FeatureArray:
        """Return features `[N, D]` on the scale of the reference set."""
        if self.mean is None or self.factor is None:
            return features
        return ((features - self.mean) * self.factor).astype(np.float32)

    def transform_statistics(self, statistics: Statistics) -> Statistics:
        """Return the statistics that scaled features would have.

        Raises:
            DataError: there are other features than the reference set has.
        """
        if self.mean is None or self.factor is None:
            return statistics
        frechet.check_dims(len(self.mean), statistics.dims)
        return replace(
            statistics,
            mean=(statistics.mean - self.mean) * self.factor,
            covariance=statistics.covariance * self.factor[:, None] * self.factor,
        )
