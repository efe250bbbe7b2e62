"""Copies that are planted are found as often as `copies` and the checks of the study find real ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import tamper, write_external
from evaluation.planted.image_studies import (
    SIZE,
    TRAINING,
    VALIDATION,
    draw_hands,
    gather,
    hash_files,
    list_unknown,
    make_arm,
    plant,
    write_real,
)

from xrayaug.data.images.arrays import Pixels
from xrayaug.evaluation.gather.runs import Run
from xrayaug.evaluation.planted import copies, images, pictures
from xrayaug.evaluation.planted.copies import ComparisonAudit, ScreeningAudit
from xrayaug.networks import inception
from xrayaug.networks.inception import InceptionNetwork
from xrayaug.options import Copies
from xrayaug.stages import copies as copies_stage
from xrayaug.stats.array_types import FeatureArray
from xrayaug.storage.artifacts import Result
from xrayaug.storage.files import COPIES_FILE

DRAWN = 80
OF_TRAINING, OF_TEST = "ddpm, copies of training images", "ddpm, copies of test images"
SCREENING: dict[str, Any] = {"features": "random", "dims": "64", "alpha": 0.02, "level": 0.3, "device": "cpu"}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a tenth as often."""
    monkeypatch.setattr(pictures, "PLANTINGS", 20)


def write_drawn(home: Path, real: Path | str | None, pixels: Pixels) -> Path:
    """Write the images of a generator from elsewhere."""
    return write_external(home, learnt_from=real, pixels=pixels, labels=("normal", "abnormal") * (len(pixels) // 2))


def screen(home: Path, real: Path, pixels: Pixels) -> tuple[Path, Path, Result]:
    synthetic = write_drawn(home, real, pixels)
    result = copies_stage.run(Copies(synthetic=synthetic, real=real, out=home / "copies", **SCREENING))
    return synthetic, home / "copies", result


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """Compute random weights once, and use 8 x 8 means as features."""
    weights = inception.random_weights(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "random_weights", lambda _: weights)
        patch.setattr(InceptionNetwork, "begin", means)
        yield


def means(_: InceptionNetwork, batch: list[Pixels]) -> Callable[[], FeatureArray]:
    blocks = np.stack(batch).reshape(len(batch), 8, SIZE // 8, 8, SIZE // 8).mean(axis=(2, 4))
    return lambda: np.asarray(blocks.reshape(-1, 64), np.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def screened(home: Path) -> Run:
    """A study whose synthetic images are fresh hands, which were screened."""
    real = write_real(home)
    synthetic, screening, result = screen(home, real, draw_hands(DRAWN, 900))
    assert result["verdict"] == "pass"
    return make_arm(home, real, synthetic, screenings=[screening], percent=100)


def test_copies_of_training_images_are_told_from_fresh_images(screened: Run) -> None:
    rates = {form: rates for (what, form), rates in plant(screened).items() if what == OF_TRAINING}
    unchanged = rates["unchanged"]
    assert {amount: rate.share for amount, rate in unchanged.items()} == {0.0: 0, 0.01: 0, 0.05: 1}
    assert {amount: rate.counted for amount, rate in unchanged.items()} == {0.0: 0, 0.01: 1, 0.05: 1}
    assert rates["mirrored"][0.05].counted == 1
    assert (rates["strongly changed"][0.05].counted or 0) < 1
    assert unchanged[0.05].note == copies.BY_PIXELS
    assert list(unchanged) == [0.0, 0.01, 0.05]
    assert list(rates["mirrored"]) == [0.01, 0.05]


def test_the_screening_of_real_copies_says_the_same(screened: Run, tmp_path: Path) -> None:
    """As many copies as are planted are written and screened by `copies` itself."""
    (audit,) = (each for each in gather(screened).audits if isinstance(each, ScreeningAudit))
    number = 4  # 5 % of the images
    drawn = np.concatenate([draw_hands(DRAWN - number, 900 + number), draw_hands(number)])
    _, _, result = screen(tmp_path, write_real(tmp_path), drawn)
    pixels = result["spaces"]["pixels"]
    assert (audit.threshold.value, audit.threshold.rate) == (pixels["threshold"], pixels["rate"])
    assert set(range(DRAWN - number, DRAWN)) <= set(result["quarantined"])
    planted = plant(screened)[OF_TRAINING, "unchanged"][0.05]
    fails = audit.threshold.is_exceeded(pixels["set_aside"], DRAWN, SCREENING["level"])
    assert planted.share == fails == 1


def test_a_set_that_was_not_screened_is_not_checked(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    run = make_arm(tmp_path, real, write_drawn(tmp_path, real, draw_hands(4, 900)), percent=10)
    assert list_unknown(run)[OF_TRAINING] == "not checked here, so copies would not have been seen: run xrayaug copies"
    assert not [form for what, form in plant(run) if what == OF_TRAINING]


def test_a_screening_of_unknown_training_images_is_unknown(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    synthetic = write_drawn(tmp_path, None, draw_hands(DRAWN, 900))
    copies_stage.run(Copies(synthetic=synthetic, real=real, out=tmp_path / "copies", **SCREENING))
    run = make_arm(tmp_path, real, synthetic, screenings=[tmp_path / "copies"])
    assert list_unknown(run)[OF_TRAINING] == (
        "it was not screened for copies of the images that its generator was trained on"
    )


def test_a_screening_that_fails_hides_what_is_planted(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    drawn = np.concatenate([draw_hands(DRAWN - TRAINING, 900), draw_hands(TRAINING)])
    synthetic, screening, result = screen(tmp_path, real, drawn)
    assert result["verdict"] == "fail"
    run = make_arm(tmp_path, real, synthetic, screenings=[screening], percent=10)
    assert list_unknown(run)[OF_TRAINING].startswith("the screening fails without planted copies")


def test_copies_of_test_images_are_near_duplicates_of_them(screened: Run) -> None:
    rates = {form: rates for (what, form), rates in plant(screened).items() if what == OF_TEST}
    for form in ("unchanged", "recompressed", "mirrored"):
        assert [rate.share for amount, rate in rates[form].items() if amount] == [1, 1]
    assert rates["unchanged"][0.0].share == 0
    assert [rate.share for rate in rates["strongly changed"].values()] == [0, 0]


def test_a_copy_that_is_drawn_at_another_size_is_found(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    run = make_arm(tmp_path, real, write_drawn(tmp_path, "none", draw_hands(4, 900, 48)), percent=10)
    (audit,) = (each for each in gather(run).audits if isinstance(each, ComparisonAudit))
    assert audit.size == 48
    assert plant(run)[OF_TEST, "unchanged"][0.05].share == 1


def test_small_images_cannot_tell_a_changed_copy(tmp_path: Path) -> None:
    run = make_arm(tmp_path, write_real(tmp_path), write_drawn(tmp_path, "none", draw_hands(2, 900, 16)), percent=10)
    assert list_unknown(run)[OF_TEST] == "images are too small to tell a copy that has been changed at all"


def test_copies_of_test_images_of_the_study_itself_hide_what_is_planted(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    drawn = np.concatenate([draw_hands(1, TRAINING + VALIDATION)] * 2)  # of the first test patient
    run = make_arm(tmp_path, real, write_drawn(tmp_path, "none", drawn), percent=10)
    assert list_unknown(run)[OF_TEST].startswith("copies are reported without one that is planted")


def test_planting_changes_no_file(home: Path, screened: Run) -> None:
    before = hash_files(home)
    assert images.plant_images(gather(screened).audits, 0) == images.plant_images(gather(screened).audits, 0)
    assert hash_files(home) == before
    assert any(name.endswith("images.npy") for name in before)


def test_a_damaged_screening_is_unknown(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    synthetic, screening, _ = screen(tmp_path, real, draw_hands(DRAWN, 900))
    tamper(screening, COPIES_FILE, lambda content: content.replace(b"distance_in_pixels", b"distance"))
    run = make_arm(tmp_path, real, synthetic, screenings=[screening])
    reason = list_unknown(run)[OF_TRAINING]
    assert reason.startswith("the screening cannot be read: ")
    assert "copies.csv" in reason
