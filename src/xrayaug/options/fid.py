"""The options of `xrayaug fid`."""

from dataclasses import dataclass
from pathlib import Path

from xrayaug.options.base import Command, Panel, Role, option
from xrayaug.options.choices import Split
from xrayaug.options.mixins import CheckpointOptions, DeviceOptions, FeatureOptions, LabelOptions


@dataclass(frozen=True, kw_only=True)
class Fid(FeatureOptions, LabelOptions, CheckpointOptions, DeviceOptions, Command):
    """Measure the Fréchet inception distance between two sets of images."""

    name = "fid"
    example = "xrayaug fid data/synthetic data/rsna --weights pt_inception-2015-12-05-6726825d.pth"
    is_shared = True

    a: Path = option(
        help="A dataset, a folder of images (with subfolders), or an .npz file of statistics.",
        role=Role.INPUT,
        positional=True,
    )
    b: Path = option(
        help="The set to compare with: a dataset, a folder or an .npz file.", role=Role.INPUT, positional=True
    )
    out: Path | None = option(  # type: ignore[assignment] # every other command must be given one
        None,
        help="Directory to write fid.json to.",
        role=Role.EXECUTION,
        panel=Panel.COMMON,
        default_text="the result is only printed",
    )
    metrics: str = option(
        "fid",
        help="Measures to compute, separated by commas: fid, kid, prdc (precision, recall, density and coverage), "
        "fid-infinity.",
        metavar="NAME,...",
    )
    floor: bool = option(
        False,
        help="Also measure the distance between two halves of set B at the same number of images, and test whether set "
        "A is worse than by chance. Measures other than fid always include it.",
        panel=Panel.EVALUATION,
    )
    split: Split | None = option(None, help="Use only this split of a dataset.", panel=Panel.DATA, default_text="all")
    save_stats: Path | None = option(
        None,
        help="Write the statistics of set A to this .npz file, which can be compared with later.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
        metavar="FILE",
        default_text="none",
    )
    cache: Path | None = option(
        None,
        help="Directory for cached statistics. If it is given, the pixels of datasets are copied there too and read "
        "from there.",
        role=Role.EXECUTION,
        default_text="$XDG_CACHE_HOME/xrayaug, else ~/.cache/xrayaug",
    )
