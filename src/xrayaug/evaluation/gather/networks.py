"""The trained networks of classifier runs, which need nothing of the data that they were trained on."""

from dataclasses import dataclass

import torch
from torch import nn

from xrayaug.data.arms import ArmSettings, name_arm, read_arm
from xrayaug.data.images.arrays import MAX_SIDE
from xrayaug.networks import classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.files import WEIGHTS_FILE


@dataclass(frozen=True)
class SavedNetwork:
    """The network of a classifier run on disk: a `TrainedNetwork`, whose methods load what they return."""

    name: str  # the path, as it was given
    artifact: Artifact

    @property
    def seed(self) -> int:
        """Seed that it was trained with."""
        return self.artifact.get(int, "options", "seed", minimum=0)

    @property
    def arm(self) -> ArmSettings:
        """Settings of the arm it was trained on."""
        return read_arm(self.artifact).settings

    @property
    def arch(self) -> str:
        """Architecture of the network."""
        return self.artifact.get(str, "options", "arch")

    @property
    def size(self) -> int:
        """Size of the images that the network reads, in pixels."""
        return self.artifact.get(int, "options", "size", minimum=1, maximum=MAX_SIDE)

    @property
    def arm_name(self) -> str:
        """Short name of the arm: see `name_arm`."""
        return name_arm(self.arm)

    def load_network(self, device: torch.device) -> Classifier:
        """Load the trained network onto a device.

        Raises:
            WeightsError: the weights do not fit the network that the manifest names.
        """
        return classifier.restore(self.artifact.file(WEIGHTS_FILE), self.arch, size=self.size).to(device)

    @property
    def backbone(self) -> str | None:
        """The sha256 of the frozen weights; None if more than the output layer was trained."""
        if self.artifact.result.get("backbone_sha256") is None:
            return None
        return self.artifact.get(str, "result", "backbone_sha256")

    def load_output_layer(self) -> nn.Module:
        """Load the output layer alone, onto the CPU.

        Raises:
            WeightsError: the weights do not fit the network that the manifest names.
        """
        return classifier.restore_output_layer(self.artifact.file(WEIGHTS_FILE), self.arch, size=self.size)
