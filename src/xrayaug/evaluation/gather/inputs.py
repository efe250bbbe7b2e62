"""Gather everything that an evaluation reads, before any network runs."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xrayaug.data.dataset import COLUMNS, LABELS, Row
from xrayaug.errors import DataError
from xrayaug.evaluation import predictions
from xrayaug.evaluation.checks import StudyFacts
from xrayaug.evaluation.evidence import Evidence
from xrayaug.evaluation.gather import facts, report_sources
from xrayaug.evaluation.gather.runs import Run, open_runs, split_by
from xrayaug.evaluation.results import TestSet
from xrayaug.options import Evaluate
from xrayaug.runtime import console

MAX_GROUPS = 20  # values of the column that --by names


@dataclass(frozen=True)
class Inputs:
    """The runs to judge, and what the judgement and the report need of the artifacts behind them."""

    runs: Sequence[Run]
    test: TestSet
    split_by: str
    groups: Mapping[str, Sequence[int]]  # places of the test images by the value of a column
    facts: StudyFacts
    evidence: Evidence


def gather(options: Evaluate, environment: Mapping[str, Any]) -> Inputs:
    """Open every run and everything behind it.

    Args:
        options: of the evaluation.
        environment: of this evaluation, for the report.

    Raises:
        InputError: a run, a distance or a screening cannot be opened, or runs cannot be compared.
        DataError: `--by` names no column that makes groups.
    """
    runs = open_runs(options.runs, options.local_cache)
    requested = report_sources.open_requested(options)
    groups = _group_images(runs[0].test, options.by)
    _warn(runs)
    return Inputs(
        runs=runs,
        test=count_test_set(runs[0].test),
        split_by=split_by(runs),
        groups=groups,
        facts=facts.gather_facts(runs, requested.screenings),
        evidence=report_sources.gather_evidence(options, runs, requested, environment),
    )


def count_test_set(rows: Sequence[Row]) -> TestSet:
    """Return the sizes of a test set."""
    counts = {label: sum(row.label == label for row in rows) for label in LABELS}
    return TestSet(len(rows), len(set(predictions.study_names(rows))), **counts)


def _warn(runs: Sequence[Run]) -> None:
    for name, members in itertools.groupby(runs, lambda run: run.arm_name):
        if len(list(members)) < 2:
            console.warning(f"arm {name} has one seed: without repetition its spread is unknown")
    if split_by(runs) == "image":
        console.warning("split by image: patients leak between train and validation")


def _group_images(rows: Sequence[Row], column: str | None) -> dict[str, list[int]]:
    """Return the places of the test images by their value in a column of the index, sorted; empty without a column.

    Raises:
        DataError: there is no such column, or it has more values than there can be groups.
    """
    if column is None:
        return {}
    columns = [*COLUMNS, *sorted({name for row in rows for name in row.extra})]
    if column not in columns:
        raise DataError(f"the index has no column '{column}'", f"--by one of {', '.join(columns)}")
    values = [str(getattr(row, column) if column in COLUMNS else row.extra.get(column, "")) for row in rows]
    if len(set(values)) > MAX_GROUPS:
        raise DataError(
            f"--by {column} makes {len(set(values))} groups, more than {MAX_GROUPS}", "name a column of few values"
        )
    return {value: [place for place, each in enumerate(values) if each == value] for value in sorted(set(values))}
