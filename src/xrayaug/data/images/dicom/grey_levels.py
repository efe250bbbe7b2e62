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
    _check_contrast(levels, modality, np.where(padding, 0, histogram), applied)
    levels[padding] = 0
    return GreyTable(levels, first, applied)


def _check_contrast(
    levels: npt.NDArray[np.uint8], modality: Floats, histogram: npt.NDArray[np.int64], applied: str
) -> None:
    """Check that the file's window or LUT does not show the whole of an image of many values in one grey level.

    Raises:
        UnusableImage: it does.
    """
    if applied not in (FILE_WINDOW, FILE_LUT):
        return
    present = histogram > 0
    if present.any() and np.ptp(levels[present]) == 0 and np.ptp(modality[present]) > 0:
        raise UnusableImage(
            f"its {'window' if applied == FILE_WINDOW else 'VOI LUT'} shows all of its values in one grey level "
            "(--window percentile does not use it)"
        )


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
    if dataset.get("ModalityLUTSequence"):
        return _look_up(stored.astype(np.float64), dataset.ModalityLUTSequence[0], dataset)
    slope, intercept = headers.numbers(dataset, "RescaleSlope"), headers.numbers(dataset, "RescaleIntercept")
    if not (slope and intercept):
        return stored.astype(np.float64)
    if slope[0] == 0:
        raise UnusableImage("damaged: its rescale slope is 0")
    values: Floats = stored.astype(np.float64) * slope[0] + intercept[0]
    if not np.isfinite(values).all():
        raise UnusableImage("damaged: its rescaled values are not finite")
    return values


def _to_display(
    modality: Floats, histogram: npt.NDArray[np.int64], dataset: "Dataset", window: Window
) -> tuple[Floats, str]:
    """Return display values from 0, the lowest, to 1, and what was applied."""
    if window == "file":
        if dataset.get("VOILUTSequence"):
            return _apply_voi_lut(modality, dataset), FILE_LUT
        display = _apply_window(modality, dataset)
        if display is not None:
            return display, FILE_WINDOW
    is_viewable = str(dataset.get("PresentationIntentType") or "").strip().lower() != headers.FOR_PROCESSING
    if window == "none" or (window == "file" and len(modality) <= 1 << 8 and is_viewable):
        return _linear(modality, modality.min(), modality.max()), NO_WINDOW
    return _linear(modality, *_percentiles(modality, histogram)), PERCENTILE_WINDOW


def _apply_voi_lut(modality: Floats, dataset: "Dataset") -> Floats:
    """Apply the first VOI LUT; its white is the highest value of the bits that its values need."""
    item = dataset.VOILUTSequence[0]
    shown = _look_up(modality, item, dataset)
    largest = int(_read_lut(item, dataset)[1].max())
    return shown / max((1 << largest.bit_length()) - 1, 1)


def _look_up(values: Floats, item: "Dataset", dataset: "Dataset") -> Floats:
    """Return the entries of a LUT for values (C.11.1.1 and C.11.2.1.1); values outside it get its first or last one."""
    first, table = _read_lut(item, dataset)
    if first > values.max() and first - (1 << 16) + len(table) > values.min():
        first -= 1 << 16  # a negative number that was written unsigned
    elif first + len(table) <= values.min() and first + (1 << 16) <= values.max():
        first += 1 << 16  # a large one that was written signed
    found: Floats = table[np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.int64)].astype(np.float64)
    return found


def _read_lut(item: "Dataset", dataset: "Dataset") -> tuple[int, npt.NDArray[Any]]:
    """Return the value that the first entry of a LUT is for, and its entries.

    Entries of eight bits are stored in bytes or in words of 16 bits.

    Raises:
        UnusableImage: its description or its entries are missing.
    """
    if "LUTDescriptor" not in item or "LUTData" not in item or not len(item.LUTDescriptor) == 3:
        raise UnusableImage("damaged: its LUT has no description")
    count = (int(item.LUTDescriptor[0]) & 0xFFFF) or 1 << 16
    order = "<" if dataset.original_encoding[1] else ">"
    data: Any = item.LUTData
    words = (
        data if isinstance(data, bytes) else np.atleast_1d(np.asarray(data, np.int64)).astype(f"{order}u2").tobytes()
    )
    in_words, has_bytes = len(words) >= 2 * count, int(item.LUTDescriptor[2]) == 8
    if not in_words and not (has_bytes and len(words) >= count):
        raise UnusableImage("damaged: its LUT is cut off")
    return int(item.LUTDescriptor[1]), np.frombuffer(words, f"{order}u2" if in_words else np.uint8, count)


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
