"""Intensity scales: which values of files of more than 8 bits are black and white."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

BIT_DEPTHS = (8, 10, 12, 14, 16)
MAX_BIT_DEPTH = BIT_DEPTHS[-1]
LOW_BIT_DEPTHS = ("1-bit", "8-bit")  # names of the depths that need no scaling


@dataclass(frozen=True)
class IntensityScale:
    """The values of black and white in files of more than 8 bits; all files of a set share one scale."""

    bits: int  # white is 2^bits - 1
    signed: bool = False  # black is -2^(bits - 1) in signed files, because one of them holds negative values
    unit: bool = False  # white is 1 in float files

    def limits(self, kind: str) -> tuple[int, int]:
        """Return the values of black and white in files of this kind of value (see `ValueRange.kind`)."""
        if kind == "float" and self.unit:
            return 0, 1
        black = -(1 << self.bits - 1) if kind == "signed" and self.signed else 0
        return black, black + (1 << self.bits) - 1


@dataclass(frozen=True)
class ValueRange:
    """The minimum and maximum of an image of more than 8 bits."""

    kind: str  # kind of value: unsigned, signed, float or colour
    lowest: float
    highest: float

    @property
    def is_usable(self) -> bool:
        """True if the values are finite and fit into 16 bits."""
        minimum = -(1 << MAX_BIT_DEPTH - 1) if self.is_negative else 0
        maximum = minimum + (1 << MAX_BIT_DEPTH) - 1
        is_finite = bool(np.isfinite([self.lowest, self.highest]).all())
        return is_finite and minimum <= self.lowest and self.highest <= maximum

    @property
    def is_negative(self) -> bool:
        """True if the file is declared signed and holds negative values."""
        return self.kind == "signed" and self.lowest < 0


def fit_scale(value_ranges: Iterable[ValueRange]) -> IntensityScale:
    """Return the scale of the smallest bit depth that covers all these images; unusable ones are ignored.

    If any signed file holds negative values, all signed files are read as two's complement: black is the minimum of the
    bit depth. If no float file exceeds 1, white is 1 in float files.
    """
    usable = [value_range for value_range in value_ranges if value_range.is_usable]
    signed = any(value_range.is_negative for value_range in usable)
    floats = [value_range.highest for value_range in usable if value_range.kind == "float"]
    unit = bool(floats) and max(floats) <= 1
    scales = (IntensityScale(bits, signed, unit) for bits in BIT_DEPTHS)
    covering = (scale for scale in scales if all(_covers(scale, value_range) for value_range in usable))
    return next(covering, IntensityScale(MAX_BIT_DEPTH, signed, unit))


def _covers(scale: IntensityScale, value_range: ValueRange) -> bool:
    black, white = scale.limits(value_range.kind)
    return black <= value_range.lowest and value_range.highest <= white
