"""Conversion between pixels and the tensors of networks."""

import torch
from torch import Tensor

from xrayaug.data.images.arrays import Pixels


def to_unit(pixels: Tensor) -> Tensor:
    """Convert uint8 `[N, H, W]` to float `[N, 1, H, W]` in [-1, 1]."""
    return pixels[:, None].div(127.5).sub_(1)


def from_unit(images: Tensor) -> Pixels:
    """Convert float `[N, 1, H, W]` in [-1, 1] to uint8 `[N, H, W]`, rounded to nearest."""
    pixels: Pixels = images[:, 0].add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels
