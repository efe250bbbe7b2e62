"""Layers of Karras et al.'s networks, the progressively grown and the style-based.

Karras et al. 2018, arXiv:1710.10196, section 4.1: weights start from the unit normal distribution and are scaled when
they are used, by He's constant, so that Adam moves those of every layer at an equal rate.
"""

import math
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.runtime.distributed import sharing

NEGATIVE_SLOPE = 0.2  # of leaky ReLU
GAIN = math.sqrt(2)  # which keeps the variance through a leaky ReLU; scaling before it is scaling after it
GROUP_SIZE = 4  # images whose deviation the discriminator sees
EPSILON = 1e-8


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """A context in which products are float32, whatever precision is around it; inputs have to be so too."""
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)


class Linear(nn.Module):
    """`[N, inputs]` -> float32 `[N, outputs]`, always in full precision: these layers are small, and statistics.

    Args:
        inputs: how many numbers are given.
        outputs: how many come out.
        gain: of the variance, as a factor of the standard deviation; `GAIN` where a leaky ReLU follows.
        bias: what each output starts from; None for none.
        rate: factor of the learning rate; what the layer computes at first does not depend on it.
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
        """One matrix product."""
        with full_precision(x):
            return F.linear(x.float(), self.weight * self.scale, None if self.bias is None else self.bias * self.rate)


class Conv2d(nn.Module):
    """`[N, before, H, W]` -> `[N, after, H, W]`, or half of each with `stride` 2 of one pixel more."""

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
        """One convolution."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU of that slope, in the place of what it is given."""
    return F.leaky_relu(x, NEGATIVE_SLOPE, inplace=True)


def pixel_norm(x: Tensor) -> Tensor:
    """`[N, C, ...]`, each vector of C numbers of unit mean square: section 4.2, "pixelwise feature normalisation"."""
    return x * (x.float().square().mean(dim=1, keepdim=True) + EPSILON).rsqrt().to(x.dtype)


def minibatch_stddev(x: Tensor) -> Tensor:
    """`[N, C, H, W]` -> `[N, C + 1, H, W]`: section 3, "minibatch standard deviation", by which variety is seen.

    The deviation over a group of images, averaged over channels and pixels, is one more channel for each of the group.
    A group is of four, of three or two where a batch does not divide by more, or else the batch; where the batch is
    shared among processes it is a group of the whole batch all the same.
    """
    everyone = sharing.gather_batch(x.float())
    count = len(everyone)
    group = next((size for size in range(GROUP_SIZE, 1, -1) if count % size == 0), count)
    grouped = everyone.reshape(group, count // group, *x.shape[1:])  # [group, groups, C, H, W]
    deviation = (grouped.var(dim=0, correction=0) + EPSILON).sqrt().mean(dim=(1, 2, 3))  # [groups]
    channel = sharing.local_part(deviation.repeat(group))[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], dim=1)
