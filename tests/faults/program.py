"""xrayaug as a user runs it, in processes that can be killed; the server forks them on request."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faults.shim import Plan
from torch.distributed import TCPStore  # type: ignore[attr-defined] # torch exports it, but not for type checkers

TESTS = Path(__file__).parents[1]
PATIENCE = 120.0  # seconds that a command may take before the test gives up on it
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Ended:
    """The exit code and the output of a process."""

    code: int  # minus the signal's number where one killed it
    stdout: str
    stderr: str
    boundaries: int = 0

    @property
    def was_killed(self) -> bool:
        """Return whether SIGKILL ended the process."""
        return self.code == -signal.SIGKILL

    @property
    def errors(self) -> list[str]:
        """Return the lines of stderr that report an error."""
        return [line for line in self.stderr.splitlines() if line.startswith("error:")]


@dataclass
class Running:
    """A process that was started: the leader of a group of its own."""

    program: "Program"
    pid: int
    directory: Path  # of what it says
    started: float = field(default_factory=time.monotonic)

    @property
    def stderr(self) -> str:
        """Return the output on stderr so far."""
        return _text(self.directory / "stderr")

    def send(self, number: int) -> None:
        """Send a signal to it alone, unless it has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill_all(self) -> None:
        """Kill it and all that it started, unless they have ended."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, patience: float = PATIENCE) -> Ended:
        """Wait for the end of the process."""
        code = self.program.code_of(self.pid, patience)
        boundaries = _text(self.directory / "boundaries")
        return Ended(code, _text(self.directory / "stdout"), self.stderr, int(boundaries or 0))

    def wait_for(self, said: str, patience: float = PATIENCE) -> None:
        """Wait until a text appears on stderr."""
        self.wait_until(lambda: said in self.stderr, patience)

    def wait_until(self, reached: Any, patience: float = PATIENCE) -> None:
        """Wait until `reached()`."""
        until = time.monotonic() + patience
        while not reached():
            assert time.monotonic() < until, f"not reached: {self.stderr}"
            time.sleep(0.005)

    def children(self) -> list[int]:
        """Return the ids of the running child processes."""
        listed = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in listed.read_text(encoding="ascii").split()] if listed.exists() else []

    def group_is_gone(self, patience: float) -> bool:
        """Return whether the process group is gone, waiting at most `patience` seconds."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            if not any(_runs_in(self.pid, status) for status in Path("/proc").glob("[0-9]*/stat")):
                return True
            time.sleep(0.02)
        return False


def _runs_in(group: int, status: Path) -> bool:
    """Return whether /proc/PID/stat shows a process of the group that is no zombie."""
    try:
        state, _, of, *_ = status.read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, ValueError):  # it has just ended
        return False
    return int(of) == group and state != "Z"


class Program:
    """The server, and a directory in which its children work."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made = 0  # directories
        self.meeting: Any = None  # where the processes of one run meet
        self._ended: dict[int, int] = {}
        searched = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | ONE_THREAD | {"PYTHONPATH": searched, "COLUMNS": "120", "GOMP_SPINCOUNT": "1000"}
        self.server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "faults.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # a line that was read ahead into a buffer is one that `select` never hears of
            env=environment,
            cwd=directory,
        )
        assert self._message(PATIENCE) == {"threads": 1}, "forking a process that has threads is unsafe"

    def new_directory(self, name: str) -> Path:
        """Make a directory beside the others, so that the same relative paths lead to the same inputs."""
        self.made += 1
        directory = self.directory / f"{name}-{self.made}"
        directory.mkdir()
        return directory

    def start(
        self,
        words: list[str],
        cwd: Path,
        plan: Plan | None = None,
        *,
        largest_file: int = 0,
        environment: dict[str, str] | None = None,
        module: str = "",
    ) -> Running:
        """Start a command in `cwd`, with more in its environment if asked; or `main` of a module with these words."""
        said = Path(tempfile.mkdtemp(dir=self.directory, prefix="said-"))
        request = {
            "words": words,
            "cwd": str(cwd),
            "environment": {"XDG_CACHE_HOME": str(cwd / "xdg-cache"), **(environment or {})},
            "stdout": str(said / "stdout"),
            "stderr": str(said / "stderr"),
            "plan": asdict(plan) | {"report": str(said / "boundaries")} if plan else None,
            "largest_file": largest_file,
            "module": module,
        }
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(request).encode() + b"\n")
        self.server.stdin.flush()
        while True:
            message = self._message(PATIENCE)
            if "started" in message:
                return Running(self, message["started"], said)
            self._ended[message["ended"]] = message["code"]

    def start_together(self, words: list[str], cwd: Path, count: int, module: str = "") -> list[Running]:
        """Start a command in `cwd` as `count` processes of one run, as torchrun does; return them by rank.

        With a module, its `main` is started in place of the command.
        """
        self.meeting = TCPStore(
            "127.0.0.1", 0, is_master=True, wait_for_workers=False
        )  # torchrun's, which outlives all
        variables = {
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(self.meeting.port),
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        return [
            self.start(words, cwd, environment=variables | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, module=module)
            for rank in range(count)
        ]

    def run(self, words: list[str], cwd: Path, plan: Plan | None = None, *, largest_file: int = 0) -> Ended:
        """Run a command to its end in `cwd`."""
        running = self.start(words, cwd, plan, largest_file=largest_file)
        ended = running.wait()
        shutil.rmtree(running.directory)
        return ended

    def code_of(self, pid: int, patience: float) -> int:
        """Wait for a child and return its exit code."""
        while pid not in self._ended:
            message = self._message(patience)
            self._ended[message["ended"]] = message["code"]
        return self._ended.pop(pid)

    def close(self) -> None:
        """End the server and its children."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.wait(PATIENCE)
        self.server.stdout.close()

    def _message(self, patience: float) -> dict[str, int]:
        assert self.server.stdout is not None
        ready, _, _ = select.select([self.server.stdout], [], [], patience)
        assert ready, f"no output for {patience} s"
        line = self.server.stdout.readline()
        assert line, "the server is gone"
        message: dict[str, int] = json.loads(line)
        return message


@contextmanager
def serving() -> Iterator[Program]:
    """Start a program in a new directory, in /dev/shm if it exists, because thousands of files are flushed to disk."""
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None, prefix="xrayaug-faults-") as place:
        program = Program(Path(place))
        try:
            yield program
        finally:
            program.close()


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""
