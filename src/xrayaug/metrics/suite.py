"""The metrics of `fid --metrics`, and their floor: the values of real images against other real images.

Side A is evaluated (synthetic images), side B is the reference (real ones). Between two samples of one distribution no
measure reaches its ideal value of 0 or 1; the gap depends on n and on the features. So the reference is split at random
into halves: one half is measured against the other, and side A against that other half, with the same n. A value is
reported with its floor: their difference is the excess, their quotient the ratio.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from xrayaug.errors import UsageError
from xrayaug.metrics import frechet, kid, prdc
from xrayaug.metrics.frechet import ExtrapolatedDistance
from xrayaug.metrics.kid import KernelDistance
from xrayaug.metrics.prdc import PrecisionRecall
from xrayaug.stats.array_types import FeatureArray

NAMES = ("fid", "kid", "prdc", "fid-infinity")
N_SPLITS = 10  # of the reference into halves
MIN_FLOOR_IMAGES = 10  # images per half; with fewer the floor is mostly noise
STABLE_FLOOR_IMAGES = 50  # with fewer, the splits vary much, and the result has a warning
FLOOR_SUBSETS = 20  # subsets of the kernel distance, for each split
FOR_SUBSETS, FOR_EQUAL_SIDES, FOR_LINE, FOR_HALVES = range(4)  # numbers of the random streams


@dataclass(frozen=True)
class Metrics:
    """The metrics of `--metrics`, except the Fréchet distance, over all images; None if not computed."""

    names: tuple[str, ...]  # as `parse_metrics` returns them
    count_a: int  # images of side A
    count_b: int  # images of side B
    kid: KernelDistance | None = None
    prdc: PrecisionRecall | None = None
    fid_infinity: ExtrapolatedDistance | None = None  # None also if there are too few images

    @property
    def prdc_count(self) -> int:
        """Images per side that precision, recall, density and coverage are computed from."""
        return min(self.count_a, self.count_b)

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics as they are written to fid.json, by name."""
        written: dict[str, Any] = {}
        if self.kid is not None:
            written["kid"] = asdict(self.kid) | {"n": {"a": self.count_a, "b": self.count_b}}
        if self.prdc is not None:
            neighbours = {"precision": prdc.K_PRECISION, "density": prdc.K_DENSITY}
            written["prdc"] = asdict(self.prdc) | {"n": self.prdc_count, "k": neighbours}
        if "fid-infinity" in self.names:
            written["fid-infinity"] = None if self.fid_infinity is None else asdict(self.fid_infinity)
        return written


@dataclass(frozen=True)
class FloorComparison:
    """A measure of side A beside its floor: means over the splits."""

    floor: float
    floor_sd: float  # standard deviation over the splits
    value: float
    excess: float  # value - floor
    ratio: float | None  # value / floor; None for KID, whose expected floor is 0, and if the floor is not positive


@dataclass(frozen=True)
class Floor:
    """The floor of each measure, from halves of side B, and side A's value at the same n."""

    n: int  # images per half
    measures: dict[str, FloorComparison]
    splits: int = N_SPLITS

    def to_dict(self) -> dict[str, Any]:
        """Return the floor as it is written to fid.json."""
        measures = {name: asdict(comparison) for name, comparison in self.measures.items()}
        return {"reference": "b", "n": self.n, "splits": self.splits, "measures": measures}


def parse_metrics(text: str) -> tuple[str, ...]:
    """Parse ``"kid,fid"`` to ``("fid", "kid")``; the Fréchet distance is always among them.

    Raises:
        UsageError: a name is none of `NAMES`.
    """
    requested = {part.strip() for part in text.split(",")}
    unknown = sorted(requested - set(NAMES))
    if unknown:
        raise UsageError(f"--metrics knows no '{unknown[0]}'", f"choose from {', '.join(NAMES)}, separated by commas")
    return tuple(name for name in NAMES if name in requested | {"fid"})


def compute_metrics(names: tuple[str, ...], a: FeatureArray, b: FeatureArray, seed: int) -> Metrics:
    """Return the metrics of `names`, except the Fréchet distance, of features `[N, D]` against `[M, D]`.

    Precision, recall, density and coverage depend on n, so both sides are subsampled to the smaller one's size.
    """
    kernel_distance = kid.distance(a, b, _random(seed, FOR_SUBSETS)) if "kid" in names else None
    precision_recall = None
    if "prdc" in names:
        n, random = min(len(a), len(b)), _random(seed, FOR_EQUAL_SIDES)
        precision_recall = prdc.compute_prdc(_subsample(a, n, random), _subsample(b, n, random))
    extrapolated = frechet.extrapolate(a, b, _random(seed, FOR_LINE)) if "fid-infinity" in names else None
    return Metrics(names, len(a), len(b), kernel_distance, precision_recall, extrapolated)


def compute_floor(
    names: tuple[str, ...], a: FeatureArray, b: FeatureArray, seed: int, after_each: Callable[[], None] = lambda: None
) -> Floor | None:
    """Measure halves of side B against each other, and side A against one of them, at the same n.

    `after_each` is called after each split. Returns None if there are fewer than `MIN_FLOOR_IMAGES` images.
    """
    n = min(len(a), len(b) // 2)
    if n < MIN_FLOOR_IMAGES:
        return None
    floors: list[dict[str, float]] = []
    values: list[dict[str, float]] = []
    for split in range(N_SPLITS):
        random = _random(seed, FOR_HALVES, split)
        order = random.permutation(len(b))
        other_half, reference = b[order[:n]], b[order[len(b) - n :]]
        compute = partial(_compute_measures, names, seed=(seed, FOR_HALVES, split, 1))
        floors.append(compute(other_half, reference))
        values.append(compute(_subsample(a, n, random), reference))
        after_each()
    measures = {
        name: _compare_with_floor([split[name] for split in floors], [split[name] for split in values], name != "kid")
        for name in floors[0]
    }
    return Floor(n, measures)


def _compute_measures(
    names: tuple[str, ...], a: FeatureArray, b: FeatureArray, *, seed: tuple[int, ...]
) -> dict[str, float]:
    """Return the measures that have a floor, of two sets of one size; the unbiased extrapolated distance has none."""
    measures = {"fid": frechet.distance(frechet.compute_statistics(a), frechet.compute_statistics(b))}
    if "kid" in names:
        measures["kid"] = kid.distance(a, b, np.random.default_rng(seed), FLOOR_SUBSETS).value
    if "prdc" in names:
        measures |= asdict(prdc.compute_prdc(a, b))
    return measures


def _compare_with_floor(floors: list[float], values: list[float], has_ratio: bool) -> FloorComparison:
    """Return a measure's comparison with its floor, from the values of all splits."""
    floor, value = float(np.mean(floors)), float(np.mean(values))
    ratio = value / floor if has_ratio and floor > 0 else None
    return FloorComparison(floor, float(np.std(floors, ddof=1)), value, value - floor, ratio)


def _subsample(features: FeatureArray, n: int, random: np.random.Generator) -> FeatureArray:
    """Return `n` random rows of `features` `[N, D]`; if n is N, all rows in their order."""
    return features if len(features) == n else features[random.permutation(len(features))[:n]]


def _random(*seeds: int) -> np.random.Generator:
    return np.random.default_rng((len(seeds), *seeds))  # NumPy treats the seeds (1,) and (1, 0) as equal
