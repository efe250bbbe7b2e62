"""The malformed images are those that are farther from real ones than real ones of other patients are."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import MakeDataset
from PIL import Image
from scipy.spatial.distance import cdist
from statsmodels.stats.proportion import proportion_confint

from xrayaug.data.dataset import open_dataset
from xrayaug.errors import DataError
from xrayaug.metrics import features
from xrayaug.options import Sample, TrainGan
from xrayaug.runtime.stopping import Interval
from xrayaug.sampling import malformed, scoring
from xrayaug.sampling.malformed import MIN_PATIENTS, PICTURE_FILE, MalformedImages, find_malformed
from xrayaug.stages import sample, train_gan
from xrayaug.storage.artifacts import open_artifact


@pytest.fixture(scope="module")
def gan(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GAN of images of 24 patients."""
    folder = tmp_path_factory.mktemp("gan")
    data = make_dataset(folder / "data", studies=12)
    train_gan.run(TrainGan(data=data, epochs=1, latent=4, width=0.25, batch_size=8, device="cpu", out=folder / "gan"))
    return folder / "gan"


def command(gan: Path, out: Path, **changes: Any) -> Sample:
    return Sample(**{"run": gan, "count": 70, "malformed": "random", "device": "cpu", "out": out, **changes})


class Brightness:
    """Features of an image: its mean and its deviation."""

    dims, origin, learnt_from = 2, {"features": "brightness"}, None

    def features(self, pictures: Any) -> Any:
        return np.array([(picture.mean(), picture.std()) for picture in pictures], np.float32)

    def begin(self, pictures: Any) -> Any:
        return lambda: self.features(pictures)


@pytest.fixture(autouse=True)
def _cheap_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "device", torch.device("cpu"), raising=False)
    monkeypatch.setattr(features, "load_extractor", lambda *_, **__: Brightness())


def normal(images: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(images, 5)).astype(np.float32)


def test_the_limit_is_kept_by_95_percent_of_the_images_of_other_patients() -> None:
    real, patients = normal(90, 0), np.repeat(np.arange(30), 3)
    others = np.where(patients[:, None] == patients, np.inf, cdist(real, real)).min(axis=1)
    found = find_malformed("any", normal(40, 1), real, [f"patient {number}" for number in patients])
    np.testing.assert_allclose(found.limit, np.quantile(others, 0.95), rtol=1e-6)
    np.testing.assert_allclose(found.distances, cdist(normal(40, 1), real).min(axis=1), rtol=1e-5)


def test_images_of_one_patient_are_not_compared() -> None:
    real, patients = np.repeat(normal(30, 0), 3, axis=0), [str(number) for number in np.repeat(np.arange(30), 3)]
    assert find_malformed("any", real, real, patients).limit > 0.5
    assert find_malformed("any", real, real, [""] * 90).limit == 0


def test_images_far_from_all_real_ones_are_marked() -> None:
    synthetic = np.concatenate([normal(60, 1), normal(40, 2) + 20])
    found = find_malformed("any", synthetic, normal(400, 0), [""] * 400)
    assert found.is_malformed[60:].all()
    assert found.is_malformed[:60].mean() < 0.15


def test_the_share_has_an_exact_interval() -> None:
    summary = MalformedImages("any", np.arange(50.0), 44.5).summary()
    assert (summary["images"], summary["share"]) == (5, 0.1)
    np.testing.assert_allclose((summary["low"], summary["high"]), proportion_confint(5, 50, method="beta"), rtol=1e-9)


def test_too_few_patients_have_no_limit() -> None:
    patients = [str(number % (MIN_PATIENTS - 1)) for number in range(100)]
    with pytest.raises(DataError, match="of 20 patients or more, and the generator learnt from those of 19"):
        find_malformed("any", normal(5, 1), normal(100, 0), patients)


def test_sample_says_how_many_images_are_malformed(gan: Path, tmp_path: Path) -> None:
    result = sample.run(command(gan, tmp_path / "out"))
    found, opened = result["malformed"], open_dataset(tmp_path / "out")
    marks = [row.extra["malformed"] for row in opened.rows]
    assert (found["features"], marks.count("yes")) == ("random", found["images"])
    above = [float(row.extra["distance"]) > found["limit"] for row in opened.rows]
    assert marks == ["yes" if each else "no" for each in above]
    assert found["images"] > 0  # after one epoch
    (table,) = sample.tables(result)
    assert f"malformed: {found['images']} images, {100 * found['share']:.1f} %" in table.notes[0]


def test_the_farthest_image_is_shown_first(gan: Path, tmp_path: Path) -> None:
    sample.run(command(gan, tmp_path / "out"))
    opened = open_dataset(tmp_path / "out")
    farthest = max(opened.rows, key=lambda row: float(row.extra["distance"]))
    with Image.open(tmp_path / "out" / PICTURE_FILE) as sheet:
        np.testing.assert_array_equal(np.asarray(sheet)[2:34, 2:34], opened.pixels([farthest])[0])


def test_images_and_other_columns_do_not_depend_on_it(gan: Path, tmp_path: Path) -> None:
    sample.run(command(gan, tmp_path / "with", reject=0.2))
    sample.run(command(gan, tmp_path / "without", reject=0.2, malformed=None))
    marked, plain = (open_dataset(tmp_path / name) for name in ("with", "without"))
    np.testing.assert_array_equal(marked.pixels(marked.rows), plain.pixels(plain.rows))
    assert [row.extra["candidate"] for row in marked.rows] == [row.extra["candidate"] for row in plain.rows]
    assert "malformed" not in open_artifact(tmp_path / "without", "dataset").options


def test_a_stopped_measurement_continues_to_the_same_bytes(
    gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = command(gan, tmp_path / "whole", count=150)
    sample.run(options)
    stopped = replace(options, out=tmp_path / "stopped", checkpoint_every=Interval(images=1))
    find, extracted = malformed.find_malformed, scoring.RealismScorer.stream_selected_features
    passes: list[int] = []

    def stop(*_: Any) -> None:
        raise OSError("the power is out")

    def counted(scorer: Any, given: Any) -> Any:
        passes.append(len(given))
        return extracted(scorer, given)

    monkeypatch.setattr(malformed, "find_malformed", stop)
    with pytest.raises(OSError, match="power"):
        sample.run(stopped)
    monkeypatch.setattr(malformed, "find_malformed", find)
    monkeypatch.setattr(scoring.RealismScorer, "stream_selected_features", counted)
    sample.run(stopped)
    assert passes == [0]
    for name in ("index.csv", PICTURE_FILE):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    results = [json.loads((tmp_path / name / "manifest.json").read_text())["result"] for name in ("stopped", "whole")]
    assert results[0] == results[1]
