"""Weights on disk: safetensors or a state dict, numbers and names, never code."""

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
    """A copy of a network's weights and statistics, on the CPU."""
    return {name: tensor.detach().cpu().clone().contiguous() for name, tensor in network.state_dict().items()}


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a state dict that `torch.save` wrote.

    Raises:
        WeightsError: it is missing, damaged, or holds anything but tensors; nothing in it is ever executed.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}", "check the path")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load(path)
        reason = _what_is_wrong(state, path.stat().st_size)
    except Exception as problem:  # the readers of damaged files raise whatever they trip over
        reason = str(problem).partition("\n")[0] or type(problem).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}", "a state dict of tensors is needed") from None
    if reason:
        raise WeightsError(f"{path} holds more than tensors: {reason}", "save the network's state_dict()")
    return dict(state)


def _load(path: Path) -> Any:
    """What `torch.save` wrote, a zip archive or its older format.

    Raises:
        ValueError: it is a zip archive that would unfold to more than it is.
        Exception: it is damaged, or holds more than tensors.
    """
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC  # how torch.load tells its formats apart
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
        if compressed or sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("its records are compressed or overlap, which torch.save never does")
    return torch.load(path, "cpu", weights_only=True)


def _what_is_wrong(state: Any, file_size: int) -> str:
    """Why this is no state dict of plain tensors that lie in a file of that many bytes; empty where it is."""
    if not isinstance(state, Mapping):
        return f"it is a {type(state).__name__}"
    storages: dict[int, int] = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            return f"'{name}' is a {type(tensor).__name__}"
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.dtype not in DTYPES:
            return f"'{name}' is {tensor.dtype}, {tensor.layout}, on {tensor.device}"
        storage = tensor.untyped_storage()
        if tensor.numel() * tensor.element_size() > storage.nbytes():  # a stride of 0 makes much of little
            return f"'{name}' claims more numbers than it has"
        storages[storage.data_ptr()] = storage.nbytes()
    return "its tensors are larger than the file" if sum(storages.values()) > file_size else ""


def load_into(network: nn.Module, path: Path) -> None:
    """Load a file into a network that it must fit exactly.

    Raises:
        WeightsError: it cannot be read, is of another network, or holds NaN or infinite numbers.
    """
    state = read(path)
    check_finite(state, path)
    assign(state, network, path)


def assign(state: Mapping[str, Tensor], network: nn.Module, origin: Path | str) -> None:
    """Give a network the weights that `origin` holds, in the layout that its own have.

    Raises:
        WeightsError: they are of another network.
    """
    check_shapes(state, network, origin)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            tensor.copy_(state[name])


def check_shapes(state: Mapping[str, Tensor], network: nn.Module, origin: Path | str) -> None:
    """Hold the weights that `origin` holds to a network's names and shapes; it may be on the meta device.

    Raises:
        WeightsError: they are of another network.
    """
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    given = {name: tensor.shape for name, tensor in state.items()}
    differing = sorted(name for name in shapes.keys() | given.keys() if shapes.get(name) != given.get(name))
    if differing:
        raise WeightsError(f"{origin} is of another network: '{differing[0]}' does not fit", "check the run")


def check_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Hold weights to finite numbers.

    Raises:
        WeightsError: some tensor holds NaN or infinity.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"{path} holds NaN or infinite numbers in '{name}'", "train again")


def file_hash(file: Path) -> str:
    """The file's sha256.

    Raises:
        WeightsError: it cannot be read.
    """
    try:
        return files.sha256_file(file)
    except OSError as problem:
        raise WeightsError(f"the weights file {file} cannot be read: {problem.strerror}", "check the path") from None
