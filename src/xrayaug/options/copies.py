"""The options of `xrayaug copies`."""

from dataclasses import dataclass
from pathlib import Path

from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.mixins import CacheOptions, CheckpointOptions, DeviceOptions, FeatureOptions


@dataclass(frozen=True, kw_only=True)
class Copies(FeatureOptions, CheckpointOptions, CacheOptions, DeviceOptions, Command):
    """Find synthetic images that copy training images, with real images that were never trained on as reference."""

    name = "copies"
    example = "xrayaug copies data/synthetic --real data/rsna --features random --out copies"
    is_shared = True

    synthetic: Path = option(help="Dataset of synthetic images to examine.", role=Role.INPUT, positional=True)
    real: Path = option(help="Dataset that their generator was trained on.", role=Role.INPUT)
    alpha: float = option(
        0.01,
        help="Share of unseen real images that each comparison may flag as copies (its false positive rate).",
        panel=Panel.EVALUATION,
        above=0,
        maximum=0.5,
    )
    level: float = option(
        0.01,
        help="Significance level of the whole set: the probability that a set of unseen real images fails.",
        panel=Panel.EVALUATION,
        above=0,
        maximum=0.5,
    )
