"""Open classifier runs to predict with; the datasets that they were trained on need not be there any more.

Predictions of several commands may be judged together later. So an arm is always called by its generator too, and what
else its training depends on is recorded with them.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrayaug.data import arms
from xrayaug.data.arms import WITH_GENERATOR, ArmSettings
from xrayaug.data.dataset import Dataset, Row
from xrayaug.errors import DataError, InputError, UsageError, XrayaugError
from xrayaug.evaluation import generator_design
from xrayaug.evaluation.gather import runs
from xrayaug.evaluation.gather.networks import SavedNetwork
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.generator_design import GeneratorDesign
from xrayaug.evaluation.predictions import RunInfo
from xrayaug.runtime import console
from xrayaug.storage import artifacts, files, manifests
from xrayaug.storage.artifacts import Artifact

GENERATOR = "generator"  # in the description of a training, the only part in which runs of one arm may differ


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
        DataError: two runs are of one arm and seed, or two of one arm were trained differently.
    """
    if not paths:
        raise UsageError("no runs are given", "xrayaug predict RUN... --data DATASET --out DIR")
    opened: dict[tuple[Path, str], Dataset] = {}
    found = [_open(path, opened, cache) for path in paths]
    with_data = iter(runs.assign_controls([run for run in found if isinstance(run, Run)]))
    found = [next(with_data) if isinstance(run, Run) else run for run in found]
    distinguished = arms.leave_out_common([run.arm for run in found])
    named: list[PredictingRun] = [
        replace(run, settings_of_arm=replace(arm, generator=run.arm.generator))
        for run, arm in zip(found, distinguished, strict=True)
    ]
    named.sort(key=lambda each: (each.arm.sorting_key, each.seed))
    for one, other in itertools.pairwise(named):
        if one.arm.sorting_key == other.arm.sorting_key:
            _check_same_arm(one, other)
    for design in find_designs(named).values():
        if design.failure:
            raise DataError(design.failure, "predict with them apart")
    return named


def count_generators(predicting: Sequence[PredictingRun]) -> dict[str, int | None]:
    """Return the number of generators of each arm whose runs have images of different ones; None if it is unknown."""
    several = {
        run.arm_name
        for one, run in itertools.pairwise(predicting)
        if one.arm_name == run.arm_name
        and describe_training(one).get(GENERATOR) != describe_training(run).get(GENERATOR)
    }
    return {name: design.generators for name, design in find_designs(predicting).items() if name in several}


def find_designs(predicting: Sequence[PredictingRun]) -> dict[str, GeneratorDesign]:
    """Return whether the runs of every arm share one generator or have one each, by arm, as far as it is known."""
    designs = {}
    for name, members in itertools.groupby(predicting, lambda run: run.arm_name):
        of = list(members)
        with_data = [run for run in of if isinstance(run, Run)]
        design = generator_design.find_design(
            name, [run.seed for run in with_data], [run.drawn_images for run in with_data]
        )
        designs[name] = design if len(with_data) == len(of) else GeneratorDesign(None)
    return designs


def describe_training(run: PredictingRun) -> dict[str, str]:
    """Return what all runs of an arm have in common: options of training, by phase, real images and generators.

    Datasets are given by the start of their digests. Of a run whose dataset is not there, the last phase is known, and
    the digest of its dataset.
    """
    phases = [phase.settings for phase in run.phases] if isinstance(run, Run) else [runs.read_settings(run.artifact)]
    first = {f"in the first phase, {name}": str(value) for name, value in phases[0].items()} if phases[1:] else {}
    dataset = run.data.artifact.manifest["inputs"].get("real") if isinstance(run, Run) else None
    real = dataset or run.artifact.manifest["inputs"]["data"]
    generators = sorted({each.drawn_by[:8] for each in run.drawn}) if isinstance(run, Run) else []
    drawn_by = {GENERATOR: ", ".join(generators)} if isinstance(run, Run) else {}
    last = {name: str(value) for name, value in phases[-1].items()}
    return last | first | {"real images": real["sha256"][:8]} | drawn_by


def _check_same_arm(one: PredictingRun, other: PredictingRun) -> None:
    """Check that two runs are repetitions of one arm.

    Raises:
        DataError: they have one seed, or were trained differently.
    """
    if one.seed == other.seed:
        raise DataError(
            f"{one.name} and {other.name} are of the same arm, {one.arm_name}, and seed {one.seed}",
            "give each run once, one per seed; augment --generator NAME tells two generators of one name apart",
        )
    trainings = ({**describe_training(run), GENERATOR: ""} for run in (one, other))
    differing = runs.list_differing(*trainings)
    if differing:
        raise DataError(
            f"{one.name} and {other.name} are of one arm, {one.arm_name}, but trained differently: "
            f"{'; '.join(differing)}",
            "predict with them apart",
        )


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
    return RunWithoutData(path.as_posix(), artifact, _read_arm_without_data(artifact))


def _read_arm_without_data(run: Artifact) -> ArmSettings:
    """Return the settings of a run's arm; an unknown generator is called by the digest of the arm that it drew for."""
    arm = replace(
        arms.read_arm(run).settings, weights=str(runs.read_settings(run).get("weights", runs.UNKNOWN_WEIGHTS))
    )
    if arm.generator is not None or not arm.added or arm.control not in WITH_GENERATOR:
        return arm
    return replace(arm, generator=f"an unknown generator ({_find_dose_digest(run)[:8]})")


def _find_dose_digest(run: Artifact) -> str:
    """Return the digest of the arm that holds what a run adds; that of its first phase, if even this is not there."""
    inputs = run.manifest["inputs"]
    if "init" not in inputs:
        return str(inputs["data"]["sha256"])
    first = run.input("init")
    try:
        manifest = manifests.read(first / manifests.MANIFEST)
        is_unchanged = files.sha256_file(first / manifests.MANIFEST) == inputs["init"]["sha256"]
    except (XrayaugError, OSError):
        is_unchanged = False
    return str(manifest["inputs"]["data"]["sha256"] if is_unchanged else inputs["init"]["sha256"])
