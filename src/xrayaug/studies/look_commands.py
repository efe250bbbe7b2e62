"""The commands of a sequential study up to its next look: no arm that has ended gets further seeds.

All commands that the study could need are planned first, for the seeds of its last look. Those of fewer seeds are a
part of them, so that each look only adds commands.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xrayaug.options import Copies, Evaluate, Fid, Privacy, TrainClassifier
from xrayaug.options.base import Command
from xrayaug.stats.sequential import Look
from xrayaug.studies.planning import JudgedArm, Study
from xrayaug.studies.sequential_plan import PLAN_FILE, ArmInPlan

LOOK_DIRECTORY = "evaluation-look-{}"  # of the evaluation of each look, in the study


@dataclass(frozen=True)
class ArmRuns:
    """The classifiers of an arm in the order of their seeds, and what the arm is."""

    arm: ArmInPlan
    runs: Sequence[TrainClassifier]

    def first(self, seeds: int) -> list[Path]:
        """Return the runs of the first so many seeds."""
        return [run.out for run in self.runs[:seeds]]


def group_arms(study: Study) -> list[ArmRuns]:
    """Return the arms whose runs a study evaluates, with their runs."""
    trained = {part.out: part for each in study.commands for part in each.parts() if isinstance(part, TrainClassifier)}
    groups: dict[JudgedArm, list[TrainClassifier]] = {}
    for path, arm in study.list_judged_arms().items():
        groups.setdefault(arm, []).append(trained[path])
    found = []
    for arm, runs in groups.items():
        ordered = sorted(runs, key=lambda run: run.seed)
        name = ordered[0].out.name.removeprefix("classifier-").removesuffix(f"-seed-{ordered[0].seed}")
        role = "control" if arm.control else "arm" if arm.percent else "baseline"
        found.append(ArmRuns(ArmInPlan(name, role), ordered))
    return found


def select_dataset(study: Study, dataset: Path) -> Study:
    """Return the commands that make the classifiers' dataset, whose test images the plan has; none if it is given."""
    needed = _find_ancestors(study, [dataset])
    commands = [command for command in study.commands if {part.out for part in command.parts()} & needed]
    return replace(study, commands=commands)


def select_looks(study: Study, looks: Sequence[Look], ended: Mapping[str, int], *, first_look: int = 1) -> Study:
    """Return the commands up to the last of the looks that are given.

    Args:
        study: all commands that there could be, with the seeds of the last look of the plan.
        looks: the first looks of the plan, the next one last.
        ended: the look after which each arm that has ended got no more seeds, by its name in the plan.
        first_look: only the commands of the looks from this one on.
    """
    groups, whole = group_arms(study), _evaluation(study)
    commands: list[Command] = []
    made: set[Path] = set()
    evaluation = study.evaluation
    for look in looks:
        wanted = {
            run for group in groups for run in group.first(min(look.seeds, _seeds_at_end(group.arm.name, looks, ended)))
        }
        added = [*_select(study, _find_ancestors(study, wanted), made)]
        made |= {part.out for command in added for part in command.parts()}
        previous, evaluation = evaluation, study.out / LOOK_DIRECTORY.format(look.number)
        evaluate = replace(
            whole,
            runs=tuple(run for run in whole.runs if run in wanted),
            fid=tuple(path for path in whole.fid or () if path in made) or None,
            privacy=tuple(path for path in whole.privacy or () if path in made) or None,
            plan=study.out / PLAN_FILE,
            previous_look=previous if look.number > 1 else None,
            overwrite=False,
            out=evaluation,
        )
        if look != looks[-1]:  # the next look has the hash of its files, so nothing is added to it any more
            evaluate = replace(evaluate, checklist=False, planted=False, reader_study=None)
        if look.number >= first_look:
            commands += [*added, evaluate]
    distances = [path for path in study.distances if path in made]
    return replace(study, commands=commands, evaluation=evaluation, distances=distances)


def count_trainings(study: Study) -> int:
    """Return the number of classifiers that the commands of a study train, those of first phases included."""
    return sum(isinstance(part, TrainClassifier) for command in study.commands for part in command.parts())


def _seeds_at_end(arm: str, looks: Sequence[Look], ended: Mapping[str, int]) -> int:
    """Return the largest number of seeds that an arm gets up to the last of the looks."""
    return looks[min(ended.get(arm, len(looks)), len(looks)) - 1].seeds


def _evaluation(study: Study) -> Evaluate:
    return next(command for command in study.commands if isinstance(command, Evaluate))


def _select(study: Study, needed: Collection[Path], made: Collection[Path]) -> list[Command]:
    """Return the commands that make what is needed and not made yet, and that measure it."""
    produced = {part.out for command in study.commands for part in command.parts()}
    selected: list[Command] = []
    for command in study.commands:
        parts = [part for part in command.parts() if part.out in needed and part.out not in made]
        if isinstance(command, Fid | Copies | Privacy):
            read = set(command.inputs().values()) & produced
            if command.out not in made and read <= {*needed, *made}:
                selected.append(command)
        elif parts and len(parts) == len(command.parts()):
            selected.append(command)
        elif parts and isinstance(command, TrainClassifier):
            seeds = [part.seed for part in parts]
            is_range = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
            selected += [replace(command, seed=seeds[0], seeds=len(seeds))] if is_range else parts
    return selected


def _find_ancestors(study: Study, paths: Collection[Path]) -> set[Path]:
    """Return results of the study, and all results of it that they are made from."""
    parts = {part.out: part for command in study.commands for part in command.parts()}
    found: set[Path] = set()
    left = [path for path in paths if path in parts]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += [source for source in parts[path].inputs().values() if source in parts]
    return found
