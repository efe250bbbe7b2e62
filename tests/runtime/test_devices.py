"""Names, precision and errors of devices; seeded random generators."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from xrayaug.errors import ResourceError, UsageError
from xrayaug.runtime import devices
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.ranks import Rank


def test_auto_is_the_first_device_there_is() -> None:
    assert str(devices.resolve("auto")) == devices.available()[0]
    assert devices.available()[-1] == "cpu"


@pytest.mark.parametrize("name", ["cpu", "auto"])
def test_a_device_describes_itself(name: str) -> None:
    device = devices.resolve(name)
    assert devices.describe(device).startswith(str(device))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:three", "meta"])
def test_a_device_that_is_not_here_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(UsageError, match="--device") as refusal:
        devices.resolve(name)
    assert refusal.value.hint == f"here: {', '.join(devices.available())}"


def test_a_stream_depends_on_every_seed_and_their_order() -> None:
    seeds = [(0,), (1,), (0, 0), (0, 1), (1, 0), (0, 1, 0), (2**40, 1)]
    drawn = {tuple(torch.randn(4, generator=devices.seeded_generator(*key)).tolist()) for key in seeds}
    assert len(drawn) == len(seeds)


def test_a_stream_does_not_depend_on_the_global_generator() -> None:
    first = torch.randn(4, generator=devices.seeded_generator(3, 1))
    torch.rand(7)
    assert torch.equal(first, torch.randn(4, generator=devices.seeded_generator(3, 1)))


def test_out_of_memory_is_one_line_with_the_batch_size() -> None:
    with pytest.raises(ResourceError, match="--batch-size 64") as refusal, devices.translate_device_errors(64):
        torch.empty(10**15)
    assert "--batch-size 32" in refusal.value.hint
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize("problem", [torch.OutOfMemoryError("CUDA out of memory. Tried"), MemoryError()])
def test_out_of_memory_of_the_host_and_of_a_gpu(problem: Exception) -> None:
    with pytest.raises(ResourceError, match="out of memory"), devices.translate_device_errors(1):
        raise problem


def test_other_errors_are_left_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"), devices.translate_device_errors(1, deterministic=True):
        raise RuntimeError("shapes differ")


def test_an_operation_without_deterministic_algorithm_is_an_error() -> None:
    problem = RuntimeError("adaptive_avg_pool2d_backward_cuda does not have a deterministic implementation, but you")
    with (
        pytest.raises(UsageError, match="--deterministic cannot be kept"),
        devices.translate_device_errors(1, deterministic=True),
    ):
        raise problem


def test_deterministic_asks_torch_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # a user's own choice stays
    try:
        devices.resolve("cpu", deterministic=True)
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"
    finally:
        torch.use_deterministic_algorithms(False)


def test_arithmetic_is_fp32_unless_asked() -> None:
    device = devices.resolve("cpu")
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"  # torch's own default for convolutions is tf32
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"  # type: ignore[attr-defined]
    with devices.autocast(device, "fp32"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    with devices.autocast(device, "bf16"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_tf32_is_refused_where_there_is_none() -> None:
    with pytest.raises(UsageError, match=r"--precision tf32 .* cpu"):
        devices.resolve("cpu", precision="tf32")


@pytest.mark.parametrize(("flags", "warned"), [("flags\t: fpu avx512_bf16 amx_tile", 0), ("flags: fpu avx2 xbf16", 1)])
def test_bf16_on_a_processor_without_units_for_it_warns(
    flags: str, warned: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cpuinfo").write_text(flags)
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "cpuinfo")
    devices.resolve("cpu", precision="bf16")
    assert capsys.readouterr().err.count("no units for bf16") == warned


@pytest.mark.parametrize(("gpus", "name", "expected"), [(0, "auto", "cpu"), (2, "cpu", "cpu"), (2, "auto", "cuda:1")])
def test_of_several_processes_each_has_its_own_device(
    monkeypatch: pytest.MonkeyPatch, gpus: int, name: str, expected: str
) -> None:
    _fake_two_processes(monkeypatch, gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda _: None)
    assert str(devices.resolve(name)) == expected
    assert devices.describe(torch.device("cpu")).startswith("2 processes, each on cpu (")


@pytest.mark.parametrize(("gpus", "name", "hint"), [(1, "cuda", "--nproc-per-node 1"), (0, "cuda", "--device cpu"),
                                                    (2, "cuda:0", "each takes its own")])  # fmt: skip
def test_of_several_processes_none_takes_anothers_device(
    monkeypatch: pytest.MonkeyPatch, gpus: int, name: str, hint: str
) -> None:
    _fake_two_processes(monkeypatch, gpus)
    with pytest.raises(UsageError) as problem:
        devices.resolve(name)
    assert hint in problem.value.hint


def test_too_few_gpus_fail_every_process_so_that_the_first_can_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fake_two_processes(monkeypatch, 1, number=0)
    with pytest.raises(UsageError, match="2 processes on a machine of 1 GPU"):
        devices.resolve("auto")


def _fake_two_processes(monkeypatch: pytest.MonkeyPatch, gpus: int, number: int = 1) -> None:
    """Let this process be rank `number` of two, on a machine with a number of GPUs."""
    monkeypatch.setattr(ranks, "current_rank", lambda: Rank(number, 2, number, 2))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)


@pytest.mark.parametrize(
    "reason",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "FIND was unable to find an engine to execute this computation after trying 12 plans.",
        "CUDA error: out of memory",
    ],
)
def test_out_of_memory_errors_of_cuda_libraries_are_recognised(reason: str) -> None:
    with pytest.raises(ResourceError, match="out of memory"), devices.translate_device_errors(2):
        raise RuntimeError(reason)


@pytest.mark.parametrize(
    "reason",
    [
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasSgemm`",
    ],
)
def test_other_errors_of_cuda_libraries_are_not_out_of_memory(reason: str) -> None:
    with pytest.raises(RuntimeError, match="STATUS"), devices.translate_device_errors(2):
        raise RuntimeError(reason)


def test_out_of_memory_without_a_batch_size_hints_at_another_device() -> None:
    with pytest.raises(ResourceError, match=r"^out of memory: CUDA out") as refusal, devices.translate_device_errors():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried")
    assert "--device cpu" in refusal.value.hint


@pytest.mark.parametrize(("name", "expected"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_gpu_becomes_the_current_one_and_has_an_index(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    """So a run that was started with `--device cuda` can be resumed with `auto` on a device of the same name."""
    current: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    assert str(devices.resolve(name)) == expected
    assert current == [torch.device(expected)]


def test_cudnn_tries_algorithms_in_training_steps_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def state() -> tuple[bool, bool, str]:
        backends: Any = torch.backends
        return backends.cudnn.benchmark, backends.cudnn.deterministic, backends.cudnn.conv.fp32_precision

    devices.resolve("cpu")
    assert state() == (False, True, "ieee")
    with devices.training_backends("tf32"):
        assert state() == (True, False, "tf32")
        with devices.matmul_precision("ieee"):
            assert state() == (True, False, "ieee")
        assert state() == (True, False, "tf32")
    assert state() == (False, True, "ieee")
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    with devices.training_backends("bf16"):
        assert state() == (False, True, "ieee")


def test_copy_to_host_returns_the_tensor() -> None:
    assert devices.copy_to_host(torch.arange(3.0))().tolist() == [0, 1, 2]
