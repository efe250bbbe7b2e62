"""A generator that replays its training patients fails the audit; fresh images pass, and its power is said."""

import shutil
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
from xrayaug.metrics import privacy_sets
from xrayaug.networks import inception
from xrayaug.networks.inception import InceptionNetwork
from xrayaug.options import Prepare, Privacy, Sample, TrainGan
from xrayaug.stages import prepare, privacy, sample, train_gan
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
    monkeypatch.setattr(privacy_sets, "MAX_PLANTED", 30)
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
    by_kind = {(each["disturbance"], each["copies"]): each["found"] for each in found["sensitivity"]}
    assert by_kind["unchanged", 1] == 1.0  # a copy that equals its original is always found
    assert by_kind["unchanged", 12] >= by_kind["strongly changed", 12]
    assert [each["share"] for each in found["sensitivity"][:3]] == [1 / FRESH, 3 / FRESH, 12 / FRESH]
    assert found["recognised"]["unchanged"] == {"pixels": 1.0, "features": 1.0}
    assert "discriminator" not in found["membership"]
    assert "unchanged ones if they are 2 % of the synthetic images (1)" in found["reason"]
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
    assert found["sensitivity"] == []  # copies that are found without being planted would say nothing
    assert privacy.NOT_PLANTED in privacy.tables(found)[-1].notes


def test_one_image_is_not_called_one_percent(audit: Audit, hands: Pixels) -> None:
    found = audit(hands[-1:])
    assert {(each["share"], each["copies"]) for each in found["sensitivity"]} == {(1.0, 1)}


def test_images_of_held_out_patients_fail_too(audit: Audit, hands: Pixels) -> None:
    found = audit(hands[TRAINING : TRAINING + HELD_OUT])
    assert found["verdict"] == "fail"
    assert f"images of {HELD_OUT} held-out patients are among the synthetic ones" in found["reason"]


def test_a_held_out_image_of_a_training_patient_is_left_out(audit: Audit, hands: Pixels, tmp_path: Path) -> None:
    splits = ["train"] * TRAINING + ["test"] * HELD_OUT
    rows = [row(patient=f"p{n % 90}", study=f"s{n}", split=split) for n, split in enumerate(splits)]
    shared = write_dataset(tmp_path / "shared", rows, pixels=hands[: len(splits)], split_by="image")
    found = audit(hands[-FRESH:], real=shared)
    assert found["images"]["held_out_images"] == found["images"]["held_out_patients"] == HELD_OUT - 10


@pytest.mark.parametrize(
    ("learnt_from", "verdict"),
    [("real", "pass"), ("other", "cannot tell"), ("none", "cannot tell"), ("unknown", "cannot tell")],
)
def test_a_generator_that_may_not_know_the_patients_does_not_pass(
    hands: Pixels, real: Path, tmp_path: Path, learnt_from: str, verdict: str
) -> None:
    (tmp_path / "made").mkdir()
    for number, pixels in enumerate(hands[-FRESH:]):
        Image.fromarray(pixels).save(tmp_path / "made" / f"{number}.png")
    other = write_dataset(tmp_path / "other", [row(patient=f"q{n}") for n in range(3)], pixels=hands[-3:])
    prepared = Prepare(
        input=tmp_path / "made", source="folder", label="normal", synthetic=True, size=SIZE,
        learnt_from=str({"real": real, "other": other}.get(learnt_from, learnt_from)), out=tmp_path / "external",
    )  # fmt: skip
    prepare.run(prepared)
    found = privacy.run(options(prepared.out, real, tmp_path / "privacy"))
    assert found["verdict"] == verdict
    assert ("was trained on" in found["reason"]) == (learnt_from != "real")


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
    shutil.rmtree(gan.out)
    without_run = privacy.run(options(tmp_path / "synthetic", data, tmp_path / "without-run"))
    assert without_run["verdict"] != "pass"
    assert "discriminator" not in without_run["membership"]
