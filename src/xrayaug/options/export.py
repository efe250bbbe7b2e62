"""The options of `xrayaug export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.choices import EXPORT_FORMATS
from xrayaug.options.mixins import CacheOptions

SHARDED = "webdataset"  # the format that has shards


@dataclass(frozen=True, kw_only=True)
class Export(CacheOptions, Command):
    """Write the images of a dataset or an arm as PNG files or tar files for other programs."""

    name = "export"
    example = "xrayaug export arms/010 --format imagefolder --out exports/010"

    data: Path = option(help="Dataset or arm to export.", role=Role.INPUT, positional=True)
    format: str = option(
        "imagefolder",
        choices=EXPORT_FORMATS,
        help="Layout: imagefolder has a directory for each split and label, which torchvision, timm and Hugging Face "
        "datasets read; webdataset has tar files (shards); csv has one list of all images beside them.",
    )
    shard_size: int = option(
        1000,
        help="Images in each tar file of webdataset. The order of the training images in them is random, by --seed.",
        panel=Panel.OUTPUT,
        minimum=1,
    )

    def identity(self) -> dict[str, Any]:
        """Return the settings; those of shards are None if the format has none."""
        return super().identity() | ({} if self.format == SHARDED else {"seed": None, "shard_size": None})
