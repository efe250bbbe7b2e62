"""The words that options of several commands may take."""

from typing import Literal

from xrayaug.runtime import plugins

SOURCES = plugins.names("data.sources")
ARCHITECTURES = plugins.names("networks.gans")

Part = Literal["elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist", "all"]
Label = Literal["normal", "abnormal"]
Control = Literal["duplicate", "classical", "reweight", "shuffle"]
Split = Literal["train", "valid", "test"]
Metric = Literal["auroc", "accuracy", "balanced-accuracy", "kappa", "average-precision", "f1"]
Case = Literal["image", "study", "patient"]
Loss = Literal["bce", "nonsaturating", "hinge", "wgan", "relativistic"]
Augmentation = Literal["none", "diffaugment", "ada"]
Duplicates = Literal["error", "warn", "exact"]
