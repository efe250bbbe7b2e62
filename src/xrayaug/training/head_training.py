"""Training of a classifier's output layer alone, on features of the frozen backbone that were computed before.

Every image is seen under fixed views instead of random flips and rotations. The draws that would give the random
augmentation choose the view, so that arms stay paired.
"""

import torch
from torch import Tensor, nn

from xrayaug.networks import classifier
from xrayaug.training.classifier_training import ClassifierTrainer


class HeadTrainer(ClassifierTrainer):
    """A training run of the output layer; its training and validation "pixels" are features `[N, K, D]`."""

    def _build(self, seed: int) -> nn.Module:
        """Return the output layer; its initial weights do not depend on those of the backbone."""
        return classifier.output_layer(classifier.build(self.options.arch, size=self.options.size, seed=seed))

    @property
    def _stored_part(self) -> nn.Module:
        return self.network

    def _augmentations(self, draws: Tensor) -> Tensor:
        """Return the number of each image's view, int64 `[N]`, for uniform draws `[N, 2]`."""
        views = self.training_data.train.pixels[:1].shape[1]
        # Both numbers count, as for a random flip and angle; the sum of uniform numbers modulo 1 is uniform.
        return (draws.sum(dim=1).frac() * views).long().clamp_(max=views - 1)

    def _training_logits(self, batch: Tensor, augmentations: Tensor, *inputs: Tensor) -> Tensor:
        features = self.training_data.train.pixels.gather(batch, *inputs)
        return classifier.head_logits(
            self.network, features[torch.arange(len(batch), device=features.device), augmentations]
        )

    def _validation_logits(self) -> Tensor:
        with torch.inference_mode():
            features = self.training_data.valid.pixels[:][:, 0]
            return classifier.head_logits(self.network, features).double().cpu()
