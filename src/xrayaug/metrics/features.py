"""Images -> features, by the name that `--features` gives: a module of `extractors`, or a classifier run's directory.

FID is defined on Inception's 2048 features with pytorch-fid's weights and on no others; `origin` names the features.
The features of a classifier that `train-classifier` trained on radiographs are the inputs of its output layer; they
belong to the domain and need no download. (Influence of Inception's classes on FID: Kynkäänniemi et al., 2023,
arXiv:2203.06026.)
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from xrayaug.data.image_sets import ImagePixels, ImageSet
from xrayaug.data.images.arrays import MAX_SIDE
from xrayaug.errors import DataError, UsageError
from xrayaug.metrics import extractors, frechet
from xrayaug.networks import classifier, inception
from xrayaug.networks.classifier import Classifier
from xrayaug.networks.inception import InceptionNetwork, InceptionWeights
from xrayaug.options.choices import LAYERED_FEATURES
from xrayaug.runtime import console, devices, parallel, stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Stream, Work
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Artifact
from xrayaug.storage.checkpoints import State
from xrayaug.storage.files import WEIGHTS_FILE

SaveCallback = Callable[[int, Callable[[], State]], None]

MAX_FEATURE_BYTES = 1 << 30  # of one side's features in memory: 131,072 images with 2048 features
PREPROCESSING = "v1: 8-bit grey, bicubic (antialiased) to {size} x {size}, / 255, ImageNet's mean and deviation"


@dataclass(frozen=True)
class TrainingData:
    """Training data of the classifier that extracts features."""

    run: str  # path of the classifier run
    data_sha256: str
    synthetic: int  # synthetic images among the training images

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as they are written to a result's `learnt_from`."""
        return asdict(self)


class FeatureExtractor(Protocol):
    """Interface of a feature extractor."""

    @property
    def dims(self) -> int:
        """Number of features per picture, D."""

    @property
    def origin(self) -> dict[str, str]:
        """The features' provenance, by `frechet.ORIGIN_KEYS`; only features of equal origin are comparable."""

    @property
    def learnt_from(self) -> TrainingData | None:
        """The data that the network was trained on; None if it was not trained on radiographs."""

    @property
    def device(self) -> torch.device:
        """The device that it computes on."""

    def features(self, pictures: Sequence[ImagePixels]) -> FeatureArray:
        """Return the features `[N, D]` of pictures of any size."""

    def begin(self, pictures: Sequence[ImagePixels]) -> Callable[[], FeatureArray]:
        """Start computing the features `[N, D]` of pictures of any size; return a function that waits for them."""


class InceptionFeatureExtractor:
    """Spatial averages of one of Inception's layers; the network is built when it is first needed."""

    learnt_from = None

    def __init__(self, weights: InceptionWeights, dims: int, device: torch.device) -> None:
        self.weights = weights
        self.dims = dims
        self.device = device

    @property
    def origin(self) -> dict[str, str]:
        """The weights, the layer and the preprocessing."""
        return {
            "features": self.weights.kind,
            "network_name": self.weights.name,
            "network": self.weights.identity,
            "dims": str(self.dims),
            "preprocessing": inception.PREPROCESSING,
        }

    @cached_property
    def network(self) -> InceptionNetwork:
        """The layers, on the device."""
        return InceptionNetwork(self.weights, self.dims, self.device)

    def features(self, pictures: Sequence[ImagePixels]) -> FeatureArray:
        """Return the features `[N, D]`."""
        return self.begin(pictures)()

    def begin(self, pictures: Sequence[ImagePixels]) -> Callable[[], FeatureArray]:
        """Start computing the features `[N, D]`; return a function that waits for them."""
        return self.network.begin(pictures)


class NetworkFeatureExtractor:
    """Inputs of a classification network's output layer; see `classifier.penultimate_features`.

    Args:
        network: the network.
        arch: its name in `architectures`.
        size: width and height of the images that it takes, in pixels.
        device: the device to compute on.
        kind: kind of features, the origin's `features`.
        name: the network in words, the origin's `network_name`.
        weights: the sha256 of the weights.
        preprocessing: the origin's `preprocessing`; it says what `resize` does.
        resize: function that returns a picture as uint8 `[size, size]`.
    """

    def __init__(
        self,
        network: Classifier,
        arch: str,
        size: int,
        device: torch.device,
        *,
        kind: str,
        name: str,
        weights: str,
        preprocessing: str | None = None,
        resize: Callable[[ImagePixels, int], ImagePixels] | None = None,
    ) -> None:
        self.size = size
        self._resize = resize or resize_grey
        self.device = device
        self.network = network.to(device).eval()
        self.dims = classifier.count_features(self.network)
        if self.dims > frechet.MAX_DIMS:
            raise UsageError(
                f"{arch} has {self.dims} features per image, more than {frechet.MAX_DIMS}", "choose another network"
            )
        self.origin = {
            "features": kind,
            "network_name": f"{name}, sha256 {weights}",
            "network": hashlib.sha256(f"{arch} {size} {weights}".encode()).hexdigest(),
            "dims": str(self.dims),
            "preprocessing": preprocessing or PREPROCESSING.format(size=size),
        }

    @property
    def learnt_from(self) -> TrainingData | None:
        """None: the network was not trained on radiographs."""
        return None

    def features(self, pictures: Sequence[ImagePixels]) -> FeatureArray:
        """Return the features `[N, D]`."""
        return self.begin(pictures)()

    def begin(self, pictures: Sequence[ImagePixels]) -> Callable[[], FeatureArray]:
        """Start computing the features `[N, D]`; return a function that waits for them."""
        resized = torch.from_numpy(np.stack([self._resize(picture, self.size) for picture in pictures]))
        with torch.inference_mode():
            features = classifier.penultimate_features(self.network, classifier.to_input(resized.to(self.device)))
            return devices.copy_to_host(features.float())


class ClassifierFeatureExtractor(NetworkFeatureExtractor):
    """Features of a trained classifier; the path of its run does not matter."""

    def __init__(self, run: Artifact, device: torch.device) -> None:
        self.run = run
        arch, size = run.get(str, "result", "arch"), run.get(int, "result", "size", minimum=1, maximum=MAX_SIDE)
        network = classifier.restore(run.file(WEIGHTS_FILE), arch, size=size)
        name = f"{arch} at {size} pixels, trained on radiographs"
        weights = run.manifest["files"][WEIGHTS_FILE]["sha256"]
        super().__init__(network, arch, size, device, kind="classifier", name=name, weights=weights)

    @property
    def learnt_from(self) -> TrainingData:
        """The data that the run was trained on."""
        synthetic = self.run.get(dict, "result", "train", "synthetic")
        return TrainingData(
            run=str(self.run.path),
            data_sha256=str(self.run.manifest["inputs"].get("data", {}).get("sha256", "unknown")),
            synthetic=sum(count for count in synthetic.values() if isinstance(count, int)),
        )


def load_extractor(
    name: str, device: torch.device, *, dims: int = inception.FID_DIMS, weights: Path | None = None, seed: int = 0
) -> FeatureExtractor:
    """Return the feature extractor of that name.

    Args:
        name: one of `extractors.names()`, or the directory of a classifier run.
        device: the device to compute on.
        dims: number of features, where `--dims` selects a layer.
        weights: a weights file, for those that take one.
        seed: for `random`, the seed of the weights.

    Raises:
        UsageError: the name takes no such option, or there is no such name.
        ArtifactError: the run is damaged.
        WeightsError: the weights cannot be loaded or downloaded, or are damaged.
    """
    check_weights_option(name, weights)
    if is_classifier_run(name):
        return ClassifierFeatureExtractor(open_classifier_run(name), device)
    return extractors.load(name).load(device, dims, weights, seed)


def check_weights_option(name: str, weights: Path | None) -> None:
    """Check that the features take a weights file if one is given.

    Raises:
        UsageError: they take none.
    """
    if weights is not None and (is_classifier_run(name) or not extractors.load(name).HAS_WEIGHTS_FILE):
        raise UsageError(f"--weights and --features {name} exclude each other", "drop one of them")


def has_layers(name: str) -> bool:
    """Return whether `--dims` selects a layer of these features."""
    return name in LAYERED_FEATURES


def known_dims(name: str) -> int | None:
    """Return the number of features per image if it is known without loading the network, else None."""
    return None if is_classifier_run(name) else extractors.load(name).DIMS


def check_features_options(name: str, dims: int) -> None:
    """Check the name of the features, opening the classifier run if it is one, and that it takes the value of `--dims`.

    Raises:
        UsageError: there are no such features, or `--dims` selects nothing.
        ArtifactError: the run is damaged.
    """
    if is_classifier_run(name):
        open_classifier_run(name)
    if dims != inception.FID_DIMS and not has_layers(name):
        raise UsageError(
            f"--dims selects a layer of Inception, and --features is {name}",
            "leave --dims out",
        )


def extraction_work(network: Callable[[], FeatureExtractor], side: ImageSet, batch_size: int) -> Work:
    """Return work that yields the features `[N, D]` of `batch_size` pictures from each start index on."""

    def passes(starts: Sequence[int]) -> Stream:
        batches = [range(side.count)[start : start + batch_size] for start in starts]
        pictures = parallel.map_in_threads(side.read, itertools.chain.from_iterable(batches))
        begun = (network().begin(list(itertools.islice(pictures, len(batch)))) for batch in batches)
        ahead = 1 if batches and network().device.type == "cuda" else 0
        yield from (wait() for wait in parallel.prefetch(begun, ahead))

    return passes


def extract_features(
    network: FeatureExtractor,
    side: ImageSet,
    batch_size: int,
    state: State,
    save_if_due: SaveCallback,
    *,
    name: str = "features",
) -> FeatureArray:
    """Extract the features of every picture of a side, `[N, D]`, in order.

    Args:
        network: the feature extractor.
        side: the pictures.
        batch_size: pictures per pass.
        state: the checkpoint of a stopped run, else None.
        save_if_due: called after each pass with the number done and a function that returns the checkpoint's state.
        name: name of the work that several processes share.

    Raises:
        DataError: they need more than `MAX_FEATURE_BYTES`, or some are not finite.
    """
    if 4 * side.count * network.dims > MAX_FEATURE_BYTES:
        raise DataError(
            f"{side.count:,} images of {side.path} with {network.dims} features are more than "
            f"{MAX_FEATURE_BYTES >> 30} GiB",
            "select fewer images, or --metrics fid alone, which keeps no features in memory",
        )
    extracted = np.empty((side.count, network.dims), np.float32)
    done = 0 if state is None else int(state[0])
    if state is not None:
        extracted[:done] = state[1].numpy()
    work = extraction_work(lambda: network, side, batch_size)
    with stopping.deferred(), console.progress(side.count, f"features of {side.path.name}", done=done) as advance:
        for batch in leader_worker.ordered_map(name, work, range(done, side.count, batch_size)):
            extracted[done : done + len(batch)] = batch
            done += len(batch)
            advance(len(batch))
            save_if_due(done, partial(_checkpoint_state, extracted, done))
    if not np.isfinite(extracted).all():
        raise DataError("some features are NaN or infinite", "the network's weights may be damaged")
    return extracted


def is_classifier_run(name: str) -> bool:
    """Return whether the value of `--features` is a classifier run's directory."""
    return name not in extractors.names()


def open_classifier_run(name: str) -> Artifact:
    """Open the classifier run that `--features` names.

    Raises:
        UsageError: the directory does not exist.
        ArtifactError: it is no classifier run, or damaged.
    """
    if not Path(name).exists():
        raise UsageError(
            f"--features {name} is none of {', '.join(extractors.names())}, and no such directory exists",
            "give one of these names, or the directory of a run of xrayaug train-classifier",
        )
    return artifacts.open_artifact(Path(name), "classifier-run")


def _checkpoint_state(extracted: FeatureArray, done: int) -> State:
    return [done, torch.from_numpy(extracted[:done])]


def resize_grey(picture: ImagePixels, size: int) -> ImagePixels:
    """Return a picture in grey, `size` pixels wide and high: uint8 `[size, size]`."""
    grey = Image.fromarray(picture).convert("L")
    return np.asarray(grey if grey.size == (size, size) else grey.resize((size, size), Image.Resampling.BICUBIC))
