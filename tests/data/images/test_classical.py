"""A classically augmented picture is the picture, moved as the classifier moves it, and decided by its seed alone."""

import math

import numpy as np
import pytest
import torch

from xrayaug.data.images import classical
from xrayaug.data.images.arrays import Pixels
from xrayaug.networks import classifier
from xrayaug.options import TrainClassifier


def picture(size: int = 64) -> Pixels:
    """Return a smooth image that is symmetric in no axis."""
    across, down = np.meshgrid(np.linspace(0, 3, size), np.linspace(0, 2, size))
    return (120 + 60 * np.sin(across) * np.cos(down) + 20 * across).astype(np.uint8)


def test_the_seed_alone_decides() -> None:
    one, again, other = (classical.augment(picture(), seed) for seed in ((0, 5, 1), (0, 5, 1), (0, 5, 2)))
    assert one.shape == (64, 64)
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_about_half_are_mirrored_and_none_is_left_as_it_is() -> None:
    changed = [classical.augment(picture(), (0, number, 1)) for number in range(200)]
    assert not any(np.array_equal(each, picture()) for each in changed)
    mirrored = sum(int(each[:, :32].astype(int).sum() > each[:, 32:].astype(int).sum()) for each in changed)
    assert 70 < mirrored < 130


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [-10.0, 0.0, 7.0])
def test_it_is_mirrored_and_rotated_as_in_training(mirror: bool, degrees: float) -> None:
    draws = torch.tensor([[0.0 if mirror else 0.9, 0.5 + degrees / 20]], dtype=torch.float64)
    theta = classifier.random_affine(draws, flip=True, rotation=10.0)
    expected = classifier.apply_affine(torch.from_numpy(picture())[None, None].float(), theta)[0, 0].numpy()
    found = classical._transform(picture(), mirror=mirror, angle=math.radians(degrees), scale=1, shift=(0, 0))
    np.testing.assert_allclose(found[8:-8, 8:-8], expected[8:-8, 8:-8], atol=1.5)


def test_it_is_shifted_and_scaled_about_its_middle() -> None:
    point = np.zeros((65, 65), np.uint8)
    point[32, 32] = 255
    shifted = classical._transform(point, mirror=False, angle=0, scale=1, shift=(0.2, -0.2))  # 13 pixels
    assert np.argwhere(shifted).tolist() == [[32 - 13, 32 + 13]]
    square = np.zeros((64, 64), np.uint8)
    square[16:48, 16:48] = 255
    larger = classical._transform(square, mirror=False, angle=0, scale=1.25, shift=(0, 0))
    assert larger.sum() / 255 == pytest.approx((32 * 1.25) ** 2, rel=0.03)
    assert larger[0, 0] == 0


def test_it_turns_as_far_as_the_classifier_by_default() -> None:
    assert TrainClassifier.rotation == classical.ROTATION
    assert TrainClassifier.flip
