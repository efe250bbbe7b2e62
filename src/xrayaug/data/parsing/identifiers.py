"""Identifiers of patients and studies as lists hold them, with the changes that spreadsheets make undone.

A spreadsheet saves `12` as `12.0` where the column has gaps, `007` as `7`, and `123456789012345` as `1.23457E+14`. The
first is corrected here. The others are detected and refused, since patients would be mixed up.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from xrayaug.data.parsing.labels import is_missing
from xrayaug.errors import DataError

WHOLE = re.compile(r"([0-9]+)(?:\.0+|,0)")  # `12,0` where the decimal mark is a comma
GROUPED = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})+")  # `1.234` where a spreadsheet groups digits by points
ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+|[0-9][.,][0-9]+[eE][0-9]{2}|#{3,}")
DIGITS = re.compile(r"[0-9]+")
LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
DASHES = re.compile(r"[\u2010-\u2015\u2212]")
EXACT_DIGITS = 15  # digits of a number that a spreadsheet keeps; further ones become zeros
SHOWN = 3  # examples in a message


def canonical(cell: str) -> str:
    """Return an identifier without what a spreadsheet adds; empty where it is missing. Leading zeros stay."""
    text = _clean(cell)
    whole = WHOLE.fullmatch(text)
    return whole[1] if whole else text


def _clean(cell: str) -> str:
    """Return an identifier without invisible characters and quotes; empty where it is missing."""
    text = DASHES.sub("-", unicodedata.normalize("NFKC", cell))
    text = "".join(letter for letter in text if unicodedata.category(letter) != "Cf")  # zero-width spaces and the like
    text = " ".join(text.split()).strip("'\"")  # spreadsheets mark text by a quote
    return "" if is_missing(text) or text == "?" else text


def unify(cells: Iterable[str], column: str) -> tuple[Mapping[str, str], list[str]]:
    """Return the identifier that each cell of a column stands for, and notes on identifiers that are merged.

    Identifiers that differ only in case or spaces are merged: one patient as two could be in two splits.

    Args:
        cells: all cells of the column, as they were written.
        column: name of the column, for messages.

    Raises:
        DataError: digits were lost, or some identifiers lost their leading zeros.
    """
    written = {cell: _clean(cell) for cell in set(cells)}
    if not any(GROUPED.fullmatch(text) and not WHOLE.fullmatch(text) for text in written.values()):
        written = {cell: canonical(cell) for cell in written}  # else `1.000` is a thousand, and not 1
    known = sorted(set(written.values()) - {""})
    check_digits(known, column)
    _check_zeros(known, column)
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for identifier in known:
        alike["".join(identifier.casefold().split())].append(identifier)
    first = {identifier: same[0] for same in alike.values() for identifier in same}
    several = [same for same in alike.values() if len(same) > 1]
    notes = []
    if several:
        examples = "; ".join(" and ".join(f"'{each}'" for each in same) for same in several[:SHOWN])
        notes.append(
            f"{len(several)} identifiers of column '{column}' differ in case or spaces alone, and are one: {examples}"
        )
    return {cell: first.get(identifier, "") for cell, identifier in written.items()}, notes


def check_digits(identifiers: list[str], column: str) -> None:
    """Check that no spreadsheet rounded identifiers.

    Raises:
        DataError: it did.
    """
    rounded = [identifier for identifier in identifiers if ROUNDED.search(identifier)]
    if not rounded:
        long = [each for each in identifiers if DIGITS.fullmatch(each) and len(each.lstrip("0")) > EXACT_DIGITS]
        rounded = long if len(long) > 1 and all(not each.lstrip("0")[EXACT_DIGITS:].strip("0") for each in long) else []
    if rounded:
        raise DataError(
            f"a spreadsheet rounded {len(rounded)} identifiers of column '{column}': {', '.join(rounded[:SHOWN])}",
            "export the list again with that column as text",
        )


def _check_zeros(identifiers: list[str], column: str) -> None:
    by_value: defaultdict[str, list[str]] = defaultdict(list)
    for identifier in identifiers:
        by_value[LEADING_ZEROS.sub("", identifier.casefold())].append(identifier)
    unclear = [same for same in by_value.values() if len({each.casefold() for each in same}) > 1]
    if unclear:
        examples = "; ".join(" and ".join(same) for same in unclear[:SHOWN])
        raise DataError(
            f"{len(unclear)} identifiers of column '{column}' differ in leading zeros alone: {examples}",
            "write those of one patient alike, or export the list again with that column as text",
        )
