"""The abnormality classifier: a classification network with one output and grey input.

The thesis and Rajpurkar et al. 2018 (MURA, arXiv:1712.06957, section 3.1) use DenseNet-169 pretrained on ImageNet,
its last layer replaced by one output, and a loss weighted by class.
"""

import copy
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from xrayaug.data.images.loaders import ImageLoader
from xrayaug.errors import UsageError, WeightsError
from xrayaug.networks import architectures, pretrained
from xrayaug.networks.architectures import Normalization
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.stats.classification import Probabilities
from xrayaug.storage import weights as weights_files


class Classifier(nn.Module):
    """Grey images -> logits of being abnormal.

    `network` is the library's own, so its weights have the library's names.
    """

    def __init__(self, network: nn.Module, arch: str, normalization: Normalization) -> None:
        super().__init__()
        self.network = network
        self.arch = arch
        self.normalization = normalization
        self.frozen: list[nn.Module] = []  # blocks that are not trained, and always in evaluation mode
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(normalization.std).view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all blocks but the frozen ones."""
        super().train(mode)
        for block in self.frozen:
            block.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[N]` of images `[N, 1, S, S]` in [0, 1]; the grey channel is repeated to three."""
        colour = (images - self.mean) / self.std  # [N, 3, S, S]
        logits: Tensor = self.network(colour.contiguous(memory_format=torch.channels_last))
        return logits[:, 0].float()


class _WithoutMemory(TorchFunctionMode):
    """Mode that creates weights on the meta device.

    Unlike `torch.device("meta")` it does not affect the small tensors that RegNet computes its widths with.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones) and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def build(arch: str, *, size: int, weights: str = "none", seed: int = 0) -> Classifier:
    """Build a network for grey images of `size` pixels, with a fresh output layer.

    Args:
        arch: a name of `architectures`.
        size: width and height of the images.
        weights: `none`, `imagenet` (see `pretrained.read_imagenet`), or a weights file.
        seed: seed of the initial weights; the output layer keeps them whatever `weights` is.

    Raises:
        UsageError: no such network, or it cannot take images of that size.
        WeightsError: the weights are missing, damaged, or of another network.
    """
    outline(arch, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architectures.construct(arch, size)
    if weights != "none":
        pretrained.load_pretrained(network, arch, size, None if weights == "imagenet" else Path(weights))
    return _wrap(network, arch)


def build_on_meta(arch: str, *, size: int) -> Classifier:
    """Build the network on the meta device: all layers and shapes, without memory, in a fraction of a second.

    Raises:
        UsageError: no such network, or it cannot take images of that size.
    """
    architectures.check(arch)
    try:
        with _WithoutMemory():
            network = architectures.construct(arch, size).to("meta")
        sketch = _wrap(network, arch).to("meta").eval()
        with torch.inference_mode():
            sketch(torch.empty(2, 1, size, size, device="meta"))
    except (RuntimeError, ValueError, AssertionError) as problem:
        reason = str(problem).partition("\n")[0].rstrip(".")
        raise UsageError(
            f"{arch} cannot take images of {size} pixels: {reason}", architectures.better_size(arch, size)
        ) from None
    return sketch


@cache
def outline(arch: str, size: int) -> Classifier:
    """Return the network on the meta device, which is not to be changed; raises as `build_on_meta`."""
    return build_on_meta(arch, size=size)


def summarize_layers(arch: str, *, size: int) -> list[dict[str, Any]]:
    """Return the network's blocks: name, kind, output shape for one image, and number of parameters.

    Raises:
        UsageError: as `build_on_meta`.
    """
    layers: list[dict[str, Any]] = [{"layer": "input", "kind": "Grey", "output": [1, size, size], "parameters": 0}]
    sketch = build_on_meta(arch, size=size)

    def watch(name: str, block: nn.Module) -> None:
        def record(block: nn.Module, _: Any, output: Tensor) -> None:
            shape = list(output.shape)[1:]
            layers.append(
                {"layer": name, "kind": type(block).__name__, "output": shape, "parameters": count_parameters(block)}
            )

        block.register_forward_hook(record)

    for name, block in architectures.blocks(sketch.network):
        watch(name, block)
    with torch.inference_mode():
        sketch(torch.empty(1, 1, size, size, device="meta"))
    return layers


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def state_of(classifier: Classifier) -> dict[str, Tensor]:
    """Return a copy of the weights, on the CPU, by torchvision's names."""
    return weights_files.cpu_state_dict(classifier.network)


def restore(path: Path, arch: str, *, size: int) -> Classifier:
    """Load the network whose `state_of` was saved to `path`, with its output layer.

    It is built only after its shapes on the meta device fit the weights: a manifest may name a network of gigabytes.

    Raises:
        UsageError: as `build_on_meta`.
        WeightsError: the file is missing, damaged, or of another network.
    """
    state, wanted = pretrained.read_weights(path), f"{arch} at {size} pixels"
    pretrained.check_fit(state, build_on_meta(arch, size=size).network, path, wanted)
    with torch.random.fork_rng(devices=[]):
        network = architectures.construct(arch, size)
    pretrained.load_state(state, network, path, wanted)
    return _wrap(network, arch)


def freeze_all_but_last(classifier: Classifier, count: int) -> None:
    """Freeze all blocks with weights but the last `count`; the network's blocks are those of `summarize_layers`.

    Frozen weights get no gradients, and frozen batch norms use the statistics that they have.

    Raises:
        UsageError: the network has fewer blocks.
    """
    classifier.frozen = split_blocks(classifier, count)[0]
    for block in classifier.frozen:
        block.requires_grad_(requires_grad=False)


def split_blocks(classifier: Classifier, count: int) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the blocks with weights but the last `count`, and the last `count`.

    Raises:
        UsageError: the network has fewer blocks.
    """
    weighted = [block for _, block in architectures.blocks(classifier.network) if count_parameters(block)]
    if count > len(weighted):
        raise UsageError(
            f"--train last-{count} is more than the network's {len(weighted)} blocks",
            f"--train last-N with N up to {len(weighted)}, or --train all",
        )
    return weighted[:-count], weighted[-count:]


def output_layer(classifier: Classifier) -> nn.Module:
    """Return the output layer."""
    return classifier.network.get_submodule(architectures.output_layer(classifier.network))


def count_features(classifier: Classifier) -> int:
    """Return the number of inputs of the output layer, D."""
    weight = output_layer(classifier).weight
    assert isinstance(weight, Tensor)  # of a linear or convolutional layer
    return int(weight.shape[1])


def penultimate_features(classifier: Classifier, images: Tensor) -> Tensor:
    """Return the inputs of the output layer `[N, D]` for images `[N, 1, S, S]` in [0, 1].

    A feature map is averaged over the image. Only SqueezeNet has one: its output layer is a 1 x 1 convolution, and its
    logit is the mean of the outputs. So the logit depends on that average alone, as on the features of other networks.
    """
    inputs: list[Tensor] = []

    def keep(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        inputs.append(arguments[0])

    hook = output_layer(classifier).register_forward_pre_hook(keep)
    try:
        classifier(images)
    finally:
        hook.remove()
    (features,) = inputs
    return features.mean(dim=(2, 3)) if features.ndim == 4 else features.flatten(1)


def head_logits(output_layer: nn.Module, features: Tensor) -> Tensor:
    """Return the logits `[N]` that an output layer with one output gives features `[N, D]`."""
    logits: Tensor = output_layer(features[:, :, None, None] if isinstance(output_layer, nn.Conv2d) else features)
    return logits.flatten()


def restore_output_layer(path: Path, arch: str, *, size: int) -> nn.Module:
    """Load the output layer of the network whose weights were saved to `path`, onto the CPU.

    Raises:
        UsageError: as `build_on_meta`.
        WeightsError: as `restore`.
    """
    state, sketch = pretrained.read_weights(path), outline(arch, size)
    pretrained.check_fit(state, sketch.network, path, f"{arch} at {size} pixels")
    prefix = f"{architectures.output_layer(sketch.network)}."
    layer = copy.deepcopy(output_layer(sketch)).to_empty(device="cpu")
    weights_files.assign(
        {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}, layer, path
    )
    return layer


def random_affine(draws: Tensor, *, flip: bool, rotation: float) -> Tensor:
    """Return random mirrorings and rotations, one per image, for `apply_affine`: float32 `[N, 2, 3]`.

    Args:
        draws: `[N, 2]` uniform in [0, 1), on the CPU, so that they do not depend on the device; the first decides
            whether an image is mirrored left to right (one half of them are), the second its angle.
        flip: whether to mirror at all.
        rotation: the largest angle, in degrees, in both directions.
    """
    mirror = 1 - 2 * (draws[:, 0] < 0.5).to(draws.dtype) if flip else torch.ones_like(draws[:, 0])
    angle = (2 * draws[:, 1] - 1) * math.radians(rotation)
    nothing = torch.zeros_like(angle)
    rows = (mirror * angle.cos(), -angle.sin(), nothing, mirror * angle.sin(), angle.cos(), nothing)
    return torch.stack(rows, dim=1).view(-1, 2, 3).float()


def fixed_affine(*, mirrored: bool, angle: float) -> Tensor:
    """Return the mirroring and rotation by an angle in degrees for `apply_affine`: float32 `[1, 2, 3]`."""
    draws = torch.tensor([[0.0 if mirrored else 1.0, 1.0 if angle > 0 else 0.0]], dtype=torch.float64)
    return random_affine(draws, flip=True, rotation=abs(angle))


def apply_affine(images: Tensor, theta: Tensor) -> Tensor:
    """Transform each image of `[N, 1, S, S]` by its own affine matrix of `[N, 2, 3]`, bilinear, black outside."""
    grid = nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def to_input(pixels: Tensor) -> Tensor:
    """Return uint8 pixels `[N, S, S]` as float images `[N, 1, S, S]` in [0, 1]."""
    return pixels[:, None].float() / 255


def predict_logits(
    classifier: nn.Module,
    pixels: Tensor | ImageLoader,
    *,
    batch_size: int,
    device: torch.device,
    after_each: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return the logits float64 `[N]`, on the CPU, of pictures uint8 `[N, S, S]`, in evaluation mode.

    `after_each` is called after each batch. Several processes take batches in turn, and all get all logits.
    """
    classifier.eval()
    logits = torch.zeros(len(pixels), device=device)
    rank = ranks.current_rank()
    for begin in range(0, len(pixels), batch_size * rank.count):
        start = begin + batch_size * rank.number
        if start < len(pixels):
            with torch.inference_mode():
                part = pixels[start : start + batch_size].to(device)
                logits[start : start + batch_size] = classifier(to_input(part))
        after_each()
    return process_group.all_reduce_sum(logits.cpu().double())  # each logit is 0 in all processes but one


def to_probabilities(logits: Tensor) -> Probabilities:
    """Return the probabilities of being abnormal, float64 `[N]`, of logits `[N]`."""
    return np.asarray(expit(logits.numpy()), np.float64)


def predict_probabilities(
    classifier: nn.Module, pixels: Tensor | ImageLoader, *, batch_size: int, device: torch.device
) -> Probabilities:
    """Return the probabilities of being abnormal, float64 `[N]`, of pictures uint8 `[N, S, S]`, in evaluation mode.

    Raises:
        WeightsError: the network gives NaN.
    """
    probabilities = to_probabilities(predict_logits(classifier, pixels, batch_size=batch_size, device=device))
    if np.isnan(probabilities).any():
        raise WeightsError("the network gives NaN as probability", "train it again")
    return probabilities


def _wrap(network: nn.Module, arch: str) -> Classifier:
    return Classifier(network, arch, architectures.normalization(arch, network)).to(memory_format=torch.channels_last)
