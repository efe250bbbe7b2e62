"""Bootstrap of scores: their variation with the patients that happen to be in the test set.

A resample draws as many patients as there are, with replacement, and takes each with all its cases (a bootstrap
clustered by patient: Field and Welsh 2007, JRSS B 69:369). It is stored as the count of each case, and the same
resamples serve every network, so that networks are compared on the same patients.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.classification import METRICS, N_BINS, Labels, Probabilities, bin_indices

Counts = npt.NDArray[np.uint8] | FloatArray  # whole numbers

CHUNK_ENTRIES = 1 << 21  # counts converted to double precision at a time: 16 MiB per intermediate array
SEARCH_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")


def encode_groups(names: Sequence[str]) -> Labels:
    """Number the names from 0 in the order of first appearance, `[N]`; each empty name has a number of its own."""
    place: dict[object, int] = {}
    return np.array([place.setdefault(name or (at,), len(place)) for at, name in enumerate(names)], np.int64)


def draw_resamples(patients: Labels, resamples: int, seed: int) -> npt.NDArray[np.uint8]:
    """Draw how often each case counts in each resample.

    A byte suffices: of n patients drawn n times, the chance of one being drawn 256 times is below 1 / 256!.

    Args:
        patients: `[N]`, the patient of each case, numbered from 0.
        resamples: number of resamples, B.
        seed: seed of the draws.

    Returns:
        `[B, N]`, whole numbers.
    """
    number = int(patients.max()) + 1 if len(patients) else 0
    random = np.random.default_rng([seed, number])
    counts = np.empty((resamples, len(patients)), np.uint8, order="F")  # sums' rounding depends on this order
    for part in _iterate_chunks(counts):
        drawn = random.multinomial(number, np.full(number, 1 / max(number, 1)), size=len(part))
        part.T[:] = drawn.astype(np.uint8).T.copy()[patients]
    return counts


def min_class_patients(labels: Labels, patients: Labels) -> int:
    """Return the number of patients of the class present with fewest; 0 without cases. Both arguments `[N]`."""
    return min((len(np.unique(patients[labels == each])) for each in np.unique(labels)), default=0)


def resampled_scores(
    labels: Labels,
    probabilities: Probabilities,
    threshold: float,
    counts: Counts,
    metrics: Collection[str] = METRICS,
) -> dict[str, FloatArray]:
    """Return the scores of every resample, `[B]` each; NaN where they are undefined.

    Args:
        labels: `[N]`, 0 or 1.
        probabilities: `[N]` in [0, 1].
        threshold: a case is called abnormal above it.
        counts: `[B, N]`, from `draw_resamples`.
        metrics: names of scores.
    """
    parts = [
        _score_chunk(labels, probabilities, threshold, part.astype(np.float64), metrics)
        for part in _iterate_chunks(counts)
    ]
    return {metric: np.concatenate([part[metric] for part in parts]) for metric in metrics}


def auroc(labels: Labels, probabilities: Probabilities, counts: Counts) -> FloatArray:
    """Return the area under the ROC curve of every resample, `[B]`; ties count half."""
    truth = labels == 1
    normal, abnormal = probabilities[~truth], counts[:, truth]
    order = np.argsort(normal, kind="stable")
    up_to = _cumulative_counts(counts[:, ~truth][:, order])
    below, not_above = (np.searchsorted(normal[order], probabilities[truth], side) for side in SEARCH_SIDES)
    won = np.sum(abnormal * (up_to[:, below] + up_to[:, not_above]), axis=1) / 2
    return _divide(won, abnormal.sum(axis=1) * up_to[:, -1])


def average_precision(labels: Labels, probabilities: Probabilities, counts: FloatArray) -> FloatArray:
    """Return `classification.average_precision` of every resample, `[B]`."""
    order, ends = _sort_by_value(-probabilities)
    tp = _cumulative_counts((counts * labels)[:, order])[:, ends]
    called = _cumulative_counts(counts[:, order])[:, ends[1:]]
    precision = np.divide(tp[:, 1:], called, out=np.zeros_like(called), where=called > 0)
    return _divide(np.sum(np.diff(tp, axis=1) * precision, axis=1), tp[:, -1])


def _iterate_chunks(counts: Counts) -> Iterator[Counts]:
    """Return an iterator over views of some rows of `[B, N]` at a time."""
    step = max(1, CHUNK_ENTRIES // max(counts.shape[1], 1))
    return (counts[start : start + step] for start in range(0, len(counts), step))


def _score_chunk(
    labels: Labels, probabilities: Probabilities, threshold: float, counts: FloatArray, metrics: Collection[str]
) -> dict[str, FloatArray]:
    called, truth = probabilities > threshold, labels == 1
    tp, fp = counts @ (called & truth), counts @ (called & ~truth)
    fn, tn = counts @ (~called & truth), counts @ (~called & ~truth)
    cases = tp + fp + fn + tn
    by_chance = (tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)
    sensitivity, specificity = _divide(tp, tp + fn), _divide(tn, tn + fp)
    of_metrics: dict[str, Callable[[], FloatArray]] = {
        "accuracy": lambda: _divide(tp + tn, cases),
        "balanced_accuracy": lambda: (sensitivity + specificity) / 2,
        "kappa": lambda: _divide(cases * (tp + tn) - by_chance, cases**2 - by_chance),
        "auroc": lambda: auroc(labels, probabilities, counts),
        "average_precision": lambda: average_precision(labels, probabilities, counts),
        "sensitivity": lambda: sensitivity,
        "specificity": lambda: specificity,
        "f1": lambda: _divide(2 * tp, 2 * tp + fp + fn),
        "brier": lambda: _divide(counts @ (probabilities - labels) ** 2, cases),
        "calibration_error": lambda: _divide(np.abs(_sum_gaps(labels, probabilities, counts)).sum(axis=1), cases),
    }
    return {metric: of_metrics[metric]() for metric in metrics}


def _sum_gaps(labels: Labels, probabilities: Probabilities, counts: FloatArray) -> FloatArray:
    """Return the sum of probability minus label in each bin of the calibration error, `[B, BINS]`."""
    is_in_bin = bin_indices(probabilities)[:, None] == np.arange(N_BINS)
    return np.asarray(counts @ ((probabilities - labels)[:, None] * is_in_bin), np.float64)


def _sort_by_value(values: Probabilities) -> tuple[Labels, Labels]:
    """Return the order of rising values `[N]`, and the ends of runs of equal values after a 0, `[M + 1]`."""
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True)) + 1
    return order, np.concatenate([[0], ends]) if len(values) else np.zeros(1, np.int64)


def _cumulative_counts(counts: Counts) -> FloatArray:
    """Return the sums of the first 0, 1, ... N columns, `[B, N + 1]`."""
    sums = np.zeros((len(counts), counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums


def _divide(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
