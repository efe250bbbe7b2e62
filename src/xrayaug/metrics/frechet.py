"""Mean and covariance of features, and the Fréchet distance between the two normal distributions.

The squared 2-Wasserstein distance of two normal distributions (Dowson and Landau, 1982; Heusel et al., 2017, eq. 6):

    d² = |m_a - m_b|² + Tr(C_a + C_b - 2 (C_a C_b)^½)

Statistics are written as .npz with pytorch-fid's keys `mu` and `sigma`, so that each program reads the other's files.
"""

import io
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from xrayaug.errors import DataError, one_line
from xrayaug.stats.array_types import FloatArray
from xrayaug.storage import files

ORIGIN_KEYS = ("features", "network_name", "network", "dims", "preprocessing")  # texts that identify the features
EXPECTED_FORMAT = "an .npz with mu [D] and sigma [D, D] is needed"
SYMMETRY_TOLERANCE = 1e-6  # relative to the largest entry
MAX_BYTES = 160 << 20  # of a file, and of its arrays: 4096 features in double precision take 128 MiB
MAX_DIMS = 4096
MAX_VALUE = 1e100  # features are of order one; with far larger values the distance overflows
ROWS_AT_ONCE = 1024  # features converted to double precision at a time
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes


@dataclass(frozen=True)
class Statistics:
    """Mean and covariance of features.

    `count` is the number of images, None if the file does not say. `origin` identifies the features by the keys in
    `ORIGIN_KEYS`, and is empty if the file does not say.
    """

    mean: FloatArray  # [D]
    covariance: FloatArray  # [D, D], normalised by n - 1
    count: int | None
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def dims(self) -> int:
        """Number of features per image, D."""
        return len(self.mean)


class RunningMoments:
    """Mean and covariance of features that come in batches, in double precision.

    Batches are merged by the update of Chan, Golub and LeVeque (1979), which subtracts means before it squares and so
    does not cancel. The covariance equals `numpy.cov(rowvar=False)`, which pytorch-fid uses.
    """

    def __init__(self, dims: int) -> None:
        self.count = 0
        self.mean: FloatArray = np.zeros(dims)
        self.scatter: FloatArray = np.zeros((dims, dims))  # sum of (x - mean)(x - mean)^T

    def add(self, features: npt.NDArray[np.floating[Any]]) -> None:
        """Add features [N, D].

        Raises:
            DataError: some are not finite.
        """
        if not len(features):
            return
        if not np.isfinite(features).all():
            raise DataError("some features are NaN or infinite", "the network's weights may be damaged")
        batch = features.astype(np.float64)
        batch_mean = batch.mean(axis=0)
        total = self.count + len(batch)
        step = batch_mean - self.mean
        # The step between the means is one more row, so that a single matrix product suffices.
        weight = self.count * len(batch) / total
        deviations = np.vstack([batch - batch_mean, np.sqrt(weight) * step])
        self.scatter += deviations.T @ deviations
        self.mean = self.mean + step * (len(batch) / total)
        self.count = total

    def statistics(self, origin: Mapping[str, str] | None = None) -> Statistics:
        """Return the statistics of all features added; `origin` identifies the features.

        Raises:
            DataError: fewer than two images.
        """
        if self.count < 2:
            raise DataError(f"{self.count} images have no covariance", "at least two are needed")
        return Statistics(self.mean.copy(), self.scatter / (self.count - 1), self.count, dict(origin or {}))


def compute_statistics(features: npt.NDArray[np.floating[Any]], origin: Mapping[str, str] | None = None) -> Statistics:
    """Return mean and covariance of features `[N, D]`.

    Raises:
        DataError: fewer than two images, or some features are not finite.
    """
    moments = RunningMoments(features.shape[1])
    for start in range(0, len(features), ROWS_AT_ONCE):
        moments.add(features[start : start + ROWS_AT_ONCE])
    return moments.statistics(origin)


def distance(a: Statistics, b: Statistics) -> float:
    """Return the squared Fréchet distance d², as FID is defined; at least 0.

    Raises:
        DataError: they are of different features or of fewer than two images, or not finite.
    """
    check_comparable(a, b)
    difference = a.mean - b.mean
    spread = np.trace(a.covariance) + np.trace(b.covariance) - 2 * _trace_of_root(a.covariance, b.covariance)
    return max(0.0, float(difference @ difference + spread))


def check_comparable(a: Statistics, b: Statistics) -> None:
    """Check that two sides have the same features.

    Raises:
        DataError: their features differ, they are of fewer than two images, or not finite.
    """
    for side in (a, b):
        if side.count is not None and side.count < 2:
            raise DataError(f"statistics of {side.count} images have no covariance", "at least two images are needed")
        if not (np.isfinite(side.mean).all() and np.isfinite(side.covariance).all()):
            raise DataError("the statistics hold NaN or infinite numbers", "make them again")
    check_dims(a.dims, b.dims)
    for name in ORIGIN_KEYS:
        left, right = a.origin.get(name), b.origin.get(name)
        if left and right and left != right:
            raise DataError(
                f"the two sides are of different features: {name.replace('_', ' ')} '{left}' and '{right}'",
                "make the statistics of both sides with the same network",
            )


def check_dims(a: int, b: int) -> None:
    """Check that two sides have the same number of features.

    Raises:
        DataError: they have not.
    """
    if a != b:
        raise DataError(f"one side has {a} features, the other {b}", "give both sides the same --dims")


def save(path: Path, statistics: Statistics) -> None:
    """Write statistics as .npz atomically, readable by pytorch-fid."""
    arrays: dict[str, Any] = {"mu": statistics.mean, "sigma": statistics.covariance}
    if statistics.count is not None:
        arrays["n"] = np.int64(statistics.count)
    arrays |= {name: np.array(text) for name, text in statistics.origin.items() if name in ORIGIN_KEYS}
    content = io.BytesIO()
    np.savez(content, **arrays)
    files.write_bytes(path, content.getbuffer())


def load(path: Path) -> Statistics:
    """Read statistics that `save` or pytorch-fid wrote; nothing in the file is ever executed.

    Raises:
        DataError: it cannot be read, or is no mean and covariance.
    """
    try:
        arrays = _read(path)
        origin = {name: _text(arrays[name]) for name in ORIGIN_KEYS if name in arrays}
    except Exception as problem:  # NumPy's and zipfile's parsers raise many types of exceptions
        reason = " ".join(str(problem).split())[:200] or type(problem).__name__
        raise DataError(f"{path} cannot be read as statistics: {reason}", EXPECTED_FORMAT) from None
    missing = [name for name in ("mu", "sigma") if name not in arrays]
    if missing:
        raise DataError(f"{path} holds no {' and no '.join(missing)}", EXPECTED_FORMAT)
    reason = _find_problem(arrays["mu"], arrays["sigma"])
    if reason:
        raise DataError(f"{path} holds no mean and covariance: {reason}", "make the statistics again")
    mean, covariance = arrays["mu"].astype(np.float64), arrays["sigma"].astype(np.float64)
    return Statistics(mean, covariance, _parse_count(path, arrays.get("n")), origin)


def _read(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Return those arrays of statistics that the file holds.

    Raises:
        ValueError: it is larger than `MAX_BYTES`, or not compressed as NumPy does.
        Exception: it is damaged.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
        warnings.simplefilter("error")  # reject headers of Python 2, which NumPy would repair
        names = [name for name in ("mu", "sigma", "n", *ORIGIN_KEYS) if f"{name}.npy" in archive.namelist()]
        entries = {name: archive.getinfo(f"{name}.npy") for name in names}
        if sum(entry.file_size for entry in entries.values()) > MAX_BYTES:  # zipfile reads no more than it declares
            raise ValueError(f"its arrays would have more than {MAX_BYTES:,} bytes")
        if any(entry.compress_type not in COMPRESSIONS for entry in entries.values()):
            raise ValueError("it is compressed by a method that NumPy does not use")
        return {name: _array(archive.read(entry)) for name, entry in entries.items()}


def _array(content: bytes) -> npt.NDArray[Any]:
    """Return the array of an .npy file, which must be as long as its header says; never a pickle."""
    array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    if array.nbytes > len(content):
        raise ValueError("an array is longer than its file")
    return array


def _text(array: npt.NDArray[Any]) -> str:
    if array.shape != () or array.dtype.kind != "U":
        raise ValueError(f"a text is stored as {array.dtype} {list(array.shape)}")
    return one_line(str(array))


def _trace_of_root(a: FloatArray, b: FloatArray) -> float:
    """Return Tr (A B)^½ of positive semi-definite A and B, [D, D].

    With A = L L^T and B = K K^T the eigenvalues of A B are those of M M^T, M = L^T K: symmetric, and no larger than the
    lower of both ranks. Unlike a general matrix root this cannot fail or become complex when a covariance is
    singular; eigenvalues that rounding made negative count as zero.
    """
    product = _factor(a).T @ _factor(b)
    smaller = product if product.shape[0] <= product.shape[1] else product.T
    return float(np.sqrt(np.clip(np.linalg.eigvalsh(smaller @ smaller.T), 0.0, None)).sum())


def _factor(a: FloatArray) -> FloatArray:
    """Return L, [D, rank], of positive semi-definite A = L L^T, by pivoted Cholesky factorisation (Higham, 1990)."""
    packed, pivots, rank, _ = lapack.dpstrf(a, lower=1)
    factor = np.empty((len(a), rank))
    factor[pivots - 1] = np.tril(packed[:, :rank])
    return factor


def _find_problem(mean: npt.NDArray[Any], covariance: npt.NDArray[Any]) -> str:
    """Return why these are no mean [D] and covariance [D, D]; empty if they are."""
    if mean.dtype.kind not in "fiu" or covariance.dtype.kind not in "fiu":
        return f"mu is of type {mean.dtype}, sigma of {covariance.dtype}"
    if mean.ndim != 1 or not len(mean) or covariance.shape != (len(mean), len(mean)):
        return f"mu has shape {list(mean.shape)}, sigma {list(covariance.shape)}"
    if len(mean) > MAX_DIMS:
        return f"{len(mean)} features, more than {MAX_DIMS}"
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        return "some numbers are NaN or infinite"
    return _find_problem_in_values(mean.astype(np.float64), covariance.astype(np.float64))


def _find_problem_in_values(mean: FloatArray, covariance: FloatArray) -> str:
    largest = max(np.abs(mean).max(), np.abs(covariance).max())
    if largest > MAX_VALUE:
        return f"some numbers are beyond {MAX_VALUE:g}"
    if np.abs(covariance - covariance.T).max() > SYMMETRY_TOLERANCE * np.abs(covariance).max():
        return "sigma is not symmetric"
    return "sigma has a negative variance" if (np.diagonal(covariance) < 0).any() else ""


def _parse_count(path: Path, array: npt.NDArray[Any] | None) -> int | None:
    """Return the number of images that statistics are of; None if the file has none.

    Raises:
        DataError: it is no integer, or less than two.
    """
    if array is None:
        return None
    if array.dtype.kind not in "iu" or array.shape != () or int(array) < 2:
        raise DataError(f"{path}: n, the number of images, is no integer above 1", "make the statistics again")
    return int(array)
