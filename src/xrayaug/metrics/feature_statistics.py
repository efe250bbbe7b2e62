"""Statistics and features of the two sides of a distance, cached, and resumed after a stop.

Statistics are cached by what they depend on (pixels, network, features, preprocessing) and never by path. The
checkpoints of a stopped run lie in the same directory.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from xrayaug.data import image_sets
from xrayaug.data.dataset import Dataset, cached_files
from xrayaug.data.image_sets import ImageSet, PixelHash
from xrayaug.errors import DataError, InputError
from xrayaug.metrics import features, frechet
from xrayaug.metrics.features import FeatureExtractor
from xrayaug.metrics.frechet import RunningMoments, Statistics
from xrayaug.options import Fid
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import artifacts, cache
from xrayaug.storage.checkpoints import Checkpoints, State


@dataclass(frozen=True)
class PrecomputedStatistics:
    """A side that is given as a file of statistics, without images."""

    path: Path
    statistics: Statistics
    kind: str = "statistics"

    @property
    def count(self) -> int | None:
        """Number of images behind the statistics, None if the file does not say."""
        return self.statistics.count


FidInput = ImageSet | PrecomputedStatistics


@dataclass(frozen=True)
class ExtractedStatistics:
    """A side's statistics and their source."""

    side: FidInput
    statistics: Statistics
    hashed: PixelHash | None  # None for a file of statistics
    cached: bool
    features: FeatureArray | None = None  # [N, D], if a metric needs more than statistics

    @property
    def pixels_sha256(self) -> str | None:
        """SHA-256 of the side's pixels, None for a file of statistics."""
        return self.hashed.content if self.hashed else None

    def to_dict(self) -> dict[str, Any]:
        """Return the side as it is written to fid.json, and whether it came from the cache."""
        return {
            "path": str(self.side.path),
            "kind": self.side.kind,
            "n": self.statistics.count,
            "pixels_sha256": self.pixels_sha256,
            "cached": self.cached,
        }


class StatisticsExtractor:
    """Extractor of a side's statistics; the network is loaded when it is first needed.

    Args:
        options: of the command.
        with_features: whether to return the features too, for metrics that need more than statistics.
    """

    def __init__(self, options: Fid, *, with_features: bool) -> None:
        self.options = options
        self.with_features = with_features
        self._feature_checkpoints: list[Checkpoints] = []  # deleted by `finish`

    @cached_property
    def network(self) -> FeatureExtractor:
        """The network that extracts the features.

        Raises:
            WeightsError: its weights cannot be loaded or downloaded.
        """
        options = self.options
        device = devices.resolve(options.device, deterministic=options.deterministic)
        return features.load_extractor(
            options.features, device, dims=int(options.dims), weights=options.weights, seed=options.seed
        )

    @property
    def dims(self) -> int:
        """Number of features per image."""
        name = self.options.features
        return int(self.options.dims) if features.has_layers(name) else features.known_dims(name) or self.network.dims

    def extract(self, side: FidInput) -> ExtractedStatistics:
        """Return a side's statistics, read from the cache if they are in it.

        Raises:
            DataError: an image cannot be read, or some features are not finite.
            WeightsError: the network's weights cannot be loaded or downloaded.
        """
        if isinstance(side, PrecomputedStatistics):
            return ExtractedStatistics(side, side.statistics, None, cached=False)
        origin = self.network.origin  # first, so that missing weights are reported before the images are read
        hashed = image_sets.pixel_hash(side, _work_name("hashes", side), self.options.batch_size)
        file = cache.directory("fid", self.options.cache) / f"{_cache_key(hashed.content, origin)}.npz"
        extracted = self._extract_features(side, file, hashed.sequence) if self.with_features else None
        cached = _read_cache(file, origin, side.count)
        statistics = cached or self._compute_statistics(side, file, hashed.sequence, extracted)
        return ExtractedStatistics(side, statistics, hashed, cached=cached is not None, features=extracted)

    def works(self, side: FidInput) -> dict[str, Work]:
        """Return the work on a side that other processes can share, by its name."""
        if isinstance(side, PrecomputedStatistics):
            return {}
        size = self.options.batch_size
        return {
            _work_name("hashes", side): image_sets.hash_work(side, size),
            _work_name("features", side): features.extraction_work(lambda: self.network, side, size),
        }

    def finish(self) -> None:
        """Delete the checkpoints, after the last metric has been computed."""
        for checkpoints in self._feature_checkpoints:
            checkpoints.clear()

    def _extract_features(self, side: ImageSet, file: Path, sequence: str) -> FeatureArray:
        """Return a side's features, and keep them in a checkpoint until `finish` is called."""
        checkpoints = self._checkpoints(file, sequence, "features")
        self._feature_checkpoints.append(checkpoints)
        state = checkpoints.restore()
        with self._translate_device_errors():
            name = _work_name("features", side)
            extracted = features.extract_features(
                self.network, side, self.options.batch_size, state, partial(_save_checkpoint, checkpoints), name=name
            )
        if state is None or state[0] < side.count:
            _save_checkpoint(checkpoints, side.count, lambda: [side.count, torch.from_numpy(extracted)], now=True)
        return extracted

    def _compute_statistics(
        self, side: ImageSet, file: Path, sequence: str, extracted: FeatureArray | None
    ) -> Statistics:
        """Compute a side's statistics and cache them; the bytes are the same with or without extracted features."""
        checkpoints = self._checkpoints(file, sequence)
        moments = self._moments_of_images(side, checkpoints) if extracted is None else self._moments_of(extracted)
        statistics = moments.statistics(self.network.origin)
        _write_cache(file, statistics)
        checkpoints.clear()
        return statistics

    def _moments_of(self, extracted: FeatureArray) -> RunningMoments:
        """Return the moments of features, added in the network's batches because rounding depends on them."""
        moments = RunningMoments(self.network.dims)
        for start in range(0, len(extracted), self.options.batch_size):
            moments.add(extracted[start : start + self.options.batch_size])
        return moments

    def _moments_of_images(self, side: ImageSet, checkpoints: Checkpoints) -> RunningMoments:
        """Return the moments of the images' features, which are not kept; checkpoints are saved during the pass."""
        moments = _restore_moments(self.network.dims, checkpoints.restore())
        work = features.extraction_work(lambda: self.network, side, self.options.batch_size)
        starts = range(moments.count, side.count, self.options.batch_size)
        with (
            self._translate_device_errors(),
            stopping.deferred(),
            console.progress(side.count, f"features of {side.path.name}", done=moments.count) as advance,
        ):
            for batch in leader_worker.ordered_map(_work_name("features", side), work, starts):
                moments.add(batch)
                advance(len(batch))
                _save_checkpoint(checkpoints, moments.count, partial(_moments_state, moments))
        return moments

    def _translate_device_errors(self) -> AbstractContextManager[None]:
        return devices.translate_device_errors(self.options.batch_size, deterministic=self.options.deterministic)

    def _checkpoints(self, file: Path, sequence: str, *content: str) -> Checkpoints:
        """Return a side's checkpoints, named by all that rounding depends on: images' order, batch size and device."""
        device = devices.describe_one(self.network.device)
        name_parts = (file.name, sequence, str(self.options.batch_size), device, *content)
        name = hashlib.sha256("\n".join(name_parts).encode()).hexdigest() + ".partial"
        return Checkpoints(file.with_name(name), self.options.checkpoint_every)


def open_fid_input(path: Path, split: str | None, label: str | None, cache: Path | None = None) -> FidInput:
    """Open the side at `path`: of a dataset, the images of `split` and `label` if given, read through `cache`.

    Raises:
        InputError: it is no dataset, no folder of images and no .npz.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path for a typing error")
    if path.is_file():
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path} is a file, but no .npz", "give a dataset, a folder of images or an .npz")
        return PrecomputedStatistics(path, frechet.load(path))
    if artifacts.is_artifact(path):
        artifact = artifacts.open_artifact(path, "dataset", "raw", hash_later=cached_files(cache))
        if artifact.kind == "dataset":
            return image_sets.from_dataset(Dataset(artifact, cache), split=split, label=label)
    return image_sets.from_folder(path)


def _work_name(content: str, side: ImageSet) -> str:
    """Return the work's name, equal for equal paths, so that both sides share one work."""
    return f"{content} of {side.path}"


def _cache_key(pixels_sha256: str, origin: dict[str, str]) -> str:
    """Return a hash of all that the statistics depend on: the pixels and the features' origin."""
    return hashlib.sha256("\n".join((pixels_sha256, *origin.values())).encode()).hexdigest()


def _read_cache(file: Path, origin: dict[str, str], count: int) -> Statistics | None:
    """Return the cached statistics, or None if there are none or they do not match the file's name."""
    if not file.exists():
        return None
    try:
        statistics = frechet.load(file)
    except DataError as problem:
        console.warning(f"the cache is damaged and is made again: {problem.message}")
        return None
    if (statistics.count, dict(statistics.origin), statistics.dims) != (count, origin, int(origin["dims"])):
        console.warning(f"the cache is damaged and is made again: {file} holds other statistics than its name says")
        return None
    return statistics


def _restore_moments(dims: int, state: State | None) -> RunningMoments:
    """Return the moments of a stopped run's checkpoint, or empty ones."""
    moments = RunningMoments(dims)
    if state:
        moments.count, moments.mean, moments.scatter = state[0], state[1].numpy(), state[2].numpy()
    return moments


def _moments_state(moments: RunningMoments) -> State:
    return [moments.count, torch.from_numpy(moments.mean), torch.from_numpy(moments.scatter)]


def _save_checkpoint(checkpoints: Checkpoints, seen: int, state: Callable[[], State], *, now: bool = False) -> None:
    """Save a checkpoint if it is due, or in any case with `now`; the run may stop here."""
    try:
        if now:
            checkpoints.save(seen, state())
        else:
            checkpoints.save_if_due(seen, state)
    except OSError as problem:
        console.warning(f"no checkpoint is saved: {problem.strerror}: {checkpoints.directory}")
        checkpoints.schedule.reset(seen)
        stopping.check()


def _write_cache(file: Path, statistics: Statistics) -> None:
    try:
        frechet.save(file, statistics)
    except OSError as problem:
        console.warning(f"the statistics are not cached: {problem.strerror}: {file.parent}")
