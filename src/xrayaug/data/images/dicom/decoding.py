"""Decode a DICOM radiograph to 8-bit greyscale: its stored values, their grey levels, and square pixels."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images import bands
from xrayaug.data.images.dicom import frames, grey_levels, headers, reading
from xrayaug.data.images.dicom.grey_levels import Window
from xrayaug.data.images.opening import MAX_PIXELS, UnusableImage

if TYPE_CHECKING:
    from pydicom import FileDataset

GreyImage = npt.NDArray[np.uint8]  # [H, W]
FURTHER = ("PixelSpacing", "ImagerPixelSpacing", "PresentationIntentType")
ASPECT_TOLERANCE = 0.01  # relative deviation of a pixel's aspect ratio from 1 that is ignored


@dataclass(frozen=True)
class DicomImage:
    """A decoded radiograph."""

    grey: GreyImage  # [H, W], 0 black to 255 white
    bits: int  # BitsStored
    is_signed: bool
    window: str  # what was applied, see `grey_levels.GreyTable.window`

    @property
    def depth(self) -> str:
        """The name of the bit depth, as `greyscale.Decoded.depth`."""
        return f"{self.bits}-bit{' signed' if self.is_signed else ''} DICOM"


def decode(path: Path, window: Window = "file", *, invert: bool = False) -> DicomImage:
    """Decode a DICOM file; `grey_levels.make_table` describes the options.

    Raises:
        UnusableImage: the file cannot be used.
        OSError: it cannot be opened.
        MemoryError: it needs more memory than there is.
    """
    with reading.translating_errors():
        return _decode(
            reading.read_dataset(path, (*headers.SHAPE, *grey_levels.ELEMENTS, *FURTHER), with_pixels=True),
            window,
            invert=invert,
        )


def _decode(dataset: "FileDataset", window: Window, *, invert: bool) -> DicomImage:
    if reason := headers.find_refusal(dataset):
        raise UnusableImage(reason)
    if "PixelData" not in dataset:
        raise UnusableImage("no pixels, or they are cut off")
    aspect = headers.pixel_aspect(dataset)
    values = frames.read_values(dataset)
    bits, first = headers.number(dataset, "BitsStored", 0), grey_levels.first_value(dataset)
    del dataset["PixelData"]  # as large as the values
    histogram = np.zeros(1 << bits, np.int64)
    for rows in bands.iter_rows(*values.shape):
        histogram += np.bincount(values[rows].ravel().astype(np.int32) - first, minlength=1 << bits)
    table = grey_levels.make_table(dataset, histogram, window, invert=invert)
    grey = np.empty(values.shape, np.uint8)
    for rows in bands.iter_rows(*values.shape):
        np.take(table.levels, values[rows].astype(np.int32) - first, out=grey[rows], mode="clip")
    return DicomImage(_make_pixels_square(grey, aspect), bits, first < 0, table.window)


def _make_pixels_square(grey: GreyImage, aspect: float) -> GreyImage:
    """Return the image with more rows or columns, so that its pixels, `aspect` times as high as wide, are square.

    Raises:
        UnusableImage: it is too large then.
    """
    if abs(aspect - 1) <= ASPECT_TOLERANCE:
        return grey
    rows, columns = grey.shape
    rows, columns = (round(rows * aspect), columns) if aspect > 1 else (rows, round(columns / aspect))
    if rows * columns > MAX_PIXELS:
        raise UnusableImage(f"too large: {columns} × {rows} square pixels, more than {MAX_PIXELS >> 20} megapixels")
    return np.asarray(Image.fromarray(grey).resize((columns, rows), Image.Resampling.BICUBIC))
