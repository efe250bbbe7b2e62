"""Convert images in bands of rows, which limits memory."""

from collections.abc import Iterator

from PIL import Image

BAND_PIXELS = 1 << 20  # pixels converted at a time


def iter_bands(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield bands of whole rows of the image, each with the slice of its rows."""
    step = max(1, BAND_PIXELS // image.width)
    if step >= image.height:  # saves a copy
        yield slice(0, image.height), image
        return
    for top in range(0, image.height, step):
        bottom = min(top + step, image.height)
        yield slice(top, bottom), image.crop((0, top, image.width, bottom))
