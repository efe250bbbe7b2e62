"""Labels and probabilities -> accuracy, kappa, AUROC, ... (NumPy and SciPy only). 1 is abnormal, 0 normal.

A score that the data leave undefined (AUROC where one class is absent) is None, `null` in JSON: never a number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

THRESHOLD = 0.5  # abnormal above it, strictly: Rajpurkar et al. 2018, section 3.1
METRICS = ("accuracy", "kappa", "auroc", "sensitivity", "specificity")

Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """How well probabilities foretell labels; `tp` counts abnormal cases that were called abnormal."""

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


def score(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Scores:
    """Every score of one set of cases.

    Args:
        labels: `[N]`, 0 normal or 1 abnormal.
        probabilities: `[N]` in [0, 1], of being abnormal.

    Raises:
        ValueError: the lengths differ, a label is neither 0 nor 1, or a probability is NaN or outside [0, 1].
    """
    truth, given = _checked(labels, probabilities)
    called = given > THRESHOLD
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
        auroc=auroc(truth, given),
        sensitivity=_ratio(tp, tp + fn),
        specificity=_ratio(tn, tn + fp),
    )


def kappa(tp: int, fp: int, tn: int, fn: int) -> float | None:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e): Cohen 1960, Educational and Psychological Measurement 20:37.

    None where chance alone agrees always: one class only, and nothing else predicted.
    """
    cases = tp + fp + tn + fn
    by_chance = (tp + fp) * (tp + fn) + (tn + fn) * (tn + fp)  # N² p_e, in whole numbers
    return _ratio(cases * (tp + tn) - by_chance, cases * cases - by_chance)


def auroc(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> float | None:
    """Area under the ROC curve: how often an abnormal case outranks a normal one, ties counting half.

    The Mann-Whitney statistic by mid-ranks: Hanley and McNeil 1982, Radiology 143:29. None where a class is absent.
    """
    truth, given = _checked(labels, probabilities)
    abnormal = int(truth.sum())
    normal = len(truth) - abnormal
    rank_sum = float(rankdata(given)[truth == 1].sum())
    return _ratio(rank_sum - abnormal * (abnormal + 1) / 2, abnormal * normal)


def by_study(
    studies: Sequence[str], labels: npt.ArrayLike, probabilities: npt.ArrayLike
) -> tuple[list[str], Labels, Probabilities]:
    """One case per study: the mean probability over its images (Rajpurkar et al. 2018, section 3.1).

    A study is abnormal if any of its images is: where labels are per image, some views may not show the finding.

    Returns:
        The studies in the order in which they first appear, their labels and their probabilities, `[M]` each.
    """
    truth, given = _checked(labels, probabilities)
    names = list(dict.fromkeys(studies))
    place = {name: number for number, name in enumerate(names)}
    member = np.array([place[study] for study in studies], np.int64)
    images = np.bincount(member, minlength=len(names))
    abnormal = np.bincount(member, truth, len(names))
    return names, (abnormal > 0).astype(np.int64), np.bincount(member, given, len(names)) / images


def summary(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Mean and standard deviation (of a sample: N - 1) over the runs where a score is defined.

    Returns:
        `mean` (None without runs), `sd` (None with fewer than two) and `n`, the runs that count.
    """
    defined = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(defined)) if defined else None,
        "sd": float(np.std(defined, ddof=1)) if len(defined) > 1 else None,
        "n": len(defined),
    }


def summaries(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | int | None]]:
    """`summary` of each of `METRICS` over runs, each a `Scores` as a mapping."""
    return {metric: summary(run[metric] for run in runs) for metric in METRICS}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _checked(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> tuple[Labels, Probabilities]:
    truth, given = np.asarray(labels, np.int64), np.asarray(probabilities, np.float64)
    if truth.ndim != 1 or truth.shape != given.shape:
        raise ValueError(f"labels {truth.shape} and probabilities {given.shape} must be of one length")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("probabilities must be in [0, 1]")
    return truth, given
