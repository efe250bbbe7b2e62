"""Resize greyscale images to squares."""

import numpy as np
from PIL import Image

from xrayaug.data.images.colour import GreyImage

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize_square(grey: GreyImage, size: int, *, fit: str, resample: str) -> GreyImage:
    """Resize an image uint8 [H, W] to [size, size].

    Every filter except nearest is antialiased; benchmarks/README.md lists their errors and times. Pillow's
    `reducing_gap` is not used: it would save a third of the time of bicubic, which is a fraction of the time for
    decoding, and cause errors of up to 17 grey levels.

    Args:
        grey: the image.
        size: width and height of the result, in pixels.
        fit: "squash" ignores the aspect ratio, "pad" keeps it and adds black, "crop" keeps it and crops the long side.
        resample: name of a filter, a key of `FILTERS`.
    """
    height, width = grey.shape
    if fit == "squash":
        return _resize(grey, size, size, resample)
    if fit == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return _resize(grey[top : top + side, left : left + side], size, size, resample)
    scale = size / max(height, width)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (size - inner_width) // 2, (size - inner_height) // 2
    padded = np.zeros((size, size), np.uint8)
    inner = _resize(grey, inner_height, inner_width, resample)
    padded[top : top + inner_height, left : left + inner_width] = inner
    return padded


def _resize(grey: GreyImage, height: int, width: int, resample: str) -> GreyImage:
    image = Image.fromarray(np.ascontiguousarray(grey))
    return np.array(image.resize((width, height), FILTERS[resample]))
