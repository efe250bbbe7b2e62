"""Power analysis before a study: the difference that it detects, and the margin within which it shows no difference.

Both are the smallest at which the tests of `intervals` succeed with probability `POWER`, at a level divided by the
number of arms, as in the first step of Holm's correction. The probability is over other seeds and other patients. Seeds
are drawn, as the variance that the interval uses depends on all of them, and are normal; the patients' part of the
difference, normal too, is integrated. With n images, the difference d_s of seed s varies with

- the seed, whatever the images: `seed_sd`;
- the images, for this seed alone: `image_sd` / sqrt(n);
- the images, equally for all seeds: `shared_sd` / sqrt(n), with n divided by the design effect 1 + (m - 1) icc of
  several images per patient, where m = sum of m_j^2 / n is the size of the patient to whom a random image belongs
  (Kish 1965; for unequal sizes Donner and Klar 2000).

For the AUROC, n is a b / (a + b) with a abnormal and b normal images. The standard deviations are unknown before the
study; the assumed values, those of the simulated studies in docs/explanation/power.md, are printed with the result.
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, stdtrit

from xrayaug.stats import classification, intervals
from xrayaug.stats.array_types import FloatArray
from xrayaug.stats.intervals import ALPHA, Estimate

POWER = 0.8
DRAWS = 4000  # of the seeds of a study
LARGEST = 1.0  # difference, and margin, that are searched


@dataclass(frozen=True)
class Assumptions:
    """Assumed standard deviations of the difference of two arms, which only the study itself can measure."""

    seed_sd: float  # over seeds, on any number of images
    image_sd: float  # of one image, for one seed alone
    shared_sd: float  # of one image, for all seeds
    icc: float = 0.3  # correlation of what all seeds share between images of one patient


ASSUMED = {
    "auroc": Assumptions(seed_sd=0.0195, image_sd=0.175, shared_sd=0.095),
    "accuracy": Assumptions(seed_sd=0.020, image_sd=0.47, shared_sd=0.17),
}


def design_effect(clusters: Sequence[Hashable], icc: float) -> float:
    """Return the design effect, the factor of the variance by clustering; `clusters` `[N]` has each image's patient."""
    sizes = Counter(clusters).values()
    return 1 + (sum(size**2 for size in sizes) / len(clusters) - 1) * icc


@dataclass(frozen=True)
class PlannedDesign:
    """The variances of the differences of a planned study, and what its tests can show."""

    seed_variance: float  # of the difference of one seed
    patient_variance: float  # shared by all seeds
    seeds: int
    comparisons: int  # arms that are compared with the baseline
    patient_df: float = math.inf

    @cached_property
    def draws(self) -> tuple[FloatArray, FloatArray]:
        """The seeds' part of a difference whose true value is 0, and its variance that the interval uses, `[DRAWS]`."""
        random = np.random.default_rng(0)
        spread = math.sqrt(self.seed_variance / 2)  # of either arm
        scores = random.normal(0, spread, (DRAWS, self.comparisons + 1, self.seeds))
        differences = scores[:, 1] - scores[:, 0]
        means = differences.mean(axis=-1)
        if self.seeds == 1:
            return means, np.zeros(DRAWS)
        variances = np.var(differences, axis=-1, ddof=1)
        if self.comparisons > 1:
            variances = np.maximum(variances, intervals.pooled_variances(scores))
        return means, np.asarray(variances / self.seeds, np.float64)

    def half_widths(self, level: float) -> FloatArray:
        """Return half the widths of the intervals that miss the true value with probability at most `level`."""
        quantile = ndtri(level / 2) if math.isinf(self.patient_df) else stdtrit(self.patient_df, level / 2)
        of_seeds = stdtrit(intervals.pooled_df(self.comparisons + 1, max(self.seeds, 2)), level / 2)
        return np.asarray(np.sqrt(of_seeds**2 * self.draws[1] + quantile**2 * self.patient_variance), np.float64)

    def detection(self, difference: float) -> float:
        """Return the probability that a true difference is significant at `ALPHA` over the number of comparisons."""
        means, half = self.draws[0] + difference, self.half_widths(ALPHA / self.comparisons)
        return float(np.mean(self._beyond(half - means) + self._beyond(half + means)))

    def equivalence(self, margin: float) -> float:
        """Return the probability that a true difference of 0 is shown to be within a margin."""
        means, room = self.draws[0], margin - self.half_widths(2 * ALPHA / self.comparisons)
        inside = 1 - self._beyond(room - means) - self._beyond(room + means)
        return float(np.mean(np.where(room > 0, inside, 0.0)))

    def _beyond(self, distance: FloatArray) -> FloatArray:
        """Return the probability that the patients' part of the difference exceeds a distance."""
        spread = math.sqrt(self.patient_variance)
        return np.asarray(ndtr(-distance / spread) if spread else distance < 0, np.float64)


def plan_design(
    clusters: Sequence[Hashable],
    labels: Sequence[int],
    *,
    metric: str,
    seeds: int,
    comparisons: int,
    assumptions: Assumptions,
) -> PlannedDesign:
    """Return the design of a study with such test images.

    Args:
        clusters: the patient of each test image, `[N]`.
        labels: its label, 0 or 1, `[N]`.
        metric: the score that decides; only for the AUROC it matters how many images are of either class.
        seeds: classifiers per arm.
        comparisons: arms that are compared with the baseline.
        assumptions: values of the quantities that are unknown before the study.
    """
    images, abnormal = len(clusters), sum(labels)
    by_class = metric == "auroc" and 0 < abnormal < images
    effective = abnormal * (images - abnormal) / images if by_class else images
    shared = assumptions.shared_sd**2 * design_effect(clusters, assumptions.icc) / effective
    own = assumptions.image_sd**2 / effective
    groups = [[each for each, of in zip(clusters, labels, strict=True) if of == one] for one in (0, 1)]
    patients = min(len(each) / design_effect(each, 1.0) for each in (groups if by_class else [clusters]))
    patient_df = patients - 1 if patients > 1 else math.inf
    if seeds == 1:  # what one seed alone has in common with the images is as good as shared
        return PlannedDesign(0.0, shared + own, seeds, comparisons, patient_df)
    return PlannedDesign(assumptions.seed_sd**2 + own, shared, seeds, comparisons, patient_df)


def _find_smallest(probability: Callable[[float], float]) -> float | None:
    """Return the smallest value at which a probability reaches `POWER`; None if it does not up to `LARGEST`."""
    if probability(LARGEST) < POWER:
        return None
    return float(brentq(lambda value: probability(value) - POWER, 0.0, LARGEST, xtol=1e-5))


def detectable_difference(estimate: Estimate, comparisons: int, level: float = ALPHA) -> float:
    """Return the true difference that is detected with probability `POWER` at a level, given the variances of one.

    Args:
        estimate: of a difference; only its variances count, not its value.
        comparisons: arms that are compared with the baseline.
        level: of the test: 5 %, or what a look of a sequential study spends.
    """
    return estimate.half_width(level / comparisons) + NormalDist().inv_cdf(POWER) * estimate.error


def detection(estimate: Estimate, difference: float, comparisons: int, level: float = ALPHA) -> float:
    """Return the probability that a true difference is told and has its sign, given the variances of one.

    It is `POWER` at the `detectable_difference`.

    Args:
        estimate: of a difference; only its variances count, not its value.
        difference: the true one, at least 0.
        comparisons: arms that are compared with the baseline.
        level: of the test: 5 %, or what a look of a sequential study spends.
    """
    distance = difference - estimate.half_width(level / comparisons)
    if estimate.error == 0:
        return float(distance >= 0)
    return NormalDist().cdf(distance / estimate.error)


def showable_margin(estimate: Estimate, comparisons: int) -> float:
    """Return the smallest margin within which a true difference of 0 is shown to be with probability `POWER`.

    Both one-sided tests reject if |d| is at most the margin less the half-width h of the interval of confidence
    1 - 2 `ALPHA` / comparisons, the first step of Holm's correction. With d normal around 0, that has probability
    `POWER` at a margin of h + z_{(1 + POWER) / 2} standard errors (Phillips 1990, Journal of Pharmacokinetics and
    Biopharmaceutics 18:137).

    Args:
        estimate: of a difference; only its variances count, not its value.
        comparisons: arms that are compared with the baseline.
    """
    return estimate.half_width(2 * ALPHA / comparisons) + NormalDist().inv_cdf((1 + POWER) / 2) * estimate.error


@dataclass(frozen=True)
class PowerAnalysis:
    """Sizes of a planned study, and what it can show; fields are the JSON keys."""

    metric: str  # the score that decides, or `auroc` if nothing is assumed of it
    margin: float  # of the question
    images: int
    studies: int
    patients: int  # whose names are known
    patients_unknown: int  # images without a patient, each counted as one of its own
    seeds: int
    comparisons: int
    level: float
    power: float
    assumptions: Assumptions
    design_effect: float
    minimum_detectable_difference: float | None  # None: no difference up to 1
    showable_margin: float | None  # within which a true difference of 0 is shown to be; None: none up to 1

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as a JSON object."""
        return asdict(self)

    def describe(self) -> str:
        """Return the analysis as text."""
        counts = (f"{self.patients:,}" if self.patients else "", f"{self.patients_unknown:,} unknown")
        patients = " and ".join(filter(None, counts if self.patients_unknown else counts[:1]))
        name, assumed = classification.display_name(self.metric), self.assumptions
        plural = "s" if self.comparisons > 1 else ""
        detected, shown = (
            "no difference" if each is None else f"{what} {100 * each:.1f} points of {name}"
            for each, what in (
                (self.minimum_detectable_difference, "a difference of"),
                (self.showable_margin, "a true difference of 0 to be within"),
            )
        )
        reach = self.showable_margin is not None and self.showable_margin <= self.margin
        return (
            f"power: with {self.seeds} seed{'s' if self.seeds > 1 else ''} and {self.images:,} test images of "
            f"{patients} patients in {self.studies:,} studies, {detected} between an arm and the baseline is detected "
            f"with {100 * self.power:.0f} % power (level {self.level:g}, corrected for {self.comparisons} "
            f"comparison{plural}). It can show {shown} with the same power, so a margin of {self.margin:g} is "
            f"{'within' if reach else 'out of'} reach. Assumed, not measured: the difference has a standard deviation "
            f"of {assumed.seed_sd:g} over seeds, and by one image of {assumed.image_sd:g} for one seed and of "
            f"{assumed.shared_sd:g} for all; the correlation between images of one patient is {assumed.icc:g}"
        )


def analyze_power(
    patients: Sequence[str],
    studies: Sequence[str],
    labels: Sequence[int],
    *,
    metric: str,
    margin: float,
    seeds: int,
    comparisons: int,
) -> PowerAnalysis:
    """Return the power analysis of a study on test images of these patients and studies, `[N]` names each.

    An empty name is unknown, and its image counts as a patient or study of its own. For a score of which nothing is
    assumed, the analysis is that of the AUROC.

    Args:
        patients: of the test images.
        studies: of the test images.
        labels: of the test images, 0 or 1.
        metric: the score that decides, such as `auroc`.
        margin: the largest difference that does not matter.
        seeds: classifiers per arm.
        comparisons: arms that are compared with the baseline.
    """
    metric = metric if metric in ASSUMED else "auroc"
    assumptions = ASSUMED[metric]
    clusters = [name or place for place, name in enumerate(patients)]
    design = plan_design(clusters, labels, metric=metric, seeds=seeds, comparisons=comparisons, assumptions=assumptions)
    return PowerAnalysis(
        metric=metric,
        margin=margin,
        images=len(clusters),
        studies=len({name or place for place, name in enumerate(studies)}),
        patients=len({name for name in patients if name}),
        patients_unknown=sum(not name for name in patients),
        seeds=seeds,
        comparisons=comparisons,
        level=ALPHA,
        power=POWER,
        assumptions=assumptions,
        design_effect=design_effect(clusters, assumptions.icc),
        minimum_detectable_difference=_find_smallest(design.detection),
        showable_margin=_find_smallest(design.equivalence),
    )
