"""Changed copies of radiographs: those that a generator which replays its training images might draw, and edited ones.

`DISTURBANCES` are ordered by their strength. Each turns, enlarges, changes contrast and brightness, and adds noise, in
directions that are drawn for each image. `EDITS` are the changes that a radiograph goes through from one collection to
another, each for itself.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from xrayaug.data.images.arrays import Pixels


@dataclass(frozen=True)
class Disturbance:
    """Largest changes of an image."""

    degrees: float  # turned about the centre
    zoom: float  # enlarged by this share; the edge is cropped
    contrast: float  # changed by this share, about the middle grey
    brightness: float  # grey levels
    noise: float  # standard deviation in grey levels


DISTURBANCES = {
    "unchanged": Disturbance(0, 0, 0, 0, 0),
    "slightly changed": Disturbance(2, 0.03, 0.1, 8, 3),
    "strongly changed": Disturbance(8, 0.12, 0.3, 24, 8),
}


def disturb(picture: Pixels, disturbance: Disturbance, seed: tuple[int, ...]) -> Pixels:
    """Return a disturbed copy of an image uint8 `[H, W]`; each change is of half its largest size to all of it."""
    random = np.random.default_rng(seed)
    turn, zoom, contrast, brightness = random.uniform(0.5, 1, 4) * random.choice((-1, 1), 4)
    height, width = picture.shape
    scale = 1 / (1 + disturbance.zoom * abs(zoom))
    angle = np.deg2rad(disturbance.degrees * turn)
    matrix = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    centre = np.array([width, height]) / 2
    affine = np.column_stack([matrix, centre - matrix @ centre]).ravel()
    moved = Image.fromarray(picture).transform(
        (width, height), Image.Transform.AFFINE, tuple(affine.tolist()), Image.Resampling.BICUBIC
    )
    grey = (np.asarray(moved, np.float64) - 127.5) * (1 + disturbance.contrast * contrast) + 127.5
    grey += disturbance.brightness * brightness + random.normal(0, 1, grey.shape) * disturbance.noise
    disturbed: Pixels = np.clip(np.rint(grey), 0, 255).astype(np.uint8)
    return disturbed


def _recompress(picture: Pixels) -> Pixels:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "JPEG", quality=75)
    return np.asarray(Image.open(written))


def _resize_and_back(picture: Pixels) -> Pixels:
    height, width = picture.shape
    half = Image.fromarray(picture).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BICUBIC)
    return np.asarray(half.resize((width, height), Image.Resampling.BICUBIC))


def _brighten(picture: Pixels) -> Pixels:
    brighter: Pixels = np.clip(np.rint(picture * 1.2), 0, 255).astype(np.uint8)
    return brighter


def _crop(picture: Pixels) -> Pixels:
    height, width = picture.shape
    top, left = round(height * CROPPED), round(width * CROPPED)
    inner = Image.fromarray(picture[top : height - top, left : width - left])
    return np.asarray(inner.resize((width, height), Image.Resampling.BICUBIC))


CROPPED = 0.05  # share of the height and of the width that `EDITS` cut off at each side
EDITS: dict[str, Callable[[Pixels], Pixels]] = {  # of an image uint8 `[H, W]`, which keeps its size
    "recompressed": _recompress,  # JPEG, quality 75
    "resized": _resize_and_back,  # to half the size, and back
    "20 % brighter": _brighten,
    "mirrored": lambda picture: picture[:, ::-1],
    "5 % cropped at each side": _crop,
}
