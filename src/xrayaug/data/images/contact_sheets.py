"""Grids of images as PNG files: previews, contact sheets, strips of real images."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from xrayaug.data.images.arrays import Pixels
from xrayaug.storage import files

GAP = 2  # pixels between images


def make_grid(pictures: Pixels, columns: int | None = None) -> Pixels:
    """Return images uint8 `[N, H, W]` in a grid, row by row, with grey gaps; the grid is square by default."""
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
    """Write one greyscale image uint8 `[H, W]` atomically, and create its directory if needed.

    Set `durable` if a resumed run does not write the file again.
    """
    files.write_bytes(path, encode_png(picture), durable=durable)


def encode_png(picture: Pixels) -> bytes:
    """Return one greyscale image uint8 `[H, W]` as the bytes of a PNG file."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    return content.getvalue()
