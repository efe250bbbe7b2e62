"""Weights are numbers and names: they come back exactly, and nothing in a file is ever executed."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from xrayaug.errors import WeightsError
from xrayaug.storage import weights


class Hostile:
    """A pickle that makes a directory when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_weights_come_back_exactly(tmp_path: Path) -> None:
    saved, loaded = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    nn.init.normal_(saved.weight)
    weights.save(tmp_path / "w.safetensors", weights.cpu_state_dict(saved))
    weights.load_into(loaded, tmp_path / "w.safetensors")
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in saved.state_dict().items())


def test_a_state_dict_of_torch_save_is_read(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth")
    assert weights.read(tmp_path / "w.pth")["w"].tolist() == [1, 1]


@pytest.mark.parametrize("wrap", ["torch", "pickle"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_a_hostile_pickle_is_refused_and_not_executed(tmp_path: Path, wrap: str, suffix: str) -> None:
    trace, path = tmp_path / "executed", tmp_path / f"w{suffix}"
    content = {"w": torch.ones(2), "payload": Hostile(trace)}
    if wrap == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content, protocol=2))
    with pytest.raises(WeightsError, match="cannot be read as weights") as refusal:
        weights.read(path)
    assert "\n" not in refusal.value.message
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 half a zip"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        weights.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        weights.read(tmp_path / "w.pth")


@pytest.mark.parametrize("content", [{"w": torch.ones(2), "epoch": 3}, [torch.ones(2)], 7])
def test_more_than_tensors_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="more than tensors"):
        weights.read(tmp_path / "w.pth")


@pytest.mark.parametrize("other", [nn.Linear(2, 4), nn.Linear(2, 3, bias=False), nn.Conv2d(1, 1, 1)])
def test_another_networks_weights_are_refused(tmp_path: Path, other: nn.Module) -> None:
    weights.save(tmp_path / "w.safetensors", weights.cpu_state_dict(other))
    with pytest.raises(WeightsError, match="does not fit"):
        weights.load_into(nn.Linear(2, 3), tmp_path / "w.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    broken = nn.Linear(2, 3)
    nn.init.constant_(broken.bias, value)
    weights.save(tmp_path / "w.safetensors", weights.cpu_state_dict(broken))
    with pytest.raises(WeightsError, match="NaN or infinite numbers in 'bias'"):
        weights.load_into(nn.Linear(2, 3), tmp_path / "w.safetensors")


def test_numbers_that_share_a_storage_are_read(tmp_path: Path) -> None:
    both = torch.arange(6.0)
    torch.save({"a": both[:3], "b": both[3:], "same": both, "turned": both.view(2, 3).T}, tmp_path / "w.pth")
    assert weights.read(tmp_path / "w.pth")["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_sketch_without_memory_tells_whether_weights_fit(tmp_path: Path) -> None:
    with torch.device("meta"):
        sketch = nn.Linear(2, 3)
    weights.check_shapes(weights.cpu_state_dict(nn.Linear(2, 3)), sketch, "w")
    with pytest.raises(WeightsError, match="w is of another network: 'bias' does not fit"):
        weights.check_shapes({"weight": torch.ones(3, 2)}, sketch, "w")


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, OverflowError, KeyError])
def test_any_exception_of_the_reader_is_an_error_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind

    torch.save({"w": torch.ones(2)}, tmp_path / "w.pth")
    monkeypatch.setattr(torch, "load", broken)
    with pytest.raises(WeightsError, match=rf"w\.pth cannot be read as weights: {kind.__name__}"):
        weights.read(tmp_path / "w.pth")
