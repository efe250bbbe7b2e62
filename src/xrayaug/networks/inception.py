"""Features of images by the Inception network that FID is defined on, or by that network with other weights.

The blocks are pytorch-fid's (TensorFlow's Inception-v3 of 2015, with its pooling at the borders); the layers,
the resizing and the scaling are pytorch-fid's too, so that the numbers agree.
"""

import hashlib
import itertools
import math
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone writes it
from pytorch_fid.inception import FID_WEIGHTS_URL, FIDInceptionA, FIDInceptionC, FIDInceptionE_1, FIDInceptionE_2
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.inception import BasicConv2d, Inception3, inception_v3

from xrayaug.data.image_sets import ImagePixels
from xrayaug.errors import WeightsError
from xrayaug.runtime import devices
from xrayaug.storage import weights

WeightsKind = Literal["inception", "random", "custom weights"]

PREPROCESSING = "v1: 8-bit RGB / 255, bilinear to 299 x 299 (align_corners=False, not antialiased), 2 x - 1"
SIZE = 299  # pixels
WEIGHTS_URL = str(FID_WEIGHTS_URL)
FILE_NAME = WEIGHTS_URL.rsplit("/", 1)[-1]
HASH_PREFIX = "6726825d"  # first digits of the file's sha256, also in its name by torch.hub's convention
CONNECT_TIMEOUT = 30.0  # seconds; a firewall that drops packets would block forever
UNUSED_TENSORS = ("fc.", "num_batches_tracked")  # no feature depends on the last layer or the training counters

LAYERS_BY_DIMS = {  # by the number of features at the end of each, as pytorch-fid's blocks
    64: ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1"),
    192: ("Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    768: ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
    2048: ("Mixed_7a", "Mixed_7b", "Mixed_7c"),
}
DIMS = tuple(LAYERS_BY_DIMS)
FID_DIMS = max(DIMS)  # the features that FID is defined on


@dataclass(frozen=True)
class InceptionWeights:
    """The tensors that features depend on, with a name and a hash."""

    kind: WeightsKind
    name: str  # for display: "Inception", "random weights, seed 0", "custom weights, sha256 ..."
    state: dict[str, Tensor]
    identity: str  # sha256 of the tensors: their names, shapes and numbers
    path: Path | None = None


class InceptionNetwork:
    """Inception up to a layer of 64, 192, 768 or 2048 features, averaged over the picture; on `device`."""

    def __init__(self, weights: InceptionWeights, dims: int, device: torch.device) -> None:
        self.dims = dims
        self.device = device
        self.layers = _layers(weights, dims).to(device).to(memory_format=torch.channels_last)

    def features(self, pictures: Sequence[ImagePixels]) -> npt.NDArray[np.float32]:
        """Return the features [N, D] of pictures of any size."""
        return self.begin(pictures)()

    def begin(self, pictures: Sequence[ImagePixels]) -> Callable[[], npt.NDArray[np.float32]]:
        """Start computing the features [N, D] of pictures of any size; return a function that waits for them."""
        with torch.inference_mode():
            activations = self.layers(_to_input(pictures, self.device))  # [N, D, h, w]
            return devices.copy_to_host(F.adaptive_avg_pool2d(activations, (1, 1)).flatten(1))


def cached_weights_path() -> Path:
    """Return the path of the Inception weights in torch.hub's cache, which pytorch-fid uses too."""
    return Path(torch.hub.get_dir(), "checkpoints", FILE_NAME)


def load_weights(file: Path | None) -> InceptionWeights:
    """Load Inception's weights from `file`, else from torch.hub's cache, into which they are downloaded if missing.

    A file with another hash than pytorch-fid's has custom weights; their distances must never be called FID.

    Raises:
        WeightsError: they cannot be downloaded, are damaged, or of another network.
    """
    if file is None:
        file = cached_weights_path()
        if not file.exists():
            _download(file)
        check_hash(file)
    kept = _select_tensors(weights.read(file), file)
    sha256 = weights.file_hash(file)
    if sha256.startswith(HASH_PREFIX):
        return InceptionWeights("inception", "Inception", kept, _identity(kept), file)
    return InceptionWeights("custom weights", f"custom weights, sha256 {sha256}", kept, _identity(kept), file)


def random_weights(seed: int) -> InceptionWeights:
    """Return random weights that depend on `seed` alone, scaled to keep activations' size (He et al., 2015)."""
    source = devices.seeded_generator(seed)
    state = {name: _draw_weights(name, tensor.shape, source) for name, tensor in _expected_tensors().items()}
    return InceptionWeights("random", f"random weights, seed {seed}", state, _identity(state))


def check_hash(file: Path) -> None:
    """Check that the file in torch.hub's cache has pytorch-fid's hash.

    Raises:
        WeightsError: it is another file, or damaged.
    """
    sha256 = weights.file_hash(file)
    if not sha256.startswith(HASH_PREFIX):
        raise WeightsError(
            f"{file} is not pytorch-fid's Inception weights: its sha256 begins with {sha256[:8]}, not {HASH_PREFIX}",
            "delete it to have it downloaded again; or --weights FILE, and the number is not called FID",
        )


def _download(file: Path) -> None:
    """Download pytorch-fid's weights to `file`, which appears only when complete and with the right hash.

    Raises:
        WeightsError: the download failed; the message has the URL, the path and the alternatives.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _connect_timeout():
            torch.hub.download_url_to_file(WEIGHTS_URL, os.fspath(file), hash_prefix=HASH_PREFIX, progress=False)
    except (OSError, RuntimeError) as problem:  # URLError is an OSError
        reason = " ".join(str(getattr(problem, "reason", problem)).split()) or type(problem).__name__
        raise WeightsError(
            f"Inception's weights are not at {file} and cannot be downloaded from {WEIGHTS_URL}: {reason}",
            "download that file elsewhere, then put it there or give it as --weights FILE; "
            "or --features imagenet, whose weights are installed, for a distance that is not FID",
        ) from None


@contextmanager
def _connect_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _build_on_meta() -> Inception3:
    """Build FID's Inception on the meta device, without memory or initialisation.

    It equals `pytorch_fid.inception.fid_inception_v3`, which is not called because it downloads the weights.
    """
    with torch.device("meta"):
        network = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
        network.Mixed_5b = FIDInceptionA(192, pool_features=32)
        network.Mixed_5c = FIDInceptionA(256, pool_features=64)
        network.Mixed_5d = FIDInceptionA(288, pool_features=64)
        network.Mixed_6b = FIDInceptionC(768, channels_7x7=128)
        network.Mixed_6c = FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6d = FIDInceptionC(768, channels_7x7=160)
        network.Mixed_6e = FIDInceptionC(768, channels_7x7=192)
        network.Mixed_7b = FIDInceptionE_1(1280)
        network.Mixed_7c = FIDInceptionE_2(FID_DIMS)
    return network


def _layers(weights: InceptionWeights, dims: int) -> nn.Sequential:
    """Return the network up to the layer of `dims` features, with its weights, for inference."""
    network = _build_on_meta()
    network.load_state_dict(
        weights.state, strict=False, assign=True
    )  # `_select_tensors` has checked that all are there
    names = [name for end, layers in LAYERS_BY_DIMS.items() if end <= dims for name in layers]
    layers = nn.Sequential(*(getattr(network, name) for name in names)).eval()
    for block in layers.modules():
        if isinstance(block, BasicConv2d):
            _fold(block)
    return layers.requires_grad_(False)


def _fold(block: BasicConv2d) -> None:
    """Fold the block's batch normalisation into the convolution's weights and bias, for inference."""
    fused = fuse_conv_bn_eval(block.conv.double(), block.bn.double())  # rounded once, at the end
    block.conv, block.bn = fused.float(), nn.Identity()


def _expected_tensors() -> dict[str, Tensor]:
    """Return the tensors that features depend on, by name, on the meta device."""
    return {name: tensor for name, tensor in _build_on_meta().state_dict().items() if not _is_unused(name)}


def _is_unused(name: str) -> bool:
    return name.startswith(UNUSED_TENSORS) or name.endswith(UNUSED_TENSORS)


def _select_tensors(state: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Return the tensors of `state` that features depend on.

    Raises:
        WeightsError: some are missing, of another shape or not finite.
    """
    expected = _expected_tensors()
    differing = [name for name, blank in expected.items() if name not in state or state[name].shape != blank.shape]
    if differing:
        raise WeightsError(
            f"{file} is of another network than pytorch-fid's Inception: "
            f"{len(differing)} of {len(expected)} tensors are missing or of another shape, {differing[0]} the first",
            f"the file is {FILE_NAME}",
        )
    kept = {name: state[name].detach().float() for name in expected}
    weights.check_finite(kept, file)
    return kept


def _identity(state: dict[str, Tensor]) -> str:
    """Return the sha256 of the tensors' names, shapes and numbers, in order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _draw_weights(name: str, shape: torch.Size, source: torch.Generator) -> Tensor:
    """Return a tensor of random weights: N(0, 2 / fan-in) for a convolution, the identity for a normalisation."""
    if len(shape) == 4:
        return torch.randn(shape, generator=source) * math.sqrt(2 / math.prod(shape[1:]))
    return torch.ones(shape) if name.endswith(("bn.weight", "running_var")) else torch.zeros(shape)


def _to_input(pictures: Sequence[ImagePixels], device: torch.device) -> Tensor:
    """Return the network's input of the pictures: [N, 3, 299, 299] in [-1, 1], channels last.

    Consecutive pictures of one shape are uploaded and resized together; a grey picture is resized as one channel.
    """
    parts = [_resize(list(alike), device) for _, alike in itertools.groupby(pictures, key=np.shape)]
    return torch.cat([part.expand(-1, 3, -1, -1) for part in parts]).contiguous(memory_format=torch.channels_last)


def _resize(pictures: Sequence[ImagePixels], device: torch.device) -> Tensor:
    """Return pictures of one shape resized to [N, 1 or 3, 299, 299], in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(pictures)).to(device)
    unit = (stacked[:, None] if stacked.ndim == 3 else stacked.permute(0, 3, 1, 2)).float() / 255
    return 2 * F.interpolate(unit, size=(SIZE, SIZE), mode="bilinear", align_corners=False) - 1
