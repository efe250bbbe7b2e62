"""Grey levels of the stored values of a DICOM image, in the order of DICOM PS3.3 and PS3.4.

Stored values become modality values (modality LUT or rescale, C.11.1), these become display values (VOI LUT or window,
C.11.2), and these are inverted once if the lowest is white (MONOCHROME1, or PresentationLUTShape INVERSE). A pixel has
at most 16 bits, so all of this is computed once for every value there can be, into a table of grey levels.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from xrayaug.data.images.dicom import headers
from xrayaug.data.images.opening import UnusableImage

if TYPE_CHECKING:
    from pydicom import Dataset

Floats = npt.NDArray[np.float64]
Window = Literal["none", "file", "percentile"]

ELEMENTS = (
    "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "VOILUTSequence", "WindowCenter", "WindowWidth",
    "VOILUTFunction", "PresentationLUTShape", "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip
PERCENTILES = 0.5, 99.5  # of the pixels that are not padding: black and white where no window is known
NO_WINDOW, FILE_WINDOW, FILE_LUT, PERCENTILE_WINDOW = "none", "file", "file's table", "percentile"


@dataclass(frozen=True)
class GreyTable:
    """The grey level of every stored value from `first` on."""

    levels: npt.NDArray[np.uint8]  # [2^BitsStored]
    first: int
    window: str  # what was applied: NO_WINDOW, FILE_WINDOW, FILE_LUT or PERCENTILE_WINDOW


def make_table(dataset: "Dataset", histogram: npt.NDArray[np.int64], window: Window, *, invert: bool) -> GreyTable:
    """Return the table of grey levels of an image.

    Args:
        dataset: header of the image.
        histogram: number of pixels of every value that BitsStored and PixelRepresentation allow, from the lowest on.
        window: "none" maps all values that there can be to 0 to 255. "file" applies the VOI LUT of the file, or else
            its first window. "percentile" maps the 0.5th to the 99.5th percentile of the image, which is also what an
            image without a window gets by "file".
        invert: invert the result, except for padding.

    Raises:
        UnusableImage: a LUT or number of the header is not valid.
    """
    first = first_value(dataset)
    stored = np.arange(first, first + len(histogram), dtype=np.int32)
    padding = _is_padding(dataset, stored)
    try:
        modality = _to_modality(stored, dataset)
        display, applied = _to_display(modality, np.where(padding, 0, histogram), dataset, window)
    except UnusableImage:
        raise
    except Exception:  # pydicom raises many types for LUTs that contradict their description
        raise UnusableImage("damaged: its modality or VOI LUT cannot be applied") from None
    levels = np.floor(255 * np.clip(display, 0, 1) + 0.5).astype(np.uint8)
    if _is_inverted(dataset) != invert:
        levels = np.subtract(255, levels)
    levels[padding] = 0
    return GreyTable(levels, first, applied)


def first_value(dataset: "Dataset") -> int:
    """Return the lowest value that BitsStored and PixelRepresentation allow."""
    is_signed = headers.number(dataset, "PixelRepresentation", 0) == 1
    return -(1 << headers.number(dataset, "BitsStored", 1) - 1) if is_signed else 0


def _is_padding(dataset: "Dataset", stored: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which stored values are padding (C.7.5.1.1.2): the padding value, or all up to its limit."""
    value, limit = (headers.numbers(dataset, name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"))
    if not value:
        return np.zeros(len(stored), np.bool_)
    ends = [_to_representation(number, stored) for number in (value[0], (limit or value)[0])]
    return (stored >= min(ends)) & (stored <= max(ends))


def _to_representation(number: float, stored: npt.NDArray[np.int32]) -> float:
    """Return a number that was written unsigned, though values are signed, or the other way round, as they are."""
    if number > stored[-1]:
        return number - (1 << 16) if stored[0] < 0 else number
    return number + (1 << 16) if number < 0 <= stored[0] else number


def _to_modality(stored: npt.NDArray[np.int32], dataset: "Dataset") -> Floats:
    from pydicom.pixels.processing import apply_modality_lut

    slope, intercept = headers.numbers(dataset, "RescaleSlope"), headers.numbers(dataset, "RescaleIntercept")
    if "ModalityLUTSequence" not in dataset and slope and slope[0] == 0:
        raise UnusableImage("damaged: its rescale slope is 0")
    if "ModalityLUTSequence" not in dataset and not (slope and intercept):
        return stored.astype(np.float64)
    values = np.asarray(apply_modality_lut(stored, dataset), np.float64)
    if not np.isfinite(values).all():
        raise UnusableImage("damaged: its rescaled values are not finite")
    return values


def _to_display(
    modality: Floats, histogram: npt.NDArray[np.int64], dataset: "Dataset", window: Window
) -> tuple[Floats, str]:
    """Return display values from 0, the lowest, to 1, and what was applied."""
    if window == "file":
        if dataset.get("VOILUTSequence"):
            return _look_up(modality, dataset), FILE_LUT
        display = _apply_window(modality, dataset)
        if display is not None:
            return display, FILE_WINDOW
    is_viewable = str(dataset.get("PresentationIntentType") or "").strip().lower() != headers.FOR_PROCESSING
    if window == "none" or (window == "file" and len(modality) <= 1 << 8 and is_viewable):
        return _linear(modality, modality.min(), modality.max()), NO_WINDOW
    return _linear(modality, *_percentiles(modality, histogram)), PERCENTILE_WINDOW


def _look_up(modality: Floats, dataset: "Dataset") -> Floats:
    """Apply the first VOI LUT; its white is the highest value of the bits that its values need."""
    from pydicom.pixels.processing import apply_voi

    item = dataset.VOILUTSequence[0]
    if "LUTDescriptor" not in item or not len(item.LUTDescriptor) == 3:
        raise UnusableImage("damaged: its VOI LUT has no description")
    table = np.asarray(apply_voi(np.rint(modality).astype(np.int32), dataset), np.float64)
    full = (1 << min(int(item.LUTDescriptor[2]), int(_largest(item)).bit_length())) - 1
    return table / max(full, 1)


def _largest(item: "Dataset") -> int:
    """Return the largest value of a LUT, whose data are numbers or bytes."""
    data: Any = item.LUTData
    values = np.frombuffer(data, "<u2") if isinstance(data, bytes) else np.asarray(data)
    return int(values.max())


def _apply_window(modality: Floats, dataset: "Dataset") -> Floats | None:
    """Apply the first window by its function (C.11.2.1.2 and C.11.2.1.3); None if there is no valid window."""
    centers, widths = headers.numbers(dataset, "WindowCenter"), headers.numbers(dataset, "WindowWidth")
    if not (centers and widths):
        return None
    center, width = centers[0], widths[0]
    function = str(dataset.get("VOILUTFunction") or "LINEAR").strip().upper()
    if function == "LINEAR" and width >= 1:
        center, width = center - 0.5, width - 1
        if width == 0:
            return (modality > center).astype(np.float64)
    elif function not in ("LINEAR_EXACT", "SIGMOID") or width <= 0:
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (modality - center) / width, -700, 700)))
    return _linear(modality, center - width / 2, center + width / 2)


def _linear(values: Floats, black: float, white: float) -> Floats:
    if not (math.isfinite(black) and math.isfinite(white) and white > black):
        return np.zeros(len(values))
    return (values - black) / (white - black)


def _percentiles(modality: Floats, histogram: npt.NDArray[np.int64]) -> tuple[float, float]:
    """Return the percentiles of the image's modality values; its extremes if these are equal."""
    order = np.argsort(modality, kind="stable")
    present = order[histogram[order] > 0]
    if not len(present):
        return 0.0, 0.0
    shares = np.cumsum(histogram[present]) / histogram.sum()
    ends = [modality[present[np.searchsorted(shares, share / 100).clip(max=len(present) - 1)]] for share in PERCENTILES]
    if ends[0] == ends[1]:
        ends = [modality[present[0]], modality[present[-1]]]
    return float(ends[0]), float(ends[1])


def _is_inverted(dataset: "Dataset") -> bool:
    """Return whether the lowest value is white. Both elements of one header mean one inversion (C.8.11.1.1.2)."""
    photometric, shape = (
        str(dataset.get(name) or "").strip().upper() for name in ("PhotometricInterpretation", "PresentationLUTShape")
    )
    return photometric == "MONOCHROME1" or shape == "INVERSE"
