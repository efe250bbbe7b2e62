"""The generator averaged over its training, which draws better images than any one state of it.

Exponential moving average: Karras et al. 2018 (arXiv:1710.10196, section 4), its half-life in images as in Karras et
al. 2020 (arXiv:2006.06676). Early on it is a twentieth of what has been seen, as there: a short run would else keep
much of the initial weights, which draw noise.
"""

import copy

import torch
from torch import Tensor, nn

AVERAGED_BUFFERS = ("running_mean", "running_var")  # of batch norm; what else networks keep is no mean
RAMP = 0.05  # of the images seen, the half-life is at most


def share(half_life: int, seen: int, images: int) -> float:
    """Of the average, how much is new after a step on so many images, `seen` with these."""
    return float(1 - 0.5 ** (images / min(half_life, RAMP * seen)))


class Average:
    """A copy of a network whose weights follow the network's, slowly."""

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._source = network

    @torch.no_grad()
    def follow(self, share: Tensor) -> None:
        """Take over so much of what the network is now, in place.

        Args:
            share: a scalar in [0, 1], on the device, so that it may change within a recorded step.
        """
        now = self._source.state_dict()
        of_weights = {name for name, _ in self._source.named_parameters()}
        for name, mean in self.network.state_dict().items():
            if name in of_weights or name.rpartition(".")[2] in AVERAGED_BUFFERS:
                mean.add_((now[name] - mean) * share)
            else:
                mean.copy_(now[name])
