"""Check what an image shows: masks, photographs, previews and blank images are no usual radiographs."""

from pathlib import Path

import numpy as np
from PIL import Image

from xrayaug.data.images.colour import GreyImage
from xrayaug.data.images.opening import UnusableImage, open_image
from xrayaug.data.images.value_encoding import HIGH_BIT_DEPTH_MODES

SUSPECT_TRAITS = FEW_GREYS, COLOURED, FRAMES = ("few_greys", "coloured", "frames")  # unusual in a radiograph
MAX_FEW_GREYS = 16  # grey levels
# An image is a mask if MASK_SHARE of its pixels are within MASK_TOLERANCE grey levels of one of two levels, and these
# are more than MIN_MASK_CONTRAST apart. Less contrast occurs in faint radiographs.
MASK_TOLERANCE = 8
MASK_SHARE = 0.95
MIN_MASK_CONTRAST = 64
SAMPLE_SIDE = 32  # side in pixels of the sample that is searched for colour and grey levels
MIN_COLOUR_SPREAD = 64  # maximum minus minimum of a pixel's channels; the tint of a film has less
MIN_COLOURED_SHARE = 0.02  # share of sampled pixels above which an image counts as coloured


def is_blank(grey: GreyImage) -> bool:
    """Return whether the image has one grey level only."""
    return bool(grey.min() == grey.max())


def find_suspect_traits(grey: GreyImage, image: Image.Image) -> tuple[str, ...]:
    """Return those of `FEW_GREYS` and `COLOURED` that an image has; it is given in greyscale and as it was opened."""
    return ((FEW_GREYS,) if has_few_greys(grey) else ()) + ((COLOURED,) if is_coloured(image) else ())


def has_few_greys(grey: GreyImage) -> bool:
    """Return whether the image has 2 to `MAX_FEW_GREYS` grey levels, or nearly all its pixels are near two levels.

    The second is a mask after lossy compression. A sample of the pixels decides in most cases.
    """
    step = max(1, min(grey.shape) // SAMPLE_SIDE)
    histogram = np.bincount(grey[::step, ::step].ravel(), minlength=256)
    if np.count_nonzero(histogram) <= MAX_FEW_GREYS:
        return bool(1 < np.count_nonzero(np.bincount(grey.ravel(), minlength=256)) <= MAX_FEW_GREYS)
    window_sums = np.convolve(histogram, np.ones(2 * MASK_TOLERANCE + 1, int), "same")
    first = int(window_sums.argmax())
    window_sums[max(0, first - MIN_MASK_CONTRAST) : first + MIN_MASK_CONTRAST + 1] = 0
    second = int(window_sums.argmax())
    near_peaks = (
        histogram[max(0, first - MASK_TOLERANCE) : first + MASK_TOLERANCE + 1].sum()
        + histogram[max(0, second - MASK_TOLERANCE) : second + MASK_TOLERANCE + 1].sum()
    )
    return bool(window_sums[second] and near_peaks > MASK_SHARE * histogram.sum())


def is_coloured(image: Image.Image) -> bool:
    """Return whether a sample of the pixels shows colours, not only the tint of a film."""
    if image.mode in ("1", "L", "LA", *HIGH_BIT_DEPTH_MODES):
        return False
    size = min(SAMPLE_SIDE, image.width), min(SAMPLE_SIDE, image.height)
    sample = np.asarray(image.resize(size, Image.Resampling.NEAREST).convert("RGB"))
    return bool((np.ptp(sample, axis=2) > MIN_COLOUR_SPREAD).mean() > MIN_COLOURED_SHARE)


def has_frames(image: Image.Image) -> bool:
    """Return whether the file holds several pages or frames; call it last, because Pillow may seek to others."""
    try:
        return getattr(image, "n_frames", 1) > 1
    except Exception:  # as in `open_image`: the file is damaged after the first frame
        return True


def file_has_frames(path: Path) -> bool:
    """Return whether a file holds several pages or frames; False for a file that cannot be used."""
    try:
        with open_image(path) as image:
            return has_frames(image)
    except UnusableImage:
        return False
