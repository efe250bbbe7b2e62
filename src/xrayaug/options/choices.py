"""The words that options of several commands may take."""

from typing import Literal, get_args

from xrayaug.runtime import plugins

SOURCES = plugins.names("data.sources")
ARCHITECTURES = plugins.names("networks.gans")
FEATURES = plugins.names("metrics.extractors")
EXPORT_FORMATS = plugins.names("data.exporters")
LAYERED_FEATURES = ("inception", "random")  # those of which --dims selects a layer
RANDOM_DIMS = 64  # random features per image where the user does not choose: they need not be as many as those of FID

Part = Literal["elbow", "finger", "forearm", "hand", "humerus", "shoulder", "wrist", "all"]
Label = Literal["normal", "abnormal"]
LABELS: tuple[Label, ...] = get_args(Label)  # an integer label is an index into this tuple
Control = Literal["duplicate", "classical", "reweight", "shuffle", "low-resolution", "more-real"]
Schedule = Literal["mixed", "synthetic-only", "pretrain", "mixed-pretrain"]
Split = Literal["train", "valid", "test"]
Metric = Literal["auroc", "accuracy", "balanced-accuracy", "kappa", "average-precision", "f1"]
SplitBy = Literal["patient", "image"]
Budget = Literal["epochs", "steps"]
Case = Literal["image", "study", "patient"]
Against = Literal["baseline", "control", "both"]
Loss = Literal["bce", "nonsaturating", "hinge", "wgan", "relativistic"]
Augmentation = Literal["none", "geometric", "diffaugment", "ada"]
Duplicates = Literal["error", "warn", "exact"]
