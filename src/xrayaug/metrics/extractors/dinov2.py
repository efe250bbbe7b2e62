"""The 384 features of DINOv2's ViT-S/14 (Oquab et al. 2024, arXiv:2304.07193), which see more of shape than Inception.

(Stein et al. 2023, arXiv:2306.04675, compare features of generated images with human judgement.) The network is timm's
`vit_small_patch14_dinov2`; its weights come from the file of `--weights`, or from timm's cache.
"""

from pathlib import Path

import torch

from xrayaug.metrics.backbone_features import backbone_identity
from xrayaug.metrics.features import NetworkFeatureExtractor
from xrayaug.networks import classifier

HAS_WEIGHTS_FILE = True
ARCH, SIZE = "timm:vit_small_patch14_dinov2", 224


def describe(weights: Path | None, seed: int) -> str:
    """Return the network and its weights."""
    return f"{ARCH}, weights {weights or 'of timm'} (not FID)"


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> NetworkFeatureExtractor:
    """Return the extractor."""
    network = classifier.build(ARCH, size=SIZE, weights="imagenet" if weights is None else str(weights))
    identity = backbone_identity(network)
    name = f"{ARCH.removeprefix('timm:')} at {SIZE} pixels"
    return NetworkFeatureExtractor(network, ARCH, SIZE, device, kind="dinov2", name=name, weights=identity)
