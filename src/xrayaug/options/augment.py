"""The options of `xrayaug augment`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.choices import Control
from xrayaug.options.mixins import CacheOptions


@dataclass(frozen=True, kw_only=True)
class Augment(CacheOptions, Command):
    """Make one arm: add a dose of synthetic images, or of a control, to the training split of a dataset."""

    name = "augment"
    example = "xrayaug augment --real data/mura --synthetic data/synthetic --percent 10 --seed 0 --out arms/010"

    real: Path = option(help="Dataset of real images. Its valid and test splits stay as they are.", role=Role.INPUT)
    synthetic: Path | None = option(
        None,
        help="Dataset of synthetic images to draw from. Not needed for 0 percent, nor for the controls duplicate, "
        "classical, reweight and more-real.",
        role=Role.INPUT,
        default_text="none",
    )
    percent: float = option(
        help="Synthetic images to add, in percent of the normal real training images (but see --label balance).",
        minimum=0,
    )
    label: Literal["normal", "abnormal", "balance"] | None = option(
        None,
        help="Label of the synthetic images: the label of a set without labels, or the one to select from a set with "
        "both. balance adds the rarer label, in percent of what it lacks.",
        panel=Panel.DATA,
        default_text="the labels that they were drawn with",
    )
    control: Control | None = option(
        None,
        help="Make a control of the same dose instead: duplicate repeats real images, classical repeats them with "
        "classical augmentation, reweight only weights the class in the loss, shuffle shuffles the labels of the "
        "added images, low-resolution repeats real images at the size of the synthetic ones, more-real adds real "
        "images that --real-fraction leaves out.",
        panel=Panel.DATA,
        default_text="none",
    )
    copies: Path | None = option(
        None,
        help="Result of xrayaug copies for the synthetic set. The images that it flags are left out.",
        role=Role.INPUT,
        panel=Panel.DATA,
        default_text="none",
    )
    keep_copies: bool = option(False, help="Add the images that --copies flags all the same.", panel=Panel.DATA)
    real_fraction: float = option(
        1.0,
        help="Share of the real training patients to keep, to study smaller datasets.",
        panel=Panel.DATA,
        above=0,
        maximum=1,
    )
