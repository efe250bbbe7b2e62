"""The metrics of `fid --metrics`, and their floor: the values of real images against other real images.

Side A is evaluated (synthetic images), side B is the reference (real ones). Between two samples of one distribution no
measure reaches its ideal value of 0 or 1; the gap depends on n and on the features. So the reference is split at random
into halves: one half is measured against the other, and side A against that other half, with the same n. A value is
reported with its floor: their difference is the excess, their quotient the ratio.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from xrayaug.errors import UsageError
from xrayaug.metrics import frechet, kid, prdc
from xrayaug.metrics.features import FeatureArray

NAMES = ("fid", "kid", "prdc", "fid-infinity")
N_SPLITS = 10  # of the reference into halves
MIN_FLOOR_IMAGES = 10  # images per half; with fewer the floor is mostly noise
STABLE_FLOOR_IMAGES = 50  # with fewer, the splits vary much, and the result has a warning
FLOOR_SUBSETS = 20  # subsets of the kernel distance, for each split
FOR_SUBSETS, FOR_EQUAL_SIDES, FOR_LINE, FOR_HALVES = range(4)  # numbers of the random streams

Result = dict[str, Any]


def parse_metrics(text: str) -> tuple[str, ...]:
    """Parse ``"kid,fid"`` to ``("fid", "kid")``; the Fréchet distance is always among them.

    Raises:
        UsageError: a name is none of `NAMES`.
    """
    given = {part.strip() for part in text.split(",")}
    unknown = sorted(given - set(NAMES))
    if unknown:
        raise UsageError(f"--metrics knows no '{unknown[0]}'", f"choose from {', '.join(NAMES)}, separated by commas")
    return tuple(name for name in NAMES if name in given | {"fid"})


def compute_metrics(names: tuple[str, ...], a: FeatureArray, b: FeatureArray, seed: int) -> Result:
    """Return the metrics of `names`, except the Fréchet distance, of features `[N, D]` against `[M, D]`, with their n.

    Precision, recall, density and coverage depend on n, so both sides are subsampled to the smaller one's size.
    """
    found: Result = {}
    if "kid" in names:
        found["kid"] = asdict(kid.distance(a, b, _random(seed, FOR_SUBSETS))) | {"n": {"a": len(a), "b": len(b)}}
    if "prdc" in names:
        n = min(len(a), len(b))
        random = _random(seed, FOR_EQUAL_SIDES)
        equal = prdc.compute_prdc(_drawn(a, n, random), _drawn(b, n, random))
        found["prdc"] = equal.named() | {"n": n, "k": {"precision": prdc.K_PRECISION, "density": prdc.K_DENSITY}}
    if "fid-infinity" in names:
        line = frechet.extrapolate(a, b, _random(seed, FOR_LINE))
        found["fid-infinity"] = None if line is None else asdict(line)
    return found


def compute_floor(
    names: tuple[str, ...], a: FeatureArray, b: FeatureArray, seed: int, after_each: Callable[[], None] = lambda: None
) -> Result | None:
    """Measure halves of side B against each other, and side A against one of them, at the same n.

    Returns:
        `n`, `splits`, and for each measure `floor` and `value` (means over the splits), `floor_sd`, `excess` and
        `ratio`, None for KID and if the floor is 0; or None if there are fewer than `MIN_FLOOR_IMAGES` images.
    """
    n = min(len(a), len(b) // 2)
    if n < MIN_FLOOR_IMAGES:
        return None
    floors: list[dict[str, float]] = []
    values: list[dict[str, float]] = []
    for split in range(N_SPLITS):
        random = _random(seed, FOR_HALVES, split)
        order = random.permutation(len(b))
        judged, reference = b[order[:n]], b[order[len(b) - n :]]
        at_n = partial(_at_n, names, seed=(seed, FOR_HALVES, split, 1))
        floors.append(at_n(judged, reference))
        values.append(at_n(_drawn(a, n, random), reference))
        after_each()
    compared = {name: _compared([one[name] for one in floors], [one[name] for one in values]) for name in floors[0]}
    if "kid" in compared:
        compared["kid"]["ratio"] = None  # its expected floor is 0
    return {"reference": "b", "n": n, "splits": N_SPLITS, "measures": compared}


def _at_n(names: tuple[str, ...], a: FeatureArray, b: FeatureArray, *, seed: tuple[int, ...]) -> dict[str, float]:
    """Return the measures that have a floor, of two sets of one size; the unbiased extrapolated distance has none."""
    found = {"fid": frechet.distance(frechet.compute_statistics(a), frechet.compute_statistics(b))}
    if "kid" in names:
        found["kid"] = kid.distance(a, b, np.random.default_rng(seed), FLOOR_SUBSETS).value
    if "prdc" in names:
        found |= prdc.compute_prdc(a, b).named()
    return found


def _compared(floors: list[float], values: list[float]) -> dict[str, float | None]:
    lowest, value = float(np.mean(floors)), float(np.mean(values))
    return {
        "floor": lowest,
        "floor_sd": float(np.std(floors, ddof=1)),
        "value": value,
        "excess": value - lowest,
        "ratio": value / lowest if lowest > 0 else None,
    }


def _drawn(features: FeatureArray, n: int, random: np.random.Generator) -> FeatureArray:
    return features if len(features) == n else features[random.permutation(len(features))[:n]]


def _random(*seeds: int) -> np.random.Generator:
    return np.random.default_rng((len(seeds), *seeds))  # NumPy treats the seeds (1,) and (1, 0) as equal
