"""A sequential study: all commands that it could need, its locked plan, and the commands up to its next look."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xrayaug.data.dataset import open_dataset
from xrayaug.errors import ArtifactError, OutputError, UsageError
from xrayaug.options import Evaluate, Experiment, TrainClassifier
from xrayaug.options.base import format_value
from xrayaug.runtime import console
from xrayaug.stats import sequential
from xrayaug.stats.sequential import Look
from xrayaug.storage import artifacts, files
from xrayaug.studies import look_commands, look_log, planning, sequential_plan, status
from xrayaug.studies.look_commands import ArmRuns
from xrayaug.studies.look_log import LOG_FILE, Progress
from xrayaug.studies.planning import Study
from xrayaug.studies.sequential_plan import PLAN_FILE, SequentialPlan
from xrayaug.studies.study_settings import is_prepared, resolve_settings

OWN_FILES = (PLAN_FILE, LOG_FILE)  # in the directory of a study


@dataclass(frozen=True)
class SequentialStudy:
    """A sequential study and how far it is."""

    whole: Study  # with the seeds of the last look, for all arms
    arms: Sequence[ArmRuns]
    looks: Sequence[Look]  # of the plan
    dataset: Path  # of the classifiers, whose test images belong to the plan
    progress: Progress | None  # None until the dataset is there and the plan is locked

    @property
    def is_over(self) -> bool:
        """Whether no arm goes on."""
        return self.progress is not None and self.progress.is_over

    def select(self) -> Study:
        """Return the commands up to the next look, or of all looks if no arm goes on."""
        progress = self.progress
        looks, ended = (self.looks[:1], {}) if progress is None else (progress.looks, progress.ended)
        return look_commands.select_looks(self.whole, looks, ended)

    def select_before_lock(self) -> Study:
        """Return the commands that make the dataset, after which the plan can be locked."""
        return look_commands.select_dataset(self.whole, self.dataset)

    def select_without_classifiers(self) -> Study:
        """Return the commands up to the first look that train no classifier: those that need not wait for the plan."""
        study = self.select()
        commands = [each for each in study.commands if not isinstance(each, TrainClassifier | Evaluate)]
        return replace(study, commands=commands)

    def record(self) -> "SequentialStudy":
        """Add the next look, which has been evaluated, to the log; compare the evaluations of those before with it."""
        assert self.progress is not None, "a look is evaluated by its plan"
        return replace(self, progress=look_log.record_look(self.whole.out, self.progress, self.arms))

    def record_finished(self) -> "SequentialStudy":
        """Add all looks to the log whose evaluations are there, as the jobs of a cluster leave them."""
        found = self
        while not found.is_over and found.progress is not None and status.is_done(found.select().commands[-1]):
            found = found.record()
        return found

    def describe(self) -> str:
        """Return how far the study is, in one line."""
        if self.progress is None:
            return f"the plan is locked when {self.dataset} is there, before any classifier is trained"
        return self.progress.describe()

    def describe_plan(self) -> str:
        """Return the looks with their levels and the largest number of trainings, in one line."""
        looks = ", ".join(f"{look.seeds} seeds at {look.level:.2g}" for look in self.looks)
        return (
            f"sequential plan: {looks} (5 % in all); at most {self.count_trainings():,} classifiers are trained, of "
            f"which {look_commands.count_trainings(replace(self, progress=None).select()):,} for the first look"
        )

    def count_trainings(self) -> int:
        """Return the largest number of classifiers that the study may train."""
        return look_commands.count_trainings(self.whole)

    def to_dict(self) -> dict[str, Any]:
        """Return the looks and the largest number of trainings as a JSON object."""
        return {
            "looks": [{"seeds": look.seeds, "level": look.level} for look in self.looks],
            "rule": sequential.RULE,
            "trainings_at_most": self.count_trainings(),
            "looks_taken": 0 if self.progress is None else len(self.progress.taken),
        }


def check_mode(options: Experiment) -> None:
    """Check that a sequential study is not continued as one without looks.

    Raises:
        OutputError: it is.
    """
    path = options.out / PLAN_FILE
    if options.sequential is None and path.is_file():
        seeds = format_value(sequential_plan.read(path).seeds)
        raise OutputError(
            f"--out {options.out} holds a sequential study, whose plan is locked",
            f"--sequential {seeds} continues it; or choose another directory",
        )


def open_study(options: Experiment, *, locks: bool) -> SequentialStudy:
    """Plan a sequential study and read how far it is.

    Args:
        options: of the study, with `sequential`.
        locks: whether to write the plan, if the classifiers' dataset is there and the plan is not.

    Raises:
        UsageError: options do not go together.
        OutputError: the plan was locked with other options, or the study was judged before without a plan.
        ArtifactError: the plan or the log was changed since it was written, or the plan is missing after a look.
    """
    whole, settings = planning.plan(options), resolve_settings(options)
    arms, looks = look_commands.group_arms(whole), sequential_plan.check_looks(options.sequential or ())
    if not any(each.arm.role == "arm" for each in arms):
        raise UsageError("--sequential looks at arms, and there is none", "add a dose above 0 to --percents")
    found = SequentialStudy(whole, arms, looks, settings.classifier_data, None)
    if not is_prepared(settings.classifier_data):
        return found
    plan, path = _make_plan(options, found), options.out / PLAN_FILE
    if path.is_file():
        differences = sequential_plan.read(path).find_differences(plan)
        if differences:
            raise OutputError(
                f"the plan of this study was locked before its first look, and cannot be changed: "
                f"{'; '.join(differences)}",
                "give the options that it was locked with, or choose another --out",
            )
    else:
        _check_no_looks(options.out)
        if locks:
            _check_unjudged(options.out, whole)
            sequential_plan.write(path, plan)
            console.info(f"the plan is locked: {path} with the sha256 {plan.sha256}; keep this elsewhere to prove it")
    return replace(found, progress=look_log.read_progress(options.out, plan))


def _make_plan(options: Experiment, study: SequentialStudy) -> SequentialPlan:
    arms = tuple(each.arm for each in study.arms)
    test = open_dataset(study.dataset).select(split="test")
    return SequentialPlan(
        seeds=tuple(look.seeds for look in study.looks),
        levels=tuple(look.level for look in study.looks),
        rule=sequential.RULE,
        first_seed=min(run.seed for run in itertools.chain.from_iterable(each.runs for each in study.arms)),
        metric=options.metric,
        per=options.per,
        margin=options.margin,
        against=options.against,
        calibrate=options.calibrate,
        primary=options.primary,
        arms=arms,
        family=sum(arm.role == "arm" for arm in arms),
        test=sequential_plan.digest_images(test),
        also={files.resolve_directory(path).name: artifacts.digest(path) for path in options.also or ()},
    )


def _check_unjudged(out: Path, study: Study) -> None:
    """Check that a study was not judged before its plan is made.

    Raises:
        OutputError: it was.
    """
    if artifacts.is_artifact(study.evaluation) or files.sibling(study.evaluation, files.JUDGEMENTS_ENDING).exists():
        raise OutputError(
            f"the study in {out} was judged before without a plan, and a plan that follows a look is none",
            "choose another --out",
        )


def _check_no_looks(out: Path) -> None:
    """Check that no look was taken by a plan that is not there.

    Raises:
        ArtifactError: one was.
    """
    if (out / LOG_FILE).exists() or any(out.glob(look_commands.LOOK_DIRECTORY.format("*"))):
        raise ArtifactError(
            f"{out / PLAN_FILE} is missing, but looks at this study were taken", "restore it from a copy"
        )
