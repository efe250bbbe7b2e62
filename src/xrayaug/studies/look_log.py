"""How far a sequential study is: the sealed log of its looks, each with the arms that ended at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from xrayaug.errors import ArtifactError
from xrayaug.stats.sequential import Look
from xrayaug.storage import artifacts, files, sealed_log
from xrayaug.storage.artifacts import Artifact
from xrayaug.studies.look_commands import LOOK_DIRECTORY, ArmRuns
from xrayaug.studies.sequential_plan import PLAN_FILE, SequentialPlan

LOG_FILE = "sequential-looks.jsonl"  # in the directory of a study
ADDED = ("reader_study", "readers", "checklists", "planted")  # to a finished evaluation, without judging again


@dataclass(frozen=True)
class Progress:
    """The looks that were taken, and the look after which each arm that has ended got no more seeds."""

    plan: SequentialPlan
    taken: Sequence[Mapping[str, Any]]  # entries of the log
    ended: Mapping[str, int]

    @property
    def is_over(self) -> bool:
        """Whether no arm goes on."""
        return (
            len(self.taken) == len(self.plan.looks)
            or {arm.name for arm in self.plan.arms if arm.role == "arm"} <= self.ended.keys()
        )

    @property
    def looks(self) -> list[Look]:
        """The looks that were taken, and the next one if an arm goes on."""
        return self.plan.looks[: len(self.taken) + (not self.is_over)]

    def describe(self) -> str:
        """Return how far the study is, in one line."""
        total, number = len(self.plan.looks), len(self.taken)
        if self.is_over:
            return f"the sequential study is over: it ended at look {number} of {total}"
        look = self.plan.looks[number]
        going_on = sum(arm.role == "arm" and arm.name not in self.ended for arm in self.plan.arms)
        return (
            f"next is look {look.number} of {total}: {look.seeds} seeds, level {look.level:.3g}, "
            f"{going_on} of {self.plan.family} arms go on"
        )


def read_progress(out: Path, plan: SequentialPlan) -> Progress:
    """Return how far a study is by its log.

    Raises:
        ArtifactError: the log was changed since it was written, or is of another plan.
    """
    path = out / LOG_FILE
    taken = sealed_log.read(path, plan.sha256)
    ended: dict[str, int] = {}
    for number, entry in enumerate(taken, 1):
        names = {str(name) for name in entry.get("ended", ())}
        if entry.get("look") != number or number > len(plan.looks) or not names <= {arm.name for arm in plan.arms}:
            raise ArtifactError(f"{path} line {number} does not fit {out / PLAN_FILE}", "restore it from a copy")
        ended |= dict.fromkeys(sorted(names - ended.keys()), number)
    return Progress(plan, taken, ended)


def record_look(out: Path, progress: Progress, groups: Sequence[ArmRuns]) -> Progress:
    """Add the look that has been evaluated to the log, and compare the looks before it with their entries.

    Raises:
        ArtifactError: an evaluation is missing or damaged, or gives another result than the one that was looked at.
    """
    for number, entry in enumerate(progress.taken, 1):
        evaluation = artifacts.open_artifact(out / LOOK_DIRECTORY.format(number), "evaluation")
        if _digest_result(evaluation) != entry["result_sha256"]:
            raise ArtifactError(
                f"{evaluation.path} gives another result than the one that was looked at at look {number}",
                f"restore it from a copy; {out / LOG_FILE} has the sha256 of its result",
            )
    if progress.is_over:
        return progress
    look = progress.looks[-1]
    evaluation = artifacts.open_artifact(out / LOOK_DIRECTORY.format(look.number), "evaluation")
    entry = _describe_look(evaluation, look, groups)
    sealed_log.append(out / LOG_FILE, progress.plan.sha256, entry)
    return read_progress(out, progress.plan)


def _describe_look(evaluation: Artifact, look: Look, groups: Sequence[ArmRuns]) -> dict[str, Any]:
    """Return the entry of a look: the arms that were told at it, and all that get no more seeds."""
    arm_of = {Path(run["run"]).name: str(run["arm_name"]) for run in evaluation.get(list, "result", "runs")}
    sequential = evaluation.get(dict, "result", "verdict", "sequential")
    stopped = {str(name) for name in sequential["stopped"]}
    told = {arm["arm"]: arm["verdict"] for arm in evaluation.get(list, "result", "verdict", "arms")}
    named = {group.arm.name: arm_of[group.runs[0].out.name] for group in groups}
    return {
        "look": look.number,
        "seeds": look.seeds,
        "level": look.level,
        "evaluation": evaluation.path.name,
        "result_sha256": _digest_result(evaluation),
        "verdicts": {name: told[arm] for name, arm in named.items() if arm in told},
        "ended": [name for name, arm in named.items() if arm in stopped],
        "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _digest_result(evaluation: Artifact) -> str:
    """Return the sha256 of the numbers of an evaluation, without those that are added afterwards."""
    result = {name: value for name, value in evaluation.result.items() if name not in ADDED}
    return files.sha256_bytes(files.format_json(result).encode())
