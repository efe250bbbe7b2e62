"""Profile of training: a trace of some steps by torch's profiler, and a summary of it."""

import os
import time
from pathlib import Path
from typing import Any, Self

import torch
from torch.profiler import ProfilerActivity, profile

from xrayaug.errors import OutputError
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table

SKIPPED_STEPS = 5  # warm-up: memory is allocated, cuDNN chooses algorithms, CUDA graphs are recorded
TRACED_STEPS = 10
SHOWN_OPERATIONS = 12  # rows of the summary
SUFFIXES = (".json", ".json.gz")


class Profile:
    """Context manager that traces some of this process's training steps.

    Args:
        file: the trace to write; None traces nothing.
        device: computes the steps.
        overwrite: replace an existing file.
        concurrent_runs: training runs that take their steps in turn; the numbers of skipped and traced steps are
            multiplied by it.

    Raises:
        OutputError: the file exists already, or its name has the wrong suffix.
    """

    def __init__(
        self, file: Path | None, device: torch.device, *, overwrite: bool = False, concurrent_runs: int = 1
    ) -> None:
        self.file = file
        self._first, self._last = SKIPPED_STEPS * concurrent_runs, (SKIPPED_STEPS + TRACED_STEPS) * concurrent_runs
        self._device = device
        self._steps = self._images = 0
        self._profiler: Any = None
        if file is not None:
            _check(file, overwrite=overwrite)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._profiler is not None:
            self._end()
        elif kind is None and self.file is not None and self._steps <= self._first:
            console.warning(f"no trace: it begins after {self._first} steps, and this process took {self._steps}")

    def step(self, images: int) -> None:
        """Count a step on that many images, and begin or end the trace when it is time to."""
        self._steps += 1
        if self._profiler is not None:
            self._images += images
            if self._steps == self._last:
                self._end()
        elif self.file is not None and self._steps == self._first:
            self._begin()

    def _begin(self) -> None:
        devices.synchronize(self._device)
        on_device = [ProfilerActivity.CUDA] if self._device.type == "cuda" else []
        self._profiler = profile(activities=[ProfilerActivity.CPU, *on_device])
        self._profiler.start()
        self._started = time.monotonic()

    def _end(self) -> None:
        devices.synchronize(self._device)
        seconds = time.monotonic() - self._started
        self._profiler.stop()
        assert self.file is not None
        _write(self._profiler, self.file)
        steps = self._steps - self._first
        title = f"Longest operations of {steps} steps, {self._images} images, {seconds:.2f} s"
        console.show_on_stderr(_summary(title, self._profiler, self._device))
        console.info(f"the trace is {self.file}; open it at ui.perfetto.dev or chrome://tracing")
        self._profiler = None


def _check(file: Path, *, overwrite: bool) -> None:
    if not file.name.endswith(SUFFIXES):
        raise OutputError(f"--profile {file} must end in {' or '.join(SUFFIXES)}", "choose another name")
    if file.exists() and not overwrite:
        raise OutputError(f"--profile {file} exists already", "choose another name, or --overwrite")


def _write(tracing: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{os.getpid()}-{file.name}")
    tracing.export_chrome_trace(str(unfinished))
    unfinished.replace(file)


def _summary(title: str, tracing: Any, device: torch.device) -> Table:
    """Return a table of the operations that took longest, without the operations that they called."""
    clock = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    spent = {event.key: (getattr(event, clock), event.count) for event in tracing.key_averages()}  # microseconds
    total = sum(time for time, _ in spent.values()) or 1.0
    longest = sorted(spent.items(), key=lambda item: item[1], reverse=True)[:SHOWN_OPERATIONS]
    rows = [(key, f"{100 * time / total:.1f} %", f"{time / 1000:.1f}", f"{count:,}") for key, (time, count) in longest]
    return Table(title, ("operation", "share", "ms", "calls"), rows)
