"""Features of images from a classifier's frozen backbone, under fixed augmentations, cached on disk.

A cached feature depends on the pixels, the backbone's weights, the view and the kind of device, and on nothing else:
images go through the network in passes of a fixed size, so that neighbours do not matter. Commands that run at the same
time may share a cache, because a shard is written as a whole and never changed.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load as deserialise
from safetensors.numpy import save as serialise
from torch import Tensor

from xrayaug.data.images.stack import Stack
from xrayaug.errors import WeightsError
from xrayaug.networks import architectures, classifier
from xrayaug.networks.classifier import Classifier
from xrayaug.runtime import console, devices, stopping
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import files

FeatureRow = npt.NDArray[np.float32]  # [D]

FORMAT = "v1"  # raised when features of the same images and weights change
PASS_SIZE = 32  # images per pass; a last pass is filled up
SHARD_SIZE = 256  # images per file; a stopped command loses at most these
SHARD_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class View:
    """A fixed augmentation: left and right exchanged, then a rotation by an angle in degrees."""

    mirrored: bool = False
    angle: float = 0.0


IDENTITY = View()


def list_views(count: int, *, flip: bool, rotation: float) -> list[View]:
    """Return fixed augmentations that cover what random ones would do: angles at equal distances, mirrored in turn.

    Args:
        count: number of views. There are fewer if they would be the same.
        flip: whether every other view is mirrored.
        rotation: the largest angle in both directions, in degrees.
    """
    views = [
        View(flip and number % 2 == 1, rotation * ((2 * number + 1) / count - 1) if rotation else 0.0)
        for number in range(count)
    ]
    return list(dict.fromkeys(views))


class BackboneFeatures:
    """Extractor of a frozen backbone's features for images `[N, S, S]`.

    Args:
        network: the classifier, in evaluation mode, on `device`; its output layer is not used.
        device: the device to compute on.
        directory: of the cache, None for no cache.
        keep: whether to keep in memory too what was extracted, D numbers for each image and view.
    """

    def __init__(
        self, network: Classifier, device: torch.device, directory: Path | None, *, keep: bool = False
    ) -> None:
        self.network = network
        self.identity = backbone_identity(network)
        self.device = device
        self.directory = directory
        self._warned: set[str] = set()
        self._kept: dict[tuple[View, int], dict[str, FeatureRow]] | None = {} if keep else None
        self.dims = classifier.count_features(network)

    def extract(
        self, images: Stack, views: Sequence[View], advance: Callable[[int], object] = lambda _: None
    ) -> Tensor:
        """Return the features float32 `[N, K, D]` of N images under K views, on the CPU.

        Args:
            images: the images, `[N, S, S]`.
            views: the K augmentations.
            advance: called with the number of images done, those of the cache included.

        Raises:
            Stopped: the command was asked to stop; what was computed is in the cache.
            WeightsError: the features are not finite.
        """
        features = np.empty((len(images), len(views), self.dims), np.float32)
        size = images.shape[1]
        hashes = [_hash_pixels(images.read([place])[0]) for place in range(len(images))]
        for number, view in enumerate(views):
            known = {} if self._kept is None else self._kept.setdefault((view, size), {})
            known |= self._load(view, size, set(hashes) - known.keys())
            missing = [place for place, key in enumerate(hashes) if key not in known]
            advance(len(images) - len(missing))
            for start in range(0, len(missing), SHARD_SIZE):
                places = missing[start : start + SHARD_SIZE]
                shard = self._compute(images, places, view, advance)
                self._save(view, size, [hashes[place] for place in places], shard)
                known |= dict(zip((hashes[place] for place in places), shard, strict=True))
                stopping.check()
            for place, key in enumerate(hashes):
                features[place, number] = known[key]
        if not np.isfinite(features).all():
            raise WeightsError("some features are NaN or infinite", "the weights of the network may be damaged")
        return torch.from_numpy(features)

    def _compute(
        self, images: Stack, places: Sequence[int], view: View, advance: Callable[[int], object]
    ) -> FeatureArray:
        """Compute the features `[B, D]` of the images at these places."""
        computed = []
        for start in range(0, len(places), PASS_SIZE):
            part = np.asarray(places[start : start + PASS_SIZE])
            filled = np.concatenate([part, np.repeat(part[-1:], PASS_SIZE - len(part))])
            pixels = classifier.to_input(torch.from_numpy(images.read(filled)).to(self.device))
            with torch.inference_mode():
                features = classifier.penultimate_features(self.network, _augment(pixels, view))
            computed.append(features[: len(part)].float().cpu())
            advance(len(part))
        return torch.cat(computed).numpy()

    def _directory_of(self, view: View, size: int) -> Path | None:
        """Return the directory of a view's shards; its name depends on all that the features depend on."""
        if self.directory is None:
            return None
        depends = (FORMAT, self.identity, size, view, PASS_SIZE, devices.describe_one(self.device))
        return self.directory / hashlib.sha256("\n".join(map(str, depends)).encode()).hexdigest()

    def _load(self, view: View, size: int, wanted: Collection[str]) -> dict[str, FeatureRow]:
        """Return the cached features `[D]` of those of the wanted images that are there, by the hash of the pixels."""
        directory = self._directory_of(view, size)
        known: dict[str, FeatureRow] = {}
        for file in sorted(directory.glob(f"*{SHARD_SUFFIX}")) if directory and wanted else []:
            try:
                keys, features = _read_shard(file, self.dims)
            except (OSError, ValueError, KeyError, SafetensorError) as problem:
                self._warn(f"a file of the cache is damaged and not used: {file}: {problem}; delete it")
                continue
            known |= {key: row for key, row in zip(keys, features, strict=True) if key in wanted}
        return known

    def _save(self, view: View, size: int, keys: Sequence[str], features: FeatureArray) -> None:
        """Write a shard; a cache that cannot be written is only warned of."""
        directory = self._directory_of(view, size)
        if directory is None:
            return
        codes = np.frombuffer(bytes.fromhex("".join(keys)), np.uint8).reshape(len(keys), -1)
        content = serialise({"pixels_sha256": codes, "features": features})
        try:
            directory.mkdir(parents=True, exist_ok=True)
            files.write_bytes(directory / f"{files.sha256_bytes(content)}{SHARD_SUFFIX}", content)
        except OSError as problem:
            self._warn(f"the features are not cached: {problem.strerror}: {self.directory}")

    def _warn(self, line: str) -> None:
        """Print a warning, once."""
        if line not in self._warned:
            self._warned.add(line)
            console.warning(line)


def backbone_identity(network: Classifier) -> str:
    """Return a sha256 of all that the features depend on but the images: the network and its weights.

    The weights alone do not do: networks of other padding or normalisation may have the same. Those of the output layer
    do not count.
    """
    output = architectures.output_layer(network.network)
    digest = hashlib.sha256(f"{network.arch} {network.normalization}\n".encode())
    for name, tensor in sorted(network.network.state_dict().items()):
        if not name.startswith(f"{output}."):
            digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _read_shard(file: Path, dims: int) -> tuple[list[str], FeatureArray]:
    """Return the pixel hashes and the features `[B, D]` of a shard.

    Raises:
        ValueError: the content does not have the hash in the file's name, or has another shape.
    """
    if not file.is_file():
        raise ValueError("it is no file")
    content = file.read_bytes()
    if files.sha256_bytes(content) != file.stem:
        raise ValueError("its content does not have the sha256 in its name")
    tensors = deserialise(content)
    codes, features = tensors["pixels_sha256"], tensors["features"]
    if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != hashlib.sha256().digest_size:
        raise ValueError("it holds no hashes of pixels")
    if features.dtype != np.float32 or features.shape != (len(codes), dims) or not np.isfinite(features).all():
        raise ValueError(f"it holds no {dims} finite features for each image")
    return [row.tobytes().hex() for row in codes], features


def _augment(images: Tensor, view: View) -> Tensor:
    """Return images `[N, 1, S, S]` under a view."""
    if view == IDENTITY:
        return images
    theta = classifier.fixed_affine(mirrored=view.mirrored, angle=view.angle).to(images.device)
    return classifier.apply_affine(images, theta.expand(len(images), -1, -1))


def _hash_pixels(picture: npt.NDArray[np.uint8]) -> str:
    return files.sha256_bytes(picture.tobytes())
