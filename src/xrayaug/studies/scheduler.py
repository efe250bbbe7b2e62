"""Run the commands of a study in parallel processes, each as soon as all its inputs are there.

Their output goes to logs, so no line is lost if the study is killed. If one command runs at a time, its messages are
shown as they come, but not its results, since the study ends with its own; of several, only the starts and the ends are
shown, because interleaved output cannot be read.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from xrayaug.errors import XrayaugError
from xrayaug.options.base import Command
from xrayaug.runtime import console, parallel, stopping
from xrayaug.storage import builder
from xrayaug.studies import logs, status
from xrayaug.studies.planning import Study
from xrayaug.studies.status import CommandStatus

POLL_SECONDS = 0.05  # between checks of the running processes
THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Resources:
    """The number of commands to run in parallel, and their devices; without any, each command keeps its `--device`."""

    jobs: int = 1
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A command that failed, and the last error in its log."""

    command: Command
    code: int
    error: str

    def __str__(self) -> str:
        ended = logs.describe_exit_code(self.code)
        return f"{self.command.name} {self.command.out}: {self.error or logs.NO_MESSAGE} ({ended})"


@dataclass(frozen=True)
class Outcome:
    """The commands that failed, and those that were not run because they read results of failed ones."""

    failed: list[Failure]
    not_run: list[Command]


@dataclass
class _Running:
    """A command that runs, with the position in its log up to which it was read and the warnings until there."""

    number: int
    command: Command
    process: "subprocess.Popen[bytes]"
    log: Path
    read: int
    device: str | None
    since: float  # start, by time.monotonic
    results: IO[bytes] | None = None  # standard output of a command whose messages are shown; None if it is in the log
    warnings: int = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.since


class Scheduler:
    """Runs the commands of a study on the given resources."""

    def __init__(self, study: Study, resources: Resources) -> None:
        self.study, self.resources = study, resources
        self.needs = study.needs()
        self.waiting = dict(enumerate(study.commands))
        self.running: list[_Running] = []
        self.done: set[int] = set()
        self.failed: list[Failure] = []
        self.is_parallel = resources.jobs > 1
        self.statuses = [_reset_failed(known) for known in status.find_statuses(study)] if self.is_parallel else []
        # A progress bar needs a terminal, and nothing else may be printed meanwhile.
        self.shows_progress_bar = resources.jobs == 1 and sys.stderr.isatty()

    def run(self) -> Outcome:
        """Run all commands, except those that read results of failed ones.

        Raises:
            Stopped: the study was asked to stop, or a command alone was; all that ran have saved what they had.
        """
        if self.is_parallel:
            console.info(f"the output of the commands goes to {self.study.out / logs.DIRECTORY}")
        with self._stop_all_on_error():
            while self._start() or self.running:
                time.sleep(POLL_SECONDS)
                self._poll()
        return Outcome(self.failed, list(self.waiting.values()))

    def _start(self) -> bool:
        """Start the commands whose inputs are there, in order, as resources allow.

        Returns:
            True if a command was found complete, so that others may be ready now.
        """
        before = len(self.done)
        for number, command in list(self.waiting.items()):
            if len(self.running) == self.resources.jobs:
                break
            if self.needs[number] <= self.done:
                del self.waiting[number]
                self._start_command(number, command)
        return len(self.done) > before

    def _start_command(self, number: int, command: Command) -> None:
        """Start a command, unless it is complete."""
        position = f"[{number + 1}/{len(self.study.commands)}]"
        if is_complete(command):
            console.info(f"{position} complete: {command.out}")
            self.done.add(number)
            return
        device = self._least_busy_device() if hasattr(command, "device") else None
        command = _assign_resources(command, device, self.resources.jobs)
        console.info(f"{position} {_describe_command(command, device) if self.is_parallel else command.command_line()}")
        log = logs.log_path(self.study.out, command)
        with stopping.deferred():  # a process that runs but is not in the list would not be stopped
            log_size = logs.record_start(log, command.command_line())
            results = None if self.is_parallel else tempfile.TemporaryFile()  # noqa: SIM115 # until the command ends
            process = self._process(command, log, results)
            self.running.append(_Running(number, command, process, log, log_size, device, time.monotonic(), results))

    def _process(self, command: Command, log: Path, results: IO[bytes] | None) -> "subprocess.Popen[bytes]":
        """Start a process that writes its messages to the terminal or the log, and its results to `results` if given.

        Without `results`, both go to the log.
        """
        environment = os.environ | {stopping.PARENT: str(os.getpid())}  # a killed study leaves nothing running
        if self.is_parallel:
            environment.setdefault(THREADS, str(_cpus_per_job(self.resources.jobs)))
        words = [sys.executable, "-m", "xrayaug", *command.argv()]
        with log.open("ab") as file:
            messages = sys.stderr if self.shows_progress_bar else file
            return subprocess.Popen(words, stdout=results or file, stderr=messages, env=environment)

    def _least_busy_device(self) -> str | None:
        """Return the device with the fewest running commands; None if no devices are given."""
        busy = [running.device for running in self.running]
        return min(self.resources.devices, key=busy.count, default=None)

    def _poll(self) -> None:
        """Read the new lines of the logs and record the commands that have ended.

        Raises:
            Stopped: a command was stopped by someone.
        """
        for running in list(self.running):
            code = running.process.poll()
            self._read(running)
            if code is None:
                continue
            self.running.remove(running)
            self._record_end(running, code)
            if code in (stopping.STOPPED_EARLY, stopping.INTERRUPTED):
                raise stopping.Stopped(f"{running.command.name} was stopped", code)
            if code:
                self._record_failure(running, code)
            else:
                self._record_success(running)

    def _record_end(self, running: _Running, code: int) -> None:
        """Complete the log of a command that has ended: with its results, which were not shown, and its exit code."""
        if running.results is not None:
            with running.results as results:
                results.seek(0)
                logs.append(running.log, results.read())
        logs.record_end(running.log, code)

    def _record_success(self, running: _Running) -> None:
        self.done.add(running.number)
        if self.is_parallel:
            progress = self._describe_progress(running, "done")
            warnings = f", warnings: {running.warnings}, see {running.log}" if running.warnings else ""
            took = console.format_duration(running.seconds)
            console.info(f"done: {_describe_command(running.command)} in {took}{warnings}; {progress}")

    def _record_failure(self, running: _Running, code: int) -> None:
        last = logs.last_run(running.log)
        failure = Failure(running.command, code, last.error if last else "")
        self.failed.append(failure)
        goes_on = "commands that do not need its result go on"
        if self.is_parallel:
            progress = self._describe_progress(running, "failed")
            after = f"after {console.format_duration(running.seconds)}; its log: {running.log}"
            console.warning(f"failed: {failure} {after}; {goes_on}; {progress}")
        else:
            ended = logs.describe_exit_code(code)  # its log has been shown
            console.warning(f"failed: {_describe_command(running.command)} ({ended}); {goes_on}")

    def _describe_progress(self, ended: _Running, state: status.CommandState) -> str:
        """Return how many commands are done and how long the rest takes, after a command has ended."""
        was_resumed = self.statuses[ended.number].state == "stopped"  # then only its last run was timed
        self.statuses[ended.number] = CommandStatus(
            ended.command, state, seconds=None if was_resumed else ended.seconds
        )
        running = {each.number: CommandStatus(each.command, "running", seconds=each.seconds) for each in self.running}
        statuses = [running.get(number, known) for number, known in enumerate(self.statuses)]
        failed = f", {len(self.failed)} failed" if self.failed else ""
        left = status.describe_remaining(self.study, statuses, self.resources.jobs)
        return f"{len(self.done)} of {len(statuses)} done{failed}" + (f", {left}" if left else "")

    def _read(self, running: _Running) -> None:
        """Read the new complete lines of a log: count the warnings, and show the lines if one command runs at once."""
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
        """On any exception, stop all running commands and wait for them."""
        try:
            yield
        except BaseException:
            with stopping.deferred():
                for running in self.running:
                    running.process.send_signal(
                        signal.SIGTERM
                    )  # after Ctrl-C on a terminal they have had a signal already
                for running in self.running:
                    code = running.process.wait()
                    self._read(running)
                    self._record_end(running, code)
            raise


def is_complete(command: Command) -> bool:
    """Return whether all results of a command are there, made with the same options and inputs.

    A command that reads raw files is never complete here: only the command itself can compare them. One whose events
    for TensorBoard are asked for and missing is not complete either.
    """
    if command.reads_raw or status.lacks_events(command):
        return False
    try:
        return all((made := builder.find_completed(part)) is not None and part.is_met_by(made.result)
                   for part in command.parts())  # fmt: skip
    except XrayaugError:
        return False  # the command itself reports the error


def _reset_failed(before: CommandStatus) -> CommandStatus:
    """Return a status from before the run as it is at its start: failed commands are run again."""
    return replace(before, state="waiting") if before.state == "failed" else before


def _describe_command(command: Command, device: str | None = None) -> str:
    return f"{command.name} {command.out}" + (f" on {device}" if device and hasattr(command, "device") else "")


def _assign_resources(command: Command, device: str | None, jobs: int) -> Command:
    """Return the command with its device and its share of the processors; neither changes the result."""
    changes: dict[str, Any] = {}
    if device:
        changes["device"] = device
    if jobs > 1 and getattr(command, "workers", None) == 0:
        changes["workers"] = _cpus_per_job(jobs)
    return replace(command, **changes)


def _cpus_per_job(jobs: int) -> int:
    """Return the number of processors for each of several commands."""
    return max(1, parallel.available_cpus() // jobs)
