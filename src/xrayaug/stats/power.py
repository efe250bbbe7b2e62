"""Before a study: the smallest difference of accuracy that it could see.

Two arms are judged on the same images, so only those on which they disagree tell them apart. With d the difference of
two accuracies over n images and psi the share of images on which the two differ, Var(d) = (psi - d^2) / n <= psi / n
(McNemar 1947); with level alpha and power 1 - beta the smallest d is (z_{1-alpha/2} + z_{1-beta}) sqrt(psi / n)
(Miettinen 1968; Connor 1987, Biometrics 43:207). Instead of z_{1-alpha/2} sqrt(psi / n) stands the half-width of the
interval that will decide (`intervals`), which is wider with few seeds. What is added to that:

- images of one patient are alike: n is divided by the design effect 1 + (m - 1) icc, where m = sum of m_j^2 / n, the
  size of the patient whom a random image belongs to (Kish 1965; for unequal sizes Donner and Klar 2000);
- d is a mean over k seeds on the same images: of psi the share rho comes back with every seed, and only the rest is
  averaged out, psi (rho + (1 - rho) / k);
- of several arms each is compared with the baseline: alpha is divided by their number, as the first step of Holm's.

psi, icc and rho are not known before the study; what is assumed is said beside the answer.
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
    """Assumed quantities, which only a study itself can measure."""

    discordance: float = 0.1  # psi: share of test images on which two arms differ
    alike: float = 0.5  # rho: share of that which comes back with every seed
    icc: float = 0.3  # correlation of what differs within a patient


def design_effect(clusters: Sequence[Hashable], icc: float) -> float:
    """Return the design effect, the factor of the variance by clustering; `clusters` `[N]` has each image's patient."""
    sizes = Counter(clusters).values()
    return 1 + (sum(size**2 for size in sizes) / len(clusters) - 1) * icc


def minimum_detectable_difference(
    clusters: Sequence[Hashable], *, seeds: int, comparisons: int, assumed: Assumptions
) -> float:
    """Return the difference of accuracy in [0, 1] that is found with probability `POWER` at `ALPHA`.

    Args:
        clusters: the patient of each test image, `[N]`.
        seeds: classifiers per arm.
        comparisons: arms that are compared with the baseline.
        assumed: the quantities that are unknown before the study.
    """
    one = assumed.discordance * design_effect(clusters, assumed.icc) / len(clusters)  # variance with one seed
    alike = assumed.alike if seeds > 1 else 1.0
    patients = len(set(clusters))
    planned = Estimate(0.0, one * (1 - alike) / seeds, one * alike, seeds, patients - 1 if patients > 1 else math.inf)
    return planned.half_width(ALPHA / comparisons) + NormalDist().inv_cdf(POWER) * planned.error


def power_analysis(patients: Sequence[str], studies: Sequence[str], *, seeds: int, comparisons: int) -> dict[str, Any]:
    """Return what a study on test images of these patients and studies `[N]` could see.

    An empty name is not known, and counts as one of its own.
    """
    assumed = Assumptions()
    clusters = [name or place for place, name in enumerate(patients)]
    return {
        "images": len(clusters),
        "studies": len({name or place for place, name in enumerate(studies)}),
        "patients": len({name for name in patients if name}),
        "patients_unknown": sum(not name for name in patients),
        "seeds": seeds,
        "comparisons": comparisons,
        "level": ALPHA,
        "power": POWER,
        "assumed": asdict(assumed),
        "design_effect": design_effect(clusters, assumed.icc),
        "smallest_difference": minimum_detectable_difference(
            clusters, seeds=seeds, comparisons=comparisons, assumed=assumed
        ),
    }


def describe(found: dict[str, Any]) -> str:
    """Return the result of `power_analysis` as a sentence."""
    points, assumed = 100 * found["smallest_difference"], found["assumed"]
    unknown = f"{found['patients_unknown']:,} unknown" if found["patients_unknown"] else ""
    known = f"{found['patients']:,}" if found["patients"] else ""
    whose = " and ".join(filter(None, (known, unknown)))
    held = f"{found['images']:,} test images of {whose} patients in {found['studies']:,} studies"
    return (
        f"power: with {held} and {found['seeds']} seeds, an arm must be better or worse than the baseline by about "
        f"{points:.1f} points of accuracy to be told from it in {found['power']:.0%} of such studies (level "
        f"{found['level']:g} over {found['comparisons']} comparisons); assumed, not known: two arms differ on "
        f"{assumed['discordance']:.0%} of images, {assumed['alike']:.0%} of that with every seed, images of one "
        f"patient correlated by {assumed['icc']:g}"
    )
