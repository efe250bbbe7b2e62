"""A real picture -> a classically augmented one: what can be had without a generator.

It is mirrored and rotated as `train-classifier` does by default, and shifted, scaled and changed in contrast a little.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from xrayaug.data.images.arrays import Pixels
from xrayaug.options import TrainClassifier

ROTATION = TrainClassifier.rotation  # degrees, at most, either way
SHIFT = 0.05  # of the picture's side, at most, either way, both along and down
SCALE = 0.1  # larger or smaller by at most that
CONTRAST = 0.1  # more or less by at most that


def changed(picture: Pixels, seed: Sequence[int]) -> Pixels:
    """The picture uint8 `[S, S]`, changed as `seed` alone says; bilinear, black where nothing was."""
    mirror, *drawn = np.random.default_rng(seed).random(6)
    angle, scale, along, down, contrast = (2 * np.array(drawn) - 1).tolist()  # in [-1, 1)
    moved = _moved(
        picture,
        mirror=mirror < 0.5,
        angle=math.radians(ROTATION) * angle,
        scale=1 + SCALE * scale,
        shift=(SHIFT * along, SHIFT * down),
    )
    mean = moved.mean()
    return np.asarray((mean + (1 + CONTRAST * contrast) * (moved - mean)).round().clip(0, 255), np.uint8)


def _moved(picture: Pixels, *, mirror: bool, angle: float, scale: float, shift: tuple[float, float]) -> Pixels:
    """The picture under the transform of `classifier.transforms`, then scaled and shifted by shares of its side.

    The matrix leads from a place in the result back to one in the picture, both counted from the middle.
    """
    size = len(picture)
    sign = -1 if mirror else 1
    a, b = sign * math.cos(angle) / scale, -math.sin(angle) / scale
    d, e = sign * math.sin(angle) / scale, math.cos(angle) / scale
    x, y = (0.5 + part for part in shift)  # where the middle goes
    origin = (0.5 - a * x - b * y) * size, (0.5 - d * x - e * y) * size
    matrix = (a, b, origin[0], d, e, origin[1])
    turned = Image.fromarray(picture).transform(
        (size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(turned)
