"""Inception's features with seeded random weights: no download, and no FID."""

from pathlib import Path

import torch

from xrayaug.metrics.features import InceptionFeatureExtractor
from xrayaug.networks import inception

HAS_WEIGHTS_FILE = False
IS_SCALED = False
DIMS = None


def describe(weights: Path | None, seed: int) -> str:
    """Return the seed."""
    return f"random weights, seed {seed} (not FID)"


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> InceptionFeatureExtractor:
    """Return the extractor."""
    return InceptionFeatureExtractor(inception.random_weights(seed), dims, device)
