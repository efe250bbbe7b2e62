"""The status of a study: which commands are done, running, failed, stopped or waiting, and the remaining time.

It is read from files alone, so it also works for a study whose commands run as jobs of a cluster. Nothing is written.
"""

import heapq
import signal
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import fmean
from typing import Any, Literal, get_args

from xrayaug.errors import XrayaugError
from xrayaug.options.base import Command
from xrayaug.runtime import console, stopping
from xrayaug.storage import artifacts, builder, files, lock, manifests
from xrayaug.storage.manifests import MANIFEST, Manifest
from xrayaug.studies import logs
from xrayaug.studies.planning import Study

CommandState = Literal["done", "running", "failed", "stopped", "waiting"]
STATES: tuple[CommandState, ...] = get_args(CommandState)
STOPPED = (
    stopping.STOPPED_EARLY,
    stopping.INTERRUPTED,
    -signal.SIGTERM,
    -signal.SIGUSR1,
)  # the signals: while it was starting


@dataclass(frozen=True)
class CommandStatus:
    """The status of a command."""

    command: Command
    state: CommandState
    note: str = ""  # its last line, or why it failed
    seconds: float | None = None  # duration, so far if it is running; None if unknown


def find_statuses(study: Study) -> list[CommandStatus]:
    """Return the status of every command, in order. Only manifests, locks and the ends of logs are read."""
    return [_find_status(study, command) for command in study.commands]


def is_done(command: Command) -> bool:
    """Return whether all results of a command are there, with these settings and inputs according to the manifests.

    Of a training whose events for TensorBoard are asked for, these must be there too.
    """
    return not lacks_events(command) and all(
        (made := _read_manifest(part)) is not None and not _find_differences(made, part) for part in command.parts()
    )


def lacks_events(command: Command) -> bool:
    """Return whether events for TensorBoard are asked for, and missing beside a result of the command."""
    directories = [files.sibling(part.out, files.EVENTS_ENDING) for part in command.parts()]
    return bool(getattr(command, "tensorboard", False)) and not all(each.is_dir() for each in directories)


def estimate_remaining_seconds(study: Study, statuses: list[CommandStatus], at_a_time: int) -> float:
    """Return the seconds until the study is done, with `at_a_time` commands in parallel.

    A command is expected to take as long as the finished ones of its name took on average that were never stopped; one
    without a finished one counts as 0, see `unknown_durations`. The schedule is simulated, because the remaining work
    divided by `at_a_time` is too little for a study: its commands form chains (prepare, train-gan, sample, ...), along
    which nothing runs in parallel.
    """
    pace, needs = _mean_durations(statuses), study.needs()
    ends = {number: 0.0 for number, command_status in enumerate(statuses) if command_status.state == "done"}
    left = sorted(set(range(len(statuses))) - ends.keys(), key=lambda number: statuses[number].state != "running")
    free = [0.0] * at_a_time  # a heap of the times at which a slot is free
    while left:
        slot = heapq.heappop(free)
        ready = {number: max((ends[need] for need in needs[number]), default=0.0)
                 for number in left if needs[number] <= ends.keys()}  # fmt: skip
        number = min(ready, key=lambda number: max(ready[number], slot))  # the first of those that can start soonest
        left.remove(number)
        ends[number] = max(ready[number], slot) + _expected_seconds(statuses[number], pace)
        heapq.heappush(free, ends[number])
    return max(ends.values(), default=0.0)


def describe_remaining(study: Study, statuses: list[CommandStatus], at_a_time: int) -> str:
    """Return the time until nothing is left to run, in words; empty if nothing is left.

    Failed commands and those that wait for them are left out: they are not run again in this run of the study.
    """
    blocked: set[int] = set()
    for number, needs in enumerate(study.needs()):
        if statuses[number].state == "failed" or needs & blocked:
            blocked.add(number)
    kept = [number for number in range(len(statuses)) if number not in blocked]
    rest = replace(study, commands=[study.commands[number] for number in kept])
    rest_statuses = [statuses[number] for number in kept]
    if all(known.state == "done" for known in rest_statuses):
        return ""
    seconds = estimate_remaining_seconds(rest, rest_statuses, at_a_time)
    if round(seconds) == 0:
        return "the remaining time is not known yet"
    return f"{'at least' if unknown_durations(rest_statuses) else 'about'} {console.format_duration(seconds)} left"


def _expected_seconds(command_status: CommandStatus, pace: dict[str, float]) -> float:
    """Return the seconds that a command still needs."""
    run = command_status.seconds or 0.0 if command_status.state == "running" else 0.0
    return max(pace.get(command_status.command.name, 0.0) - run, 0.0)


def unknown_durations(statuses: list[CommandStatus]) -> list[str]:
    """Return the names of unfinished commands of which none has finished, so that their duration is unknown."""
    pace = _mean_durations(statuses)
    unfinished = {command_status.command.name for command_status in statuses if command_status.state != "done"}
    return sorted(unfinished - pace.keys())


def count_states(statuses: list[CommandStatus]) -> dict[str, int]:
    """Return the number of commands in each state."""
    counts = Counter(command_status.state for command_status in statuses)
    return {state: counts[state] for state in STATES}


def _find_status(study: Study, command: Command) -> CommandStatus:
    parts = command.parts()
    for part in parts:
        if (holder := lock.find_holder(part.out)) is not None:
            last = logs.last_run(logs.log_path(study.out, command))
            elapsed = (datetime.now(UTC) - holder.since).total_seconds() if holder.since else None
            return CommandStatus(command, "running", last.last_line if last else "", elapsed)
    there = [(manifest, part) for part in parts if (manifest := _read_manifest(part)) is not None]
    made = [manifest for manifest, _ in there]
    other = [difference for manifest, part in there for difference in _find_differences(manifest, part)]
    if len(made) == len(parts) and not other:
        return CommandStatus(command, "done", seconds=_duration(made))
    if other and not command.overwrite:
        return CommandStatus(command, "failed", f"{command.out} holds another result: {'; '.join(other)}")
    return _unfinished(study, command)


def _unfinished(study: Study, command: Command) -> CommandStatus:
    """Return the status of a command that is neither done nor running."""
    last = logs.last_run(logs.log_path(study.out, command))
    if last and last.code not in (None, 0, *STOPPED):
        return CommandStatus(
            command, "failed", f"{last.error or logs.NO_MESSAGE} ({logs.describe_exit_code(last.code)})"
        )
    has_started = any(artifacts.partial_path(part.out).exists() for part in command.parts())
    return CommandStatus(command, "stopped" if has_started else "waiting")


def _read_manifest(command: Command) -> Manifest | None:
    """Return the manifest at the `out` of a command; None if it is missing or damaged."""
    try:
        return manifests.read(command.out / MANIFEST) if artifacts.is_artifact(command.out) else None
    except XrayaugError:
        return None


def _find_differences(made: Manifest, command: Command) -> list[str]:
    """Return the differences between a result and what the command would make: settings, inputs, optional parts."""
    if made["stage"] != command.name:
        return [f"it was made by {made['stage']}"]
    given = command.inputs()
    named = [f"input {name} is another" for name in sorted(given.keys() ^ made["inputs"].keys())]
    changed = [
        f"input {name} has another content"
        for name in sorted(given.keys() & made["inputs"].keys())
        if artifacts.is_artifact(given[name]) and artifacts.digest(given[name]) != made["inputs"][name]["sha256"]
    ]
    added = [] if command.is_met_by(made["result"]) else ["it lacks a part that the options ask for"]
    return [*builder.option_differences(made, command), *named, *changed, *added]


def _duration(made: list[Manifest]) -> float | None:
    """Return the seconds that the results took; None if one was stopped, as only its last run was timed."""
    environments = [manifest.get("environment", {}) for manifest in made]
    seconds = [each.get("seconds") for each in environments if not each.get("stops")]
    whole = [float(each) for each in seconds if isinstance(each, int | float)]
    return max(whole) if len(whole) == len(made) else None


def _mean_durations(statuses: list[CommandStatus]) -> dict[str, float]:
    """Return the mean seconds of the finished commands of each name."""
    took: dict[str, list[float]] = {}
    for command_status in statuses:
        if command_status.state == "done" and command_status.seconds is not None:
            took.setdefault(command_status.command.name, []).append(command_status.seconds)
    return {name: fmean(seconds) for name, seconds in took.items()}


def as_json(statuses: list[CommandStatus]) -> list[dict[str, Any]]:
    """Return the statuses as JSON values."""
    return [
        {
            "command": each.command.name,
            "out": str(each.command.out),
            "state": each.state,
            "seconds": None if each.seconds is None else round(each.seconds, 1),
            "note": each.note,
        }
        for each in statuses
    ]
