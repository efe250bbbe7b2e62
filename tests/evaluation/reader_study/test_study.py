"""Reader studies: drawn half and half, matched in all but being synthetic, with no answer on the page."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import row, tamper, write_dataset
from evaluation.reader_study.evaluations import BRIGHT, DARK, GREY, SYNTHETIC, evaluate_options

from xrayaug.data.dataset import Dataset, open_dataset
from xrayaug.errors import ArtifactError, DataError, OutputError
from xrayaug.evaluation.gather import reader_files, reader_images
from xrayaug.evaluation.gather.reader_files import ReaderInputs
from xrayaug.evaluation.gather.runs import Run, open_runs
from xrayaug.evaluation.reader_study import study
from xrayaug.evaluation.reader_study.study import StudyImage
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts


@pytest.fixture(scope="module")
def runs(home: Path) -> list[Run]:
    return open_runs(evaluate_options(home / "out").runs)


def draw(runs: Sequence[Run], count: int, seed: int, reals: str) -> list[StudyImage]:
    return study.draw(reader_images.gather_images(runs, reals).pools, count, seed)


def add_study(evaluation: Path, count: int, **changes: Any) -> dict[str, Any]:
    """Add a study of so many images to a finished evaluation; the evaluation's result."""
    return evaluate.extend(evaluate_options(evaluation, reader_study=count, **changes), ReaderInputs(), {})


def brightness(drawn: Sequence[StudyImage], *, synthetic: bool) -> set[int]:
    """Mean brightness of the images, to the nearest ten."""
    means = [open_dataset(each.data).pixels([each.row]).mean() for each in drawn if each.row.synthetic == synthetic]
    return {round(float(mean), -1) for mean in means}  # type: ignore[misc]


@pytest.mark.parametrize(("count", "synthetic"), [(2, 1), (12, 6), (7, 3), (2 * SYNTHETIC + 1, SYNTHETIC)])
def test_half_are_synthetic_and_of_an_odd_number_one_more_is_real(runs: list[Run], count: int, synthetic: int) -> None:
    drawn = draw(runs, count, 0, "generator")
    summary = study.summarize(drawn, "generator")
    assert (summary.images, summary.synthetic, summary.real) == (count, synthetic, count - synthetic)
    assert len({(each.data, each.row.image, each.row.row) for each in drawn}) == count
    assert len({each.name for each in drawn}) == count


@pytest.mark.parametrize(("reals", "expected"), [("generator", DARK), ("arm", GREY)])
def test_reader_reals_chooses_the_real_images(runs: list[Run], reals: str, expected: int) -> None:
    drawn = draw(runs, 12, 0, reals)
    assert brightness(drawn, synthetic=True) == {BRIGHT}
    assert brightness(drawn, synthetic=False) == {expected}
    assert {each.row.label for each in drawn} == {"normal"}
    assert all(each.row.split == "train" for each in drawn)


def test_the_draw_depends_on_the_seed_but_not_on_the_order_of_the_runs(runs: list[Run]) -> None:
    def drawn(seed: int, runs: list[Run]) -> list[tuple[str, bool, int]]:
        return [(each.name, each.row.synthetic, each.row.row) for each in draw(runs, 12, seed, "generator")]

    assert drawn(1, runs) == drawn(1, open_runs([Path(run.name) for run in reversed(runs)]))
    assert drawn(1, runs) != drawn(2, runs)


def test_the_order_is_random(runs: list[Run]) -> None:
    """Over seeds, the first image is of either kind equally often, and so is the one with the lowest name."""
    drawn = [draw(runs, 8, seed, "generator") for seed in range(60)]
    assert 15 <= sum(each[0].row.synthetic for each in drawn) <= 45
    assert 15 <= sum(min(each, key=lambda image: image.name).row.synthetic for each in drawn) <= 45


def test_all_are_shown_at_the_smallest_size(runs: list[Run]) -> None:
    """The arm's own images have 12 pixels, the synthetic ones 8."""
    images = reader_images.gather_images(runs, "arm")
    drawn = study.draw(images.pools, 4, 0)
    assert {each.side for each in drawn} == {8, 12}
    assert images.read_pixels(drawn).shape == (4, 8, 8)
    assert study.summarize(drawn, "arm").size == 8


def test_labels_are_matched(tmp_path: Path, runs: list[Run]) -> None:
    """There are as many real images of each label as synthetic ones."""
    rows = [row(label=label, patient=f"{label}{number}") for label in ("normal", "abnormal") for number in range(9)]
    made = [row(label=label, synthetic=True, patient="") for label in ("normal", "abnormal", "abnormal", "abnormal")]
    data = open_dataset(write_dataset(tmp_path / "data", rows + made))
    drawn = draw([_on(runs[-1], data)], 8, 0, "arm")
    for synthetic in (True, False):
        labels = sorted(each.row.label for each in drawn if each.row.synthetic == synthetic)
        assert labels == ["abnormal"] * 3 + ["normal"]


def _on(run: Run, data: Dataset) -> Run:
    return replace(run, data=data)


def test_copies_of_real_images_and_controls_are_left_out(tmp_path: Path, runs: list[Run]) -> None:
    rows = [row(), row(copy=1), row(copy=2), row(synthetic=True, patient="")]
    places = [0, 0, 0, 1]
    given = [row(**{**vars(each), "row": place}) for each, place in zip(rows, places, strict=True)]
    data = open_dataset(write_dataset(tmp_path / "data", given, numbered=False))
    assert [each.row.copy for each in draw([_on(runs[-1], data)], 2, 0, "arm") if not each.row.synthetic] == [0]
    with pytest.raises(DataError, match=r"needs 2 real .*normal.* 1$"):
        draw([_on(runs[-1], data)], 3, 0, "arm")


def test_too_few_synthetic_images_are_refused(runs: list[Run]) -> None:
    with pytest.raises(DataError, match=r"--reader-study 22 .* 11 .* 10$") as caught:
        draw(runs, 22, 0, "generator")
    assert " 21" in caught.value.hint
    with pytest.raises(DataError, match=r"--reader-study 22 .* 0$"):
        draw(runs[:1], 22, 0, "generator")


def test_generator_images_that_are_gone_are_refused(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "learnt")
    moved = open_runs(evaluate_options(tmp_path / "home" / "out").runs)
    with pytest.raises(DataError, match="generator") as caught:
        draw(moved, 4, 0, "generator")
    assert "--reader-reals arm" in caught.value.hint
    assert len(draw(moved, 4, 0, "arm")) == 4


def test_a_study_is_added_to_a_finished_evaluation(evaluation: Path) -> None:
    before = artifacts.open_artifact(evaluation)
    result = evaluate.extend(evaluate_options(evaluation, reader_study=7), ReaderInputs(), before.result)
    made = artifacts.open_artifact(evaluation)
    assert set(made.manifest["files"]) - set(before.manifest["files"]) == {study.PAGE_FILE, study.KEY_FILE}
    assert result == made.result == before.result | {"reader_study": result["reader_study"]}
    assert (result["reader_study"]["synthetic"], result["reader_study"]["real"]) == (3, 4)
    assert {name: made.manifest[name] for name in ("options", "inputs", "environment")} == {
        name: before.manifest[name] for name in ("options", "inputs", "environment")
    }
    (table,) = evaluate.list_reader_tables(result)
    assert table.rows == [("7", "3", "4", "7 normal", "8 px", "generator")]
    bytes_before = (evaluation / study.PAGE_FILE).read_bytes()
    assert add_study(evaluation, 7) == result
    assert (evaluation / study.PAGE_FILE).read_bytes() == bytes_before


def test_a_study_is_not_replaced_by_another(evaluation: Path) -> None:
    add_study(evaluation, 4)
    with pytest.raises(OutputError, match="images was 4, is now 6"):
        add_study(evaluation, 6)
    with pytest.raises(OutputError, match="reals was generator, is now arm"):
        add_study(evaluation, 4, reader_reals="arm")


def test_the_key_has_the_truth_and_the_page_has_not(evaluation: Path) -> None:
    add_study(evaluation, 8)
    made = artifacts.open_artifact(evaluation)
    key, page = reader_files.read_key(made), (evaluation / study.PAGE_FILE).read_text(encoding="utf-8")
    assert sum(entry.synthetic for entry in key.truth.values()) == 4
    assert key.name in page
    for name, entry in key.truth.items():
        (picture,) = open_dataset(evaluation.parent / entry.data).arrays[entry.array][[entry.row]]
        assert (picture.mean() > 150) == entry.synthetic
        assert name in page
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert [set(each) for each in data["images"]] == [{"id", "png"}] * 8
    for hidden in ("dcgan", "l0.png", "images.npy", "patient"):
        assert hidden not in page.replace("taken of patients", "")


def test_a_study_is_named_by_its_images(evaluation: Path) -> None:
    runs = open_runs(evaluate_options(evaluation).runs)
    images = reader_images.gather_images(runs, "generator")
    drawn = [study.draw(images.pools, 6, seed) for seed in (0, 0, 1)]
    names = {study.make(each, images.read_pixels(each), "generator").key.name for each in drawn}
    assert len(names) == 2


def test_an_evaluation_without_a_study_has_no_key(evaluation: Path) -> None:
    with pytest.raises(DataError, match="has no reader study"):
        reader_files.read_key(artifacts.open_artifact(evaluation))


def test_a_key_of_another_format_is_refused(evaluation: Path) -> None:
    add_study(evaluation, 4)
    tamper(evaluation, study.KEY_FILE, lambda content: content.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(ArtifactError, match=r"reader-key\.json has format 2, not 1"):
        reader_files.read_key(artifacts.open_artifact(evaluation))


def test_a_plan_counts_the_images_and_writes_nothing(home: Path) -> None:
    options = evaluate_options(home / "not-there", reader_study=5, dry_run=True)
    planned = evaluate.plan_reader_study(options, open_runs(options.runs))
    assert planned["reader_study"]["real"] == 3
    assert evaluate.list_reader_tables(planned)[0].notes == []
    assert evaluate.plan_reader_study(evaluate_options(home / "not-there"), []) == {}
    assert not (home / "not-there").exists()


def test_the_pictures_are_those_of_the_datasets(runs: list[Run]) -> None:
    images = reader_images.gather_images(runs, "generator")
    drawn = study.draw(images.pools, 4, 0)
    for image, picture in zip(drawn, images.read_pixels(drawn), strict=True):
        np.testing.assert_array_equal(picture, open_dataset(image.data).arrays[image.row.image][image.row.row])
