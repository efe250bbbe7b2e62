"""Grids of images as PNG files: previews, contact sheets, strips of reals."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from xrayaug.data.images.arrays import Pixels
from xrayaug.storage import files

GAP = 2  # pixels between pictures


def grid(pictures: Pixels, columns: int | None = None) -> Pixels:
    """Pictures uint8 `[N, H, W]` side by side, row by row, with a grey gap; a square grid by default."""
    count, height, width = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), 64, np.uint8)
    for place, picture in enumerate(pictures):
        top = GAP + place // columns * (height + GAP)
        left = GAP + place % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def save_png(path: Path, picture: Pixels, *, durable: bool = False) -> None:
    """Write one grey picture uint8 `[H, W]`, whole or not at all, making its directory if need be.

    It is to be durable where a run that goes on does not write it again.
    """
    files.write_bytes(path, png(picture), durable=durable)


def png(picture: Pixels) -> bytes:
    """One grey picture uint8 `[H, W]` as a PNG file."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    return content.getvalue()
