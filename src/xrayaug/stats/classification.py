"""Scores of binary classification: accuracy, kappa, AUROC, ... (NumPy and SciPy only). 1 is abnormal, 0 normal.

Also the threshold and the temperature that probabilities may be calibrated with before scoring, both found on
validation cases.

An undefined score (AUROC if one class is absent) is None, `null` in JSON, and never a number.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

THRESHOLD = 0.5  # abnormal above it, strictly: Rajpurkar et al. 2018, section 3.1
METRICS = (
    "accuracy", "balanced_accuracy", "kappa", "auroc", "average_precision", "sensitivity", "specificity", "f1",
    "brier", "calibration_error",
)  # fmt: skip
RATES = ("accuracy", "sensitivity", "specificity")  # shares of cases that are right
OF_RATES = ("balanced_accuracy", "kappa", "f1")  # functions of sensitivity, specificity and class sizes
N_BINS = 10  # of equal width, for the calibration error
LOGIT_EPSILON = 1e-12  # probabilities are clipped to this distance from 0 and 1 before the logit
MAX_TEMPERATURE = 100.0  # the minimum is its inverse

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Scores of probabilities against labels; `tp` counts abnormal cases that were called abnormal."""

    cases: int
    tp: int
    fp: int
    tn: int
    fn: int
    accuracy: float | None
    kappa: float | None
    auroc: float | None
    sensitivity: float | None
    specificity: float | None
    balanced_accuracy: float | None
    average_precision: float | None
    f1: float | None
    brier: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class Summary:
    """Mean and standard deviation of a score over the `n` runs that define it.

    The mean is None without such runs, and the standard deviation with fewer than two.
    """

    mean: float | None
    sd: float | None
    n: int


def display_name(metric: str) -> str:
    """Return a score's name for display: `balanced accuracy`, `AUROC`."""
    return {"auroc": "AUROC", "f1": "F1"}.get(metric, metric.replace("_", " "))


def bounds(metric: str) -> tuple[float, float]:
    """Return the lowest and the highest value that a score can have."""
    return (-1.0, 1.0) if metric == "kappa" else (0.0, 1.0)


def score(labels: npt.ArrayLike, probabilities: npt.ArrayLike, threshold: float = THRESHOLD) -> Scores:
    """Compute all scores of one set of cases.

    Args:
        labels: `[N]`, 0 normal or 1 abnormal.
        probabilities: `[N]` in [0, 1], of being abnormal.
        threshold: a case is called abnormal above it.

    Raises:
        ValueError: the lengths differ, a label is neither 0 nor 1, or a probability is NaN or outside [0, 1].
    """
    truth, predicted = _check_inputs(labels, probabilities)
    called = predicted > threshold
    tp, fp = int(np.sum(called & (truth == 1))), int(np.sum(called & (truth == 0)))
    tn, fn = int(np.sum(~called & (truth == 0))), int(np.sum(~called & (truth == 1)))
    return Scores(
        cases=len(truth),
        tp=tp,
        fp=fp,
        tn=tn,
        fn=fn,
        accuracy=_ratio(tp + tn, len(truth)),
        kappa=kappa(tp, fp, tn, fn),
        auroc=auroc(truth, predicted),
        sensitivity=_ratio(tp, tp + fn),
        specificity=_ratio(tn, tn + fp),
        balanced_accuracy=_mean_of_rates(_ratio(tp, tp + fn), _ratio(tn, tn + fp)),
        average_precision=average_precision(truth, predicted),
        f1=_ratio(2 * tp, 2 * tp + fp + fn),
        brier=_ratio(float(np.sum((predicted - truth) ** 2)), len(truth)),
        calibration_error=calibration_error(truth, predicted),
    )


def kappa(tp: int, fp: int, tn: int, fn: int) -> float | None:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e): Cohen 1960, Educational and Psychological Measurement 20:37.

    None if chance agreement is 1: only one class occurs, and no other is predicted.
    """
    cases = tp + fp + tn + fn
    by_chance = (tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)  # N² p_e, in whole numbers
    return _ratio(cases * (tp + tn) - by_chance, cases * cases - by_chance)


def auroc(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float | None:
    """Area under the ROC curve: the share of pairs in which the abnormal case outranks the normal one, ties half.

    The Mann-Whitney statistic by mid-ranks: Hanley and McNeil 1982, Radiology 143:29. None where a class is absent.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    abnormal = int(truth.sum())
    normal = len(truth) - abnormal
    # Mid-ranks; scipy.stats.rankdata gives the same, but takes a second to import.
    _, distinct, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[distinct]
    rank_sum = float(ranks[truth == 1].sum())
    return _ratio(rank_sum - abnormal * (abnormal + 1) / 2, abnormal * normal)


def average_precision(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float | None:
    """Average precision: sum of (R_n - R_(n-1)) P_n over the distinct thresholds.

    Without interpolation: Su et al. 2015, ICTIR, eq. 1. None where no case is abnormal.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    order = np.argsort(-predicted, kind="stable")
    last_of_equals = np.diff(predicted[order], append=-1) != 0
    tp = np.cumsum(truth[order])[last_of_equals]
    called = (np.arange(len(predicted)) + 1)[last_of_equals]
    return _ratio(float(np.sum(np.diff(tp, prepend=0) * tp / called)), int(truth.sum()))


def calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float | None:
    """Expected calibration error over `N_BINS` bins of equal width: the mean gap between probability and frequency.

    sum of n_b / N |share abnormal - mean probability|: Naeini et al. 2015, AAAI, of the probability of being abnormal.
    The probability 1 belongs to the last bin. None without cases.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    gaps = np.bincount(bin_indices(predicted), predicted - truth, N_BINS)
    return _ratio(float(np.sum(np.abs(gaps))), len(truth))


def bin_indices(probabilities: Probabilities) -> Labels:
    """Return the index of each probability's bin, of the calibration error's `N_BINS`, from 0."""
    return np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)


def roc_curve(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Probabilities, Probabilities] | None:
    """ROC curve from (0, 0) to (1, 1): false and true positive rates at every distinct threshold.

    None where a class is absent. Its area by the trapezoidal rule is `auroc`.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    abnormal = int(truth.sum())
    normal = len(truth) - abnormal
    if not abnormal or not normal:
        return None
    order = np.argsort(-predicted, kind="stable")
    last_of_equals = np.diff(predicted[order], append=-1) != 0
    tp, fp = (np.cumsum(truth[order] == label)[last_of_equals] for label in (1, 0))
    return np.append(0.0, fp / normal), np.append(0.0, tp / abnormal)


def reliability_curve(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Probabilities, Probabilities]:
    """Mean probability and share of abnormal cases in each of the calibration error's bins that holds a case."""
    truth, predicted = _check_inputs(labels, probabilities)
    bins = bin_indices(predicted)
    cases = np.bincount(bins, minlength=N_BINS)
    nonempty = cases > 0
    mean, share = (np.bincount(bins, values, N_BINS)[nonempty] / cases[nonempty] for values in (predicted, truth))
    return mean, share


def find_threshold(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Find the threshold of maximum balanced accuracy BA, and so of Youden's J = 2 BA - 1 (1950, Cancer 3:32).

    It lies midway between two probabilities; among ties the nearest to one half is taken. If a class is absent no
    threshold is better than another, and it is `THRESHOLD`.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    abnormal = int(truth.sum())
    normal = len(truth) - abnormal
    if not abnormal or not normal:
        return THRESHOLD
    values, indices = np.unique(predicted, return_inverse=True)
    steps = np.bincount(indices, np.where(truth == 1, -1 / abnormal, 1 / normal))
    youden = np.cumsum(steps)  # J of calling cases above each value abnormal
    midway = (values[:-1] + values[1:]) / 2
    between = np.append(np.where(midway < values[1:], midway, values[:-1]), values[-1])  # of adjacent floats the lower
    tied = between[youden >= youden.max() - 1e-12]  # a tolerance for rounding
    return float(tied[np.argmin(np.abs(tied - THRESHOLD))])


def fit_temperature(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float:
    """Find the temperature: the divisor of the logits that minimises the cross-entropy.

    Guo et al. 2017, ICML, section 4.2. It is 1 without cases.
    """
    from scipy.optimize import minimize_scalar

    truth, predicted = _check_inputs(labels, probabilities)
    signed = (2 * truth - 1) * _logits(predicted)
    bound = np.log(MAX_TEMPERATURE)
    if not len(truth):
        return 1.0

    def cross_entropy(log_temperature: float) -> float:
        return float(np.mean(np.logaddexp(0, -signed / np.exp(log_temperature))))

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-bound, bound), method="bounded").x))


def is_at_bound(temperature: float) -> bool:
    """Return whether a temperature is at an end of the range that is searched, as if the least lay beyond it."""
    return bool(abs(np.log(temperature)) > 0.999 * np.log(MAX_TEMPERATURE))


def apply_temperature(probabilities: Probabilities, divisor: float) -> Probabilities:
    """Return the probabilities with logits divided by a temperature, which keeps their order and sides of one half."""
    return np.asarray(expit(_logits(probabilities) / divisor), np.float64)


def average_by_study(
    studies: Sequence[str], labels: npt.ArrayLike, probabilities: npt.ArrayLike
) -> tuple[list[str], Labels, Probabilities]:
    """Average the probabilities of each study's images (Rajpurkar et al. 2018, section 3.1).

    A study is abnormal if any of its images is: where labels are per image, some views may not show the finding.

    Returns:
        The studies in the order in which they first appear, their labels and their probabilities, `[M]` each.
    """
    truth, predicted = _check_inputs(labels, probabilities)
    names = list(dict.fromkeys(studies))
    indices = {name: number for number, name in enumerate(names)}
    member = np.array([indices[study] for study in studies], np.int64)
    images = np.bincount(member, minlength=len(names))
    abnormal = np.bincount(member, truth, len(names))
    return names, (abnormal > 0).astype(np.int64), np.bincount(member, predicted, len(names)) / images


def summarize(values: Iterable[float | None]) -> Summary:
    """Return mean and sample standard deviation (N - 1) over the runs in which a score is defined."""
    defined = [value for value in values if value is not None]
    return Summary(
        mean=float(np.mean(defined)) if defined else None,
        sd=float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        n=len(defined),
    )


def _logits(probabilities: Probabilities) -> Probabilities:
    return np.asarray(logit(np.clip(probabilities, LOGIT_EPSILON, 1 - LOGIT_EPSILON)), np.float64)


def _mean_of_rates(sensitivity: float | None, specificity: float | None) -> float | None:
    return None if sensitivity is None or specificity is None else (sensitivity + specificity) / 2


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _check_inputs(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Labels, Probabilities]:
    truth, predicted = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise ValueError(f"labels {truth.shape} and probabilities {predicted.shape} must have the same length")
    if not ((truth == 0) | (truth == 1)).all():
        raise ValueError("labels must be 0 or 1")
    if not ((predicted >= 0) & (predicted <= 1)).all():
        raise ValueError("probabilities must be in [0, 1]")
    return truth, predicted
