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
PERMUTATIONS = 999
LEVEL = 0.05  # of all kinds together: chance of a p-value as small if the categories tell nothing of the labels
MIN_PATIENTS = 20  # of either label: with fewer, folds hold three or less
MAX_IMAGES = 5000  # more are sampled, by whole patients
SMOOTHING = 1.0  # weight, in images, of the share of the label among all training images
ORDER_STREAM = 7  # number of the random stream of the order of the patients
ROUNDING = 1e-12  # difference of two equal areas that are summed in another order


@dataclass(frozen=True)
class CategoryScore:
    """The area under the ROC curve, 0.5 if categories tell nothing, and the p-value of that they do."""

    auroc: float
    p_value: float  # corrected for the number of kinds that are looked at
    images: int
    patients: int


def score_categories(
    categories: Sequence[Sequence[str]], labels: Labels, patients: Sequence[str], seed: int
) -> list[CategoryScore]:
    """Score how well categories tell the label: each kind alone, and then, of several, all together.

    The images of a patient are in one of `FOLDS` folds. Each fold has its own area by scores of one fit, and the areas
    are averaged: scores of different fits are not comparable (Airola et al. 2011, Computational Statistics and Data
    Analysis 55:1828).

    The p-value is that of a permutation test: the labels are permuted between patients, folds, fits and areas are
    computed anew, and the area must be exceeded. It is exact if the images of a patient have one label. Several kinds
    are corrected for by the smallest p-value of each permutation (Westfall and Young 1993).

    Args:
        categories: for each kind of category, those of the images, `[K][N]`.
        labels: `[N]`, 0 or 1.
        patients: `[N]`; images with an empty name are patients of their own.
        seed: seed of the folds and the permutations.

    Returns:
        The scores, `[K]`, or `[K + 1]` of several kinds; none with fewer than `MIN_PATIENTS` patients of either label,
        or one category alone.
    """
    groups = bootstrap.encode_groups(patients)
    order = np.random.default_rng([seed, ORDER_STREAM]).permutation(int(groups.max(initial=-1)) + 1)
    kept = _sample(groups, order)
    codes = [np.unique(np.asarray(kind, object).astype(str)[kept], return_inverse=True)[1] for kind in categories]
    labels, groups = labels[kept], np.unique(groups[kept], return_inverse=True)[1]
    if max((int(code.max(initial=0)) for code in codes), default=0) == 0 or len(np.unique(labels)) < 2:
        return []
    if bootstrap.min_class_patients(labels, groups) < MIN_PATIENTS:
        return []
    random = np.random.default_rng([seed, ORDER_STREAM, 2])
    number = int(groups.max()) + 1
    areas = np.stack(
        [
            _areas(codes, _move_labels(labels, groups, each), groups, seed)
            for each in (np.arange(number), *(random.permutation(number) for _ in range(PERMUTATIONS)))
        ]
    )
    return [
        CategoryScore(float(area), float(p_value), len(labels), number)
        for area, p_value in zip(areas[0], _p_values(areas), strict=True)
    ]


def _p_values(areas: FloatArray) -> FloatArray:
    """Return the p-value of each kind by areas of the labels as they are, and of permuted ones, `[1 + B, K]`."""
    ordered = np.sort(areas, axis=0)
    as_large = [
        len(areas) - np.searchsorted(column, values - ROUNDING)
        for column, values in zip(ordered.T, areas.T, strict=True)
    ]
    smallest = np.min(as_large, axis=0)  # [1 + B]
    return np.array([np.mean(smallest <= each[0]) for each in as_large])


def _move_labels(labels: Labels, groups: Labels, source: Labels) -> Labels:
    """Return the labels `[N]` after each patient got those of the patient `source[patient]`.

    Labels of a patient with more or fewer images are repeated or thinned out evenly.
    """
    by_group = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    group = groups[by_group]
    place = np.arange(len(labels)) - starts[group]
    origin = source[group]
    moved = np.empty_like(labels)
    moved[by_group] = labels[by_group[starts[origin] + place * sizes[origin] // sizes[group]]]
    return moved


def _sample(groups: Labels, order: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the indices of the images of the first patients of an order, at most `MAX_IMAGES` but one patient's."""
    sizes = np.bincount(groups, minlength=len(order))[order]
    taken = order[: int(np.searchsorted(np.cumsum(sizes), MAX_IMAGES, side="right")) or 1]
    return np.flatnonzero(np.isin(groups, taken))


def _areas(codes: Sequence[Labels], labels: Labels, groups: Labels, seed: int) -> FloatArray:
    """Return the mean over folds of the area under the ROC curve, by each kind and by several together."""
    fold = _assign_folds(groups, labels, seed)
    scores = np.stack([_log_odds(code, labels, fold) for code in codes])
    if len(codes) > 1:
        scores = np.vstack([scores, scores.sum(axis=0)])
    members = [fold == each for each in range(FOLDS)]
    return np.array([np.nanmean([_auroc(labels[of], each[of]) for of in members]) for each in scores])


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


def _log_odds(codes: Labels, labels: Labels, fold: Labels) -> FloatArray:
    """Return the log odds of label 1 among the images of other folds of each category, `[N]`.

    They are smoothed towards those of all images of other folds, and relative to these.
    """
    number = int(codes.max(initial=0)) + 1
    counts = np.bincount((2 * fold + labels) * number + codes, minlength=2 * FOLDS * number).reshape(FOLDS, 2, number)
    counts = counts.sum(axis=0) - counts  # [fold, label, category] of the images of the other folds
    total, ones = counts.sum(axis=1), counts[:, 1]
    prior = (ones.sum(axis=1, keepdims=True) + 0.5) / (total.sum(axis=1, keepdims=True) + 1)
    share = (ones + SMOOTHING * prior) / (total + SMOOTHING)
    odds: FloatArray = np.log(share / (1 - share)) - np.log(prior / (1 - prior))
    return odds[fold, codes]


def _auroc(labels: Labels, scores: FloatArray) -> float:
    """Return the area under the ROC curve, ties counted half; NaN without one of the labels."""
    normal, abnormal = np.sort(scores[labels == 0]), scores[labels == 1]
    if not len(normal) or not len(abnormal):
        return np.nan
    won = np.searchsorted(normal, abnormal, "left") + np.searchsorted(normal, abnormal, "right")
    return float(won.mean() / 2 / len(normal))
