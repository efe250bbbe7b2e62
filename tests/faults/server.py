"""Forks a child per request: importing torch takes seconds, and hundreds of processes are to be killed.

Reads requests from stdin, one JSON object a line, and writes to stdout the child's process id and later how it ended.
Every child is a process of its own, in a group of its own, that runs `xrayaug.cli.main`, or `main` of
another module.
"""

import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
from typing import Any, NoReturn

import torch
from faults import forks, shim

from xrayaug.options import COMMANDS

PRELOADED = (  # what the commands import when they run
    "concurrent.futures.process",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "multiprocessing.popen_spawn_posix",
    "pytorch_fid.inception",
    "rich.console",
    "rich.table",
    "scipy.stats",
    "torch._dynamo",
    "torchvision.models",
    *(f"xrayaug.stages.{name.replace('-', '_')}" for name in COMMANDS),
)
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def serve() -> None:
    """Answer requests until stdin ends."""
    waking, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: set[int] = set()
    while True:
        ready, _, _ = select.select([0, waking], [], [])
        if waking in ready:
            os.read(waking, 4096)
        _report_ended(running)
        if 0 in ready:
            line = sys.stdin.buffer.readline()
            if not line:
                break
            request = json.loads(line)
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _become(request)
            os.setpgid(child, child)  # here too, as it may be killed before it has done so itself
            running.add(child)
            _say({"started": child})
    for child in running:
        os.killpg(child, signal.SIGKILL)
    os._exit(0)  # an interpreter's end takes long, and Triton then complains


def _report_ended(running: set[int]) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        if child in running:  # and not an orphan of one
            running.remove(child)
            _say({"ended": child, "code": os.waitstatus_to_exitcode(status)})


def _say(message: dict[str, int]) -> None:
    print(json.dumps(message), flush=True)


def _become(request: dict[str, Any]) -> NoReturn:
    """Be the command that is asked for."""
    os.setpgid(0, 0)
    _redirect("/dev/null", os.O_RDONLY, 0)
    _redirect(request["stdout"], os.O_WRONLY | os.O_CREAT, 1)
    _redirect(request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 2)
    os.closerange(3, 64)
    os.chdir(request["cwd"])
    os.environ.update(request["environment"])
    if request["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
    forks.install()
    if request["module"]:
        forks.become(request["words"], program=importlib.import_module(request["module"]).main)
    if not request["plan"]:
        forks.become(request["words"])
    boundaries = shim.install(shim.Plan(**request["plan"]))
    forks.become(request["words"], then=lambda: shim.report(boundaries))


def _redirect(file: str, flags: int, number: int) -> None:
    descriptor = os.open(file, flags)
    os.dup2(descriptor, number)
    os.close(descriptor)


def main() -> None:
    """Import everything once, then serve."""
    for name in PRELOADED:
        importlib.import_module(name)
    torch.set_num_threads(1)
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    gc.collect()
    gc.freeze()
    threads = os.listdir("/proc/self/task") if sys.platform.startswith("linux") else ["one"]  # noqa: PTH208
    _say({"threads": len(threads)})
    serve()


if __name__ == "__main__":
    main()
