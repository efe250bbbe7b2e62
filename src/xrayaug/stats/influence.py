"""Influence of single cases on scores, from which the variance of scores over other patients follows.

The influence of a case is the derivative of a score with respect to its weight. The variance of a score over samples
of patients is the sum over patients of the squared sum of the influences of their cases, and the covariance of two
scores the sum of the products: the infinitesimal jackknife (Jaeckel 1972, Bell Laboratories memorandum MM 72-1215-11;
Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6), to which the bootstrap converges as the
number of resamples grows. For the area under the ROC curve and independent cases it is the variance of DeLong et al.
1988 (Biometrics 44:837), and for several cases of a patient that of Obuchowski 1997 (Biometrics 53:567), but for
n / (n - 1), by which `intervals.estimate` multiplies.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.classification import METRICS, N_BINS, Labels, Probabilities, bin_indices
from xrayaug.stats.paired_tests import placement_values

Mask = npt.NDArray[np.bool_]

MAX_GROUPS = 2000  # of patients; with more patients, several are taken together


def influences(
    labels: Labels, probabilities: Probabilities, threshold: float, metrics: Collection[str] = METRICS
) -> dict[str, FloatArray]:
    """Return the influence of each case on each of the scores, `[N]`; NaN where undefined.

    Args:
        labels: `[N]`, 0 or 1.
        probabilities: `[N]` in [0, 1].
        threshold: a case is called abnormal above it.
        metrics: names of scores.
    """
    truth, called = labels == 1, probabilities > threshold
    right, cases = called == truth, len(labels)
    tp, fp = int(np.sum(called & truth)), int(np.sum(called & ~truth))
    fn, tn = int(np.sum(~called & truth)), int(np.sum(~called & ~truth))
    sensitivity, specificity = _ratio(truth & called, truth), _ratio(~truth & ~called, ~truth)
    by_chance = (tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)
    marginals = np.where(called, tp + fn, tn + fp) + np.where(truth, tp + fp, tn + fn)  # its derivatives
    every = np.ones(cases)
    of_metrics: dict[str, Callable[[], FloatArray]] = {
        "accuracy": lambda: _ratio(right, every),
        "balanced_accuracy": lambda: (sensitivity + specificity) / 2,
        "kappa": lambda: _quotient(
            (cases * (tp + tn) - by_chance, tp + tn + cases * right - marginals),
            (cases**2 - by_chance, 2 * cases - marginals),
        ),
        "auroc": lambda: _auroc(truth, probabilities),
        "average_precision": lambda: _average_precision(truth, probabilities),
        "sensitivity": lambda: sensitivity,
        "specificity": lambda: specificity,
        "f1": lambda: _ratio(2 * (called & truth), 2 * (called & truth) + (called != truth)),
        "brier": lambda: _ratio((probabilities - labels) ** 2, every),
        "calibration_error": lambda: _calibration_error(labels, probabilities),
    }
    return {metric: of_metrics[metric]() for metric in metrics}


@dataclass(frozen=True)
class PatientCounts:
    """Numbers of patients, over all cases and those of a class; one with cases of both classes counts in both."""

    total: float
    normal: float
    abnormal: float

    def of_metric(self, metric: str) -> float:
        """Return the number of patients by whom a score is estimated: those of its class, or of the rarer one."""
        present = [number for number in (self.normal, self.abnormal) if number]
        return {
            "accuracy": self.total,
            "brier": self.total,
            "calibration_error": self.total,
            "sensitivity": self.abnormal,
            "average_precision": self.abnormal,
            "f1": self.abnormal,
            "specificity": self.normal,
        }.get(metric, min(present, default=0.0))


def count_patients(labels: Labels, patients: Labels) -> PatientCounts:
    """Count the patients; both arguments `[N]`."""
    return PatientCounts(*(float(len(np.unique(each))) for each in _split(labels, patients)))


def effective_patients(labels: Labels, patients: Labels) -> PatientCounts:
    """Return the effective numbers of patients, (sum m)^2 / sum m^2 with m cases of each patient.

    It is the number of patients if all have as many cases, and less if few have most of them (Kish 1965; Carter,
    Schnepel and Steigerwald 2017, Review of Economics and Statistics 99:698).

    Args:
        labels: `[N]`, 0 or 1.
        patients: `[N]`, numbered from 0.
    """
    return PatientCounts(*(_effective_number(each) for each in _split(labels, patients)))


def _split(labels: Labels, patients: Labels) -> tuple[Labels, Labels, Labels]:
    """Return the patient of each case, of each normal one and of each abnormal one."""
    return patients, patients[labels == 0], patients[labels == 1]


def _effective_number(patients: Labels) -> float:
    sizes = np.bincount(patients)
    return float(len(patients) ** 2 / np.sum(sizes**2)) if len(patients) else 0.0


def sum_by_patient(influence: FloatArray, patients: Labels) -> FloatArray:
    """Return the sums `[G]` of the influences of cases `[N]` by their patients, numbered from 0.

    More than `MAX_GROUPS` patients are dealt into as many groups by their numbers, as in a grouped jackknife: the
    expected sum of products stays the same, and its degrees of freedom are so many that a t quantile is as good as
    normal.
    """
    number = min(int(patients.max()) + 1, MAX_GROUPS) if len(patients) else 0
    return np.bincount(patients % MAX_GROUPS, influence, number).astype(np.float64)


def _ratio(parts: npt.ArrayLike, wholes: npt.ArrayLike) -> FloatArray:
    """Return the influence of cases on the sum of `parts` over the sum of `wholes`, `[N]` each."""
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    return _quotient((float(part.sum()), part), (float(whole.sum()), whole))


def _quotient(part: tuple[float, FloatArray], whole: tuple[float, FloatArray]) -> FloatArray:
    """Return the derivatives `[N]` of a quotient, from the values and derivatives of both its terms."""
    if whole[0] == 0:
        return np.full(len(whole[1]), np.nan)
    return np.asarray((part[1] - part[0] / whole[0] * whole[1]) / whole[0], np.float64)


def _auroc(truth: Mask, probabilities: Probabilities) -> FloatArray:
    """Each case outranks, or is outranked by, a share of the other class; the area is the mean of either class."""
    influence = np.full(len(truth), np.nan)
    if not truth.all() and truth.any():
        for own, shares in zip((truth, ~truth), placement_values(truth, probabilities), strict=True):
            influence[own] = (shares - shares.mean()) / len(shares)
    return influence


def _average_precision(truth: Mask, probabilities: Probabilities) -> FloatArray:
    """The weight of a case counts as a case itself, and in the precision at every threshold that calls it abnormal."""
    abnormal = int(truth.sum())
    if not abnormal:
        return np.full(len(truth), np.nan)
    _, place = np.unique(-probabilities, return_inverse=True)  # of the threshold that first calls a case abnormal
    tp_here = np.bincount(place, truth)
    called = np.cumsum(np.bincount(place))
    precision = np.cumsum(tp_here) / called
    score = float(np.sum(tp_here * precision)) / abnormal
    # Sums over this and all lower thresholds, of the abnormal cases that are first called there
    by_called, by_precision = (np.cumsum((tp_here * each / called)[::-1])[::-1] for each in (1.0, precision))
    changed = truth * by_called[place] - by_precision[place]
    return np.asarray((truth * (precision[place] - score) + changed) / abnormal, np.float64)


def _calibration_error(labels: Labels, probabilities: Probabilities) -> FloatArray:
    """Where a bin's gap is near 0, where its absolute value has no derivative, this is no good approximation."""
    bins, gaps = bin_indices(probabilities), probabilities - labels
    signs = np.sign(np.bincount(bins, gaps, N_BINS))
    return _ratio(signs[bins] * gaps, np.ones(len(labels)))
