"""What tells that a GAN has collapsed, from the log of its epochs.

Of the discriminator: its loss stays near zero, so that the generator learns nothing more from it (Arjovsky and Bottou
2017, arXiv:1701.04862). Of the generator: whatever the noise, the images are nearly the same (Goodfellow 2016,
arXiv:1701.00160, section 5.1).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

LOOKED_AT = 16  # images of the fixed noise
NEAR_ZERO_LOSS = 1e-3
NEAR_ZERO_SPREAD = 0.05  # of the real images' spread
LONG_EPOCHS = 3  # so many epochs in a row
LONG_IMAGES = 10_000  # and so many images in them
UNBOUNDED = "wgan"  # the loss that falls as far as it may: near zero it says nothing

Line = dict[str, Any]


def spread(images: Tensor) -> float:
    """Mean distance between any two of the images `[N, 1, H, W]`, root mean square over their pixels; 0 for one."""
    if len(images) < 2:
        return 0.0
    flat = images.flatten(1).float().cpu()  # there is no pdist on Apple's GPUs
    return torch.nn.functional.pdist(flat).mean().item() / math.sqrt(flat.shape[1])


def is_suspect(lines: Sequence[Line], loss: str) -> bool:
    """Whether the last epoch, trained with that loss, looked like a collapse."""
    return bool(lines) and bool(_suspicions(lines[-1], loss))


def alarm(lines: Sequence[Line], epoch_images: int, loss: str) -> str:
    """What has collapsed, once it has looked so for long; empty where nothing has."""
    long = max(LONG_EPOCHS, -(-LONG_IMAGES // epoch_images))
    if len(lines) < long:
        return ""
    lasting = set.intersection(*(_suspicions(line, loss) for line in lines[-long:]))
    return " and ".join(f"{suspicion} for {long} epochs" for suspicion in sorted(lasting))


def _suspicions(line: Line, loss: str) -> set[str]:
    found = set()
    if line["d_loss"] < NEAR_ZERO_LOSS and loss != UNBOUNDED:
        found.add(f"the discriminator's loss has been below {NEAR_ZERO_LOSS:g}")
    if line["spread"] < NEAR_ZERO_SPREAD:
        found.add(f"the generated images have differed by less than {NEAR_ZERO_SPREAD:.0%} of what real ones do")
    return found
