"""Simulated studies whose true scores are known, for `verdict_calibration.py`. Nothing here uses the package's judging.

A network's score of an image is z = shift + separation * label + noise, with noise of variance 1 (binormal model), and
its probability is expit(z - middle). Shift and separation vary with the seed of the network. The noise is a sum of
parts that networks share and parts of one network alone, each of which images of a patient may share. The true score
of an arm is the mean over seeds of its network's score on all patients, by quadrature over the seeds' distribution.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from xrayaug.stats import influence
from xrayaug.stats.influence import PatientCounts

Arrays = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

VARIANCES = {"shared": 0.60, "arm": 0.10, "network": 0.30}  # of the noise: of all networks, of an arm's, of one
OF_PATIENT = {"shared": 0.42, "arm": 0.30, "network": 0.0}  # the part of each that images of a patient share
SEED_SHIFT, SEED_SEPARATION = 0.20, 0.10  # standard deviations over seeds; half of the variance is shared by the arms
ABNORMAL = 0.41  # of the test patients: 189 of the thesis's 460 images
NODES, SKEWED_NODES = 16, 8  # of the quadrature, for each random effect of a seed
GRID = np.linspace(-8.0, 12.0, 2001)  # of scores, for integrals over cases


@dataclass(frozen=True)
class World:
    """A design, and the true effects of its arms; the baseline is the first arm and not listed."""

    effects: tuple[float, ...] = (0.0, 0.0, 0.0)  # of each arm on the AUROC
    shifts: tuple[float, ...] = ()  # of each arm's scores: what a moved prior does; none: 0
    images: int = 460
    seeds: int = 5
    auroc: float = 0.80  # of the baseline
    skewed: bool = False  # seeds' effects: 1 less an exponential variable instead of a normal one
    factors: tuple[float, ...] = ()  # of the seeds' own variance of the baseline and of each arm; none: 1
    of_patient: dict[str, float] = field(default_factory=lambda: OF_PATIENT)
    sizes: tuple[int, ...] = (1, 2, 3, 4)  # images of a patient, equally often
    abnormal: int = 0  # patients who are abnormal, exactly; 0: each with probability `ABNORMAL`
    generator: float = 0.0  # standard deviation of the AUROC between generators
    per_seed: bool = True  # each seed of an arm has a generator of its own; else all seeds of an arm have the same
    controls: int = 0  # of the arms, the last so many have no generator

    @property
    def arms(self) -> int:
        """Number of arms, with the baseline."""
        return len(self.effects) + 1

    @property
    def own(self) -> Arrays:
        """Standard deviations of the arms' own part of the seeds' effects, in units of the shared part's."""
        return np.asarray(np.sqrt(self.factors or (1.0,) * self.arms), np.float64)

    @property
    def generators(self) -> Arrays:
        """Standard deviation of each arm's separation between generators."""
        slope = norm.pdf(norm.ppf(self.auroc)) / math.sqrt(2)
        with_generator = (np.arange(self.arms) > 0) & (np.arange(self.arms) < self.arms - self.controls)
        return np.asarray(self.generator / slope * with_generator, np.float64)

    @property
    def prevalence(self) -> float:
        """Share of abnormal patients."""
        return self.abnormal / self.images if self.abnormal else ABNORMAL

    def truth(self, metric: str) -> list[float]:
        """Return the true score of each arm."""
        return [
            _expect(self, arm, SCORES[metric], separation, shift)
            for arm, (separation, shift) in enumerate(zip(self.separations(), self.all_shifts(), strict=True))
        ]

    def separations(self) -> list[float]:
        """Return the mean separation of each arm, from its AUROC."""
        return [
            float(brentq(lambda mean, arm=arm, wanted=wanted: _expect(self, arm, _auroc, mean, 0.0) - wanted, -3, 9))
            for arm, wanted in enumerate(self.auroc + effect for effect in (0.0, *self.effects))
        ]

    def all_shifts(self) -> tuple[float, ...]:
        """Return the mean shift of each arm."""
        return (0.0, *(self.shifts or (0.0,) * len(self.effects)))

    @property
    def middle(self) -> float:
        """The score that becomes the probability 0.5."""
        return float(norm.ppf(self.auroc)) / math.sqrt(2)


@dataclass(frozen=True)
class Study:
    """The test cases of a study and the probabilities of its networks."""

    patients: Numbers  # [N], numbered from 0
    labels: Numbers  # [N]
    probabilities: Arrays  # [A, S, N]

    @cached_property
    def patient_counts(self) -> tuple[PatientCounts, PatientCounts]:
        """Numbers of patients and effective numbers, which are the same for all networks."""
        return (
            influence.count_patients(self.labels, self.patients),
            influence.effective_patients(self.labels, self.patients),
        )


class Drawer:
    """Draws the studies of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.separations = np.array(world.separations())
        self.shifts = np.array(world.all_shifts())

    def draw(self, random: np.random.Generator, cases: Sequence[int]) -> list[Study]:
        """Return the same networks on several sets of so many images each, of other patients."""
        shift, separation = self._draw_seeds(random)
        return [self._draw_cases(random, images, shift, separation) for images in cases]

    def _draw_seeds(self, random: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Draw shift and separation of each network, `[A, S]` each."""
        world, shape = self.world, (self.world.arms, self.world.seeds)

        def effect(*shape: int) -> Arrays:
            return 1 - random.exponential(size=shape) if world.skewed else random.normal(size=shape)

        shift, separation = (
            spread / math.sqrt(2) * (effect(1, world.seeds) + world.own[:, None] * effect(*shape))
            for spread in (SEED_SHIFT, SEED_SEPARATION)
        )
        by_generator = random.normal(size=shape if world.per_seed else (world.arms, 1))
        separation = separation + world.generators[:, None] * by_generator
        return self.shifts[:, None] + shift, self.separations[:, None] + separation

    def _draw_cases(self, random: np.random.Generator, images: int, shift: Arrays, separation: Arrays) -> Study:
        world = self.world
        patients = np.repeat(np.arange(images), random.choice(world.sizes, images))[:images]
        number = int(patients[-1]) + 1
        if world.abnormal:
            of_patient = random.permutation(np.arange(number) < world.abnormal)
        else:
            of_patient = random.random(number) < ABNORMAL
        labels = of_patient.astype(np.int64)[patients]
        noise = sum(
            self._draw_noise(random, part, shape, patients)
            for part, shape in (("shared", (1, 1)), ("arm", (world.arms, 1)), ("network", (world.arms, world.seeds)))
        )
        score = shift[..., None] + separation[..., None] * labels + noise
        return Study(patients, labels, np.asarray(expit(score - world.middle), np.float64))

    def _draw_noise(self, random: np.random.Generator, part: str, shape: tuple[int, int], patients: Numbers) -> Arrays:
        variance, shared = VARIANCES[part], self.world.of_patient[part]
        noise = random.normal(0, math.sqrt(variance * (1 - shared)), (*shape, len(patients)))
        if shared:
            noise += random.normal(0, math.sqrt(variance * shared), (*shape, int(patients[-1]) + 1))[..., patients]
        return noise


def _expect(
    world: World, arm: int, score: Callable[[World, Arrays, Arrays], Arrays], separation: float, shift: float
) -> float:
    """Return the mean over seeds of a score that is a function of a network's shift and separation."""
    own = float(world.own[arm])
    if world.skewed:  # a sum of two exponential variables, each at its own nodes
        nodes, weights = np.polynomial.laguerre.laggauss(SKEWED_NODES)
        values = np.add.outer(1 - nodes, own * (1 - nodes)).ravel() / math.sqrt(2)
        masses = np.multiply.outer(weights, weights).ravel()
    else:
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        values, masses = nodes * math.sqrt((1 + own**2) / 2), weights / weights.sum()
    of_generator = math.hypot(SEED_SEPARATION * math.sqrt((1 + own**2) / 2), float(world.generators[arm]))
    spread = of_generator / math.sqrt((1 + own**2) / 2)  # a generator's effect is normal: not for skewed seeds
    shifts, separations = shift + SEED_SHIFT * values, separation + spread * values
    scores = score(world, shifts[:, None], separations[None, :])
    return float(np.sum(scores * masses[:, None] * masses[None, :]))


def _auroc(world: World, shift: Arrays, separation: Arrays) -> Arrays:
    return np.asarray(norm.cdf(separation / math.sqrt(2)) + 0 * shift, np.float64)


def _sensitivity(world: World, shift: Arrays, separation: Arrays) -> Arrays:
    return np.asarray(norm.cdf(shift + separation - world.middle), np.float64)


def _specificity(world: World, shift: Arrays, separation: Arrays) -> Arrays:
    return np.asarray(norm.cdf(world.middle - shift) + 0 * separation, np.float64)


def _accuracy(world: World, *network: Arrays) -> Arrays:
    return world.prevalence * _sensitivity(world, *network) + (1 - world.prevalence) * _specificity(world, *network)


def _balanced_accuracy(world: World, *network: Arrays) -> Arrays:
    return (_sensitivity(world, *network) + _specificity(world, *network)) / 2


def _kappa(world: World, *network: Arrays) -> Arrays:
    share, accuracy = world.prevalence, _accuracy(world, *network)
    called = share * _sensitivity(world, *network) + (1 - share) * (1 - _specificity(world, *network))
    by_chance = share * called + (1 - share) * (1 - called)
    return (accuracy - by_chance) / (1 - by_chance)


def _f1(world: World, *network: Arrays) -> Arrays:
    tp = world.prevalence * _sensitivity(world, *network)
    called = tp + (1 - world.prevalence) * (1 - _specificity(world, *network))
    return 2 * tp / (called + world.prevalence)


def _average_precision(world: World, shift: Arrays, separation: Arrays) -> Arrays:
    """Integrate precision over the scores of abnormal cases; a shift changes nothing."""
    found = norm.sf(GRID[:, None] - separation[0])
    precision = world.prevalence * found
    precision = precision / (precision + (1 - world.prevalence) * norm.sf(GRID)[:, None])
    area = np.sum(precision * norm.pdf(GRID[:, None] - separation[0]), axis=0) * (GRID[1] - GRID[0])
    return np.asarray(area[None, :] + 0 * shift, np.float64)


def _brier(world: World, shift: Arrays, separation: Arrays) -> Arrays:
    def squared(label: int) -> Arrays:
        score = shift[..., None] + label * separation[..., None] + GRID
        density = norm.pdf(GRID) * (GRID[1] - GRID[0])
        return np.asarray((expit(score - world.middle) - label) ** 2 @ density, np.float64)

    return world.prevalence * squared(1) + (1 - world.prevalence) * squared(0)


SCORES: dict[str, Callable[[World, Arrays, Arrays], Arrays]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "kappa": _kappa,
    "auroc": _auroc,
    "average_precision": _average_precision,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "f1": _f1,
    "brier": _brier,
}
