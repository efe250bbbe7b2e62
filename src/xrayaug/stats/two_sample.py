"""Classifier two-sample test: how well a small classifier separates features of real and synthetic images.

If it can, a network may learn that synthetic images have one label, instead of what the label means: a shortcut
(Geirhos et al. 2020, Nature Machine Intelligence 2:665). Features that allow a shortcut are no proof that the
network uses it. A classifier two-sample test (Lopez-Paz and Oquab 2017, ICLR), by the area under the ROC curve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xrayaug.stats import bootstrap
from xrayaug.stats.array_types import FeatureArray, FloatArray
from xrayaug.stats.bootstrap import Counts
from xrayaug.stats.classification import Labels
from xrayaug.stats.intervals import ALPHA

FOLDS = 5
MIN_GROUPS = 20  # patients or images per side: with fewer, folds hold three or less
RESAMPLES = 1000
RIDGE = 1.0  # penalty, in units of the features' mean variance: features outnumber images
SHORTCUT_AUROC = 0.7  # areas above this one give a warning
FOLD_STREAM = 0  # number of the random stream of the folds


@dataclass(frozen=True)
class TwoSampleResult:
    """Separability of two sets of images: the area under the ROC curve, 0.5 for none, with its interval."""

    auroc: float
    low: float
    high: float
    real: int
    synthetic: int

    @property
    def has_shortcut(self) -> bool | None:
        """True if the features allow a shortcut, None if the interval includes `SHORTCUT_AUROC`."""
        if self.low > SHORTCUT_AUROC:
            return True
        return False if self.high < SHORTCUT_AUROC else None


def c2st(
    real: FeatureArray,
    synthetic: FeatureArray,
    groups: Sequence[str],
    seed: int,
    synthetic_groups: Sequence[str] | None = None,
) -> TwoSampleResult | None:
    """Classifier two-sample test by cross-validated ridge regression on the features.

    Images of a group lie in one fold, so that no patient is in both parts of a split. Each fold has its own
    area, and they are averaged, as scores of different fits are not comparable (Airola et al. 2011, Computational
    Statistics and Data Analysis 55:1828). The interval is the percentile bootstrap's over groups, of 95 %, with the
    fits as they are.

    Args:
        real: `[N, D]`.
        synthetic: `[M, D]`.
        groups: `[N]`, the patient of each real image; an empty name is a group of its own.
        seed: seed of the folds and the resamples.
        synthetic_groups: `[M]`, likewise of each synthetic image; None if each is a group of its own.

    Returns:
        The result; None if there are fewer than `MIN_GROUPS` groups of either kind.
    """
    others = np.arange(len(synthetic)) if synthetic_groups is None else bootstrap.encode_groups(synthetic_groups)
    group_ids = np.concatenate([bootstrap.encode_groups(groups), len(real) + others])
    labels = np.repeat([0, 1], [len(real), len(synthetic)])
    if min(len(np.unique(group_ids[labels == kind])) for kind in (0, 1)) < MIN_GROUPS:
        return None
    fold = _assign_folds(group_ids, labels, seed)
    scores = _cross_validate(np.concatenate([real, synthetic]).astype(np.float64), labels, fold)
    patients = np.unique(group_ids, return_inverse=True)[1]
    counts = bootstrap.draw_resamples(patients, RESAMPLES, seed)
    drawn = _mean_auroc(labels, scores, fold, counts)
    low, high = np.nanquantile(drawn, (ALPHA / 2, 1 - ALPHA / 2))
    value = _mean_auroc(labels, scores, fold, np.ones((1, len(labels))))[0]
    return TwoSampleResult(float(value), float(low), float(high), len(real), len(synthetic))


def _assign_folds(groups: Labels, labels: Labels, seed: int) -> Labels:
    """Return each image's fold `[N]`: the groups of each kind are assigned in a seeded order, the largest first."""
    random = np.random.default_rng([seed, FOLD_STREAM])
    fold = np.empty(len(groups), np.int64)
    for label in (0, 1):
        names, sizes = np.unique(groups[labels == label], return_counts=True)
        order = random.permutation(len(names))
        fold_sizes = np.zeros(FOLDS, np.int64)
        for place in order[np.argsort(-sizes[order], kind="stable")]:
            smallest = int(np.argmin(fold_sizes))
            fold[groups == names[place]] = smallest
            fold_sizes[smallest] += sizes[place]
    return fold


def _cross_validate(features: FloatArray, labels: Labels, fold: Labels) -> FloatArray:
    """Return each image's score `[N]` by a fit to the other folds."""
    scores = np.empty(len(labels))
    for each in range(FOLDS):
        out = fold == each
        scores[out] = _fit_and_predict(features[~out], labels[~out], features[out])
    return scores


def _fit_and_predict(train_features: FloatArray, labels: Labels, test_features: FloatArray) -> FloatArray:
    """Return ridge regression's scores of `test_features` `[M, D]`, solved in the dual form (Saunders et al. 1998)."""
    mean, spread = train_features.mean(axis=0), train_features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    train, test = (train_features - mean) / spread, (test_features - mean) / spread
    kernel = train @ train.T / train.shape[1]
    target = labels - labels.mean()
    weights = np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), target)
    scores: FloatArray = test @ (train.T @ weights)
    return scores


def _mean_auroc(labels: Labels, scores: FloatArray, fold: Labels, counts: Counts) -> FloatArray:
    """Return the mean over folds of the area under the ROC curve, of each resample `[B]`."""
    members = [fold == each for each in range(FOLDS)]
    areas = np.stack([bootstrap.auroc(labels[member], scores[member], counts[:, member]) for member in members])
    mean: FloatArray = areas.mean(axis=0)
    return mean
