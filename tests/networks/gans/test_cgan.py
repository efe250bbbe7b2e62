"""Conditional generators still depend on their latent vectors."""

import pytest
import torch
from torch import Tensor

from xrayaug.networks import gans
from xrayaug.networks.gans import Shape
from xrayaug.options.choices import LABELS

COUNT = 32
STEPS = 40


def variety(images: Tensor) -> float:
    """Return the variance of images within labels, relative to that of all images."""
    within = torch.stack([images[place :: len(LABELS)].std(dim=0) for place in range(len(LABELS))]).square().mean()
    return float((within / images.std(dim=0).square().mean()).detach())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_label_loss_does_not_suppress_the_latent_vector(seed: int) -> None:
    """All images of a label push its weights the same way; of thirty-two numbers they left z nothing to say."""
    torch.manual_seed(seed)
    arch = gans.load("cgan")
    g = arch.generator(Shape(32, 100, len(LABELS), width=0.25))
    adam = torch.optim.Adam(g.get_submodule("body.layers.0").parameters(), lr=arch.recipe(32).lr)
    labels = torch.arange(COUNT) % len(LABELS)
    target = torch.randn(1, 32, 32)
    for _ in range(STEPS):
        images = g(torch.randn(COUNT, 100), labels)
        adam.zero_grad()
        ((images[1::2] - images[::2]) * target).mean().backward()
        adam.step()
    assert variety(g(torch.randn(COUNT, 100), labels)) > 0.9
