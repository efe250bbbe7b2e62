"""Auxiliary-classifier GAN: the discriminator gets no label but predicts it, so the generator must draw it.

Odena, Olah, Shlens: Conditional Image Synthesis with Auxiliary Classifier GANs, ICML 2017, arXiv:1610.09585. The
generator is `cgan`'s. The discriminator is `dcgan-plus`'s with further outputs, the logits of the labels, which learn
from real and generated images alike (equation 3); the target of a generated image is the label it was generated for.
"""

from typing import Literal

from torch import Tensor, nn

from xrayaug.networks.gans import Recipe, Shape, cgan, dcgan_plus

PAPER = "Odena et al. 2017, arXiv:1610.09585"
SIZES = dcgan_plus.SIZES
CONDITIONAL: Literal["always"] = "always"
OUTPUT: Literal["logit"] = "logit"


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] -> logits of being real and of each label, `[N, 1 + classes]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.body = dcgan_plus.Discriminator(shape, outputs=1 + shape.classes)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of each image; the labels are not used."""
        return self.body.judged(self.body.features(images))


def recipe(size: int) -> Recipe:
    """Return `dcgan-plus`'s hyperparameters."""
    return dcgan_plus.recipe(size)


def generator(shape: Shape) -> nn.Module:
    """Return `cgan`'s generator."""
    return cgan.generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with fresh weights."""
    return Discriminator(shape).apply(dcgan_plus.initialise)
