"""Where tensors live, how pixels become tensors, and where randomness comes from."""

import ctypes
import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from torch import Tensor

from xrayaug.arrays import Pixels
from xrayaug.errors import ResourceError, UsageError

OUT_OF_MEMORY = re.compile("can't allocate memory|not enough memory|out of memory|CUDA_ERROR_OUT_OF_MEMORY")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def resolve(name: str, *, deterministic: bool = False) -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps` as a device that is really here.

    Args:
        name: of the device.
        deterministic: have CUDA use only algorithms that give the same bytes each time; a CPU does anyway.

    Raises:
        UsageError: no such device; the message says which there are.
    """
    keep_freed_memory()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts, without which it refuses
        torch.use_deterministic_algorithms(True)
    here = available()
    if name == "auto":
        return torch.device(here[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name} is no device", f"here: {', '.join(here)}") from None
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in (*here, "cpu"):
        raise UsageError(f"--device {name} is not available", f"here: {', '.join(here)}")
    return device


def available() -> list[str]:
    """The devices of this machine, the fastest first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def describe(device: torch.device) -> str:
    """`cuda:0 (NVIDIA H200)`, `cpu (2 threads, AVX512)`: what sums in another order, and so rounds otherwise."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"{device} ({torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()})"
    return str(device)


@contextmanager
def naming_limits(batch_size: int, *, deterministic: bool = False) -> Iterator[None]:
    """Have what a device cannot do end in one line that says what to try.

    Raises:
        ResourceError: memory ran out.
        UsageError: a network needs an algorithm that `--deterministic` forbids.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
        reason = str(problem).partition("\n")[0]
        if isinstance(problem, torch.OutOfMemoryError | MemoryError) or OUT_OF_MEMORY.search(reason):
            raise ResourceError(
                f"out of memory at --batch-size {batch_size}: {reason or 'nothing is left'}",
                f"try --batch-size {max(1, batch_size // 2)}, or a device with more memory",
            ) from None
        if deterministic and "deterministic implementation" in str(problem):
            raise UsageError(f"--deterministic cannot be kept: {reason}", "leave it out, or --device cpu") from None
        raise


def generator(*seeds: int) -> torch.Generator:
    """A CPU random generator that depends on every one of `seeds`, and on nothing else."""
    told_apart = (len(seeds), *seeds)  # NumPy takes (1,) and (1, 0) for the same
    mixed = int(np.random.SeedSequence(told_apart).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(mixed)


def to_unit(pixels: Tensor) -> Tensor:
    """Uint8 `[N, H, W]` -> float `[N, 1, H, W]` in [-1, 1]."""
    return pixels[:, None].float() / 127.5 - 1


def from_unit(images: Tensor) -> Pixels:
    """Float `[N, 1, H, W]` in [-1, 1] -> uint8 `[N, H, W]`, rounded to nearest."""
    pixels: Pixels = images[:, 0].add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels


@cache
def keep_freed_memory() -> None:
    """Ask glibc to keep large freed blocks instead of returning them to the system.

    Every large CPU tensor is otherwise mapped, zeroed and unmapped again by the kernel; results are unchanged.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(M_MMAP_THRESHOLD, 1 << 30)
    libc.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
