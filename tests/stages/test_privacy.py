"""A generator that replays its training patients fails the audit; fresh images pass, and its power is said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import row, write_dataset
from PIL import Image

from xrayaug.data import phantoms
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError
from xrayaug.metrics import privacy as attacks
from xrayaug.networks import inception
from xrayaug.networks.inception import InceptionNetwork
from xrayaug.options import Privacy, Sample, TrainGan
from xrayaug.stages import privacy, sample, train_gan
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage import artifacts
from xrayaug.storage.artifacts import Result

TRAINING, HELD_OUT, FRESH, SIZE = 60, 40, 60, 32
Audit = Callable[..., Result]


@pytest.fixture(scope="module")
def hands() -> Pixels:
    """Drawn hands uint8 `[N, S, S]`, each of another patient: training, held-out and fresh ones."""
    count = TRAINING + HELD_OUT + FRESH
    drawn = [phantoms.draw_hand(np.random.default_rng(n), SIZE, SIZE, abnormal=False) for n in range(count)]
    return np.stack(drawn)


@pytest.fixture(scope="module")
def real(hands: Pixels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n}", study=f"s{n}", split=split) for n, split in enumerate(splits)]
    return write_dataset(tmp_path_factory.mktemp("sets") / "real", rows, pixels=hands[: len(splits)])


@pytest.fixture(scope="module")
def weights() -> inception.InceptionWeights:
    return inception.random_weights(0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, weights: inception.InceptionWeights) -> None:
    """Use 8 x 8 means as features."""
    monkeypatch.setattr(inception, "random_weights", lambda _: weights)
    monkeypatch.setattr(InceptionNetwork, "begin", means)
    monkeypatch.setattr(privacy, "MAX_PLANTED", 30)
    monkeypatch.setattr(attacks, "REPEATS", 10)


def means(_: InceptionNetwork, batch: list[Pixels]) -> Callable[[], FeatureArray]:
    small = [np.asarray(Image.fromarray(each).resize((8, 8), Image.Resampling.BOX), np.float32) for each in batch]
    return lambda: np.stack(small).reshape(-1, 64)


@pytest.fixture
def audit(tmp_path: Path, real: Path) -> Audit:
    """Return a function that audits synthetic images with given pixels and returns the result."""

    def make(pixels: Pixels, **changes: Any) -> Result:
        rows = [row(patient="", study="", source="dcgan", synthetic=True)] * len(pixels)
        synthetic = write_dataset(tmp_path / "synthetic", rows, pixels=pixels)
        return privacy.run(options(synthetic, real, tmp_path / "privacy", **changes))

    return make


def options(synthetic: Path, learnt_from: Path, out: Path, **changes: Any) -> Privacy:
    given = {"synthetic": synthetic, "real": learnt_from, "features": "random", "dims": "64", "out": out}
    return Privacy(**{**given, "device": "cpu", **changes})


def test_fresh_images_pass_and_what_would_have_been_found_is_said(audit: Audit, hands: Pixels, tmp_path: Path) -> None:
    found = audit(hands[-FRESH:])
    assert found["verdict"] == "pass"
    assert found["images"] == {
        "synthetic_images": FRESH,
        "training_images": TRAINING,
        "training_patients": TRAINING,
        "held_out_images": HELD_OUT,
        "held_out_patients": HELD_OUT,
    }
    by_kind = {(each["disturbance"], each["share"]): each["found"] for each in found["sensitivity"]}
    assert by_kind["unchanged", 0.01] == 1.0  # a copy that equals its original is always found
    assert by_kind["unchanged", 0.2] >= by_kind["strongly changed", 0.2]
    assert found["recognised"]["unchanged"] == {"pixels": 1.0, "features": 1.0}
    assert "discriminator" not in found["membership"]
    assert "1% of unchanged copies" in found["reason"]
    notes = "\n".join(privacy.tables(found)[-1].notes)
    assert "pass" in notes
    assert "no proof" in notes
    assert artifacts.open_artifact(tmp_path / "privacy", "privacy").result == found


@pytest.mark.parametrize("noise", [0, 4])
def test_a_generator_that_replays_its_training_patients_fails(audit: Audit, hands: Pixels, noise: int) -> None:
    disturbed = hands[:TRAINING] + np.random.default_rng(0).normal(0, noise, (TRAINING, SIZE, SIZE))
    found = audit(np.clip(disturbed, 0, 255).astype(np.uint8))
    assert found["verdict"] == "fail"
    assert found["p_corrected"]["pixels links"] < 0.05
    assert found["membership"]["pixels"]["auroc"] > 0.9
    assert (found["duplicates"]["pixels"] > 0) == (noise == 0)


def test_patients_that_differ_by_themselves_leave_no_verdict(
    audit: Audit, hands: Pixels, real: Path, tmp_path: Path
) -> None:
    """Held-out images are darker: images like the training ones are nearer to these, which proves nothing."""
    pixels = hands[: TRAINING + HELD_OUT].copy()
    pixels[TRAINING:] = pixels[TRAINING:] // 4
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n}", study=f"s{n}", split=split) for n, split in enumerate(splits)]
    shifted = write_dataset(tmp_path / "shifted", rows, pixels=pixels)
    found = audit(hands[-FRESH:], real=shifted)
    assert found["verdict"] == "cannot tell"
    assert "differ by themselves" in found["reason"]
    assert found["without_synthetic"]["low"] > 0.9


def test_a_patient_counts_once(audit: Audit, hands: Pixels, tmp_path: Path) -> None:
    """Of 60 training images, two of each of 30 patients."""
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n // 2}", study=f"s{n}", split=split) for n, split in enumerate(splits)]
    paired = write_dataset(tmp_path / "paired", rows, pixels=hands[: len(splits)])
    found = audit(hands[-FRESH:], real=paired)
    assert found["images"]["training_patients"] == TRAINING // 2
    assert found["images"]["held_out_patients"] == HELD_OUT // 2


def test_too_few_patients_are_refused(hands: Pixels, audit: Audit, tmp_path: Path) -> None:
    rows = [row(patient=f"p{n}", study=f"s{n}", split="train" if n < 30 else "test") for n in range(40)]
    few = write_dataset(tmp_path / "few", rows, pixels=hands[:40])
    with pytest.raises(DataError, match="validation and test images of 10 patients") as caught:
        audit(hands[-FRESH:], real=few)
    assert "--test" in caught.value.hint


def test_real_images_are_refused(real: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no synthetic images"):
        privacy.run(options(real, real, tmp_path / "privacy"))


def test_a_dry_run_writes_nothing(real: Path, hands: Pixels, tmp_path: Path) -> None:
    rows = [row(patient="", study="", source="dcgan", synthetic=True)] * FRESH
    synthetic = write_dataset(tmp_path / "synthetic", rows, pixels=hands[-FRESH:])
    planned = privacy.plan(options(synthetic, real, tmp_path / "privacy"))
    assert planned["images"]["training_patients"] == TRAINING
    assert not (tmp_path / "privacy").exists()
    assert privacy.tables(planned)[0].rows[-1] == ("features", "random")


def test_the_discriminator_is_asked_and_only_the_label_that_was_seen(hands: Pixels, tmp_path: Path) -> None:
    """A GAN that was trained on normal images alone is asked about normal images alone."""
    count = TRAINING + HELD_OUT
    rows = [
        row(
            patient=f"p{n}",
            study=f"s{n}",
            split="train" if n < TRAINING else "test",
            label="abnormal" if n % 4 == 0 else "normal",
        )
        for n in range(count)
    ]
    data = write_dataset(tmp_path / "data", rows, pixels=hands[:count])
    gan = TrainGan(
        data=data, arch="dcgan", only_label="normal", epochs=1, batch_size=20, width=0.05, device="cpu",
        on_collapse="warn", out=tmp_path / "gan",
    )  # fmt: skip
    train_gan.run(gan)
    sample.run(Sample(run=gan.out, count=20, device="cpu", out=tmp_path / "synthetic"))
    found = privacy.run(options(tmp_path / "synthetic", data, tmp_path / "privacy"))
    assert set(found["membership"]) == {"pixels", "features", "discriminator"}
    assert found["images"]["training_images"] == TRAINING * 3 // 4
    assert found["images"]["held_out_images"] == HELD_OUT * 3 // 4
    assert set(found["p_corrected"]) >= {"discriminator auroc", "discriminator exposed"}
