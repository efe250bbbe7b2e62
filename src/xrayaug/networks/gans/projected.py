"""Projected GAN: discriminators that see images through a frozen pretrained network.

Sauer et al.: Projected GANs Converge Faster, NeurIPS 2021, arXiv:2111.01007. Feature maps of an ImageNet network at
four strides are mixed across channels by random 1 x 1 convolutions and across scales from coarse to fine, both never
trained; one small discriminator judges each scale by 4 x 4 logits. The feature network is EfficientNet-Lite0, whose
weights install with xrayaug; the paper uses it too. The generator is the paper's: FastGAN's without noise and with one
convolution per size (Liu et al. 2021, arXiv:2101.04775).

Differences from the paper: images of less than 128 pixels are enlarged to 128, where the paper enlarges all to 256;
mixed channels are a quarter of the paper's, coarse maps are enlarged by repetition, and all maps are divided by
constants; the discriminators have no batch normalisation, and the generator half of FastGAN's channels; batches are
small and the learning rate is high, as a short training needs many steps; the conditional form has a generator whose
first layer has weights of its own for each label, and a projection discriminator (Miyato and Koyama 2018,
arXiv:1802.05637) at each scale. docs/explanation/generators.md has the measurements behind them.
"""

from collections.abc import Mapping
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.parametrizations import spectral_norm

from xrayaug.networks import efficientnet_lite, pretrained
from xrayaug.networks.efficientnet_lite import GreyStages
from xrayaug.networks.equalized_lr import full_precision, pixel_norm
from xrayaug.networks.gans import Recipe, Shape, dcgan

PAPER = "Sauer et al. 2021, arXiv:2111.01007, with the generator of Liu et al. 2021, arXiv:2101.04775"
SIZES = (32, 64, 128, 256, 512)
CONDITIONAL: Literal["optional"] = "optional"
OUTPUT: Literal["logit"] = "logit"

FEATURE_NETWORK = "efficientnet_lite0"
FEATURE_SIZE = 128  # pixels to which smaller images are enlarged
STAGES = (1, 2, 4, 6)  # of the feature network: the last of strides 4, 8, 16 and 32
MIXED_CHANNELS = (16, 32, 64, 128)  # of the scales after mixing
# Divisors of the mixed feature maps: twice their standard deviation on radiographs of hands. Without them, the fine
# scales, which vary most, decide with large logits, and the discriminators learn nothing more after a few steps.
MIXED_SCALES = (24.0, 19.0, 13.0, 5.0)
LOGITS_SIDE = 4  # a discriminator halves its feature map down to this side
# Channels of the generator at each side.
G_CHANNELS = {4: 256, 8: 128, 16: 64, 32: 32, 64: 32, 128: 16, 256: 8, 512: 4}
FIRST_WEIGHT = "start.0.weight"  # of the generator: [classes * latent, channels, 4, 4]
LAST_WEIGHT = "to_image.weight"  # of the generator, whose channels depend on the size
SKIP = 16  # factor between the sides that a skip connection joins
AVERAGED = 512  # latent vectors whose feature maps are averaged for truncation

Network = TypeVar("Network", bound=nn.Module)


def recipe(size: int) -> Recipe:
    """Return the paper's loss, with batches and a learning rate for few images and an average of the generator."""
    return Recipe(
        latent=128, batch_size=8, lr=1.2e-3, beta1=0.0, beta2=0.99, loss="hinge", ema=10_000, d_augment="geometric"
    )


def generator(shape: Shape) -> nn.Module:
    """Return a generator with normal weights of standard deviation 0.02."""
    return Generator(shape).apply(dcgan.initialise)


def discriminator(shape: Shape) -> nn.Module:
    """Return discriminators with fresh weights on the pretrained feature network.

    Raises:
        WeightsError: the feature network's weights are missing or damaged.
    """
    return Discriminator(shape)


def adapt_weights(
    states: Mapping[str, Mapping[str, Tensor]], before: Shape, shape: Shape
) -> dict[str, dict[str, Tensor]]:
    """Return the weights of networks of shape `before` as those of networks of `shape`.

    With labels, the generator first draws the same images for every label, and the discriminators' embeddings of the
    labels are new. For larger images, the generator keeps its layers up to the former size; those of larger sizes, the
    last one and the discriminators are new. New weights come from PyTorch's global random state.

    Args:
        states: state dicts by the names of `GanModel.networks`.
        before: of their networks.
        shape: of the networks that are to have them: with labels, or of larger images, or both.
    """
    is_larger = shape.size > before.size
    new_discriminator, new_generator = Discriminator(shape).state_dict(), generator(shape).state_dict()
    adapted: dict[str, dict[str, Tensor]] = {}
    for name, state in states.items():
        if name == "discriminator":
            new = {key: weight for key, weight in new_discriminator.items() if is_larger or ".embedding." in key}
            adapted[name] = {**({} if is_larger else state), **new}
            continue
        new = {
            key: weight
            for key, weight in new_generator.items()
            if is_larger and (key == LAST_WEIGHT or _side_of(key) > before.size)
        }
        adapted[name] = {**state, **new}
        if shape.classes and not before.classes:
            adapted[name][FIRST_WEIGHT] = state[FIRST_WEIGHT].repeat(shape.classes, 1, 1, 1)  # see `place_by_label`
    return adapted


def _side_of(key: str) -> int:
    """Return the side of the feature maps that a block or skip connection of the generator makes; 0 for other keys."""
    return int(key.split(".")[1]) if key.startswith(("blocks.", "skips.")) else 0


class Generator(nn.Module):
    """Latent vectors `[N, latent]` -> images `[N, 1, size, size]` in [-1, 1]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.classes = max(1, shape.classes)
        sides = [side for side in G_CHANNELS if side <= shape.size]
        channels = {side: max(1, round(G_CHANNELS[side] * shape.width)) for side in sides}
        self.start = nn.Sequential(
            dcgan.ConvTranspose2d(self.classes * shape.latent, 2 * channels[4], 4, 1, 0, bias=False),
            nn.BatchNorm2d(2 * channels[4]),
            GatedLinearUnit(),
        )
        self.blocks = nn.ModuleDict(
            {str(side): _upsampling_block(channels[side // 2], channels[side]) for side in sides[1:]}
        )
        self.skips = nn.ModuleDict(
            {
                str(side): SkipExcitation(channels[side // SKIP], channels[side], side // SKIP)
                for side in sides
                if side // SKIP >= 4
            }
        )
        self.to_image = nn.Conv2d(channels[shape.size], 1, 3, padding=1, bias=False)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate one image per latent vector."""
        return self._generate(self._start(z, labels))

    def truncated(self, z: Tensor, labels: Tensor | None, psi: float) -> Tensor:
        """Generate images whose smallest feature maps are moved towards the average of their class, or away from it.

        As in StyleGAN (Karras et al. 2019, arXiv:1812.04948, Appendix B), with the first layer in place of the mapping.
        Towards the mean of the latent vectors, which is that of every class, images would lose their label.

        Args:
            z: `[N, latent]`.
            labels: `[N]`; None without labels.
            psi: 0 gives one image for each class, 1 the images of `forward`; above 1, images vary more than these.
        """
        codes = torch.randn(AVERAGED, z.shape[1], generator=torch.Generator().manual_seed(0)).to(z.device)
        if labels is None:
            averages = self._start(codes, None).mean(0, keepdim=True)
        else:
            averages = torch.stack([
                self._start(codes, torch.full((AVERAGED,), label, device=z.device)).mean(0)
                for label in range(self.classes)
            ])[labels]  # fmt: skip
        maps = self._start(z, labels)
        return self._generate(maps + (1 - psi) * (averages - maps))

    def _start(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return the smallest feature maps `[N, C, 4, 4]` of latent vectors."""
        codes = pixel_norm(z)
        if labels is not None:
            codes = place_by_label(codes, labels, self.classes)
        maps: Tensor = self.start(codes[:, :, None, None])
        return maps

    def _generate(self, start: Tensor) -> Tensor:
        """Generate one image from each of the smallest feature maps."""
        maps = {4: start}
        for name, block in self.blocks.items():
            side = int(name)
            maps[side] = block(maps[side // 2])
            if name in self.skips:
                maps[side] = maps[side] * self.skips[name](maps[side // SKIP])
        images: Tensor = torch.tanh(self.to_image(maps[max(maps)]).float())
        return images


def place_by_label(codes: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Put each latent vector in the columns of its label, with zeros in the others: `[N, C]` -> `[N, classes * C]`.

    The layer that follows has weights of its own for each label. An embedding of the label as a further input would let
    the generator ignore the latent vectors: batch normalisation makes images of a batch differ, and labels would do.
    """
    is_label = labels[:, None] == torch.arange(classes, device=labels.device)  # [N, classes]
    return (is_label[:, :, None] * codes[:, None]).flatten(1)


class GatedLinearUnit(nn.Module):
    """One half of the channels multiplied by the sigmoid of the other.

    The gradient of PyTorch's own loses the memory format channels-last, which makes that of the batch norm before it
    16 times slower on a CPU.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Transform feature maps `[N, 2 C, H, W]` to `[N, C, H, W]`."""
        values, gates = maps.chunk(2, dim=1)
        return values * gates.sigmoid()


class SkipExcitation(nn.Module):
    """Factors `[N, outputs, 1, 1]` in (0, 1) of a large feature map's channels, from a small feature map.

    Liu et al. 2021, section 3.1, equation 1. The small map is `[N, inputs, side, side]`.
    """

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool2d(side // 4), nn.Conv2d(inputs, outputs, 4, bias=False), nn.SiLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """Return the factors."""
        factors: Tensor = self.layers(maps)
        return factors


class Discriminator(nn.Module):
    """Images `[N, 1, size, size]` in [-1, 1] -> logits of being real `[N, 4, 16]`: 4 scales, 4 x 4 positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.features = ProjectedFeatures(shape)
        side = max(shape.size, FEATURE_SIZE)
        self.scales = nn.ModuleList(
            ScaleDiscriminator(width, side // 4 >> number, shape) for number, width in enumerate(mixed_channels(shape))
        )

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of each image at each scale and position, in full precision."""
        maps = self.features(images)
        return torch.stack([judge(features, labels) for judge, features in zip(self.scales, maps, strict=True)], dim=1)


class ScaleDiscriminator(nn.Module):
    """Mixed features `[N, channels, side, side]` -> logits `[N, 16]`.

    Args:
        channels: of the features; they double whenever the side halves.
        side: of the features, in pixels.
        shape: number of classes.
    """

    def __init__(self, channels: int, side: int, shape: Shape) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        while side > LOGITS_SIDE:
            layers += [spectral_norm(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False))]
            layers += [nn.LeakyReLU(dcgan.SLOPE, inplace=True)]
            channels, side = 2 * channels, side // 2
        self.layers = nn.Sequential(*layers)
        self.judge = spectral_norm(nn.Conv2d(channels, 1, 3, padding=1, bias=False))
        self.embedding = spectral_norm(nn.Embedding(shape.classes, channels)) if shape.classes else None

    def forward(self, maps: Tensor, labels: Tensor | None) -> Tensor:
        """Return the logits, row by row."""
        hidden = self.layers(maps)
        logits: Tensor = self.judge(hidden).float()[:, 0]
        if self.embedding is not None:
            logits = logits + (self.embedding(labels)[:, :, None, None] * hidden.float()).sum(1)
        return logits.flatten(1)


class ProjectedFeatures(nn.Module):
    """Images `[N, 1, size, size]` -> mixed feature maps at strides 4, 8, 16 and 32 of a frozen network, fine to coarse.

    Neither the feature network nor the mixing is trained, so their weights are buffers. Those of the feature network
    are not stored with the discriminator's: they are held to the hash of the published file whenever they are loaded.
    """

    enlarging: Tensor | None  # [FEATURE_SIZE, size]

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        network = efficientnet_lite.build(FEATURE_NETWORK, num_classes=1)
        if not network.classifier.weight.is_meta:
            pretrained.load_pretrained(network, FEATURE_NETWORK, FEATURE_SIZE, None)
        self.network = _freeze(GreyStages(network.eval()), stored=False)
        enlarging = _bilinear_matrix(shape.size, FEATURE_SIZE) if shape.size < FEATURE_SIZE else None
        self.register_buffer("enlarging", enlarging, persistent=False)
        widths = mixed_channels(shape)
        inputs = [self.network.widths[stage] for stage in STAGES]
        self.mix_channels = _freeze(nn.ModuleList(map(_random_mixing, inputs, widths)))
        self.mix_scales = _freeze(nn.ModuleList(map(_random_mixing, widths[1:], widths[:-1])))

    def train(self, mode: bool = True) -> "ProjectedFeatures":
        """Stay in evaluation mode."""
        return self

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps `[N, C, S / stride, S / stride]`."""
        with full_precision(images):
            enlarged = images if self.enlarging is None else self.enlarging @ images.float() @ self.enlarging.T
        stages = self.network(enlarged)
        maps = [mix(stages[stage]) for mix, stage in zip(self.mix_channels, STAGES, strict=True)]
        for number in reversed(range(len(self.mix_scales))):
            coarse = self.mix_scales[number](maps[number + 1])
            maps[number] = maps[number] + F.interpolate(coarse, scale_factor=2, mode="nearest")
        return [each / scale for each, scale in zip(maps, MIXED_SCALES, strict=True)]


def mixed_channels(shape: Shape) -> list[int]:
    """Return the channels of the mixed feature maps."""
    return [max(1, round(width * shape.width)) for width in MIXED_CHANNELS]


def _bilinear_matrix(size: int, enlarged: int) -> Tensor:
    """Return the matrix `[enlarged, size]` of bilinear interpolation along one side.

    PyTorch's own interpolation sums its gradient in no fixed order on CUDA, which `--deterministic` refuses.
    """
    rows = F.interpolate(torch.eye(size)[None, None], (enlarged, size), mode="bilinear", align_corners=False)
    return rows[0, 0]


def _upsampling_block(inputs: int, outputs: int) -> nn.Module:
    """Return layers that double the side of feature maps `[N, inputs, H, W]`."""
    return nn.Sequential(
        nn.UpsamplingNearest2d(scale_factor=2),
        nn.Conv2d(inputs, 2 * outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(2 * outputs),
        GatedLinearUnit(),
    )


def _random_mixing(inputs: int, outputs: int) -> nn.Module:
    """Return a random 1 x 1 convolution that keeps the scale of activations."""
    convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="linear")
    return convolution


def _freeze(network: Network, *, stored: bool = True) -> Network:
    """Turn all weights into buffers, which no optimiser sees and `requires_grad_` does not reach."""
    for module in network.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach(), persistent=stored)
    return network
