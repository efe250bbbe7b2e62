"""Shared by the sections of `gpu.py`: rows of its table, images, and commands in processes of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import benchmark_data
import numpy as np
import torch
from torch import Tensor

from xrayaug.data.images.arrays import Pixels
from xrayaug.runtime import devices

HELD_OUT = 32  # images for validation, and as many for testing


@dataclass(frozen=True)
class Row:
    """A row of the table; its fields are keys of `gpu.json`."""

    what: str
    passed: bool | None = None  # None for a measurement without a criterion
    ms: float | None = None  # per step
    rate: float | None = None  # images per second
    gib: float | None = None  # peak memory of the device
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)  # only in the JSON


@dataclass(frozen=True)
class Bench:
    """Device and size of a section's run."""

    name: str  # of the device
    small: bool
    scratch: Path

    @property
    def device(self) -> torch.device:
        """The device, with PyTorch set up as commands set it up."""
        return devices.resolve(self.name)

    def sized(self, full: int, small: int) -> int:
        """Return `small` with `--small`, else `full`."""
        return small if self.small else full

    @property
    def precisions(self) -> tuple[str, ...]:
        """Precisions that the device supports."""
        return ("fp32", "tf32", "bf16") if self.device.type == "cuda" else ("fp32", "bf16")

    def command(self, *words: object, on: str | None = None, **settings: Any) -> "subprocess.CompletedProcess[str]":
        """Run `xrayaug` in a fresh process, on the device unless told otherwise."""
        placed = [sys.executable, "-m", "xrayaug", *map(str, words), "--device", on or self.name]
        return subprocess.run(placed, capture_output=True, text=True, check=False, env=environment(), **settings)

    def must(self, *words: object, on: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run `xrayaug` as `command` does, and raise if it fails."""
        done = self.command(*words, on=on)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: exit code {done.returncode}: {done.stderr[-2000:]}")
        return done


def environment() -> dict[str, str]:
    """Return the environment of commands, with threads for one of several that run concurrently."""
    threads = max(1, (os.cpu_count() or 1) // 4)
    return os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}


def pictures(count: int, size: int, seed: int = 0) -> Pixels:
    """Blurred noise, uint8 `[N, S, S]`."""
    rough = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, (size, size), mode="bilinear", align_corners=False)[:, 0]
    return smooth.mul_(255).to(torch.uint8).numpy()


def write_dataset(out: Path, count: int, size: int) -> Path:
    """Write a dataset of `count` training images and some held-out ones; labels alternate, abnormal is brighter."""
    pixels = pictures(count + 2 * HELD_OUT, size)
    pixels[1::2] = pixels[1::2] // 2 + 128
    splits = ["train"] * count + ["valid"] * HELD_OUT + ["test"] * HELD_OUT
    return benchmark_data.write_dataset(out, pixels, splits)


def milliseconds(device: torch.device, work: Callable[[], Any], times: int) -> float:
    """Return how long `work` takes on the device, on average, in milliseconds."""
    devices.synchronize(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    devices.synchronize(device)
    return (time.perf_counter() - started) / times * 1000


def peak(device: torch.device, *, reset: bool = False) -> float | None:
    """Return the peak memory of tensors on the device, in GiB; None unless it is a GPU."""
    if device.type != "cuda":
        return None
    gib = torch.cuda.max_memory_allocated(device) / 2**30
    if reset:
        torch.cuda.reset_peak_memory_stats(device)
    return gib


def difference(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Return the largest relative difference of any pair of tensors, |a - b| / |b|; infinite if one is NaN."""
    worst = 0.0
    for a, b in zip(actual, expected, strict=True):
        a, b = a.double().flatten(), b.double().flatten()  # noqa: PLW2901
        relative = (torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-12)).item()
        worst = max(worst, relative if np.isfinite(relative) else float("inf"))
    return worst
