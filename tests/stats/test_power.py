"""What a planned study can show agrees with textbook formulas and with simulated studies."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t

from xrayaug.evaluation import verdict
from xrayaug.stats import intervals, power
from xrayaug.stats.intervals import Estimate
from xrayaug.stats.power import ASSUMED, Assumptions, PlannedDesign

INDEPENDENT = Assumptions(seed_sd=0.0, image_sd=0.0, shared_sd=math.sqrt(0.1), icc=0.0)
MANY = PlannedDesign(0.0, 0.1 / 46000, seeds=1, comparisons=1)


def analyze(
    patients: Sequence[str], studies: Sequence[str], seeds: int = 5, comparisons: int = 3
) -> power.PowerAnalysis:
    labels = [place % 2 for place in range(len(patients))]
    return power.analyze_power(
        patients, studies, labels, metric="auroc", margin=0.02, seeds=seeds, comparisons=comparisons
    )


def test_independent_images_follow_the_textbook_formula() -> None:
    """(1.959964 + 0.841621) standard errors are detected; (1.644854 + 1.281552) show equivalence (Phillips 1990)."""
    error = math.sqrt(0.1 / 46000)
    assert MANY.detection(2.801585 * error) == pytest.approx(0.8, abs=1e-4)
    assert MANY.equivalence((1.644854 + 1.281552) * error) == pytest.approx(0.8, abs=1e-4)
    assert MANY.detection(0.0) == pytest.approx(0.05)
    assert MANY.equivalence(1.6 * error) == 0


def test_the_design_effect_of_several_images_per_patient() -> None:
    assert power.design_effect(range(10), 0.3) == 1
    assert power.design_effect([place // 4 for place in range(40)], 0.5) == pytest.approx(1 + 3 * 0.5)
    assert power.design_effect(["a"] * 3 + ["b"], 1.0) == pytest.approx((9 + 1) / 4)


def test_the_variances_of_a_design() -> None:
    assumptions = Assumptions(seed_sd=0.02, image_sd=0.4, shared_sd=0.1, icc=0.5)
    clusters, labels = [place // 2 for place in range(100)], [int(place < 20) for place in range(100)]
    found = power.plan_design(clusters, labels, metric="accuracy", seeds=3, comparisons=2, assumptions=assumptions)
    assert found.seed_variance == pytest.approx(0.02**2 + 0.4**2 / 100)
    assert found.patient_variance == pytest.approx(0.1**2 * 1.5 / 100)
    assert found.patient_df == 49
    area = power.plan_design(clusters, labels, metric="auroc", seeds=3, comparisons=2, assumptions=assumptions)
    assert area.patient_variance == pytest.approx(0.1**2 * 1.5 * (1 / 20 + 1 / 80))
    assert area.patient_df == 9  # of ten abnormal patients
    one = power.plan_design(clusters, labels, metric="accuracy", seeds=1, comparisons=2, assumptions=assumptions)
    assert one.seed_variance == 0
    assert one.patient_variance == pytest.approx((0.1**2 * 1.5 + 0.4**2) / 100)


@pytest.mark.parametrize(("seeds", "comparisons"), [(3, 1), (3, 3), (5, 3), (5, 10)])
def test_the_promise_holds_in_simulated_studies(seeds: int, comparisons: int) -> None:
    """The verdict of 400 studies, of which one arm differs by what should be detected in 80 %."""
    design = PlannedDesign(0.03**2, 0.01**2, seeds, comparisons)
    difference = power._find_smallest(design.detection)
    margin = power._find_smallest(design.equivalence)
    assert difference is not None and margin is not None
    random = np.random.default_rng([seeds, comparisons])
    told = shown = 0
    for _ in range(400):
        scores = random.normal(0, 0.03 / math.sqrt(2), (comparisons + 1, seeds))
        own = random.normal(0, 0.01)
        pooled = intervals.pool_seed_variance(scores)
        values = scores[1] - scores[0]
        found = intervals.estimate(values, np.zeros((3, seeds)), 10**6, pooled)
        assert found is not None
        found = dataclasses.replace(found, value=found.value + own, patient_variance=0.01**2, patient_df=math.inf)
        others = {str(place): Estimate(0.0, 1.0, 1.0, seeds) for place in range(1, comparisons)}
        moved = dataclasses.replace(found, value=found.value + difference)
        told += verdict.decide({"arm": moved, **others}, margin=1e-9)["arm"].verdict == verdict.HELPS
        shown += verdict.decide({"arm": found, **others}, margin)["arm"].verdict == verdict.EQUIVALENT
    assert told / 400 == pytest.approx(0.8, abs=0.06)  # three standard errors of 400 studies
    assert shown / 400 == pytest.approx(0.8, abs=0.06)


def test_more_comparisons_need_a_larger_difference_and_more_seeds_a_smaller_one() -> None:
    def difference(seeds: int, comparisons: int) -> float:
        found = power._find_smallest(PlannedDesign(0.02**2, 0.01**2, seeds, comparisons).detection)
        assert found is not None
        return found

    assert difference(5, 1) < difference(5, 3) < difference(5, 10)
    assert difference(10, 3) < difference(5, 3) < difference(3, 3)


def test_what_cannot_be_shown_is_none() -> None:
    hopeless = PlannedDesign(4.0, 4.0, 2, 3)
    assert power._find_smallest(hopeless.detection) is None
    assert power._find_smallest(hopeless.equivalence) is None


def test_the_analysis_counts_patients_and_describes_itself() -> None:
    analysis = analyze(["a", "a", "b", "c", "", ""], ["s", "t", "u", "v", "", ""], seeds=2)
    assert (analysis.images, analysis.patients, analysis.patients_unknown, analysis.studies) == (6, 3, 2, 6)
    large = analyze([str(place) for place in range(5000)], [str(place) for place in range(5000)])
    assert large.assumptions == ASSUMED["auroc"]
    assert large.minimum_detectable_difference is not None and large.showable_margin is not None
    for part in (
        "5 seeds",
        "5,000 test images of 5,000 patients",
        f"a difference of {100 * large.minimum_detectable_difference:.1f} points of AUROC",
        "3 comparisons",
        f"within {100 * large.showable_margin:.1f} points of AUROC",
        "a margin of 0.02 is out of reach",
        "80 %",
    ):
        assert part in large.describe()
    wider = dataclasses.replace(large, margin=0.2)
    assert "a margin of 0.2 is within reach" in wider.describe()


def test_a_score_of_which_nothing_is_assumed_is_planned_as_the_auroc() -> None:
    names = [str(place) for place in range(100)]
    found = power.analyze_power(
        names, names, [place % 2 for place in range(100)], metric="kappa", margin=0.02, seeds=5, comparisons=1
    )
    assert found.metric == "auroc"


def test_what_measured_variances_can_show_follows_the_quantiles() -> None:
    """After a study: the t quantile of its seeds, at the level that is tested, and the normal one of the power."""
    found = Estimate(0.3, 0.0004, 0.0, 5)
    error, half = 0.02, t.isf(0.025 / 3, 4) * 0.02
    assert power.detectable_difference(found, 3) == pytest.approx(half + 0.841621 * error, rel=1e-5)
    assert power.detectable_difference(found, 3, level=0.01) == pytest.approx(
        t.isf(0.005 / 3, 4) * error + 0.841621 * error, rel=1e-5
    )
    assert power.showable_margin(found, 3) == pytest.approx(t.isf(0.05 / 3, 4) * error + 1.281552 * error, rel=1e-5)


def test_a_difference_of_0_is_shown_within_that_margin_with_the_stated_power() -> None:
    """With known variances: the share of differences around 0 whose equivalence is shown."""
    found = Estimate(0.0, 0.0, 0.0001, 5)
    margin = power.showable_margin(found, 1)
    drawn = np.random.default_rng(0).normal(0, 0.01, 2000)
    shown = [dataclasses.replace(found, value=float(each)).p_equivalent(margin) <= 0.05 for each in drawn]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.03)
