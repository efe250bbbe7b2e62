"""The 384 features of DINOv2's ViT-S/14 (Oquab et al. 2024, arXiv:2304.07193), which see more of shape than Inception.

(Stein et al. 2023, arXiv:2306.04675, compare features of generated images with human judgement.) The network is timm's
`vit_small_patch14_dinov2`. See `metrics.dinov2_features` for its weights.
"""

from pathlib import Path

import torch

from xrayaug.metrics.dinov2_features import Dinov2Features
from xrayaug.metrics.features import NetworkFeatureExtractor

HAS_WEIGHTS_FILE = True
IS_SCALED = False
DIMS = 384
FEATURES = Dinov2Features("dinov2", "timm:vit_small_patch14_dinov2", size=224)


def describe(weights: Path | None, seed: int) -> str:
    """Return the network and its weights."""
    return FEATURES.describe(weights)


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> NetworkFeatureExtractor:
    """Return the extractor."""
    return FEATURES.load(device, weights)
