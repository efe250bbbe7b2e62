import pytest

from xrayaug.evaluation import tables, verdict
from xrayaug.stats.intervals import Estimate

MARGIN = 0.02


def of(value: float, error: float, seeds: int = 5) -> Estimate:
    return Estimate(value, 0.0, error**2, seeds)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (of(0.05, 0.01), verdict.HELPS),
        (of(-0.05, 0.01), verdict.HURTS),
        (of(0.001, 0.005), verdict.EQUIVALENT),
        (of(0.008, 0.003), verdict.EQUIVALENT),  # not 0, but too small to matter
        (of(0.02, 0.02), verdict.UNCLEAR),
        (of(0.05, 0.01, seeds=1), verdict.UNCLEAR),
        (None, verdict.UNCLEAR),
    ],
)
def test_what_is_said_of_one_arm(difference: Estimate | None, expected: str) -> None:
    decision = verdict.decide({"10": difference}, MARGIN)["10"]
    assert decision.verdict == expected
    assert verdict.reason(decision, difference, "auroc", MARGIN)


def test_more_arms_make_each_harder() -> None:
    p_is_3_percent = of(0.0217, 0.01)
    assert verdict.decide({"10": p_is_3_percent}, MARGIN)["10"].verdict == verdict.HELPS
    others = {str(number): of(0.0, 0.02) for number in range(2)}
    assert verdict.decide({"10": p_is_3_percent, **others}, MARGIN)["10"].verdict == verdict.UNCLEAR


def test_reasons_say_what_was_found() -> None:
    difference = of(0.05, 0.01)
    said = verdict.reason(verdict.decide({"10": difference}, MARGIN)["10"], difference, "auroc", MARGIN)
    assert said == "auroc differs by +0.050 (95 % interval +0.030 to +0.070) over 5 seeds, told from 0 (p < 0.001)"
    small = of(0.008, 0.003)
    assert "real, but too small" in verdict.reason(verdict.decide({"10": small}, MARGIN)["10"], small, "f1", MARGIN)


def test_an_equivalence_is_told_with_the_interval_that_shows_it() -> None:
    """Two one-sided tests at 5 % are the interval of 90 %; that of 95 % may reach beyond the margin."""
    near = of(0.0115, 0.005)
    assert near.interval()[1] > MARGIN > near.interval(0.1)[1]
    decision = verdict.decide({"10": near}, MARGIN)["10"]
    assert decision.verdict == verdict.EQUIVALENT
    assert "(90 % interval +0.003 to +0.020)" in verdict.reason(decision, near, "auroc", MARGIN)


def test_what_only_the_correction_leaves_open_is_said_so() -> None:
    alone = of(0.0217, 0.01)
    decision = verdict.decide({"10": alone, "50": of(0.0, 0.02), "100": of(0.0, 0.02)}, MARGIN)["10"]
    assert "neither told from 0 after correction for several arms" in verdict.reason(decision, alone, "auroc", MARGIN)
    unclear = of(0.0, 0.02)
    assert "correction" not in verdict.reason(verdict.decide({"10": unclear}, MARGIN)["10"], unclear, "f1", MARGIN)


def test_a_moved_prior_alone_is_called_so() -> None:
    fewer, still = of(-0.05, 0.01), of(-0.002, 0.01)
    found = verdict.judge_prior_shift((0.85, 0.73), fewer, (still, still), still)
    assert found.alone
    assert "it calls fewer images abnormal at the threshold 0.5 (-0.050" in found.sentence
    assert verdict.judge_prior_shift((0.6, 0.73), of(0.05, 0.01), (still, still), still).alone


@pytest.mark.parametrize(
    ("shares", "calls", "chosen", "auroc"),
    [
        ((0.73, 0.73), -0.05, 0.0, 0.0),  # the prior did not move
        ((0.85, 0.73), 0.0, 0.0, 0.0),  # it calls as before
        ((0.85, 0.73), 0.05, 0.0, 0.0),  # more abnormal with more normals: not what a prior does
        ((0.85, 0.73), -0.05, -0.05, 0.0),  # at any threshold
        ((0.85, 0.73), -0.05, 0.0, -0.05),  # the ranking is worse too
    ],
)
def test_anything_else_is_not(shares: tuple[float, float], calls: float, chosen: float, auroc: float) -> None:
    found = verdict.judge_prior_shift(shares, of(calls, 0.01), (of(-0.05, 0.01), of(chosen, 0.01)), of(auroc, 0.01))
    assert not found.alone
    assert not found.sentence


@pytest.mark.parametrize(
    ("of_arm", "of_control", "apart", "relation"),
    [
        (of(0.05, 0.01), of(0.045, 0.01), of(0.005, 0.01), "explains"),
        (of(0.05, 0.01), of(0.0, 0.01), of(0.05, 0.01), "apart"),
        (of(0.05, 0.01), of(0.015, 0.02), of(0.035, 0.02), "cannot-tell"),
        (of(0.05, 0.01), of(-0.05, 0.01), of(0.0, 0.1), "cannot-tell"),
        (None, None, None, "cannot-tell"),
    ],
)
def test_whether_a_control_explains_it(
    of_arm: Estimate | None, of_control: Estimate | None, apart: Estimate | None, relation: str
) -> None:
    found = verdict.compare_with_control("duplicate", of_arm, of_control, apart)
    assert found.relation == relation
    assert ("repeating real images does the same" in found.sentence) == (relation == "explains")


@pytest.mark.parametrize(
    ("apart", "sentence"),
    [
        (0.05, "it scores higher than the control 'duplicate'"),
        (-0.05, "it scores lower than the control 'duplicate'"),  # the control helps more than the arm
    ],
)
def test_an_arm_apart_from_a_control_is_said_to_be_above_or_below_it(apart: float, sentence: str) -> None:
    found = verdict.compare_with_control("duplicate", of(0.05, 0.01), of(0.05 - apart, 0.01), of(apart, 0.01))
    assert (found.relation, found.sentence) == ("apart", sentence)


@pytest.mark.parametrize(
    ("p_value", "said"), [(0.0123, "= 0.012"), (0.0004, "< 0.001"), (1.0, "= 1.000"), (None, "--")]
)
def test_no_p_value_is_0(p_value: float | None, said: str) -> None:
    assert verdict.format_p(p_value) == said
    assert tables.format_p_cell(p_value) == said.removeprefix("= ")
