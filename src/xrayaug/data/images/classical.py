"""Classical augmentation of real images, a control for synthetic images.

Images are mirrored and rotated as `train-classifier` does by default, and slightly shifted, scaled and changed in
contrast.
"""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from xrayaug.data.images.arrays import Pixels
from xrayaug.options import TrainClassifier

ROTATION = TrainClassifier.rotation  # maximum, in degrees
SHIFT = 0.05  # maximum in both directions, relative to the image's side
SCALE = 0.1  # maximum relative change of size
CONTRAST = 0.1  # maximum relative change of contrast


def augment(picture: Pixels, seed: Sequence[int]) -> Pixels:
    """Return the image uint8 `[S, S]` transformed at random; bilinear, black outside. `seed` alone determines it."""
    mirror, *drawn = np.random.default_rng(seed).random(6)
    angle, scale, along, down, contrast = (2 * np.array(drawn) - 1).tolist()  # in [-1, 1)
    moved = _transform(
        picture,
        mirror=mirror < 0.5,
        angle=math.radians(ROTATION) * angle,
        scale=1 + SCALE * scale,
        shift=(SHIFT * along, SHIFT * down),
    )
    mean = moved.mean()
    return np.asarray((mean + (1 + CONTRAST * contrast) * (moved - mean)).round().clip(0, 255), np.uint8)


def _transform(picture: Pixels, *, mirror: bool, angle: float, scale: float, shift: tuple[float, float]) -> Pixels:
    """Apply the transform of `classifier.random_affine`, then scale and shift; shifts are relative to the side.

    The matrix maps a position in the result to one in the image.
    """
    size = len(picture)
    sign = -1 if mirror else 1
    a, b = sign * math.cos(angle) / scale, -math.sin(angle) / scale
    d, e = sign * math.sin(angle) / scale, math.cos(angle) / scale
    x, y = (0.5 + part for part in shift)  # new position of the centre
    origin = (0.5 - a * x - b * y) * size, (0.5 - d * x - e * y) * size
    matrix = (a, b, origin[0], d, e, origin[1])
    turned = Image.fromarray(picture).transform(
        (size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR
    )
    return np.asarray(turned)
