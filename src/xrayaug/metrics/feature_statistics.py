"""The two sides of a distance: their statistics and features, cached, and resumed after a stop.

Statistics are cached by what they depend on (pixels, network, features, preprocessing) and never by path. The
checkpoints of a stopped run lie in the same directory.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import torch

from xrayaug.data import image_sets
from xrayaug.data.dataset import Dataset, cached_files
from xrayaug.data.image_sets import ImageSet, PixelHash
from xrayaug.errors import DataError, InputError
from xrayaug.metrics import features, frechet
from xrayaug.metrics.features import FeatureArray, FeatureExtractor
from xrayaug.metrics.frechet import RunningMoments, Statistics
from xrayaug.options import Fid
from xrayaug.runtime import console, devices, stopping
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.runtime.stopping import Interval
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Result
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
    """A side's statistics, and where they come from."""

    side: FidInput
    statistics: Statistics
    hashed: PixelHash | None  # None for a file of statistics
    cached: bool
    features: FeatureArray | None = None  # [N, D], if a metric needs more than statistics

    @property
    def pixels_sha256(self) -> str | None:
        """SHA-256 of the side's pixels, None for a file of statistics."""
        return self.hashed.content if self.hashed else None

    def summary(self) -> Result:
        """Return the side's entry in the result."""
        return {
            "path": str(self.side.path),
            "kind": self.side.kind,
            "n": self.statistics.count,
            "pixels_sha256": self.pixels_sha256,
            "cached": self.cached,
        }


class StatisticsExtractor:
    """Extractor of statistics, and of features where asked to; the network is loaded when it is first needed."""

    def __init__(self, options: Fid, *, with_features: bool) -> None:
        self.options = options
        self.with_features = with_features
        self._unfinished: list[Checkpoints] = []  # deleted by `finish`

    @cached_property
    def network(self) -> FeatureExtractor:
        """The network that extracts the features.

        Raises:
            WeightsError: its weights cannot be loaded or downloaded.
        """
        device = devices.resolve(self.options.device, deterministic=self.options.deterministic)
        given = self.options
        return features.load_extractor(
            given.features, device, dims=int(given.dims), weights=given.weights, seed=given.seed
        )

    @property
    def dims(self) -> int:
        """Number of features per image."""
        return self.network.dims if features.is_classifier_run(self.options.features) else int(self.options.dims)

    def measured(self, side: FidInput) -> ExtractedStatistics:
        """Return a side's statistics, from the cache if they are there."""
        if isinstance(side, PrecomputedStatistics):
            return ExtractedStatistics(side, side.statistics, None, cached=False)
        origin = self.network.origin  # first, so that missing weights are reported before the images are read
        hashed = image_sets.pixel_hash(side, _work_name("hashes", side), self.options.batch_size)
        file = cache_directory(self.options.cache) / f"{_cache_key(hashed.content, origin)}.npz"
        made = self._gathered(side, file, hashed.sequence) if self.with_features else None
        found = _from_cache(file, origin, side.count)
        statistics = found or self._computed(side, file, hashed.sequence, made)
        return ExtractedStatistics(side, statistics, hashed, cached=found is not None, features=made)

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
        """Delete the checkpoints when all is measured."""
        for kept in self._unfinished:
            kept.clear()

    def _gathered(self, side: ImageSet, file: Path, sequence: str) -> FeatureArray:
        """Return a side's features, and keep them in a checkpoint until all is measured."""
        kept = Checkpoints(file.with_name(self._unfinished_name(file, sequence, "features")), self._every)
        self._unfinished.append(kept)
        state = kept.restore()
        with self._naming_limits():
            name = _work_name("features", side)
            made = features.extract_features(
                self.network, side, self.options.batch_size, state, partial(_keep, kept), name=name
            )
        if state is None or state[0] < side.count:
            _keep(kept, side.count, lambda: [side.count, torch.from_numpy(made)], now=True)
        return made

    def _computed(self, side: ImageSet, file: Path, sequence: str, made: FeatureArray | None) -> Statistics:
        """Compute a side's statistics and cache them; the bytes are the same with or without precomputed features."""
        kept = Checkpoints(file.with_name(self._unfinished_name(file, sequence)), self._every)
        moments = self._passed(side, kept) if made is None else self._taken(made)
        statistics = moments.statistics(self.network.origin)
        _into_cache(file, statistics)
        kept.clear()
        return statistics

    def _taken(self, made: FeatureArray) -> RunningMoments:
        """Return the moments of features, summed in the batches of a pass because rounding depends on the order."""
        moments = RunningMoments(self.network.dims)
        for start in range(0, len(made), self.options.batch_size):
            moments.add(made[start : start + self.options.batch_size])
        return moments

    def _passed(self, side: ImageSet, kept: Checkpoints) -> RunningMoments:
        """Return the moments from a pass of the pictures through the network, with checkpoints on the way."""
        moments = _moments(self.network.dims, kept.restore())
        work = features.extraction_work(lambda: self.network, side, self.options.batch_size)
        starts = range(moments.count, side.count, self.options.batch_size)
        with (
            self._naming_limits(),
            stopping.deferred(),
            console.progress(side.count, f"features of {side.path.name}", done=moments.count) as advance,
        ):
            for made in leader_worker.ordered_map(_work_name("features", side), work, starts):
                moments.add(made)
                advance(len(made))
                _keep(kept, moments.count, partial(_state_of, moments))
        return moments

    def _naming_limits(self) -> AbstractContextManager[None]:
        return devices.translate_device_errors(self.options.batch_size, deterministic=self.options.deterministic)

    @property
    def _every(self) -> Interval:
        return self.options.checkpoint_every

    def _unfinished_name(self, file: Path, sequence: str, *what: str) -> str:
        """Return the checkpoint's name, by all that rounding depends on: the pictures' order, batch size and device."""
        depends = (file.name, sequence, str(self.options.batch_size), devices.describe_one(self.network.device), *what)
        return hashlib.sha256("\n".join(depends).encode()).hexdigest() + ".partial"


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


def _work_name(what: str, side: ImageSet) -> str:
    """Return the work's name, equal for equal paths, so that both sides share one work."""
    return f"{what} of {side.path}"


def cache_directory(given: Path | None) -> Path:
    """Return the directory of cached statistics: below `--cache`, else by the XDG base directory specification."""
    if given is not None:
        return given / "fid"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "xrayaug" / "fid"


def _cache_key(pixels_sha256: str, origin: dict[str, str]) -> str:
    """Return a hash of all that the statistics depend on: the pixels and the features' origin."""
    return hashlib.sha256("\n".join((pixels_sha256, *origin.values())).encode()).hexdigest()


def _from_cache(file: Path, origin: dict[str, str], count: int) -> Statistics | None:
    """Return the cached statistics, or None if there are none or they do not match the file's name."""
    if not file.exists():
        return None
    try:
        found = frechet.load(file)
    except DataError as problem:
        console.warning(f"the cache is damaged and is made again: {problem.message}")
        return None
    if (found.count, dict(found.origin), found.dims) != (count, origin, int(origin["dims"])):
        console.warning(f"the cache is damaged and is made again: {file} holds other statistics than its name says")
        return None
    return found


def _moments(dims: int, state: State | None) -> RunningMoments:
    """Return the moments of a stopped run's checkpoint, or empty ones."""
    moments = RunningMoments(dims)
    if state:
        moments.count, moments.mean, moments.scatter = state[0], state[1].numpy(), state[2].numpy()
    return moments


def _state_of(moments: RunningMoments) -> State:
    return [moments.count, torch.from_numpy(moments.mean), torch.from_numpy(moments.scatter)]


def _keep(kept: Checkpoints, seen: int, state: Callable[[], State], *, now: bool = False) -> None:
    """Save a checkpoint if it is due, or in any case with `now`; the run may stop here."""
    try:
        if now:
            kept.save(seen, state())
        else:
            kept.save_if_due(seen, state)
    except OSError as problem:
        console.warning(f"what is unfinished is not kept: {problem.strerror}: {kept.directory}")
        kept.schedule.reset(seen)
        stopping.check()


def _into_cache(file: Path, statistics: Statistics) -> None:
    try:
        frechet.save(file, statistics)
    except OSError as problem:
        console.warning(f"the statistics are not cached: {problem.strerror}: {file.parent}")
