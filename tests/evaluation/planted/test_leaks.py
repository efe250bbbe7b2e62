"""Leaks that are planted are found if the study's own checks would find them, and else it is said that they are not."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import edit_manifest, row, write_dataset, write_external
from evaluation.planted.image_studies import (
    TRAINING,
    VALIDATION,
    draw_hands,
    gather,
    hash_files,
    list_rows,
    list_unknown,
    make_arm,
    make_baseline,
    plant,
    write_real,
)

from xrayaug.data.images.disturbances import DISTURBANCES, EDITS
from xrayaug.evaluation.gather import facts
from xrayaug.evaluation.planted import images, leaks, pictures
from xrayaug.evaluation.planted.leaks import LeakAudit

IN_TRAINING, IN_CHANGED, IN_GENERATORS = (
    "training images",
    "changed training images",
    "training images of generators",
)
FIRST_TESTED = TRAINING + VALIDATION


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plant a tenth as often."""
    monkeypatch.setattr(pictures, "PLANTINGS", 20)


@pytest.mark.parametrize("form", [leaks.SAME, leaks.RENAMED, leaks.OTHER])
def test_names_and_equal_pixels_are_always_found(tmp_path: Path, form: str) -> None:
    rates = plant(make_baseline(tmp_path, write_real(tmp_path)))[IN_TRAINING, form]
    assert [(amount, rate.share, rate.counted) for amount, rate in rates.items()] == [
        (0.0, 0.0, 0.0), (0.01, 1.0, 1.0), (0.05, 1.0, 1.0), (0.2, 1.0, 1.0)
    ]  # fmt: skip
    assert {rate.trials for rate in rates.values()} == {20}


def test_without_hashes_only_names_are_found(tmp_path: Path) -> None:
    rates = plant(make_baseline(tmp_path, write_real(tmp_path, list_rows(sha256=""))))
    assert rates[IN_TRAINING, leaks.SAME][0.01].share == 1
    assert [rate.share for rate in rates[IN_TRAINING, leaks.RENAMED].values()] == [0, 0, 0, 0]


def test_without_names_of_patients_other_images_of_them_are_unknown(tmp_path: Path) -> None:
    rows = [replace(each, patient=each.file.removesuffix(".png")) for each in list_rows()]
    run = make_baseline(tmp_path, write_real(tmp_path, rows))
    rates = plant(run)
    assert (IN_TRAINING, leaks.OTHER) not in rates
    assert rates[IN_TRAINING, leaks.RENAMED][0.05].share == 1
    assert list_unknown(run)[IN_TRAINING] == (
        "other images of the patients, planted in training, would not have been seen: the dataset does not name "
        "patients"
    )


def test_changed_images_are_found_as_far_as_prepare_compares_them(tmp_path: Path) -> None:
    rates = plant(make_baseline(tmp_path, write_real(tmp_path)))
    forms = [form for what, form in rates if what == IN_CHANGED]
    assert forms == [*EDITS, *(name for name in DISTURBANCES if name != "unchanged")]
    shares = {form: [rate.share for rate in rates[IN_CHANGED, form].values()] for form in forms}
    for form in ("recompressed", "20 % brighter", "mirrored"):
        assert shares[form] == [0, 1, 1, 1]
    for form in ("5 % cropped at each side", "strongly changed"):
        assert shares[form] == [0, 0, 0, 0]
    assert "keeps copies in one split, or refuses them" in (
        rates[IN_CHANGED, "5 % cropped at each side"][0.0].note or ""
    )


def test_a_false_alarm_of_changed_images_is_counted(tmp_path: Path) -> None:
    """Two training images are mirrored test images, which `prepare --duplicates warn` would leave there."""
    rows = list_rows()
    hands = draw_hands(len(rows))
    hands[:2] = hands[FIRST_TESTED : FIRST_TESTED + 2, :, ::-1]
    real = write_dataset(tmp_path / "real", rows, pixels=hands)
    edit_manifest(real, lambda manifest: manifest["result"].update(near_copies={"threshold": 0.97}))
    edit_manifest(real, lambda manifest: manifest["options"].update(duplicates="warn"))
    alarms = plant(make_baseline(tmp_path, real))[IN_CHANGED, "mirrored"][0.0]
    assert alarms.found > 0
    assert "only warns" in (alarms.note or "")


def test_a_set_that_was_not_compared_by_content_is_unknown(tmp_path: Path) -> None:
    run = make_baseline(tmp_path, write_real(tmp_path, compared=False))
    assert not [form for what, form in plant(run) if what == IN_CHANGED]
    assert list_unknown(run)[IN_CHANGED] == (
        "real was prepared without a comparison by content, so a leak of changed images under other names would not "
        "have been seen"
    )


def test_test_images_of_another_dataset_are_not_compared_by_content(tmp_path: Path) -> None:
    run = make_baseline(tmp_path, write_real(tmp_path))
    rows = [row(split="test", label=label, patient=label, study="", sha256=label) for label in ("normal", "abnormal")]
    other = write_dataset(tmp_path / "other", rows, pixels=draw_hands(2, 900))
    unknown = list_unknown(run, also=[other])
    assert list(unknown) == ["changed training images, test set other"]
    assert "of different datasets" in unknown["changed training images, test set other"]
    rates = plant(run, also=[other])
    assert rates["training images, test set other", leaks.OTHER][0.01].share == 1


def test_a_leak_of_the_study_itself_hides_what_is_planted(tmp_path: Path) -> None:
    rows = list_rows()
    rows[0] = replace(rows[0], sha256=rows[-1].sha256)
    run = make_baseline(tmp_path, write_real(tmp_path, rows))
    assert not [form for what, form in plant(run) if what == IN_TRAINING]
    assert list_unknown(run)[IN_TRAINING].startswith("a leak is reported without one that is planted")


def test_a_declared_dataset_of_a_generator_is_planted_in(tmp_path: Path) -> None:
    real = write_real(tmp_path)
    run = make_arm(tmp_path, real, write_external(tmp_path, learnt_from=real), percent=10)
    rate = plant(run)[IN_GENERATORS, leaks.RENAMED][0.05]
    assert (rate.share, rate.note) == (1, "in what the user declared that ddpm was trained on")


@pytest.mark.parametrize(
    ("learnt_from", "reason"),
    [
        (None, "what they were trained on is unknown (ddpm), so a leak would not have been seen"),
        ("none", "that ddpm saw none of the images of this study is only declared by the user, so a leak would not "
         "have been seen"),
    ],
)  # fmt: skip
def test_nothing_is_planted_in_what_a_generator_may_have_seen(
    tmp_path: Path, learnt_from: str | None, reason: str
) -> None:
    run = make_arm(tmp_path, write_real(tmp_path), write_external(tmp_path, learnt_from=learnt_from), percent=10)
    assert list_unknown(run)[IN_GENERATORS] == reason
    assert not [form for what, form in plant(run) if what == IN_GENERATORS]


def test_planting_changes_no_file_and_no_audit(tmp_path: Path) -> None:
    run = make_baseline(tmp_path, write_real(tmp_path))
    before = hash_files(tmp_path)
    audits = gather(run).audits
    (first,) = (each for each in audits if isinstance(each, LeakAudit))
    overlap = first.seen.overlap(first.tested)
    planted = images.plant_images(audits, 0)
    assert images.plant_images(audits, 0) == planted
    assert first.seen.overlap(first.tested) == overlap
    assert hash_files(tmp_path) == before


def test_what_is_planted_is_what_the_check_of_a_study_reports(tmp_path: Path) -> None:
    """A dataset that really holds a leaked image is told by the same check."""
    real = write_real(tmp_path)
    rows = list_rows()
    leaked = [replace(rows[FIRST_TESTED], split="train", patient="another", file="another.png"), *rows[:FIRST_TESTED]]
    (tmp_path / "leaked").mkdir()
    other = write_dataset(tmp_path / "leaked" / "real", leaked, pixels=draw_hands(len(leaked)))
    tested = make_baseline(tmp_path, real)
    seen = facts.see_training_images([make_baseline(tmp_path / "leaked", other).data])
    assert seen.overlap(facts.find_keys(tested.data, tested.test)).images == 1
