"""Trained networks, and the classifier runs that are measured, as `inference`, `measure` and `audits` see them."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import nn

from xrayaug.data.dataset import Row
from xrayaug.data.images.stack import Stack
from xrayaug.evaluation.predictions import RunInfo
from xrayaug.evaluation.study_facts import DrawnSet
from xrayaug.networks.classifier import Classifier


class TrainedNetwork(Protocol):
    """The network of a classifier run, which stays on disk until a method loads it."""

    def load_network(self, device: torch.device) -> Classifier:
        """Load the trained network onto a device.

        Raises:
            WeightsError: the weights do not fit the network that the run names.
        """

    @property
    def backbone(self) -> str | None:
        """The sha256 of the frozen weights; None if more than the output layer was trained."""

    def load_output_layer(self) -> nn.Module:
        """Load the output layer alone, onto the CPU.

        Raises:
            WeightsError: the weights do not fit the network that the run names.
        """


class ClassifierRun(TrainedNetwork, Protocol):
    """A trained classifier with the images of its dataset.

    `gather` opens and checks the run. Its weights and pixels stay on disk until a method here asks for them, because
    those of all runs need not fit in memory; these methods are the only ones that read anything after `gather`.
    """

    @property
    def info(self) -> RunInfo:
        """Name, arm and seed of the run."""

    @property
    def size(self) -> int:
        """Size of the images that the network reads, in pixels."""

    @property
    def drawn_images(self) -> Sequence[DrawnSet]:
        """The synthetic datasets that it was trained on images of."""

    @property
    def dose_rows(self) -> Sequence[Row]:
        """All images of the dataset that holds what its arm adds: that of the first phase of training."""

    @property
    def valid(self) -> Sequence[Row]:
        """Validation images."""

    @property
    def test(self) -> Sequence[Row]:
        """Test images."""

    def stack(self, rows: Sequence[Row]) -> Stack:
        """Return images of the run's dataset at the size of its network, read on demand."""

    def stack_dose(self, rows: Sequence[Row]) -> Stack:
        """Return images of the dataset of `dose_rows` at the size of its network, read on demand."""
