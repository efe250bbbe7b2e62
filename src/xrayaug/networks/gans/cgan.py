"""Conditional GAN: both networks are told the label, so that either label can be asked for.

Mirza and Osindero: Conditional Generative Adversarial Nets, 2014, arXiv:1411.1784. There the networks are perceptrons,
and the label joins the input of each. Here it joins `dcgan-plus`'s: the generator's latent vector by one more number
for each label, the discriminator's image by one more plane, of ones where it is the image's and else of zeros.

One number, and no embedding of many: the images of a label share it, so that its weights are pushed the same way step
after step, where those of z are pushed hither and thither; and Adam moves all alike. Thirty-two numbers outgrew z
within some thirty steps, batch normalisation then scaled z down to nothing, and the images of a label were all one.
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

LABEL_SCALE = 4.0  # of a label's number, where those of z are about 1: at 1 labels were learnt too slowly


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
        """Judge each image beside its label."""
        told = F.one_hot(labels, self.classes).to(images.dtype)[:, :, None, None]  # [N, classes, 1, 1]
        planes = told.expand(-1, -1, *images.shape[2:])
        judgements: Tensor = self.body(torch.cat([images, planes], dim=1))
        return judgements


def recipe(size: int) -> Recipe:
    """`dcgan-plus`'s."""
    return dcgan_plus.recipe(size)


def generator(shape: Shape) -> nn.Module:
    """A generator with Radford et al.'s initial weights."""
    return Generator(shape).apply(dcgan.initialise)


def discriminator(shape: Shape) -> nn.Module:
    """A discriminator with fresh weights."""
    return Discriminator(shape).apply(dcgan_plus.initialise)
