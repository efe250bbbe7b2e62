"""Convert images of up to 8 bits per channel to greyscale, and composite transparent pixels over black."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images import bands

GreyImage = npt.NDArray[np.uint8]  # [H, W]
ColourImage = npt.NDArray[np.uint8]  # [H, W, 3]


def read_grey_and_alpha(image: Image.Image) -> tuple[GreyImage, GreyImage | None]:
    """Return an image of up to 8 bits in greyscale [H, W], and its alpha channel [H, W] if it has one."""
    shape = (image.height, image.width)
    target = _target_mode(image)
    if image.mode == target == "L":
        return np.array(image), None
    grey = np.empty(shape, np.uint8)
    alpha = np.empty(shape, np.uint8) if target in ("LA", "RGBA") else None
    for rows, band in bands.iter_bands(image):
        plain = band if band.mode == target else band.convert(target)
        grey[rows] = np.asarray(plain.convert("L"))
        if alpha is not None:
            alpha[rows] = np.asarray(plain.getchannel("A"))
    return grey, alpha


def _target_mode(image: Image.Image) -> str:
    """Return the mode to convert an image to before greyscale: one with alpha if it has any transparency."""
    if image.mode in ("1", "L", "LA", "RGB", "RGBA") and "transparency" not in image.info:
        return image.mode
    if image.mode in ("1", "L"):
        return "LA"
    return "RGBA" if image.has_transparency_data else "RGB"


def composite_over_black(grey: GreyImage, alpha: GreyImage) -> None:
    """Composite the image over black in place: `grey * alpha / 255`, rounded."""
    step = max(1, bands.BAND_PIXELS // grey.shape[1])
    for top in range(0, len(grey), step):
        rows = slice(top, top + step)
        grey[rows] = (grey[rows].astype(np.uint16) * alpha[rows] + 127) // 255
