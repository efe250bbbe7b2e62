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


def iter_rows(height: int, width: int) -> Iterator[slice]:
    """Yield slices of whole rows of an array, so that a band has about `BAND_PIXELS` pixels."""
    step = max(1, BAND_PIXELS // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
