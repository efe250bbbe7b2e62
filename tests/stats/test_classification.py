import numpy as np
import pytest
from sklearn import metrics

from xrayaug.stats import classification
from xrayaug.stats.classification import Summary


@pytest.mark.parametrize("seed", range(20))
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.permutation([0, 1, *random.integers(0, 2, 78)])
    probabilities = random.integers(0, 11, 80) / 10  # many ties, some of them at the threshold
    called = probabilities > 0.5
    found = classification.score(labels, probabilities)
    tn, fp, fn, tp = metrics.confusion_matrix(labels, called).ravel()
    assert (found.tn, found.fp, found.fn, found.tp) == (tn, fp, fn, tp)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, called), abs=1e-12)
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(labels, called), abs=1e-12)
    assert found.auroc == pytest.approx(metrics.roc_auc_score(labels, probabilities), abs=1e-12)
    assert found.sensitivity == pytest.approx(metrics.recall_score(labels, called), abs=1e-12)
    assert found.specificity == pytest.approx(metrics.recall_score(labels, called, pos_label=0), abs=1e-12)
    assert found.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, called), abs=1e-12)
    assert found.average_precision == pytest.approx(metrics.average_precision_score(labels, probabilities), abs=1e-12)
    assert found.f1 == pytest.approx(metrics.f1_score(labels, called), abs=1e-12)
    assert found.brier == pytest.approx(metrics.brier_score_loss(labels, probabilities), abs=1e-12)


def test_the_threshold_changes_only_scores_of_predicted_classes() -> None:
    labels, probabilities = [0, 0, 1, 1], [0.1, 0.3, 0.4, 0.8]
    at_half, lower = classification.score(labels, probabilities), classification.score(labels, probabilities, 0.35)
    assert (at_half.accuracy, lower.accuracy) == (0.75, 1.0)
    assert (at_half.auroc, at_half.brier) == (lower.auroc, lower.brier)


def test_calibration_error_by_hand() -> None:
    # bin 0: 0.05 and 0.09 on one abnormal of two, gap |0.14 - 1|; bin 9: 0.9 and 1.0 on two abnormal, gap |1.9 - 2|
    assert classification.calibration_error([0, 1, 1, 1], [0.05, 0.09, 0.9, 1.0]) == pytest.approx((0.86 + 0.1) / 4)


@pytest.mark.parametrize("seed", range(10))
def test_the_best_threshold_is_youdens(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = random.permutation([0, 1, *random.integers(0, 2, 38)])
    probabilities = random.integers(0, 21, 40) / 20
    false, true, _ = metrics.roc_curve(labels, probabilities, drop_intermediate=False)
    found = classification.score(labels, probabilities, classification.find_threshold(labels, probabilities))
    assert found.balanced_accuracy == pytest.approx((1 + (true - false).max()) / 2)


def test_tied_thresholds_are_broken_towards_one_half() -> None:
    assert classification.find_threshold([0, 1], [0.2, 0.4]) == pytest.approx(0.3)
    assert classification.find_threshold([0, 1, 0, 1], [0.1, 0.2, 0.6, 0.9]) == pytest.approx(0.75)
    assert classification.find_threshold([0, 0], [0.7, 0.8]) == 0.5  # one class: no better than another


def test_a_threshold_lies_between_neighbouring_numbers() -> None:
    sure, surer = np.nextafter(1.0, 0.0), 1.0  # whose mean is rounded to the upper one
    assert (
        classification.score([0, 1], [sure, surer], classification.find_threshold([0, 1], [sure, surer])).accuracy == 1
    )


def test_temperature_undoes_overconfidence() -> None:
    random = np.random.default_rng(0)
    true_logits = random.normal(0, 2, 20000)
    labels = random.random(20000) < 1 / (1 + np.exp(-true_logits))
    overconfident = 1 / (1 + np.exp(-3 * true_logits))
    found = classification.fit_temperature(labels, overconfident)
    assert found == pytest.approx(3, rel=0.05)
    mended = classification.apply_temperature(overconfident, found)
    assert (classification.calibration_error(labels, mended) or 1) < 0.02
    assert ((mended > 0.5) == (overconfident > 0.5)).all()


def test_temperature_of_probabilities_0_and_1_is_finite() -> None:
    assert 0 < classification.fit_temperature([0, 1], [0.0, 1.0]) < 1
    assert classification.fit_temperature([], []) == 1
    assert np.isfinite(classification.apply_temperature(np.array([0.0, 1.0]), 2.0)).all()


def test_exactly_one_half_is_not_abnormal() -> None:
    found = classification.score([1, 0], [0.5, np.nextafter(0.5, 1)])
    assert (found.tp, found.fp, found.tn, found.fn) == (0, 1, 0, 1)


def test_one_class_leaves_scores_undefined() -> None:
    normal = classification.score([0, 0, 0], [0.1, 0.2, 0.9])
    assert (normal.auroc, normal.sensitivity) == (None, None)
    assert normal.specificity == pytest.approx(2 / 3)
    assert normal.kappa == 0  # no better than chance, which the calls leave defined
    assert classification.score([0, 0], [0.1, 0.2]).kappa is None
    assert classification.score([1, 1], [0.9, 0.8]).specificity is None


def test_no_cases_at_all() -> None:
    nothing = classification.score([], [])
    assert nothing.cases == 0
    assert (nothing.accuracy, nothing.kappa, nothing.auroc) == (None, None, None)


def test_perfect_and_reversed_order() -> None:
    assert classification.auroc([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]) == 1
    assert classification.auroc([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4]) == 0
    assert classification.auroc([1, 0, 1, 0], [0.3, 0.3, 0.3, 0.3]) == 0.5


def test_cohens_kappa_by_hand() -> None:
    # 20 both say yes, 5 and 10 differ, 15 both say no: p_o 0.7, p_e 0.5, kappa 0.4
    assert classification.kappa(tp=20, fp=5, tn=15, fn=10) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("labels", "probabilities", "complaint"),
    [
        ([0, 1], [0.5], r"\(2,\).*\(1,\)"),
        ([0, 2], [0.5, 0.5], "0 or 1"),
        ([0, 1], [0.5, float("nan")], r"\[0, 1\]"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
    ],
)
def test_invalid_inputs_are_refused(labels: list[int], probabilities: list[float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        classification.score(labels, probabilities)


def test_a_study_is_the_mean_of_its_images() -> None:
    names, labels, probabilities = classification.average_by_study(
        ["b", "a", "b", "c"], [1, 0, 1, 0], [0.9, 0.2, 0.3, 0.4]
    )
    assert names == ["b", "a", "c"]
    assert labels.tolist() == [1, 0, 0]
    assert probabilities == pytest.approx([0.6, 0.2, 0.4])


def test_a_study_is_abnormal_if_any_of_its_images_is() -> None:
    names, labels, _ = classification.average_by_study(["p1/s1", "p1/s1", "p2/s1"], [0, 1, 0], [0.5, 0.5, 0.5])
    assert dict(zip(names, labels.tolist(), strict=True)) == {"p1/s1": 1, "p2/s1": 0}


def test_summary_over_runs() -> None:
    summary = classification.summarize([0.8, 0.9])
    assert [summary.mean, summary.sd, summary.n] == pytest.approx([0.85, 0.0707106781, 2])
    assert classification.summarize([0.8]) == Summary(0.8, None, 1)
    assert classification.summarize([None, 0.8]) == Summary(0.8, None, 1)
    assert classification.summarize([None]) == Summary(None, None, 0)


def test_the_roc_curve_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(3)
    labels, given = random.integers(0, 2, 60), random.random(60).round(1)
    found = classification.roc_curve(labels, given)
    assert found is not None
    false, true, _ = metrics.roc_curve(labels, given, drop_intermediate=False)
    assert np.allclose(found, (false, true))
    assert metrics.auc(*found) == pytest.approx(classification.auroc(labels, given))
    assert classification.roc_curve([1, 1], [0.2, 0.3]) is None


def test_reliability_is_what_the_calibration_error_sums() -> None:
    random = np.random.default_rng(4)
    labels, given = random.integers(0, 2, 200), random.random(200)
    mean, share = classification.reliability_curve(labels, given)
    cases = np.bincount(classification.bin_indices(given), minlength=classification.N_BINS)
    assert np.sum(cases * np.abs(share - mean)) / 200 == pytest.approx(classification.calibration_error(labels, given))
    assert classification.reliability_curve([1, 1], [0.31, 0.33])[1].tolist() == [1.0]
