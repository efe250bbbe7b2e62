"""Tests of whether training patients are told from held-out ones: membership inference, and links to patients.

Under the null hypothesis, training and held-out patients are exchangeable given the synthetic images: which patients
were trained on changes nothing. All tests are one-sided, since a generator that knows its training patients makes them
nearer, and each patient is one observation, however many images they have.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit
from scipy.stats import betabinom, mannwhitneyu, norm

from xrayaug.stats import paired_tests
from xrayaug.stats.array_types import FloatArray, IndexArray, Matrix
from xrayaug.stats.intervals import ALPHA

EXPOSED_SHARE = 0.01  # of held-out patients who would be called exposed
PERMUTATIONS = 1999
ORDER_STREAM = 0  # number of the random stream of the permutations


@dataclass(frozen=True)
class MembershipResult:
    """How well a score tells training from held-out patients, 0.5 for not at all."""

    auroc: float
    low: float  # of the interval of 95 %
    high: float
    p_auroc: float  # of the area being 0.5 or less
    detectable: float  # the smallest area that is found with 80 % power at 5 %
    exposed: int  # training patients with a higher score than almost all held-out ones
    exposed_rate: float  # probability of this for a held-out patient
    p_exposed: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class LinkResult:
    """Share of synthetic images whose nearest real patient was trained on."""

    share: float
    expected: float  # if training and held-out patients are exchangeable
    high: float  # upper limit of 95 % of what chance gives
    p_value: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def infer_membership(members: FloatArray, others: FloatArray) -> MembershipResult:
    """Test whether training patients have higher scores than held-out ones.

    Two tests look at two kinds of leaks. The area under the ROC curve (Mann-Whitney) sees a small shift of all
    patients. The number of training patients above the highest percent of held-out ones sees a few who were memorised,
    as Carlini et al. 2022 (IEEE S&P, arXiv:2112.03570) ask of membership inference; it is beta-binomial, as the
    threshold is a sample itself.

    Args:
        members: `[M]`, score of each training patient.
        others: `[N]`, score of each held-out patient, at least two.
    """
    test = mannwhitneyu(members, others, alternative="greater", method="asymptotic")
    area = float(test.statistic) / (len(members) * len(others))
    low, high = _logit_interval(area, members, others)
    null_error = math.sqrt((len(members) + len(others) + 1) / (12 * len(members) * len(others)))
    rank = max(1, math.floor(EXPOSED_SHARE * (len(others) + 1) + 1e-9))
    exposed = int(np.sum(members > np.sort(others)[-rank]))
    return MembershipResult(
        auroc=area,
        low=low,
        high=high,
        p_auroc=float(test.pvalue),
        detectable=min(1.0, 0.5 + float(norm.isf(ALPHA) + norm.isf(0.2)) * null_error),
        exposed=exposed,
        exposed_rate=rank / (len(others) + 1),
        p_exposed=float(betabinom.sf(exposed - 1, len(members), rank, len(others) + 1 - rank)),
    )


class LinkTest:
    """Permutation test of the share of synthetic images that are nearest to a training patient.

    Some patients are nearest to many images by the geometry of the features alone (hubs). So what is permuted is which
    patients were trained on, and each patient keeps all images that are nearest to them.

    Args:
        is_member: `[P]`, True for each training patient.
        seed: seed of the permutations.
    """

    def __init__(self, is_member: IndexArray, seed: int) -> None:
        self.is_member = is_member.astype(np.float32)
        random = np.random.default_rng([seed, ORDER_STREAM])
        self._permuted = random.permuted(np.tile(self.is_member, (PERMUTATIONS, 1)), axis=1)  # [R, P]

    def test(self, nearest: IndexArray) -> LinkResult:
        """Test links to patients.

        Args:
            nearest: `[S]`, number of the patient who is nearest to each synthetic image.
        """
        weights = np.bincount(nearest, minlength=len(self.is_member)) / len(nearest)
        share = float(self.is_member @ weights)
        by_chance = self._permuted @ weights
        at_least = int(np.sum(by_chance >= share - 1e-9))
        return LinkResult(
            share=share,
            expected=float(self.is_member.mean()),
            high=float(np.quantile(by_chance, 1 - ALPHA)),
            p_value=(at_least + 1) / (PERMUTATIONS + 1),
        )


def max_by_group(scores: Matrix, groups: IndexArray) -> FloatArray:
    """Return the largest score of each group: `[G]` of scores `[N]` and groups `[N]` numbered from 0 without gaps."""
    largest = np.full(int(groups.max()) + 1, -np.inf)
    np.maximum.at(largest, groups, scores)
    return largest


def _logit_interval(area: float, members: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Return the interval of 95 % of an area under the ROC curve: DeLong's error on the logit scale (Pepe 2003).

    An area of 0 or 1 has no error. Its interval ends where so extreme an area has a probability of 2.5 % if patients of
    both kinds were as many as the fewer: (0.025)^(1 / n).
    """
    if not 0 < area < 1:
        limit = (ALPHA / 2) ** (1 / min(len(members), len(others)))
        return (limit, 1.0) if area == 1 else (0.0, 1 - limit)
    error = paired_tests.auroc_error(members, others)
    half_width = float(norm.isf(ALPHA / 2)) * error / (area * (1 - area))
    return float(expit(logit(area) - half_width)), float(expit(logit(area) + half_width))
