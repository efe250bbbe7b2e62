"""Arms against their baselines and their controls: Holm's correction within each family, and what `against` decides."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

import xrayaug
from xrayaug.errors import DataError, UsageError, VerdictError
from xrayaug.evaluation import answer, conclusions, serialization, sheets, tables, verdict
from xrayaug.evaluation.results import ArmVerdict, Evaluation, Family, Verdict
from xrayaug.options import Evaluate
from xrayaug.runtime.console import Section

CASES, SEEDS = 300, range(5)
CONTROLS = {"gan": ["duplicate", "classical"], "other": ["duplicate"]}
SEPARATIONS = {"0": 1.0, "gan": 1.5, "other": 1.02, "duplicate": 1.05, "classical": 1.5}


def make_rows(separations: dict[str, float], noise: float = 0.2, cases: int = CASES) -> list[dict[str, Any]]:
    """Return predictions of arms that separate the classes by so many standard deviations, on shared cases."""
    random = np.random.default_rng(3)
    labels = np.arange(cases) % 2
    shared = random.normal(size=cases)
    rows = []
    for arm, separation in separations.items():
        for seed in SEEDS:
            scores = separation * labels + shared + noise * random.normal(size=cases)
            probabilities = 1 / (1 + np.exp(-(scores - separation / 2)))
            rows += [
                {"arm": arm, "seed": seed, "case": case, "label": int(labels[case]), "probability": each}
                for case, each in enumerate(probabilities)
            ]
    return rows


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return make_rows(SEPARATIONS)


@pytest.fixture(scope="module")
def evaluation(rows: list[dict[str, Any]]) -> Evaluation:
    return xrayaug.judge(rows, controls=CONTROLS, resamples=100)


def find_arms(evaluation: Evaluation) -> dict[str, ArmVerdict]:
    return {arm.arm: arm for arm in evaluation.verdict.arms}


def test_contrasts_with_controls_are_corrected_together(evaluation: Evaluation) -> None:
    contrasts = [each.difference for arm in evaluation.verdict.arms for each in arm.controls]
    found = [(each.p, each.p_holm, each.p_equivalent, each.p_equivalent_holm) for each in contrasts if each]
    p, p_holm, p_equivalent, p_equivalent_holm = (list(column) for column in zip(*found, strict=True))
    assert len(p) == 3
    assert p_holm == pytest.approx(multipletests(p, method="holm")[1])
    assert p_equivalent_holm == pytest.approx(multipletests(p_equivalent, method="holm")[1])
    assert p_holm != pytest.approx(p)


def test_arms_and_controls_are_families_of_their_own(evaluation: Evaluation) -> None:
    for names in (["gan", "other"], ["duplicate", "classical"]):
        differences = [arm.difference for name, arm in find_arms(evaluation).items() if name in names]
        found = [(each.p, each.p_holm) for each in differences if each is not None]
        assert len(found) == 2
        assert [each for _, each in found] == pytest.approx(
            multipletests([each for each, _ in found], method="holm")[1]
        )
    assert {(each.compared, each.shown): (each.tests, each.level) for each in evaluation.verdict.families} == {
        (compared, shown): (tests, 0.05)
        for compared, tests in (
            ("arms with the baseline", 2),
            ("controls with the baseline", 2),
            ("arms with their controls", 3),
        )
        for shown in ("difference", "equivalence")
    }


@pytest.mark.parametrize(
    ("against", "expected"),
    [("baseline", verdict.HELPS), ("control", verdict.UNCLEAR), ("both", verdict.UNCLEAR)],
)
def test_an_arm_that_is_told_from_the_baseline_alone(rows: list[dict[str, Any]], against: str, expected: str) -> None:
    """`gan` is better than the baseline and than `duplicate`, and cannot be told from `classical`."""
    judged = find_arms(xrayaug.judge(rows, controls=CONTROLS, against=against, resamples=100))  # type: ignore[arg-type]
    gan = judged["gan"]
    assert {each.control: each.relation for each in gan.controls} == {"duplicate": "differs", "classical": "explains"}
    assert gan.verdict == expected
    assert ("helps against the control 'duplicate'" in gan.reason) == (against != "baseline")
    assert ("helps against the baseline" in gan.reason) == (against == "both")
    assert judged["classical"].verdict == verdict.HELPS  # a control is judged against the baseline in any case


@pytest.mark.parametrize(
    ("separations", "against", "expected"),
    [
        ({"0": 1.0, "gan": 1.5, "duplicate": 1.0}, "both", verdict.HELPS),
        ({"0": 1.0, "gan": 0.5, "duplicate": 1.0}, "both", verdict.HURTS),
        ({"0": 1.0, "gan": 1.0, "duplicate": 0.5}, "control", verdict.HELPS),  # than the control, which hurts
        ({"0": 1.0, "gan": 1.0, "duplicate": 0.5}, "both", verdict.UNCLEAR),
        ({"0": 1.0, "gan": 1.5, "duplicate": 0.5}, "both", verdict.HELPS),
        ({"0": 1.0, "gan": 1.0, "duplicate": 1.0}, "both", verdict.EQUIVALENT),
        ({"0": 1.0, "gan": 1.5, "duplicate": 1.5}, "both", verdict.UNCLEAR),  # helps, and equals the control
    ],
)
def test_verdicts_against_one_control(separations: dict[str, float], against: Any, expected: str) -> None:
    rows = make_rows(separations, noise=0.05, cases=1000)
    evaluation = xrayaug.judge(rows, controls={"gan": "duplicate"}, against=against, resamples=100, margin=0.03)
    arm = find_arms(evaluation)["gan"]
    assert arm.verdict == expected
    assert evaluation.verdict.question.against == against
    if expected == verdict.HELPS:
        conclusions.demand(evaluation.verdict, "helps")
    else:
        with pytest.raises(VerdictError, match="no arm has the verdict"):
            conclusions.demand(evaluation.verdict, "helps")


def test_an_arm_without_a_control_cannot_be_judged_against_one(rows: list[dict[str, Any]]) -> None:
    other = find_arms(xrayaug.judge(rows, controls={"gan": "duplicate"}, against="both", resamples=100))["other"]
    assert other.verdict == verdict.UNCLEAR
    assert "no control of equal size" in other.reason


@pytest.mark.parametrize(
    ("controls", "error", "said"),
    [
        (None, UsageError, "no arm has a control of equal size"),
        ({"gan": "nothing"}, DataError, "'nothing'"),
        ({"gan": "0"}, DataError, "'0' is a baseline"),
        ({"gan": "gan"}, DataError, "'gan' is named as its own control"),
        ({"gan": 3}, UsageError, "controls is"),
        (["gan"], UsageError, "controls is"),
    ],
)
def test_controls_that_are_none(rows: list[dict[str, Any]], controls: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        xrayaug.judge(rows, controls=controls, against="control", resamples=100)


def test_words_of_controls_on_the_command_line() -> None:
    from xrayaug.evaluation.prediction_judge import parse_controls

    assert parse_controls(("gan=duplicate", "gan = classical")) == {"gan": ["duplicate", "classical"]}
    assert parse_controls(None) == {}
    with pytest.raises(UsageError, match="'gan'"):
        parse_controls(("gan",))


def test_the_default_is_left_out_of_the_identity_and_of_results(evaluation: Evaluation) -> None:
    assert not {"against", "controls"} & Evaluate(out="out").identity().keys()  # type: ignore[arg-type]
    assert Evaluate(out="out", against="both").identity()["against"] == "both"  # type: ignore[arg-type]
    assert "against" not in serialization.to_dict(evaluation.verdict)
    asked = replace(evaluation.verdict, question=replace(evaluation.verdict.question, against="both"))
    assert serialization.from_dict(Verdict, serialization.to_dict(asked)) == asked


def test_results_from_before_the_tests_of_controls_are_read_and_shown(evaluation: Evaluation) -> None:
    data = serialization.to_dict(evaluation)
    del data["verdict"]["families"]
    for arm in data["verdict"]["arms"]:
        arm["difference"].pop("showable_margin")
        for each in arm["controls"]:
            del each["arm"], each["verdict"]
            each["difference"] = {name: each["difference"][name] for name in ("value", "low", "high", "seeds")}
    old = serialization.from_dict(Evaluation, data)
    assert serialization.to_dict(old) == data
    assert tables.describe_families(old.verdict) == []
    _, to_controls = tables.difference_tables(old.arms, old.verdict)
    assert all(tuple(row[3:]) == ("--",) * 4 for row in to_controls.rows)
    assert answer.summarize(old.verdict, [])
    assert sheets.make_sheets(old)["controls.csv"]


def test_tables_name_both_p_values_and_the_families(evaluation: Evaluation) -> None:
    to_baseline, to_controls = tables.difference_tables(evaluation.arms, evaluation.verdict)
    for table, count in ((to_baseline, 4), (to_controls, 3)):
        assert table.columns[-5:] == (
            "Difference (marginal 95 %)",
            "p",
            "Holm p",
            "Equivalence p",
            "Holm equivalence p",
        )
        assert len(table.rows) == count
    (note,) = [each for each in to_controls.notes if each.startswith("Holm's correction")]
    assert "arms with the baseline (2); " in note
    assert "arms with their controls (3)" in note
    assert any("either happens in at most 10 %" in each for each in to_controls.notes)


def test_a_family_of_one_kind_of_test_is_named_as_such() -> None:
    """As in a sequential study, which tests equivalence at its last look alone, and differences at less than 5 %."""
    of = Verdict(None, "half", 0.95, True, [], [], [Family("arms with the baseline", "difference", 3, 0.009)])  # type: ignore[arg-type]
    (note,) = tables.describe_families(of)
    assert "a difference (helps, hurts) at 0.9 %." in note
    assert "equivalence" not in note


def test_the_answer_lists_the_contrasts_that_decide(rows: list[dict[str, Any]], evaluation: Evaluation) -> None:
    def find_line(of: Evaluation) -> tuple[str, str]:
        section, *_ = answer.summarize(of.verdict, [])
        assert isinstance(section, Section)
        return section.title, next(line for line in section.paragraphs if line.startswith("Arm gan"))

    title, line = find_line(xrayaug.judge(rows, controls=CONTROLS, against="both", resamples=100))
    assert "judged against the baseline and the controls of equal size" in title
    assert "Minus control duplicate +0." in line
    title, line = find_line(evaluation)
    assert "against" not in title
    assert "Minus control" not in line


def test_against_controls_alone_the_verdict_is_not_on_the_difference_to_the_baseline(
    rows: list[dict[str, Any]],
) -> None:
    copy = [{**row, "arm": "copy"} for row in rows if row["arm"] == "duplicate"]
    alone = [{**row, "arm": "alone"} for row in rows if row["arm"] == "gan"]
    judged = xrayaug.judge(
        [*rows, *copy, *alone], controls={**CONTROLS, "copy": "duplicate"}, against="control", resamples=100
    )
    arms = find_arms(judged)
    assert arms["copy"].verdict == verdict.EQUIVALENT
    section, *_ = answer.summarize(judged.verdict, [])
    assert isinstance(section, Section)
    (line,) = (line for line in section.paragraphs if line.startswith("Arm copy"))
    assert "within" not in line.split("Minus")[0]
    assert "±0.02 in comparison with the controls, difference to the baseline +0." in line
    (line,) = (line for line in section.paragraphs if line.startswith("Arm alone"))
    assert "There is no control of equal size to compare the arm with." in line


@pytest.mark.parametrize("against", ["baseline", "both"])
def test_what_could_have_been_shown_is_of_the_comparison_with_least_power(
    rows: list[dict[str, Any]], against: Any
) -> None:
    judged = xrayaug.judge(rows, controls=CONTROLS, against=against, resamples=100, margin=0.001)
    other = find_arms(judged)["other"]
    assert other.verdict == verdict.UNCLEAR
    compared: Sequence[Any] = [other.difference, *([other.controls[0].difference] if against == "both" else [])]
    (line,) = answer.describe_reach(other, judged.verdict)
    assert f"{max(each.detectable_difference for each in compared):.3f} is detected" in line
    assert f"within ±{max(each.showable_margin for each in compared):.3f}" in line
