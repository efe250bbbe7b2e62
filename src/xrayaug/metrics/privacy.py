"""Is a training patient told from a held-out one by the synthetic images? Attacks, and how much they would have found.

**Membership inference.** A patient's score is how near the nearest synthetic image comes to one of their images, as in
the black-box attack of Chen et al. 2020 (GAN-Leaks, arXiv:1909.03935). **Links.** The nearest real patient of each
synthetic image is one who was trained on as often as chance has it, or more often. Both are tried in pixels and in
features; `stats/membership.py` has the tests.

A test that finds nothing says little unless it is known what it would have found. So copies of training images are
planted: the attacks are repeated as if the synthetic set also held some copies, disturbed by known amounts.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xrayaug.metrics import memorization
from xrayaug.stats import membership
from xrayaug.stats.array_types import FloatArray, IndexArray
from xrayaug.stats.membership import LinkResult, LinkTest, MembershipResult

PLANTED_SHARES = (0.01, 0.05, 0.2)  # copies that are planted, of the number of synthetic images
REPEATS = 100  # plantings of each kind and share
PLANT_STREAM = 1  # number of the random stream of the plantings


@dataclass(frozen=True)
class Patients:
    """The patients of the real images: those who were trained on first."""

    numbers: IndexArray  # [R], patient of each real image
    members: int  # patients who were trained on, with the numbers below it

    @property
    def is_member(self) -> IndexArray:
        """1 for each patient who was trained on, else 0, `[P]`."""
        return (np.arange(int(self.numbers.max()) + 1) < self.members).astype(np.int64)


@dataclass(frozen=True)
class PlantedCopies:
    """Copies of training images in one space: their distances to the real images, and whom they are linked to."""

    distances: FloatArray  # [R, K]
    nearest: IndexArray  # [K], number of the nearest patient


@dataclass(frozen=True)
class Space:
    """Distances between real and synthetic images, in pixels or in features."""

    distances: FloatArray  # [R], of each real image to the nearest synthetic one
    nearest: IndexArray  # [S], number of the patient nearest to each synthetic image
    planted: Mapping[str, PlantedCopies]  # by the name of the disturbance


@dataclass(frozen=True)
class SpaceResult:
    """Results of the attacks in one space."""

    membership: MembershipResult
    links: LinkResult
    duplicates: int  # training patients with an image that a synthetic one equals
    held_out_duplicates: int  # held-out patients with such an image

    @property
    def p_values(self) -> tuple[float, float, float]:
        """P-values of the three tests."""
        return self.membership.p_auroc, self.membership.p_exposed, self.links.p_value


@dataclass(frozen=True)
class Sensitivity:
    """Share of plantings that the attacks find."""

    disturbance: str
    share: float  # copies, of the number of synthetic images
    copies: int  # at least 1
    found: float

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


class Attacks:
    """The attacks on one set of synthetic images.

    Args:
        patients: of the real images.
        spaces: distances by the name of the space.
        seed: of the permutations and the plantings.
    """

    def __init__(self, patients: Patients, spaces: Mapping[str, Space], seed: int) -> None:
        self.patients = patients
        self.spaces = spaces
        self._seed = seed
        self._link_test = LinkTest(patients.is_member, seed)

    def run(self) -> dict[str, SpaceResult]:
        """Return the results in each space."""
        return {name: self._attack(space.distances, space.nearest) for name, space in self.spaces.items()}

    def measure_sensitivity(self, level: float) -> list[Sensitivity]:
        """Return how often the attacks find planted copies.

        A planting is found if a copy equals its original, or if the smallest p-value over all spaces and tests, times
        their number, is at most `level`: the first step of Holm's correction. The copies are drawn anew for each of
        `REPEATS` plantings, one of a patient if there are enough. Of few synthetic images, several of `PLANTED_SHARES`
        are one number of copies, which is tried once.
        """
        found = []
        space = next(iter(self.spaces.values()))
        synthetic = len(space.nearest)
        numbers = dict.fromkeys(max(1, math.ceil(share * synthetic)) for share in PLANTED_SHARES)
        for at, kind in enumerate(space.planted):
            for copies in numbers:
                random = np.random.default_rng([self._seed, PLANT_STREAM, at, copies])
                hits = sum(self._finds(kind, copies, level, random) for _ in range(REPEATS))
                found.append(Sensitivity(kind, copies / synthetic, copies, hits / REPEATS))
        return found

    def _finds(self, kind: str, copies: int, level: float, random: np.random.Generator) -> bool:
        """Return whether the attacks on the synthetic images and some copies find these."""
        available = len(next(iter(self.spaces.values())).planted[kind].nearest)
        chosen = random.choice(available, copies, replace=copies > available)
        results = []
        for space in self.spaces.values():
            planted = space.planted[kind]
            distances = np.minimum(space.distances, planted.distances[:, chosen].min(axis=1))
            results.append(self._attack(distances, np.concatenate([space.nearest, planted.nearest[chosen]])))
        p_values = [p_value for each in results for p_value in each.p_values]
        return min(p_values) * len(p_values) <= level or any(each.duplicates for each in results)

    def _attack(self, distances: FloatArray, nearest: IndexArray) -> SpaceResult:
        scores = membership.max_by_group(-distances, self.patients.numbers)
        split = self.patients.members
        return SpaceResult(
            membership.infer_membership(scores[:split], scores[split:]),
            self._link_test.test(nearest),
            int(np.sum(scores[:split] > -memorization.DUPLICATE_DISTANCE)),
            int(np.sum(scores[split:] > -memorization.DUPLICATE_DISTANCE)),
        )
