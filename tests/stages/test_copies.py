"""A generator that replays its training set fails, also if it changes the images a little; fresh images pass."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import edit_manifest, row, write_dataset

from xrayaug.data import phantoms
from xrayaug.data.dataset import open_dataset
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import ArtifactError, DataError, UsageError
from xrayaug.metrics import features
from xrayaug.networks import inception
from xrayaug.networks.inception import InceptionNetwork
from xrayaug.options import Augment, Copies, Sample, TrainGan
from xrayaug.stages import augment, copies
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Result
from xrayaug.storage.builder import build_artifact

TRAINING, HELD_OUT, FRESH, SIZE = 40, 24, 24, 48
Screen = Callable[..., Result]


@pytest.fixture(scope="module")
def hands() -> Pixels:
    """Drawn hands uint8 `[N, S, S]`, each of another patient: training, held-out and fresh ones."""
    count = TRAINING + HELD_OUT + FRESH
    drawn = [phantoms.draw_hand(np.random.default_rng(n), SIZE, SIZE, abnormal=False) for n in range(count)]
    return np.stack(drawn)


@pytest.fixture(scope="module")
def real(hands: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n}", study=f"s{n}", split=split, file=f"{n}.png") for n, split in enumerate(splits)]
    return write_dataset(tmp_path_factory.mktemp("sets") / "real", rows, pixels=hands[: len(splits)])


@pytest.fixture(scope="module")
def without_held_out(hands: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [row(patient=f"p{n}", study=f"s{n}", file=f"{n}.png") for n in range(TRAINING)]
    return write_dataset(tmp_path_factory.mktemp("sets") / "real", rows, pixels=hands[:TRAINING])


@pytest.fixture(scope="module")
def weights() -> inception.InceptionWeights:
    return inception.random_weights(0)


@pytest.fixture(autouse=True)
def _quick(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, weights: inception.InceptionWeights
) -> None:
    """Use the same weights in every test, and 8 x 8 means as features unless a test asks for the network's own."""
    monkeypatch.setattr(inception, "random_weights", lambda _: weights)
    if "real_features" not in request.fixturenames:
        monkeypatch.setattr(InceptionNetwork, "begin", means)


@pytest.fixture
def real_features() -> None:
    """Keep the network's own features in a test."""


def means(_: InceptionNetwork, batch: list[Pixels]) -> Callable[[], FeatureArray]:
    block = SIZE // 8
    blocks = np.stack(batch).reshape(-1, 8, block, 8, block).mean(axis=(2, 4))
    return lambda: np.asarray(blocks.reshape(-1, 64), np.float32)


@pytest.fixture
def screen(tmp_path: Path, real: Path) -> Screen:
    """Return a function that screens synthetic images with given pixels and returns the result."""

    def make(pixels: Pixels, **changes: Any) -> Result:
        synthetic = write_synthetic(tmp_path / "synthetic", pixels)
        return copies.run(options(synthetic, real, tmp_path / "copies", **changes))

    return make


def write_synthetic(out: Path, pixels: Pixels) -> Path:
    rows = [row(patient="", study="", source="dcgan", synthetic=True)] * len(pixels)
    return write_dataset(out, rows, pixels=pixels)


def options(synthetic: Path, learnt_from: Path, out: Path, **changes: Any) -> Copies:
    given = {"synthetic": synthetic, "real": learnt_from, "features": "random", "dims": "64", "alpha": 0.05, "out": out}
    return Copies(**{**given, "device": "cpu", **changes})


def replay(change: str, training: Pixels) -> Pixels:
    """Replays of training images."""
    noise = np.random.default_rng(0).normal(0, 6, training.shape)
    found: Pixels = {
        "exact": 1.0 * training,
        "noisy": np.clip(training + noise, 0, 255),
        "darker": 0.7 * training + 20,
        "moved": 1.0 * np.roll(training, (1, 1), (1, 2)),
        "mirrored": 1.0 * training[:, :, ::-1],
    }[change].astype(np.uint8)
    return found


@pytest.mark.parametrize("change", ["exact", "noisy", "darker", "moved", "mirrored"])
def test_a_generator_that_replays_its_training_set_fails(screen: Screen, hands: Pixels, change: str) -> None:
    found = screen(replay(change, hands[:TRAINING]))
    assert found["verdict"] == "fail"
    assert len(found["quarantined"]) > 0.9 * TRAINING
    assert found["spaces"]["pixels"]["chance"] < 1e-6


@pytest.mark.usefixtures("real_features")
def test_fresh_images_pass_against_held_out_ones(screen: Screen, hands: Pixels) -> None:
    found = screen(hands[-FRESH:])
    assert found["verdict"] == "pass"
    assert len(found["quarantined"]) <= 4
    assert found["reference"] == f"{HELD_OUT} held-out images"
    assert found["spaces"]["pixels"]["rate"] == pytest.approx(1 / (HELD_OUT + 1))
    assert "no proof" in str(copies.tables(found)[1].notes)
    assert "pass" in str(copies.tables(found)[1].notes)


def test_fresh_images_pass_against_training_images_left_out(
    screen: Screen, hands: Pixels, without_held_out: Path
) -> None:
    found = screen(hands[-FRESH:], real=without_held_out)
    assert found["verdict"] == "pass"
    assert found["reference"] == f"{TRAINING} training images, each against those of other patients"


def test_a_few_copies_among_fresh_images_are_the_ones_set_aside(
    screen: Screen, hands: Pixels, tmp_path: Path, real: Path
) -> None:
    mixed = hands[-FRESH:].copy()
    mixed[[3, 11]] = replay("moved", hands[[7, 9]])
    found = screen(mixed)
    assert {3, 11} <= set(found["quarantined"])
    with (tmp_path / "copies" / "copies.csv").open() as text:
        lines = list(csv.DictReader(text))
    assert [line["image"] for line in lines] == [str(n) for n in range(FRESH)]
    assert (lines[3]["nearest_in_pixels"], lines[11]["nearest_in_pixels"]) == ("7.png", "9.png")
    assert [n for n, line in enumerate(lines) if line["quarantined"] == "1"] == found["quarantined"]
    assert float(lines[3]["distance_in_pixels"]) < found["spaces"]["pixels"]["threshold"]


def test_the_artifact_has_the_table_and_the_pairs(screen: Screen, hands: Pixels, tmp_path: Path, real: Path) -> None:
    found = screen(hands[-FRESH:])
    made = artifacts.open_artifact(tmp_path / "copies", "copies")
    assert made.result == found
    assert sorted(made.manifest["files"]) == ["copies.csv", "nearest.png"]
    assert made.manifest["inputs"]["synthetic"]["sha256"] == artifacts.digest(tmp_path / "synthetic")
    assert copies.run(options(tmp_path / "synthetic", real, tmp_path / "copies")) == found


def test_radiomics_are_compared_on_the_scale_of_the_training_images(screen: Screen, hands: Pixels) -> None:
    found = screen(np.concatenate([hands[:4], hands[-FRESH:]]), features="radiomics", dims="2048")
    assert found["features"] == "radiomics"
    assert set(range(4)) <= set(found["quarantined"])
    extractor = features.load_extractor("radiomics", torch.device("cpu"))
    training, held_out = (
        extractor.features(list(part)).astype(np.float64)
        for part in (hands[:TRAINING], hands[TRAINING : TRAINING + HELD_OUT])
    )
    mean, deviation = training.mean(axis=0), training.std(axis=0, ddof=1)
    varying = deviation > 1e-6 * np.abs(mean)
    scaled, fresh = (((side - mean)[:, varying] / deviation[varying]) for side in (training, held_out))
    nearest = np.linalg.norm(fresh[:, None] - scaled, axis=2).min(axis=1)
    spread = np.sqrt(scaled.var(axis=0).sum())
    assert found["spaces"]["features"]["threshold"] == pytest.approx(nearest.min() / spread, rel=1e-3)


def test_a_plan_computes_nothing(monkeypatch: pytest.MonkeyPatch, hands: Pixels, tmp_path: Path, real: Path) -> None:
    monkeypatch.setattr(InceptionNetwork, "begin", None)
    synthetic = write_synthetic(tmp_path / "synthetic", hands[-3:])
    planned = copies.plan(options(synthetic, real, tmp_path / "copies"))
    assert (planned["judged"], planned["training"]) == (3, TRAINING)
    assert not (tmp_path / "copies").exists()
    assert "random" in str(copies.tables(planned)[0].rows)


def test_held_out_images_that_were_trained_on_are_no_reference(screen: Screen, hands: Pixels, tmp_path: Path) -> None:
    pixels = hands[: TRAINING + HELD_OUT].copy()
    pixels[TRAINING : TRAINING + 4] = pixels[:4]
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n}", study=f"s{n}", split=split) for n, split in enumerate(splits)]
    found = screen(pixels[:TRAINING], real=write_dataset(tmp_path / "leaky", rows, pixels=pixels))
    assert found["verdict"] == "fail"
    assert found["spaces"]["pixels"]["reference_identical"] == 4
    assert any("4 reference images are training images too" in line for line in found["warnings"])


def test_too_few_reference_images_are_a_warning(screen: Screen, hands: Pixels) -> None:
    found = screen(hands[-FRESH:], alpha=0.01)
    assert found["reference"].startswith(f"{TRAINING} training images")
    assert any("too few reference images" in line for line in found["warnings"])


def write_sample(run: Path, pixels: Pixels, out: Path) -> None:
    def build(directory: Path) -> Result:
        source = write_synthetic(out.with_name("drawn"), pixels)
        for name in ("images.npy", "index.csv"):
            (directory / name).write_bytes((source / name).read_bytes())
        return {}

    build_artifact(Sample(run=run, out=out), "dataset", build)


def test_every_run_that_the_generator_started_from_is_a_warning(hands: Pixels, tmp_path: Path, real: Path) -> None:
    for name, init in (("first", None), ("second", "first"), ("third", "second")):
        options_of_run = TrainGan(data=real, out=tmp_path / name, init=tmp_path / init if init else None)
        build_artifact(options_of_run, "gan-run", lambda _: {})
    write_sample(tmp_path / "third", hands[-3:], tmp_path / "synthetic")
    found = copies.run(options(tmp_path / "synthetic", real, tmp_path / "copies"))
    warned = [line for line in found["warnings"] if "started from the weights of" in line]
    assert [run for line in warned for run in ("first", "second", "third") if f"{run};" in line] == ["second", "first"]
    (tmp_path / "first").rename(tmp_path / "moved")
    broken = copies.run(options(tmp_path / "synthetic", real, tmp_path / "copies-of-broken"))
    assert any("not known from what weights" in line and "first" in line for line in broken["warnings"])


def test_a_real_set_that_the_generator_was_not_trained_on_is_a_warning(
    hands: Pixels, tmp_path: Path, real: Path, without_held_out: Path
) -> None:
    build_artifact(TrainGan(data=real, out=tmp_path / "gan"), "gan-run", lambda _: {})
    write_sample(tmp_path / "gan", hands[-3:], tmp_path / "synthetic")
    for given, warned in ((real, False), (without_held_out, True)):
        found = copies.run(options(tmp_path / "synthetic", given, tmp_path / f"copies-{warned}"))
        assert any("was not learnt from" in line for line in found["warnings"]) == warned


def test_datasets_that_cannot_be_screened_are_refused(hands: Pixels, tmp_path: Path, real: Path) -> None:
    synthetic = write_synthetic(tmp_path / "synthetic", hands[-3:])
    with pytest.raises(DataError, match="no synthetic images"):
        copies.run(options(real, real, tmp_path / "out"))
    with pytest.raises(DataError, match="fewer than two patients"):
        copies.run(options(synthetic, synthetic, tmp_path / "out"))
    with pytest.raises(UsageError, match="--features nowhere"):
        copies.run(options(synthetic, real, tmp_path / "out", features="nowhere"))


def arm(tmp_path: Path, real: Path, name: str, **changes: Any) -> tuple[list[int], Result]:
    given = {"real": real, "synthetic": tmp_path / "synthetic", "percent": 40.0, "out": tmp_path / name, **changes}
    result = augment.run(Augment(**given))
    return [each.row for each in open_dataset(tmp_path / name).rows if each.synthetic], result


def test_an_arm_leaves_out_what_was_set_aside(screen: Screen, hands: Pixels, tmp_path: Path, real: Path) -> None:
    mixed = hands[-FRESH:].copy()
    mixed[:4] = hands[:4]
    set_aside = screen(mixed)["quarantined"]
    assert set(range(4)) <= set(set_aside)
    screened = tmp_path / "copies"
    plain, without = arm(tmp_path, real, "plain")
    left, result = arm(tmp_path, real, "left", copies=screened)
    kept, _ = arm(tmp_path, real, "kept", copies=screened, keep_copies=True)
    less, _ = arm(tmp_path, real, "less", copies=screened, percent=20.0)
    assert not set(left) & set(set_aside)
    assert [image for image in plain if image not in set_aside] == left[: len(plain) - len(set(plain) & set(set_aside))]
    assert kept == plain
    assert left[: len(less)] == less
    assert "copies" not in without
    assert result["copies"] == {"quarantined": len(set_aside), "left_out": len(set_aside)}
    assert f"left out: {len(set_aside)}" in str(augment.tables(result)[0].notes)
    with pytest.raises(DataError, match="without those that"):
        arm(tmp_path, real, "more", copies=screened, percent=60.0)


def test_an_arm_refuses_a_screening_of_another_set(screen: Screen, hands: Pixels, tmp_path: Path, real: Path) -> None:
    screen(hands[-FRESH:])
    other = write_synthetic(tmp_path / "other", hands[-FRESH:][::-1])
    with pytest.raises(DataError, match="synthetic"):
        arm(tmp_path, real, "arm", synthetic=other, copies=tmp_path / "copies")
    with pytest.raises(UsageError, match="--synthetic"):
        arm(tmp_path, real, "arm", synthetic=None, percent=0.0, copies=tmp_path / "copies")
    with pytest.raises(UsageError, match="--copies"):
        arm(tmp_path, real, "arm", keep_copies=True)
    edit_manifest(tmp_path / "copies", lambda manifest: manifest["result"].update(quarantined=["x"]))
    with pytest.raises(ArtifactError, match="quarantined"):
        arm(tmp_path, real, "arm", copies=tmp_path / "copies")
