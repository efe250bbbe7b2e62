"""Disturbed copies of radiographs: what a generator that replays its training images might draw.

`DISTURBANCES` are ordered by their strength. Each turns, enlarges, changes contrast and brightness, and adds noise, in
directions that are drawn for each image.
"""

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
