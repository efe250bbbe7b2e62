"""Reading and writing of weights: safetensors files or state dicts, tensors and names, never code."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from xrayaug.errors import WeightsError
from xrayaug.storage import files

ZIP_MAGIC = b"PK\x03\x04"
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64,
          torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool)  # fmt: skip


def save(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors, whole or not at all."""
    files.write_bytes(path, serialise(dict(state)))


def cpu_state_dict(network: nn.Module) -> dict[str, Tensor]:
    """Return a copy of a network's state dict (weights and running statistics) on the CPU."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}


def read(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a `.safetensors` file, or of a state dict that `torch.save` wrote, by name.

    Nothing in the file is ever executed.

    Raises:
        WeightsError: the file is missing or damaged, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}", "check the path")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load(path)
        reason = _find_problem(state, path.stat().st_size)
    except Exception as problem:  # on damaged files the libraries raise errors of any class
        reason = str(problem).partition("\n")[0] or type(problem).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}", "a state dict of tensors is needed") from None
    if reason:
        raise WeightsError(f"{path} holds more than tensors: {reason}", "save the network's state_dict()")
    return dict(state)


def _load(path: Path) -> Any:
    """Read a file that `torch.save` wrote, a zip archive or the older format.

    Raises:
        ValueError: the file is a zip archive that would expand to more than its size.
        Exception: the file is damaged, or holds more than tensors.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC  # torch.load tells its two formats apart in the same way
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if compressed or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its records are compressed or overlap, which torch.save never does")
    return torch.load(path, "cpu", weights_only=True)


def _find_problem(state: Any, file_size: int) -> str:
    """Return why a value is no state dict of plain tensors that fit in the file; an empty string if it is one.

    Args:
        state: the value that was read.
        file_size: size of the file in bytes.
    """
    if not isinstance(state, Mapping):
        return f"it is a {type(state).__name__}"
    storages: dict[int, int] = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            return f"'{name}' is a {type(tensor).__name__}"
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
            return f"'{name}' is {tensor.dtype}, {tensor.layout}, on {tensor.device}"
        storage = tensor.untyped_storage()
        if tensor.numel() * tensor.element_size() > storage.nbytes():  # a stride of 0 repeats a few numbers without end
            return f"'{name}' claims more numbers than it has"
        storages[storage.data_ptr()] = storage.nbytes()
    return "its tensors are larger than the file" if sum(storages.values()) > file_size else ""


def load_into(network: nn.Module, path: Path) -> None:
    """Load the weights in a file into a network, whose names and shapes they must match exactly.

    Raises:
        WeightsError: the file cannot be read, is of another network, or holds NaN or infinite numbers.
    """
    state = read(path)
    check_finite(state, path)
    assign(state, network, path)


def assign(state: Mapping[str, Tensor], network: nn.Module, origin: Path | str) -> None:
    """Copy weights into a network, whose tensors keep their memory layout; errors name `origin`.

    Raises:
        WeightsError: the weights are of another network.
    """
    check_shapes(state, network, origin)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            tensor.copy_(state[name])


def check_shapes(state: Mapping[str, Tensor], network: nn.Module, origin: Path | str) -> None:
    """Check that weights have the names and shapes of a network, which may be on the meta device.

    Raises:
        WeightsError: the weights are of another network; the message names `origin`.
    """
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    actual = {name: tensor.shape for name, tensor in state.items()}
    differing = sorted(name for name in shapes.keys() | actual.keys() if shapes.get(name) != actual.get(name))
    if differing:
        raise WeightsError(f"{origin} is of another network: '{differing[0]}' does not fit", "check the run")


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Check that all weights are finite.

    Raises:
        WeightsError: some tensor holds NaN or infinity.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path} holds NaN or infinite numbers in '{name}'", "train again")


def file_hash(file: Path) -> str:
    """Return the sha256 of a file of weights, in hexadecimal.

    Raises:
        WeightsError: the file cannot be read.
    """
    try:
        return files.sha256_file(file)
    except OSError as problem:
        raise WeightsError(f"the weights file {file} cannot be read: {problem.strerror}", "check the path") from None
