"""The options of `xrayaug predict`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xrayaug.options.base import Command, Panel, Role, option, redeclare
from xrayaug.options.mixins import (
    CheckpointOptions,
    DeviceOptions,
    EvaluationOptions,
    FeatureCacheOptions,
    InferenceOptions,
    WorkersOptions,
)


@dataclass(frozen=True, kw_only=True)
class Predict(InferenceOptions, WorkersOptions, CheckpointOptions, FeatureCacheOptions, DeviceOptions, Command):
    """Write the probabilities that classifier runs give the images of a dataset or a folder."""

    name = "predict"
    example = "xrayaug predict runs/000-0 runs/010-0 --data data/other-hospital --out predictions"
    reads_raw = True

    runs: tuple[Path, ...] = option(
        help="Classifier runs to predict with.", role=Role.INPUT, positional=True, metavar="RUN..."
    )
    data: Path = option(help="A dataset, or a folder of images (with subfolders).", role=Role.INPUT)
    split: Literal["train", "valid", "test", "all"] | None = option(
        None,
        help="Images of a dataset to predict.",
        panel=Panel.DATA,
        default_text="test, or all if the dataset has no test images",
    )
    calibrate: Literal["none", "temperature"] = redeclare(
        EvaluationOptions,
        "calibrate",
        help="How to calibrate probabilities on the run's own validation images: none, or temperature scaling with one "
        "temperature per network.",
    )
    batch_size: int = redeclare(InferenceOptions, "batch_size", 32)
