"""Detection of a collapsed GAN from the log of its epochs.

The discriminator has collapsed if its loss stays near zero, so that the generator learns nothing more from it (Arjovsky
and Bottou 2017, arXiv:1701.04862); the generator if its images are nearly the same for every latent vector (Goodfellow
2016, arXiv:1701.00160, section 5.1).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SPREAD_IMAGES = 16  # images that the spread is computed from
NEAR_ZERO_LOSS = 1e-3
NEAR_ZERO_SPREAD = 0.05  # relative to the real images' spread
MIN_EPOCHS = 3  # consecutive epochs with the same sign before a collapse is reported
MIN_IMAGES = 10_000  # images that these epochs must have seen
UNBOUNDED_LOSS = "wgan"  # has no lower bound, so that a value near zero means nothing

LogEntry = dict[str, Any]


def spread(images: Tensor) -> float:
    """Return the mean pairwise distance (root mean square over pixels) of images `[N, 1, H, W]`; 0 for one image."""
    if len(images) < 2:
        return 0.0
    flat = images.flatten(1).float().cpu()  # pdist isn't implemented for Apple's GPUs
    return torch.nn.functional.pdist(flat).mean().item() / math.sqrt(flat.shape[1])


def is_suspect(lines: Sequence[LogEntry], loss: str) -> bool:
    """Return whether the last epoch, trained with that loss, shows a sign of collapse."""
    return bool(lines) and bool(_find_signs(lines[-1], loss))


def describe_collapse(lines: Sequence[LogEntry], epoch_images: int, loss: str) -> str:
    """Return which signs of collapse have lasted long enough; an empty string if none has.

    Args:
        lines: the log's entries so far.
        epoch_images: training images per epoch.
        loss: name of the GAN's loss.
    """
    epochs = max(MIN_EPOCHS, -(-MIN_IMAGES // epoch_images))
    if len(lines) < epochs:
        return ""
    lasting = set.intersection(*(_find_signs(line, loss) for line in lines[-epochs:]))
    return " and ".join(f"{sign} for {epochs} epochs" for sign in sorted(lasting))


def _find_signs(line: LogEntry, loss: str) -> set[str]:
    signs = set()
    if line["d_loss"] < NEAR_ZERO_LOSS and loss != UNBOUNDED_LOSS:
        signs.add(f"the discriminator's loss has been below {NEAR_ZERO_LOSS:g}")
    if line["spread"] < NEAR_ZERO_SPREAD:
        signs.add(
            f"the generated images have differed by less than {100 * NEAR_ZERO_SPREAD:.0f} % of what real ones do"
        )
    return signs
