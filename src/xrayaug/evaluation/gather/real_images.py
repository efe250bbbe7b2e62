"""Compare the real images that arms were trained on: all runs have the same, or each seed has a draw of its own."""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from xrayaug.data.arms import MORE_REAL, PRETRAIN, SYNTHETIC_ONLY
from xrayaug.data.dataset import Dataset, Row
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.study_facts import RealImageDifference
from xrayaug.storage import artifacts

RealImage = tuple[str, str, str, str]  # split, file, sha256, label


@dataclass(frozen=True)
class RealImages:
    """How the real images of runs compare."""

    differences: Sequence[RealImageDifference]
    # Number of draws by the share of the real images, if it is below 1: one for each seed, or one that all seeds have
    draws: dict[float, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Phase:
    """One phase of the training of a run."""

    run: Run
    data: Dataset
    digest: str  # of the dataset
    is_whole: bool  # whether it has all real images of the arm; else only the added ones
    real: frozenset[RealImage]

    @property
    def drawn_with(self) -> int | None:
        """The seed that the real images were drawn with; None if they were not drawn."""
        seed = self.data.artifact.options.get("seed")
        return seed if isinstance(seed, int) else None


def compare_real_images(runs: Sequence[Run]) -> RealImages:
    """Compare the real images of arms with the same share of them, in every phase of training.

    In a phase that has only added images, those for validation and testing are compared; and if it repeats real images,
    they must be among those of the other arms.
    """
    differences: list[RealImageDifference] = []
    draws = {}
    for fraction, of in itertools.groupby(_list_phases(runs), key=lambda each: each.run.arm.real_fraction):
        phases = list(of)
        number = _count_draws(phases)
        if number is None:
            found = _compare(phases)
            differences += found
            if fraction < 1 and not found:
                draws[fraction] = 1
            continue
        draws[fraction] = number
        by_seed = defaultdict(list)
        for phase in phases:
            by_seed[phase.run.seed].append(phase)
        differences += dict.fromkeys(each for members in by_seed.values() for each in _compare(members))
    return RealImages(differences, draws)


def _list_phases(runs: Sequence[Run]) -> list[_Phase]:
    """Return the phases of all runs, sorted by the share of the real images; of each share the whole ones first."""
    real: dict[str, frozenset[RealImage]] = {}
    phases = []
    for run in runs:
        for place, phase in enumerate(run.phases):
            digest = artifacts.digest(phase.data.path)
            if digest not in real:
                real[digest] = frozenset(_real_image(row) for row in phase.data.rows if not row.is_added)
            is_whole = run.arm.schedule != SYNTHETIC_ONLY and (place > 0 or run.arm.schedule != PRETRAIN)
            phases.append(_Phase(run, phase.data, digest, is_whole, real[digest]))
    return sorted(phases, key=lambda each: (each.run.arm.real_fraction, not each.is_whole))


def _count_draws(phases: Sequence[_Phase]) -> int | None:
    """Return the number of draws if all runs of a seed have the same real images and those of other seeds have others.

    Draws with different seeds may be equal by chance. None if all runs have the same real images, or if seeds share
    some of several draws.
    """
    by_seed = defaultdict(set)
    for phase in phases:
        if phase.is_whole:
            by_seed[phase.run.seed].add((phase.real, phase.drawn_with))
    found = [each for members in by_seed.values() for each in members]
    is_same_in_arms = all(len({real for real, _ in members}) == 1 for members in by_seed.values())
    if not is_same_in_arms or len({real for real, _ in found}) == 1:
        return None
    of_seeds = [min(members, key=lambda each: str(each[1])) for members in by_seed.values()]
    are_own = len({real for real, _ in of_seeds}) == len(by_seed) or len({seed for _, seed in of_seeds}) == len(by_seed)
    return len(by_seed) if are_own else None


def _compare(phases: Sequence[_Phase]) -> list[RealImageDifference]:
    """Compare the real images of phases with those of the first, once for each dataset."""
    first = phases[0]
    training = frozenset(each for each in first.real if each[0] == "train")
    differences = []
    for phase in {(each.digest, each.is_whole): each for each in reversed(phases)}.values():
        if phase.is_whole:
            differing = len(phase.real ^ first.real)
        else:
            known = {(file, label) for _, file, _, label in training}
            repeats = phase.run.arm.control != MORE_REAL
            again = {(row.file, row.label) for row in phase.data.rows if row.copy and repeats}
            differing = len(phase.real ^ (first.real - training)) + len(again - known)
        if differing:
            differences.append(RealImageDifference(*_name(first.run, phase.run), differing))
    return differences[::-1]


def _name(one: Run, other: Run) -> tuple[str, str]:
    """Return the names of the arms of two runs; of runs of one arm with their seeds."""
    if one.arm_name != other.arm_name:
        return one.arm_name, other.arm_name
    return f"{one.arm_name} (seed {one.seed})", f"{other.arm_name} (seed {other.seed})"


def _real_image(row: Row) -> RealImage:
    return row.split, row.file, row.sha256, row.label
