"""How small a change of real images does the two-sample test on a network's features find? And synthetic images?

    python benchmarks/two_sample.py DATA RUN [SAMPLE ...]

Features are those of the classifier run RUN. The real images are the test split of the dataset DATA. They are compared
with training images, as they are and altered, and with the synthetic datasets SAMPLE; each time with as many as there
are test images, in three draws. 0.5 is chance.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from scipy import ndimage

from xrayaug.data.dataset import open_dataset
from xrayaug.metrics.features import ClassifierFeatureExtractor
from xrayaug.stats.array_types import FeatureArray
from xrayaug.stats.two_sample import c2st
from xrayaug.storage import artifacts

Image8 = npt.NDArray[np.uint8]  # [H, W]
DRAWS = 3


def blurred(deviation: float) -> Callable[[Image8], Image8]:
    """Return Gaussian blur of that standard deviation in pixels."""
    return lambda image: np.rint(ndimage.gaussian_filter(image.astype(np.float64), deviation)).astype(np.uint8)


def noisy(deviation: float) -> Callable[[Image8], Image8]:
    """Return the addition of Gaussian noise of that standard deviation in grey levels."""
    random = np.random.default_rng(0)
    return lambda image: np.rint(image + random.normal(0, deviation, image.shape)).clip(0, 255).astype(np.uint8)


def jpeg(quality: int) -> Callable[[Image8], Image8]:
    """Return compression as JPEG."""

    def change(image: Image8) -> Image8:
        written = io.BytesIO()
        Image.fromarray(image).save(written, "JPEG", quality=quality)
        return np.asarray(Image.open(written))

    return change


CHANGES: dict[str, Callable[[Image8], Image8]] = {
    "unchanged": lambda image: image,
    "blur, 0.35 pixels": blurred(0.35),
    "blur, 0.5 pixels": blurred(0.5),
    "blur, 1 pixel": blurred(1),
    "noise, 1 grey level": noisy(1),
    "noise, 2 grey levels": noisy(2),
    "JPEG, quality 95": jpeg(95),
    "JPEG, quality 80": jpeg(80),
}


def main() -> None:
    """Print the areas under the ROC curve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("sample", type=Path, nargs="*")
    options = parser.parse_args()
    extractor = ClassifierFeatureExtractor(artifacts.open_artifact(options.run, "classifier-run"), torch.device("cpu"))

    def features(images: list[Image8]) -> FeatureArray:
        return np.concatenate([extractor.features(images[start : start + 50]) for start in range(0, len(images), 50)])

    held_out, training = (images_of(options.data, split) for split in ("test", "train"))
    real = features(held_out)
    print(f"{len(real)} held-out images; AUROC in {DRAWS} draws")
    for name, change in CHANGES.items():
        print(f"training images, {name}: {areas(real, features([change(image) for image in training]))}", flush=True)
    for sample in options.sample:
        print(f"{sample}: {areas(real, features(images_of(sample, None)))}", flush=True)


def images_of(path: Path, split: str | None) -> list[Image8]:
    """Return the images of a dataset's split; all of them if it is None."""
    data = open_dataset(path)
    return list(data.pixels(data.select(split=split)))


def areas(real: FeatureArray, other: FeatureArray) -> str:
    """Return the areas of draws of as many other images as there are real ones."""
    found = []
    for seed in range(DRAWS):
        drawn = np.random.default_rng(seed).permutation(len(other))[: len(real)]
        result = c2st(real, other[drawn], [""] * len(real), seed)
        found.append("too few images" if result is None else f"{result.auroc:.3f}")
    return ", ".join(found)


if __name__ == "__main__":
    main()
