"""Devices that are really here; pixels to tensors and back without loss; random streams of their own."""

import numpy as np
import pytest
import torch
from torchvision.transforms import functional as tv

from xrayaug import device
from xrayaug.errors import UsageError

EVERY_GREY = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)


def test_auto_is_the_first_device_there_is() -> None:
    assert str(device.resolve("auto")) == device.available()[0]
    assert device.available()[-1] == "cpu"


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_a_device_describes_itself(name: str) -> None:
    found = device.resolve(name)
    assert device.describe(found).startswith(str(found))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:three", "meta"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(UsageError, match="--device") as refusal:
        device.resolve(name)
    assert refusal.value.hint == f"here: {', '.join(device.available())}"


def test_to_unit_is_to_tensor_and_normalize_bit_for_bit() -> None:
    expected = tv.normalize(tv.to_tensor(EVERY_GREY[0].numpy()), [0.5], [0.5])
    assert torch.equal(device.to_unit(EVERY_GREY)[0], expected)


def test_from_unit_undoes_to_unit() -> None:
    np.testing.assert_array_equal(device.from_unit(device.to_unit(EVERY_GREY)), EVERY_GREY.numpy())


def test_from_unit_rounds_to_nearest_and_keeps_to_the_range() -> None:
    images = torch.tensor([-1.5, -1.0, 0.4 / 127.5 - 1, 0.6 / 127.5 - 1, 1.0, 1.5]).reshape(1, 1, 2, 3)
    assert device.from_unit(images).ravel().tolist() == [0, 0, 0, 1, 255, 255]


def test_a_stream_depends_on_every_seed_and_their_order() -> None:
    seeds = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 1, 0), (2**40, 1)]
    drawn = {tuple(torch.randn(4, generator=device.generator(*each)).tolist()) for each in seeds}
    assert len(drawn) == len(seeds)


def test_a_stream_depends_on_nothing_else() -> None:
    first = torch.randn(4, generator=device.generator(3, 1))
    torch.rand(7)
    assert torch.equal(first, torch.randn(4, generator=device.generator(3, 1)))
