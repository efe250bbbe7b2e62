"""The options of `xrayaug privacy`."""

from dataclasses import dataclass
from pathlib import Path

from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.mixins import CacheOptions, CheckpointOptions, DeviceOptions, FeatureOptions


@dataclass(frozen=True, kw_only=True)
class Privacy(FeatureOptions, CheckpointOptions, CacheOptions, DeviceOptions, Command):
    """Test whether synthetic images tell which patients their generator was trained on."""

    name = "privacy"
    example = "xrayaug privacy data/synthetic --real data/rsna --features imagenet --out privacy"
    is_shared = True

    synthetic: Path = option(help="Dataset of synthetic images to examine.", role=Role.INPUT, positional=True)
    real: Path = option(
        help="Dataset that their generator was trained on. Its validation and test images are of patients who were not "
        "trained on.",
        role=Role.INPUT,
    )
    level: float = option(
        0.05,
        help="Significance level of all tests together: the probability that a set which tells nothing fails.",
        panel=Panel.EVALUATION,
        above=0,
        maximum=0.5,
    )
