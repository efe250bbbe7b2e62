"""Commands in forked processes, which start fast; also those that `experiment` starts."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

from xrayaug import cli
from xrayaug.studies import scheduler

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT, signal.SIGALRM)


def become(
    words: list[str], then: Callable[[], object] = lambda: None, program: Callable[[], object] = cli.main
) -> NoReturn:
    """Run the program with these arguments, call `then`, and end the process."""
    code: int | str | None = 1
    try:
        sys.argv = ["xrayaug", *words]
        main = ModuleType("__main__")
        main.__spec__ = ModuleSpec("xrayaug.__main__", None)  # processes that it spawns are not to import the server
        sys.modules["__main__"] = main
        program()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        threading._shutdown()  # type: ignore[attr-defined] # as at an interpreter's end, which itself takes long
        then()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def install() -> None:
    """Make `experiment` fork its parts."""
    vars(scheduler)["subprocess"] = SimpleNamespace(Popen=Forked)


class Forked:
    """Replacement for `subprocess.Popen` in `experiment`: a forked process that has everything imported."""

    def __init__(self, words: list[str], *, stdout: Any, stderr: Any, env: dict[str, str]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode: int | None = None
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # what is raised within a fork's hooks is swallowed
        self.pid = os.fork()
        if self.pid == 0:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.dup2(stdout.fileno(), 1)
            os.dup2(stderr.fileno(), 2)
            os.closerange(3, 64)  # the study's lock is its own
            os.environ.clear()
            os.environ.update(env)
            become(words[words.index("xrayaug") + 1 :])
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self) -> int:
        """Wait for the end and return the exit code."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)
