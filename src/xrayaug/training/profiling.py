"""Where training's time goes: a trace of some steps by torch's profiler, and its summary."""

import os
import time
from pathlib import Path
from typing import Any, Self

import torch
from torch.profiler import ProfilerActivity, profile

from xrayaug.errors import OutputError
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table

PASSED_OVER = 5  # steps, in which memory, algorithms and graphs settle
TRACED = 10  # steps
SHOWN = 12  # operations
ENDINGS = (".json", ".json.gz")


class Profile:
    """A trace of some of this process's steps, written to `file`; None traces none.

    Args:
        file: the trace.
        where: the steps are computed.
        overwrite: replace a file that is there.
        side_by_side: trainings that take their steps in turn, each of which is traced for as many steps as one alone.

    Raises:
        OutputError: the file is there already, or its name is not a trace's.
    """

    def __init__(
        self, file: Path | None, device: torch.device, *, overwrite: bool = False, side_by_side: int = 1
    ) -> None:
        self.file = file
        self._first, self._last = PASSED_OVER * side_by_side, (PASSED_OVER + TRACED) * side_by_side
        self._where = device
        self._steps = self._images = 0
        self._tracing: Any = None
        if file is not None:
            _check(file, overwrite=overwrite)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._tracing is not None:
            self._end()
        elif kind is None and self.file is not None and self._steps <= self._first:
            console.warn(f"no trace: it begins after {self._first} steps, and this process took {self._steps}")

    def step(self, images: int) -> None:
        """A step on so many images was taken."""
        self._steps += 1
        if self._tracing is not None:
            self._images += images
            if self._steps == self._last:
                self._end()
        elif self.file is not None and self._steps == self._first:
            self._begin()

    def _begin(self) -> None:
        devices.wait(self._where)
        on_device = [ProfilerActivity.CUDA] if self._where.type == "cuda" else []
        self._tracing = profile(activities=[ProfilerActivity.CPU, *on_device])
        self._tracing.start()
        self._started = time.monotonic()

    def _end(self) -> None:
        devices.wait(self._where)
        seconds = time.monotonic() - self._started
        self._tracing.stop()
        assert self.file is not None
        _write(self._tracing, self.file)
        steps = self._steps - self._first
        title = f"{steps} steps, {self._images} images, {seconds:.2f} s: where the time went"
        console.show_aside(_summary(title, self._tracing, self._where))
        console.say(f"the trace is {self.file}; open it at ui.perfetto.dev or chrome://tracing")
        self._tracing = None


def _check(file: Path, *, overwrite: bool) -> None:
    if not file.name.endswith(ENDINGS):
        raise OutputError(f"--profile {file} ends in neither {' nor '.join(ENDINGS)}", "traces are known by that")
    if file.exists() and not overwrite:
        raise OutputError(f"--profile {file} is there already", "choose another name, or --overwrite")


def _write(tracing: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{os.getpid()}-{file.name}")
    tracing.export_chrome_trace(str(unfinished))
    unfinished.replace(file)


def _summary(title: str, tracing: Any, device: torch.device) -> Table:
    """The operations that took longest themselves, those that they called left out."""
    clock = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    spent = {each.key: (getattr(each, clock), each.count) for each in tracing.key_averages()}  # microseconds
    total = sum(time for time, _ in spent.values()) or 1.0
    longest = sorted(spent.items(), key=lambda item: item[1], reverse=True)[:SHOWN]
    rows = [(key, f"{time / total:.1%}", f"{time / 1000:.1f}", f"{count:,}") for key, (time, count) in longest]
    return Table(title, ("operation", "share", "ms", "calls"), rows)
