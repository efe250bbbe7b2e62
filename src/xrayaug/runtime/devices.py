"""Where tensors live, and where randomness comes from."""

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
    "|CUBLAS_STATUS_NOT_INITIALIZED when calling .?cublasCreate"  # cuBLAS says so where its handle finds no memory
    "|unable to find an engine to execute this computation"  # cuDNN, once every algorithm ran out of memory
)
CPUINFO = Path("/proc/cpuinfo")
BF16_UNITS = re.compile(r"\b(amx_bf16|avx512_bf16|bf16)\b")  # as Linux names them, on x86 and on ARM
MIN_CAPABILITY = (8, 0)  # CUDA's compute capability from which there are tf32 and bf16: Ampere


def resolve(name: str, *, deterministic: bool = False, precision: str = "fp32") -> torch.device:
    """Turn `auto`, `cpu`, `cuda`, `cuda:1` or `mps` into a device that is really here and computes in fp32.

    Of several processes on a machine each has the GPU of its own number there. On CUDA the device becomes the current
    one of this process, and has an index.

    Args:
        name: of the device.
        deterministic: have CUDA use only algorithms that give the same bytes each time; a CPU does anyway.
        precision: `fp32`, `tf32` or `bf16`, which the device must support; applied only within `training_backends`.

    Raises:
        UsageError: no such device, the message says which there are; or it has not that precision.
        ResourceError: the GPU has no memory left to begin with.
    """
    malloc.keep_freed()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts, without which it refuses
        torch.use_deterministic_algorithms(True)
        filling: Any = torch.utils.deterministic  # of which type checkers know nothing
        filling.fill_uninitialized_memory = False  # it costs a pass over every new tensor
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
    """Set CUDA to compute as a training step does; after it, as everything else does.

    A step multiplies in tf32 if `precision` says so, and has cuDNN try its algorithms for every new shape, unless
    deterministic ones were asked for. Elsewhere products are in fp32, and cuDNN takes deterministic algorithms without
    trying, so that the same command gives the same bytes.
    """
    is_free = not torch.are_deterministic_algorithms_enabled()
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = is_free, not is_free
    try:
        with matmul_precision("tf32" if precision == "tf32" else "ieee"):
            yield
    finally:
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


@contextmanager
def matmul_precision(kind: str) -> Iterator[None]:
    """Multiply float32 on CUDA as `ieee` or as `tf32`, within."""
    before = torch.backends.cuda.matmul.fp32_precision
    _set_matmul_precision(kind)
    try:
        yield
    finally:
        _set_matmul_precision(before)


def _set_matmul_precision(kind: str) -> None:
    backends: Any = torch.backends
    for each in (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul):
        each.fp32_precision = kind


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """A context in which networks multiply in bfloat16, if `precision` says so; their weights stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def synchronize(device: torch.device) -> None:
    """Until all is computed that was asked of the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_to_host(tensor: Tensor) -> Callable[[], npt.NDArray[Any]]:
    """Begin to copy a tensor to the CPU; what is returned waits until it is there, and for nothing later."""
    if tensor.device.type != "cuda":
        return tensor.cpu().numpy
    copy = tensor.to("cpu", non_blocking=True)
    event: Any = torch.cuda.Event  # torch leaves it untyped
    copied = event()
    copied.record(torch.cuda.current_stream(tensor.device))

    def wait() -> npt.NDArray[Any]:
        copied.synchronize()
        return copy.numpy()

    return wait


def side_stream(device: torch.device) -> AbstractContextManager[object]:
    """A context, to be entered again and again, in which CUDA's work is queued beside that of other contexts."""
    if device.type != "cuda":
        return nullcontext()
    untyped: Any = torch.cuda.Stream  # torch leaves it so
    stream = untyped(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    return torch.cuda.stream(stream)


def _parse_device(name: str) -> torch.device:
    here = available()
    if name == "auto":
        return torch.device(here[0])
    try:
        torch.device(name)
    except RuntimeError:
        raise UsageError(f"--device {name} is no device", f"here: {', '.join(here)}") from None
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in (*here, "cpu"):
        raise UsageError(f"--device {name} is not available", f"here: {', '.join(here)}")
    return torch.device(wanted)


def _local_device(name: str) -> torch.device:
    """This process's device of a machine that others compute on too.

    Raises:
        UsageError: it has none of its own.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        return torch.device("cpu")
    rank = ranks.current_rank()
    if name not in ("auto", "cuda"):
        raise UsageError(f"--device {name} is not for {rank.count} processes", "auto, cuda or cpu: each takes its own")
    if rank.local_count > gpus:  # which all of a machine meet, so that one of them says it for all
        here = f"{gpus} GPU" if gpus == 1 else f"{gpus} GPUs"
        raise UsageError(
            f"{rank.local_count} processes on a machine of {here}",
            f"--nproc-per-node {gpus}" if gpus else "--device cpu",
        )
    return torch.device("cuda", rank.local)


def _check_precision(device: torch.device, precision: str) -> None:
    """Hold the device to what is asked of it; where it can but not well, say so."""
    if precision == "fp32":
        return
    if precision == "tf32" and device.type != "cuda":
        raise UsageError(f"--precision tf32 is for NVIDIA GPUs, not for {device}", "fp32 or bf16")
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < MIN_CAPABILITY:
        raise UsageError(f"--precision {precision} is not what {describe(device)} computes in", "--precision fp32")
    if device.type == "cpu" and not _has_bf16_units():
        console.warning("this processor has no units for bf16: --precision bf16 is slower here than fp32")


def _has_bf16_units() -> bool:
    """Whether the processor has them, as far as Linux says; elsewhere nobody is warned."""
    return not CPUINFO.exists() or bool(BF16_UNITS.search(CPUINFO.read_text(encoding="utf-8")))


def available() -> list[str]:
    """The devices of this machine, the fastest first."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def describe(device: torch.device) -> str:
    """`cuda:0 (NVIDIA H200)`, `cpu (2 threads, AVX512)`: what sums in another order, and so rounds otherwise.

    Of several processes `2 processes, each on cpu (1 threads, AVX512)`.
    """
    count = ranks.current_rank().count
    return describe_one(device) if count == 1 else f"{count} processes, each on {describe_one(device)}"


def describe_one(device: torch.device) -> str:
    """The same without the number of processes: for what does not depend on it."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    if device.type == "cpu":
        return f"{device} ({torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()})"
    return str(device)


@contextmanager
def translate_device_errors(batch_size: int | None = None, *, deterministic: bool = False) -> Iterator[None]:
    """Have what a device cannot do end in one line that says what to try.

    Args:
        batch_size: of the command; None where it has none, or memory does not depend on it.
        deterministic: whether `--deterministic` was given.

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
    """Whether a device, or the machine, had no memory left."""
    said = str(problem).partition("\n")[0]
    return isinstance(problem, torch.OutOfMemoryError | MemoryError) or bool(OUT_OF_MEMORY.search(said))


def _out_of_memory(batch_size: int | None, reason: str) -> ResourceError:
    if batch_size is None:
        return ResourceError(f"out of memory: {reason}", "free some of the device's memory, or try --device cpu")
    return ResourceError(
        f"out of memory at --batch-size {batch_size}: {reason}",
        f"try --batch-size {max(1, batch_size // 2)}, or a device with more memory",
    )


def seeded_generator(*seeds: int) -> torch.Generator:
    """A CPU random generator that depends on every one of `seeds`, and on nothing else."""
    told_apart = (len(seeds), *seeds)  # NumPy takes (1,) and (1, 0) for the same
    mixed = int(np.random.SeedSequence(told_apart).generate_state(1, np.uint64)[0] >> np.uint64(1))
    return torch.Generator().manual_seed(mixed)
