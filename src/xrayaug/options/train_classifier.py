"""The options of `xrayaug train-classifier`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xrayaug.errors import UsageError
from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.choices import Budget
from xrayaug.options.mixins import CacheOptions, CheckpointOptions, DeviceOptions, StepOptions, TrainingOptions

SEED = "{seed}"  # the placeholder for the seed in the --out of several


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(TrainingOptions, CheckpointOptions, CacheOptions, DeviceOptions, StepOptions, Command):
    """Train a classifier of abnormality on a dataset or an arm. It never sees the test split."""

    name = "train-classifier"
    example = "xrayaug train-classifier --data arms/010 --weights imagenet --epochs 10 --seed 0 --out runs/010-0"
    is_shared = True

    data: Path = option(help="Dataset or arm to train on.", role=Role.INPUT)
    arch: str = option("densenet169", help="Any classification network of torchvision.", metavar="NAME")
    weights: str = option(
        "imagenet",
        help="Initial weights: imagenet, none (random), or a file.",
        panel=Panel.MODEL,
        metavar="NAME|FILE",
    )
    size: int = option(
        224,
        help="Width and height of the images that the network sees, in pixels.",
        panel=Panel.MODEL,
        minimum=16,
        maximum=4096,
    )
    epochs: int = option(10, help="Passes over the training images (but see --budget).", minimum=1)
    budget: Budget = option(
        "epochs",
        help="What is equal in all arms: epochs over their own images, or optimiser steps, as many as the real images "
        "alone take.",
        panel=Panel.TRAINING,
    )
    batch_size: int = option(
        8, help="Images per optimiser step; batch norm needs at least two.", panel=Panel.TRAINING, minimum=2
    )
    lr: float = option(1e-4, help="Initial learning rate of Adam.", panel=Panel.TRAINING, above=0)
    patience: int = option(
        1,
        help="Epochs without a better validation loss after which the learning rate is divided by ten.",
        panel=Panel.TRAINING,
        minimum=0,
    )
    flip: bool = option(True, help="Randomly flip training images left to right.", panel=Panel.TRAINING)
    rotation: float = option(
        10.0,
        help="Largest angle by which training images are randomly rotated, in degrees.",
        panel=Panel.TRAINING,
        minimum=0,
        maximum=180,
    )
    seeds: int | None = option(
        None,
        help="Train this many networks together on one device, with the seeds --seed, --seed + 1, ... The --out must "
        "contain {seed}, which stands for the seed.",
        role=Role.EXECUTION,
        minimum=1,
        default_text="one network, with --seed",
    )

    def parts(self) -> "Sequence[TrainClassifier]":
        """Return one command for each seed, as if it were trained alone.

        Raises:
            UsageError: `--out` has no placeholder for the seed.
        """
        if self.seeds is None:
            return (self,)
        if SEED not in str(self.out):
            raise UsageError(f"--seeds needs an --out for each, and {self.out} has no {SEED}", f"--out 'runs/{SEED}'")
        outs = {seed: Path(str(self.out).replace(SEED, str(seed))) for seed in range(self.seed, self.seed + self.seeds)}
        return [replace(self, seeds=None, seed=seed, out=out) for seed, out in outs.items()]

    def identity(self) -> dict[str, Any]:
        """Return the settings; those of a weights file are replaced by "file", as its content is an input."""
        weights = {"weights": "file"} if self.weights not in ("imagenet", "none") else {}
        return super().identity() | weights

    def inputs(self) -> dict[str, Path]:
        """Return the dataset, and the weights if they are a file."""
        weights = {} if self.weights in ("imagenet", "none") else {"weights": Path(self.weights)}
        return super().inputs() | weights
