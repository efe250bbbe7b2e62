"""Power analysis before a study: the minimum detectable difference of accuracy.

Two arms are judged on the same images, so only the images on which they disagree distinguish them. With d the
difference of two accuracies over n images and psi the share of images on which the two differ,
Var(d) = (psi - d^2) / n <= psi / n (McNemar 1947); with level alpha and power 1 - beta the smallest detectable d is
(z_{1-alpha/2} + z_{1-beta}) sqrt(psi / n) (Miettinen 1968; Connor 1987, Biometrics 43:207). Here
z_{1-alpha/2} sqrt(psi / n) is replaced by the half-width of the interval that will decide (`intervals`), which is wider
with few seeds. Three things are added:

- images of one patient are correlated: n is divided by the design effect 1 + (m - 1) icc, where m = sum of m_j^2 / n,
  the size of the patient to whom a random image belongs (Kish 1965; for unequal sizes Donner and Klar 2000);
- d is a mean over k seeds on the same images: the share rho of psi is common to all seeds, and only the rest is
  averaged out, psi (rho + (1 - rho) / k);
- each of several arms is compared with the baseline: alpha is divided by their number, as in the first step of Holm's
  correction.

psi, icc and rho are unknown before the study; the assumed values are printed with the result.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from xrayaug.stats.intervals import ALPHA, Estimate

POWER = 0.8


@dataclass(frozen=True)
class Assumptions:
    """Assumed values of quantities that only the study itself can measure."""

    discordance: float = 0.1  # psi: share of test images on which two arms differ
    seed_correlation: float = 0.5  # rho: share of that which is common to all seeds
    icc: float = 0.3  # correlation of these differences between images of one patient


def design_effect(clusters: Sequence[Hashable], icc: float) -> float:
    """Return the design effect, the factor of the variance by clustering; `clusters` `[N]` has each image's patient."""
    sizes = Counter(clusters).values()
    return 1 + (sum(size**2 for size in sizes) / len(clusters) - 1) * icc


def minimum_detectable_difference(
    clusters: Sequence[Hashable], *, seeds: int, comparisons: int, assumptions: Assumptions
) -> float:
    """Return the difference of accuracy in [0, 1] that is detected with probability `POWER` at `ALPHA`.

    Args:
        clusters: the patient of each test image, `[N]`.
        seeds: classifiers per arm.
        comparisons: arms that are compared with the baseline.
        assumptions: values of the quantities that are unknown before the study.
    """
    variance = assumptions.discordance * design_effect(clusters, assumptions.icc) / len(clusters)  # with one seed
    shared = assumptions.seed_correlation if seeds > 1 else 1.0
    patients = len(set(clusters))
    patient_df = patients - 1 if patients > 1 else math.inf
    planned = Estimate(0.0, variance * (1 - shared) / seeds, variance * shared, seeds, patient_df)
    return detectable_difference(planned, comparisons)


def detectable_difference(estimate: Estimate, comparisons: int) -> float:
    """Return the true difference that is detected with probability `POWER` at `ALPHA`, given the variances of one.

    Args:
        estimate: of a difference; only its variances count, not its value.
        comparisons: arms that are compared with the baseline.
    """
    return estimate.half_width(ALPHA / comparisons) + NormalDist().inv_cdf(POWER) * estimate.error


@dataclass(frozen=True)
class PowerAnalysis:
    """Sizes of a planned study, and the smallest difference of accuracy that it detects; fields are the JSON keys."""

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
    minimum_detectable_difference: float

    def to_dict(self) -> dict[str, Any]:
        """Return the analysis as a JSON object."""
        return asdict(self)

    def describe(self) -> str:
        """Return the analysis as text of two sentences."""
        counts = (f"{self.patients:,}" if self.patients else "", f"{self.patients_unknown:,} unknown")
        patients = " and ".join(filter(None, counts if self.patients_unknown else counts[:1]))
        points, assumed = 100 * self.minimum_detectable_difference, self.assumptions
        plural = "s" if self.comparisons > 1 else ""
        return (
            f"power: with {self.seeds} seeds and {self.images:,} test images of {patients} patients in "
            f"{self.studies:,} studies, a difference of {points:.1f} points of accuracy between an arm and the "
            f"baseline is detected with {self.power:.0%} power (level {self.level:g}, corrected for {self.comparisons} "
            f"comparison{plural}). Assumed, not measured: two arms differ on {assumed.discordance:.0%} of "
            f"images, {assumed.seed_correlation:.0%} of these differences are common to all seeds, and the correlation "
            f"between images of one patient is {assumed.icc:g}"
        )


def analyze_power(patients: Sequence[str], studies: Sequence[str], *, seeds: int, comparisons: int) -> PowerAnalysis:
    """Return the power analysis of a study on test images of these patients and studies, `[N]` names each.

    An empty name is unknown, and its image counts as a patient or study of its own.
    """
    assumptions = Assumptions()
    clusters = [name or place for place, name in enumerate(patients)]
    return PowerAnalysis(
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
        minimum_detectable_difference=minimum_detectable_difference(
            clusters, seeds=seeds, comparisons=comparisons, assumptions=assumptions
        ),
    )
