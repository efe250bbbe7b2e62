"""The options of `xrayaug evaluate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.options.base import Command, Panel, Role, option, parse_paths, redeclare
from xrayaug.options.mixins import DeviceOptions, EvaluationOptions, FeatureCacheOptions, InferenceOptions


@dataclass(frozen=True, kw_only=True)
class Evaluate(EvaluationOptions, InferenceOptions, FeatureCacheOptions, DeviceOptions, Command):
    """Score classifier runs on the test split, compare the arms, and report whether the added images help."""

    name = "evaluate"
    example = "xrayaug evaluate runs/000-0 runs/000-1 runs/010-0 runs/010-1 --out evaluation"

    runs: tuple[Path, ...] = option(
        help="Classifier runs to evaluate.", role=Role.INPUT, positional=True, metavar="RUN..."
    )
    fid: tuple[Path, ...] | None = option(
        None,
        help="Results of xrayaug fid to show in the report, separated by commas.",
        role=Role.INPUT,
        panel=Panel.OUTPUT,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="none",
    )
    copies: Path | None = option(
        None,
        help="Result of xrayaug copies to show in the report.",
        role=Role.INPUT,
        panel=Panel.OUTPUT,
        default_text="the one that the arms were made with",
    )
    reader_results: tuple[Path, ...] | None = option(
        None,
        help="Files that readers saved, separated by commas, to score against the key of the reader study.",
        role=Role.EXECUTION,
        panel=Panel.OUTPUT,
        metavar="FILE,...",
        parse=parse_paths,
        default_text="none",
    )
    batch_size: int = redeclare(InferenceOptions, "batch_size", 32)

    def is_met_by(self, result: Mapping[str, Any]) -> bool:
        """Return whether a finished result has the reader study that these options ask for."""
        return self.has_reader_study(result)
