"""dataset | folder | .npz, twice -> fid.json: how far apart two sets of images are.

The number is called FID only where it is: over the 2048 features of pytorch-fid's Inception weights. Statistics are
cached by what they depend on (pixels, network, features, preprocessing) and never by path.
"""

import hashlib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug import artifacts, console, device, files, frechet, imagesets, inception, production, stopping, weights
from xrayaug.artifacts import Result
from xrayaug.checkpoints import Checkpoints, State
from xrayaug.console import Table
from xrayaug.dataset import Dataset
from xrayaug.errors import DataError, InputError, OutputError, UsageError
from xrayaug.frechet import Moments, Statistics
from xrayaug.imagesets import Pictures
from xrayaug.inception import Network, Weights
from xrayaug.options import Fid

FID_DIMS = 2048


@dataclass(frozen=True)
class Stored:
    """A side of which only the statistics are at hand."""

    path: Path
    statistics: Statistics
    kind: str = "statistics"

    @property
    def count(self) -> int | None:
        """Images that the statistics are of, None where the file does not say."""
        return self.statistics.count


Side = Pictures | Stored


@dataclass(frozen=True)
class Measured:
    """A side's statistics, and how they were come by."""

    side: Side
    statistics: Statistics
    pixels_sha256: str | None
    cached: bool

    def summary(self) -> Result:
        """What the result says of the side."""
        return {
            "path": str(self.side.path),
            "kind": self.side.kind,
            "n": self.statistics.count,
            "pixels_sha256": self.pixels_sha256,
            "cached": self.cached,
        }


class Measurement:
    """Both sides of one command; each thing is computed when it is first asked for, and once."""

    def __init__(self, options: Fid) -> None:
        _check_options(options)
        self.options = options
        self.sides = tuple(_open_side(path, options) for path in (options.a, options.b))
        _check_sides(self.sides, options)

    @cached_property
    def weights(self) -> Weights:
        """The network's weights.

        Raises:
            WeightsError: they are not to be had.
        """
        if self.options.features == "random":
            return inception.random_weights(self.options.seed)
        return inception.load_weights(self.options.weights)

    @cached_property
    def network(self) -> Network:
        """The network, where it computes."""
        where = device.resolve(self.options.device, deterministic=self.options.deterministic)
        return Network(self.weights, int(self.options.dims), where)

    @cached_property
    def a(self) -> Measured:
        """The first side's statistics."""
        return self._measured(self.sides[0])

    @cached_property
    def b(self) -> Measured:
        """The second side's statistics."""
        return self._measured(self.sides[1])

    def result(self) -> Result:
        """The distance and all that must be said with it."""
        value = frechet.distance(self.a.statistics, self.b.statistics)
        origin = {"features": "inception", **self.b.statistics.origin, **self.a.statistics.origin}
        features, dims = origin["features"], self.a.statistics.dims
        is_fid = features == "inception" and dims == FID_DIMS
        return {
            "metric": "fid" if is_fid else "frechet distance",
            "description": _description(features, dims),
            "value": value,
            **({"fid": value} if is_fid else {}),
            "features": features,
            "network": origin.get("network_name"),
            "network_sha256": origin.get("network"),
            "dims": dims,
            "a": self.a.summary(),
            "b": self.b.summary(),
            "warnings": _warnings((self.a, self.b), features, dims),
        }

    def write(self, directory: Path) -> Result:
        """Write fid.json into `directory`: what depends on the inputs alone, so not what was found in the cache."""
        result = self.result()
        for side in ("a", "b"):
            del result[side]["cached"]
        files.write_json(directory / "fid.json", result)
        return result

    def save_a(self, path: Path) -> None:
        """Write side A's statistics to `path`.

        Raises:
            OutputError: something else is there.
        """
        if path.exists() and not self.options.overwrite and not _holds(path, self.a.statistics):
            raise OutputError(f"--save-stats {path} holds something else", "choose another name, or --overwrite")
        frechet.save(path, self.a.statistics)

    def _measured(self, side: Side) -> Measured:
        if isinstance(side, Stored):
            return Measured(side, side.statistics, None, cached=False)
        origin = self._origin  # first of all: weights that are not to be had would else be missed after a long reading
        hashed = imagesets.pixel_hash(side)
        file = cache_directory(self.options) / f"{_cache_key(hashed.content, origin)}.npz"
        found = _from_cache(file, origin, side.count)
        statistics = found or self._computed(side, file, hashed.sequence)
        return Measured(side, statistics, hashed.content, cached=found is not None)

    def _computed(self, side: Pictures, file: Path, sequence: str) -> Statistics:
        """The statistics of a side, which go to the cache: half-done ones for a run that is stopped, then whole."""
        kept = Checkpoints(file.with_name(self._unfinished_name(file, sequence)), self.options.checkpoint_every)
        moments = _moments(int(self.options.dims), kept.restore())
        pictures = imagesets.in_threads(side.read, range(moments.count, side.count))
        with (
            device.naming_limits(self.options.batch_size, deterministic=self.options.deterministic),
            stopping.deferred(),
            console.progress(side.count, f"features of {side.path.name}", done=moments.count) as advance,
        ):
            while batch := list(itertools.islice(pictures, self.options.batch_size)):
                moments.add(self.network.features(batch))
                advance(len(batch))
                _keep(kept, moments)
        statistics = moments.statistics(self._origin)
        _into_cache(file, statistics)
        kept.clear()
        return statistics

    def _unfinished_name(self, file: Path, sequence: str) -> str:
        """Told apart by what rounding depends on: the order of the pictures, the batches, the device."""
        depends = (file.name, sequence, str(self.options.batch_size), device.describe(self.network.where))
        return hashlib.sha256("\n".join(depends).encode()).hexdigest() + ".partial"

    @property
    def _origin(self) -> dict[str, str]:
        return {
            "features": self.weights.kind,
            "network_name": self.weights.name,
            "network": self.weights.identity,
            "dims": self.options.dims,
            "preprocessing": inception.PREPROCESSING,
        }


def run(options: Fid) -> Result:
    """Measure; leaves an artifact with fid.json where `--out` is given, and side A's statistics where asked for."""
    measurement = Measurement(options)
    if options.save_stats is not None:
        measurement.save_a(options.save_stats)
    if options.out is None:
        return measurement.result()
    where = device.resolve(options.device, deterministic=options.deterministic)
    return production.produce(options, "fid", measurement.write, computing=device.describe(where))


def plan(options: Fid) -> Result:
    """What the sides are and which weights would be used; nothing is computed, written or downloaded."""
    sides = Measurement(options).sides
    complete = options.out is not None and not options.overwrite and production.completed(options) is not None
    return {
        "plan": True,
        "features": options.features,
        "dims": int(options.dims),
        "weights": "not needed" if _are_stored(sides) else _planned_weights(options),
        **{name: _planned_side(side) for name, side in zip(("a", "b"), sides, strict=True)},
        "cache": str(cache_directory(options)),
        "save_stats": str(options.save_stats) if options.save_stats else None,
        "out": str(options.out) if options.out else None,
        "complete": complete,
    }


def tables(result: Result) -> list[Table]:
    """The distance with what it is over, or the plan."""
    sides = [(f"{name}: {side['path']}", _side_text(side)) for name, side in (("A", result["a"]), ("B", result["b"]))]
    if result.get("plan"):
        named = ("features", "dims", "weights", "cache", "save_stats", "out")
        rows = [(name.replace("_", " "), str(result[name])) for name in named if result[name] is not None]
        notes = ["--out is already complete"] if result["complete"] else []
        return [Table("Would measure", ("", "value"), [*sides, *rows], notes)]
    network = result["network"] or "not said"
    rows = [(result["description"], f"{result['value']:.6g}"), *sides, ("network", network)]
    notes = [f"warning: {line}" for line in result["warnings"]]
    return [Table("Distance between two sets of images", ("", "value"), rows, notes)]


def cache_directory(options: Fid) -> Path:
    """Where statistics are cached: `--cache`, else by the XDG base directory specification."""
    if options.cache is not None:
        return options.cache / "fid"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "xrayaug" / "fid"


def _check_options(options: Fid) -> None:
    if options.features == "random" and options.weights is not None:
        raise UsageError("--weights and --features random exclude each other", "drop one of them")
    if options.save_stats is not None and options.save_stats.suffix != ".npz":
        raise UsageError(f"--save-stats {options.save_stats} does not end in .npz", "statistics are known by that")


def _check_sides(sides: Sequence[Side], options: Fid) -> None:
    """Refuse what can be refused before the network's pass."""
    if (options.split or options.only_label) and not any(side.kind == "dataset" for side in sides):
        raise UsageError("--split and --only-label choose from a dataset, and neither side is one", "leave them out")
    if options.weights is not None and _are_stored(sides):
        raise UsageError("--weights is of no use: both sides are statistics already", "leave it out")
    for side in sides:
        if isinstance(side, Pictures) and side.count < 2:
            raise DataError(f"{side.path} gives one image, which has no covariance", "at least two are needed")
        if isinstance(side, Stored):
            _check_stored(side, options, alone=_are_stored(sides))


def _check_stored(side: Stored, options: Fid, *, alone: bool) -> None:
    if options.features == "random" and side.statistics.origin.get("features") != "random":
        raise DataError(f"{side.path} holds no statistics of random features", "make them with --save-stats")
    if not alone and side.statistics.dims != int(options.dims):
        raise DataError(
            f"{side.path} has {side.statistics.dims} features per image, not {options.dims}",
            f"--dims {side.statistics.dims}, if it was made so",
        )


def _are_stored(sides: Sequence[Side]) -> bool:
    return all(isinstance(side, Stored) for side in sides)


def _open_side(path: Path, options: Fid) -> Side:
    """Find out what lies at `path`.

    Raises:
        InputError: nothing that could be a side.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the path for a typing error")
    if path.is_file():
        if path.suffix.lower() != ".npz":
            raise InputError(f"{path} is a file, but no .npz", "give a dataset, a folder of images or an .npz")
        return Stored(path, frechet.load(path))
    if artifacts.is_artifact(path):
        artifact = artifacts.open_artifact(path, "dataset", "raw")
        if artifact.kind == "dataset":
            return imagesets.of_dataset(Dataset(artifact), split=options.split, label=options.only_label)
    return imagesets.of_folder(path)


def _cache_key(pixels_sha256: str, origin: dict[str, str]) -> str:
    """What the statistics depend on: the pixels and everything that makes features of them."""
    return hashlib.sha256("\n".join((pixels_sha256, *origin.values())).encode()).hexdigest()


def _from_cache(file: Path, origin: dict[str, str], count: int) -> Statistics | None:
    """What the cache holds, if it holds what its name says."""
    if not file.exists():
        return None
    try:
        found = frechet.load(file)
    except DataError as problem:
        console.warn(f"the cache is damaged and is made again: {problem.message}")
        return None
    if (found.count, dict(found.origin), found.dims) != (count, origin, int(origin["dims"])):
        console.warn(f"the cache is damaged and is made again: {file} holds other statistics than its name says")
        return None
    return found


def _moments(dims: int, state: State | None) -> Moments:
    """Those of a run that was stopped, else empty ones."""
    moments = Moments(dims)
    if state:
        moments.count, moments.mean, moments.scatter = state[0], state[1].numpy(), state[2].numpy()
    return moments


def _keep(kept: Checkpoints, moments: Moments) -> None:
    """A point at which the run may stop."""
    try:
        kept.visit(
            moments.count,
            lambda: [moments.count, torch.from_numpy(moments.mean), torch.from_numpy(moments.scatter)],
        )
    except OSError as problem:
        console.warn(f"the unfinished statistics are not kept: {problem.strerror}: {kept.directory}")
        kept.pace.restart(moments.count)
        stopping.check()


def _into_cache(file: Path, statistics: Statistics) -> None:
    try:
        frechet.save(file, statistics)
    except OSError as problem:
        console.warn(f"the statistics are not cached: {problem.strerror}: {file.parent}")


def _holds(path: Path, statistics: Statistics) -> bool:
    """Whether `path` holds these very statistics."""
    try:
        found = frechet.load(path)
    except DataError:
        return False
    same = np.array_equal(found.mean, statistics.mean) and np.array_equal(found.covariance, statistics.covariance)
    return same and found.count == statistics.count and found.origin == statistics.origin


def _description(features: str, dims: int) -> str:
    if features == "inception":
        return "FID" if dims == FID_DIMS else f"Fréchet distance, Inception {dims} features"
    return f"Fréchet distance over {dims} {features} features (not FID)"


def _warnings(sides: Sequence[Measured], features: str, dims: int) -> list[str]:
    """What a reader of the number must know."""
    found = []
    for measured in sides:
        count, path = measured.statistics.count, measured.side.path
        if count is None:
            found.append(f"{path} does not say of how many images it is")
        elif count <= dims:
            found.append(
                f"{path}: {count} images for {dims} features: the covariance is rank-deficient and the distance "
                "biased upward; compare it only with distances of as many images"
            )
        if "network" not in measured.statistics.origin:
            found.append(f"{path} does not say of which network it is; taken to be of the same, {features}")
    if features == "custom weights":
        found.append("the weights are not pytorch-fid's: the number is no FID and compares with none")
    return found


def _planned_side(side: Side) -> Result:
    return {"path": str(side.path), "kind": side.kind, "n": side.count}


def _planned_weights(options: Fid) -> str:
    if options.features == "random":
        return f"random weights, seed {options.seed} (not FID)"
    file = options.weights or inception.cached_file()
    if options.weights is None:
        if not file.exists():
            return f"would be downloaded from {inception.WEIGHTS_URL} to {file}"
        inception.check_cached(file)
    sha256 = weights.file_hash(file)
    kind = "Inception" if sha256.startswith(inception.FILE_HASH) else "custom weights (not FID)"
    return f"{kind}, {file}, sha256 {sha256}"


def _side_text(side: dict[str, Any]) -> str:
    count = "unknown number of" if side["n"] is None else f"{side['n']:,}"
    return f"{side['kind']}, {count} images{' (cached)' if side.get('cached') else ''}"
