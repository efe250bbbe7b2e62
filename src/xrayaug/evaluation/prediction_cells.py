"""Read the cells of predictions: labels, seeds and probabilities, written as any program does."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from xrayaug.data.parsing.labels import ANSWERS, DEFAULT_RULES, LabelRules, canonical
from xrayaug.errors import DataError
from xrayaug.stats.classification import Probabilities

MISSING = ("None", "nan", "NaN", "<NA>", "NaT")  # missing values of Python, NumPy and pandas, as text

Column = Sequence[object]


def parse_label(word: str, column: str, *, inverted: bool | None) -> str:
    """Return the label that a word means in a column in which yes means normal, abnormal, or it is unclear which."""
    if inverted is None and canonical(word) in ANSWERS:
        raise DataError(
            f"the label is '{word}', and the name of column '{column}' does not say whether that is normal",
            "write normal and abnormal, or rename the column to label if 1 is abnormal",
        )
    try:
        reading = LabelRules(inverted=True).read(word) if inverted else DEFAULT_RULES.read(word)
    except DataError as problem:
        raise DataError(problem.message, "write 0 or 1, or normal or abnormal") from None
    if reading.label is None:
        raise DataError(f"the label is '{word}' ({reading.reason})", "leave out cases without a label")
    return reading.label


def list_distinct(values: Iterable[object], what: str, where: Callable[[int], str]) -> list[object]:
    """Return each value once, in order, as the very object that is first.

    Raises:
        DataError: one is a list or another object that has no hash.
    """
    values = list(values)
    try:
        return list(dict.fromkeys(values))
    except TypeError:
        place = next(place for place, value in enumerate(values) if not _is_hashable(value))
        raise DataError(f"{where(place)}: the {what} is {values[place]}", "give one value in each cell") from None


def find_first(values: Iterable[object], value: object) -> int:
    """Return the place of a value, which is found by identity: a missing value of pandas is not equal to itself."""
    return next(place for place, each in enumerate(values) if each is value)


def parse_seed(value: object) -> int | None:
    """Return the whole number that a cell holds; None if it holds none, or a negative one."""
    text = to_text(value)
    try:
        if text.isdecimal():
            return int(text)  # a floating-point number holds no large one
        number = float(text)
    except ValueError:
        return None
    return int(number) if number >= 0 and number.is_integer() else None


def parse_probabilities(values: Column, where: Callable[[int], str]) -> Probabilities:
    """Return the values as numbers.

    Raises:
        DataError: one is no number in [0, 1].
    """
    try:
        numbers = np.array(list(map(float, values)), np.float64)  # type: ignore[arg-type] # errors are caught
    except (TypeError, ValueError):
        place = next(place for place, value in enumerate(values) if not _is_number(value))
        text = to_text(values[place])
        has_comma = _is_number(text.replace(",", ".", 1))
        raise DataError(
            f"{where(place)}: the probability is '{text}'",
            "write it with a decimal point" if has_comma else "give a number from 0 to 1",
        ) from None
    outside = np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))
    if len(outside):
        place, value = int(outside[0]), values[int(outside[0])]
        if np.isnan(numbers[place]):
            raise DataError(f"{where(place)}: the probability is NaN", "leave out runs that failed, or predict again")
        raise DataError(
            f"{where(place)}: the probability is {value}, outside [0, 1]",
            "logits become probabilities by 1 / (1 + exp(-logit)); percentages are divided by 100",
        )
    return numbers


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type] # errors are caught
    except (TypeError, ValueError):
        return False
    return True


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def to_text(value: object) -> str:
    """Return a cell as text; that of a missing value is empty."""
    if isinstance(value, str):
        return value.strip()
    text = str(value)
    return "" if text in MISSING else text
