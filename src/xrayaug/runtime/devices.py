"""Devices, their precision and errors, and seeded random generators."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from xrayaug.errors import ResourceError, UsageError
from xrayaug.runtime import console, malloc
from xrayaug.runtime.distributed import ranks

OUT_OF_MEMORY = re.compile(
    "can't allocate memory|not enough memory|out of memory|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation"
    "|(?:CUBLAS|CUSOLVER|CUDNN)_STATUS_ALLOC_FAILED|CUFFT_ALLOC_FAILED"
    "|CUDNN_STATUS_INTERNAL_ERROR_(?:HOST|DEVICE)_ALLOCATION_FAILED"
    "|CUBLAS_STATUS_NOT_INITIALIZED when calling .?cublasCreate"  # cuBLAS: no memory for its handle
    "|unable to find an engine to execute this computation"  # cuDNN, once every algorithm ran out of memory
)
CPUINFO = Path("/proc/cpuinfo")
BF16_UNITS = re.compile(r"\b(amx_bf16|avx512_bf16|bf16)\b")  # CPU flags of Linux, on x86 and ARM
MIN_CAPABILITY = (8, 0)  # CUDA compute capability of Ampere, the first with tf32 and bf16


def resolve(name: str, *, deterministic: bool = False, precision: str = "fp32") -> torch.device:
    """Return the device called `auto`, `cpu`, `cuda`, `cuda:1` or `mps`, set up to compute in fp32.

    If several processes run on a machine, each gets the GPU of its local rank. A CUDA device has an index and becomes
    the current device of this process.

    Args:
        name: name of the device.
        deterministic: let CUDA use only deterministic algorithms; those of a CPU are anyway.
        precision: `fp32`, `tf32` or `bf16`, which the device must support; applied only within `training_backends`.

    Raises:
        UsageError: the device does not exist (the hint names those that do), or does not support the precision.
        ResourceError: the GPU has no free memory.
    """
    malloc.keep_freed()
    if deterministic:
        os.environ.setdefault(
            "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
        )  # read when CUDA starts; deterministic cuBLAS requires it
        torch.use_deterministic_algorithms(True)
        untyped: Any = torch.utils.deterministic
        untyped.fill_uninitialized_memory = False  # filling costs a pass over every new tensor
    device = _parse_device(name) if not ranks.is_distributed() else _local_device(name)
    if device.type == "cuda":
        with translate_device_errors():
            torch.cuda.set_device(device)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    _set_matmul_precision("ieee")
    _check_precision(device, precision)
    return device


@contextmanager
def training_backends(precision: str) -> Iterator[None]:
    """Context of a training step, with its settings of CUDA.

    Within it, products are in tf32 if `precision` is `tf32`, and cuDNN benchmarks its algorithms for every new shape,
    unless deterministic algorithms are required. Outside, products are in fp32, and cuDNN uses deterministic algorithms
    without benchmarks, so that the same command gives the same bytes.
    """
    may_benchmark = not torch.are_deterministic_algorithms_enabled()
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = may_benchmark, not may_benchmark
    try:
        with matmul_precision("tf32" if precision == "tf32" else "ieee"):
            yield
    finally:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


@contextmanager
def matmul_precision(kind: str) -> Iterator[None]:
    """Context in which CUDA multiplies float32 in precision `ieee` or `tf32`."""
    before = torch.backends.cuda.matmul.fp32_precision
    _set_matmul_precision(kind)
    try:
        yield
    finally:
        _set_matmul_precision(before)


def _set_matmul_precision(kind: str) -> None:
    backends: Any = torch.backends
    for operations in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul):
        operations.fp32_precision = kind


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context in which networks multiply in bfloat16 if `precision` is `bf16`; their weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def synchronize(device: torch.device) -> None:
    """Wait until the device has computed everything that was queued."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_to_host(tensor: Tensor) -> Callable[[], npt.NDArray[Any]]:
    """Start to copy a tensor to the CPU; return a function that waits for this copy only, and returns the array."""
    if tensor.device.type != "cuda":
        return tensor.cpu().numpy
    copy = tensor.to("cpu", non_blocking=True)
    event: Any = torch.cuda.Event  # untyped in torch
    copied = event()
    copied.record(torch.cuda.current_stream(tensor.device))

    def wait() -> npt.NDArray[Any]:
        copied.synchronize()
        return copy.numpy()

    return wait


def side_stream(device: torch.device) -> AbstractContextManager[object]:
    """Context, to be entered any number of times, in which CUDA's work is queued on a stream of its own."""
    if device.type != "cuda":
        return nullcontext()
    untyped: Any = torch.cuda.Stream  # untyped in torch
    stream = untyped(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    return torch.cuda.stream(stream)


def _parse_device(name: str) -> torch.device:
    names = available()
    if name == "auto":
        return torch.device(names[0])
    try:
        torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name} is no device", f"here: {', '.join(names)}") from None
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in (*names, "cpu"):
        raise UsageError(f"--device {name} is not available", f"here: {', '.join(names)}")
    return torch.device(wanted)


def _local_device(name: str) -> torch.device:
    """Return this process's device if several processes share the machine.

    Raises:
        UsageError: there are fewer GPUs than processes, or `name` is one particular device.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        return torch.device("cpu")
    rank = ranks.current_rank()
    if name not in ("auto", "cuda"):
        raise UsageError(f"--device {name} is not for {rank.count} processes", "auto, cuda or cpu: each takes its own")
    if rank.local_count > gpus:  # all processes of the machine fail alike, so one reports it
        here = f"{gpus} GPU" if gpus == 1 else f"{gpus} GPUs"
        raise UsageError(
            f"{rank.local_count} processes on a machine of {here}",
            f"--nproc-per-node {gpus}" if gpus else "--device cpu",
        )
    return torch.device("cuda", rank.local)


def _check_precision(device: torch.device, precision: str) -> None:
    """Check that the device supports a precision; warn if it does so slowly."""
    if precision == "fp32":
        return
    if precision == "tf32" and device.type != "cuda":
        raise UsageError(f"--precision tf32 is for NVIDIA GPUs, not for {device}", "fp32 or bf16")
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < MIN_CAPABILITY:
        raise UsageError(f"--precision {precision} is not what {describe(device)} computes in", "--precision fp32")
    if device.type == "cpu" and not _has_bf16_units():
        console.warning("this processor has no units for bf16: --precision bf16 is slower here than fp32")


def _has_bf16_units() -> bool:
    """Return whether the processor computes in bf16, according to Linux; true on other systems, to give no warning."""
    return not CPUINFO.exists() or bool(BF16_UNITS.search(CPUINFO.read_text(encoding="utf-8")))


def available() -> list[str]:
    """Return the devices of this machine, fastest first."""
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    return [*names, "cpu"]


def describe(device: torch.device) -> str:
    """Return a description of the device: `cuda:0 (NVIDIA H200)`, `cpu (2 threads, AVX512)`.

    It names everything that changes the order of sums, and so rounding. For several processes it is
    `2 processes, each on cpu (1 threads, AVX512)`.
    """
    count = ranks.current_rank().count
    return describe_one(device) if count == 1 else f"{count} processes, each on {describe_one(device)}"


def describe_one(device: torch.device) -> str:
    """Return the description without the number of processes, for results that do not depend on it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"{device} ({torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()})"
    return str(device)


@contextmanager
def translate_device_errors(batch_size: int | None = None, *, deterministic: bool = False) -> Iterator[None]:
    """Context that turns errors of the device into errors of one line with a hint.

    Args:
        batch_size: `--batch-size`; None if the command has none, or memory does not depend on it.
        deterministic: True if `--deterministic` was given.

    Raises:
        ResourceError: memory ran out.
        UsageError: a network needs an algorithm that `--deterministic` forbids.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as problem:
        reason = str(problem).partition("\n")[0]
        if is_out_of_memory(problem):
            raise _out_of_memory(batch_size, reason or "nothing is left") from None
        if deterministic and "deterministic implementation" in str(problem):
            raise UsageError(f"--deterministic cannot be kept: {reason}", "leave it out, or --device cpu") from None
        raise


def is_out_of_memory(problem: BaseException) -> bool:
    """Return whether an exception says that a device or the machine is out of memory."""
    reason = str(problem).partition("\n")[0]
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or bool(OUT_OF_MEMORY.search(reason))


def _out_of_memory(batch_size: int | None, reason: str) -> ResourceError:
    if batch_size is None:
        return ResourceError(f"out of memory: {reason}", "free some of the device's memory, or try --device cpu")
    return ResourceError(
        f"out of memory at --batch-size {batch_size}: {reason}",
        f"try --batch-size {max(1, batch_size // 2)}, or a device with more memory",
    )


def seed_default_generators(device: torch.device, seed: int) -> None:
    """Seed torch's default generators of the CPU and of one device.

    `torch.manual_seed` takes a millisecond for kinds of devices that are not in use: it keeps a stack trace for each.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def seeded_generator(*seeds: int) -> torch.Generator:
    """Return a CPU random generator that depends on all `seeds` and their number."""
    entropy = (len(seeds), *seeds)  # with the number, because NumPy treats (1,) and (1, 0) alike
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(seed)
