"""Inception's features with pytorch-fid's weights, on which FID is defined (Heusel et al. 2017, arXiv:1706.08500)."""

from pathlib import Path

import torch

from xrayaug.metrics.features import InceptionFeatureExtractor
from xrayaug.networks import inception
from xrayaug.storage.weights import file_hash

HAS_WEIGHTS_FILE = True
IS_SCALED = False
DIMS = None


def describe(weights: Path | None, seed: int) -> str:
    """Return the file of the weights, or where it would be downloaded from."""
    file = weights or inception.cached_weights_path()
    if weights is None:
        if not file.exists():
            return f"would be downloaded from {inception.WEIGHTS_URL} to {file}"
        inception.check_hash(file)
    sha256 = file_hash(file)
    kind = "Inception" if sha256.startswith(inception.HASH_PREFIX) else "custom weights (not FID)"
    return f"{kind}, {file}, sha256 {sha256}"


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> InceptionFeatureExtractor:
    """Return the extractor; without a file the weights are downloaded if they are missing."""
    return InceptionFeatureExtractor(inception.load_weights(weights), dims, device)
