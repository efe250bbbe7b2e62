"""How often `prepare` warns that the scanner tells the label: where it does not, and where it does.

    python benchmarks/scanner_check.py --sets 400 --permutations 199

Each simulated set has patients of one image and scanners of equal frequency. The log odds of a scanner's abnormal
images are normal numbers, scaled until the best score of scanners has the wanted area under the ROC curve.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool

import numpy as np
import numpy.typing as npt

from xrayaug.data.acquisition import MIN_AUROC
from xrayaug.stats import category_score

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """What simulated sets have in common."""

    patients: int
    scanners: int
    auroc: float
    others: int = 0  # further columns, which tell nothing
    uneven: bool = False  # abnormal patients have 2 to 5 images and normal ones 1 or 2; else all have one


def list_worlds() -> Iterator[World]:
    """Yield the worlds of the table in docs/how-to/dicom.md."""
    for auroc in (0.5, 0.7):
        for patients in (60, 150, 500):
            for scanners in (5, 20):
                yield World(patients, scanners, auroc)
    for scanners in (5, 20):
        yield World(150, scanners, 0.5, others=4, uneven=True)


def find_scale(odds: Floats, auroc: float) -> float:
    """Return the factor of the log odds by which scanners of equal frequency tell the label with this area."""
    low, high = 0.0, 10.0
    for _ in range(50):
        middle = (low + high) / 2
        ones = np.sort(1 / (1 + np.exp(-middle * odds)))
        zeros = 1 - ones
        area = (ones * (np.cumsum(zeros) - zeros / 2)).sum() / (ones.sum() * zeros.sum())
        low, high = (middle, high) if area < auroc else (low, middle)
    return low


def is_warned(world: World, seed: int) -> bool | None:
    """Return whether there is a warning about one simulated set; None if it has too few patients of a label."""
    random = np.random.default_rng([seed, world.patients, world.scanners])
    odds = random.normal(size=world.scanners)
    odds -= odds.mean()
    scale = find_scale(odds, world.auroc) if world.auroc > 0.5 else 0.0
    scanner = random.integers(0, world.scanners, world.patients)
    labels = (random.random(world.patients) < 1 / (1 + np.exp(-scale * odds[scanner]))).astype(np.int64)
    images = np.ones(world.patients, np.int64)
    if world.uneven:
        images = np.where(labels == 1, random.integers(2, 6, world.patients), random.integers(1, 3, world.patients))
    of_image = np.repeat(np.arange(world.patients), images)
    columns = [scanner, *(random.integers(0, 3 + number, world.patients) for number in range(world.others))]
    categories = [column[of_image].astype(str).tolist() for column in columns]
    scores = category_score.score_categories(categories, labels[of_image], of_image.astype(str).tolist(), 0)
    return any(each.p_value <= category_score.LEVEL and each.auroc >= MIN_AUROC for each in scores) if scores else None


def main() -> None:
    """Print the share of sets with a warning for each world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--permutations", type=int, default=199)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    category_score.PERMUTATIONS = given.permutations
    with Pool(given.processes) as pool:
        for world in list_worlds():
            warned = [each for each in pool.map(partial(is_warned, world), range(given.sets)) if each is not None]
            print(f"{world}: {100 * np.mean(warned):.1f} % of {len(warned)} sets", flush=True)


if __name__ == "__main__":
    main()
