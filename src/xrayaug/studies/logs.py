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
NO_MESSAGE = "its log does not say why"  # of a run whose error is empty: on a terminal it draws and says all by itself
READ_FROM_END = 64 << 10  # bytes: a traceback at its longest, and more


@dataclass(frozen=True)
class LastRun:
    """The last run in a log."""

    code: int | None  # None: it goes on, or was killed with whoever would have said how it ended
    error: str  # its last error line, or else the last line it said; empty where it said nothing
    last_line: str  # the last line it said


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


def record_end(log: Path, code: int) -> None:
    """Append the exit code of a run to its log."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{ENDED} {code}\n")


def last_run(log: Path) -> LastRun | None:
    """Return the last run in a log; None if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - READ_FROM_END))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    begun = max((number for number, line in enumerate(lines) if line.startswith(BEGAN)), default=-1)
    said, code = [], None
    for line in filter(str.strip, lines[begun + 1 :]):
        if ending := ENDING.fullmatch(line):
            code = int(ending[1])
        else:
            said.append(one_line(line))
    errors = [line for line in said if line.startswith("error: ")]
    last = said[-1] if said else ""
    return LastRun(code, errors[-1].removeprefix("error: ") if errors else last, last)


def describe_exit_code(code: int) -> str:
    """Return how a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    named = {number.value: number.name for number in signal.Signals}
    return f"killed by {named.get(-code, f'signal {-code}')}"
