"""The sides of a distance: which paths may be one, and a cache that is checked against its name."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import row, write_dataset, write_png
from PIL import Image

from xrayaug.data import dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import ArtifactError, DataError, InputError
from xrayaug.metrics import features
from xrayaug.metrics.feature_statistics import (
    ExtractedStatistics,
    PrecomputedStatistics,
    StatisticsExtractor,
    open_fid_input,
)
from xrayaug.options import Augment, Fid, Prepare
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import builder
from xrayaug.storage.cache import directory

COUNT, SIZE = 12, 48


class Quarters:
    """Features that cost nothing: the mean of each quarter of a grey picture."""

    learnt_from = None
    dims = 4
    device = torch.device("cpu")

    def __init__(self, seed: int) -> None:
        network = {"features": "random", "network_name": "quarters", "network": str(seed)}
        self.origin = {**network, "dims": "4", "preprocessing": "none"}

    def features(self, pictures: Sequence[Pixels]) -> FeatureArray:
        halves = [np.array_split(picture, 2) for picture in pictures]
        quarters = [[part.mean() for half in each for part in np.array_split(half, 2, axis=1)] for each in halves]
        return np.array(quarters, np.float32)

    def begin(self, pictures: Sequence[Pixels]) -> Callable[[], FeatureArray]:
        return lambda: self.features(pictures)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "load_extractor", lambda *_, seed, **__: Quarters(seed))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "folder", noise(1))


def noise(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (COUNT, SIZE, SIZE), dtype=np.uint8)


def write_folder(folder: Path, pictures: Pixels) -> Path:
    for index, picture in enumerate(pictures):
        write_png(folder / f"{index:03}.png", picture)
    return folder


def half_abnormal(path: Path, pictures: Pixels) -> Path:
    """A dataset whose first picture is in test and whose others are in train; every second is abnormal."""
    rows = [
        row(split="train" if index else "test", label="abnormal" if index % 2 else "normal", patient=f"p{index}")
        for index in range(len(pictures))
    ]
    return write_dataset(path, rows, pixels=pictures)


def make_extractor(cache: Path, *, with_features: bool = False, **changes: Any) -> StatisticsExtractor:
    options = Fid(a=Path("unused"), b=Path("unused"), features="random", device="cpu", cache=cache, **changes)
    return StatisticsExtractor(options, with_features=with_features)


def extract(path: Path, cache: Path, **changes: Any) -> ExtractedStatistics:
    return make_extractor(cache, **changes).extract(open_fid_input(path, None, None))


def test_the_cache_knows_pixels_and_not_paths_names_or_modes(tmp_path: Path, cache: Path, folder: Path) -> None:
    first = extract(folder, cache)
    assert not first.cached
    moved = tmp_path / "moved" / "deep"
    moved.mkdir(parents=True)
    for index, file in enumerate(sorted(folder.iterdir(), reverse=True)):
        Image.open(file).convert("RGB" if index % 2 else "P").save(moved / f"{index}.TIFF")
    for path in (tmp_path / "moved", half_abnormal(tmp_path / "data", noise(1))):
        again = extract(path, cache)
        assert again.cached
        np.testing.assert_array_equal(again.statistics.covariance, first.statistics.covariance)
    changed = noise(1)
    changed[0, 0, 0] ^= 1
    assert not extract(write_folder(tmp_path / "changed", changed), cache).cached


def test_other_features_are_cached_apart(cache: Path, folder: Path) -> None:
    extract(folder, cache)
    assert not extract(folder, cache, seed=1).cached
    assert extract(folder, cache).cached


def test_a_damaged_cache_is_made_again(
    tmp_path: Path, cache: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = (folder, write_folder(tmp_path / "other", noise(2)))
    first = [extract(side, cache) for side in sides]
    files = sorted(directory("fid", cache).iterdir())
    assert len(files) == 2
    files[0].write_bytes(b"half a fi")
    files[1].write_bytes(b"")
    for before, side in zip(first, sides, strict=True):
        again = extract(side, cache)
        assert not again.cached
        np.testing.assert_array_equal(again.statistics.covariance, before.statistics.covariance)
    assert capsys.readouterr().err.count("the cache is damaged and is made again") == 2
    assert all(extract(side, cache).cached for side in sides)


def test_statistics_under_anothers_name_are_made_again(
    tmp_path: Path, cache: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extract(folder, cache)
    (file,) = directory("fid", cache).iterdir()
    extract(folder, tmp_path / "elsewhere", seed=1)
    (other,) = directory("fid", tmp_path / "elsewhere").iterdir()
    file.write_bytes(other.read_bytes())
    assert not extract(folder, cache).cached
    assert "holds other statistics than its name says" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_not_needed(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert extract(folder, tmp_path / "file").statistics.count == COUNT
    assert "not cached" in capsys.readouterr().err


def test_the_cache_lies_in_the_users_cache_directory_or_in_the_one_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert directory("fid", None) == tmp_path / "xrayaug" / "fid"
    assert directory("fid", tmp_path / "own") == tmp_path / "own" / "fid"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert directory("fid", None) == Path.home() / ".cache" / "xrayaug" / "fid"


def test_extracted_features_give_the_same_statistics_and_are_kept_until_finish(
    tmp_path: Path, cache: Path, folder: Path
) -> None:
    plain = extract(folder, tmp_path / "plain", batch_size=5)
    extractor = make_extractor(cache, with_features=True, batch_size=5)
    found = extractor.extract(open_fid_input(folder, None, None))
    assert found.features is not None
    assert found.features.shape == (COUNT, Quarters.dims)
    assert found.statistics.covariance.tobytes() == plain.statistics.covariance.tobytes()
    assert len(list(directory("fid", cache).glob("*.partial"))) == 1
    extractor.finish()
    assert list(directory("fid", cache).glob("*.partial")) == []


def test_nested_folders_are_read_and_hidden_and_other_files_are_not(tmp_path: Path, cache: Path, folder: Path) -> None:
    nested = tmp_path / "nested"
    (nested / "patient1" / "study1").mkdir(parents=True)
    for index, file in enumerate(sorted(folder.iterdir())):
        (nested / ("patient1/study1" if index % 2 else "patient1") / f"{file.stem}.PNG").write_bytes(file.read_bytes())
    for stranger in ("._001.png", "notes.txt", "patient1/._0.png", ".hidden.png"):
        (nested / stranger).write_bytes(b"not an image")
    assert open_fid_input(nested, None, None).count == COUNT
    assert extract(nested, cache).pixels_sha256 == extract(folder, cache).pixels_sha256


def test_an_unreadable_file_is_named(cache: Path, folder: Path) -> None:
    (folder / "005.png").write_bytes((folder / "005.png").read_bytes()[:200])
    with pytest.raises(DataError, match=r"005\.png cannot be read"):
        extract(folder, cache)


def test_a_dataset_or_an_arm_is_selected_by_split_and_label(tmp_path: Path, cache: Path) -> None:
    data = half_abnormal(tmp_path / "data", noise(1))

    def build(directory: Path) -> dict[str, Any]:
        rows = dataset.open_dataset(data).rows
        dataset.write_index(directory, [dataset.reference_row(row, "real") for row in rows])
        return {}

    arm = Augment(real=data, percent=0, out=tmp_path / "arm")
    builder.build_artifact(arm, "dataset", build)
    assert open_fid_input(arm.out, None, None).kind == "dataset"
    assert extract(data, cache).pixels_sha256 == extract(arm.out, cache).pixels_sha256
    assert open_fid_input(arm.out, "train", None).count == COUNT - 1
    assert open_fid_input(arm.out, None, "normal").count == COUNT // 2
    with pytest.raises(DataError, match="no valid images"):
        open_fid_input(arm.out, "valid", None)


def test_a_file_of_statistics_needs_no_network(tmp_path: Path, cache: Path) -> None:
    np.savez(tmp_path / "x.npz", mu=np.zeros(4), sigma=np.eye(4))
    side = open_fid_input(tmp_path / "x.npz", None, None)
    assert isinstance(side, PrecomputedStatistics)
    assert (side.kind, side.count) == ("statistics", None)
    assert make_extractor(cache).extract(side).to_dict() == {
        "path": str(tmp_path / "x.npz"), "kind": "statistics", "n": None, "pixels_sha256": None, "cached": False,
    }  # fmt: skip


def test_paths_that_are_no_images_are_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "x.dcm").touch()
    (tmp_path / "damaged.npz").write_bytes(b"PK")
    np.savez(tmp_path / "hostile.npz", mu=np.array([print], dtype=object), sigma=np.eye(1))
    builder.build_artifact(Prepare(input=tmp_path / "damaged.npz", out=tmp_path / "gan"), "gan-run", lambda _: {})
    expected: dict[str, tuple[type[InputError], str]] = {
        "empty": (DataError, "holds no images: it is empty"),
        "text": (DataError, r"holds no images: it holds 1 other files \(\.dcm\)"),
        "damaged.npz": (DataError, "cannot be read as statistics"),
        "hostile.npz": (DataError, "cannot be read as statistics"),
        "missing": (InputError, "does not exist"),
        "text/x.dcm": (InputError, "is a file"),
        "gan": (ArtifactError, "gan-run"),
    }
    for name, (error, message) in expected.items():
        with pytest.raises(error, match=message):
            open_fid_input(tmp_path / name, None, None)
