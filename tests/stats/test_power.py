"""The smallest difference follows the textbook's formula, and a simulation of what is assumed."""

import math

import numpy as np
import pytest
from scipy.stats import t

from xrayaug.stats import power
from xrayaug.stats.power import Assumptions

ALONE = Assumptions(discordance=0.1, alike=1.0, icc=0.0)


def test_of_independent_images_it_is_the_textbooks() -> None:
    """(1.959964 + 0.841621) sqrt(0.1 / n); t of so many patients is as good as normal."""
    found = power.minimum_detectable_difference(range(46000), seeds=1, comparisons=1, assumed=ALONE)
    assert found == pytest.approx(2.801585 * math.sqrt(0.1 / 46000), rel=1e-4)


def test_images_of_one_patient_are_worth_less() -> None:
    assert power.design_effect(range(10), 0.3) == 1
    assert power.design_effect([place // 4 for place in range(40)], 0.5) == pytest.approx(1 + 3 * 0.5)
    assert power.design_effect(["a"] * 3 + ["b"], 1.0) == pytest.approx((9 + 1) / 4)


def test_seeds_help_by_what_is_not_alike_in_them() -> None:
    def found(seeds: int, alike: float) -> float:
        assumed = Assumptions(discordance=0.1, alike=alike, icc=0)
        return power.minimum_detectable_difference(range(100), seeds=seeds, comparisons=1, assumed=assumed)

    assert found(400, 0.0) == pytest.approx(found(1, 0.0) / 20, rel=0.01)
    assert found(4, 1.0) == found(1, 1.0)
    assert found(400, 0.0) < found(400, 0.5) < found(1, 0.5)
    assert found(3, 0.5) > found(1, 0.5), "three seeds say little of how seeds differ"


def test_half_of_it_is_the_interval_that_will_decide() -> None:
    """t of 2 and of 99 degrees of freedom, and the normal quantile of the power."""
    found = power.minimum_detectable_difference(range(100), seeds=3, comparisons=2, assumed=Assumptions(0.1, 0.5, 0.0))
    seed_variance, patient_variance = 0.1 * 0.5 / 3 / 100, 0.1 * 0.5 / 100
    half = math.sqrt(t.isf(0.0125, 2) ** 2 * seed_variance + t.isf(0.0125, 99) ** 2 * patient_variance)
    assert found == pytest.approx(half + 0.841621 * math.sqrt(seed_variance + patient_variance), rel=1e-5)


def test_more_comparisons_need_a_larger_difference() -> None:
    few, many = (
        power.minimum_detectable_difference(range(460), seeds=5, comparisons=number, assumed=Assumptions())
        for number in (1, 3)
    )
    assert few < many < 1.3 * few


def test_a_difference_of_that_size_is_found_as_often_as_is_said() -> None:
    """Two arms that differ on a tenth of 460 images: a z test of the paired difference, 4000 times."""
    wanted = power.minimum_detectable_difference(range(460), seeds=1, comparisons=1, assumed=ALONE)
    better, worse = (0.1 + wanted) / 2, (0.1 - wanted) / 2
    drawn = np.random.default_rng(0).multinomial(460, [better, worse, 0.9], 4000)
    z = (drawn[:, 0] - drawn[:, 1]) / np.sqrt(np.maximum(drawn[:, 0] + drawn[:, 1], 1))
    assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.8, abs=0.04)


def test_the_outlook_says_what_it_is_of() -> None:
    found = power.power_analysis(["a", "a", "b", "", ""], ["s", "t", "u", "", ""], seeds=2, comparisons=3)
    assert (found["images"], found["patients"], found["studies"]) == (5, 2, 5)
    said = power.describe(found)
    assert "5 test images of 2 and 2 unknown patients in 5 studies and 2 seeds" in said
    assert f"{100 * found['smallest_difference']:.1f} points" in said
    assert "assumed, not known" in said
