"""The options of `xrayaug evaluate`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xrayaug.options.base import Command, Panel, Role, option, parse_paths, parse_words, redeclare
from xrayaug.options.mixins import DeviceOptions, EvaluationOptions, FeatureCacheOptions, InferenceOptions


@dataclass(frozen=True, kw_only=True)
class Evaluate(EvaluationOptions, InferenceOptions, FeatureCacheOptions, DeviceOptions, Command):
    """Score classifier runs on the test split, compare the arms, and report whether the added images help."""

    name = "evaluate"
    example = "xrayaug evaluate runs/000-0 runs/000-1 runs/010-0 runs/010-1 --out evaluation"

    runs: tuple[Path, ...] = option(
        (),
        help="Classifier runs to evaluate, unless --predictions is given.",
        role=Role.INPUT,
        positional=True,
        metavar="RUN...",
    )
    predictions: tuple[Path, ...] | None = option(
        None,
        help="Judge these predictions instead of runs: CSV files with one row for each case and run, separated by "
        "commas, or results of xrayaug predict or evaluate.",
        role=Role.INPUT,
        panel=Panel.DATA,
        metavar="FILE,...",
        parse=parse_paths,
        default_text="none",
    )
    columns: tuple[str, ...] | None = option(
        None,
        help="Columns of --predictions by what they hold (arm, seed, case, label, probability, patient, study, split), "
        "such as case=image_id,probability=score.",
        panel=Panel.DATA,
        metavar="NAME=COLUMN,...",
        parse=parse_words,
        default_text="recognised by their names",
    )
    baseline: str | None = option(
        None,
        help="Arm of --predictions that the others are compared with.",
        panel=Panel.EVALUATION,
        metavar="NAME",
        default_text="the arm called 0, baseline or real",
    )
    controls: tuple[str, ...] | None = option(
        None,
        help="Controls of the arms of --predictions, which have as many images without synthetic ones, such as "
        "gan=duplicate,gan=classical.",
        panel=Panel.EVALUATION,
        metavar="ARM=CONTROL,...",
        parse=parse_words,
        default_text="those that xrayaug's own predictions record",
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
    copies: tuple[Path, ...] | None = option(
        None,
        help="Results of xrayaug copies to show in the report, separated by commas, and to check the synthetic sets "
        "of arms with that were made without one: each set by the screening of its own images.",
        role=Role.INPUT,
        panel=Panel.OUTPUT,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="those that the arms were made with",
    )
    privacy: tuple[Path, ...] | None = option(
        None,
        help="Results of xrayaug privacy to show in the report, separated by commas.",
        role=Role.INPUT,
        panel=Panel.OUTPUT,
        metavar="PATH,...",
        parse=parse_paths,
        default_text="none",
    )
    plan: Path | None = option(
        None,
        help="Plan of a sequential study, which experiment --sequential writes: differences are tested at the level of "
        "the next look.",
        role=Role.INPUT,
        panel=Panel.EVALUATION,
        metavar="FILE",
        default_text="the study is judged once, at 5 %",
    )
    previous_look: Path | None = option(
        None,
        help="Evaluation of the look before, whose arms that were told keep their verdicts.",
        role=Role.INPUT,
        panel=Panel.EVALUATION,
        metavar="EVALUATION",
        default_text="none, this is the first look",
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

    def identity(self) -> dict[str, Any]:
        """Return the settings; options of predictions, and of several test sets, are left out if there are none.

        So are `against` and `controls` at their defaults.
        """
        settings = super().identity()
        if self.against == "baseline":
            del settings["against"]
        if self.controls is None:
            del settings["controls"]
        if self.primary is None:
            del settings["primary"]
        if self.predictions is None:
            del settings["columns"], settings["baseline"]
        return settings

    def inputs(self) -> dict[str, Path]:
        """Return the paths that are read; one screening has no number in its name."""
        paths = super().inputs()
        if len(self.copies or ()) == 1:
            paths = {"copies" if name == "copies/0" else name: path for name, path in paths.items()}
        return paths

    def is_met_by(self, result: Mapping[str, Any]) -> bool:
        """Return whether a finished result has all parts that these options ask for in addition to the judgement."""
        return self.has_reader_study(result) and self.has_checklists(result) and self.has_planted(result)
