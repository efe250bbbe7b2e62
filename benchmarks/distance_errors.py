"""How true the standard errors of KID and of the extrapolated distance are, and the level of the floor's test.

    python benchmarks/distance_errors.py errors
    python benchmarks/distance_errors.py level --data DATASET --features imagenet

`errors` draws pairs of samples from known normal distributions, and divides the mean standard error by the standard
deviation of the values, which is their true error. `level` extracts the features of a dataset once, splits its images
at random into halves (patients together), tests one half against the other as `fid --floor` does, and counts how often
a measure is called worse. Real images against real ones should be at most in 5 % of the splits.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from xrayaug.data import image_sets
from xrayaug.data.dataset import open_dataset
from xrayaug.metrics import extractors, extrapolation, features, kid, permutation
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.stats import bootstrap
from xrayaug.stats.array_types import FeatureArray, FloatArray

DIMS = 64
SUBSETS = 40  # of KID in simulations, which changes neither its value's mean nor the question
Estimate = Callable[[FloatArray, FloatArray, np.random.Generator], tuple[float, float]]

# The spectrum is the exponent of the features' standard deviations, (1, 2, ... 64)^-exponent.
SETTINGS = [
    ("equal distributions, equal variances", 0.0, 0.0, 1.0),
    ("equal distributions, variances falling as 1 / i", 0.5, 0.0, 1.0),
    ("equal distributions, variances falling as 1 / i²", 1.0, 0.0, 1.0),
    ("means 0.1 deviations apart", 0.5, 0.1, 1.0),
    ("means 0.3 deviations apart, deviations 1.2 times as large", 0.5, 0.3, 1.2),
]


def main() -> None:
    """Run the chosen measurement and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measurement", choices=("errors", "level"))
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--data", type=Path, help="a dataset, for level")
    parser.add_argument("--features", default="imagenet", help="features of the images, for level")
    parser.add_argument("--images", type=int, default=permutation.MAX_IMAGES, help="of each half at most, for level")
    arguments = parser.parse_args()
    if arguments.measurement == "errors":
        print_errors(arguments.repetitions)
    elif arguments.data is None:
        parser.error("level needs --data")
    else:
        permutation.MAX_IMAGES = arguments.images
        print_level(arguments.data, arguments.features, arguments.repetitions)


def print_errors(repetitions: int) -> None:
    """Print the mean standard error over the true one, for each estimate and setting."""
    print("| estimate | images | distributions | true error | stated / true | coverage of value ± 1.96 errors |")
    print("|---|---|---|---|---|---|")
    for name, estimate, sizes in (
        ("KID", estimate_kid, [(120, 120), (120, 480), (500, 500)]),
        ("fid-infinity", estimate_infinity, [(512, 512), (512, 2000), (1500, 1500)]),
    ):
        for n, m in sizes:
            for description, exponent, shift, scale in SETTINGS:
                setting = {"exponent": exponent, "shift": shift, "scale": scale}
                values, errors = np.array(list(simulate(estimate, (n, m), repetitions, **setting))).T
                true = float(values.std(ddof=1))
                covered = float(np.mean(np.abs(values - values.mean()) <= 1.96 * errors))
                ratio = errors.mean() / true
                print(
                    f"| {name} | {n} and {m} | {description} | {true:.3g} | {ratio:.2f} | {covered:.1%} |", flush=True
                )


def simulate(
    estimate: Estimate, sizes: tuple[int, int], repetitions: int, *, exponent: float, shift: float, scale: float
) -> Iterator[tuple[float, float]]:
    """Yield value and standard error of each pair of samples."""
    deviations = (1 + np.arange(DIMS)) ** -exponent
    deviations *= np.sqrt(DIMS / np.sum(deviations**2))
    for repetition in range(repetitions):
        random = np.random.default_rng([repetition, *sizes])
        a = (random.normal(size=(sizes[0], DIMS)) * scale + shift) * deviations
        yield estimate(a, random.normal(size=(sizes[1], DIMS)) * deviations, random)


def estimate_kid(a: FloatArray, b: FloatArray, random: np.random.Generator) -> tuple[float, float]:
    """Return KID and its standard error."""
    found = kid.distance(a, b, random, subsets=SUBSETS)
    assert found.standard_error is not None
    return found.value, found.standard_error


def estimate_infinity(a: FloatArray, b: FloatArray, random: np.random.Generator) -> tuple[float, float]:
    """Return the extrapolated distance and its standard error."""
    found = extrapolation.extrapolate(a, b, random)
    assert found is not None
    assert found.standard_error is not None
    return found.value, found.standard_error


def print_level(path: Path, name: str, repetitions: int) -> None:
    """Print how often halves of a dataset are called worse than each other."""
    data = open_dataset(path)
    groups = bootstrap.encode_groups([row.patient for row in data.rows])
    extracted = extract_features(path, name)
    scaled = FeatureScaler.fit(name, extracted).transform(extracted) if extractors.is_scaled(name) else extracted
    names, rejected, any_rejected = ("fid", "kid", "prdc"), dict[str, int](), 0
    for repetition in range(repetitions):
        random = np.random.default_rng([repetition, 11])
        halves = np.array_split(random.permutation(groups.max() + 1), 2)
        sides = [np.flatnonzero(np.isin(groups, half)) for half in halves]
        found = permutation.run_test(
            names, scaled[sides[0]], scaled[sides[1]], random, (groups[sides[0]], groups[sides[1]])
        )
        assert found is not None
        for measure, p_value in found.p_values.items():
            rejected[measure] = rejected.get(measure, 0) + (p_value <= found.level)
        any_rejected += min(found.p_holm.values()) <= found.level
    print(f"{path}, {len(extracted)} images, {name}, {repetitions} splits into halves")
    print("| measure | p at most 0.05 | 95 % interval |\n|---|---|---|")
    for measure, count in [*rejected.items(), ("any, p (Holm)", any_rejected)]:
        low, high = stats.binomtest(count, repetitions).proportion_ci(method="exact")
        print(f"| {measure} | {count / repetitions:.1%} | {low:.1%} to {high:.1%} |")


def extract_features(path: Path, name: str) -> FeatureArray:
    """Return the features of all images of a dataset, `[N, D]`."""
    network = features.load_extractor(name, torch.device("cpu"), dims=DIMS if name == "random" else 2048)
    side = image_sets.from_dataset(open_dataset(path), split=None, label=None)
    return features.extract_features(network, side, 50, None, lambda *_: None)


if __name__ == "__main__":
    main()
