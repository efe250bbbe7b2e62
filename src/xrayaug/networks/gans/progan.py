"""Progressively grown GAN.

Karras et al.: Progressive Growing of GANs for Improved Quality, Stability, and Variation, ICLR 2018,
arXiv:1710.10196. Both networks begin at 4 x 4 pixels; each doubling of the size is faded in and then trained for the
same number of images before the next.

Seen from outside, images always have full size: the generator upsamples its output, the discriminator downsamples its
input. Differences from the paper: the generator ends in tanh, so that images are in [-1, 1]; real images are not
blended with their half-size version during a fade-in, because the discriminator does not know which images are real;
its output is not drawn to zero (the paper's third term, of weight 0.001), which matters in longer trainings and has no
place in the `Architecture` protocol; and half of the training is at full size, where the paper sets no limit.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from xrayaug.networks.equalized_lr import (
    BASE_SIZE,
    GAIN,
    Conv2d,
    Linear,
    count_channels,
    full_precision,
    leaky_relu,
    list_resolutions,
    minibatch_stddev,
    pixel_norm,
)
from xrayaug.networks.gans import Recipe, Shape

PAPER = "Karras et al. 2018, arXiv:1710.10196"
SIZES = (32, 64, 128, 256, 512)
CONDITIONAL = "optional"
OUTPUT = "logit"

GROWING = 0.5  # share of the training until full size is faded in


def recipe(size: int) -> Recipe:
    """Return Karras et al.'s hyperparameters; an average with 0.999 per 16 images has a half-life of 11,000 images."""
    del size  # the same at every size
    return Recipe(
        latent=512,
        batch_size=16,
        lr=0.001,
        beta1=0.0,
        beta2=0.99,
        loss="wgan",
        gradient_penalty=10.0,
        ema=11_000,
    )


def generator(shape: Shape) -> nn.Module:
    """Return a generator at full size with Karras et al.'s initial weights."""
    return Generator(shape)


def discriminator(shape: Shape) -> nn.Module:
    """Return a discriminator at full size with Karras et al.'s initial weights."""
    return Discriminator(shape)


def growth_at(progress: float, doublings: int) -> tuple[int, float]:
    """Return the number of doublings at that share of the training, and how far the last is faded in, in [0, 1].

    Phases until `GROWING` have equal length: 4 pixels, 8 being faded in, 8, 16 being faded in, ..., full size faded in.
    """
    position = progress / GROWING * 2 * doublings
    phase = min(int(position), 2 * doublings)
    fade = position - phase if phase % 2 else 1.0
    return (phase + 1) // 2, fade


class Growth(nn.Module):
    """Growth of a network: in its `state_dict`, and as Python numbers that can be read without a device sync."""

    level: Tensor  # doublings
    fade: Tensor  # of the last one, in [0, 1]

    def __init__(self, doublings: int) -> None:
        super().__init__()
        self.doublings = doublings
        self.register_buffer("level", torch.tensor(doublings))
        self.register_buffer("fade", torch.ones(()))
        self._stage = (doublings, False)

    def grow(self, progress: float) -> bool:
        """Set the growth for that share of the training; return whether the layers in use have changed."""
        before = self._stage
        level, fade = growth_at(progress, self.doublings)
        self.level.fill_(level)
        self.fade.fill_(fade)
        self._stage = level, fade < 1
        return self._stage != before

    def stage(self) -> tuple[int, bool]:
        """Return the level, and whether it is being faded in.

        In training they are what `grow` set; in evaluation they are read from the buffers, which may have been loaded.
        """
        return self._stage if self.training else (int(self.level), bool(self.fade < 1))


class Generator(nn.Module):
    """Latent vectors `[N, latent]` -> images `[N, 1, size, size]` in [-1, 1]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = _channels(shape)
        self.embedding = nn.Embedding(shape.classes, shape.latent) if shape.classes else None
        self.dense = Linear(shape.latent * (2 if shape.classes else 1), channels[0] * BASE_SIZE**2, gain=GAIN)
        self.convolution = Conv2d(channels[0], channels[0], 3)
        self.blocks = nn.ModuleList(GeneratorBlock(before, after) for before, after in pairwise(channels))
        self.to_image = nn.ModuleList(Conv2d(count, 1, 1, gain=1.0) for count in channels)
        self.growth = Growth(len(self.blocks))

    def grow(self, progress: float) -> bool:
        """Be as large as it ought to be at that share of the training; whether the layers in use have changed."""
        return self.growth.grow(progress)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate one image per latent vector."""
        level, fading = self.growth.stage()
        before = hidden = self._first(z, labels)
        for block in self.blocks[:level]:
            before, hidden = hidden, block(hidden)
        image = self._image(level, hidden)
        if fading:
            image = torch.lerp(_enlarged(self._image(level - 1, before), 2), image, self.growth.fade)
        return _enlarged(image.tanh(), 2 ** (self.growth.doublings - level))

    def _first(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the hidden layer at 4 x 4 pixels, `[N, C, 4, 4]`."""
        x = pixel_norm(z.float())
        if self.embedding is not None:
            x = torch.cat([x, pixel_norm(self.embedding(labels))], dim=1)
        hidden = pixel_norm(leaky_relu(self.dense(x)).reshape(len(x), -1, BASE_SIZE, BASE_SIZE))
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        return pixel_norm(leaky_relu(self.convolution(hidden)))

    def _image(self, level: int, hidden: Tensor) -> Tensor:
        """Return the image `[N, 1, H, W]` of a hidden layer `[N, C, H, W]`, in full precision."""
        with full_precision(hidden):
            image: Tensor = self.to_image[level](hidden.float())
        return image


class GeneratorBlock(nn.Module):
    """`[N, before, H, W]` -> `[N, after, 2 H, 2 W]`."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.doubling = DoublingConv2d(before, after)
        self.convolution = Conv2d(after, after, 3)

    def forward(self, hidden: Tensor) -> Tensor:
        """Double the size and convolve twice, with pixel normalisation after each."""
        hidden = pixel_norm(leaky_relu(self.doubling(hidden)))
        return pixel_norm(leaky_relu(self.convolution(hidden)))


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] -> score of being real, `[N]`.

    With labels, it adds the product of the last layer and the label's embedding: Miyato and Koyama 2018,
    arXiv:1802.05637, equation 3.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels = _channels(shape)
        self.from_image = nn.ModuleList(Conv2d(1, count, 1) for count in channels)
        self.blocks = nn.ModuleList(DiscriminatorBlock(before, after) for after, before in pairwise(channels))
        self.convolution = Conv2d(channels[0] + 1, channels[0], 3)
        self.dense = Linear(channels[0] * BASE_SIZE**2, channels[0], gain=GAIN)
        self.score = Linear(channels[0], 1, bias=None)  # a bias would cancel in differences of scores
        self.embedding = nn.Embedding(shape.classes, channels[0]) if shape.classes else None
        self.growth = Growth(len(self.blocks))

    def grow(self, progress: float) -> bool:
        """Be as large as it ought to be at that share of the training; whether the layers in use have changed."""
        return self.growth.grow(progress)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the score of each image `[N]`, which also depends on the others of its batch (`minibatch_stddev`)."""
        level, fading = self.growth.stage()
        images = _reduced(images, 2 ** (self.growth.doublings - level))
        hidden = leaky_relu(self.from_image[level](images))
        for depth in reversed(range(level)):
            hidden = self.blocks[depth](hidden)
            if fading and depth == level - 1:
                past = leaky_relu(self.from_image[depth](_reduced(images, 2)))
                hidden = torch.lerp(past, hidden, self.growth.fade.to(hidden.dtype))
        return self._scores(hidden, labels)

    def _scores(self, hidden: Tensor, labels: Tensor | None) -> Tensor:
        """Return the scores `[N]` of `[N, C, 4, 4]`, in full precision."""
        with full_precision(hidden):
            hidden = leaky_relu(self.convolution(minibatch_stddev(hidden.float())))
        hidden = leaky_relu(self.dense(hidden.flatten(1)))
        scores: Tensor = self.score(hidden)[:, 0]
        if self.embedding is None:
            return scores
        classes: Tensor = self.embedding(labels)
        return scores + (hidden * classes).sum(dim=1) / math.sqrt(hidden.shape[1])


class DiscriminatorBlock(nn.Module):
    """`[N, before, H, W]` -> `[N, after, H / 2, W / 2]`."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = Conv2d(before, before, 3)
        self.halving = HalvingConv2d(before, after)

    def forward(self, hidden: Tensor) -> Tensor:
        """Convolve twice and halve."""
        halved: Tensor = self.halving(leaky_relu(self.convolution(hidden)))
        return leaky_relu(halved)


class DoublingConv2d(Conv2d):
    """Nearest-neighbour upsampling and a 3 x 3 convolution as one operation, with less than half the work."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3)
        self.weight = nn.Parameter(torch.randn(before, after, 3, 3))  # in the order of a transposed convolution

    def forward(self, x: Tensor) -> Tensor:
        """`[N, before, H, W]` -> `[N, after, 2 H, 2 W]`."""
        return F.conv_transpose2d(x, _spread(self.weight * self.scale), self.bias, stride=2, padding=1)


class HalvingConv2d(Conv2d):
    """A 3 x 3 convolution and 2 x 2 average pooling as one operation, with less than half the work."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3)

    def forward(self, x: Tensor) -> Tensor:
        """`[N, before, H, W]` -> `[N, after, H / 2, W / 2]`."""
        return F.conv2d(x, _spread(self.weight * (self.scale / 4)), self.bias, stride=2, padding=1)


def _spread(weight: Tensor) -> Tensor:
    """Return kernels `[., ., 4, 4]`: kernels `[., ., 3, 3]` summed over the four pixels that resampling merges."""
    padded = F.pad(weight, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., 1:, :-1] + padded[..., :-1, 1:] + padded[..., :-1, :-1]


def _enlarged(images: Tensor, factor: int) -> Tensor:
    """Return the images upsampled by the factor, each pixel repeated."""
    return F.interpolate(images, scale_factor=factor) if factor > 1 else images


def _reduced(images: Tensor, factor: int) -> Tensor:
    """Return the images downsampled by the factor, each pixel a mean."""
    return F.avg_pool2d(images, factor) if factor > 1 else images


def _channels(shape: Shape) -> list[int]:
    """Return the number of channels at 4 pixels, at 8, and so on up to the image's size."""
    return [count_channels(pixels, shape.width) for pixels in list_resolutions(shape.size)]
