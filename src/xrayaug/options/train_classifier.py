"""The options of `xrayaug train-classifier`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xrayaug.errors import UsageError
from xrayaug.options.base import Command, Panel, Role, format_value, option
from xrayaug.options.choices import Budget
from xrayaug.options.mixins import (
    CheckpointOptions,
    DeviceOptions,
    FeatureCacheOptions,
    StepOptions,
    TensorBoardOptions,
    TrainingOptions,
)

LAST_BLOCKS = re.compile(r"last-([1-9]\d{0,3})")
SEED = "{seed}"  # the placeholder for the seed in the --out of several


@dataclass(frozen=True)
class ClassifierRecipe:
    """Default hyperparameters that depend on which layers are trained; the defaults are the thesis's."""

    epochs: int = 10
    lr: float = 1e-4
    patience: int = 1


RECIPE = ClassifierRecipe()
HEAD_RECIPE = ClassifierRecipe(epochs=30, lr=3e-3, patience=5)  # an output layer alone is convex, and quick


def _recipe_option(name: str, help: str, **bounds: Any) -> Any:
    """Declare an option whose default is in the recipe of the trained layers."""
    default_text = f"{format_value(getattr(RECIPE, name))}; {format_value(getattr(HEAD_RECIPE, name))} for --train head"
    return option(None, help=help, panel=Panel.TRAINING, default_text=default_text, **bounds)


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(
    TrainingOptions,
    CheckpointOptions,
    FeatureCacheOptions,
    DeviceOptions,
    StepOptions,
    TensorBoardOptions,
    Command,
):
    """Train a classifier of abnormality on a dataset or an arm. It never sees the test split."""

    name = "train-classifier"
    example = "xrayaug train-classifier --data arms/010 --weights imagenet --epochs 10 --seed 0 --out runs/010-0"
    is_shared = True

    data: Path = option(help="Dataset or arm to train on.", role=Role.INPUT)
    arch: str = option(
        "densenet169",
        help="Classification network: any of torchvision; efficientnet_lite0, efficientnet_lite1 or "
        "efficientnet_lite2; or timm:NAME for any of timm, which needs the extra timm.",
        metavar="NAME",
    )
    weights: str = option(
        "imagenet",
        help="Initial weights: imagenet (installed with xrayaug for efficientnet_lite0, otherwise possibly "
        "downloaded), none (random), or a file.",
        panel=Panel.MODEL,
        metavar="NAME|FILE",
    )
    init: Path | None = option(
        None,
        help="Classifier run on an arm to start from, to fine-tune it on the real images of --data. It must have the "
        "same network, size and initial weights. With --seeds, {seed} in it stands for the seed.",
        role=Role.INPUT,
        panel=Panel.MODEL,
        default_text="start from --weights",
    )
    size: int = option(
        224,
        help="Width and height of the images that the network sees, in pixels.",
        panel=Panel.MODEL,
        minimum=16,
        maximum=4096,
    )
    train: str = option(
        "all",
        help="Layers to train: all; last-N, the last N blocks (--dry-run lists them); or head, the output layer "
        "alone, on features that are computed once for each image and view, and cached.",
        panel=Panel.MODEL,
        metavar="LAYERS",
    )
    views: int = option(
        4,
        help="With --train head, the fixed augmented views of each image, which stand for --flip and --rotation. "
        "Equal ones count once: with --rotation 0 there are two, or one with --no-flip.",
        panel=Panel.TRAINING,
        minimum=1,
        maximum=64,
    )
    epochs: int | None = _recipe_option("epochs", "Passes over the training images (but see --budget).", minimum=1)
    budget: Budget = option(
        "epochs",
        help="What is equal in all arms: epochs over their own images, or optimiser steps, as many as the real images "
        "alone take.",
        panel=Panel.TRAINING,
    )
    batch_size: int = option(
        8, help="Images per optimiser step; batch norm needs at least two.", panel=Panel.TRAINING, minimum=2
    )
    lr: float | None = _recipe_option("lr", "Initial learning rate of Adam.", above=0)
    patience: int | None = _recipe_option(
        "patience",
        "Epochs without a better validation loss after which the learning rate is divided by ten.",
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

    @property
    def recipe(self) -> ClassifierRecipe:
        """The hyperparameters that were given, and the defaults of the trained layers for the others."""
        defaults = HEAD_RECIPE if self.train == "head" else RECIPE
        given = {name: getattr(self, name) for name in vars(defaults)}
        return replace(defaults, **{name: value for name, value in given.items() if value is not None})

    @property
    def trained_blocks(self) -> int | None:
        """Number N of `--train last-N`; None for all layers, or for the output layer alone.

        Raises:
            UsageError: the value of `--train` is unknown.
        """
        if self.train in ("all", "head"):
            return None
        match = LAST_BLOCKS.fullmatch(self.train)
        if match is None:
            raise UsageError(f"--train is {self.train}", "it must be all, head, or last-N with a number N of blocks")
        return int(match[1])

    def check_trained_layers(self) -> None:
        """Check the value of `--train`.

        Raises:
            UsageError: it is unknown, or a frozen backbone would have random weights, which differ between seeds.
        """
        if self.trained_blocks is None and self.train == "head" and self.weights == "none":
            raise UsageError("--train head needs a pretrained network", "--weights imagenet, or a weights file")

    def parts(self) -> "Sequence[TrainClassifier]":
        """Return one command for each seed, as if it were trained alone.

        Raises:
            UsageError: `--out` has no placeholder for the seed.
        """
        if self.seeds is None:
            return (self,)
        if SEED not in str(self.out):
            raise UsageError(f"--seeds needs an --out for each, and {self.out} has no {SEED}", f"--out 'runs/{SEED}'")
        return [
            replace(self, seeds=None, seed=seed, out=_insert_seed(self.out, seed), init=_insert_seed(self.init, seed))
            for seed in range(self.seed, self.seed + self.seeds)
        ]

    def identity(self) -> dict[str, Any]:
        """Return the settings; those of a weights file are replaced by "file", as its content is an input."""
        settings = super().identity() | vars(self.recipe)
        if self.weights not in ("imagenet", "none"):
            settings["weights"] = "file"
        if self.train == "head":  # an output layer alone is trained in fp32, and has no batch norm
            settings |= {"precision": "fp32", "sync_bn": False}
        else:
            del settings["views"]
        if self.train == "all":
            del settings["train"]
        return settings

    def inputs(self) -> dict[str, Path]:
        """Return the dataset, and the weights if they are a file."""
        weights = {} if self.weights in ("imagenet", "none") else {"weights": Path(self.weights)}
        return super().inputs() | weights


def _insert_seed(path: Path | None, seed: int) -> Any:
    """Return a path with the seed in place of its placeholder; None for None."""
    return None if path is None else Path(str(path).replace(SEED, str(seed)))
