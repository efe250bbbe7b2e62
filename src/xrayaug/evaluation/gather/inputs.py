"""Gather everything that an evaluation reads, before any network runs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xrayaug.errors import UsageError
from xrayaug.evaluation import findings, prediction_judge
from xrayaug.evaluation.evidence import Evidence
from xrayaug.evaluation.gather import looks, prediction_files, report_sources, test_sets
from xrayaug.evaluation.gather.runs import Run, open_runs, split_by
from xrayaug.evaluation.gather.test_sets import GatheredSet
from xrayaug.evaluation.looks import CurrentLook
from xrayaug.evaluation.prediction_judge import JudgedPredictions
from xrayaug.evaluation.results import EvaluatedArm, SharedImages
from xrayaug.options import Evaluate
from xrayaug.runtime import console


@dataclass(frozen=True)
class Inputs:
    """The runs to judge, and what the judgement and the report need of the artifacts behind them."""

    runs: Sequence[Run]
    sets: Sequence[GatheredSet]  # the primary one first
    shared: Sequence[SharedImages]  # pairs of sets that have images or patients in common
    split_by: str
    evidence: Evidence
    look: CurrentLook | None  # of a sequential study


@dataclass(frozen=True)
class PredictionInputs:
    """The predictions to judge instead of runs, and what the report shows with them."""

    judged: JudgedPredictions
    evidence: Evidence


def gather(options: Evaluate, environment: Mapping[str, Any]) -> Inputs:
    """Open every run and everything behind it.

    Args:
        options: of the evaluation.
        environment: of this evaluation, for the report.

    Raises:
        InputError: a run, a test set, a distance or a screening cannot be opened, or runs cannot be compared.
        DataError: `--by` names no column that makes groups.
    """
    runs = open_runs(options.runs, options.local_cache)
    check_controls(options, runs)
    requested = report_sources.open_requested(options)
    opened = test_sets.open_test_sets(options, runs)
    look = looks.gather_look(options, runs, opened)
    sets = test_sets.gather_test_sets(opened, runs, requested.screenings, options.by)
    _warn(runs)
    for name in sets[0].facts.screening.unmatched:
        console.warning(f"--copies: {name} screened no synthetic dataset of the arms, so no check rests on it")
    return Inputs(
        runs=runs,
        sets=sets,
        shared=test_sets.find_shared(opened),
        split_by=split_by(runs),
        evidence=report_sources.gather_evidence(
            options, runs, requested, environment, [each.tested.data.artifact for each in opened]
        ),
        look=look,
    )


def gather_predictions(options: Evaluate, environment: Mapping[str, Any]) -> PredictionInputs:
    """Read the predictions that are judged instead of runs.

    Args:
        options: of the evaluation.
        environment: of this evaluation, for the report.

    Raises:
        UsageError: runs are given too, or an option is for runs alone.
        InputError: a file cannot be read, or its predictions cannot be judged.
    """
    judged = read_predictions(options)
    requested = report_sources.open_requested(options)
    return PredictionInputs(judged, report_sources.gather_evidence_of_predictions(options, requested, environment))


def read_predictions(options: Evaluate) -> JudgedPredictions:
    """Read predictions, find their baseline and pair their runs.

    Raises:
        UsageError: runs are given too, or an option is for runs alone.
        DataError: they cannot be judged.
    """
    for name in ("runs", "reader_study", "reader_results", "also", "primary", "plan", "previous_look"):
        if getattr(options, name):
            given = "runs" if name == "runs" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{given} and --predictions are both given", "predictions are judged without runs")
    return prediction_judge.arrange(options, prediction_files.read_predictions(options))


def check_options(options: Evaluate) -> None:
    """Check that no option is for predictions, or for several test sets, if there are none.

    Raises:
        UsageError: one is.
    """
    for name in ("columns", "baseline", "controls"):
        if options.predictions is None and getattr(options, name) is not None:
            raise UsageError(f"--{name} is for --predictions alone", "leave it out, or give --predictions")
    looks.check_options(options)
    if options.primary is not None and options.also is None:
        raise UsageError("--primary names one of several test sets, and there is one", "give others with --also")


def check_controls(options: Evaluate, runs: Sequence[Run]) -> None:
    """Check that an arm has a control if arms are to be judged against them.

    Raises:
        UsageError: none has.
    """
    arms = [EvaluatedArm(run.arm_name, run.arm, None) for run in runs]
    findings.check_against(
        arms, options.against, "evaluate the runs of controls too (augment --control), or leave --against out"
    )


def _warn(runs: Sequence[Run]) -> None:
    for name, members in itertools.groupby(runs, lambda run: run.arm_name):
        if len(list(members)) < 2:
            console.warning(f"arm {name} has one seed: without repetition its spread is unknown")
    if split_by(runs) == "image":
        console.warning("split by image: patients leak between train and validation")
