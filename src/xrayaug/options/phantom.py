"""The options of `xrayaug phantom`."""

from dataclasses import dataclass
from typing import Any, Literal

from xrayaug.options.base import Command, Panel, option
from xrayaug.options.mixins import WorkersOptions


@dataclass(frozen=True, kw_only=True)
class Phantom(WorkersOptions, Command):
    """Draw simulated hand radiographs for practice and write them in the layout of RSNA or MURA."""

    name = "phantom"
    example = "xrayaug phantom --layout mura --count 400 --seed 1 --out raw/mura"

    layout: Literal["rsna", "mura"] = option(help="Layout of the directories and CSV files to write.")
    count: int = option(help="Images to draw.", minimum=1)
    height: int = option(
        400,
        help="Height of the images, in pixels. The width follows from it.",
        panel=Panel.DATA,
        minimum=32,
        maximum=4000,
    )
    finding_size: float = option(
        1.0,
        help="Size of findings relative to real ones. Small images need a larger size to show them.",
        panel=Panel.DATA,
        above=0,
        maximum=8,
    )
    test: float = option(
        0.2,
        help="Share of the studies that are for testing (the directory valid of MURA). RSNA has no such split.",
        panel=Panel.DATA,
        above=0,
        maximum=0.9,
    )

    def identity(self) -> dict[str, Any]:
        """Return the settings; the share for testing only if it is not the default, which it was before it existed."""
        settings = super().identity()
        if self.test == Phantom.test:
            del settings["test"]
        return settings
