"""The averaged generator has the half-life that it is said to have, of weights and of batch norm's statistics."""

import pytest
import torch
from torch import Tensor, nn

from xrayaug.training import ema
from xrayaug.training.ema import Ema


class Network(nn.Module):
    """A weight, batch norm, and a buffer that is no mean."""

    stage: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.norm = nn.BatchNorm2d(2)
        self.register_buffer("stage", torch.tensor(0.0))


def of(average: Ema) -> Network:
    assert isinstance(average.network, Network)
    return average.network


@pytest.mark.parametrize("batches", [[100] * 100, [64] * 156 + [16], [10_000]])
def test_half_of_the_average_is_new_after_the_half_life(batches: list[int]) -> None:
    network = Network()
    average = Ema(network)
    nn.init.ones_(network.weight)
    network.norm.running_mean = torch.full((2,), 8.0)
    seen = 1_000_000  # long after the ramp
    for images in batches:
        seen += images
        average.update(torch.tensor(ema.update_rate(10_000, seen, images)))
    torch.testing.assert_close(of(average).weight, torch.full((3,), 0.5), rtol=1e-4, atol=0)
    torch.testing.assert_close(of(average).norm.running_mean, torch.full((2,), 4.0), rtol=1e-4, atol=0)


def test_the_half_life_is_shorter_at_the_beginning() -> None:
    assert ema.update_rate(10_000, seen=100, images=100) > 0.999
    assert ema.update_rate(10_000, seen=2_000, images=100) == pytest.approx(0.5)  # a half-life of 100
    assert ema.update_rate(10_000, seen=200_000, images=100) == ema.update_rate(10_000, seen=10**9, images=100)


def test_other_buffers_are_copied() -> None:
    network = Network()
    average = Ema(network)
    network.stage.fill_(0.7)
    assert network.norm.num_batches_tracked is not None
    network.norm.num_batches_tracked += 5
    average.update(torch.tensor(0.01))
    assert of(average).stage == network.stage
    assert of(average).norm.num_batches_tracked == 5


def test_the_averaged_network_is_not_changed() -> None:
    network = Network()
    average = Ema(network)
    average.update(torch.tensor(1.0))
    nn.init.ones_(of(average).weight)
    assert not network.weight.any()
    assert network.weight.requires_grad
    assert not of(average).weight.requires_grad
