"""Training of a classifier's output layer alone, on features of the frozen backbone that were computed before.

Every image is seen under fixed views instead of random flips and rotations. The draws that would give the random
augmentation choose the view, so that arms stay paired.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from xrayaug.networks import classifier
from xrayaug.options import TrainClassifier
from xrayaug.runtime.distributed import sharing
from xrayaug.runtime.distributed.sharing import BatchShard
from xrayaug.training.classifier_training import ClassifierTrainer, ClassifierTrainingData, open_init


class HeadTrainer(ClassifierTrainer):
    """A training run of the output layer; its training and validation "pixels" are features `[N, K, D]`."""

    def __init__(
        self, options: TrainClassifier, device: torch.device, directory: Path, training_data: ClassifierTrainingData
    ) -> None:
        super().__init__(options, device, directory, training_data)
        self._parameters = list(self.network.named_parameters())
        features = training_data.train.pixels[:]
        self._views = features.shape[1]
        self._features = features.flatten(0, 1)  # [N K, D], the K views of an image one after the other
        labels, (e0, e1) = training_data.train.labels, training_data.importance_weights
        self._loss_weights = labels * (e1 * training_data.w1) + (1 - labels) * (e0 * training_data.w0)  # [N]

    def _build(self, seed: int) -> nn.Module:
        """Return the output layer; its initial weights do not depend on those of the backbone."""
        if self.options.init:
            return classifier.restore_output_layer(open_init(self.options), self.options.arch, size=self.options.size)
        return classifier.output_layer(classifier.build(self.options.arch, size=self.options.size, seed=seed))

    @property
    def _stored_part(self) -> nn.Module:
        return self.network

    def _augmentations(self, draws: Tensor) -> Tensor:
        """Return the row of each image's view among all features, int64 `[N]`, for uniform draws `[N, 2]`."""
        # Both numbers count, as for a random flip and angle; the sum of uniform numbers modulo 1 is uniform.
        views = (draws.sum(dim=1).frac() * self._views).long().clamp_(max=self._views - 1)
        return torch.arange(len(draws)) * self._views + views

    def _run_step(self, shard: BatchShard | None, *inputs: Tensor) -> Tensor:
        """Take a step on this process's shard of a batch, and return the whole batch's loss; nothing is random."""
        with sharing.use_shard(shard):
            return self.recorder.run(self._step, *inputs, seed=0, key=shard)

    @torch.no_grad()
    def _step(self, batch: Tensor, augmentations: Tensor, *_: Tensor) -> Tensor:
        """Take an optimiser step and return the whole batch's loss before it; the arguments are those of the base.

        The gradient is in closed form (Bishop 2006, Pattern Recognition and Machine Learning, section 4.3.2): for
        logits z = X w + b, labels y and loss weights c it is X^T g, with g = c (sigmoid(z) - y) / B. Autograd takes
        longer for so small a layer than all else.
        """
        features = self._features.index_select(0, augmentations)
        labels, weights = self.training_data.train.labels[batch], self._loss_weights[batch]
        logits = classifier.head_logits(self.network, features)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, weights)
        slopes = sharing.scale_loss((logits.sigmoid() - labels) * weights / len(batch))
        for name, parameter in self._parameters:
            gradient = slopes.sum() if name == "bias" else slopes @ features
            parameter.grad = gradient.view_as(parameter)
        (mean_loss,) = sharing.reduce_gradients(self.network, means=[loss])
        self.optimiser.step()
        return mean_loss

    def _validation_logits(self) -> Tensor:
        with torch.inference_mode():
            features = self.training_data.valid.pixels[:][:, 0]
            return classifier.head_logits(self.network, features).double().cpu()
