"""The options of `xrayaug sample`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from xrayaug.options.base import Command, Panel, Role, option, parse_pair
from xrayaug.options.choices import FEATURES
from xrayaug.options.mixins import CacheOptions, CheckpointOptions, DeviceOptions, run_input


@dataclass(frozen=True, kw_only=True)
class Sample(CheckpointOptions, CacheOptions, DeviceOptions, Command):
    """Draw synthetic images from a trained generator and write them as a dataset."""

    name = "sample"
    example = "xrayaug sample --run runs/gan --count 10000 --seed 0 --out data/synthetic"
    is_shared = True

    run: Path = option(help="GAN run to sample from.", role=Role.INPUT)
    count: int = option(10000, help="Images to draw. Image i is the same for every count.", minimum=1)
    label: Literal["normal", "abnormal", "balanced"] | None = option(
        None,
        help="Label of the images to draw from a conditional generator; balanced alternates between both.",
        panel=Panel.SAMPLING,
        default_text="balanced if the generator is conditional",
    )
    truncation: float | None = option(
        None,
        help="Truncation psi: below 1, latent vectors are moved towards their mean, which gives fewer odd images and "
        "less variety; above 1, away from it, which gives more of both; 1 does not move them.",
        panel=Panel.SAMPLING,
        minimum=0,
        maximum=2,
        default_text="no truncation",
    )
    interpolate: tuple[int, int] | None = option(
        None,
        help="Also draw interpolation.png, a series of images between two of the sampled ones, named by their numbers "
        "such as 3,17.",
        panel=Panel.OUTPUT,
        metavar="A,B",
        parse=parse_pair,
        default_text="none",
    )
    snapshot: Literal["last", "best"] = option(
        "last",
        help="Generator to use: the last one of the training, or the best one, which had the smallest distance (see "
        "train-gan --fid-every).",
        panel=Panel.MODEL,
    )
    reject: float = option(
        0.0,
        help="Share of the drawn images to reject as the worst. More images are drawn, so that --count remain.",
        panel=Panel.SAMPLING,
        minimum=0,
        maximum=0.9,
    )
    reject_by: str = option(
        "discriminator",
        help="How --reject ranks images: by the score of the discriminator, or by the distance to the nearest real "
        "image in features: inception, imagenet, radiomics, random, dinov2, rad-dino, or the directory of a classifier "
        "run.",
        panel=Panel.SAMPLING,
        metavar="NAME|RUN",
    )
    malformed: str | None = option(
        None,
        help="Also measure the share of malformed images: those that are farther from the nearest real image, in these "
        "features, than 95 % of the real images are. Features as for --reject-by; imagenet is a good choice.",
        panel=Panel.OUTPUT,
        metavar="NAME|RUN",
        default_text="not measured",
    )
    png: bool = option(False, help="Also write every image as a PNG file.", panel=Panel.OUTPUT)

    def identity(self) -> dict[str, Any]:
        """Return the settings, without paths of classifier runs; `reject_by` is None if no image is rejected."""
        settings = super().identity() | {"reject_by": _feature_name(self.reject_by) if self.reject else None}
        if self.malformed is None:
            del settings["malformed"]
            return settings
        return settings | {"malformed": _feature_name(self.malformed)}

    def inputs(self) -> dict[str, Path]:
        """Return the GAN run, and the classifier runs whose features rank the images or find malformed ones."""
        uses_features = self.reject > 0 and self.reject_by != "discriminator"
        ranking = run_input(self.reject_by) if uses_features else {}
        finding = run_input(self.malformed, "malformed") if self.malformed is not None else {}
        return super().inputs() | ranking | finding


def _feature_name(value: str) -> str:
    """Return the name of a score or of features; that of a classifier run is `run`, as its content is an input."""
    return value if value in ("discriminator", *FEATURES) else "run"
