"""The `fid` stage: the distance between two sets of images, each a dataset, a folder or an .npz file; -> fid.json.

Only distances over the 2048 features of pytorch-fid's Inception weights are called FID. For the other metrics
side B is the reference, and each value is reported with its floor (`metrics/suite.py`). `metrics/feature_statistics.py`
extracts and caches the statistics of a side.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch

from xrayaug.data import image_sets
from xrayaug.data.image_sets import ImageSet
from xrayaug.errors import DataError, OutputError, UsageError
from xrayaug.metrics import extractors, features, fid_tables, frechet, permutation, suite
from xrayaug.metrics.feature_scaling import FeatureScaler
from xrayaug.metrics.feature_statistics import (
    ExtractedStatistics,
    FidInput,
    PrecomputedStatistics,
    StatisticsExtractor,
    open_fid_input,
)
from xrayaug.metrics.features import TrainingData
from xrayaug.metrics.frechet import Statistics
from xrayaug.metrics.permutation import PermutationTest
from xrayaug.metrics.suite import Floor, Metrics
from xrayaug.networks import inception
from xrayaug.options import Fid
from xrayaug.runtime import console, devices
from xrayaug.runtime.console import Table
from xrayaug.runtime.distributed import leader_worker
from xrayaug.runtime.distributed.leader_worker import Work
from xrayaug.stats import bootstrap
from xrayaug.stats.array_types import FeatureArray, IndexArray
from xrayaug.storage import artifacts, builder, cache, files, raw_inputs
from xrayaug.storage.artifacts import Result
from xrayaug.storage.raw_inputs import RawInputs


@dataclass(frozen=True)
class FidResult:
    """The distance of side A to side B, the other metrics and their floor, and the features they are computed from."""

    value: float  # the squared Fréchet distance
    a: ExtractedStatistics
    b: ExtractedStatistics
    origin: Mapping[str, str]  # of the features, by `frechet.ORIGIN_KEYS`
    learnt_from: TrainingData | None  # training data of the classifier whose features they are
    metrics: Metrics | None  # None if only the Fréchet distance was asked for
    floor: Floor | None  # None also if there are too few images
    warnings: list[str]

    def to_dict(self) -> Result:
        """Return the result as it is written to fid.json, and which sides came from the cache."""
        kind, dims = self.origin["features"], self.a.statistics.dims
        is_fid = kind == "inception" and dims == inception.FID_DIMS
        return {
            "metric": "fid" if is_fid else "frechet distance",
            "description": _description(kind, dims),
            "value": self.value,
            **({"fid": self.value} if is_fid else {}),
            "features": kind,
            "network": self.origin.get("network_name"),
            "network_sha256": self.origin.get("network"),
            "dims": dims,
            **({"learnt_from": self.learnt_from.to_dict()} if self.learnt_from else {}),
            **self._metrics_to_dict(),
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "warnings": self.warnings,
        }

    def _metrics_to_dict(self) -> Result:
        if self.metrics is None:
            return {}
        return {"metrics": self.metrics.to_dict(), "floor": None if self.floor is None else self.floor.to_dict()}


class FidComputation:
    """The computation of a distance between two sides; each value is computed once, when it is first needed."""

    def __init__(self, options: Fid) -> None:
        _check_options(options)
        self.options = options
        self.metrics = suite.parse_metrics(options.metrics)
        self.extractor = StatisticsExtractor(options, with_features=self.needs_features)
        self.sides = tuple(
            open_fid_input(path, options.split, options.only_label, options.local_cache)
            for path in (options.a, options.b)
        )
        _check_sides(self.sides, options, self.needs_features, lambda: self.extractor.dims)

    @property
    def needs_features(self) -> bool:
        """True if a metric or the floor needs features, not statistics only."""
        return self.options.floor or self.metrics != ("fid",)

    @cached_property
    def a(self) -> ExtractedStatistics:
        """The first side's statistics."""
        return self.extractor.extract(self.sides[0])

    @cached_property
    def b(self) -> ExtractedStatistics:
        """The second side's statistics."""
        return self.extractor.extract(self.sides[1])

    def result(self) -> FidResult:
        """Compute the distance and the other metrics."""
        origin = {"features": "inception", **self.b.statistics.origin, **self.a.statistics.origin}
        scaler = FeatureScaler.fit(origin["features"], self.b.statistics)
        value = frechet.distance(*(scaler.transform_statistics(side.statistics) for side in (self.a, self.b)))
        learnt_from = None if _are_stored(self.sides) else self.extractor.network.learnt_from
        metrics, floor = self._compute_metrics(scaler, origin["features"])
        warnings = [
            *_distance_warnings((self.a, self.b), origin["features"], self.a.statistics.dims),
            *_training_warnings(self.sides, learnt_from),
            *([] if metrics is None else _count_warnings(metrics, floor)),
        ]
        return FidResult(value, self.a, self.b, origin, learnt_from, metrics, floor, warnings)

    def _compute_metrics(self, scaler: FeatureScaler, kind: str) -> tuple[Metrics | None, Floor | None]:
        """Compute the other metrics and the floor, if they are asked for."""
        if self.a.features is None or self.b.features is None:
            return None, None
        sides, seed = (scaler.transform(self.a.features), scaler.transform(self.b.features)), self.options.seed
        groups = _patient_numbers(self.sides[0]), _patient_numbers(self.sides[1])
        metrics = suite.compute_metrics(self.metrics, *sides, seed, groups)
        with console.progress(suite.N_SPLITS, "floor", "splits") as advance:
            floor = suite.compute_floor(self.metrics, *sides, seed, after_each=lambda: advance(1), patients=groups[1])
        return metrics, floor and floor.with_test(self._run_test(self.a.features, self.b.features, groups, kind))

    def _run_test(
        self, a: FeatureArray, b: FeatureArray, groups: tuple[IndexArray, IndexArray], kind: str
    ) -> PermutationTest | None:
        """Test whether A is worse than B, on the scale of both sides together, which no permutation changes."""
        scaler = FeatureScaler.fit(kind, np.concatenate([a, b])) if extractors.is_scaled(kind) else FeatureScaler()
        random = suite.random_stream(self.options.seed, suite.FOR_TEST)
        with console.progress(permutation.N_PERMUTATIONS, "test", "permutations") as advance:
            return permutation.run_test(
                self.metrics, scaler.transform(a), scaler.transform(b), random, groups, after_each=lambda: advance(1)
            )

    def works(self) -> dict[str, Work]:
        """Return the work that other processes can share, by its name."""
        return {name: work for side in self.sides for name, work in self.extractor.works(side).items()}

    def write(self, directory: Path) -> Result:
        """Write fid.json into `directory`, without `cached`, as the file depends on the inputs alone."""
        result = self.result().to_dict()
        for side in ("a", "b"):
            del result[side]["cached"]
        files.write_json(directory / "fid.json", result)
        for name, extracted in (("a", self.a), ("b", self.b)):
            if name in self.raw() and isinstance(extracted.side, ImageSet) and extracted.hashed is not None:
                raw_inputs.write(directory, name, {}, image_sets.list_decoded(extracted.side, extracted.hashed))
        return result

    def raw(self) -> RawInputs:
        """Return the sides that are folders of images."""
        folders = ((name, side) for name, side in zip("ab", self.sides, strict=True) if isinstance(side, ImageSet))
        return {name: image_sets.raw_input(side) for name, side in folders if side.kind == "folder"}

    def save_statistics(self, path: Path) -> None:
        """Write side A's statistics to `path`.

        Raises:
            OutputError: a file with other content exists.
        """
        if path.exists() and not self.options.overwrite and not _holds(path, self.a.statistics):
            raise OutputError(
                f"--save-stats {path} exists and holds other statistics", "choose another name, or --overwrite"
            )
        frechet.save(path, self.a.statistics)


def run(options: Fid) -> Result:
    """Compute the distance; write fid.json to `--out` and side A's statistics to `--save-stats`, if given."""
    computation = FidComputation(options)
    device = devices.resolve(options.device, deterministic=options.deterministic)
    with devices.translate_device_errors(options.batch_size, deterministic=options.deterministic):
        return leader_worker.run(partial(_compute, options, computation, device), computation.works, device)


def _compute(options: Fid, computation: FidComputation, device: torch.device) -> Result:
    if options.save_stats is not None:
        if options.out is not None:  # without --save-stats, `build_artifact` checks it before any work
            builder.check_output_path(options.out)
        computation.save_statistics(options.save_stats)
    if options.out is None:
        result = computation.result().to_dict()
    else:
        result = builder.build_artifact(
            options, "fid", computation.write, device_name=devices.describe_one(device), raw=computation.raw
        )
    computation.extractor.finish()
    return result


def plan(options: Fid) -> Result:
    """Return the sides and the weights that would be used; nothing is computed, written or downloaded."""
    computation = FidComputation(options)
    sides = computation.sides
    may_be_complete = options.out is not None and not options.overwrite
    complete = may_be_complete and builder.find_completed(options, computation.raw) is not None
    return {
        "plan": True,
        "features": options.features,
        "dims": computation.extractor.dims,
        **({"metrics": ", ".join(computation.metrics), "floor": True} if computation.needs_features else {}),
        "weights": "not needed" if _are_stored(sides) else _planned_weights(options),
        **{name: _planned_side(side) for name, side in zip(("a", "b"), sides, strict=True)},
        "cache": str(cache.directory("fid", options.cache)),
        "save_stats": str(options.save_stats) if options.save_stats else None,
        "out": str(options.out) if options.out else None,
        "complete": complete,
    }


def tables(result: Result) -> list[Table]:
    """Return the tables of the distance and the metrics, or of the plan."""
    return fid_tables.format_tables(result)


def _check_options(options: Fid) -> None:
    features.check_weights_option(options.features, options.weights)
    features.check_features_options(options.features, int(options.dims))
    if options.save_stats is not None and options.save_stats.suffix != ".npz":
        raise UsageError(f"--save-stats {options.save_stats} does not end in .npz", "choose a name that does")


def _check_sides(sides: Sequence[FidInput], options: Fid, needs_features: bool, dims: Callable[[], int]) -> None:
    """Check what can be checked before the network's pass."""
    stored = next((side.path for side in sides if isinstance(side, PrecomputedStatistics)), None)
    if needs_features and stored is not None:
        raise UsageError(
            f"{stored} holds statistics, from which only the Fréchet distance can be computed",
            "give the images instead, or --metrics fid without --floor",
        )
    if (options.split or options.only_label) and not any(side.kind == "dataset" for side in sides):
        raise UsageError(
            "--split and --only-label select images of a dataset, and neither side is a dataset", "leave them out"
        )
    if options.weights is not None and _are_stored(sides):
        raise UsageError("--weights has no effect: both sides are statistics already", "leave it out")
    for side in sides:
        if isinstance(side, ImageSet) and side.count < 2:
            raise DataError(f"{side.path} holds one image, which has no covariance", "give at least two images")
        if isinstance(side, PrecomputedStatistics):
            _check_stored(side, options, None if _are_stored(sides) else dims())


def _check_stored(side: PrecomputedStatistics, options: Fid, dims: int | None) -> None:
    """Check that stored statistics fit the other side's features, `dims` per image; None if both sides are stored."""
    kind = "classifier" if features.is_classifier_run(options.features) else options.features
    if kind != "inception" and side.statistics.origin.get("features") != kind:
        raise DataError(
            f"{side.path} holds no statistics of {kind} features",
            f"make them with --save-stats and --features {options.features}",
        )
    if dims is not None and side.statistics.dims != dims:
        raise DataError(
            f"{side.path} has {side.statistics.dims} features per image, not {dims}",
            f"--dims {side.statistics.dims}, if it was made with that",
        )


def _patient_numbers(side: FidInput) -> IndexArray:
    """Return the numbers of the images' patients, `[N]`; each image of an unknown patient has one of its own."""
    patients = side.patients if isinstance(side, ImageSet) else ()
    return bootstrap.encode_groups(patients or [""] * (side.count or 0))


def _are_stored(sides: Sequence[FidInput]) -> bool:
    return all(isinstance(side, PrecomputedStatistics) for side in sides)


def _holds(path: Path, statistics: Statistics) -> bool:
    """Return whether `path` holds exactly these statistics."""
    try:
        saved = frechet.load(path)
    except DataError:
        return False
    is_equal = np.array_equal(saved.mean, statistics.mean) and np.array_equal(saved.covariance, statistics.covariance)
    return is_equal and saved.count == statistics.count and saved.origin == statistics.origin


def _description(kind: str, dims: int) -> str:
    if kind == "inception":
        return "FID" if dims == inception.FID_DIMS else f"Fréchet distance, Inception {dims} features"
    return f"Fréchet distance over {dims} {kind} features (not FID)"


def _training_warnings(sides: Sequence[FidInput], learnt_from: TrainingData | None) -> list[str]:
    """Return warnings of a classifier's training images that its features may favour."""
    if learnt_from is None:
        return []
    warnings = [
        f"the classifier was trained on {side.path}, whose images its features may tell from any others"
        for side in sides
        if artifacts.is_artifact(side.path) and artifacts.digest(side.path) == learnt_from.data_sha256
    ]
    if learnt_from.synthetic:
        warnings.append(f"the classifier was trained on {learnt_from.synthetic:,} synthetic images among others")
    return warnings


def _count_warnings(metrics: Metrics, floor: Floor | None) -> list[str]:
    """Return warnings of metrics that are missing or uncertain because there are too few images."""
    warnings = []
    if floor is None:
        warnings.append(f"no floor: it needs {suite.MIN_FLOOR_IMAGES} images of A and twice as many of B")
    elif floor.n < suite.STABLE_FLOOR_IMAGES:
        warnings.append(f"the floor is of {floor.n} images only: see its deviation")
    if floor is not None and floor.test is None:
        warnings.append(
            f"no test: it needs {permutation.MIN_IMAGES} images of each side that are of different patients"
        )
    if "fid-infinity" in metrics.names and metrics.fid_infinity is None:
        warnings.append("no distance without bias: it needs eight times as many images of each side as features")
    return warnings


def _distance_warnings(sides: Sequence[ExtractedStatistics], kind: str, dims: int) -> list[str]:
    """Return the warnings about the distance of statistics of `dims` features of that kind."""
    warnings = []
    for side in sides:
        count, path = side.statistics.count, side.side.path
        if count is None:
            warnings.append(f"{path} does not say of how many images it is")
        elif count <= dims:
            warnings.append(
                f"{path}: {count} images for {dims} features: the covariance is rank-deficient and the distance "
                "biased upward; compare it only with distances of as many images"
            )
        if "network" not in side.statistics.origin:
            warnings.append(f"{path} does not say of which network it is; taken to be of the same, {kind}")
    if kind == "custom weights":
        warnings.append("the weights are not pytorch-fid's: the number is no FID and compares with none")
    return warnings


def _planned_side(side: FidInput) -> Result:
    return {"path": str(side.path), "kind": side.kind, "n": side.count}


def _planned_weights(options: Fid) -> str:
    if features.is_classifier_run(options.features):
        return f"classifier run {options.features} (not FID)"
    return extractors.load(options.features).describe(options.weights, options.seed)
