"""Conditional GAN: both networks get the label, so that images of either class can be generated.

Mirza and Osindero: Conditional Generative Adversarial Nets, 2014, arXiv:1411.1784. There the networks are perceptrons,
and the label is appended to the input of each. Here it is appended one-hot to the inputs of `dcgan-plus`'s networks: to
the generator's latent vector as one more number per class, to the discriminator's image as one more plane per class,
all ones for the image's class and all zeros for the others.

The label is one-hot and not an embedding. All images of a class share its numbers, so the gradients of their weights
agree from step to step, where those of z vary, and Adam moves all weights at one rate. With an embedding of 32 numbers
the label outgrew z within about thirty steps, batch normalisation then scaled z to almost nothing, and all images of a
class were the same.
"""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.networks.gans import Recipe, Shape, dcgan, dcgan_plus

PAPER = "Mirza and Osindero 2014, arXiv:1411.1784"
SIZES = dcgan_plus.SIZES
CONDITIONAL: Literal["always"] = "always"
OUTPUT: Literal["logit"] = "logit"

LABEL_SCALE = 4.0  # of the one-hot label, beside z of unit variance; with 1 the labels were learnt too slowly


class Generator(nn.Module):
    """Latent vectors `[N, latent]` and labels `[N]` -> images `[N, 1, size, size]` in [-1, 1]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.classes = shape.classes
        self.body = dcgan.Generator(replace(shape, latent=shape.latent + shape.classes))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """Generate one image of the label for each latent vector."""
        images: Tensor = self.body(torch.cat([z, LABEL_SCALE * F.one_hot(labels, self.classes).to(z.dtype)], dim=1))
        return images


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] and labels `[N]` -> logits of being real and of that label, `[N]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.classes = shape.classes
        self.body = dcgan_plus.Discriminator(shape, planes=1 + shape.classes)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return one logit for each image and its label."""
        one_hot = F.one_hot(labels, self.classes).to(images.dtype)[:, :, None, None]  # [N, classes, 1, 1]
        planes = one_hot.expand(-1, -1, *images.shape[2:])
        judgements: Tensor = self.body(torch.cat([images, planes], dim=1))
        return judgements


def recipe(size: int) -> Recipe:
    """Return `dcgan-plus`'s hyperparameters."""
    return dcgan_plus.recipe(size)


def generator(shape: Shape) -> nn.Module:
    """Return a generator with Radford et al.'s initial weights."""
    return Generator(shape).apply(dcgan.initialise)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with fresh weights."""
    return Discriminator(shape).apply(dcgan_plus.initialise)
