"""The Fréchet distance against closed forms and a general matrix root."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg

from xrayaug.errors import DataError
from xrayaug.metrics import frechet
from xrayaug.metrics.frechet import RunningMoments, Statistics, distance, load, save
from xrayaug.stats.array_types import FloatArray

D = 24


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def covariance(random: np.random.Generator, rank: int = D) -> FloatArray:
    root = random.normal(size=(D, rank))
    return root @ root.T


def statistics(mean: FloatArray, spread: FloatArray, count: int | None = 1000, **origin: str) -> Statistics:
    return Statistics(mean, spread, count, origin)


def moments(features: FloatArray, *batches: int) -> Statistics:
    gathered = RunningMoments(features.shape[1])
    for batch in np.split(features, np.cumsum(batches)):
        gathered.add(batch)
    return gathered.statistics()


def test_equal_covariances_leave_the_squared_distance_of_the_means(random: np.random.Generator) -> None:
    spread, a, b = covariance(random), random.normal(size=D), random.normal(size=D)
    assert distance(statistics(a, spread), statistics(b, spread)) == pytest.approx(((a - b) ** 2).sum(), rel=1e-9)


def test_the_distance_to_itself_is_zero(random: np.random.Generator) -> None:
    side = statistics(random.normal(size=D), covariance(random, rank=5))
    assert 0 <= distance(side, side) < 1e-9


def test_diagonal_covariances(random: np.random.Generator) -> None:
    a, b = random.uniform(0, 3, D), random.uniform(0, 3, D)
    zero = np.zeros(D)
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert distance(statistics(zero, np.diag(a)), statistics(zero, np.diag(b))) == pytest.approx(expected, rel=1e-9)


def test_commuting_covariances(random: np.random.Generator) -> None:
    basis = np.linalg.qr(random.normal(size=(D, D)))[0]
    a, b = random.uniform(0, 3, D), random.uniform(0, 3, D)
    zero = np.zeros(D)
    sides = [statistics(zero, basis @ np.diag(values) @ basis.T) for values in (a, b)]
    assert distance(*sides) == pytest.approx(((np.sqrt(a) - np.sqrt(b)) ** 2).sum(), rel=1e-9)


def test_rank_deficient_covariances_have_the_trace_of_their_factors(random: np.random.Generator) -> None:
    # Tr (XX^T YY^T)^½ is the nuclear norm of X^T Y: a closed form that takes no root of a singular matrix.
    x, y = random.normal(size=(D, 3)), random.normal(size=(D, 5))
    zero = np.zeros(D)
    expected = (x**2).sum() + (y**2).sum() - 2 * np.linalg.norm(x.T @ y, "nuc")
    a, b = statistics(zero, x @ x.T, None), statistics(zero, y @ y.T, None)
    assert distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert distance(b, a) == pytest.approx(expected, rel=1e-6)


def test_statistics_without_variance() -> None:
    zero = np.zeros((D, D))
    assert distance(statistics(np.zeros(D), zero), statistics(np.ones(D), zero)) == D


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_distance_is_symmetric_and_scales_by_the_square(random: np.random.Generator, scale: float) -> None:
    a = (random.normal(size=D), covariance(random))
    b = (random.normal(size=D), covariance(random, rank=7))
    once = distance(statistics(*a, count=50), statistics(*b, count=8))
    scaled = [statistics(scale * mean, scale**2 * spread) for mean, spread in (b, a)]
    assert distance(*scaled) == pytest.approx(scale**2 * once, rel=1e-6)


def test_agrees_with_a_general_matrix_root(random: np.random.Generator) -> None:
    a, b, zero = covariance(random), covariance(random), np.zeros(D)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real
    assert distance(statistics(zero, a), statistics(zero, b)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("batches", [(), (1,), (1, 1, 1), (17, 40), (50, 0, 30)])
def test_moments_equal_numpys_for_any_batches(random: np.random.Generator, batches: tuple[int, ...]) -> None:
    features = random.normal(size=(100, D))
    found = moments(features, *batches)
    np.testing.assert_allclose(found.mean, features.mean(axis=0), atol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(features, rowvar=False), rtol=1e-12, atol=1e-14)
    assert found.count == 100


def test_moments_do_not_cancel_far_from_zero(random: np.random.Generator) -> None:
    features = 1e8 + random.normal(size=(1000, D))
    np.testing.assert_allclose(moments(features, 10, 300).covariance, np.cov(features, rowvar=False), atol=1e-6)


def test_moments_of_single_precision_are_doubles(random: np.random.Generator) -> None:
    features = random.normal(size=(64, D)).astype(np.float32)
    gathered = RunningMoments(D)
    gathered.add(features)
    expected = np.cov(features.astype(np.float64), rowvar=False)
    np.testing.assert_allclose(gathered.statistics().covariance, expected, rtol=1e-10, atol=1e-14)


def test_one_image_has_no_covariance() -> None:
    with pytest.raises(DataError, match="1 images have no covariance"):
        moments(np.ones((1, D)))
    one, many = statistics(np.zeros(D), np.eye(D), 1), statistics(np.zeros(D), np.eye(D))
    with pytest.raises(DataError, match="1 images"):
        distance(many, one)


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(DataError, match="NaN"):
        RunningMoments(D).add(np.full((3, D), np.nan))
    with pytest.raises(DataError, match="NaN"):
        distance(statistics(np.full(D, np.inf), np.eye(D)), statistics(np.zeros(D), np.eye(D)))


def test_other_dimensions_are_refused() -> None:
    with pytest.raises(DataError, match="24 features, the other 3"):
        distance(statistics(np.zeros(D), np.eye(D)), statistics(np.zeros(3), np.eye(3)))


def test_contradicting_origins_are_refused_and_unknown_ones_are_not() -> None:
    mean, spread = np.zeros(D), np.eye(D)
    known = statistics(mean, spread, network="aa")
    with pytest.raises(DataError, match="network 'aa' and 'bb'"):
        distance(known, statistics(mean, spread, network="bb"))
    assert distance(known, statistics(mean, spread)) == pytest.approx(0, abs=1e-9)


def test_a_file_gives_back_what_was_saved(tmp_path: Path, random: np.random.Generator) -> None:
    made = statistics(random.normal(size=D), covariance(random), 31, features="random", network="aa", dims="24")
    path = tmp_path / "new" / "stats.npz"
    save(path, made)
    found = load(path)
    np.testing.assert_array_equal(found.mean, made.mean)
    np.testing.assert_array_equal(found.covariance, made.covariance)
    assert (found.count, found.origin) == (31, made.origin)
    assert [file.name for file in path.parent.iterdir()] == ["stats.npz"]


def test_pytorch_fids_file_is_read_and_its_count_unknown(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "theirs.npz", mu=np.zeros(D), sigma=np.eye(D))
    found = load(tmp_path / "theirs.npz")
    assert (found.count, found.origin, found.dims) == (None, {}, D)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "no-sigma": ({"mu": np.zeros(D)}, "holds no sigma"),
    "shape": ({"mu": np.zeros(D), "sigma": np.eye(3)}, r"mu has shape \[24\], sigma \[3, 3\]"),
    "scalar": ({"mu": np.float64(0), "sigma": np.float64(1)}, "shape"),
    "lopsided": ({"mu": np.zeros(D), "sigma": np.triu(np.ones((D, D)))}, "not symmetric"),
    "nan": ({"mu": np.full(D, np.nan), "sigma": np.eye(D)}, "NaN"),
    "negative": ({"mu": np.zeros(D), "sigma": -np.eye(D)}, "negative variance"),
    "text": ({"mu": np.array(["a"]), "sigma": np.eye(1)}, "type"),
    "count": ({"mu": np.zeros(D), "sigma": np.eye(D), "n": np.int64(1)}, "number of images"),
    "vast": ({"mu": np.zeros(2), "sigma": np.eye(2) * 1e200}, "beyond 1e\\+100"),
    "long": ({"mu": np.zeros(4097, np.uint8), "sigma": np.zeros((4097, 4097), np.uint8)}, "4097 features, more than"),
    "origin": ({"mu": np.zeros(2), "sigma": np.eye(2), "network": np.zeros(3)}, "float64"),
    "origins": ({"mu": np.zeros(2), "sigma": np.eye(2), "network": np.array(["a", "b"])}, "<U1"),
    "pickle": ({"mu": np.array([{}], dtype=object), "sigma": np.eye(1)}, "Object arrays cannot be loaded"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    arrays, message = BROKEN[name]
    np.savez(tmp_path / "stats.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(tmp_path / "stats.npz")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 cut short", b"\x80\x04N."])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stats.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"stats\.npz cannot be read as statistics"):
        load(tmp_path / "stats.npz")


def test_a_file_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stats.npz"
    save(path, statistics(np.zeros(D), np.eye(D)))
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize("kind", [np.longdouble, np.float16, np.int8, np.uint64])
def test_numbers_of_any_width_are_read_without_a_warning(tmp_path: Path, kind: Any) -> None:
    np.savez(tmp_path / "stats.npz", mu=np.ones(2, kind), sigma=np.asfortranarray(np.eye(2, dtype=kind)))
    assert load(tmp_path / "stats.npz").covariance.tolist() == [[1, 0], [0, 1]]


def test_an_array_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(4))
    with zipfile.ZipFile(tmp_path / "stats.npz", "w") as archive:
        archive.writestr("mu.npy", content.getvalue().replace(b"(4,)", b"(9**9,)".ljust(4)))
        archive.writestr("sigma.npy", content.getvalue()[:-8])
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "stats.npz")


@pytest.mark.parametrize("kind", [MemoryError, RecursionError, OverflowError, TypeError, RuntimeError])
def test_every_exception_of_the_reader_becomes_an_error_about_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise kind

    save(tmp_path / "stats.npz", statistics(np.zeros(D), np.eye(D)))
    monkeypatch.setattr(np.lib.format, "read_array", broken)
    with pytest.raises(DataError, match=rf"cannot be read as statistics: {kind.__name__}"):
        load(tmp_path / "stats.npz")


def test_statistics_of_features_are_their_moments(random: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "ROWS_AT_ONCE", 7)
    features = random.normal(size=(20, D))
    found = frechet.compute_statistics(features, {"features": "random"})
    np.testing.assert_allclose(found.covariance, np.cov(features, rowvar=False), rtol=1e-12, atol=1e-14)
    assert (found.count, found.origin) == (20, {"features": "random"})
