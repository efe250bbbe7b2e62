"""Sequential tests: at which numbers of seeds a study is looked at, and which part of the level each look spends.

The level that is spent up to a look is alpha t^2, where t is its share of the seeds: the power family of Kim and DeMets
1987 (Biometrika 74:149) with exponent 2, a spending function in the sense of Lan and DeMets 1983 (Biometrika 70:659).
A look is tested at the level that it adds. These levels sum to alpha, so the probability of a false claim at any look
is at most alpha (Bonferroni's inequality), however the looks depend on each other. Boundaries that use how they do
would be less strict, but need normal statistics of known variance, and here it is estimated from few seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from xrayaug.stats.intervals import ALPHA

EXPONENT = 2.0  # of the spending function
RULE = "alpha t^2 at the share t of the seeds (Kim and DeMets 1987); each look is tested at what it adds"


@dataclass(frozen=True)
class Look:
    """One look of a sequential study."""

    number: int  # from 1
    seeds: int  # of each arm that goes on
    level: float  # at which a difference is tested at this look
    is_last: bool

    @property
    def equivalence_level(self) -> float | None:
        """The level at which equivalence is tested: the whole one at the last look; None at the others."""
        return ALPHA if self.is_last else None


def spent_level(share: float, alpha: float = ALPHA) -> float:
    """Return the level that is spent up to a share in [0, 1] of the seeds.

    Raises:
        ValueError: the share lies outside.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"the share of the seeds is {share}, not in [0, 1]")
    return float(alpha * share**EXPONENT)


def plan_looks(seeds: Sequence[int], alpha: float = ALPHA) -> list[Look]:
    """Return the looks at these numbers of seeds with the level of each; the levels sum to `alpha`.

    Args:
        seeds: of each arm at each look, at least 2 and increasing.
        alpha: the level of the whole study.

    Raises:
        ValueError: the numbers do not increase, or the first is below 2.
    """
    if not seeds or seeds[0] < 2 or any(now <= before for before, now in pairwise(seeds)):
        raise ValueError(f"looks at {list(seeds)} seeds: they must increase from 2 or more")
    spent = [0.0, *(spent_level(each / seeds[-1], alpha) for each in seeds)]
    return [
        Look(number, each, spent[number] - spent[number - 1], is_last=number == len(seeds))
        for number, each in enumerate(seeds, 1)
    ]
