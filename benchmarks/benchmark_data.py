"""Datasets for benchmarks, written without `prepare`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xrayaug.data import dataset
from xrayaug.data.dataset import LABELS, Row
from xrayaug.data.images import arrays
from xrayaug.data.images.arrays import Pixels
from xrayaug.options import Prepare
from xrayaug.storage import builder


def write_dataset(out: Path, pixels: Pixels, splits: Sequence[str]) -> Path:
    """Write a finished dataset of square images uint8 `[N, S, S]`, one per patient; labels alternate.

    Args:
        out: directory of the dataset; an empty `raw.csv` is created beside it.
        pixels: the images.
        splits: of the images, in their order.
    """
    rows = [
        Row("images.npy", index, split, LABELS[index % 2], f"p{index}", f"p{index}/s", "folder", False)
        for index, split in enumerate(splits)
    ]

    def build(directory: Path) -> dict[str, Any]:
        with arrays.writing_images(directory, pixels.shape[1]) as writer:
            writer.write(pixels)
        dataset.write_index(directory, rows, split_by="patient")
        return {"split_by": "patient"}

    raw = out.with_name("raw.csv")  # stands for the input of `prepare`
    raw.touch()
    builder.build_artifact(Prepare(input=raw, out=out), "dataset", build)
    return out
