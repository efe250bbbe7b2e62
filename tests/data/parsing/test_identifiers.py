import pytest

from xrayaug.data.parsing import identifiers
from xrayaug.errors import DataError


@pytest.mark.parametrize(
    ("cell", "same"),
    [
        ("12", "12"),
        ("12.0", "12"),
        (" 12 ", "12"),
        ("007", "007"),
        ("P 1", "P 1"),
        ("nan", ""),
        ("", ""),
        ("1.5", "1.5"),
    ],
)
def test_an_identifier_is_what_it_was_before_a_spreadsheet(cell: str, same: str) -> None:
    assert identifiers.canonical(cell) == same


def test_spellings_of_one_patient_are_one() -> None:
    unified, notes = identifiers.unify(["12", "12.0", "p1", "P1", "P 1", "NA", "003"], "who")
    assert unified["12"] == unified["12.0"] == "12"
    assert unified["p1"] == unified["P1"] == unified["P 1"]
    assert unified["NA"] == ""
    assert unified["003"] == "003"
    assert len(notes) == 1
    assert "'P1'" in notes[0]


@pytest.mark.parametrize(
    "cells", [["007", "7"], ["7.0", "007"], ["0", "00"], ["1.2E+11", "5"], ["1.23457e+14"],
              ["1.23457E14"], ["P1.23457E+14"], ["########"], ["P007", "P7"],
              ["12345678901234500", "12345678901234600"]]
)  # fmt: skip
def test_identifiers_that_lost_digits_are_refused_with_examples(cells: list[str]) -> None:
    with pytest.raises(DataError, match="'who'") as problem:
        identifiers.unify(cells, "who")
    assert cells[0].removesuffix(".0") in problem.value.message


def test_a_thousand_with_grouped_digits_is_not_one() -> None:
    """As spreadsheets show 999, 1000 and 1001 in a column that is formatted so in German."""
    unified, _ = identifiers.unify(["1", "999", "1.000", "1.001"], "who")
    assert len(set(unified.values())) == 4
    assert identifiers.unify(["1", "2.000"], "who")[0]["2.000"] == "2", "three decimals, of a number without others"


def test_identifiers_that_only_look_converted_are_kept() -> None:
    cells = ["3E10", "12345678901234567", "12345678901234568", "0012", "0013"]
    assert identifiers.unify(cells, "who") == ({cell: cell for cell in cells}, [])
