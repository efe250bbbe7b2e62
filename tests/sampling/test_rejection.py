"""Rejection drops the lowest scores, and every image keeps its candidate's number."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from builders import MakeDataset, edit_manifest

from xrayaug.data.dataset import open_dataset
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.metrics import features
from xrayaug.networks import inception
from xrayaug.networks.inception import InceptionNetwork
from xrayaug.options import Sample, TrainGan
from xrayaug.runtime.stopping import Interval
from xrayaug.sampling import rejection, sampler
from xrayaug.sampling.rejection import RejectionResult
from xrayaug.stages import sample, train_gan
from xrayaug.storage import builder
from xrayaug.storage.artifacts import open_artifact
from xrayaug.storage.checkpoints import Checkpoints

COUNT, SHARE = 60, 0.25  # of 80 candidates, in two passes


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A GAN of the normal images, and a conditional one."""
    folder = tmp_path_factory.mktemp("runs")
    options = TrainGan(
        data=make_dataset(folder / "data"), epochs=1, latent=4, batch_size=8, device="cpu", out=folder / "plain"
    )
    train_gan.run(replace(options, only_label="normal", width=0.25))
    train_gan.run(replace(options, arch="cgan", width=0.25, out=folder / "conditional"))
    return {name: folder / name for name in ("plain", "conditional")}


def command(run: Path, out: Path, **changes: Any) -> Sample:
    return Sample(**{"run": run, "count": COUNT, "reject": SHARE, "device": "cpu", "out": out, **changes})


def images(out: Path) -> npt.NDArray[np.uint8]:
    found: npt.NDArray[np.uint8] = np.load(out / "images.npy")
    return found


def rejected(out: Path) -> list[dict[str, str]]:
    with (out / "rejected.csv").open(newline="") as text:
        return list(csv.DictReader(text))


def test_the_lowest_scores_are_dropped_and_the_rest_keep_their_order() -> None:
    found = RejectionResult("luck", 0.4, [3.0, 1.0, 2.0, 2.0, 5.0], ["normal"] * 5, ["normal"] * 3)
    assert found.kept == [0, 2, 4]
    assert found.index_columns()[1] == {"candidate": "2", "score": "2"}
    assert found.summary() == {
        "rejected_by": "luck",
        "share": 0.4,
        "candidates": 5,
        "lowest_kept": 2.0,
        "highest_rejected": 2.0,
    }


def test_the_lowest_scores_of_each_label_are_dropped() -> None:
    labels = ["normal", "abnormal"] * 4
    found = RejectionResult("luck", 0.5, [9, 1, 8, 2, 7, 3, 6, 4], labels, labels[:4])
    assert found.kept == [0, 2, 5, 7]


def test_enough_candidates_are_drawn() -> None:
    assert [rejection.count_candidates(count, 0.1) for count in (9, 90, 91, 1)] == [10, 100, 102, 2]
    assert rejection.count_candidates(7, 0.0) == 7


def test_indices_are_grouped_by_pass() -> None:
    assert list(rejection.group_by_pass([0, 5, 64, 66, 130], 64)) == [(0, [0, 5]), (64, [0, 2]), (128, [2])]
    assert list(rejection.group_by_pass(range(3, 6), 64)) == [(0, [3, 4, 5])]


def test_scores_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="NaN"):
        rejection.score_candidates(
            range(0, 64, 64), lambda _: iter([[float("nan")] * 64]), Checkpoints(tmp_path, Interval(images=1))
        )


def test_realism_is_higher_near_three_real_images() -> None:
    real = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [9.0, 9.0]], np.float32)
    inside, outlier = rejection.realism_scores(np.array([[0.0, 0.0], [9.0, 9.0]], np.float32), real)
    assert [inside, outlier] == pytest.approx([-1, -np.hypot(8, 9)])


def test_kept_images_equal_those_drawn_without_rejection(runs: dict[str, Path], tmp_path: Path) -> None:
    found = sample.run(command(runs["plain"], tmp_path / "kept"))
    sample.run(command(runs["plain"], tmp_path / "all", count=80, reject=0.0))
    rows = open_dataset(tmp_path / "kept").rows
    numbers = [int(row.extra["candidate"]) for row in rows]
    assert numbers == sorted(numbers)
    np.testing.assert_array_equal(images(tmp_path / "kept"), images(tmp_path / "all")[numbers])
    dropped = rejected(tmp_path / "kept")
    assert sorted([*numbers, *(int(line["candidate"]) for line in dropped)]) == list(range(80))
    assert max(float(line["score"]) for line in dropped) <= min(float(row.extra["score"]) for row in rows)
    assert {line["reason"] for line in dropped} == {"among the lowest 0.25 of its label by discriminator"}
    assert (found["images"], found["rejection"]["candidates"]) == (COUNT, 80)
    assert "candidate" not in open_dataset(tmp_path / "all").rows[0].extra
    assert "rejection" not in open_artifact(tmp_path / "all").result


def test_both_labels_stay_balanced(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["conditional"], tmp_path / "out"))
    rows = open_dataset(tmp_path / "out").rows
    assert sum(row.label == "normal" for row in rows) == COUNT // 2
    for row in rows:
        assert row.label == sampler.label_of(int(row.extra["candidate"]), "balanced")


@pytest.fixture
def means(monkeypatch: pytest.MonkeyPatch) -> None:
    """A feature: how bright a picture is."""
    weights = inception.InceptionWeights("random", "random weights, seed 0", {}, "a")
    monkeypatch.setattr(inception, "random_weights", lambda _: weights)
    monkeypatch.setattr(inception, "FID_DIMS", 1)
    monkeypatch.setattr(InceptionNetwork, "__init__", lambda *_: None)
    monkeypatch.setattr(
        InceptionNetwork, "begin", lambda _, batch: lambda: np.array([[one.mean()] for one in batch], np.float32)
    )


@pytest.mark.usefixtures("means")
def test_the_images_farthest_from_the_training_images_are_dropped(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["plain"], tmp_path / "out", reject_by="random"))
    data = open_dataset(runs["plain"].parent / "data")
    real = data.pixels(data.select(split="train", label="normal")).mean(axis=(1, 2))
    opened = open_dataset(tmp_path / "out")
    for row, picture in zip(opened.rows[:5], images(tmp_path / "out"), strict=False):
        assert float(row.extra["score"]) == pytest.approx(-np.sort(abs(real - picture.mean()))[2], rel=1e-3, abs=1e-3)


def test_radiomics_are_compared_on_the_scale_of_the_training_images(runs: dict[str, Path], tmp_path: Path) -> None:
    sample.run(command(runs["plain"], tmp_path / "out", reject_by="radiomics"))
    data = open_dataset(runs["plain"].parent / "data")
    real = data.pixels(data.select(split="train", label="normal"))
    extractor = features.load_extractor("radiomics", torch.device("cpu"))
    of_real = extractor.features(list(real)).astype(np.float64)
    of_kept = extractor.features(list(images(tmp_path / "out"))).astype(np.float64)
    mean, deviation = of_real.mean(axis=0), of_real.std(axis=0, ddof=1)
    varying = deviation > 1e-6 * np.abs(mean)
    scaled, candidates = (((side - mean)[:, varying] / deviation[varying]) for side in (of_real, of_kept))
    expected = -np.sort(np.linalg.norm(candidates[:, None] - scaled, axis=2), axis=1)[:, 2]
    scores = [float(row.extra["score"]) for row in open_dataset(tmp_path / "out").rows]
    assert scores == pytest.approx(expected.tolist(), rel=1e-3)


def stopping_after(calls: int, function: Callable[..., Any]) -> Callable[..., Any]:
    left = calls

    def call(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError("the power is out")
        return function(*arguments, **named)

    return call


@pytest.mark.parametrize("passes", [0, 1, 2, 3])
def test_a_stopped_rejection_continues_to_the_same_bytes(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, passes: int
) -> None:
    every = Interval(images=1)
    sample.run(command(runs["plain"], tmp_path / "whole"))
    with monkeypatch.context() as patched:
        patched.setattr(sampler.ImageSampler, "draw", stopping_after(passes, sampler.ImageSampler.draw))
        with pytest.raises(OSError, match="power"):
            sample.run(command(runs["plain"], tmp_path / "out", checkpoint_every=every))
    with monkeypatch.context() as patched:
        patched.setattr(sampler.ImageSampler, "draw", stopping_after(4 - passes, sampler.ImageSampler.draw))
        sample.run(command(runs["plain"], tmp_path / "out", checkpoint_every=every))
    for name in ("images.npy", "index.csv", "rejected.csv", "contact-sheet.png"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_runs_and_options_without_a_score_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is none of dinov2, imagenet"):
        sample.run(command(runs["plain"], tmp_path / "out", reject_by="judgement"))
    edit_manifest(runs["conditional"], lambda manifest: manifest["files"].pop("discriminator.safetensors"))
    with pytest.raises(ArtifactError, match="lists no file"):
        sample.run(command(runs["conditional"], tmp_path / "other"))
    with pytest.raises(UsageError, match="--reject is 0"):
        command(runs["plain"], tmp_path / "out", reject=0.95)


def test_an_unused_score_does_not_change_the_artifact(runs: dict[str, Path], tmp_path: Path) -> None:
    made = command(runs["plain"], tmp_path / "out", reject=0.0)
    sample.run(made)
    assert builder.find_completed(replace(made, reject_by="random")) is not None
    assert torch.is_grad_enabled()
