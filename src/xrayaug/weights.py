"""Weights on disk: safetensors or a state dict, numbers and names, never code."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from xrayaug.errors import WeightsError


def save(path: Path, network: nn.Module) -> None:
    """Write a network's weights as safetensors."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}, path)


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file, or of a state dict that `torch.save` wrote.

    Raises:
        WeightsError: it is missing, damaged, or holds anything but tensors; nothing in it is ever executed.
    """
    if not path.is_file():
        raise WeightsError(f"there is no weights file {path}", "check the path")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as problem:  # the readers of damaged files raise whatever they trip over
        reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
        raise WeightsError(f"{path} cannot be read as weights: {reason}", "a state dict of tensors is needed") from None
    if not isinstance(state, Mapping) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise WeightsError(f"{path} holds more than tensors", "save the network's state_dict()")
    return dict(state)


def load_into(network: nn.Module, path: Path) -> None:
    """Load a file into a network that it must fit exactly.

    Raises:
        WeightsError: it cannot be read, is of another network, or holds NaN or infinite numbers.
    """
    state = read(path)
    check_finite(state, path)
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    given = {name: tensor.shape for name, tensor in state.items()}
    differing = sorted(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))
    if differing:
        raise WeightsError(f"{path} is of another network: '{differing[0]}' does not fit", "check the run")
    network.load_state_dict(state)


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
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as problem:
        raise WeightsError(f"the weights file {file} cannot be read: {problem.strerror}", "check the path") from None
