"""Looks at a study: told arms keep their verdicts and end with their controls; Holm's family stays as planned."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import row

from xrayaug.data.arms import ArmSettings
from xrayaug.evaluation import answer, looks, results, serialization, verdict
from xrayaug.evaluation.judge import SetPredictions, judge
from xrayaug.evaluation.looks import CurrentLook
from xrayaug.evaluation.predictions import RunInfo, RunPredictions
from xrayaug.evaluation.results import ArmVerdict, Check, EarlierJudgement, EvaluatedArm, Question, Verdict
from xrayaug.options import Evaluate
from xrayaug.runtime.console import Section
from xrayaug.stats import paired_tests, sequential
from xrayaug.stats.classification import Labels
from xrayaug.stats.intervals import ALPHA, Estimate

IMAGES = 200
LABELS: Labels = np.arange(IMAGES) % 2  # 1 is abnormal
ROWS = [
    row(row=place, split="test", label=("normal", "abnormal")[label], patient=f"p{place}", study=f"s{place}")
    for place, label in enumerate(LABELS)
]
ARMS = {
    "0": ArmSettings(1.0, 0.0, None, 0, None),
    "10": ArmSettings(1.0, 10.0, "normal", 20, None),
    "10 duplicate": ArmSettings(1.0, 10.0, "normal", 20, "duplicate"),
    "50": ArmSettings(1.0, 50.0, "normal", 100, None),
    "50 duplicate": ArmSettings(1.0, 50.0, "normal", 100, "duplicate"),
}
LOOKS = sequential.plan_looks((3, 5, 8))
PLAN = "ab" * 32


def predict(name: str, seeds: int, errors: int) -> list[RunPredictions]:
    """Return runs of an arm that are wrong for so many images, others for every seed and arm."""
    made = []
    for seed in range(seeds):
        wrong = np.random.default_rng([seed, list(ARMS).index(name)]).permutation(IMAGES)[:errors]
        called = LABELS.copy()
        called[wrong] = 1 - called[wrong]
        probabilities = np.where(called == 1, 0.9, 0.1)
        made.append(
            RunPredictions(RunInfo(f"{name} {seed}", ARMS[name], name, seed, 0.5), ROWS, ROWS, probabilities,
                           probabilities)
        )  # fmt: skip
    return made


def look_at(
    number: int, errors: Mapping[str, int], seeds: Mapping[str, int], previous: Verdict | None = None,
    checks: Sequence[Check] = (),
) -> Verdict:  # fmt: skip
    """Return the verdict at a look of arms that are wrong for so many images."""
    options = Evaluate(runs=(Path("run"),), out=Path("out"), metric="accuracy", margin=0.05, resamples=100)
    predicted = [
        each for name in errors for each in predict(name, seeds.get(name, LOOKS[number - 1].seeds), errors[name])
    ]
    tested = SetPredictions("own", predicted, checks, results.TestSet(IMAGES, IMAGES, IMAGES // 2, IMAGES // 2))
    current = CurrentLook(LOOKS[number - 1], LOOKS, PLAN, {"own": previous} if previous else {})
    return judge(options, tested, audits=[], split_by="patient", look=current).verdict


ERRORS = {"0": 60, "10": 5, "10 duplicate": 60, "50": 58, "50 duplicate": 60}


@pytest.fixture(scope="module")
def first() -> Verdict:
    return look_at(1, ERRORS, {})


def by_name(verdicts: Verdict) -> dict[str, ArmVerdict]:
    return {each.arm: each for each in verdicts.arms}


def test_an_arm_that_is_told_ends_with_its_control_and_the_baseline_goes_on(first: Verdict) -> None:
    assert first.sequential is not None
    assert by_name(first)["10"].verdict == verdict.HELPS
    assert by_name(first)["50"].verdict == verdict.UNCLEAR
    assert first.sequential.stopped == ["10", "10 duplicate"]


def test_a_verdict_has_its_look_its_level_and_the_interval_of_that_level(first: Verdict) -> None:
    arm = by_name(first)["10"]
    assert arm.look is not None and arm.difference is not None
    assert (arm.look.number, arm.look.seeds, arm.look.level) == (1, 3, LOOKS[0].level)
    assert arm.look.low is not None and arm.look.high is not None
    assert arm.look.low < arm.difference.low < arm.difference.high < arm.look.high
    assert "told at look 1 of 3, 3 seeds, at the level 0.007" in arm.reason
    assert "99.3 % interval" in arm.reason


def test_equivalence_is_not_tested_before_the_last_look() -> None:
    same = dict.fromkeys(ERRORS, 60)
    early = look_at(1, same, {})
    assert {each.verdict for each in early.arms} == {verdict.UNCLEAR}
    assert all(each.difference and each.difference.p_equivalent_holm is None for each in early.arms)
    assert {each.shown for each in early.families} == {"difference"}
    last = look_at(3, same, {}, replace(early, sequential=replace(sequential_of(early), number=2)))
    assert by_name(last)["10"].verdict == verdict.EQUIVALENT
    assert {each.level for each in last.families if each.shown == "equivalence"} == {ALPHA}


def sequential_of(verdicts: Verdict) -> results.SequentialLook:
    assert verdicts.sequential is not None
    return verdicts.sequential


def test_an_arm_that_was_told_keeps_its_verdict_whatever_its_later_runs(first: Verdict) -> None:
    errors = ERRORS | {"10": 100}
    second = look_at(2, errors, {"10": 3, "10 duplicate": 3}, first)
    assert by_name(second)["10"] == by_name(first)["10"]
    assert by_name(second)["10 duplicate"] == by_name(first)["10 duplicate"]
    later = by_name(second)["50"]
    assert later.look is not None and later.difference is not None
    assert (later.look.number, later.look.level, later.difference.seeds) == (2, LOOKS[1].level, 5)


def test_the_family_stays_as_planned_when_an_arm_has_ended(first: Verdict) -> None:
    second = look_at(2, ERRORS, {"10": 3, "10 duplicate": 3}, first)
    difference = by_name(second)["50"].difference
    assert difference is not None
    assert difference.p_holm == pytest.approx(min(1, 2 * difference.p)), "one arm is tested, and two are planned"
    tests = {each.compared: each.tests for each in second.families}
    assert tests["arms with the baseline"] == tests["controls with the baseline"] == 2


def test_arms_that_ended_are_left_out_of_the_pool_of_variances(first: Verdict) -> None:
    """The arms that go on have the same seeds, so their variance is pooled; with those of 3 seeds it could not be."""
    second = look_at(2, ERRORS, {"10": 3, "10 duplicate": 3}, first)
    alone = look_at(2, {name: ERRORS[name] for name in ("0", "50", "50 duplicate")}, {})
    one, other = by_name(second)["50"].difference, by_name(alone)["50"].difference
    assert one is not None and other is not None
    assert (one.standard_error, one.pooled_df) == (other.standard_error, other.pooled_df)


def test_after_the_last_look_and_when_all_are_told_everything_ends(first: Verdict) -> None:
    assert sequential_of(look_at(1, ERRORS | {"50": 5}, {})).stopped == list(ERRORS)
    second = replace(first, sequential=replace(sequential_of(first), number=2))
    last = look_at(3, ERRORS, {"10": 3, "10 duplicate": 3}, second)
    assert sequential_of(last).stopped == list(ERRORS)
    assert sequential_of(last).is_last


def test_a_critical_check_withdraws_earlier_verdicts_and_tells_nothing(first: Verdict) -> None:
    leak = Check("patients", False, "patients are in training and test", critical=True)
    second = look_at(2, ERRORS | {"50": 5}, {"10": 3, "10 duplicate": 3}, first, [leak])
    assert {each.verdict for each in second.arms} == {verdict.UNCLEAR}
    assert by_name(second)["10"].reason.startswith("patients are in training and test; ")
    assert "50" not in sequential_of(second).stopped


def test_a_control_of_several_arms_goes_on_with_any_of_them() -> None:
    arms = [
        EvaluatedArm(name, settings, 0.5)
        for name, settings in {
            "0": ARMS["0"],
            "a": replace(ARMS["10"], generator="a"),
            "b": replace(ARMS["10"], generator="b"),
            "duplicate": ARMS["10 duplicate"],
        }.items()
    ]
    question = Question("accuracy", "image", 0.02, 0)
    told = ArmVerdict("a", None, "0", verdict.HURTS, "", None, [], None, [])
    unclear = replace(told, arm="b", verdict=verdict.UNCLEAR)
    now = Verdict(question, "half", 0.95, True, [], [told, unclear])
    current = CurrentLook(LOOKS[0], LOOKS, PLAN)
    assert looks.list_stopped(arms, now, current) == ["a"]
    both = replace(now, arms=[told, replace(told, arm="b")])
    assert looks.list_stopped(arms, both, current) == ["0", "a", "b", "duplicate"]


def estimate(value: float, error: float) -> Estimate:
    return Estimate(value, 0.0, error**2, 5)


def test_a_decision_is_at_the_level_of_the_look() -> None:
    differences = {"10": estimate(0.0217, 0.01)}  # p is 3 %
    assert verdict.decide(differences, 0.02)["10"].verdict == verdict.HELPS
    at_look = verdict.decide(differences, 0.02, level=0.01, equivalence_level=None)["10"]
    assert (at_look.verdict, at_look.p_equivalent, at_look.level) == (verdict.UNCLEAR, None, 0.01)
    assert not at_look.is_different
    assert "at this look" in verdict.explain(at_look, differences["10"], "AUROC", 0.02)
    of_four = verdict.decide(differences, 0.02, size=4)["10"]
    assert of_four.p_different == pytest.approx(4 * differences["10"].p_value())
    assert paired_tests.holm({"a": 0.3}, 4) == {"a": 1.0}


def test_the_console_says_at_which_look_and_level_and_what_is_biased(first: Verdict) -> None:
    section = answer.summarize(first, [])[0]
    text = "\n".join(section.paragraphs if isinstance(section, Section) else [])
    for part in (
        "Told at look 1 of 3, 3 seeds, at the level 0.007: 99.3 % interval",
        "Sequential study: look 1 of at most 3, by a plan that was locked before the first (sha256 abababababab)",
        "Levels by seeds: 0.007 at 3, 0.013 at 5, 0.03 at 8, 5 % in all",
        "Not the last look, on to 5 seeds: arm 50.",
        "Told early, so that the difference is biased away from 0 (Pocock and Hughes 1989): arm 10.",
    ):
        assert part in text


def test_a_look_is_read_back_from_json_as_it_was_written(first: Verdict) -> None:
    again = serialization.from_dict(Verdict, serialization.to_dict(first))
    assert again.sequential == first.sequential
    assert [each.look for each in again.arms] == [each.look for each in first.arms]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "judged before at 3 seeds (2026-11-27) without a plan for it"),
        ({"metric": "accuracy"}, "at 3 seeds by accuracy (2026-11-27)"),
        ({"seeds": 1, "margin": 0.01}, "at 1 seed with the margin 0.01 (2026-11-27)"),
    ],
)
def test_an_earlier_judgement_is_said_in_one_line(changes: dict[str, Any], said: str) -> None:
    before = replace(EarlierJudgement(3, "auroc", "image", 0.02, "2026-11-27T20:00:00+00:00"), **changes)
    verdicts = Verdict(Question("auroc", "image", 0.02, 0), "half", 0.95, True, [], [], earlier=[before])
    (note,) = looks.list_notes(verdicts)
    assert said in note
    assert ("7 % of simulated studies" in note) is not bool(changes)
    assert looks.list_notes(replace(verdicts, earlier=())) == []
