"""Pair the runs of arms with those of their baselines."""

from collections.abc import Mapping, Sequence

from xrayaug.errors import DataError

SHOWN = 5  # seeds that a message lists


def pair_runs(seeds: Mapping[str, Sequence[int]], baselines: Mapping[str, str]) -> dict[str, dict[int, int]]:
    """Return the number by which each run is paired with one of the baseline, by arm and seed.

    Runs are paired by seed if an arm has the seeds of its baseline. If they have none in common, their runs are
    independent, and any pairing that does not look at the scores is valid: they are paired in the order of their seeds.

    Args:
        seeds: of every arm, sorted.
        baselines: the name of the baseline of each arm that has one.

    Raises:
        DataError: seeds agree in part, or there are none in common and not equally many.
    """
    paired = {}
    for arm, own in seeds.items():
        others = seeds[baselines.get(arm, arm)]
        if set(own) == set(others):
            paired[arm] = {seed: seed for seed in own}
        elif set(own) & set(others):
            lacking = sorted(set(own) ^ set(others))
            which = ", ".join(map(str, lacking[:SHOWN])) + (", ..." if len(lacking) > SHOWN else "")
            raise DataError(
                f"arm '{arm}' and its baseline '{baselines[arm]}' have the same seeds only in part: "
                f"{'seeds' if len(lacking) > 1 else 'seed'} {which} in one of them alone",
                "give the predictions of all runs of both, or other seeds to runs that are not pairs",
            )
        elif len(own) != len(others):
            raise DataError(
                f"arm '{arm}' has {len(own)} runs and its baseline '{baselines[arm]}' {len(others)}, without a common "
                "seed: they cannot be paired",
                "give equally many runs",
            )
        else:
            paired[arm] = dict(zip(own, others, strict=True))
    return paired
