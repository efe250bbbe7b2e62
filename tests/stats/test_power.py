"""The minimum detectable difference agrees with the textbook formula and with a simulation."""

import math

import numpy as np
import pytest
from scipy.stats import t

from xrayaug.stats import power
from xrayaug.stats.power import Assumptions

INDEPENDENT = Assumptions(discordance=0.1, seed_correlation=1.0, icc=0.0)


def test_independent_images_follow_the_textbook_formula() -> None:
    """(1.959964 + 0.841621) sqrt(0.1 / n); t of so many patients is as good as normal."""
    difference = power.minimum_detectable_difference(range(46000), seeds=1, comparisons=1, assumptions=INDEPENDENT)
    assert difference == pytest.approx(2.801585 * math.sqrt(0.1 / 46000), rel=1e-4)


def test_the_design_effect_of_several_images_per_patient() -> None:
    assert power.design_effect(range(10), 0.3) == 1
    assert power.design_effect([place // 4 for place in range(40)], 0.5) == pytest.approx(1 + 3 * 0.5)
    assert power.design_effect(["a"] * 3 + ["b"], 1.0) == pytest.approx((9 + 1) / 4)


def test_seeds_average_out_what_they_do_not_share() -> None:
    def difference(seeds: int, correlation: float) -> float:
        assumptions = Assumptions(discordance=0.1, seed_correlation=correlation, icc=0)
        return power.minimum_detectable_difference(range(100), seeds=seeds, comparisons=1, assumptions=assumptions)

    assert difference(400, 0.0) == pytest.approx(difference(1, 0.0) / 20, rel=0.01)
    assert difference(4, 1.0) == difference(1, 1.0)
    assert difference(400, 0.0) < difference(400, 0.5) < difference(1, 0.5)
    assert difference(3, 0.5) > difference(1, 0.5), "with three seeds the variance between seeds is uncertain"


def test_it_includes_the_half_width_of_the_interval_that_decides() -> None:
    """t of 2 and of 99 degrees of freedom, and the normal quantile of the power."""
    assumptions = Assumptions(0.1, 0.5, 0.0)
    difference = power.minimum_detectable_difference(range(100), seeds=3, comparisons=2, assumptions=assumptions)
    seed_variance, patient_variance = 0.1 * 0.5 / 3 / 100, 0.1 * 0.5 / 100
    half = math.sqrt(t.isf(0.0125, 2) ** 2 * seed_variance + t.isf(0.0125, 99) ** 2 * patient_variance)
    assert difference == pytest.approx(half + 0.841621 * math.sqrt(seed_variance + patient_variance), rel=1e-5)


def test_more_comparisons_need_a_larger_difference() -> None:
    few, many = (
        power.minimum_detectable_difference(range(460), seeds=5, comparisons=number, assumptions=Assumptions())
        for number in (1, 3)
    )
    assert few < many < 1.3 * few


def test_a_difference_of_that_size_is_detected_with_the_stated_power() -> None:
    """Two arms that differ on a tenth of 460 images: a z test of the paired difference, 4000 times."""
    wanted = power.minimum_detectable_difference(range(460), seeds=1, comparisons=1, assumptions=INDEPENDENT)
    better, worse = (0.1 + wanted) / 2, (0.1 - wanted) / 2
    drawn = np.random.default_rng(0).multinomial(460, [better, worse, 0.9], 4000)
    z = (drawn[:, 0] - drawn[:, 1]) / np.sqrt(np.maximum(drawn[:, 0] + drawn[:, 1], 1))
    assert (np.abs(z) > 1.959964).mean() == pytest.approx(0.8, abs=0.04)


def test_the_analysis_counts_patients_and_describes_itself() -> None:
    analysis = power.analyze_power(["a", "a", "b", "", ""], ["s", "t", "u", "", ""], seeds=2, comparisons=3)
    assert (analysis.images, analysis.patients, analysis.patients_unknown, analysis.studies) == (5, 2, 2, 5)
    points = f"{100 * analysis.minimum_detectable_difference:.1f} points"
    for part in ("2 seeds", "5 test images", "2 and 2 unknown patients", "5 studies", points, "80%", "3 comparisons"):
        assert part in analysis.describe()
