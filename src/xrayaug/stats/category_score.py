"""How well categories, such as the scanner of an image, tell its label: a score by cross-validation over patients.

An image's score is the log odds of the label among the training images of its category (target encoding; Micci-Barreca
2001, SIGKDD Explorations 3:27), summed over several kinds of category as in naive Bayes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xrayaug.stats import bootstrap
from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.classification import Labels

FOLDS = 5
RESAMPLES = 1000
MIN_PATIENTS = 20  # of either label: with fewer, folds hold three or less
MAX_IMAGES = 5000  # more are sampled, by whole patients
COVERAGE = 0.95  # of the intervals
SMOOTHING = 1.0  # weight, in images, of the share of the label among all training images
ORDER_STREAM = 7  # number of the random stream of the order of the patients


@dataclass(frozen=True)
class CategoryScore:
    """The area under the ROC curve, 0.5 if categories tell nothing, with its interval of 95 %."""

    auroc: float
    low: float
    high: float
    images: int
    patients: int


def score_categories(
    categories: Sequence[Sequence[str]], labels: Labels, patients: Sequence[str], seed: int, comparisons: int = 1
) -> CategoryScore | None:
    """Score how well categories tell the label.

    The images of a patient are in one of `FOLDS` folds. Each fold has its own area by scores of one fit, and the areas
    are averaged: scores of different fits are not comparable (Airola et al. 2011, Computational Statistics and Data
    Analysis 55:1828). The interval is that of the percentile bootstrap over patients, with the fits as they are.

    Args:
        categories: for each kind of category, those of the images, `[K][N]`.
        labels: `[N]`, 0 or 1.
        patients: `[N]`; images with an empty name are patients of their own.
        seed: seed of the folds and the resamples.
        comparisons: number of scores that are looked at together; intervals are widened for it (Bonferroni).

    Returns:
        The score; None with fewer than `MIN_PATIENTS` patients of either label, or one category alone.
    """
    groups = bootstrap.encode_groups(patients)
    order = np.random.default_rng([seed, ORDER_STREAM]).permutation(int(groups.max(initial=-1)) + 1)
    kept = _sample(groups, order)
    codes = [np.unique(np.asarray(kind, object).astype(str)[kept], return_inverse=True)[1] for kind in categories]
    labels, groups = labels[kept], np.unique(groups[kept], return_inverse=True)[1]
    if max((int(code.max(initial=0)) for code in codes), default=0) == 0 or len(np.unique(labels)) < 2:
        return None
    if bootstrap.min_class_patients(labels, groups) < MIN_PATIENTS:
        return None
    fold = _assign_folds(groups, labels, seed)
    scores = np.empty(len(labels))
    for each in range(FOLDS):
        out = fold == each
        scores[out] = sum((_log_odds(code[~out], labels[~out], code[out]) for code in codes), np.zeros(out.sum()))
    counts = bootstrap.draw_resamples(groups, RESAMPLES, seed)
    tail = (1 - COVERAGE) / 2 / comparisons
    low, high = np.nanquantile(_mean_auroc(labels, scores, fold, counts), (tail, 1 - tail))
    value = _mean_auroc(labels, scores, fold, np.ones((1, len(labels))))[0]
    return CategoryScore(float(value), float(low), float(high), len(labels), int(groups.max()) + 1)


def _sample(groups: Labels, order: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the indices of the images of the first patients of an order, at most `MAX_IMAGES` but one patient's."""
    sizes = np.bincount(groups, minlength=len(order))[order]
    taken = order[: int(np.searchsorted(np.cumsum(sizes), MAX_IMAGES, side="right")) or 1]
    return np.flatnonzero(np.isin(groups, taken))


def _assign_folds(groups: Labels, labels: Labels, seed: int) -> Labels:
    """Return each image's fold `[N]`: patients with and without label 1 are dealt out, each in a seeded order."""
    with_label = np.zeros(int(groups.max()) + 1, np.bool_)
    with_label[groups[labels == 1]] = True
    random = np.random.default_rng([seed, ORDER_STREAM, 1])
    fold_of = np.empty(len(with_label), np.int64)
    for kind in (False, True):
        members = np.flatnonzero(with_label == kind)
        fold_of[random.permutation(members)] = np.arange(len(members)) % FOLDS
    return fold_of[groups]


def _log_odds(train_codes: Labels, labels: Labels, codes: Labels) -> FloatArray:
    """Return the log odds of label 1 among training images of each category, `[M]`, smoothed towards all of them."""
    number = int(max(train_codes.max(initial=0), codes.max(initial=0))) + 1
    count, ones = np.bincount(train_codes, minlength=number), np.bincount(train_codes, labels, number)
    prior = (labels.sum() + 0.5) / (len(labels) + 1)
    share = (ones + SMOOTHING * prior) / (count + SMOOTHING)
    odds: FloatArray = np.log(share / (1 - share))[codes] - np.log(prior / (1 - prior))
    return odds


def _mean_auroc(labels: Labels, scores: FloatArray, fold: Labels, counts: bootstrap.Counts) -> FloatArray:
    """Return the mean over folds of the area under the ROC curve, of each resample `[B]`."""
    members = [fold == each for each in range(FOLDS)]
    areas = np.stack([bootstrap.auroc(labels[member], scores[member], counts[:, member]) for member in members])
    mean: FloatArray = np.nanmean(areas, axis=0)
    return mean
