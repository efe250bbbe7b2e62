import pytest

from xrayaug.evaluation import tables, verdict
from xrayaug.stats.intervals import Estimate

MARGIN = 0.02


def estimate(value: float, error: float, seeds: int = 5) -> Estimate:
    return Estimate(value, 0.0, error**2, seeds)


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (estimate(0.05, 0.01), verdict.HELPS),
        (estimate(-0.05, 0.01), verdict.HURTS),
        (estimate(0.001, 0.005), verdict.EQUIVALENT),
        (estimate(0.008, 0.003), verdict.EQUIVALENT),  # not 0, but too small to matter
        (estimate(0.02, 0.02), verdict.UNCLEAR),
        (estimate(0.05, 0.01, seeds=1), verdict.UNCLEAR),
        (None, verdict.UNCLEAR),
    ],
)
def test_the_verdict_on_one_arm(difference: Estimate | None, expected: str) -> None:
    decision = verdict.decide({"10": difference}, MARGIN)["10"]
    assert decision.verdict == expected
    assert verdict.explain(decision, difference, "auroc", MARGIN)


def test_several_arms_are_corrected_for() -> None:
    p_is_3_percent = estimate(0.0217, 0.01)
    assert verdict.decide({"10": p_is_3_percent}, MARGIN)["10"].verdict == verdict.HELPS
    others = {str(number): estimate(0.0, 0.02) for number in range(2)}
    assert verdict.decide({"10": p_is_3_percent, **others}, MARGIN)["10"].verdict == verdict.UNCLEAR


def explain(difference: Estimate, **others: Estimate) -> str:
    return verdict.explain(verdict.decide({"10": difference, **others}, MARGIN)["10"], difference, "AUROC", MARGIN)


def test_reasons_have_the_numbers() -> None:
    reason = explain(estimate(0.05, 0.01))
    for part in ("AUROC", "+0.050", "95 % interval +0.030 to +0.070", "5 seeds", "p < 0.001"):
        assert part in reason
    assert "significant" in explain(estimate(0.008, 0.003))
    assert "significant" not in explain(estimate(0.001, 0.005))


def test_an_equivalence_has_the_90_percent_interval() -> None:
    """Two one-sided tests at 5 % are the interval of 90 %; that of 95 % may reach beyond the margin."""
    near = estimate(0.0115, 0.005)
    assert near.interval()[1] > MARGIN > near.interval(0.1)[1]
    decision = verdict.decide({"10": near}, MARGIN)["10"]
    assert decision.verdict == verdict.EQUIVALENT
    assert "90 % interval +0.003 to +0.020" in verdict.explain(decision, near, "auroc", MARGIN)


def test_a_reason_names_the_correction_where_it_decides() -> None:
    others = {"50": estimate(0.0, 0.02), "100": estimate(0.0, 0.02)}
    assert "correction" in explain(estimate(0.0217, 0.01), **others)
    assert "correction" not in explain(estimate(0.0, 0.02))


def test_p_values_are_given_before_and_after_correction() -> None:
    others = {"50": estimate(0.0, 0.02), "100": estimate(0.0, 0.02)}
    assert "(p = 0.030, Holm p = 0.090)" in explain(estimate(0.0217, 0.01), **others)
    within = explain(estimate(0.008, 0.006), **others)
    assert "(p = 0.182, Holm p = 0.547)" in within
    assert "marginal 95 % interval" in within


def test_comparisons_must_agree() -> None:
    assert verdict.agree([verdict.HELPS]) == verdict.HELPS
    assert verdict.agree([verdict.HURTS, verdict.HURTS]) == verdict.HURTS
    assert verdict.agree([verdict.HELPS, verdict.EQUIVALENT]) == verdict.UNCLEAR
    assert verdict.agree([]) == verdict.UNCLEAR


@pytest.mark.parametrize(
    ("p_value", "text"), [(0.0123, "= 0.012"), (0.0004, "< 0.001"), (1.0, "= 1.000"), (None, "--")]
)
def test_small_p_values_are_not_rounded_to_0(p_value: float | None, text: str) -> None:
    assert verdict.format_p(p_value) == text
    assert tables.format_p_cell(p_value) == text.removeprefix("= ")
