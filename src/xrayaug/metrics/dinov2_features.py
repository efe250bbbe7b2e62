"""Features of vision transformers that were trained as DINOv2: the class token after the last normalisation.

The networks are timm's. Their weights come from the file of `--weights`, in any of the forms in which they are
published (see `xrayaug.networks.dinov2`), or from the cache of timm and huggingface_hub, to which they are downloaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from xrayaug.data.image_sets import ImagePixels
from xrayaug.errors import UsageError, WeightsError
from xrayaug.metrics.backbone_features import backbone_identity
from xrayaug.metrics.features import NetworkFeatureExtractor
from xrayaug.networks import classifier
from xrayaug.networks.architectures import Normalization
from xrayaug.networks.classifier import Classifier

FILE = "model.safetensors"  # of a repository of the Hugging Face hub


@dataclass(frozen=True)
class Dinov2Features:
    """A kind of features.

    `repository` is that of the weights on the Hugging Face hub; None for those that timm finds. The others are None
    for DINOv2's own: its normalisation, and images that are resized to a square.
    """

    kind: str
    arch: str  # of timm
    size: int  # width and height of the images, in pixels
    repository: str | None = None
    normalization: Normalization | None = None
    preprocessing: str | None = None
    resize: Callable[[ImagePixels, int], ImagePixels] | None = None

    def describe(self, weights: Path | None) -> str:
        """Return the network and its weights, without downloading any.

        Raises:
            UsageError: timm is not installed.
            WeightsError: there is no such file.
        """
        self._check(weights)
        origin = f"of {self.repository}, from the cache or downloaded" if self.repository else "of timm"
        return f"{self.arch}, weights {weights or origin} (not FID)"

    def load(self, device: torch.device, weights: Path | None) -> NetworkFeatureExtractor:
        """Return the extractor.

        Raises:
            UsageError: timm is not installed.
            WeightsError: the weights are missing, damaged or of another network, or cannot be downloaded.
        """
        self._check(weights)
        network = self._normalized(self._build(weights))
        name = f"{self.arch.removeprefix('timm:')} at {self.size} pixels"
        if self.repository:
            name += f", trained as {self.kind}"
        return NetworkFeatureExtractor(
            network,
            self.arch,
            self.size,
            device,
            kind=self.kind,
            name=name,
            weights=backbone_identity(network),
            preprocessing=self.preprocessing,
            resize=self.resize,
        )

    def _build(self, weights: Path | None) -> Classifier:
        if weights is None and self.repository is not None:
            weights = self._download()
        try:
            return classifier.build(self.arch, size=self.size, weights="imagenet" if weights is None else str(weights))
        except WeightsError as problem:
            if weights is not None:
                raise
            raise WeightsError(problem.message, f"{problem.hint}, or give fid and copies --weights FILE") from None

    def _normalized(self, network: Classifier) -> Classifier:
        if self.normalization is None:
            return network
        normalized = Classifier(network.network, network.arch, self.normalization)
        return normalized.to(memory_format=torch.channels_last)

    def _download(self) -> Path:
        """Return the weights in huggingface_hub's cache, into which they are downloaded if they are missing."""
        try:
            return Path(import_module("huggingface_hub").hf_hub_download(self.repository, FILE))
        except Exception as problem:  # errors of any class: no connection, no permission, no space
            reason = str(problem).partition("\n")[0] or type(problem).__name__
            raise WeightsError(
                f"the weights of {self.kind} are not in huggingface_hub's cache and cannot be downloaded: {reason}",
                f"download {FILE} of huggingface.co/{self.repository} elsewhere; give fid and copies --weights FILE",
            ) from None

    def _check(self, weights: Path | None) -> None:
        if find_spec("timm") is None:
            raise UsageError(f"{self.kind} features need the package timm", "pip install timm")
        if weights is not None and weights.is_dir():
            raise WeightsError(f"{weights} is a directory", f"give the weights file, such as {weights / FILE}")
        if weights is not None and not weights.is_file():
            raise WeightsError(f"there is no weights file {weights}", "check the path")
