"""The thesis's generator with what has been learnt since about training it, at no cost when it draws.

The generator is `dcgan`'s, to the weight. The discriminator has its convolutions, but gives logits and has no batch
normalisation: a judgement that depends on the other images of the batch has no gradient of its own to penalise
(Gulrajani et al. 2017, section 4), and R1 is the penalty with which GANs were shown to converge (Mescheder et al.
2018, arXiv:1801.04406). Spectral normalisation is left out: it would bound the same gradient at the price of a power
iteration in each of a step's three passes, where R1 is computed in every 16th step alone.

Beside it the loss is the non-saturating one of logits, the generator is averaged (Karras et al. 2018), and the
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
GAMMA = 2e-4  # of R1, for every pixel and over the batch: Karras et al. 2020, arXiv:2006.06676, appendix C


class Discriminator(nn.Module):
    """Images with further planes `[N, planes, size, size]` -> logits `[N, outputs]`, and what they are of."""

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
        """Of the images `[N, planes, size, size]`, `[N, C, 4, 4]`."""
        hidden: Tensor = self.layers(images)
        return hidden

    def judged(self, features: Tensor) -> Tensor:
        """Logits `[N, outputs]` of such features, in full precision."""
        judgements: Tensor = self.judge(features)
        return judgements.flatten(1).float()

    def forward(self, images: Tensor, labels: None = None) -> Tensor:
        """Judge each image, `[N]`."""
        return self.judged(self.features(images))[:, 0]


def recipe(size: int) -> Recipe:
    """Adam's rates are Radford et al.'s."""
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
    """The thesis's."""
    return dcgan.generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """A discriminator with fresh weights."""
    return Discriminator(shape).apply(initialise)


def initialise(module: nn.Module) -> None:
    """Normal weights that keep the size of activations, He et al. 2015, for no batch normalisation restores it."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, dcgan.SLOPE)
        nn.init.zeros_(module.bias)  # type: ignore[arg-type] # every one here has a bias
