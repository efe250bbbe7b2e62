"""Commands side by side, each in a process of its own, and each begun once all that it reads is there.

What they say goes to logs; a process that dies with its study has lost no line. Of one at a time the lines are shown as
they come, of several only that each begins and how it ended: what they say side by side nobody can follow.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xrayaug.errors import XrayaugError
from xrayaug.options.base import Command
from xrayaug.runtime import console, parallel, stopping
from xrayaug.storage import builder
from xrayaug.studies import logs, status
from xrayaug.studies.planning import Study
from xrayaug.studies.status import CommandStatus

POLL_SECONDS = 0.05  # between looks at what runs
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Resources:
    """Where commands run: how many at a time, and on which devices (none: where each says itself)."""

    jobs: int = 1
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A command that failed, and the last error that it told of."""

    command: Command
    code: int
    error: str

    def __str__(self) -> str:
        return f"{self.command.name} {self.command.out}: {self.error or logs.NO_MESSAGE} ({logs.describe_exit_code(self.code)})"


@dataclass(frozen=True)
class Outcome:
    """What a runner leaves: those that failed, and those that wait for them."""

    failed: list[Failure]
    not_run: list[Command]


@dataclass
class _Running:
    """A command that runs, since when, how much of its log has been read, and how many warnings stood there."""

    number: int
    command: Command
    process: "subprocess.Popen[bytes]"
    log: Path
    read: int
    device: str | None
    since: float  # by the clock
    warnings: int = 0

    @property
    def seconds(self) -> float:
        """For how long it runs."""
        return time.monotonic() - self.since


class Scheduler:
    """Runs the commands of a study."""

    def __init__(self, study: Study, resources: Resources) -> None:
        self.study, self.resources = study, resources
        self.needs = study.needs()
        self.waiting = dict(enumerate(study.commands))
        self.running: list[_Running] = []
        self.done: set[int] = set()
        self.failed: list[Failure] = []
        self.is_parallel = resources.jobs > 1
        self.statuses = [_reset_failed(each) for each in status.find_statuses(study)] if self.is_parallel else []
        # A bar is drawn only where nothing else is said meanwhile; and only a terminal's own process can draw one.
        self.shows_progress_bar = resources.jobs == 1 and sys.stderr.isatty()

    def run(self) -> Outcome:
        """Run all that can be run: what reads nothing of a failed command goes on.

        Raises:
            Stopped: the study was asked to stop, or a command alone was; all that ran have saved what they had.
        """
        if self.is_parallel:
            console.info(f"what they say goes to {self.study.out / logs.DIRECTORY}")
        with self._stop_all_on_error():
            while self._start() or self.running:
                time.sleep(POLL_SECONDS)
                self._poll()
        return Outcome(self.failed, list(self.waiting.values()))

    def _start(self) -> bool:
        """Start, in order, what is ready and has room; whether anything was found complete meanwhile."""
        before = len(self.done)
        for number, command in list(self.waiting.items()):
            if len(self.running) == self.resources.jobs:
                break
            if self.needs[number] <= self.done:
                del self.waiting[number]
                self._start_command(number, command)
        return len(self.done) > before

    def _start_command(self, number: int, command: Command) -> None:
        """Run one, unless it is complete."""
        where = f"[{number + 1}/{len(self.study.commands)}]"
        if is_complete(command):
            console.info(f"{where} complete: {command.out}")
            self.done.add(number)
            return
        device = self._least_busy_device() if hasattr(command, "device") else None
        command = _assign_resources(command, device, self.resources.jobs)
        console.info(f"{where} {_describe_command(command, device) if self.is_parallel else command.command_line()}")
        log = logs.log_path(self.study.out, command)
        with stopping.deferred():  # none is to run that would not be told
            begun = logs.record_start(log, command.command_line())
            process = self._process(command, log)
            self.running.append(_Running(number, command, process, log, begun, device, time.monotonic()))

    def _process(self, command: Command, log: Path) -> "subprocess.Popen[bytes]":
        environment = os.environ | {stopping.PARENT: str(os.getpid())}  # a killed study leaves nothing running
        if self.is_parallel:
            environment.setdefault(THREADS, str(_cpus_per_job(self.resources.jobs)))
        words = [sys.executable, "-m", "xrayaug", *command.argv()]
        if self.shows_progress_bar:
            return subprocess.Popen(words, stdout=sys.stderr, stderr=sys.stderr, env=environment)
        with log.open("ab") as file:
            return subprocess.Popen(words, stdout=file, stderr=file, env=environment)

    def _least_busy_device(self) -> str | None:
        """The device on which the fewest run, the first of them; None where there is no choice."""
        busy = [running.device for running in self.running]
        return min(self.resources.devices, key=busy.count, default=None)

    def _poll(self) -> None:
        """Read what is new in the logs, and see who has ended.

        Raises:
            Stopped: a command was stopped by someone.
        """
        for running in list(self.running):
            code = running.process.poll()
            self._read(running)
            if code is None:
                continue
            self.running.remove(running)
            logs.record_end(running.log, code)
            if code in (stopping.STOPPED_EARLY, stopping.INTERRUPTED):
                raise stopping.Stopped(f"{running.command.name} was stopped", code)
            if code:
                self._record_failure(running, code)
            else:
                self._record_success(running)

    def _record_success(self, running: _Running) -> None:
        self.done.add(running.number)
        if self.is_parallel:
            so_far = self._describe_progress(running, "done")
            warned = f", warnings: {running.warnings}, see {running.log}" if running.warnings else ""
            console.info(f"done: {_describe_command(running.command)} in {console.format_duration(running.seconds)}{warned}; {so_far}")

    def _record_failure(self, running: _Running, code: int) -> None:
        last = logs.last_run(running.log)
        failure = Failure(running.command, code, last.error if last else "")
        self.failed.append(failure)
        goes_on = "what does not read it goes on"
        if self.is_parallel:
            so_far = self._describe_progress(running, "failed")
            after = f"after {console.format_duration(running.seconds)}; its log: {running.log}"
            console.warning(f"failed: {failure} {after}; {goes_on}; {so_far}")
        else:
            console.warning(f"failed: {failure}; {goes_on}")

    def _describe_progress(self, ended: _Running, state: status.State) -> str:
        """How much is done now that this command has ended so, and how long the rest takes."""
        went_on = self.statuses[ended.number].state == "stopped"  # of such a one only the end was seen
        self.statuses[ended.number] = CommandStatus(ended.command, state, seconds=None if went_on else ended.seconds)
        running = {each.number: CommandStatus(each.command, "running", seconds=each.seconds) for each in self.running}
        now = [running.get(number, known) for number, known in enumerate(self.statuses)]
        failed = f", {len(self.failed)} failed" if self.failed else ""
        left = status.describe_remaining(self.study, now, self.resources.jobs)
        return f"{len(self.done)} of {len(now)} done{failed}" + (f", {left}" if left else "")

    def _read(self, running: _Running) -> None:
        """Read the whole lines that a log has got: show them, where one runs at a time, or count the warnings."""
        with running.log.open("rb") as file:
            file.seek(running.read)
            whole, ended, _ = file.read().rpartition(b"\n")
        running.read += len(whole) + len(ended)
        for line in whole.decode(errors="replace").split("\n") if ended else []:
            if not self.is_parallel:
                console.info(line)
            running.warnings += line.startswith("warning: ")

    @contextmanager
    def _stop_all_on_error(self) -> Iterator[None]:
        """Whatever ends the study: those that run are told, and waited for."""
        try:
            yield
        except BaseException:
            with stopping.deferred():
                for running in self.running:
                    running.process.send_signal(signal.SIGTERM)  # after Ctrl-C on a terminal they know already
                for running in self.running:
                    code = running.process.wait()
                    self._read(running)
                    logs.record_end(running.log, code)
            raise


def is_complete(command: Command) -> bool:
    """Whether all that it makes is there, made by this very command; only itself knows, where it reads raw files."""
    if command.reads_raw:
        return False
    try:
        return all((made := builder.find_completed(part)) is not None and part.is_met_by(made.result)
                   for part in command.parts())  # fmt: skip
    except XrayaugError:
        return False  # the command itself says what is wrong


def _reset_failed(before: CommandStatus) -> CommandStatus:
    """Where a command stands for who begins now: what failed before is run again."""
    return replace(before, state="waiting") if before.state == "failed" else before


def _describe_command(command: Command, device: str | None = None) -> str:
    return f"{command.name} {command.out}" + (f" on {device}" if device and hasattr(command, "device") else "")


def _assign_resources(command: Command, device: str | None, jobs: int) -> Command:
    """The command on that device, with its share of the processors; neither changes what it makes."""
    changes: dict[str, Any] = {}
    if device:
        changes["device"] = device
    if jobs > 1 and getattr(command, "workers", None) == 0:
        changes["workers"] = _cpus_per_job(jobs)
    return replace(command, **changes)


def _cpus_per_job(jobs: int) -> int:
    """Processors for each of so many."""
    return max(1, parallel.available_cpus() // jobs)
