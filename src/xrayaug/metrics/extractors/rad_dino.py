"""The 768 features of RAD-DINO, a DINOv2 ViT-B/14 that was trained on chest radiographs.

(Pérez-García et al. 2025, Nature Machine Intelligence 7:119, arXiv:2401.10815.) The weights are those of
`microsoft/rad-dino` on the Hugging Face hub: `model.safetensors`, or `backbone_compatible.safetensors`, which has the
names of DINOv2's authors. Images are prepared as its `preprocessor_config.json` says: the shorter side is resized to
518 pixels, the square in the middle is cut out, and mean and deviation are those of its training images. The network is
timm's `vit_base_patch14_dinov2`.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from xrayaug.data.image_sets import ImagePixels
from xrayaug.metrics.dinov2_features import Dinov2Features
from xrayaug.metrics.features import NetworkFeatureExtractor
from xrayaug.networks.architectures import Normalization

HAS_WEIGHTS_FILE = True
IS_SCALED = False
DIMS = 768
SIZE, MEAN, DEVIATION = 518, 0.5307, 0.2583


def crop_to_square(picture: ImagePixels, size: int) -> ImagePixels:
    """Return the middle of a picture whose shorter side is resized to `size` pixels: grey, uint8 `[size, size]`."""
    grey = Image.fromarray(picture).convert("L")
    shorter = min(grey.size)
    width, height = (int(size * side / shorter) for side in grey.size)
    resized = grey if grey.size == (width, height) else grey.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(resized.crop((left, top, left + size, top + size)))


FEATURES = Dinov2Features(
    "rad-dino",
    "timm:vit_base_patch14_dinov2",
    size=SIZE,
    repository="microsoft/rad-dino",
    normalization=Normalization((MEAN,) * 3, (DEVIATION,) * 3),
    preprocessing=f"v1: 8-bit grey, shorter side bicubic (antialiased) to {SIZE}, the square in the middle, / 255, "
    f"mean {MEAN}, deviation {DEVIATION}",
    resize=crop_to_square,
)


def describe(weights: Path | None, seed: int) -> str:
    """Return the network and its weights."""
    return FEATURES.describe(weights)


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> NetworkFeatureExtractor:
    """Return the extractor."""
    return FEATURES.load(device, weights)
