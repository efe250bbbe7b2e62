"""The thesis's generator with later improvements of GAN training; sampling costs the same.

The generator is exactly `dcgan`'s. The discriminator has its convolutions, but returns logits and has no batch
normalisation: an output that depends on the other images of the batch has no gradient per image to penalise
(Gulrajani et al. 2017, section 4), and R1 is the penalty with which GANs were shown to converge (Mescheder et al.
2018, arXiv:1801.04406). Spectral normalisation is left out: it would bound the same gradient at the price of a power
iteration in each of a step's three passes, where R1 is computed only in every 16th step.

Besides, the loss is the non-saturating one on logits, the generator is averaged (Karras et al. 2018), and the
discriminator sees augmented images (Zhao et al. 2020, arXiv:2006.10738).
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from xrayaug.networks.gans import Recipe, Shape, dcgan

PAPER = "Radford et al. 2016, with R1 of Mescheder et al. 2018, arXiv:1801.04406"
SIZES = dcgan.SIZES
CONDITIONAL: Literal["never"] = "never"
OUTPUT: Literal["logit"] = "logit"

BATCH = 64
GAMMA = 2e-4  # of R1, times pixels over batch size: Karras et al. 2020, arXiv:2006.06676, appendix C


class Discriminator(nn.Module):
    """Images with further planes `[N, planes, size, size]` -> the first of the logits `[N, outputs]`, `[N]`."""

    def __init__(self, shape: Shape, *, planes: int = 1, outputs: int = 1) -> None:
        super().__init__()
        widths = [planes, *dcgan.channels(dcgan.D_CHANNELS, shape)]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 4, 2, 1)]  # half the height and width
            layers += [nn.LeakyReLU(dcgan.SLOPE, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.judge = nn.Conv2d(widths[-1], outputs, 4)

    def features(self, images: Tensor) -> Tensor:
        """Return the features `[N, C, 4, 4]` of images `[N, planes, size, size]`."""
        hidden: Tensor = self.layers(images)
        return hidden

    def judged(self, features: Tensor) -> Tensor:
        """Return the logits `[N, outputs]` of features `[N, C, 4, 4]`, in full precision."""
        judgements: Tensor = self.judge(features)
        return judgements.flatten(1).float()

    def forward(self, images: Tensor, labels: None = None) -> Tensor:
        """Return the first logit of each image, `[N]`."""
        return self.judged(self.features(images))[:, 0]


def recipe(size: int) -> Recipe:
    """Return the hyperparameters; Adam's are Radford et al.'s."""
    return Recipe(
        latent=100,
        batch_size=BATCH,
        lr=2e-4,
        beta1=0.5,
        beta2=0.999,
        loss="nonsaturating",
        r1=GAMMA * size**2 / BATCH,
        penalty_every=16,
        ema=10_000,
        d_augment="diffaugment",
    )


def generator(shape: Shape) -> nn.Module:
    """Return the thesis's generator."""
    return dcgan.generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with fresh weights."""
    return Discriminator(shape).apply(initialise)


def initialise(module: nn.Module) -> None:
    """Draw normal weights that keep the scale of activations (He et al. 2015); no batch normalisation restores it."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, dcgan.SLOPE)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type] # every layer here has a bias
