"""Features are compared on the scale of the reference set, and cached as they are."""

import numpy as np
import pytest
import torch

from xrayaug.errors import DataError
from xrayaug.metrics import features, frechet
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.stats.array_types import FeatureArray


def draw(seed: int, n: int = 40, dims: int = 5) -> FeatureArray:
    random = np.random.default_rng(seed)
    return (random.normal(seed, 1, (n, dims)) @ random.normal(0, 1, (dims, dims))).astype(np.float32)


def distance(a: FeatureArray, b: FeatureArray) -> float:
    scaler = FeatureScaler.fit("radiomics", b)
    return frechet.distance(*(scaler.transform_statistics(frechet.compute_statistics(side)) for side in (a, b)))


def test_statistics_are_scaled_as_features_are() -> None:
    a, b = draw(0), draw(1)
    scaler = FeatureScaler.fit("radiomics", b)
    scaled = frechet.compute_statistics(scaler.transform(a))
    found = scaler.transform_statistics(frechet.compute_statistics(a))
    np.testing.assert_allclose(found.mean, scaled.mean, atol=1e-5)
    np.testing.assert_allclose(found.covariance, scaled.covariance, atol=1e-5)
    of_reference = frechet.compute_statistics(scaler.transform(b))
    np.testing.assert_allclose(of_reference.mean, 0, atol=1e-5)
    np.testing.assert_allclose(np.diagonal(of_reference.covariance), 1, rtol=1e-5)


def test_units_do_not_count() -> None:
    a, b, units = draw(0), draw(1), np.array([1e6, 1, 1e-4, 30, 5], np.float32)
    assert distance(a, b) == pytest.approx(distance(a * units, b * units), rel=1e-4)
    assert distance(a, b) != pytest.approx(distance(b, a), rel=1e-2)  # the second side gives the scale


def test_a_feature_that_is_constant_in_the_reference_does_not_count() -> None:
    a, b = draw(0), draw(1)
    expected = distance(a[:, :4], b[:, :4])
    for value in (0.0, 123456.7):
        b[:, 4] = value
        assert distance(a, b) == pytest.approx(expected, rel=1e-4)


def test_a_reference_without_any_difference_is_refused() -> None:
    with pytest.raises(DataError, match="all radiomics features are equal in all images"):
        distance(draw(0), np.full((4, 5), 3, np.float32))


def test_features_of_networks_are_left_as_they_are() -> None:
    a = draw(0)
    for kind in ("inception", "imagenet", "random", "dinov2", "rad-dino", "classifier", "custom weights"):
        scaler = FeatureScaler.fit(kind, a)
        assert scaler.transform(a) is a
        statistics = frechet.compute_statistics(a)
        assert scaler.transform_statistics(statistics) is statistics


def test_other_features_are_refused() -> None:
    scaler = FeatureScaler.fit("radiomics", draw(0))
    with pytest.raises(DataError, match="5 features, the other 4"):
        scaler.transform_statistics(frechet.compute_statistics(draw(1, dims=4)))


def test_the_extractor_takes_pictures_of_any_size_and_mode() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, shape, np.uint8) for shape in ((128, 128), (60, 90), (200, 40, 3))]
    found = features.load_extractor("radiomics", torch.device("cpu"))
    made = found.features(pictures)
    assert (made.shape, str(made.dtype), found.dims) == ((3, 380), "float32", 380)
    assert found.learnt_from is None
    np.testing.assert_array_equal(found.begin(pictures[1:])(), made[1:])
    assert set(found.origin) == set(frechet.ORIGIN_KEYS)
    assert found.origin["features"] == "radiomics"
