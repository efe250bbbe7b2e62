"""Open classifier runs to predict with; the datasets that they were trained on need not be there any more."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrayaug.data import arms
from xrayaug.data.arms import ArmSettings
from xrayaug.data.dataset import Dataset, Row
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.evaluation.gather import runs
from xrayaug.evaluation.gather.networks import SavedNetwork
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.predictions import RunInfo
from xrayaug.runtime import console
from xrayaug.storage import artifacts


@dataclass(frozen=True)
class RunWithoutData(SavedNetwork):
    """A classifier run whose dataset is not there: it has no validation images, and its class prior is unknown."""

    settings_of_arm: ArmSettings

    @property
    def arm(self) -> ArmSettings:
        """Settings of its arm, as they distinguish it from the others."""
        return self.settings_of_arm

    @property
    def info(self) -> RunInfo:
        """Name, arm and seed of the run, as they are written beside its predictions."""
        return RunInfo(self.name, self.arm, self.arm_name, self.seed, None)

    @property
    def valid(self) -> list[Row]:
        """Validation images: none."""
        return []


PredictingRun = Run | RunWithoutData


def open_predicting_runs(paths: Sequence[Path], cache: Path | None = None) -> list[PredictingRun]:
    """Open runs to predict with, sorted by arm and seed.

    Raises:
        UsageError: no run is given.
        DataError: two runs are of one arm and seed.
    """
    if not paths:
        raise UsageError("no runs are given", "xrayaug predict RUN... --data DATASET --out DIR")
    opened: dict[tuple[Path, str], Dataset] = {}
    found = [_open(path, opened, cache) for path in paths]
    distinguished = arms.leave_out_common([run.arm for run in found])
    named: list[PredictingRun] = [
        replace(run, settings_of_arm=arm) for run, arm in zip(found, distinguished, strict=True)
    ]
    named.sort(key=lambda each: (each.arm.sorting_key, each.seed))
    for one, other in itertools.pairwise(named):
        if (one.arm.sorting_key, one.seed) == (other.arm.sorting_key, other.seed):
            raise DataError(
                f"{one.name} and {other.name} are of the same arm, {one.arm_name}, and seed {one.seed}",
                "give each run once, one per seed",
            )
    return named


def check_validation(predicting: Sequence[PredictingRun]) -> None:
    """Check that every run has validation images to calibrate on.

    Raises:
        DataError: one has none.
    """
    for run in predicting:
        if not run.valid:
            raise DataError(
                f"{run.name} has no validation images that can be read, on which --calibrate fits the temperature",
                "put its dataset back in place, or leave --calibrate out",
            )


def _open(path: Path, opened: dict[tuple[Path, str], Dataset], cache: Path | None) -> PredictingRun:
    artifact = artifacts.open_artifact(path, "classifier-run")
    try:
        return runs.open_run(path, opened, cache)
    except InputError as problem:
        console.warning(
            f"without the dataset of {path} there are no validation images, on which thresholds are chosen: "
            f"{problem.message}"
        )
    return RunWithoutData(path.as_posix(), artifact, arms.read_arm(artifact).settings)
