"""Options of all commands: one frozen dataclass per command, in a module of its own.

A field is the flag (`--batch-size`), its help, an argument of the Python API (`TrainGan(batch_size=...)`) and an entry
of the manifest. `base.py` has what all commands share, `mixins.py` what several share. Nothing here imports torch,
typer or rich at the top of a module.
"""

from typing import cast

from xrayaug.options.augment import Augment
from xrayaug.options.base import Command
from xrayaug.options.choices import (
    ARCHITECTURES,
    SOURCES,
    Against,
    Augmentation,
    Case,
    Control,
    Label,
    Loss,
    Metric,
    Split,
)
from xrayaug.options.copies import Copies
from xrayaug.options.evaluate import Evaluate
from xrayaug.options.experiment import PRESETS, Experiment
from xrayaug.options.export import Export
from xrayaug.options.fid import Fid
from xrayaug.options.phantom import Phantom
from xrayaug.options.predict import Predict
from xrayaug.options.prepare import Prepare
from xrayaug.options.privacy import Privacy
from xrayaug.options.sample import Sample
from xrayaug.options.train_classifier import SEED, TrainClassifier
from xrayaug.options.train_gan import TrainGan

COMMANDS: dict[str, type[Command]] = {
    command.name: cast(type[Command], command)
    for command in (
        Prepare, TrainGan, Sample, Fid, Copies, Privacy, Augment, TrainClassifier, Predict, Evaluate, Export, Phantom,
        Experiment,
    )
}  # fmt: skip

__all__ = [
    "ARCHITECTURES",
    "COMMANDS",
    "PRESETS",
    "SEED",
    "SOURCES",
    "Against",
    "Augment",
    "Augmentation",
    "Case",
    "Control",
    "Copies",
    "Evaluate",
    "Experiment",
    "Export",
    "Fid",
    "Label",
    "Loss",
    "Metric",
    "Phantom",
    "Predict",
    "Prepare",
    "Privacy",
    "Sample",
    "Split",
    "TrainClassifier",
    "TrainGan",
]
