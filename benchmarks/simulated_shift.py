"""Altered copies of images, as if they came from elsewhere: other exposure, tighter framing, less sharp.

    python benchmarks/simulated_shift.py --table hands.csv --images . --out shifted

The images of the table's test rows are written to one directory for each change, with a table of their own. Prepare
each and name them in `evaluate --also`. This is a simulated shift: it says how a verdict holds under these changes, not
at another hospital. With `--split train` it is the training rows, for a generator of images of another look; give it
another `--out`.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

Change = Callable[[Image.Image], Image.Image]

GAMMA = 0.6  # of the exposure: greys become lighter
CROPPED = 0.08  # share of the width and height that is cut off at each side
BLUR = 0.012  # standard deviation of the Gaussian, as a share of the longer side


def expose(picture: Image.Image) -> Image.Image:
    """Return the image with other greys: gamma, and 15 % less contrast."""
    grey = (np.asarray(picture, np.float64) / 255) ** GAMMA
    return Image.fromarray(np.rint(255 * (0.5 + 0.85 * (grey - 0.5))).astype(np.uint8))


def crop(picture: Image.Image) -> Image.Image:
    """Return the inner part of the image."""
    left, top = round(picture.width * CROPPED), round(picture.height * CROPPED)
    return picture.crop((left, top, picture.width - left, picture.height - top))


def blur(picture: Image.Image) -> Image.Image:
    """Return the image blurred."""
    return picture.filter(ImageFilter.GaussianBlur(BLUR * max(picture.size)))


CHANGES: dict[str, Change] = {"exposure": expose, "cropping": crop, "blur": blur}


def main() -> None:
    """Write one directory of images and one table for each change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="with the columns file, label, patient, split")
    parser.add_argument("--images", type=Path, required=True, help="directory that the paths in the table start from")
    parser.add_argument("--split", choices=("test", "train"), default="test", help="rows whose images are altered")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.table.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == options.split]
    if not rows:
        raise SystemExit(f"error: {options.table} has no rows of the split {options.split}")
    for name, change in CHANGES.items():
        home = options.out / name
        home.mkdir(parents=True)
        written = [row | {"file": f"{number:04d}.png"} for number, row in enumerate(rows)]
        for row, altered in zip(rows, written, strict=True):
            change(Image.open(options.images / row["file"]).convert("L")).save(home / altered["file"])
        with (home / "labels.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(written)
        print(f"{home}: {len(rows)} images")


if __name__ == "__main__":
    main()
