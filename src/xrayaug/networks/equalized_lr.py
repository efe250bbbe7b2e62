"""Layers with equalised learning rate, for Karras et al.'s progressive and style-based GANs.

Karras et al. 2018, arXiv:1710.10196, section 4.1: weights start from the unit normal distribution and are scaled when
they are used, by He's constant, so that Adam updates all layers at an equal rate.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.runtime.distributed import sharing

NEGATIVE_SLOPE = 0.2  # of leaky ReLU
GAIN = math.sqrt(2)  # keeps the variance through a leaky ReLU; scaling before or after it is the same
GROUP_SIZE = 4  # images per group of `minibatch_stddev`
EPSILON = 1e-8
BASE_SIZE = 4  # pixels that generators start from and discriminators end at
CHANNEL_BUDGET = 16384  # channels times side length in pixels, for sizes with fewer than `MAX_CHANNELS`
MAX_CHANNELS = 512


def list_resolutions(size: int) -> list[int]:
    """Return the resolutions 4, 8, ... up to the image's size, in pixels."""
    return [BASE_SIZE * 2**doublings for doublings in range((size // BASE_SIZE).bit_length())]


def count_channels(pixels: int, width: float) -> int:
    """Return the number of channels at a resolution: `CHANNEL_BUDGET` over it, and at most `MAX_CHANNELS`."""
    return max(1, round(width * min(CHANNEL_BUDGET / pixels, MAX_CHANNELS)))


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Return a context without autocast on the device of `like`; inputs must be float32."""
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


class Linear(nn.Module):
    """Linear layer `[N, inputs]` -> float32 `[N, outputs]`, always in full precision, as these layers are small.

    Args:
        inputs: number of input features.
        outputs: number of output features.
        gain: factor of the output's standard deviation; `GAIN` if a leaky ReLU follows.
        bias: initial bias of each output; None for no bias.
        rate: factor of the learning rate; the initial outputs do not depend on it.
    """

    def __init__(
        self, inputs: int, outputs: int, *, gain: float = 1.0, bias: float | None = 0.0, rate: float = 1.0
    ) -> None:
        super().__init__()
        self.scale = gain * rate / math.sqrt(inputs)
        self.rate = rate
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = None if bias is None else nn.Parameter(torch.full((outputs,), bias / rate))

    def forward(self, x: Tensor) -> Tensor:
        """Return `[N, outputs]`, float32."""
        with full_precision(x):
            return F.linear(x.float(), self.weight * self.scale, None if self.bias is None else self.bias * self.rate)


class Conv2d(nn.Module):
    """Convolution `[N, before, H, W]` -> `[N, after, H, W]`; with `stride` 2 unpadded, from H + 1 pixels to H / 2."""

    def __init__(
        self, before: int, after: int, kernel: int, *, gain: float = GAIN, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.scale = gain / math.sqrt(before * kernel**2)
        self.stride = stride
        self.padding = kernel // 2 if stride == 1 else 0
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of `x`."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def leaky_relu(x: Tensor) -> Tensor:
    """Apply a leaky ReLU with `NEGATIVE_SLOPE` in place."""
    return F.leaky_relu(x, NEGATIVE_SLOPE, inplace=True)


def pixel_norm(x: Tensor) -> Tensor:
    """Normalise each vector of C numbers of `[N, C, ...]` to unit mean square: section 4.2, pixelwise."""
    return x * (x.float().square().mean(dim=1, keepdim=True) + EPSILON).rsqrt().to(x.dtype)


def minibatch_stddev(x: Tensor) -> Tensor:
    """Append the "minibatch standard deviation" of section 3 as a channel: `[N, C, H, W]` -> `[N, C + 1, H, W]`.

    It shows the discriminator the variety of a batch: the deviation over a group of images, averaged over channels and
    pixels, is a constant channel for each of the group. A group has four images, or three or two if the batch is not
    divisible by more, or else it is the batch. Groups are of the global batch, also with several processes.
    """
    everyone = sharing.gather_batch(x.float())
    count = len(everyone)
    group = next((size for size in range(GROUP_SIZE, 1, -1) if count % size == 0), count)
    grouped = everyone.reshape(group, count // group, *x.shape[1:])  # [group, groups, C, H, W]
    deviation = (grouped.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))  # [groups]
    channel = sharing.local_part(deviation.repeat(group))[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], dim=1)
