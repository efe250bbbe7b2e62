"""What the sections of `gpu.py` share: rows of its table, images, commands in processes of their own."""

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from xrayaug.data import dataset
from xrayaug.data.dataset import Row as Image
from xrayaug.data.images import arrays
from xrayaug.data.images.arrays import Pixels
from xrayaug.options import Prepare
from xrayaug.runtime import devices
from xrayaug.storage import builder

HELD_OUT = 32  # images for validation, and as many for testing


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    passed: bool | None = None  # None where it is a measurement alone
    ms: float | None = None  # a step
    rate: float | None = None  # images a second
    gib: float | None = None  # largest share of the device's memory
    note: str = ""
    more: dict[str, Any] = field(default_factory=dict)  # for the JSON alone


@dataclass(frozen=True)
class Bench:
    """Where and how large a section runs."""

    name: str  # of the device
    small: bool
    scratch: Path

    def share(self) -> None:
        """Let no other section of the same run measure times until this one is done, or `alone`."""
        fcntl.flock(_machine(), fcntl.LOCK_SH)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other section of the same run computes, and let none begin meanwhile."""
        fcntl.flock(_machine(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.share()

    @property
    def device(self) -> torch.device:
        """The device, with everything set as commands have it."""
        return devices.resolve(self.name)

    def sized(self, full: int, small: int) -> int:
        """One of the two."""
        return small if self.small else full

    @property
    def precisions(self) -> tuple[str, ...]:
        """Those that the device has."""
        return ("fp32", "tf32", "bf16") if self.device.type == "cuda" else ("fp32", "bf16")

    def command(self, *words: object, on: str | None = None, **settings: Any) -> "subprocess.CompletedProcess[str]":
        """Run `xrayaug` in a fresh process, on the device unless told otherwise."""
        placed = [sys.executable, "-m", "xrayaug", *map(str, words), "--device", on or self.name]
        return subprocess.run(placed, capture_output=True, text=True, check=False, env=environment(), **settings)

    def must(self, *words: object, on: str | None = None) -> "subprocess.CompletedProcess[str]":
        """The same, which must succeed."""
        done = self.command(*words, on=on)
        if done.returncode:
            raise RuntimeError(f"{words[0]}: exit code {done.returncode}: {done.stderr[-2000:]}")
        return done


@cache
def _machine() -> int:
    """What the sections of one run lock: a file of their parent's."""
    return os.open(Path(tempfile.gettempdir(), f"xrayaug-gpu-{os.getppid()}.lock"), os.O_CREAT | os.O_RDWR)


def environment() -> dict[str, str]:
    """Of commands: threads for one of several at a time."""
    threads = max(1, (os.cpu_count() or 1) // 4)
    return os.environ | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads))}


def pictures(count: int, size: int, seed: int = 0) -> Pixels:
    """Blurred noise, uint8 `[N, S, S]`."""
    rough = torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, (size, size), mode="bilinear", align_corners=False)[:, 0]
    return smooth.mul_(255).to(torch.uint8).numpy()


def write_dataset(out: Path, count: int, size: int) -> Path:
    """A finished dataset of so many training images, and a few held out; labels take turns, abnormal is brighter."""
    total = count + 2 * HELD_OUT
    pixels = pictures(total, size)
    pixels[1::2] = pixels[1::2] // 2 + 128
    splits = ["train"] * count + ["valid"] * HELD_OUT + ["test"] * HELD_OUT
    rows = [
        Image(
            "images.npy", place, split, ("normal", "abnormal")[place % 2], f"p{place}", f"p{place}/s", "folder", False
        )
        for place, split in enumerate(splits)
    ]

    def build(directory: Path) -> dict[str, Any]:
        with arrays.writing_images(directory, size) as writer:
            writer.write(pixels)
        dataset.write_index(directory, rows, split_by="patient")
        return {"split_by": "patient"}

    raw = out.with_name("raw")
    raw.mkdir(exist_ok=True)
    builder.produce(Prepare(input=raw, out=out), "dataset", build)
    return out


def milliseconds(device: torch.device, work: Callable[[], Any], times: int) -> float:
    """How long `work` takes on the device, on average."""
    devices.wait(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    devices.wait(device)
    return (time.perf_counter() - started) / times * 1000


def peak(device: torch.device, *, reset: bool = False) -> float | None:
    """The most memory that tensors have had on the device, in GiB."""
    if device.type != "cuda":
        return None
    found = torch.cuda.max_memory_allocated(device) / 2**30
    if reset:
        torch.cuda.reset_peak_memory_stats(device)
    return found


def difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference of any tensor, |a - b| / |b|; infinite where one is NaN."""
    worst = 0.0
    for a, b in zip(found, expected, strict=True):
        a, b = a.double().flatten(), b.double().flatten()  # noqa: PLW2901
        apart = (torch.linalg.vector_norm(a - b) / torch.linalg.vector_norm(b).clamp(min=1e-12)).item()
        worst = max(worst, apart if np.isfinite(apart) else float("inf"))
    return worst
