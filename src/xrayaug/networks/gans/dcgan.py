"""DCGAN, as in the thesis.

Radford, Metz, Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks, ICLR 2016, arXiv:1511.06434; scaled to 128 x 128 grey as in Platin's thesis, Figures 4 and 5.

Other sizes follow the same rule: each doubling of the size is one more layer. The generator's last hidden layer has
64 channels and each layer before it twice as many; the discriminator's first has 32 and each layer after it twice as
many, without batch normalisation on the first two.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from xrayaug.networks.gans import Recipe, Shape

PAPER = "Radford et al. 2016, arXiv:1511.06434"
SIZES = (32, 64, 128, 256)
CONDITIONAL: Literal["never"] = "never"
OUTPUT: Literal["probability"] = "probability"

G_CHANNELS = 64  # of the generator's last hidden layer
D_CHANNELS = 32  # of the discriminator's first layer
SLOPE = 0.2  # of LeakyReLU, Radford et al. section 4


class ConvTranspose2d(nn.ConvTranspose2d):
    """PyTorch's layer, but with one matrix product for inputs of a single pixel `[N, C, 1, 1]` without padding.

    On a CPU in bfloat16, PyTorch's own takes a fifth of the whole training step for that layer.
    """

    def forward(self, images: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of `[N, C, H, W]`, `[N, D, H', W']`."""
        if images.shape[2:] != (1, 1) or self.padding != (0, 0) or self.bias is not None:
            return super().forward(images, output_size)
        product = images[:, :, 0, 0] @ self.weight.flatten(1)
        output = product.reshape(len(product), *self.weight.shape[1:])
        return output.contiguous(memory_format=torch.channels_last)


class Generator(nn.Module):
    """Latent vectors `[N, latent]` -> images `[N, 1, size, size]` in [-1, 1]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = channels(G_CHANNELS, shape)[::-1]
        layers: list[nn.Module] = [ConvTranspose2d(shape.latent, widths[0], 4, 1, 0, bias=False)]  # [N, C, 4, 4]
        for before, after in pairwise(widths):
            layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]  # twice the height and width
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        layers += [nn.ConvTranspose2d(widths[-1], 1, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, labels: None = None) -> Tensor:
        """Generate one image per latent vector."""
        hidden = self.layers[:-1](z[:, :, None, None])
        images: Tensor = self.layers[-1](hidden.float())  # in full precision, also under autocast
        return images


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] -> probability of being real, `[N]`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        widths = [1, *channels(D_CHANNELS, shape)]
        layers: list[nn.Module] = []
        for depth, (before, after) in enumerate(pairwise(widths)):
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False)]  # half the height and width
            layers += [nn.BatchNorm2d(after)] if depth >= 2 else []
            layers += [nn.LeakyReLU(SLOPE, inplace=True)]
        layers += [nn.Conv2d(widths[-1], 1, 4, 1, 0, bias=False), nn.Sigmoid()]  # [N, 1, 1, 1]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor, labels: None = None) -> Tensor:
        """Return the probability of being real of each image, `[N]`."""
        hidden = self.layers[:-1](images)
        probabilities: Tensor = self.layers[-1](hidden.float())  # bfloat16's 8-bit mantissa rounds to 0 or 1 too early
        return probabilities.flatten()


def recipe(size: int) -> Recipe:
    """Return the thesis's hyperparameters, the same at every size."""
    return Recipe()


def generator(shape: Shape) -> nn.Module:
    """Return a generator with Radford et al.'s initial weights."""
    return Generator(shape).apply(initialise)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator with Radford et al.'s initial weights."""
    return Discriminator(shape).apply(initialise)


def channels(fewest: int, shape: Shape) -> list[int]:
    """Return the channels at each size from half the image's down to 4 pixels, doubled whenever the size halves."""
    doublings = shape.size.bit_length() - 3  # from 4 pixels to the image's size: 5 for 128
    return [max(1, round(fewest * 2**depth * shape.width)) for depth in range(doublings)]


def initialise(module: nn.Module) -> None:
    """Draw normal weights of standard deviation 0.02, Radford et al. section 4."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
