"""Features of real and of synthetic images -> how well a small classifier tells them apart.

Where it can, a network may learn that being synthetic goes with a label, instead of what the label means: a shortcut
(Geirhos et al. 2020, Nature Machine Intelligence 2:665). That the features would serve for one is no proof that the
network takes it. A classifier two-sample test (Lopez-Paz and Oquab 2017, ICLR), by the area under the ROC curve.
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
MIN_GROUPS = 20  # patients or images a side: with fewer, folds hold three or less
RESAMPLES = 1000
RIDGE = 1.0  # penalty, in units of the features' mean variance: features outnumber images
SHORTCUT_AUROC = 0.7  # an area from which on a difference is worth a warning
FOLD_STREAM = 0  # what a random stream is for

FeatureArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TwoSampleResult:
    """How well two sets of images are told apart: the area under the ROC curve, 0.5 where not at all."""

    auroc: float
    low: float
    high: float
    real: int
    synthetic: int

    @property
    def offered(self) -> bool | None:
        """Whether the features would serve for a shortcut; None where the interval leaves it open."""
        if self.low > SHORTCUT_AUROC:
            return True
        return False if self.high < SHORTCUT_AUROC else None


def c2st(real: FeatureArray, synthetic: FeatureArray, groups: Sequence[str], seed: int) -> TwoSampleResult | None:
    """By ridge regression on the features, each image scored by what was fitted to the other folds.

    Images of a group lie in one fold, so that no image is told by another of the same patient. Each fold has its own
    area, and they are averaged, for scores of different fits do not compare (Airola et al. 2011, Computational
    Statistics and Data Analysis 55:1828). The interval is the percentile bootstrap's over groups, of 95 %, with the
    fits as they are.

    Args:
        real: `[N, D]`.
        synthetic: `[M, D]`.
        groups: `[N]`, the patient of each real image; a synthetic image is a group of its own.
        seed: of the folds and the resamples.

    Returns:
        None where a side has fewer than `MIN_GROUPS` images, or the real one fewer than as many groups.
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
    """The fold of each image `[N]`: the groups of either side dealt out in a seeded order, the largest first."""
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
    """Each image's score `[N]` by a fit to the other folds."""
    scored = np.empty(len(labels))
    for each in range(FOLDS):
        out = fold == each
        scored[out] = _fitted(features[~out], labels[~out], features[out])
    return scored


def _fitted(known: FloatArray, labels: Labels, asked: FloatArray) -> FloatArray:
    """Ridge regression's scores of `asked` `[M, D]`, in the dual: as many unknowns as images (Saunders et al. 1998)."""
    mean, spread = known.mean(axis=0), known.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    here, there = (known - mean) / spread, (asked - mean) / spread
    kernel = here @ here.T / here.shape[1]
    target = labels - labels.mean()
    weights = np.linalg.solve(kernel + RIDGE * np.eye(len(kernel)), target)
    scored: FloatArray = there @ (here.T @ weights)
    return scored


def _area(labels: Labels, scored: FloatArray, fold: Labels, counts: Counts) -> FloatArray:
    """The mean over folds of the area under the ROC curve, of each resample `[B]`."""
    members = [fold == each for each in range(FOLDS)]
    areas = np.stack([bootstrap.auroc(labels[of], scored[of], counts[:, of]) for of in members])
    mean: FloatArray = areas.mean(axis=0)
    return mean
