"""A shifted prior is called the only cause only if the AUROC is shown to be equivalent."""

import pytest

from xrayaug.evaluation.prior_shift import judge_prior_shift
from xrayaug.evaluation.results import PriorShift
from xrayaug.stats.intervals import Estimate

MARGIN = 0.02
FEWER = Estimate(-0.05, 0.0, 0.01**2, 5)
UNCHANGED = Estimate(-0.002, 0.0, 0.01**2, 5)
SAME_RANKING = Estimate(-0.002, 0.0, 0.005**2, 5)


def judge(auroc: Estimate | None, chosen: Estimate | None = UNCHANGED) -> PriorShift:
    return judge_prior_shift((0.85, 0.73), FEWER, (UNCHANGED, chosen), auroc, MARGIN)


def test_it_alone_explains_a_difference_if_the_ranking_is_shown_to_be_the_same() -> None:
    shift = judge(SAME_RANKING)
    assert shift.contributes
    assert shift.explains_difference
    said = ("85 %", "73 %", "fewer images abnormal", "-0.050", "-0.002", "alone can explain", "within ±0.02")
    assert all(part in shift.sentence for part in said)
    more = judge_prior_shift((0.6, 0.73), Estimate(0.05, 0, 1e-4, 5), (UNCHANGED, UNCHANGED), SAME_RANKING, MARGIN)
    assert more.explains_difference
    assert "more images abnormal" in more.sentence


@pytest.mark.parametrize(
    ("auroc", "chosen", "said"),
    [
        (
            Estimate(-0.002, 0.0, 0.02**2, 5),
            UNCHANGED,
            "whether the ranking changed too cannot be told",
        ),  # not significant, nor equivalent
        (Estimate(-0.03, 0.0, 0.02**2, 5), UNCHANGED, "cannot be told"),  # a fall that is too small to be seen
        (None, UNCHANGED, "undefined"),
        (Estimate(0.0, 0.0, 1e-6, 1), UNCHANGED, "cannot be told"),  # of one seed
        (Estimate(-0.05, 0.0, 0.01**2, 5), UNCHANGED, "not the only cause, as the AUROC differs"),
        (SAME_RANKING, Estimate(-0.05, 0.0, 0.01**2, 5), "not the only cause, as the accuracy at the threshold chosen"),
    ],
)
def test_it_contributes_otherwise(auroc: Estimate | None, chosen: Estimate | None, said: str) -> None:
    shift = judge(auroc, chosen)
    assert shift.contributes
    assert not shift.explains_difference
    assert "alone can explain" not in shift.sentence
    assert said in shift.sentence


@pytest.mark.parametrize(
    ("shares", "call_rate"),
    [
        ((0.73, 0.73), -0.05),  # the prior is unchanged
        ((0.85, 0.73), 0.0),  # the call rate is unchanged
        ((0.85, 0.73), 0.05),  # more called abnormal with more normal images: the wrong direction
    ],
)
def test_it_does_not_contribute_without_its_mark(shares: tuple[float, float], call_rate: float) -> None:
    shift = judge_prior_shift(shares, Estimate(call_rate, 0.0, 1e-4, 5), (UNCHANGED, UNCHANGED), SAME_RANKING, MARGIN)
    assert not shift.contributes
    assert not shift.explains_difference
    assert not shift.sentence
