"""Open classifier runs with the data they were trained on, and check that they can be compared."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xrayaug.data import arms, generators
from xrayaug.data.arms import FREE_OPTIONS, TOGETHER, WITH_GENERATOR, WITH_SYNTHETIC, ArmSettings, TrainedArm, read_arm
from xrayaug.data.dataset import Dataset, Row, cached_files
from xrayaug.data.images.stack import Stack
from xrayaug.errors import DataError, UsageError
from xrayaug.evaluation.gather import drawn_sets
from xrayaug.evaluation.gather.networks import SavedNetwork
from xrayaug.evaluation.predictions import RunInfo
from xrayaug.evaluation.study_facts import DrawnSet
from xrayaug.options import TrainClassifier
from xrayaug.runtime import console
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact

DEFAULTS_LEFT_OUT = {"train": TrainClassifier.train, "views": TrainClassifier.views}  # by TrainClassifier.identity
UNKNOWN_WEIGHTS = "unknown weights"  # of a run whose manifest does not name its initial ones


@dataclass(frozen=True)
class Training:
    """One phase of training: a classifier run, and the data that it was trained on."""

    artifact: Artifact
    data: Dataset

    @property
    def seed(self) -> int:
        """Seed that it was trained with."""
        return self.artifact.get(int, "options", "seed", minimum=0)

    @property
    def settings(self) -> dict[str, Any]:
        """Options of training; see `read_settings`."""
        return read_settings(self.artifact)

    @property
    def steps(self) -> int:
        """Optimiser steps of training; without a record the most that there can have been."""
        if "steps" in self.artifact.result:
            return self.artifact.get(int, "result", "steps", minimum=0)
        epochs = self.artifact.get(int, "options", "epochs", minimum=1)
        batch_size = self.artifact.get(int, "options", "batch_size", minimum=1)
        return epochs * math.ceil(len(self.data.select(split="train")) / batch_size)


@dataclass(frozen=True)
class Run(SavedNetwork):
    """One trained classifier and the data it was trained with: a `ClassifierRun`, whose methods load what they return.

    The manifests and the index are read and checked; weights and pixels are read when a method asks for them.
    """

    data: Dataset  # of the last phase of the training, or of the only one
    test: list[Row]
    settings_of_arm: ArmSettings
    first_phase: Training | None  # of a run that starts from the weights of another
    drawn: tuple[DrawnSet, ...]  # synthetic datasets that its arm has images of, or the size of

    @property
    def arm(self) -> ArmSettings:
        """Settings of its arm, as they distinguish it from the others of the evaluation."""
        return self.settings_of_arm

    @property
    def drawn_images(self) -> tuple[DrawnSet, ...]:
        """The synthetic datasets that it was trained on images of."""
        return self.drawn if self.arm.control in WITH_SYNTHETIC else ()

    @property
    def last_phase(self) -> Training:
        """The last phase of its training, or the only one."""
        return Training(self.artifact, self.data)

    @property
    def phases(self) -> list[Training]:
        """The phases of its training in order: one or two."""
        return [*([self.first_phase] if self.first_phase else []), self.last_phase]

    @property
    def dose_data(self) -> Dataset:
        """The dataset that holds what the arm adds: that of its first phase."""
        return self.phases[0].data

    @property
    def dose_counts(self) -> Mapping[str, int]:
        """Training images of `dose_data` by label, as a reweighted control counts them."""
        prior = arms.read_arm_of(self.dose_data.artifact).prior
        return Counter(row.label for row in self.dose_data.select(split="train")) if prior is None else prior

    @property
    def info(self) -> RunInfo:
        """Name, arm and seed of the run, as they are written beside its predictions."""
        return RunInfo(self.name, self.arm, self.arm_name, self.seed, self.share_normal)

    @property
    def settings(self) -> dict[str, Any]:
        """Options of the last phase; see `Training.settings`."""
        return self.last_phase.settings

    @property
    def dose_rows(self) -> Sequence[Row]:
        """All images of the dataset that holds what the arm adds."""
        return self.dose_data.rows

    @property
    def valid(self) -> list[Row]:
        """Validation images, on which thresholds are chosen."""
        return self.data.select(split="valid")

    @property
    def share_normal(self) -> float:
        """Share of normal images in the last phase, as a reweighted control counts them; NaN without images."""
        prior = read_arm(self.artifact).prior if self.arm.schedule == TOGETHER else None
        labels = [row.label for row in self.data.select(split="train")]
        if prior is not None:
            return float(prior["normal"]) / (float(prior["normal"]) + float(prior["abnormal"]))
        return labels.count("normal") / len(labels) if labels else math.nan

    @property
    def steps(self) -> list[int]:
        """Optimiser steps of every phase."""
        return [phase.steps for phase in self.phases]

    def stack(self, rows: Sequence[Row]) -> Stack:
        """Return images of the dataset at the size of the network, read on demand."""
        return self.data.stack(rows, self.size)

    def stack_dose(self, rows: Sequence[Row]) -> Stack:
        """Return images of the dataset that holds what the arm adds, at the size of the network, read on demand."""
        return self.dose_data.stack(rows, self.size)


def open_runs(paths: Sequence[Path], cache: Path | None = None) -> list[Run]:
    """Open every run with its data, sorted by arm and seed; pixels are read from `cache` if that is given.

    Raises:
        UsageError: no run is given, or one twice.
        DataError: there are no test images, or runs cannot be compared.
    """
    if not paths:
        raise UsageError("no runs are given", "xrayaug evaluate RUN... --out DIR")
    opened: dict[tuple[Path, str], Dataset] = {}
    runs = []
    for path in paths:
        runs.append(open_run(path, opened, cache))
        _check_splits(runs[-1])
    _check_tests(runs)
    runs = distinguish_arms(runs)
    for one, other in itertools.pairwise(runs):
        _check_neighbours(one, other)
    return runs


def distinguish_arms(runs: Sequence[Run]) -> list[Run]:
    """Return the runs of an evaluation, sorted by arm and seed, with what distinguishes their arms from one another."""
    runs = assign_controls(runs)
    settings = arms.leave_out_common([run.arm for run in runs])
    distinguished = [replace(run, settings_of_arm=arm) for run, arm in zip(runs, settings, strict=True)]
    return sorted(distinguished, key=lambda each: (each.arm.sorting_key, each.seed))


def assign_controls(runs: Sequence[Run]) -> list[Run]:
    """Return the runs with the generators of controls of real images; see `data.arms.assign_controls`."""
    if len({run.arm.generator for run in runs if run.arm.generator}) < 2:
        return list(runs)
    trained = [
        TrainedArm(run.arm, run.dose_counts, run.arm.generator or _find_generator_of_labels(run)) for run in runs
    ]
    assigned = arms.assign_controls(trained)
    return [replace(run, settings_of_arm=arm) for run, arm in zip(runs, assigned, strict=True)]


def _find_generator_of_labels(run: Run) -> str | None:
    """Return the generator of the synthetic images that a control of real images was made for; None if of none."""
    dataset = run.dose_data.artifact
    if run.arm.control is None or not generators.list_synthetic_inputs(dataset):
        return None
    name, sets = drawn_sets.find_drawn_sets(dataset)
    return name or f"an unknown generator ({sets[0].digest[:8]})"


def read_settings(run: Artifact) -> dict[str, Any]:
    """Return the options of a run's training but the seed; a weights file is given by its content, not by its path.

    A manifest leaves out `train` and `views` at their defaults, so that it stays that of a run from before they were
    options. They are filled in here: a run without them was trained with their defaults.
    """
    settings = DEFAULTS_LEFT_OUT | {name: value for name, value in run.options.items() if name != "seed"}
    started_from = run.manifest["inputs"].get("weights")
    return settings | ({"weights": f"a file with sha256 {started_from['sha256'][:8]}"} if started_from else {})


def list_differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return a phrase for each setting that two trainings differ in, such as `lr is 0.001 and 0.01`."""
    names = [*one, *(name for name in other if name not in one)]
    return [f"{name} is {one.get(name)} and {other.get(name)}" for name in names if one.get(name) != other.get(name)]


def split_by(runs: Sequence[Run]) -> str:
    """Return `image` if the validation images of any run were split off by image, else `patient`."""
    return "image" if any(each.data.split_by == "image" for each in runs) else "patient"


def _check_splits(run: Run) -> None:
    """Check that there are images to choose thresholds on, and images to test."""
    if not run.test:
        raise DataError(
            f"{run.data.path}, which {run.name} was trained on, has no test images",
            "xrayaug prepare --test 0.2; of MURA, the valid directory is the test set",
        )
    if not run.valid:
        raise DataError(
            f"{run.data.path}, which {run.name} was trained on, has no validation images to choose thresholds on",
            "xrayaug prepare --holdout 0.1, which takes one patient of each label or more where there are two",
        )


def open_run(path: Path, opened: dict[tuple[Path, str], Dataset], cache: Path | None) -> Run:
    """Open one run, whose dataset may lack any split; `opened` holds the datasets opened so far, by path and digest."""
    artifact = artifacts.open_artifact(path, "classifier-run")
    data = _open_data(artifact, opened, cache)
    first = None
    if "init" in artifact.manifest["inputs"]:
        started_from = artifact.open_input("init", "classifier-run")
        first = Training(started_from, _open_data(started_from, opened, cache))
    return make_run(path.as_posix(), artifact, data, first)


def make_run(name: str, artifact: Artifact, data: Dataset, first: Training | None = None) -> Run:
    """Return a run with the settings of its arm, of which its generator and its initial weights are a part.

    Args:
        name: the path, as it was given.
        artifact: the run.
        data: that it was trained on.
        first: the phase of training before it, if there is one.
    """
    dose = first.data if first else data
    arm = read_arm(artifact).settings
    generator, sets = (
        drawn_sets.find_drawn_sets(dose.artifact) if arm.added and arm.control in WITH_GENERATOR else (None, ())
    )
    weights = str(Training(artifact, data).settings.get("weights", UNKNOWN_WEIGHTS))
    arm = replace(arm, generator=arm.generator or generator, weights=weights)
    return Run(name, artifact, data, data.select(split="test"), arm, first, sets)


def _open_data(run: Artifact, opened: dict[tuple[Path, str], Dataset], cache: Path | None) -> Dataset:
    """Open the dataset that a classifier run was trained on, unless it is among those that were opened before."""
    key = run.input("data").resolve(), str(run.manifest["inputs"]["data"]["sha256"])
    if key not in opened:
        opened[key] = Dataset(run.open_input("data", "dataset", hash_later=cached_files(cache)), cache)
    return opened[key]


def _check_tests(runs: Sequence[Run]) -> None:
    """Check that all runs have the same test images."""
    expected = _identities(runs[0].test)
    for each in runs[1:]:
        found = _identities(each.test)
        if found != expected:
            raise DataError(
                f"{each.name} and {runs[0].name} have different test images: "
                f"{len(set(found) ^ set(expected))} are in one alone or labelled otherwise",
                "compare runs whose arms come from one prepared dataset",
            )


def _identities(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [(row.file, row.sha256, row.label, row.patient, row.study) for row in rows]


def _check_neighbours(one: Run, other: Run) -> None:
    """Check that neighbours of one arm are repetitions; warn if arms differ in training."""
    same_arm = one.arm.sorting_key == other.arm.sorting_key
    if same_arm and one.seed == other.seed:
        raise DataError(
            f"{one.name} and {other.name} are of the same arm and seed {one.seed}",
            "give each run once, one per seed"
            if one.drawn == other.drawn
            else "their images come from two generators of one name: augment --generator NAME tells them apart",
        )
    differing = list_differing(one.settings, other.settings)
    if same_arm and one.first_phase and other.first_phase:
        before = list_differing(one.first_phase.settings, other.first_phase.settings)
        differing += [f"in the first phase, {each}" for each in before]
    if one.arm.schedule != other.arm.schedule:
        differing = [each for each in differing if each.partition(" ")[0] not in FREE_OPTIONS]
    if differing and same_arm:
        raise DataError(
            f"{one.name} and {other.name} are of one arm, but trained differently: {'; '.join(differing)}",
            "evaluate them apart",
        )
    if differing:
        console.warning(f"{one.name} and {other.name} were trained differently: {'; '.join(differing)}")
