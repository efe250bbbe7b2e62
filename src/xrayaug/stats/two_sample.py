"""Classifier two-sample test: how well a small classifier separates features of real and synthetic images.

If it can, a network may learn that being synthetic goes with a label, instead of what the label means: a shortcut
(Geirhos et al. 2020, Nature Machine Intelligence 2:665). Features that allow a shortcut are no proof that the
network uses it. A classifier two-sample test (Lopez-Paz and Oquab 2017, ICLR), by the area under the ROC curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xrayaug.stats import bootstrap
from xrayaug.stats.bootstrap import Counts, FloatArray
from xrayaug.stats.classification import Labels
from xrayaug.stats.intervals import ALPHA

FOLDS = 5
MIN_GROUPS = 20  # patients or images per side: with fewer, folds hold three or less
RESAMPLES = 1000
RIDGE = 1.0  # penalty, in units of the features' mean variance: features outnumber images
SHORTCUT_AUROC = 0.7  # areas above this one give a warning
FOLD_STREAM = 0  # number of the random stream of the folds

FeatureArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TwoSampleResult:
    """Separability of two sets of images: the area under the ROC curve, 0.5 for none, with its interval."""

    auroc: float
    low: float
    high: float
    real: int
    synthetic: int

    @property
    def offered(self) -> bool | None:
        """True if the features allow a shortcut, None if the interval includes `SHORTCUT_AUROC`."""
        if self.low > SHORTCUT_AUROC:
            return True
        return False if self.high < SHORTCUT_AUROC else None


def c2st(real: FeatureArray, synthetic: FeatureArray, groups: Sequence[str], seed: int) -> TwoSampleResult | None:
    """Classifier two-sample test by cross-validated ridge regression on the features.

    Images of a group lie in one fold, so that no patient is in both parts of a split. Each fold has its own
    area, and they are averaged, as scores of different fits are not comparable (Airola et al. 2011, Computational
    Statistics and Data Analysis 55:1828). The interval is the percentile bootstrap's over groups, of 95 %, with the
    fits as they are.

    Args:
        real: `[N, D]`.
        synthetic: `[M, D]`.
        groups: `[N]`, the patient of each real image; a synthetic image is a group of its own.
        seed: seed of the folds and the resamples.

    Returns:
        The result; None if there are fewer than `MIN_GROUPS` synthetic images or groups of real ones.
    """
    whose = np.concatenate([bootstrap.encode_groups(groups), len(real) + np.arange(len(synthetic))])
    labels = np.repeat([0, 1], [len(real), len(synthetic)])
    if min(len(np.unique(whose[: len(real)])), len(synthetic)) < MIN_GROUPS:
        return None
    fold = _folds(whose, labels, seed)
    scored = _out_of_fold(np.concatenate([real, synthetic]).astype(np.float64), labels, fold)
    patients = np.unique(whose, return_inverse=True)[1]
    counts = bootstrap.draw_resamples(patients, RESAMPLES, seed)
    drawn = _area(labels, scored, fold, counts)
    low, high = np.nanquantile(drawn, (ALPHA / 2, 1 - ALPHA / 2))
    value = _area(labels, scored, fold, np.ones((1, len(labels))))[0]
    return TwoSampleResult(float(value), float(low), float(high), len(real), len(synthetic))


def _folds(groups: Labels, labels: Labels, seed: int) -> Labels:
    """Return each image's fold `[N]`: each side's groups are dealt out in a seeded order, the largest first."""
    random = np.random.default_rng([seed, FOLD_STREAM])
    fold = np.empty(len(groups), np.int64)
    for label in (0, 1):
        names, sizes = np.unique(groups[labels == label], return_counts=True)
        order = random.permutation(len(names))
        held = np.zeros(FOLDS, np.int64)
        for place in order[np.argsort(-sizes[order], kind="stable")]:
            smallest = int(np.argmin(held))
            fold[groups == names[place]] = smallest
            held[smallest] += sizes[place]
    return fold


def _out_of_fold(features: FloatArray, labels: Labels, fold: Labels) -> FloatArray:
    """Return each image's score `[N]` by a fit to the other folds."""
    scored = np.empty(len(labels))
    for each in range(FOLDS):
        out = fold == each
        scored[out] = _fitted(features[~out], labels[~out], features[out])
    return scored


def _fitted(known: FloatArray, labels: Labels, asked: FloatArray) -> FloatArray:
    """Return ridge regression's scores of `asked` `[M, D]`, solved in the dual form (Saunders et al. 1998)."""
    mean, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    here, there = (known - mean) / spread, (asked - mean) / spread
    kernel = here @ here.T / here.shape[1]
    target = labels - labels.mean()
    weights = np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), target)
    scored: FloatArray = there @ (here.T @ weights)
    return scored


def _area(labels: Labels, scored: FloatArray, fold: Labels, counts: Counts) -> FloatArray:
    """Return the mean over folds of the area under the ROC curve, of each resample `[B]`."""
    members = [fold == each for each in range(FOLDS)]
    areas = np.stack([bootstrap.auroc(labels[of], scored[of], counts[:, of]) for of in members])
    mean: FloatArray = areas.mean(axis=0)
    return mean
