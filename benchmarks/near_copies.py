"""How well does `prepare` find near copies? False alarms among different pictures, and changes that are detected.

    python benchmarks/near_copies.py DIRECTORY [--size 128] [--changed 120]

DIRECTORY holds radiographs of different patients, one each. The correlations of all pairs are measured, and those of
some pictures with changed versions of themselves: compressed, resized, rotated and so on.
"""

import argparse
import io
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from xrayaug.data.images import greyscale, resizing, similarity
from xrayaug.data.images.colour import GreyImage

THRESHOLDS = (0.7, 0.8, 0.9, 0.95, similarity.NEAR_DUPLICATE_CORRELATION)
Change = Callable[[Image.Image], Image.Image]


def jpeg(quality: int) -> Change:
    def change(image: Image.Image) -> Image.Image:
        written = io.BytesIO()
        image.save(written, "JPEG", quality=quality)
        return Image.open(written)

    return change


def greys(change: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]) -> Change:
    return lambda image: Image.fromarray(np.rint(change(np.asarray(image, np.float64)).clip(0, 255)).astype(np.uint8))


def resized(factor: float) -> Change:
    return lambda image: image.resize((int(image.width * factor), int(image.height * factor)), Image.Resampling.BICUBIC)


def rotated(degrees: int) -> Change:
    return lambda image: image.rotate(degrees, expand=True)


def cropped(share: float) -> Change:
    return lambda image: ImageOps.crop(image, (int(image.width * share), int(image.height * share)))


def noisy(deviation: float) -> Change:
    return greys(lambda grey: grey + np.random.default_rng(0).normal(0, deviation, grey.shape))


CHANGES: dict[str, Change] = {
    **{f"JPEG, quality {quality}": jpeg(quality) for quality in (50, 75, 90)},
    "half the size": resized(0.5),
    "90 % of the size": resized(0.9),
    "mirrored": ImageOps.mirror,
    **{f"rotated by {degrees} degrees": rotated(degrees) for degrees in (90, 180, 270)},
    "mirrored, rotated by 90 degrees, JPEG 75": lambda image: jpeg(75)(ImageOps.mirror(image).rotate(90, expand=True)),
    "brightness + 20 %": greys(lambda grey: grey * 1.2),
    "brightness - 20 %": greys(lambda grey: grey * 0.8),
    "contrast + 20 %": greys(lambda grey: (grey - grey.mean()) * 1.2 + grey.mean()),
    "contrast - 20 %": greys(lambda grey: (grey - grey.mean()) * 0.8 + grey.mean()),
    "gamma 0.8": greys(lambda grey: 255 * (grey / 255) ** 0.8),
    "gamma 1.25": greys(lambda grey: 255 * (grey / 255) ** 1.25),
    "gamma 0.5": greys(lambda grey: 255 * (grey / 255) ** 0.5),
    "noise of 10 grey levels": noisy(10),
    "noise of 25 grey levels": noisy(25),
    "histogram equalised": ImageOps.equalize,
    "negative": ImageOps.invert,
    "1 % cropped at each side": cropped(0.01),
    "2.5 % cropped at each side": cropped(0.025),
    "5 % cropped at each side": cropped(0.05),
    "rotated by 1 degree": lambda image: image.rotate(1, Image.Resampling.BICUBIC),
    "rotated by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
}


def square(image: Image.Image, size: int) -> GreyImage:
    return resizing.resize_square(np.asarray(image.convert("L")), size, fit="squash", resample="bicubic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--changed", type=int, default=120, help="number of pictures that are changed")
    arguments = parser.parse_args()
    files = sorted(arguments.directory.rglob("*.png"))
    images = [Image.fromarray(greyscale.decode(file).grey) for file in files]
    squares = np.stack([square(image, arguments.size) for image in images])
    different = similarity.best_correlations(squares, np.array(list(combinations(range(len(files)), 2))))
    print(
        f"| {len(different):,} pairs of different pictures | " + " | ".join(f"{t}" for t in THRESHOLDS) + " | highest |"
    )
    print("|---" * (len(THRESHOLDS) + 2) + "|")
    counts = " | ".join(f"{(different >= threshold).sum():,}" for threshold in THRESHOLDS)
    print(f"| pairs with at least this correlation | {counts} | {different.max():.3f} |\n")
    print(
        "| a picture and itself after this change | "
        + " | ".join(f"{threshold}" for threshold in THRESHOLDS)
        + " | lowest |"
    )
    print("|---" * (len(THRESHOLDS) + 2) + "|")
    chosen = list(range(0, len(files), max(1, len(files) // arguments.changed)))
    for name, change in CHANGES.items():
        changed = np.stack([square(change(images[place]), arguments.size) for place in chosen])
        both = np.concatenate([squares[chosen], changed])
        found = similarity.best_correlations(both, np.arange(2 * len(chosen)).reshape(2, -1).T)
        shares = " | ".join(f"{100 * (found >= threshold).mean():.0f} %" for threshold in THRESHOLDS)
        print(f"| {name} | {shares} | {found.min():.3f} |", flush=True)
    started = time.perf_counter()
    count = len(similarity.group_near_duplicates(squares).groups())
    print(f"\n{count} groups of near copies in {len(files)} pictures, {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
