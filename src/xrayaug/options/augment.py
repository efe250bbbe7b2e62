"""The options of `xrayaug augment`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xrayaug.options.base import Command, Panel, Role, option, parse_numbers, parse_paths
from xrayaug.options.choices import Control
from xrayaug.options.mixins import CacheOptions


@dataclass(frozen=True, kw_only=True)
class Augment(CacheOptions, Command):
    """Make one arm: add a dose of synthetic images, or of a control, to the training split of a dataset."""

    name = "augment"
    example = "xrayaug augment --real data/mura --synthetic data/synthetic --percent 10 --seed 0 --out arms/010"

    real: Path = option(help="Dataset of real images. Its valid and test splits stay as they are.", role=Role.INPUT)
    synthetic: tuple[Path, ...] | None = option(
        None,
        help="Dataset of synthetic images to draw from, or several, separated by commas. Not needed for 0 percent, nor "
        "for the controls duplicate, classical, reweight and more-real.",
        role=Role.INPUT,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="none",
    )
    shares: tuple[float, ...] | None = option(
        None,
        help="Shares of several synthetic datasets in the dose, in their order, as numbers in any ratio.",
        panel=Panel.DATA,
        metavar="FLOAT,...",
        parse=parse_numbers,
        default_text="equal",
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
    copies: tuple[Path, ...] | None = option(
        None,
        help="Result of xrayaug copies for the synthetic set; of several sets the results of all, separated by commas. "
        "The images that it flags are left out.",
        role=Role.INPUT,
        panel=Panel.DATA,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="none",
    )
    keep_copies: bool = option(False, help="Add the images that --copies flags all the same.", panel=Panel.DATA)
    generator: str | None = option(
        None,
        help="Name of the generator of the synthetic images, for evaluations of several generators.",
        panel=Panel.DATA,
        metavar="NAME",
        default_text="the one that the synthetic dataset records, such as its architecture",
    )
    real_fraction: float = option(
        1.0,
        help="Share of the real training patients to keep, to study smaller datasets. 0 stands for --synthetic-only "
        "with all of them.",
        panel=Panel.DATA,
        minimum=0,
        maximum=1,
    )
    synthetic_only: bool = option(
        False,
        help="Leave the real images out of the training split, and count the dose as if they were in it. With a "
        "control of real images, only those that it adds are trained on.",
        panel=Panel.DATA,
    )

    @property
    def is_synthetic_only(self) -> bool:
        """Whether the training split holds only what is added."""
        return self.synthetic_only or self.real_fraction == 0

    @property
    def baseline_fraction(self) -> float:
        """Share of the real training patients that the baseline of the arm keeps."""
        return self.real_fraction or 1.0

    def identity(self) -> dict[str, Any]:
        """Return the settings; shares that are equal and other defaults of newer options are left out."""
        settings = super().identity()
        if self.generator is None:
            del settings["generator"]
        if not self.synthetic_only:
            del settings["synthetic_only"]
        if self.shares is None or len(set(self.shares)) == 1:
            del settings["shares"]
        return settings

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read; one synthetic dataset or screening has no number in its name."""
        paths = super().inputs()
        for name in ("synthetic", "copies"):
            if len(getattr(self, name) or ()) == 1:
                paths = {name if key == f"{name}/0" else key: path for key, path in paths.items()}
        return paths
