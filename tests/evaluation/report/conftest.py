"""A minimal study, from GAN to runs, whose report all tests here share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import edit_index, train, write_dataset, write_png

from xrayaug.data import dataset
from xrayaug.data.dataset import Row
from xrayaug.data.images import arrays
from xrayaug.options import Augment, Copies, Evaluate, Fid, Privacy, Sample, TrainGan
from xrayaug.stages import augment, evaluate
from xrayaug.storage import artifacts, builder, files

HOSTILE = '<img src=x onerror="alert(1)">&\'"'
CLASSIFIER_LOG = [{"epoch": epoch, "images": 9 * epoch, "train_loss": 1 / epoch, "valid_loss": 0.5} for epoch in (1, 2)]
GAN_LOG = [{"epoch": epoch, "images": 9 * epoch, "d_loss": 1 / epoch, "g_loss": 1.0} for epoch in (1, 2)]
FLOOR = {"value": 9.0, "floor": 2.0, "floor_sd": 0.5, "excess": 7.0, "ratio": 4.5}  # as before there was a test
TESTED = {"p_value": 0.0123, "p_holm": 0.0456}


@dataclass(frozen=True)
class Study:
    """The paths of a study; the runs' directories and the source of the test images have hostile names."""

    home: Path
    runs: list[Path]
    distance: Path
    copies: Path
    privacy: Path

    def options(self, out: Path, **changes: Any) -> Evaluate:
        return Evaluate(runs=tuple(self.runs), out=out, device="cpu", resamples=100, **changes)


@pytest.fixture(scope="session")
def study(make_dataset: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Study:
    home = tmp_path_factory.mktemp("study")
    real = make_dataset(home / "real")
    for line in range(32, 48):  # the test images
        edit_index(real, line, source=HOSTILE)
    gan, synthetic = _gan(home), _synthetic(home)
    runs = []
    for percent in (0, 50):
        arm = home / f"arm-{percent}"
        augment.run(Augment(real=real, synthetic=(synthetic,), percent=percent, label="normal", out=arm))
        runs += [train(arm, home / f"run {HOSTILE} {percent}-{seed}", seed, CLASSIFIER_LOG) for seed in (0, 1)]
    assert gan
    return Study(home, runs, _distance(home), _copies(home), _privacy(home))


@pytest.fixture(scope="session")
def evaluation(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluation with all optional inputs."""
    out = tmp_path_factory.mktemp("evaluation") / "out"
    evaluate.run(
        study.options(out, fid=(study.distance,), copies=(study.copies,), privacy=(study.privacy,), by="source")
    )
    return out


def _gan(home: Path) -> Path:
    def build(directory: Path) -> dict[str, Any]:
        files.Log(directory / "log.jsonl", GAN_LOG)
        return {}

    learnt_from = write_dataset(
        home / "learnt-from", [Row("images.npy", 0, "train", "normal", "p", "s", "rsna", False)]
    )
    builder.build_artifact(TrainGan(data=learnt_from, out=home / "gan", epochs=2), "gan-run", build)
    return home / "gan"


def _synthetic(home: Path) -> Path:
    def build(directory: Path) -> dict[str, Any]:
        rows = [Row("images.npy", place, "train", "normal", "", "", "gan", True) for place in range(8)]
        np.save(directory / arrays.IMAGES, np.random.default_rng(1).integers(0, 256, (8, 32, 32)).astype(np.uint8))
        dataset.write_index(directory, rows)
        return {"arch": "dcgan"}

    builder.build_artifact(Sample(run=home / "gan", count=8, out=home / "synthetic"), "dataset", build)
    return home / "synthetic"


def _distance(home: Path) -> Path:
    def build(directory: Path) -> dict[str, Any]:
        return {
            "description": "Fréchet distance over 64 random features (not FID)",
            "value": 12.5,
            "a": {"path": "synthetic", "n": 8},
            "b": {"path": "real", "n": 16},
            "floor": {"n": 8, "splits": 10, "measures": {"fid": FLOOR | TESTED, "kid": FLOOR | {"ratio": None}}},
            "warnings": [HOSTILE],
        }

    builder.build_artifact(Fid(a=home / "synthetic", b=home / "real", out=home / "distance"), "fid", build)
    return home / "distance"


def _privacy(home: Path) -> Path:
    def build(directory: Path) -> dict[str, Any]:
        return {
            "verdict": "fail",
            "reason": f"training patients are told from held-out ones: {HOSTILE}",
            "rule": "it fails if a test is significant",
            "membership": {"pixels": {"auroc": 0.8125, "low": 0.71, "high": 0.9}},
            "p_corrected": {"pixels auroc": 0.00345},
        }

    made = Privacy(synthetic=home / "synthetic", real=home / "real", out=home / "privacy")
    builder.build_artifact(made, "privacy", build)
    return home / "privacy"


def _copies(home: Path) -> Path:
    def build(directory: Path) -> dict[str, Any]:
        write_png(directory / "nearest.png", np.zeros((20, 30), np.uint8))
        return {"verdict": "fail", "judged": 8, "quarantined": [3], "rule": "an image is set aside when it is near"}

    made = Copies(synthetic=home / "synthetic", real=home / "real", out=home / "copies")
    builder.build_artifact(made, "copies", build)
    assert artifacts.open_artifact(home / "copies", "copies")
    return home / "copies"
