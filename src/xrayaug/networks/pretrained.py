"""Weights that a classification network starts from: torchvision's of ImageNet, or a file, held to the network.

A file bears torchvision's names, those of its own older files too, and need not have the layer that gives the output.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torchvision import models

from xrayaug.errors import WeightsError
from xrayaug.runtime import console
from xrayaug.storage import weights

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # heads that GoogLeNet and Inception train with, and we do without
RENAMED = (  # layers that torchvision's own files call otherwise than its networks
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")  # torch.hub's convention: the sha256 begins so


def imagenet_file(arch: str) -> Path:
    """Where torchvision's ImageNet weights of `arch` lie, downloaded if they are not here; held to their hash.

    Of several sets of weights it is `IMAGENET1K_V1`, which the thesis's time knew, where there is one.

    Raises:
        WeightsError: they are neither here nor to be had, or do not have the hash that their name says.
    """
    offered = models.get_model_weights(arch)
    url = str((offered.IMAGENET1K_V1 if "IMAGENET1K_V1" in offered.__members__ else offered.DEFAULT).url)
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    wanted = HASH_IN_NAME.search(file.name)
    prefix = wanted.group(1) if wanted else ""
    if not file.exists():
        _download(url, file, prefix)
    elif not weights.file_hash(file).startswith(prefix):
        raise WeightsError(f"{file} is damaged: its sha256 does not begin with {prefix}", "delete it and run again")
    return file


def load_pretrained(network: nn.Module, file: Path, wanted: str, output: str) -> None:
    """Take every weight from `file` but those of the layer of that name, `output`; `wanted` says what the network is.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    state = {_current_name(name): tensor for name, tensor in read_weights(file).items()}
    kept = {name: tensor for name, tensor in state.items() if not name.startswith((f"{output}.", *AUXILIARY))}
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(f"{output}.")}
    load_state(kept | own, network, file, wanted)


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors in `file`, by name.

    Raises:
        WeightsError: it is missing or damaged, or holds more than tensors, or NaN.
    """
    state = weights.read(file)
    weights.check_finite(state, file)
    return state


def load_state(state: Mapping[str, Tensor], network: nn.Module, file: Path, wanted: str) -> None:
    """Copy `state` into `network`, which it must fit name by name and shape by shape.

    Not `load_state_dict`: MNASNet's refuses any mapping without torch's version marks, as safetensors has none.

    Raises:
        WeightsError: it does not fit.
    """
    check_fit(state, network, file, wanted)
    own = network.state_dict()
    with torch.no_grad():
        for name in own.keys() & state.keys():
            own[name].copy_(state[name])


def check_fit(state: Mapping[str, Tensor], network: nn.Module, file: Path, wanted: str) -> None:
    """Hold what was read from `file` to a network's names and shapes; it may be on the meta device.

    Raises:
        WeightsError: it is of another network than `wanted`.
    """
    own = network.state_dict()
    for name in [*own, *(name for name in state if name not in own)]:
        problem = _misfit(name, own.get(name), state.get(name))
        if problem:
            raise WeightsError(f"{file} does not fit {wanted}: {problem}", "give weights of that very network")


def _current_name(name: str) -> str:
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return name


def _misfit(name: str, own: Tensor | None, given: Tensor | None) -> str:
    """What is wrong with the tensor of that name; empty if it fits."""
    if given is None:
        # a counter that files older than 2018 lack, and that nothing here reads
        return "" if name.endswith(".num_batches_tracked") else f"'{name}' is missing"
    if own is None:
        return f"'{name}' is not of it"
    return "" if own.shape == given.shape else f"'{name}' is {list(given.shape)}, should be {list(own.shape)}"


def _download(url: str, file: Path, prefix: str) -> None:
    console.info(f"downloading {url} to {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), prefix or None, progress=False)
    except (OSError, RuntimeError) as problem:  # no network, no disk; or another hash
        raise WeightsError(
            f"the ImageNet weights cannot be had: {str(problem).partition(chr(10))[0]}",
            f"download {url} elsewhere and save it as {file}; or give --weights FILE; or --weights none",
        ) from None
