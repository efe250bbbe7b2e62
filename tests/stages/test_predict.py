"""Predict with classifier runs: the images of datasets and folders, and what is written."""

import csv
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import arm_of, edit_manifest, grey, row, train, write_dataset, write_png

from xrayaug.data.dataset import open_dataset
from xrayaug.errors import ArtifactError, DataError, InputError, UsageError
from xrayaug.options import Evaluate, Predict, Prepare
from xrayaug.stages import evaluate, predict, prepare
from xrayaug.storage import artifacts

MakeDataset = Callable[..., Path]  # conftest's fixture


def options(runs: list[Path], data: Path, out: Path, **changes: Any) -> Predict:
    return Predict(runs=tuple(runs), data=data, out=out, device="cpu", batch_size=5, workers=1, **changes)


def lines_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    home = tmp_path_factory.mktemp("study")
    ten = make_dataset(home / "arm10", synthetic=1, result={"arm": arm_of(10.0, 1)})
    none = make_dataset(home / "arm0", result={"arm": arm_of(0.0, 0)})
    return [train(data, home / f"{data.name}-{seed}", seed) for data in (ten, none) for seed in (1, 0)]


def data_of(run: Path) -> Path:
    return artifacts.open_artifact(run).input("data")


def test_predictions_of_the_own_test_images_are_those_of_evaluate(runs: list[Path], tmp_path: Path) -> None:
    evaluate.run(Evaluate(runs=tuple(runs), out=tmp_path / "evaluated", device="cpu", batch_size=5, resamples=100))
    result = predict.run(options(runs, data_of(runs[1]), tmp_path / "predicted"))
    for name in ("predictions.csv", "validation.csv"):
        found, expected = (lines_of(tmp_path / each / name) for each in ("predicted", "evaluated"))
        split = "test" if name.startswith("p") else "valid"
        assert found == [each | {"split": split} for each in expected]
    assert [(each["arm_name"], each["seed"]) for each in result["runs"]] == [("0", 0), ("0", 1), ("10", 0), ("10", 1)]
    assert result["runs"][3]["arm"]["percent"] == 10.0
    assert result["labels"] == {"normal": 8, "abnormal": 8, "unlabelled": 0}
    assert predict.tables(result)[0].rows[0][0] == "0"


def test_studies_are_means_over_their_images(runs: list[Path], tmp_path: Path) -> None:
    result = predict.run(options(runs[:1], data_of(runs[0]), tmp_path / "out"))
    images, studies = (lines_of(tmp_path / "out" / name) for name in ("predictions.csv", "studies.csv"))
    assert len(images) == 16
    assert len(studies) == 8
    for each in studies:
        own = [float(image["probability"]) for image in images if image["study"] == each["study"]]
        assert float(each["probability"]) == pytest.approx(np.mean(own))
        assert (int(each["images"]), each["label"]) == (2, each["study"].split("-")[1])
    assert result["runs"][0]["study"]["cases"] == 8


def test_the_split_is_test_or_all_where_there_is_none(
    make_dataset: MakeDataset, runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, split, images, splits in (
        ("default", None, 16, {"test"}),
        ("train", "train", 17, {"train"}),
        ("all", "all", 49, {"train", "valid", "test"}),
    ):
        out = tmp_path / name
        assert predict.run(options(runs[:1], data_of(runs[0]), out, split=split))["images"] == images
        assert {each["split"] for each in lines_of(out / "predictions.csv")} == splits
    capsys.readouterr()
    other = make_dataset(tmp_path / "other", splits=("train", "valid"))
    assert predict.run(options(runs[:1], other, tmp_path / "whole"))["images"] == 32
    assert {each["split"] for each in lines_of(tmp_path / "whole" / "predictions.csv")} == {"test"}
    assert "no test split: all 32 images" in capsys.readouterr().err
    with pytest.raises(DataError, match="holds no test images"):
        predict.run(options(runs[:1], other, tmp_path / "none", split="test"))


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_a_folder_is_prepared_as_the_training_images_were(tmp_path: Path, fit: Any) -> None:
    """Files of odd sizes give the probabilities of a dataset that `prepare` makes of them."""
    random = np.random.default_rng(0)
    for place in range(12):
        shape = (40 + place, 60 - place)
        folder = "normal" if place % 2 else "abnormal"
        write_png(tmp_path / "raw" / folder / f"{place}.png", random.integers(0, 256, shape).astype(np.uint8))
    made = Prepare(
        source="folder", input=tmp_path / "raw", out=tmp_path / "data", size=24, fit=fit, holdout=0.2, test=0.3,
        workers=1, duplicates="exact",
    )  # fmt: skip
    prepare.run(made)
    run = train(tmp_path / "data", tmp_path / "run", 0)  # reads images at 32 px
    predict.run(options([run], tmp_path / "data", tmp_path / "of-dataset", split="all"))
    result = predict.run(options([run], tmp_path / "raw", tmp_path / "of-folder"))
    expected = {each["file"]: each["probability"] for each in lines_of(tmp_path / "of-dataset" / "predictions.csv")}
    found = lines_of(tmp_path / "of-folder" / "predictions.csv")
    assert {each["file"]: each["probability"] for each in found} == expected
    assert {(each["label"], each["split"]) for each in found} == {("", "test")}
    assert result["labels"] == {"normal": 0, "abnormal": 0, "unlabelled": 12}
    assert result["runs"][0]["image"] is None
    assert lines_of(tmp_path / "of-folder" / "studies.csv")[0]["study"] == found[0]["file"]


def test_files_of_a_folder_that_cannot_be_read_are_listed(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_png(tmp_path / "raw" / "b.png", np.arange(900, dtype=np.uint8).reshape(30, 30))
    (tmp_path / "raw" / "a.png").write_bytes(b"no picture")
    result = predict.run(options(runs[:1], tmp_path / "raw", tmp_path / "out"))
    assert (result["images"], result["skipped"]) == (1, 1)
    assert lines_of(tmp_path / "out" / "skipped.csv")[0]["file"] == "a.png"
    assert lines_of(tmp_path / "out" / "predictions.csv")[0]["file"] == "b.png"
    assert "1 of 2 images cannot be read, such as a.png" in capsys.readouterr().err
    (tmp_path / "raw" / "b.png").write_bytes(b"none either")
    with pytest.raises(InputError, match="no usable image"):
        predict.run(options(runs[:1], tmp_path / "raw", tmp_path / "again"))


def test_a_changed_file_of_a_folder_is_another_result(runs: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "raw" / "a.png"
    write_png(picture, np.arange(900, dtype=np.uint8).reshape(30, 30))
    given = options(runs[:1], tmp_path / "raw", tmp_path / "out")
    first = predict.run(given)
    assert predict.run(given) == first
    write_png(picture, np.arange(900, dtype=np.uint8).reshape(30, 30).T.copy())
    with pytest.raises(Exception, match=r"changed: a\.png"):
        predict.run(given)


def test_calibration_is_that_of_evaluate(runs: list[Path], tmp_path: Path) -> None:
    given = Evaluate(
        runs=tuple(runs), out=tmp_path / "evaluated", device="cpu", batch_size=5, resamples=100,
        calibrate="temperature",
    )  # fmt: skip
    evaluated = evaluate.run(given)
    result = predict.run(options(runs, data_of(runs[1]), tmp_path / "predicted", calibrate="temperature"))
    assert [each["temperature"] for each in result["runs"]] == [each["temperature"] for each in evaluated["runs"]]
    assert [each["probability"] for each in lines_of(tmp_path / "predicted" / "predictions.csv")] == [
        each["probability"] for each in lines_of(tmp_path / "evaluated" / "predictions.csv")
    ]


def test_a_run_predicts_without_its_dataset(
    make_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(tmp_path / "data", result={"arm": arm_of(10.0, 1)})
    run = train(data, tmp_path / "run", 0)
    other = make_dataset(tmp_path / "other")
    with_data = predict.run(options([run], other, tmp_path / "with"))
    shutil.rmtree(data)
    without = predict.run(options([run], other, tmp_path / "without"))
    assert "no validation images" in capsys.readouterr().err
    assert not (tmp_path / "without" / "validation.csv").exists()
    (found,), (expected,) = without["runs"], with_data["runs"]
    differing = {name for name, value in found.items() if value != expected[name]}
    assert differing == {"arm", "arm_name", "share_normal", "training"}
    digest = artifacts.open_artifact(run).manifest["inputs"]["data"]["sha256"]
    assert found["arm_name"] == f"10, of an unknown generator ({digest[:8]})"
    assert found["share_normal"] is None
    with pytest.raises(DataError, match="no validation images that can be read"):
        predict.run(options([run], other, tmp_path / "calibrated", calibrate="temperature"))


def test_a_plan_writes_nothing(runs: list[Path], tmp_path: Path) -> None:
    planned = predict.plan(options(runs, data_of(runs[0]), tmp_path / "out"))
    assert planned["images"] == 16
    assert [(each["arm"], each["seed"]) for each in planned["planned"]] == [("0", 0), ("0", 1), ("10", 0), ("10", 1)]
    write_png(tmp_path / "raw" / "a.png", grey(1)[0])
    assert predict.plan(options(runs, tmp_path / "raw", tmp_path / "out"))["images"] == 1
    assert len(predict.tables(planned)[0].rows) == 4
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_predicted_is_one_line(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a dataset nor a folder"):
        predict.run(options(runs, tmp_path / "nowhere", tmp_path / "out"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        predict.run(options(runs, tmp_path / "empty", tmp_path / "out"))
    write_png(tmp_path / "raw" / "a.png", grey(1)[0])
    with pytest.raises(DataError, match="has no splits"):
        predict.run(options(runs, tmp_path / "raw", tmp_path / "out", split="test"))
    with pytest.raises(DataError, match="same arm, 10, and seed 1"):
        predict.run(options([runs[0], runs[0]], data_of(runs[0]), tmp_path / "out"))
    with pytest.raises(ArtifactError, match="expected dataset"):
        predict.run(options(runs, runs[0], tmp_path / "out"))
    with pytest.raises(ArtifactError, match="expected classifier-run"):
        predict.run(options([data_of(runs[0])], data_of(runs[0]), tmp_path / "out"))
    with pytest.raises(UsageError, match="no runs"):
        predict.run(options([], data_of(runs[0]), tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def _set_size(size: int, manifest: dict[str, Any]) -> None:
    manifest["options"]["size"] = size
    manifest["result"]["arm"] = arm_of(float(size), 0)  # the runs are of two arms


def test_networks_of_images_that_were_prepared_differently_do_not_share_a_folder(tmp_path: Path) -> None:
    write_png(tmp_path / "pictures" / "a.png", grey(1)[0])
    rows = [row(split=split, patient=split) for split in ("train", "valid", "test")]
    made = []
    for size in (8, 12):
        data = write_dataset(tmp_path / f"data{size}", rows, pixels=grey(3, size))
        edit_manifest(data, partial(_set_size, size))
        made.append(train(data, tmp_path / f"run{size}", size))
    with pytest.raises(DataError, match="prepared differently: size is 12 and 8"):
        predict.run(options(made, tmp_path / "pictures", tmp_path / "out"))
    assert open_dataset(tmp_path / "data8").size == 8


def test_runs_of_two_generators_are_told_apart_whether_they_predict_together_or_not(
    make_dataset: MakeDataset, runs: list[Path], tmp_path: Path
) -> None:
    predicted = []
    for seed, name in enumerate(("ddpm", "vae")):
        arm = arm_of(10.0, 1) | {"generator": name}
        made = make_dataset(tmp_path / name, synthetic=1, result={"arm": arm})
        run = train(made, tmp_path / f"{name}-run", seed)
        out = tmp_path / f"{name}-predicted"
        (found,) = predict.run(options([run], data_of(runs[0]), out))["runs"]
        assert found["arm_name"] == f"10, of {name}"
        predicted.append(out)
    assert {each["arm"] for out in predicted for each in lines_of(out / "predictions.csv")} == {
        "10, of ddpm", "10, of vae",
    }  # fmt: skip


def test_runs_of_one_arm_that_were_trained_differently_are_not_pooled(
    make_dataset: MakeDataset, runs: list[Path], tmp_path: Path
) -> None:
    data = data_of(runs[0])
    arm = make_dataset(tmp_path / "arm", result={"arm": arm_of(0.0, 0)})
    different = [train(arm, tmp_path / f"lr-{seed}", seed, lr=0.01 * (1 + seed)) for seed in (0, 1)]
    with pytest.raises(DataError, match=r"of one arm, 0, but trained differently: lr is 0.01 and 0.02"):
        predict.run(options(different, data, tmp_path / "together"))
    outs = [tmp_path / f"apart-{seed}" for seed in (0, 1)]
    for run, out in zip(different, outs, strict=True):
        predict.run(options([run], data, out))
    with pytest.raises(DataError, match=r"arm '0' of .*: lr is 0.01 and 0.02"):
        evaluate.run(Evaluate(predictions=tuple(outs), out=tmp_path / "out", device="cpu"))
