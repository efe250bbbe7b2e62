"""GAN with a projection discriminator: its logit is the sum of an unconditional logit and a label term.

Miyato and Koyama: cGANs with Projection Discriminator, ICLR 2018, arXiv:1802.05637, equation 3: the logit is
psi(phi(x)) + y' V phi(x), here with `dcgan-plus`'s features as phi and its last layer as psi. The features that the
label's vector is multiplied with are averaged over the picture, where the paper sums. The generator is `cgan`'s, where
the paper's has a batch normalisation for each label.
"""

from typing import Literal

from torch import Tensor, nn

from xrayaug.networks.gans import Recipe, Shape, cgan, dcgan, dcgan_plus

PAPER = "Miyato and Koyama 2018, arXiv:1802.05637"
SIZES = dcgan_plus.SIZES
CONDITIONAL: Literal["always"] = "always"
OUTPUT: Literal["logit"] = "logit"


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] and labels `[N]` -> logits of being real and of that label, `[N]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.body = dcgan_plus.Discriminator(shape)
        self.embedding = nn.Embedding(shape.classes, dcgan.channels(dcgan.D_CHANNELS, shape)[-1])  # V

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return one logit for each image and its label."""
        features = self.body.features(images)
        fits = (self.embedding(labels) * features.float().mean(dim=(2, 3))).sum(1)
        judgements: Tensor = self.body.judged(features)[:, 0] + fits
        return judgements


def recipe(size: int) -> Recipe:
    """Return `dcgan-plus`'s hyperparameters."""
    return dcgan_plus.recipe(size)


def generator(shape: Shape) -> nn.Module:
    """Return `cgan`'s generator."""
    return cgan.generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with fresh weights; the label term is small at first."""
    network = Discriminator(shape).apply(dcgan_plus.initialise)
    nn.init.normal_(network.embedding.weight, 0.0, 0.02)
    return network
