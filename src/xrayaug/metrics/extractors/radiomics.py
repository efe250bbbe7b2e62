"""The 380 radiomics features of `xrayaug.metrics.radiomics`, for a Fréchet radiomic distance.

(Konz et al. 2024, arXiv:2412.01496.) They need no network and no weights. Each has a unit and a scale of its own, so
sets are compared after `metrics.feature_scaling`.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from xrayaug.data.image_sets import ImagePixels
from xrayaug.metrics import radiomics
from xrayaug.metrics.features import resize_grey
from xrayaug.stats.array_types import FeatureArray

HAS_WEIGHTS_FILE = False
IS_SCALED = True
DIMS = len(radiomics.NAMES)
NAME = f"radiomics features of {radiomics.SIZE} x {radiomics.SIZE} pixels, no network"
PREPROCESSING = f"v2: 8-bit grey, bicubic (antialiased) to {radiomics.SIZE} x {radiomics.SIZE}"


class RadiomicsExtractor:
    """Radiomics features, computed on the CPU."""

    learnt_from = None
    dims = DIMS
    device = torch.device("cpu")
    origin = {  # noqa: RUF012
        "features": "radiomics",
        "network_name": NAME,
        "network": hashlib.sha256("\n".join((PREPROCESSING, *radiomics.NAMES)).encode()).hexdigest(),
        "dims": str(DIMS),
        "preprocessing": PREPROCESSING,
    }

    def features(self, pictures: Sequence[ImagePixels]) -> FeatureArray:
        """Return the features `[N, D]`."""
        resized = np.stack([resize_grey(picture, radiomics.SIZE) for picture in pictures])
        return radiomics.compute_features(resized).astype(np.float32)

    def begin(self, pictures: Sequence[ImagePixels]) -> Callable[[], FeatureArray]:
        """Compute the features `[N, D]`; return a function that returns them."""
        features = self.features(pictures)
        return lambda: features


def describe(weights: Path | None, seed: int) -> str:
    """Return that there are no weights."""
    return "none (not FID)"


def load(device: torch.device, dims: int, weights: Path | None, seed: int) -> RadiomicsExtractor:
    """Return the extractor."""
    return RadiomicsExtractor()
