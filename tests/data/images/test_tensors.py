"""Pixels become tensors and pixels again without loss."""

import numpy as np
import torch
from torchvision.transforms import functional as tv

from xrayaug.data.images import tensors

EVERY_GREY = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)


def test_to_unit_is_to_tensor_and_normalize_bit_for_bit() -> None:
    expected = tv.normalize(tv.to_tensor(EVERY_GREY[0].numpy()), [0.5], [0.5])
    assert torch.equal(tensors.to_unit(EVERY_GREY)[0], expected)


def test_from_unit_undoes_to_unit() -> None:
    np.testing.assert_array_equal(tensors.from_unit(tensors.to_unit(EVERY_GREY)), EVERY_GREY.numpy())


def test_from_unit_rounds_to_nearest_and_keeps_to_the_range() -> None:
    images = torch.tensor([-1.5, -1.0, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1, 1.0, 1.5]).reshape(1, 1, 2, 3)
    assert tensors.from_unit(images).ravel().tolist() == [0, 0, 0, 1, 255, 255]
