"""How what is said of an image becomes its label: by findings, uncertain ones, others, nothing, and several readers."""

from pathlib import Path
from typing import Any

import pytest

from xrayaug.data.parsing import findings
from xrayaug.data.parsing.findings import Answer, FindingRules, Statement
from xrayaug.data.parsing.labels import LabelReading
from xrayaug.errors import DataError
from xrayaug.options import Prepare

NAMES = ("Edema", "Mass", "Support Devices")


def rules(**options: Any) -> FindingRules:
    given = Prepare(input=Path("set"), out=Path("out"), **options)
    return findings.rules_from_options(given, NAMES, harmless=("Support Devices",))


def statement(positive: str = "", uncertain: str = "", negative: str = "", *, clear: bool = False) -> Statement:
    names = [frozenset(filter(None, named.split("|"))) for named in (positive, uncertain, negative)]
    return Statement(names[0], names[1], names[2], clear)


def label(said: Statement, **options: Any) -> str:
    """Return the label, or the reason to leave the image out."""
    reading = rules(**options).read(said).reading
    return reading.label or reading.reason


@pytest.mark.parametrize(
    ("said", "any_finding", "mass"),
    [
        (statement("Mass"), "abnormal", "abnormal"),
        (statement("Edema"), "abnormal", findings.OTHERS_ONLY),
        (statement("Edema|Mass"), "abnormal", "abnormal"),
        (statement(clear=True), "normal", "normal"),
        (statement("Support Devices", clear=True), "normal", "normal"),
        (statement("Support Devices"), findings.NO_LABEL, findings.NO_LABEL),
        (statement(uncertain="Mass"), findings.UNSURE, findings.UNSURE),
        (statement("Edema", "Mass"), "abnormal", findings.UNSURE),
        (statement(uncertain="Edema"), findings.UNSURE, findings.OTHERS_ONLY),
        (statement(), findings.NO_LABEL, findings.NO_LABEL),
        (statement(negative="Mass"), findings.NO_LABEL, "normal"),
        (statement(negative="Edema"), findings.NO_LABEL, findings.NO_LABEL),
        (statement(negative="Edema|Mass"), "normal", "normal"),
        (statement("Edema", negative="Mass"), "abnormal", findings.OTHERS_ONLY),
        (statement("Mass", clear=True), findings.CONTRADICTION, findings.CONTRADICTION),
        (Statement(excluded="no chest"), "no chest", "no chest"),
    ],
)
def test_labels_of_statements(said: Statement, any_finding: str, mass: str) -> None:
    assert label(said) == any_finding
    assert label(said, finding=("Mass",)) == mass


@pytest.mark.parametrize("chosen", ["normal", "abnormal"])
def test_options_give_labels_to_what_is_left_out(chosen: str) -> None:
    assert label(statement("Edema"), finding=("mass",), other_findings=chosen) == chosen
    assert label(statement(uncertain="Mass"), unsure_label=chosen) == chosen
    assert label(statement(), empty_label=chosen) == chosen
    assert label(statement("Mass"), finding=("mass",), other_findings=chosen) == "abnormal"


def test_a_device_that_is_chosen_decides() -> None:
    assert label(statement("Support Devices"), finding=("support devices",)) == "abnormal"
    assert label(statement("Mass"), finding=("support devices",)) == findings.OTHERS_ONLY
    assert label(statement("Support Devices", clear=True), finding=("support devices",)) == "abnormal"


@pytest.mark.parametrize(
    ("wrong", "hint"), [("Masss", "did you mean 'Mass'?"), ("zzz", "check --finding for a typing error")]
)
def test_an_unknown_finding_is_refused_with_the_names_that_there_are(wrong: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        rules(finding=(wrong,))
    assert caught.value.message == f"no finding is called '{wrong}'; there are Edema, Mass, Support Devices"
    assert caught.value.hint == hint


def test_codes_are_read_and_others_refused() -> None:
    cells = {"No Finding": "0.0", "Edema": "1.0", "Mass": "-1.0", "Nodule": "", "Hernia": "0"}
    assert findings.from_codes(cells, "x line 2") == statement("Edema", "Mass", "Hernia")
    assert findings.from_codes({"No Finding": "1", "Edema": ""}, "x line 2") == statement(clear=True)
    for wrong in ("2", "yes", "-"):
        with pytest.raises(DataError, match=f"x line 2: '{wrong}' in column 'Edema' is none of 1"):
            findings.from_codes({"Edema": wrong}, "x line 2")


def test_lines_of_one_image_are_merged() -> None:
    lines = [statement("Mass", negative="Edema"), statement("Edema", "Mass"), statement(negative="Hernia")]
    assert findings.merge(lines) == statement("Edema|Mass", negative="Hernia")
    assert findings.merge([statement(clear=True), statement("Mass")]) == statement("Mass", clear=True)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("aan", "abnormal"),
        ("ann", "normal"),
        ("nnn", "normal"),
        ("ao", findings.NO_MAJORITY),
        ("ano", findings.NO_MAJORITY),
        ("aaon", findings.NO_MAJORITY),
        ("ooa", findings.OTHERS_ONLY),
        ("a", "abnormal"),
    ],
)
def test_more_than_half_of_the_readers_decide(answers: str, expected: str) -> None:
    meanings = {
        "a": Answer("Mass", LabelReading("abnormal")),
        "n": Answer("no finding", LabelReading("normal")),
        "o": Answer(findings.OTHERS_ONLY, LabelReading(None, findings.OTHERS_ONLY)),
    }
    reading = findings.vote([meanings[letter] for letter in answers]).reading
    assert (reading.label or reading.reason) == expected
