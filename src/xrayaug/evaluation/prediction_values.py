"""Values of predictions by the number of their case, which grow as rows are added."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from xrayaug.errors import DataError
from xrayaug.evaluation.prediction_cells import Column, find_first, list_distinct, to_text
from xrayaug.stats.array_types import IndexArray
from xrayaug.stats.classification import Probabilities

Number = TypeVar("Number", np.int64, np.float64)


class CaseValues:
    """A column that has one value for each case, whichever run a row is of."""

    def __init__(self, content: str, parse: Callable[[str], str]) -> None:
        self.content = content
        self._parse = parse
        self._codes: dict[object, int] = {}  # by the value as it is written
        self._words: dict[str, int] = {}  # by its meaning
        self._of_case = np.full(1024, -1, np.int64)

    def add(self, cases: IndexArray, values: Column, where: Callable[[int], str]) -> int | None:
        """Add the values of rows; return the first row that has another value than its case had before."""
        for value in list_distinct(values, self.content, where):
            if value not in self._codes:
                try:
                    word = self._parse(to_text(value))
                except DataError as problem:
                    place = where(find_first(values, value))
                    raise DataError(f"{place}: {problem.message}", problem.hint) from None
                self._codes[value] = self._words.setdefault(word, len(self._words))
        codes = np.array([self._codes[value] for value in values], np.int64)
        self._of_case = grow(self._of_case, int(cases.max()) + 1, -1)
        before = self._of_case[cases]
        known = np.where(before == -1, codes, before)
        self._of_case[cases[::-1]] = known[::-1]  # of equal cases the first counts
        differing = np.flatnonzero(self._of_case[cases] != codes)
        return int(differing[0]) if len(differing) else None

    def value(self, case: int) -> str:
        """Return the value of a case."""
        return self.list_all(case + 1)[case]

    def list_all(self, count: int) -> list[str]:
        """Return the values of the first cases, empty for those without one."""
        words = list(self._words)
        codes = grow(self._of_case, count, -1)[:count].tolist()
        return ["" if code < 0 else words[code] for code in codes]


class RunValues:
    """The probabilities of a run, NaN for cases without one."""

    def __init__(self) -> None:
        self.values: Probabilities = np.full(1024, np.nan)

    def add(self, cases: IndexArray, probabilities: Probabilities) -> int | None:
        """Add probabilities; return the place of the first case that was there before, or is twice among these."""
        self.values = grow(self.values, int(cases.max()) + 1, np.nan)
        repeated = ~np.isnan(self.values[cases])
        if not repeated.any():
            first = np.unique(cases, return_index=True)[1]
            repeated[:] = True
            repeated[first] = False
        self.values[cases] = probabilities
        return int(np.flatnonzero(repeated)[0]) if repeated.any() else None


def grow(values: npt.NDArray[Number], size: int, filling: float) -> npt.NDArray[Number]:
    """Return an array with room for so many values."""
    if size <= len(values):
        return values
    return np.concatenate([values, np.full(max(size, 2 * len(values)) - len(values), filling, values.dtype)])
