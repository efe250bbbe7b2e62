"""Weights on disk: safetensors or a state dict, numbers and names, never code."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from xrayaug import files
from xrayaug.errors import WeightsError


def save(path: Path, state: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors, whole or not at all."""
    files.write_bytes(path, serialise(dict(state)))


def state_of(network: nn.Module) -> dict[str, Tensor]:
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
    put(state, network, path)


def put(state: Mapping[str, Tensor], network: nn.Module, origin: Path | str) -> None:
    """Give a network the weights that `origin` holds, in the layout that its own have.

    Raises:
        WeightsError: they are of another network.
    """
    own = network.state_dict()
    shapes = {name: tensor.shape for name, tensor in own.items()}
    given = {name: tensor.shape for name, tensor in state.items()}
    differing = sorted(name for name in shapes.keys() | given.keys() if shapes.get(name) != given.get(name))
    if differing:
        raise WeightsError(f"{origin} is of another network: '{differing[0]}' does not fit", "check the run")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])


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
        return files.sha256(file)
    except OSError as problem:
        raise WeightsError(f"the weights file {file} cannot be read: {problem.strerror}", "check the path") from None
