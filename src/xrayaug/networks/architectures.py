"""Classification networks by name: torchvision's, EfficientNet-Lite, and timm's as `timm:NAME`.

Each takes colour images `[N, 3, S, S]`, normalised as its ImageNet weights expect, and returns `[N, 1]`.
"""

import difflib
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from torch import nn
from torchvision import models

from xrayaug.errors import UsageError
from xrayaug.networks import efficientnet_lite

TIMM = "timm:"  # prefix of the networks of timm
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of red, green and blue in [0, 1]
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of red, green and blue in [0, 1] that a network's ImageNet weights expect."""

    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD


def list_architectures() -> list[str]:
    """Return the names of all networks but those of timm."""
    return sorted([*models.list_models(module=models), *efficientnet_lite.VARIANTS])


def check(arch: str) -> None:
    """Check that there is a network of that name.

    Raises:
        UsageError: there is none, or timm is not installed.
    """
    if arch.startswith(TIMM):
        timm, name = import_timm(), arch.removeprefix(TIMM)
        if not timm.is_model(name):
            raise UsageError(f"--arch {arch} is no network of timm", _neighbours(name, timm.list_models()))
    elif arch not in list_architectures():
        raise UsageError(f"--arch {arch} is no network that is known here", _neighbours(arch, list_architectures()))


def import_timm() -> ModuleType:
    """Return the module timm.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("timm") is None:
        raise UsageError("--arch timm:NAME needs the package timm", "pip install timm")
    return import_module("timm")


def construct(arch: str, size: int) -> nn.Module:
    """Return a network with one output for images of `size` pixels, freshly initialised."""
    if arch.startswith(TIMM):
        return construct_timm(arch, size)
    if arch in efficientnet_lite.VARIANTS:
        return efficientnet_lite.build(arch, num_classes=1)
    network: nn.Module = models.get_model(arch, weights=None, num_classes=1, **_settings(arch, size))
    if arch.startswith("squeezenet"):
        network.get_submodule("classifier").register_module("2", nn.Identity())  # its ReLU forbids logits below 0
    return network


def construct_timm(arch: str, size: int, *, pretrained: bool = False) -> nn.Module:
    """Return a network of timm with one output; with `pretrained` timm loads or downloads its ImageNet weights."""
    settings: dict[str, Any] = {"pretrained": pretrained, "num_classes": 1}
    name = arch.removeprefix(TIMM)
    try:
        network: nn.Module = import_timm().create_model(name, img_size=size, **settings)
    except TypeError:  # most networks take images of any size and have no such argument
        network = import_timm().create_model(name, **settings)
    return network


def normalization(arch: str, network: nn.Module) -> Normalization:
    """Return the normalisation of the images that a network of that architecture takes."""
    if arch in efficientnet_lite.VARIANTS:
        return Normalization(efficientnet_lite.MEAN, efficientnet_lite.STD)
    if arch.startswith(TIMM):
        config: Any = network.default_cfg
        return Normalization(tuple(config["mean"]), tuple(config["std"]))
    return Normalization()


def better_size(arch: str, size: int) -> str:
    """Return a hint for a network that cannot take images of `size` pixels."""
    min_size = 1
    if arch in models.list_models(module=models):
        min_size = max(models.get_model_weights(arch).DEFAULT.meta.get("min_size", (1, 1)))
    return f"try --size {min_size if min_size > size else 224}"


def output_layer(network: nn.Module) -> str:
    """Return the output layer's name: the last linear or convolutional layer (in SqueezeNet a convolution)."""
    weighted: list[str] = [name for name, part in network.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    return weighted[-1]


def blocks(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the network's children by name; an `nn.Sequential` is replaced by its children, one level deep."""
    found: list[tuple[str, nn.Module]] = []
    for name, part in network.named_children():
        inner = list(part.named_children()) if isinstance(part, nn.Sequential) else []
        found += [(f"{name}.{place}", block) for place, block in inner] or [(name, part)]
    return found


def _settings(arch: str, size: int) -> dict[str, Any]:
    """Return the keyword arguments that some networks of torchvision need."""
    if arch in ("googlenet", "inception_v3"):
        # Their ImageNet weights expect inputs in [-1, 1]; transform_input converts the usual normalisation to that.
        return {"aux_logits": False, "init_weights": True, "transform_input": True}
    if arch.startswith("vit_"):
        return {"image_size": size}
    return {"input_size": (size, size)} if arch.startswith("maxvit_") else {}


def _neighbours(name: str, names: list[str]) -> str:
    return f"similar names: {', '.join(difflib.get_close_matches(name, names, n=4, cutoff=0.4)) or 'none'}"
