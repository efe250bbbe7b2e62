"""The answer names every arm with its verdict and interval, and what a verdict rests on."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from xrayaug.evaluation import answer, verdict
from xrayaug.evaluation.results import (
    ArmLook,
    ArmVerdict,
    BootstrapInterval,
    Check,
    ControlComparison,
    ControlDifference,
    Difference,
    PriorShift,
    Question,
    SignFlip,
    Verdict,
)
from xrayaug.options.choices import Control
from xrayaug.runtime.console import Section


def difference(value: float, seeds: int = 5, detectable: float | None = 0.04) -> Difference:
    return Difference(
        value=value, low=value - 0.01, high=value + 0.01, seeds=seeds, standard_error=0.005, seed_variance=1e-5,
        patient_variance=1e-5, p=0.5, p_holm=0.5, p_equivalent=0.5, p_equivalent_holm=0.5,
        bootstrap=BootstrapInterval("percentile", 0, 1), sign_flip=SignFlip(1, 1), seed_differences={},
        detectable_difference=detectable,
    )  # fmt: skip


def to_control(value: float) -> ControlDifference:
    return ControlDifference(value, value - 0.01, value + 0.01, 5, p=0.01, p_holm=0.02)


def arm(name: str, judged: str, of: Difference | None, **changes: Any) -> ArmVerdict:
    shift = PriorShift(0.5, 0.5, False, changes.pop("is_shift", False), None, "")
    given = {"control": None, "baseline": "0", "reason": "there is no baseline", "pairs": [], "controls": []} | changes
    return ArmVerdict(arm=name, verdict=judged, difference=of, prior_shift=shift, **given)


def lines(*arms: ArmVerdict, checks: tuple[Check, ...] = (), valid: bool = True) -> list[str]:
    verdicts = Verdict(Question("auroc", "image", 0.02, 0), "half", 0.95, valid, checks, arms)
    section, *_ = answer.summarize(verdicts, ["report.html"])
    assert isinstance(section, Section)
    return list(section.paragraphs)


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        (verdict.HELPS, "helps"),
        (verdict.HURTS, "hurts"),
        (verdict.EQUIVALENT, "no difference larger than the margin of ±0.02"),
    ],
)
def test_a_verdict_has_its_difference_and_interval(judged: str, said: str) -> None:
    (line,) = lines(arm("50", judged, difference(0.031)))
    assert line.startswith(f"Arm 50: {said}, +0.031 (+0.021 to +0.041).")


def test_what_explains_an_effect_is_said() -> None:
    controls = [
        ControlComparison("duplicate", "explains", "adding duplicates has the same effect", to_control(0.001)),
        ControlComparison("classical", "differs", "", to_control(0.02)),
        ControlComparison("shuffle", "differs", "", to_control(0.03)),
        ControlComparison("more-real", "differs", "", to_control(-0.02)),
        ControlComparison("reweight", "cannot-tell", "", to_control(0.01)),
    ]
    (line,) = lines(arm("50", verdict.HELPS, difference(0.03), controls=controls))
    assert "Adding duplicates has the same effect." in line
    assert "significantly higher than the controls classical and shuffle." in line
    assert "significantly lower than the control more-real." in line
    assert "does not differ significantly from the control reweight." in line
    (line,) = lines(arm("50", verdict.HURTS, difference(-0.03), controls=controls, is_shift=True))
    assert "class prior" in line
    assert "duplicate" not in line


def test_an_arm_of_which_nothing_can_be_said_comes_with_what_could_have_been_seen() -> None:
    (line,) = lines(arm("50", verdict.UNCLEAR, difference(0.01, seeds=7, detectable=0.0371)))
    assert "7 seeds, a true difference of 0.037 is detected with 80 % power" in line
    assert "margin" not in line  # that could be shown is unknown in results from before it existed
    far = replace(difference(0.01), showable_margin=0.05)
    (line,) = lines(arm("50", verdict.UNCLEAR, far))
    assert "one of 0 is shown to be within ±0.050; the margin of ±0.02 is out of reach" in line
    (line,) = lines(arm("50", verdict.UNCLEAR, replace(far, showable_margin=0.019)))
    assert line.endswith("one of 0 is shown to be within ±0.019.")
    (line,) = lines(arm("50", verdict.UNCLEAR, replace(difference(0.01, detectable=1.2), showable_margin=1.3)))
    assert line.endswith("no true difference is detected with 80 % power without more test patients or seeds.")
    assert "one seed" in lines(arm("50", verdict.UNCLEAR, difference(0.01, seeds=1, detectable=None)))[0].lower()
    assert "power" not in lines(arm("50", verdict.UNCLEAR, difference(0.01, detectable=None)))[0]
    assert lines(arm("50", verdict.UNCLEAR, None)) == ["Arm 50: cannot tell. There is no baseline."]


def test_controls_come_with_their_meaning() -> None:
    assert set(answer.CONTROL_MEANINGS) == set(get_args(Control))
    _, line = lines(
        arm("50", verdict.HELPS, difference(0.03)), arm("50 x", verdict.HELPS, difference(0.09), control="more-real")
    )
    assert line.startswith("Control more-real (")
    assert "perfect generator" in line
    assert "upper bound" in line
    assert line.endswith(": helps, +0.090 (+0.080 to +0.100).")


def test_low_resolution_comes_with_its_difference_to_duplicate() -> None:
    same = [ControlComparison("duplicate", "differs", "", to_control(-0.02))]
    _, line = lines(arm("50 x", verdict.HURTS, difference(-0.03), control="low-resolution", controls=same))
    assert line.endswith("hurts, -0.030 (-0.040 to -0.020); minus duplicate -0.020 (-0.030 to -0.010).")


def test_several_controls_of_a_kind_have_their_full_names_and_many_are_counted() -> None:
    def of(count: int) -> list[ArmVerdict]:
        return [arm(f"{n} duplicate", verdict.HELPS, difference(0.1), control="duplicate") for n in range(count)]

    assert [line.partition(" (")[0] for line in lines(*of(2))[1:]] == ["Control 0 duplicate", "Control 1 duplicate"]
    assert "The 7 controls are in the report." in lines(arm("5", verdict.HELPS, difference(0.1)), *of(7))


def test_a_failed_critical_check_comes_first_and_open_checks_last() -> None:
    found = (
        Check("patients", False, "3 test patients are in training", critical=True), Check("copies", None, ""),
        Check("budget", False, ""), Check("seeds", True, ""),
    )  # fmt: skip
    first, middle, *last = lines(arm("50", verdict.UNCLEAR, difference(0.1)), checks=found, valid=False)
    assert "3 test patients are in training" in first
    assert "power" not in middle
    assert [line.split(" (")[0] for line in last] == [
        "Checks that failed: patients; budget", "Checks whose result is unknown: copies"
    ]  # fmt: skip


def test_without_an_arm_nothing_is_known() -> None:
    (line,) = lines()
    assert line.startswith("Unknown")


def test_at_a_look_a_difference_is_open_by_the_level_of_the_look() -> None:
    unclear = arm(
        "50",
        verdict.UNCLEAR,
        replace(difference(0.03), p_holm=0.02, p_equivalent_holm=None),
        controls=[ControlComparison("duplicate", "differs", "", to_control(0.03), "d", verdict.HELPS)],
    )
    question = Question("auroc", "image", 0.02, 0, "both")
    verdicts = Verdict(question, "half", 0.95, True, (), [unclear])
    assert answer.describe_reach(unclear, verdicts) == []  # 0.02 is told at 5 %
    (line,) = answer.describe_reach(replace(unclear, look=ArmLook(1, 5, 0.003, 0.0, 0.1)), verdicts)
    assert "0.040 is detected" in line
