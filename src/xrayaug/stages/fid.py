"""The `fid` stage: distance between two sets of images (dataset, folder or .npz file each), written to fid.json.

Only distances over the 2048 features of pytorch-fid's Inception weights are called FID. For the other metrics
side B is the reference, and each value is reported with its floor (`metrics/suite.py`). `metrics/feature_statistics.py`
extracts and caches the statistics of a side.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xrayaug.data import image_sets
from xrayaug.data.image_sets import ImageSet
from xrayaug.errors import DataError, OutputError, UsageError
from xrayaug.metrics import features, frechet, suite
from xrayaug.metrics.feature_statistics import (
    ExtractedStatistics,
    FidInput,
    PrecomputedStatistics,
    StatisticsExtractor,
    cache_directory,
    open_fid_input,
)
from xrayaug.metrics.frechet import Statistics
from xrayaug.networks import inception
from xrayaug.options import Fid
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.storage import artifacts, builder, files, raw_inputs, weights
from xrayaug.storage.artifacts import Result
from xrayaug.storage.raw_inputs import RawInputs

FID_DIMS = 2048


class Measurement:
    """Measurement of both sides; each value is computed once, when it is first needed."""

    def __init__(self, options: Fid) -> None:
        _check_options(options)
        self.options = options
        self.metrics = suite.parse_metrics(options.metrics)
        self.gauge = StatisticsExtractor(options, with_features=self.needs_features)
        chosen = options.split, options.only_label
        self.sides = tuple(open_fid_input(path, *chosen, options.local_cache) for path in (options.a, options.b))
        _check_sides(self.sides, options, self.needs_features, lambda: self.gauge.dims)

    @property
    def needs_features(self) -> bool:
        """True if a metric or the floor needs features, not statistics only."""
        return self.options.floor or self.metrics != ("fid",)

    @cached_property
    def a(self) -> ExtractedStatistics:
        """The first side's statistics."""
        return self.gauge.measured(self.sides[0])

    @cached_property
    def b(self) -> ExtractedStatistics:
        """The second side's statistics."""
        return self.gauge.measured(self.sides[1])

    def result(self) -> Result:
        """Return the distance, the other metrics, their provenance and warnings."""
        value = frechet.distance(self.a.statistics, self.b.statistics)
        origin = {"features": "inception", **self.b.statistics.origin, **self.a.statistics.origin}
        kind, dims = origin["features"], self.a.statistics.dims
        is_fid = kind == "inception" and dims == FID_DIMS
        learnt_from = None if _are_stored(self.sides) else self.gauge.network.learnt_from
        more = self._more()
        return {
            "metric": "fid" if is_fid else "frechet distance",
            "description": _description(kind, dims),
            "value": value,
            **({"fid": value} if is_fid else {}),
            "features": kind,
            "network": origin.get("network_name"),
            "network_sha256": origin.get("network"),
            "dims": dims,
            **({"learnt_from": learnt_from} if learnt_from else {}),
            **more,
            "a": self.a.summary(),
            "b": self.b.summary(),
            "warnings": [
                *_warnings((self.a, self.b), kind, dims),
                *_warnings_of_learning(self.sides, learnt_from),
                *_warnings_of_number(more),
            ],
        }

    def _more(self) -> Result:
        """Return the other metrics and the floor, if they are asked for."""
        if self.a.features is None or self.b.features is None:
            return {}
        sides, seed = (self.a.features, self.b.features), self.options.seed
        found = suite.compute_metrics(self.metrics, *sides, seed)
        with console.progress(suite.N_SPLITS, "floor", "splits") as advance:
            lowest = suite.compute_floor(self.metrics, *sides, seed, lambda: advance(1))
        return {"metrics": found, "floor": lowest}

    def works(self) -> dict[str, Work]:
        """Return the work that other processes can share, by its name."""
        return {name: work for side in self.sides for name, work in self.gauge.works(side).items()}

    def write(self, directory: Path) -> Result:
        """Write fid.json into `directory`, without `cached`, as the file depends on the inputs alone."""
        result = self.result()
        for side in ("a", "b"):
            del result[side]["cached"]
        files.write_json(directory / "fid.json", result)
        for name, measured in (("a", self.a), ("b", self.b)):
            if name in self.raw() and isinstance(measured.side, ImageSet) and measured.hashed is not None:
                raw_inputs.write(directory, name, {}, image_sets.list_decoded(measured.side, measured.hashed))
        return result

    def raw(self) -> RawInputs:
        """Return the sides that are folders of images."""
        folders = ((name, side) for name, side in zip("ab", self.sides, strict=True) if isinstance(side, ImageSet))
        return {name: image_sets.raw_input(side) for name, side in folders if side.kind == "folder"}

    def save_a(self, path: Path) -> None:
        """Write side A's statistics to `path`.

        Raises:
            OutputError: a file with other content exists.
        """
        if path.exists() and not self.options.overwrite and not _holds(path, self.a.statistics):
            raise OutputError(f"--save-stats {path} holds something else", "choose another name, or --overwrite")
        frechet.save(path, self.a.statistics)


def run(options: Fid) -> Result:
    """Measure; leaves an artifact with fid.json where `--out` is given, and side A's statistics where asked for."""
    measurement = Measurement(options)
    device = devices.resolve(options.device, deterministic=options.deterministic)
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        return leader_worker.run(partial(_measure, options, measurement, device), measurement.works, device)


def _measure(options: Fid, measurement: Measurement, device: torch.device) -> Result:
    if options.save_stats is not None:
        if options.out is not None:  # without --save-stats, `build_artifact` checks it before any work
            builder.check_output_path(options.out)
        measurement.save_a(options.save_stats)
    if options.out is None:
        found = measurement.result()
    else:
        device_name = devices.describe_one(device)
        found = builder.build_artifact(options, "fid", measurement.write, device_name=device_name, raw=measurement.raw)
    measurement.gauge.finish()
    return found


def plan(options: Fid) -> Result:
    """Return the sides and the weights that would be used; nothing is computed, written or downloaded."""
    measurement = Measurement(options)
    sides = measurement.sides
    is_asked = options.out is not None and not options.overwrite
    complete = is_asked and builder.find_completed(options, measurement.raw) is not None
    return {
        "plan": True,
        "features": options.features,
        "dims": measurement.gauge.dims,
        **({"metrics": ", ".join(measurement.metrics), "floor": True} if measurement.needs_features else {}),
        "weights": "not needed" if _are_stored(sides) else _planned_weights(options),
        **{name: _planned_side(side) for name, side in zip(("a", "b"), sides, strict=True)},
        "cache": str(cache_directory(options.cache)),
        "save_stats": str(options.save_stats) if options.save_stats else None,
        "out": str(options.out) if options.out else None,
        "complete": complete,
    }


def tables(result: Result) -> list[Table]:
    """Return the tables of the distance and the metrics, or of the plan."""
    sides = [(f"{name}: {side['path']}", _side_text(side)) for name, side in (("A", result["a"]), ("B", result["b"]))]
    if result.get("plan"):
        named = ("features", "dims", "metrics", "floor", "weights", "cache", "save_stats", "out")
        rows = [(name.replace("_", " "), str(result[name])) for name in named if result.get(name) is not None]
        notes = ["--out is already complete"] if result["complete"] else []
        return [Table("Would measure", ("", "value"), [*sides, *rows], notes)]
    network = result["network"] or "not said"
    rows = [(result["description"], f"{result['value']:.6g}"), *sides, ("network", network)]
    notes = [f"warning: {line}" for line in result["warnings"]]
    distance = Table("Distance between two sets of images", ("", "value"), rows, [] if "floor" in result else notes)
    return [distance, _measures_table(result, notes)] if "floor" in result else [distance]


def _check_options(options: Fid) -> None:
    if options.features != "inception" and options.weights is not None:
        raise UsageError(f"--weights and --features {options.features} exclude each other", "drop one of them")
    if features.is_classifier_run(options.features):
        features.open_classifier_run(options.features)
        if options.dims != str(FID_DIMS):
            raise UsageError("--dims chooses one of Inception's layers, a run has its own", "leave it out")
    if options.save_stats is not None and options.save_stats.suffix != ".npz":
        raise UsageError(f"--save-stats {options.save_stats} does not end in .npz", "statistics are known by that")


def _check_sides(sides: Sequence[FidInput], options: Fid, needs_features: bool, dims: Callable[[], int]) -> None:
    """Check what can be checked before the network's pass."""
    stored = next((side.path for side in sides if isinstance(side, PrecomputedStatistics)), None)
    if needs_features and stored is not None:
        raise UsageError(
            f"{stored} holds statistics, of which only the Fréchet distance can be had", "give the images, or only fid"
        )
    if (options.split or options.only_label) and not any(side.kind == "dataset" for side in sides):
        raise UsageError("--split and --only-label choose from a dataset, and neither side is one", "leave them out")
    if options.weights is not None and _are_stored(sides):
        raise UsageError("--weights is of no use: both sides are statistics already", "leave it out")
    for side in sides:
        if isinstance(side, ImageSet) and side.count < 2:
            raise DataError(f"{side.path} gives one image, which has no covariance", "at least two are needed")
        if isinstance(side, PrecomputedStatistics):
            _check_stored(side, options, None if _are_stored(sides) else dims())


def _check_stored(side: PrecomputedStatistics, options: Fid, dims: int | None) -> None:
    """Check that stored statistics fit the other side's features, `dims` per image; None if both sides are stored."""
    kind = "classifier" if features.is_classifier_run(options.features) else options.features
    if kind != "inception" and side.statistics.origin.get("features") != kind:
        raise DataError(f"{side.path} holds no statistics of {kind} features", "make them with --save-stats")
    if dims is not None and side.statistics.dims != dims:
        raise DataError(
            f"{side.path} has {side.statistics.dims} features per image, not {dims}",
            f"--dims {side.statistics.dims}, if it was made so",
        )


def _are_stored(sides: Sequence[FidInput]) -> bool:
    return all(isinstance(side, PrecomputedStatistics) for side in sides)


def _holds(path: Path, statistics: Statistics) -> bool:
    """Return whether `path` holds exactly these statistics."""
    try:
        found = frechet.load(path)
    except DataError:
        return False
    same = np.array_equal(found.mean, statistics.mean) and np.array_equal(found.covariance, statistics.covariance)
    return same and found.count == statistics.count and found.origin == statistics.origin


def _description(kind: str, dims: int) -> str:
    if kind == "inception":
        return "FID" if dims == FID_DIMS else f"Fréchet distance, Inception {dims} features"
    return f"Fréchet distance over {dims} {kind} features (not FID)"


def _measures_table(result: Result, notes: Sequence[str]) -> Table:
    """Return the table of all metrics over all images and at the floor's n."""
    compared = result["floor"]["measures"] if result["floor"] else {}
    columns = ("", "all images", "at the floor's n", "floor (B against B)", "excess", "ratio")
    rows = [(name, whole, *_beside_floor(compared.get(key, {}))) for key, name, whole in _whole_values(result)]
    at = f", n {result['floor']['n']:,}, {result['floor']['splits']} splits" if result["floor"] else ""
    space = f"{result['dims']} {result['features']} features"
    return Table(f"Measures over {space}, side B the reference{at}", columns, rows, notes)


def _beside_floor(of: dict[str, float | None]) -> tuple[str, ...]:
    value, lowest, deviation, excess, ratio = (
        _number(of.get(name)) for name in ("value", "floor", "floor_sd", "excess", "ratio")
    )
    return value, f"{lowest} ± {deviation}" if of else lowest, excess, ratio


def _whole_values(result: Result) -> Iterator[tuple[str, str, str]]:
    """Yield each metric's key, name and value over all images, with its error."""
    sizes = f"n {result['a']['n']:,} and {result['b']['n']:,}"
    yield "fid", f"{'FID' if 'fid' in result else 'Fréchet distance'}, {sizes}", _number(result["value"])
    found = result["metrics"]
    if "kid" in found:
        of = found["kid"]
        name = f"kernel distance (KID), {of['subsets']} subsets of {of['subset_size']:,}"
        yield "kid", name, f"{of['value']:.6g} ± {of['standard_error']:.2g}"
    if "prdc" in found:
        for name in ("precision", "recall", "density", "coverage"):
            yield name, f"{name}, n {found['prdc']['n']:,}", _number(found["prdc"][name])
    line = found.get("fid-infinity")
    if line is not None:
        name = f"{'FID' if 'fid' in result else 'Fréchet distance'} drawn to endless n"
        yield "fid-infinity", name, f"{line['value']:.6g} ± {line['standard_error']:.2g}"


def _number(value: float | None) -> str:
    return "--" if value is None else f"{value:.4g}"


def _warnings_of_learning(sides: Sequence[FidInput], learnt_from: Result | None) -> list[str]:
    """Return warnings of a classifier's training images that its features may favour."""
    if learnt_from is None:
        return []
    found = [
        f"the classifier was trained on {side.path}, whose images its features may tell from any others"
        for side in sides
        if artifacts.is_artifact(side.path) and artifacts.digest(side.path) == learnt_from["data_sha256"]
    ]
    if learnt_from["synthetic"]:
        found.append(f"the classifier was trained on {learnt_from['synthetic']:,} synthetic images among others")
    return found


def _warnings_of_number(more: Result) -> list[str]:
    """Return warnings of metrics that are missing or uncertain because there are too few images."""
    if not more:
        return []
    found = []
    if more["floor"] is None:
        found.append(f"no floor: it needs {suite.MIN_FLOOR_IMAGES} images of A and twice as many of B")
    elif more["floor"]["n"] < suite.STABLE_FLOOR_IMAGES:
        found.append(f"the floor is of {more['floor']['n']} images only: see its deviation")
    if more["metrics"].get("fid-infinity", {}) is None:
        found.append("no distance without bias: it needs eight times as many images of each side as features")
    return found


def _warnings(sides: Sequence[ExtractedStatistics], kind: str, dims: int) -> list[str]:
    """Return the warnings about the distance."""
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
            found.append(f"{path} does not say of which network it is; taken to be of the same, {kind}")
    if kind == "custom weights":
        found.append("the weights are not pytorch-fid's: the number is no FID and compares with none")
    return found


def _planned_side(side: FidInput) -> Result:
    return {"path": str(side.path), "kind": side.kind, "n": side.count}


def _planned_weights(options: Fid) -> str:
    if options.features == "random":
        return f"random weights, seed {options.seed} (not FID)"
    if features.is_classifier_run(options.features):
        return f"classifier run {options.features} (not FID)"
    file = options.weights or inception.cached_weights_path()
    if options.weights is None:
        if not file.exists():
            return f"would be downloaded from {inception.WEIGHTS_URL} to {file}"
        inception.check_hash(file)
    sha256 = weights.file_hash(file)
    kind = "Inception" if sha256.startswith(inception.HASH_PREFIX) else "custom weights (not FID)"
    return f"{kind}, {file}, sha256 {sha256}"


def _side_text(side: dict[str, Any]) -> str:
    count = "unknown number of" if side["n"] is None else f"{side['n']:,}"
    return f"{side['kind']}, {count} images{' (cached)' if side.get('cached') else ''}"
