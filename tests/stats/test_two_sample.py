import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score

from xrayaug.stats import two_sample
from xrayaug.stats.array_types import FeatureArray


def features(count: int, *, mean: float = 0.0, seed: int = 0, dims: int = 30) -> FeatureArray:
    return np.random.default_rng(seed).normal(mean, 1, (count, dims)).astype(np.float32)


def patients(count: int, images: int = 1) -> list[str]:
    return [f"p{place // images}" for place in range(count)]


def test_equally_distributed_images_are_not_separable() -> None:
    missed = 0
    for seed in range(20):
        found = two_sample.c2st(features(60, seed=seed), features(60, seed=100 + seed), patients(60), seed)
        assert found is not None
        assert found.has_shortcut is not True
        missed += not found.low <= 0.5 <= found.high
    assert missed <= 5


def test_differently_distributed_images_are_separable() -> None:
    found = two_sample.c2st(features(80), features(80, mean=0.8, seed=1), patients(80), 0)
    assert found is not None
    assert found.auroc > 0.95
    assert found.has_shortcut
    assert (found.real, found.synthetic) == (80, 80)


def test_it_agrees_with_ridge_regression() -> None:
    train_features, test_features = features(100, seed=2).astype(float), features(40, seed=3).astype(float)
    labels = np.arange(100) % 2
    train_features[labels == 1] += 0.3
    mean, spread = train_features.mean(axis=0), train_features.std(axis=0)
    reference = RidgeClassifier(alpha=two_sample.RIDGE * train_features.shape[1]).fit(
        (train_features - mean) / spread, labels
    )
    expected = reference.decision_function((test_features - mean) / spread)
    found = two_sample._fit_and_predict(train_features, labels, test_features)
    assert np.corrcoef(found, expected)[0, 1] == pytest.approx(1)


def test_images_of_one_patient_are_in_one_fold() -> None:
    """Each real patient has a look of its own, in all images; real and synthetic are alike otherwise."""
    looks = np.repeat(features(20, seed=4) * 3, 4, axis=0)
    real = looks + features(80, seed=5) * 0.01
    synthetic = features(80, seed=6) * 3
    found = two_sample.c2st(real, synthetic, patients(80, images=4), 0)
    leaking = two_sample.c2st(real, synthetic, patients(80), 0)
    assert found is not None and leaking is not None
    assert found.auroc < leaking.auroc - 0.1
    assert found.low < 0.6


def test_folds_keep_groups_together_and_are_balanced() -> None:
    groups = np.repeat(np.arange(33), 3)
    labels = (groups >= 20).astype(np.int64)
    fold = two_sample._assign_folds(groups, labels, 1)
    assert all(len(set(fold[groups == each])) == 1 for each in range(33))
    for label in (0, 1):
        sizes = np.bincount(fold[labels == label], minlength=two_sample.FOLDS)
        assert sizes.max() - sizes.min() <= 3


def test_the_area_is_the_mean_over_folds() -> None:
    random = np.random.default_rng(7)
    labels, scores, fold = np.arange(100) % 2, random.normal(size=100), random.permutation(np.arange(100) // 20)
    expected = np.mean([roc_auc_score(labels[fold == each], scores[fold == each]) for each in range(5)])
    assert two_sample._mean_auroc(labels, scores, fold, np.ones((1, 100)))[0] == pytest.approx(expected)


def test_constant_features_are_not_separable() -> None:
    same = np.ones((30, 5), np.float32)
    found = two_sample.c2st(same, same, patients(30), 0)
    assert found is not None
    assert found.auroc == 0.5


def test_too_few_images_give_no_result() -> None:
    assert two_sample.c2st(features(30), features(19), patients(30), 0) is None
    assert two_sample.c2st(features(30), features(30), patients(30, images=10), 0) is None
