"""Initial weights of a classification network: torchvision's of ImageNet, or a file; checked against the network.

A file has torchvision's names, also those of its older files, and may lack the output layer.
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

AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")  # auxiliary heads of GoogLeNet and Inception, which are not used here
RENAMED = (  # layer names of torchvision's files that differ from its networks'
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,})\.")  # torch.hub's convention: the first digits of the sha256


def imagenet_file(arch: str) -> Path:
    """Return the path of torchvision's ImageNet weights of `arch`, downloaded if missing, with checked hash.

    If there are several sets of weights it is `IMAGENET1K_V1`, which existed at the time of the thesis.

    Raises:
        WeightsError: they cannot be downloaded, or do not have the hash in their name.
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
    """Load all weights from `file` except the layer `output`'s; `wanted` describes the network in errors.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    state = {_current_name(name): tensor for name, tensor in read_weights(file).items()}
    kept = {name: tensor for name, tensor in state.items() if not name.startswith((f"{output}.", *AUXILIARY))}
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(f"{output}.")}
    load_state(kept | own, network, file, wanted)


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the tensors in `file`, by name.

    Raises:
        WeightsError: it is missing or damaged, or holds more than tensors, or NaN.
    """
    state = weights.read(file)
    weights.check_finite(state, file)
    return state


def load_state(state: Mapping[str, Tensor], network: nn.Module, file: Path, wanted: str) -> None:
    """Copy `state` into `network`, which it must fit name by name and shape by shape.

    It does not use `load_state_dict`, as MNASNet's needs torch's version metadata, which safetensors lacks.

    Raises:
        WeightsError: it does not fit.
    """
    check_fit(state, network, file, wanted)
    own = network.state_dict()
    with torch.no_grad():
        for name in own.keys() & state.keys():
            own[name].copy_(state[name])


def check_fit(state: Mapping[str, Tensor], network: nn.Module, file: Path, wanted: str) -> None:
    """Check that tensors read from `file` fit a network's names and shapes; it may be on the meta device.

    Raises:
        WeightsError: it is of another network than `wanted`.
    """
    own = network.state_dict()
    for name in [*own, *(name for name in state if name not in own)]:
        problem = _misfit(name, own.get(name), state.get(name))
        if problem:
            raise WeightsError(f"{file} does not fit {wanted}: {problem}", "give weights of that network")


def _current_name(name: str) -> str:
    for pattern, replacement in RENAMED:
        name = pattern.sub(replacement, name)
    return name


def _misfit(name: str, own: Tensor | None, loaded: Tensor | None) -> str:
    """Return why the tensor of that name does not fit; empty if it does."""
    if loaded is None:
        # A counter that files older than 2018 lack and that is not used here.
        return "" if name.endswith(".num_batches_tracked") else f"'{name}' is missing"
    if own is None:
        return f"'{name}' is not part of it"
    return "" if own.shape == loaded.shape else f"'{name}' is {list(loaded.shape)}, should be {list(own.shape)}"


def _download(url: str, file: Path, prefix: str) -> None:
    console.info(f"downloading {url} to {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(file), prefix or None, progress=False)
    except (OSError, RuntimeError) as problem:  # no connection, no disk space, or another hash
        raise WeightsError(
            f"the ImageNet weights cannot be downloaded: {str(problem).partition(chr(10))[0]}",
            f"download {url} elsewhere and save it as {file}; or give --weights FILE; or --weights none",
        ) from None
