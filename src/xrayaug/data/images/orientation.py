"""Turn and mirror images as their EXIF orientation says."""

from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Tag

from xrayaug.data.images.colour import GreyImage

Transform = Callable[[GreyImage], GreyImage]

ORIENTATION_TRANSFORMS: dict[int, Transform] = {  # EXIF orientation -> transform that makes the image upright
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: np.rot90(picture, 2).swapaxes(0, 1),
    8: np.rot90,
}


def apply_orientation(picture: GreyImage, image: Image.Image) -> GreyImage:
    """Apply the EXIF orientation; call it after `load`, which reads the EXIF of PNG and already orients TIFF."""
    turn = ORIENTATION_TRANSFORMS.get(_read_orientation(image))
    return picture if turn is None else np.ascontiguousarray(turn(picture))


def _read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if the EXIF is missing or damaged."""
    try:
        value = image.getexif().get(Tag.Orientation, 1)
    except Exception:  # as in `open_image`
        return 1
    return value if isinstance(value, int) else 1
