"""The 1280 pooled features of EfficientNet-Lite0 trained on ImageNet, whose weights are installed with this package.

A distance over them is no FID and compares with none, but it sees what the eye sees, and needs no download.
"""

from pathlib import Path

import torch

from xrayaug.metrics.features import NetworkFeatureExtractor
from xrayaug.networks import classifier, efficientnet_lite, pretrained
from xrayaug.networks.efficientnet_lite import VARIANTS

HAS_WEIGHTS_FILE = False
IS_SCALED = False
DIMS = efficientnet_lite.HEAD_WIDTH
ARCH, SIZE = "efficientnet_lite0", 224


def describe(weights: Path | None, seed: int) -> str:
    """Return the network and the package of its weights."""
    pretrained.imagenet_file(ARCH)
    return f"{ARCH} of the package {VARIANTS[ARCH].package} (not FID)"


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> NetworkFeatureExtractor:
    """Return the extractor."""
    network = classifier.build(ARCH, size=SIZE, weights="imagenet")
    name = f"{ARCH} at {SIZE} pixels, trained on ImageNet"
    return NetworkFeatureExtractor(
        network, ARCH, SIZE, device, kind="imagenet", name=name, weights=VARIANTS[ARCH].sha256
    )
