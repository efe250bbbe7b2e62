"""Which measure sees what? Real images with known disturbances, judged against other real images.

    python benchmarks/disturbances.py --data DATASET [--features imagenet radiomics RUN ...] [--seed 0]

The images of the dataset are split at random into two halves with the same share of each label. One half is the
reference, the other is disturbed in a known way and judged against it as `fid --floor` judges synthetic images: by
`metrics.suite.compute_floor`. Images are also screened as `copies` screens them.

Values are printed beside the floor of real images at the same n. A value in bold is further from the floor than three
standard deviations of the floor over the splits.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageFilter

from xrayaug.data.dataset import LABELS, open_dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import resize_bicubic
from xrayaug.metrics import memorization, suite
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.metrics.features import FeatureExtractor, load_extractor
from xrayaug.metrics.suite import Floor, FloorComparison
from xrayaug.runtime import devices
from xrayaug.stats.array_types import FeatureArray

Places = npt.NDArray[np.int64]
Change = Callable[[Pixels], Pixels]

BATCH_SIZE = 32
SEEN = 3.0  # standard deviations of the floor
ALPHA = 0.01  # of the screening, the default of `copies`
REPEATED = 12  # images that are left when modes are dropped
METRICS = ("fid", "kid", "prdc")
SHARES = ("precision", "recall", "density", "coverage")


@dataclass(frozen=True)
class Disturbance:
    """A disturbed set: images of the dataset, and how their pixels are changed."""

    name: str
    places: Places  # of the images in the dataset
    change: Change | None = None


def blurred(radius: float) -> Change:
    """Return a Gaussian blur with this standard deviation in pixels."""
    return lambda pixels: np.stack(
        [np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius))) for picture in pixels]
    )


def noisy(deviation: float) -> Change:
    """Return the addition of normal noise with this standard deviation in grey levels."""

    def change(pixels: Pixels) -> Pixels:
        noise = np.random.default_rng(0).normal(0, deviation, pixels.shape)
        return np.rint(pixels + noise).clip(0, 255).astype(np.uint8)

    return change


def contrast(factor: float) -> Change:
    """Return a change of contrast about the mean of each picture."""

    def change(pixels: Pixels) -> Pixels:
        means = pixels.mean(axis=(1, 2), keepdims=True)
        changed: Pixels = np.rint((pixels - means) * factor + means).clip(0, 255).astype(np.uint8)
        return changed

    return change


CHANGES: dict[str, Change] = {
    "blur of 0.5 pixels": blurred(0.5),
    "blur of 1 pixel": blurred(1),
    "noise of 5 grey levels": noisy(5),
    "noise of 20 grey levels": noisy(20),
    "0.8 of the contrast": contrast(0.8),
}


def split_in_halves(is_abnormal: npt.NDArray[np.bool_], random: np.random.Generator) -> tuple[Places, Places]:
    """Return the places of two halves with the same share of each label, in random order."""
    halves: tuple[list[Places], list[Places]] = ([], [])
    for label in (False, True):
        order = random.permutation(np.flatnonzero(is_abnormal == label))
        halves[0].append(order[: len(order) // 2])
        halves[1].append(order[len(order) // 2 :])
    first, second = (random.permutation(np.concatenate(half)) for half in halves)
    return first, second


def list_disturbances(half: Places, reference: Places, is_abnormal: npt.NDArray[np.bool_]) -> list[Disturbance]:
    """Return the disturbed sets made of one half, and the copies of the reference."""
    return [
        Disturbance("none", half),
        *(Disturbance(name, half, change) for name, change in CHANGES.items()),
        Disturbance("abnormal images only", half[is_abnormal[half]]),
        Disturbance("normal images only", half[~is_abnormal[half]]),
        Disturbance(f"{REPEATED} images, repeated", np.resize(half[:REPEATED], len(half))),
        Disturbance("copies of the reference", reference),
    ]


def extract(extractor: FeatureExtractor, pixels: Pixels) -> FeatureArray:
    """Return the features `[N, D]` of images `[N, S, S]`."""
    starts = range(0, len(pixels), BATCH_SIZE)
    return np.concatenate([extractor.features(list(pixels[start : start + BATCH_SIZE])) for start in starts])


def set_aside(near: npt.NDArray[np.float64], held_out: npt.NDArray[np.float64]) -> str:
    """Return the share of images that are nearer to the reference than held-out real images are."""
    threshold = memorization.find_threshold(held_out, ALPHA)
    return f"{100 * float(np.mean(near < threshold.value)):.0f} %"


def screen_pixels(pixels: Pixels, reference: Pixels) -> npt.NDArray[np.float64]:
    """Return each picture's distance to the nearest one of the reference, as `copies` compares them."""
    side = (memorization.IMAGE_SIZE, memorization.IMAGE_SIZE)
    small, small_reference = (
        np.stack([resize_bicubic(picture, side) for picture in pictures]) for pictures in (pixels, reference)
    )
    return memorization.nearest_images(small, small_reference)[1]


def show_ratio(comparison: FloorComparison) -> str:
    """Return a distance as a multiple of its floor."""
    return _emphasise(f"{comparison.ratio:.2f}", comparison)


def show_excess(comparison: FloorComparison, digits: int) -> str:
    """Return the difference to the floor."""
    return _emphasise(f"{comparison.excess:+.{digits}f}", comparison)


def _emphasise(text: str, comparison: FloorComparison) -> str:
    return f"**{text}**" if abs(comparison.excess) > SEEN * comparison.floor_sd else text


def print_row(cells: list[str]) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(cells)} |", flush=True)


def print_table(name: str, floors: dict[str, Floor], aside: dict[str, str]) -> None:
    """Print the measures of all disturbed sets in one kind of features."""
    measures = floors["none"].measures
    print(f"\nFeatures: {name}\n")
    print_row(["disturbance", "n", "Fréchet distance / floor", "KID - floor", *SHARES, "set aside by `copies`"])
    print("|---" * (5 + len(SHARES)) + "|")
    floor = [f"{measures[share].floor:.2f} ± {measures[share].floor_sd:.2f}" for share in SHARES]
    distance, kernel = measures["fid"], measures["kid"]
    spread = f"1 ± {distance.floor_sd / distance.floor:.2f} ({distance.floor:.3g})"
    print_row(["floor", str(floors["none"].n), spread, f"0 ± {kernel.floor_sd:.4f}", *floor, ""])
    for disturbance, result in floors.items():
        found = result.measures
        shares = [show_excess(found[share], 2) for share in SHARES]
        cells = [str(result.n), show_ratio(found["fid"]), show_excess(found["kid"], 4), *shares, aside[disturbance]]
        print_row([disturbance, *cells])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a dataset of real images with labels")
    parser.add_argument("--features", nargs="+", default=["imagenet", "radiomics"], help="as of `fid`, or runs")
    parser.add_argument("--seed", type=int, default=0, help="of the halves and of the splits of the floor")
    arguments = parser.parse_args()
    data = open_dataset(arguments.data)
    rows = data.select(synthetic=False)
    pixels = data.pixels(rows)
    is_abnormal = np.array([row.label == LABELS[1] for row in rows])
    half, reference = split_in_halves(is_abnormal, np.random.default_rng(arguments.seed))
    disturbances = list_disturbances(half, reference, is_abnormal)
    changed = {each.name: each.change(pixels[each.places]) for each in disturbances if each.change}
    print(f"{len(rows)} images of {data.size} pixels; {len(half)} are disturbed and {len(reference)} the reference")
    near = {each.name: screen_pixels(changed.get(each.name, pixels[each.places]), pixels[reference])
            for each in disturbances}  # fmt: skip
    aside = {name: set_aside(distances, near["none"]) for name, distances in near.items()}
    for name in arguments.features:
        started = time.perf_counter()
        extractor = load_extractor(name, devices.resolve("cpu"))
        features = extract(extractor, pixels)
        scaler = FeatureScaler.fit(extractor.origin["features"], features[reference])
        sides = {each.name: extract(extractor, changed[each.name]) if each.change else features[each.places]
                 for each in disturbances}  # fmt: skip
        features = scaler.transform(features)
        sides = {side: scaler.transform(found) for side, found in sides.items()}
        floors = {side: suite.compute_floor(METRICS, found, features[reference], arguments.seed)
                  for side, found in sides.items()}  # fmt: skip
        distances = {side: memorization.nearest_features(found, features[reference])[1]
                     for side, found in sides.items()}  # fmt: skip
        both = {side: f"{aside[side]}, {set_aside(found, distances['none'])}" for side, found in distances.items()}
        print_table(
            f"{extractor.origin['network_name']}, {extractor.dims}",
            {side: floor for side, floor in floors.items() if floor is not None},
            both,
        )
        print(f"\n{time.perf_counter() - started:.0f} s, torch {torch.__version__}", flush=True)


if __name__ == "__main__":
    main()
