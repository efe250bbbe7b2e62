"""Probabilities and features of images by the runs' networks.

Runs that trained the output layer alone (`train-classifier --train head`) often share their backbone. Its features are
then computed once for all of them, and cached as in training.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from xrayaug.data.images.loaders import StreamingLoader
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation.classifier_run import TrainedNetwork
from xrayaug.metrics.backbone_features import IDENTITY, BackboneFeatures
from xrayaug.networks import classifier
from xrayaug.stats.array_types import FeatureArray
from xrayaug.stats.classification import Probabilities


class Inference:
    """Networks of classifier runs, loaded one at a time.

    Args:
        device: to compute on.
        batch_size: images a pass.
        cache: directory of cached features; None for no cache.
    """

    def __init__(self, device: torch.device, batch_size: int, cache: Path | None) -> None:
        self.device = device
        self.batch_size = batch_size
        self.cache = cache
        self._backbones: dict[tuple[str, int], BackboneFeatures] = {}  # by identity and size of the images

    def probabilities(self, run: TrainedNetwork, *parts: Stack) -> list[Probabilities]:
        """Return the probabilities of being abnormal, float64 `[N]`, of each stack of images at the network's size.

        Raises:
            WeightsError: the weights do not fit the network that the run names, or give NaN.
        """
        if run.backbone is None:
            network = run.load_network(self.device)
            loaders = [StreamingLoader(images, self.device) for images in parts]
            return [
                classifier.predict_probabilities(network, pixels, batch_size=self.batch_size, device=self.device)
                for pixels in loaders
            ]
        features = [torch.from_numpy(self.features(run, images)) for images in parts]
        head = run.load_output_layer()
        with torch.inference_mode():
            logits = [classifier.head_logits(head, part).double() for part in features]
        return [classifier.to_probabilities(part) for part in logits]

    def features(
        self, run: TrainedNetwork, images: Stack, advance: Callable[[int], object] = lambda _: None
    ) -> FeatureArray:
        """Return the inputs of the run's output layer, `[N, D]`; `advance` is called with the images that are done.

        Raises:
            WeightsError: the weights do not fit the network that the run names.
        """
        if run.backbone is not None:
            key = run.backbone, images.shape[1]
            if key not in self._backbones:
                network = run.load_network(self.device).eval()
                self._backbones[key] = BackboneFeatures(network, self.device, self.cache, keep=True)
            return self._backbones[key].extract(images, [IDENTITY], advance)[:, 0].numpy()
        network = run.load_network(self.device).eval()
        features = np.empty((len(images), classifier.count_features(network)), np.float32)
        for start in range(0, len(images), self.batch_size):
            pixels = torch.from_numpy(images.read(slice(start, start + self.batch_size))).to(self.device)
            with torch.inference_mode():
                part = classifier.penultimate_features(network, classifier.to_input(pixels))
            features[start : start + len(part)] = part.float().cpu().numpy()
            advance(len(part))
        return features
