"""Exponential moving average of a generator's weights, which generates better images than the weights of any one step.

Karras et al. 2018 (arXiv:1710.10196, section 4); the half-life is given in images as in Karras et al. 2020
(arXiv:2006.06676). As there, it is at most a twentieth of the images seen so far: otherwise a short run would keep much
of the initial weights, which generate noise.
"""

import copy

import torch
from torch import Tensor, nn

AVERAGED_BUFFERS = ("running_mean", "running_var")  # of batch norm; other buffers are copied
RAMP = 0.05  # largest half-life, as a fraction of the images seen so far


def update_rate(half_life: int, seen: int, images: int) -> float:
    """Return the weight of the new weights in the average after a step.

    Args:
        half_life: of the average, in images.
        seen: images so far, with those of this step.
        images: of this step.
    """
    return float(1 - 0.5 ** (images / min(half_life, RAMP * seen)))


class Ema:
    """A copy of a network whose weights are a moving average of the network's."""

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._source = network

    @torch.no_grad()
    def update(self, rate: Tensor) -> None:
        """Move the average towards the network's current weights, in place.

        Args:
            rate: weight of the current weights, a scalar in [0, 1] on the device, so that it can change between
                replays of a recorded step.
        """
        current = self._source.state_dict()
        parameters = {name for name, _ in self._source.named_parameters()}
        for name, mean in self.network.state_dict().items():
            if name in parameters or name.rpartition(".")[2] in AVERAGED_BUFFERS:
                mean.add_((current[name] - mean) * rate)
            else:
                mean.copy_(current[name])
