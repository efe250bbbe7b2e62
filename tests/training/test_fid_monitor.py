"""The monitor measures the distance of equally many real and generated images, and can be stopped in between."""

import numpy as np
import pytest
import torch

from xrayaug.data.images.arrays import Pixels
from xrayaug.metrics import features, frechet
from xrayaug.training import fid_monitor
from xrayaug.training.fid_monitor import FidMonitor

CPU = torch.device("cpu")


def noise(count: int, brightest: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, brightest, (count, 16, 16)).astype(np.uint8)


def test_the_distance_is_the_frechet_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fid_monitor, "BATCH_SIZE", 4)
    reals, fakes = noise(10, 200), noise(10, 100)
    asked: list[tuple[int, int]] = []
    visits: list[None] = []

    def draw(start: int, count: int) -> Pixels:
        asked.append((start, count))
        return fakes[start : start + count]

    monitor = FidMonitor("random", reals, CPU)
    found = monitor.distance(draw, lambda: visits.append(None))
    network = features.load_extractor("random", CPU, dims=64)
    expected = frechet.distance(*(frechet.compute_statistics(network.features(list(side))) for side in (fakes, reals)))
    assert found == pytest.approx(expected, rel=1e-4)
    assert asked == [(0, 4), (4, 4), (8, 2)]
    assert len(visits) == 6  # after each pass, of either side
    monitor.distance(draw, lambda: visits.append(None))
    assert len(visits) == 9  # the real images are measured once


def test_more_similar_images_have_a_smaller_distance() -> None:
    monitor = FidMonitor("random", noise(20, 200), CPU)
    near, far = (
        monitor.distance(lambda start, count, side=side: side[start : start + count], lambda: None)  # type: ignore[misc]
        for side in (noise(20, 190, seed=1), noise(20, 50, seed=1))
    )
    assert near < far / 10


def test_radiomics_are_compared_on_the_scale_of_the_real_images() -> None:
    reals, fakes = noise(20, 200), noise(20, 190, seed=1)
    found = FidMonitor("radiomics", reals, CPU).distance(
        lambda start, count: fakes[start : start + count], lambda: None
    )
    network = features.load_extractor("radiomics", CPU)
    a, b = (network.features(list(side)).astype(np.float64) for side in (fakes, reals))
    deviation = b.std(axis=0, ddof=1)
    varying = deviation > 1e-6 * np.abs(b.mean(axis=0))
    scaled = [(side[:, varying] - b[:, varying].mean(axis=0)) / deviation[varying] for side in (a, b)]
    assert found == pytest.approx(frechet.distance(*map(frechet.compute_statistics, scaled)), rel=1e-3)


def test_only_the_first_of_many_images_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fid_monitor, "MAX_IMAGES", 3)
    assert len(FidMonitor("random", noise(9, 200), CPU).reals) == 3
