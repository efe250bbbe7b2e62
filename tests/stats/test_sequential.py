"""Levels of looks: they follow the power family of Kim and DeMets and sum to 5 %; Holm's family stays as planned."""

import math

import pytest

from xrayaug.stats import paired_tests, sequential
from xrayaug.stats.intervals import ALPHA


def test_the_levels_of_the_usual_looks() -> None:
    levels = [look.level for look in sequential.plan_looks((3, 5, 8, 12))]
    assert levels == pytest.approx([0.003125, 0.005556, 0.013542, 0.027778], abs=1e-6)


def test_the_spent_level_is_that_of_the_power_family() -> None:
    """The values are those of gsDesign's sfPower(alpha = 0.025, t, param = 2), alpha t^2."""
    spent = [sequential.spent_level(share, 0.025) for share in (0.25, 0.5, 0.75, 1.0)]
    assert spent == pytest.approx([0.0015625, 0.00625, 0.0140625, 0.025])


@pytest.mark.parametrize("seeds", [(2, 3), (3, 5, 8, 12), (3, 4, 5, 6, 7, 8, 9, 10, 11, 12), tuple(range(2, 20))])
def test_levels_sum_to_five_percent(seeds: tuple[int, ...]) -> None:
    looks = sequential.plan_looks(seeds)
    assert math.fsum(look.level for look in looks) <= ALPHA + 1e-15
    assert math.fsum(look.level for look in looks) == pytest.approx(ALPHA)
    assert all(look.level > 0 for look in looks)
    assert [look.number for look in looks if look.is_last] == [len(seeds)]


def test_equivalence_is_tested_at_the_last_look_alone() -> None:
    assert [look.equivalence_level for look in sequential.plan_looks((3, 5, 8))] == [None, None, ALPHA]


@pytest.mark.parametrize("seeds", [(), (1, 3), (3, 3), (5, 3)])
def test_looks_that_do_not_increase_are_refused(seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must increase"):
        sequential.plan_looks(seeds)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_of_the_plan_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        sequential.spent_level(share)


def test_the_family_of_holm_stays_when_arms_have_ended() -> None:
    p_values = {"a": 0.004, "b": 0.03}
    assert paired_tests.holm(p_values, 4) == pytest.approx({"a": 0.016, "b": 0.09})
    assert paired_tests.holm(p_values, 2) == paired_tests.holm(p_values)
