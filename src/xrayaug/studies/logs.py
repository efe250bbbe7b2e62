"""The logs of the commands of a study: their output, when each run started and how it ended.

`experiment` and the job scripts of `slurm.py` write them; `status.py` reads how the last run ended.
"""

import re
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from xrayaug.errors import one_line
from xrayaug.options.base import Command

DIRECTORY = "logs"  # of a study
BEGAN = "== began"
ENDED = "== ended with exit code"
ENDING = re.compile(rf"{ENDED} (-?\d{{1,4}})")
NO_MESSAGE = "its log does not say why"  # if the log has no error, as of a run that printed to the terminal itself
MAX_BYTES_READ = 64 << 10  # from the end of a log; more than the longest traceback


@dataclass(frozen=True)
class LastRun:
    """The last run in a log."""

    code: int | None  # exit code; None if it is running, or was killed together with the process that records it
    error: str  # last error in the log, or else the last line; empty if there is no line
    last_line: str  # last line in the log


def log_path(study: Path, command: Command) -> Path:
    """Return the path of the log of a command of the study at `study`, or of the study itself."""
    name = command.name if command.out == study else command.out.name
    return study / DIRECTORY / f"{name}.log"


def record_start(log: Path, command_line: str) -> int:
    """Append the start of a run to a log and return the size of the log, after which the output of the run follows."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{BEGAN} {datetime.now(UTC).isoformat(timespec='seconds')}: {command_line}\n")
        return file.tell()


def append(log: Path, output: bytes) -> None:
    """Append output of a run to a log."""
    with log.open("ab") as file:
        file.write(output)


def record_end(log: Path, code: int) -> None:
    """Append the exit code of a run to its log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{ENDED} {code}\n")


def last_run(log: Path) -> LastRun | None:
    """Return the last run in a log; None if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - MAX_BYTES_READ))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    start = max((number for number, line in enumerate(lines) if line.startswith(BEGAN)), default=-1)
    messages, code = [], None
    for line in filter(str.strip, lines[start + 1 :]):
        if ending := ENDING.fullmatch(line):
            code = int(ending[1])
        else:
            messages.append(one_line(line))
    errors = [line for line in messages if line.startswith("error: ")]
    last = messages[-1] if messages else ""
    return LastRun(code, errors[-1].removeprefix("error: ") if errors else last, last)


def describe_exit_code(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    named = {number.value: number.name for number in signal.Signals}
    return f"killed by {named.get(-code, f'signal {-code}')}"
