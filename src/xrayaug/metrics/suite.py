"""The metrics of `fid --metrics`, and their floor: the values of real images against other real images.

Side A is evaluated (synthetic images), side B is the reference (real ones). Between two samples of one distribution no
measure reaches its ideal value of 0 or 1; the gap depends on n and on the features. So the reference is split at random
into halves: one half is measured against the other, and side A against that other half, with the same n. A value is
reported with its floor: their difference is the excess, their quotient the ratio. Halves hold different patients.

Whether A is worse than real images are by chance is told by a test (`permutation.py`), not by the floor's deviation:
that is over splits of one set, and so smaller than between sets.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from xrayaug.errors import UsageError
from xrayaug.metrics import extrapolation, frechet, kid, prdc
from xrayaug.metrics.extrapolation import ExtrapolatedDistance
from xrayaug.metrics.kid import KernelDistance
from xrayaug.metrics.permutation import PermutationTest
from xrayaug.metrics.prdc import PrecisionRecall
from xrayaug.stats.array_types import FeatureArray, IndexArray

NAMES = ("fid", "kid", "prdc", "fid-infinity")
N_SPLITS = 10  # of the reference into halves
MIN_FLOOR_IMAGES = 10  # images per half; with fewer the floor is mostly noise
STABLE_FLOOR_IMAGES = 50  # with fewer, the splits vary much, and the result has a warning
FLOOR_SUBSETS = 20  # subsets of the kernel distance, for each split
FOR_SUBSETS, FOR_EQUAL_SIDES, FOR_LINE, FOR_HALVES, FOR_TEST = range(5)  # numbers of the random streams


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
    p_value: float | None = None  # of the permutation test; None if there are too few patients
    p_holm: float | None = None  # the same, corrected for the number of measures


@dataclass(frozen=True)
class Floor:
    """The floor of each measure, from halves of side B, and side A's value at the same n."""

    n: int  # images per half
    measures: dict[str, FloorComparison]
    splits: int = N_SPLITS
    test: PermutationTest | None = None  # None if there are too few patients

    def to_dict(self) -> dict[str, Any]:
        """Return the floor as it is written to fid.json."""
        measures = {name: asdict(comparison) for name, comparison in self.measures.items()}
        written = {"reference": "b", "n": self.n, "splits": self.splits, "measures": measures, "test": None}
        if self.test is not None:
            counts = {"a": self.test.count_a, "b": self.test.count_b}
            written["test"] = {"n": counts, "permutations": self.test.permutations, "level": self.test.level}
        return written

    def with_test(self, test: PermutationTest | None) -> "Floor":
        """Return the floor with the p-values of a test of the same measures."""
        if test is None:
            return self
        corrected = test.p_holm
        measures = {
            name: replace(comparison, p_value=test.p_values[name], p_holm=corrected[name])
            for name, comparison in self.measures.items()
        }
        return replace(self, measures=measures, test=test)


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


def compute_metrics(
    names: tuple[str, ...],
    a: FeatureArray,
    b: FeatureArray,
    seed: int,
    groups: tuple[IndexArray, IndexArray] | None = None,
) -> Metrics:
    """Return the metrics of `names`, except the Fréchet distance, of features `[N, D]` against `[M, D]`.

    Precision, recall, density and coverage depend on n, so both sides are subsampled to the smaller one's size.
    `groups` holds the numbers of the images' patients, `[N]` and `[M]`, for the standard errors; None if each image is
    of another patient.
    """
    kernel_distance = kid.distance(a, b, random_stream(seed, FOR_SUBSETS), groups) if "kid" in names else None
    precision_recall = None
    if "prdc" in names:
        n, random = min(len(a), len(b)), random_stream(seed, FOR_EQUAL_SIDES)
        precision_recall = prdc.compute_prdc(_subsample(a, n, random), _subsample(b, n, random))
    extrapolated = None
    if "fid-infinity" in names:
        extrapolated = extrapolation.extrapolate(a, b, random_stream(seed, FOR_LINE), groups)
    return Metrics(names, len(a), len(b), kernel_distance, precision_recall, extrapolated)


def compute_floor(
    names: tuple[str, ...],
    a: FeatureArray,
    b: FeatureArray,
    seed: int,
    *,
    after_each: Callable[[], None] = lambda: None,
    patients: IndexArray | None = None,
) -> Floor | None:
    """Measure halves of side B against each other, and side A against one of them, at the same n.

    Args:
        names: the metrics, as `parse_metrics` returns them.
        a: features of side A, `[N, D]`.
        b: features of side B, `[M, D]`.
        seed: seed of the splits.
        after_each: called after each split.
        patients: numbers of the patients of side B, `[M]`, none of whom is in both halves; None if each image is of
            another patient.

    Returns:
        The floor; None if there are fewer than `MIN_FLOOR_IMAGES` images.
    """
    numbers = np.arange(len(b)) if patients is None else np.unique(patients, return_inverse=True)[1]
    # Between the halves, which are the first and the last n images, lies all but one image of a patient.
    n = min(len(a), (len(b) - int(np.bincount(numbers).max()) + 1) // 2)
    if n < MIN_FLOOR_IMAGES:
        return None
    floors: list[dict[str, float]] = []
    values: list[dict[str, float]] = []
    for split in range(N_SPLITS):
        random = random_stream(seed, FOR_HALVES, split)
        order = _permute_groups(numbers, random)
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
        measures["kid"] = kid.mean_over_subsets(a, b, np.random.default_rng(seed), FLOOR_SUBSETS)
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


def _permute_groups(groups: IndexArray, random: np.random.Generator) -> IndexArray:
    """Return the indices of the images in a random order of their groups, which are numbered from 0, `[N]`."""
    place_of_group = np.argsort(random.permutation(int(groups.max()) + 1))
    return np.argsort(place_of_group[groups], kind="stable")


def random_stream(*seeds: int) -> np.random.Generator:
    """Return the random generator of these seeds."""
    return np.random.default_rng((len(seeds), *seeds))  # NumPy treats the seeds (1,) and (1, 0) as equal
