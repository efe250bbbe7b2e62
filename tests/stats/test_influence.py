"""Influences against finite differences, the bootstrap, DeLong's variance and the delete-one jackknife."""

import numpy as np
import pytest
from scipy.special import expit

from xrayaug.stats import bootstrap, influence, paired_tests
from xrayaug.stats.classification import METRICS, Labels, Probabilities
from xrayaug.stats.influence import PatientCounts


def draw(cases: int, seed: int = 0) -> tuple[Labels, Probabilities]:
    """Draw labels, and probabilities of two digits, so that some are equal."""
    random = np.random.default_rng(seed)
    labels = (random.random(cases) < 0.4).astype(np.int64)
    return labels, np.round(expit(random.normal(1.2 * labels - 0.6, 1)), 2)


@pytest.mark.parametrize("metric", METRICS)
def test_an_influence_is_the_derivative_by_the_weight_of_a_case(metric: str) -> None:
    labels, probabilities = draw(60)
    step = 1e-5 * np.eye(60)
    more, less = (bootstrap.resampled_scores(labels, probabilities, 0.5, 1 + sign * step)[metric] for sign in (1, -1))
    found = influence.influences(labels, probabilities, 0.5, [metric])[metric]
    assert found == pytest.approx((more - less) / 2e-5, abs=1e-9)
    assert found.sum() == pytest.approx(0, abs=1e-12)  # twice all cases have the same score


@pytest.mark.parametrize("metric", [each for each in METRICS if each != "calibration_error"])
def test_the_variance_is_that_of_a_bootstrap_of_patients(metric: str) -> None:
    labels, probabilities = draw(600)
    patients = np.arange(600) // 3
    counts = bootstrap.draw_resamples(patients, 4000, seed=1)
    expected = np.std(bootstrap.resampled_scores(labels, probabilities, 0.5, counts, [metric])[metric])
    of_cases = influence.influences(labels, probabilities, 0.5, [metric])[metric]
    by_patient = influence.sum_by_patient(of_cases, patients)
    assert len(by_patient) == 200
    assert np.sqrt(np.sum(by_patient**2)) == pytest.approx(expected, rel=0.04)


def test_the_variance_of_the_area_is_that_of_delong() -> None:
    """DeLong's variance divides by n - 1 in either class, the influences by n."""
    labels, first = draw(200)
    second = draw(200, seed=1)[1]
    difference, error, _ = paired_tests.delong(labels, first, second) or (0.0, 0.0, 0.0)
    one, other = (influence.influences(labels, each, 0.5, ["auroc"])["auroc"] for each in (first, second))
    sizes = np.bincount(labels)[labels]
    assert np.sqrt(np.sum((one - other) ** 2 * sizes / (sizes - 1))) == pytest.approx(error)
    assert difference != 0


@pytest.mark.parametrize("metric", ["kappa", "f1", "average_precision"])
def test_scores_that_are_not_means_agree_with_the_delete_one_jackknife(metric: str) -> None:
    labels, probabilities = draw(400)
    without = bootstrap.resampled_scores(labels, probabilities, 0.5, 1.0 - np.eye(400), [metric])[metric]
    expected = np.sqrt(399 / 400 * np.sum((without - without.mean()) ** 2))
    found = influence.influences(labels, probabilities, 0.5, [metric])[metric]
    assert np.sqrt(np.sum(found**2)) == pytest.approx(expected, rel=0.02)


def test_an_undefined_score_has_no_influence() -> None:
    normal = np.zeros(5, np.int64)
    found = influence.influences(normal, np.linspace(0, 1, 5), 0.5)
    assert {metric for metric, each in found.items() if np.isnan(each).all()} >= {"auroc", "sensitivity"}
    assert np.isfinite(found["specificity"]).all()


def test_many_patients_are_dealt_into_groups() -> None:
    random = np.random.default_rng(0)
    of_cases = random.normal(size=12000)
    patients = np.arange(12000) // 2
    found = influence.sum_by_patient(of_cases, patients)
    assert len(found) == influence.MAX_GROUPS
    assert found[1] == pytest.approx(sum(of_cases[patients % influence.MAX_GROUPS == 1]))
    expected = np.bincount(patients, of_cases)
    assert np.sum(found**2) == pytest.approx(np.sum(expected**2), rel=0.1)


def test_patients_are_counted_by_class_and_less_if_few_have_most_cases() -> None:
    labels, patients = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 0, 1, 2, 3])
    counts, effective = influence.count_patients(labels, patients), influence.effective_patients(labels, patients)
    assert counts == PatientCounts(total=4, normal=2, abnormal=3)
    assert effective == PatientCounts(total=36 / 12, normal=9 / 5, abnormal=3)
    assert [counts.of_metric(each) for each in ("accuracy", "auroc", "sensitivity", "specificity")] == [4, 2, 3, 2]
    assert influence.count_patients(labels[:0], patients[:0]).of_metric("auroc") == 0
    assert influence.count_patients(labels[:2], patients[:2]).of_metric("auroc") == 1  # an absent class is not few
    assert influence.effective_patients(np.arange(80) % 2, np.arange(80) // 2) == PatientCounts(40, 40, 40)
    assert influence.effective_patients(labels[:0], patients[:0]) == PatientCounts(0, 0, 0)
