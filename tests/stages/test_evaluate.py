import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import arm_of, edit_index, edit_manifest, tamper, train
from sklearn import metrics

from xrayaug.data import dataset
from xrayaug.errors import ArtifactError, DataError, UsageError, VerdictError, WeightsError
from xrayaug.evaluation import predictions, verdict
from xrayaug.evaluation.report import page
from xrayaug.networks import pretrained
from xrayaug.options import Evaluate
from xrayaug.runtime.console import Section, Table
from xrayaug.stages import evaluate
from xrayaug.stats import classification
from xrayaug.storage import artifacts

MakeDataset = Callable[..., Path]  # conftest's fixture


def options(runs: Sequence[Path], out: Path, **changes: Any) -> Evaluate:
    return Evaluate(runs=tuple(runs), out=out, device="cpu", batch_size=5, resamples=100, **changes)


@pytest.fixture
def reported() -> None:
    """Asks for reports, which take a second each and are left out of the other tests here: tests/report has its own."""


@pytest.fixture(autouse=True)
def _unreported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "reported" not in request.fixturenames:
        monkeypatch.setattr(page, "render", lambda *_: "")


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two arms of two seeds, given in no order."""
    home = tmp_path_factory.mktemp("study")
    ten = make_dataset(home / "arm10", synthetic=1, result={"arm": arm_of(10.0, 1)})
    none = make_dataset(home / "arm0", result={"arm": arm_of(0.0, 0)})
    return [train(data, home / f"{data.name}-{seed}", seed) for data in (ten, none) for seed in (1, 0)]


@pytest.fixture(scope="module")
def evaluation(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation") / "out"
    evaluate.run(options(runs, out))
    return out


def lines_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def predictions_of(evaluation: Path) -> list[dict[str, str]]:
    return lines_of(evaluation / "predictions.csv")


def test_it_writes_its_files(evaluation: Path) -> None:
    made = artifacts.open_artifact(evaluation, "evaluation")
    assert sorted(made.manifest["files"]) == [
        "figure7.png", "figure7.svg", "intervals.csv", "metrics.json", "predictions.csv", "report.html", "table5.csv",
        "table5.md", "validation.csv", "verdict.csv", "verdict.json",
    ]  # fmt: skip
    assert json.loads((evaluation / "metrics.json").read_text()) == made.result
    assert len([name for name in made.manifest["inputs"] if name.startswith("runs/")]) == 4


def test_scores_follow_from_the_predictions(evaluation: Path) -> None:
    rows = predictions_of(evaluation)
    assert len(rows) == 4 * 16
    for each in artifacts.open_artifact(evaluation).result["runs"]:
        own = [row for row in rows if row["run"] == each["run"]]
        labels = [int(row["label"] == "abnormal") for row in own]
        probabilities = [float(row["probability"]) for row in own]
        called = [probability > 0.5 for probability in probabilities]
        assert each["image"]["accuracy"] == pytest.approx(metrics.accuracy_score(labels, called))
        assert each["image"]["auroc"] == pytest.approx(metrics.roc_auc_score(labels, probabilities))
        studies = {row["study"]: row["label"] for row in own}
        means = [sum(p for p, row in zip(probabilities, own, strict=True) if row["study"] == study) / 2
                 for study in studies]  # fmt: skip
        assert each["study"]["cases"] == 8
        assert each["study"]["auroc"] == pytest.approx(
            metrics.roc_auc_score([label == "abnormal" for label in studies.values()], means)
        )


def test_runs_are_grouped_into_arms(evaluation: Path) -> None:
    result = artifacts.open_artifact(evaluation).result
    assert [(arm["name"], arm["seeds"]) for arm in result["arms"]] == [("0", [0, 1]), ("10", [0, 1])]
    assert [arm["thesis_accuracy"] for arm in result["arms"]] == [0.831, 0.826]
    of_ten = [each["image"]["accuracy"] for each in result["runs"] if each["arm_name"] == "10"]
    assert result["arms"][1]["image"]["accuracy"]["mean"] == pytest.approx(sum(of_ten) / 2)
    assert result["arms"][1]["image"]["accuracy"]["n"] == 2
    assert result["test"] == {"images": 16, "studies": 8, "normal": 8, "abnormal": 8}
    assert result["split_by"] == "patient"


def test_table5_marks_the_values_of_the_thesis_as_reported(evaluation: Path) -> None:
    with (evaluation / "table5.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["level"], row["percent_added"]) for row in rows] == [
        ("image", "0"), ("image", "10"), ("study", "0"), ("study", "10"),
    ]  # fmt: skip
    assert [row["thesis_accuracy_reported"] for row in rows] == ["0.831", "0.826"] * 2
    assert rows[0]["runs"] == "2"
    assert rows[0]["accuracy_sd"] != ""
    markdown = (evaluation / "table5.md").read_text()
    assert "thesis (reported)" in markdown
    assert "not measured here" in markdown
    assert "| 10 | 1 | 2 |" in markdown


def test_figure7_labels_reported_and_measured_values(evaluation: Path) -> None:
    drawn = (evaluation / "figure7.svg").read_text()
    for text in ("Platin (reported)", "Accuracy", "normal images added", "16 test images"):
        assert text in drawn
    assert "<dc:date>" not in drawn


@pytest.mark.usefixtures("reported")
def test_the_same_runs_give_the_same_bytes(runs: list[Path], evaluation: Path, tmp_path: Path) -> None:
    evaluate.run(options(list(reversed(runs)), tmp_path / "again"))
    for name in artifacts.open_artifact(evaluation).manifest["files"]:
        assert (tmp_path / "again" / name).read_bytes() == (evaluation / name).read_bytes(), name


def test_a_plan_writes_nothing(runs: list[Path], tmp_path: Path) -> None:
    planned = evaluate.plan(options(runs, tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert [(each["arm"], each["seed"]) for each in planned["planned"]] == [("0", 0), ("0", 1), ("10", 0), ("10", 1)]
    planned_runs = evaluate.tables(planned)[0]
    assert isinstance(planned_runs, Table)
    assert "16 images of 8 studies" in planned_runs.notes[0]


def test_a_single_seed_is_warned_about(runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = evaluate.run(options(runs[:1], tmp_path / "out"))
    assert "warning: arm 10 " in capsys.readouterr().err
    assert result["arms"][0]["image"]["accuracy"]["sd"] is None
    scores = evaluate.tables(result)[0]
    assert isinstance(scores, Table)
    assert all("±" not in cell for cell in scores.rows[0])


def test_an_image_level_split_is_warned_about(
    make_dataset: MakeDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_dataset(tmp_path / "data", result={"split_by": "image"})
    result = evaluate.run(options([train(data, tmp_path / "run", 0)], tmp_path / "out"))
    assert "warning: split by image" in capsys.readouterr().err
    scores = evaluate.tables(result)[0]
    assert isinstance(scores, Table)
    assert any("split by image" in note for note in scores.notes)


def test_a_dataset_without_test_images_is_refused(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", splits=("train", "valid"))
    with pytest.raises(DataError, match="no test images") as caught:
        evaluate.run(options([train(data, tmp_path / "run", 0)], tmp_path / "out"))
    assert "--test" in caught.value.hint


def test_other_test_images_are_refused(make_dataset: MakeDataset, runs: list[Path], tmp_path: Path) -> None:
    other = train(make_dataset(tmp_path / "data", studies=5), tmp_path / "other", 7)
    with pytest.raises(DataError, match=r"other .*arm10-1 .*test images"):
        evaluate.run(options([*runs, other], tmp_path / "out"))


def test_a_run_twice_is_refused(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], runs[0].with_name("copy"))
    with pytest.raises(DataError, match="seed 1"):
        evaluate.run(options([*runs, runs[0].with_name("copy")], tmp_path / "out"))


def test_an_arm_trained_in_two_ways_is_refused(runs: list[Path], tmp_path: Path) -> None:
    data = artifacts.open_artifact(runs[0]).input("data")
    other = train(data, tmp_path / "other", 5, epochs=99)
    with pytest.raises(DataError, match="epochs is 10 and 99"):
        evaluate.run(options([*runs, other], tmp_path / "out"))


def test_a_damaged_run_is_refused(runs: list[Path], tmp_path: Path) -> None:
    broken = shutil.copytree(runs[0], runs[0].with_name("broken"))
    (broken / "weights.safetensors").write_bytes(b"nothing")
    with pytest.raises(ArtifactError, match=r"weights\.safetensors"):
        evaluate.run(options([broken], tmp_path / "out"))


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no runs"):
        evaluate.run(options([], tmp_path / "out"))


def test_arms_of_every_kind_are_scored(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """Arms with fewer real images or with abnormal images added have no value of the thesis beside them."""
    arms = {
        "all": arm_of(0.0, 0),
        "half": arm_of(0.0, 0, real_fraction=0.5),
        "half10": arm_of(10.0, 1, real_fraction=0.5),
        "ill": arm_of(10.0, 1, label="abnormal"),
    }
    made = [
        train(make_dataset(tmp_path / name, synthetic=arm["added"], result={"arm": arm}), tmp_path / f"run-{name}", 0)
        for name, arm in arms.items()
    ]
    result = evaluate.run(options(made, tmp_path / "out"))
    assert [(arm["name"], arm["thesis_accuracy"]) for arm in result["arms"]] == [
        ("0, of 50% of the real images", None),
        ("10, of 50% of the real images", None),
        ("0", 0.831),
        ("10 abnormal", None),
    ]
    drawn = (tmp_path / "out" / "figure7.svg").read_text()
    assert "abnormal images added" in drawn
    assert "normal images added to 50 % of the real ones" in drawn


def test_a_dose_that_adds_no_image_is_an_arm_of_its_own(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """A balanced set lacks no images to add; the same percent of normal images is another arm."""
    arms = {"none": arm_of(0.0, 0), "nothing": arm_of(50.0, 0), "half": arm_of(50.0, 1)}
    made = [
        train(make_dataset(tmp_path / name, synthetic=arm["added"], result={"arm": arm}), tmp_path / f"run-{name}", 0)
        for name, arm in arms.items()
    ]
    classifier_of = {"0": "none", "50, adding nothing": "nothing", "50": "half"}
    result = evaluate.run(options(made, tmp_path / "out"))
    assert [(arm["name"], arm["seeds"], arm["thesis_accuracy"]) for arm in result["arms"]] == [
        ("0", [0], 0.831), ("50, adding nothing", [0], None), ("50", [0], 0.8),
    ]  # fmt: skip
    assert {each["arm_name"]: Path(each["run"]).name for each in result["runs"]} == {
        arm: f"run-{name}" for arm, name in classifier_of.items()
    }
    assert [arm["arm"] for arm in result["verdict"]["arms"]] == ["50, adding nothing", "50"]
    assert "no images added" in (tmp_path / "out" / "figure7.svg").read_text()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"options": {"seed": "first"}}, "'options/seed'"),
        ({"options": {"size": 10**9}}, "'options/size' is 1000000000"),
        ({"options": {"size": -1}}, "'options/size' is -1"),
        ({"options": {"arch": 7}}, "'options/arch'"),
        ({"result": {"arm": [1]}}, "'result/arm'"),
        ({"result": {"arm": {"percent": -3}}}, "'result/arm/added'"),
    ],
    ids=str,
)
def test_a_run_with_invalid_settings_is_refused(
    runs: list[Path], tmp_path: Path, change: dict[str, dict[str, Any]], complaint: str
) -> None:
    home = tmp_path / "study"
    shutil.copytree(runs[0].parent, home)
    ((section, values),) = change.items()
    edit_manifest(home / runs[0].name, lambda manifest: manifest[section].update(values))
    with pytest.raises(ArtifactError, match=complaint):
        evaluate.run(options([home / runs[0].name], tmp_path / "out"))


def test_a_run_that_names_a_larger_network_is_refused_before_that_is_built(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "study"
    shutil.copytree(runs[0].parent, home)
    edit_manifest(home / runs[0].name, lambda manifest: manifest["options"].update(arch="squeezenet1_0"))
    monkeypatch.setattr(pretrained, "load_state", None)
    with pytest.raises(WeightsError, match="squeezenet1_0"):
        evaluate.run(options([home / runs[0].name], tmp_path / "out"))


def test_text_in_the_predictions_is_no_formula(make_dataset: MakeDataset, tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data")
    edit_index(data, 32, patient="'=cmd()", study="'-1+2")
    run = train(data, tmp_path / "run", 0)
    evaluate.run(options([run], tmp_path / "out"))
    assert {"'=cmd()"} <= {row["patient"] for row in predictions_of(tmp_path / "out")}
    assert {"'-1+2"} <= {row["study"] for row in predictions_of(tmp_path / "out")}


def test_thresholds_are_chosen_on_validation(evaluation: Path) -> None:
    valid = lines_of(evaluation / "validation.csv")
    for each in artifacts.open_artifact(evaluation).result["runs"]:
        own = [row for row in valid if row["run"] == each["run"]]
        labels = [int(row["label"] == "abnormal") for row in own]
        expected = classification.find_threshold(labels, [float(row["probability"]) for row in own])
        assert each["chosen"]["image"]["threshold"] == expected
        assert each["chosen"]["image"]["auroc"] == each["image"]["auroc"]


def test_every_level_has_intervals_and_differences(evaluation: Path) -> None:
    none, ten = artifacts.open_artifact(evaluation).result["arms"]
    for level in ("image", "study", "patient"):
        interval = ten["intervals"][level]["half"]["accuracy"]
        assert interval["low"] <= interval["value"] <= interval["high"]
        assert interval["value"] == pytest.approx(ten[level]["accuracy"]["mean"])
        difference = ten["differences"][level]["half"]["accuracy"]["value"]
        assert difference == pytest.approx(ten[level]["accuracy"]["mean"] - none[level]["accuracy"]["mean"])
        assert none["differences"][level]["half"] is None
    rows = lines_of(evaluation / "intervals.csv")
    assert {(row["level"], row["threshold"]) for row in rows} >= {("image", "half"), ("patient", "chosen")}


def test_the_verdict_is_a_file_of_its_own(evaluation: Path) -> None:
    found = json.loads((evaluation / "verdict.json").read_text())
    assert found == artifacts.open_artifact(evaluation).result["verdict"]
    (ten,) = found["arms"]
    assert (ten["arm"], ten["baseline"]) == ("10", "0")
    assert len(ten["pairs"]) == 2
    assert ten["difference"]["sign_flip"]["min_p"] == 0.5
    assert {check["name"]: check["passed"] for check in found["checks"]}["seeds"] is False
    (line,) = lines_of(evaluation / "verdict.csv")
    assert (line["arm"], line["verdict"], line["reason"]) == ("10", ten["verdict"], ten["reason"])


def test_the_answer_is_shown_last_with_open_checks_and_where_to_look(runs: list[Path], tmp_path: Path) -> None:
    result = evaluate.run(options(runs, tmp_path / "out"))
    assert [Path(path).name for path in result["look_at"]] == ["report.html", "table5.md"]
    assert all(Path(path).is_file() for path in result["look_at"])
    scores, differences, answer, *paths = evaluate.tables(result)
    assert isinstance(scores, Table)
    assert isinstance(differences, Table)
    assert differences.columns[1:] == (
        "Difference (marginal 95 %)", "p", "Holm p", "Equivalence p", "Holm equivalence p"
    )  # fmt: skip
    assert isinstance(answer, Section)
    (arm,) = result["verdict"]["arms"]
    assert answer.paragraphs[0].startswith(f"Arm 10: {verdict.DISPLAY_NAMES[arm['verdict']]}")
    assert f"({arm['difference']['low']:+.3f} to " in answer.paragraphs[0]
    unknown = [check["name"] for check in result["verdict"]["checks"] if check["passed"] is None]
    assert "generator" in unknown
    assert "; ".join(unknown) in answer.paragraphs[-1]
    assert paths == [f"Look first at: {tmp_path / 'out' / 'report.html'}", f"Then at: {tmp_path / 'out' / 'table5.md'}"]


def test_what_could_have_been_detected_is_recorded(evaluation: Path) -> None:
    (arm,) = artifacts.open_artifact(evaluation).result["verdict"]["arms"]
    difference = arm["difference"]
    half_width = (difference["high"] - difference["low"]) / 2
    expected = half_width + 0.8416212 * difference["standard_error"]  # the normal quantile of 80 %
    assert difference["detectable_difference"] == pytest.approx(expected, rel=1e-6)


def test_an_evaluation_of_another_version_is_refused_in_one_line(evaluation: Path, tmp_path: Path) -> None:
    result = json.loads(json.dumps(artifacts.open_artifact(evaluation).result))
    result["verdict"]["checks"][0]["holds"] = result["verdict"]["checks"][0].pop("passed")
    with pytest.raises(ArtifactError, match="another version of xrayaug: its results have no 'passed'") as caught:
        evaluate.tables(result)
    assert "--overwrite" in caught.value.hint


def test_one_seed_cannot_tell(runs: list[Path], tmp_path: Path) -> None:
    result = evaluate.run(options(runs[::2], tmp_path / "out"))
    (ten,) = result["verdict"]["arms"]
    assert ten["verdict"] == "cannot-tell"
    assert "one seed" in ten["reason"]


def test_a_verdict_other_than_fail_unless_is_an_error(runs: list[Path], tmp_path: Path) -> None:
    demanding = options(runs, tmp_path / "out", fail_unless="helps")
    result = evaluate.run(demanding)
    with pytest.raises(VerdictError, match="'helps': 10: ") as caught:
        evaluate.demand(demanding, result)
    assert caught.value.exit_code == 1
    result["verdict"]["arms"][0]["verdict"] = "helps"
    evaluate.demand(demanding, result)
    result["verdict"]["arms"][0]["control"] = "duplicate"
    with pytest.raises(VerdictError, match="helps"):
        evaluate.demand(demanding, result)


def test_temperature_leaves_the_ranking_alone(runs: list[Path], evaluation: Path, tmp_path: Path) -> None:
    result = evaluate.run(options(runs, tmp_path / "out", calibrate="temperature"))
    before = artifacts.open_artifact(evaluation).result
    for one, other in zip(result["runs"], before["runs"], strict=True):
        assert one["temperature"] != 1
        assert (one["image"]["auroc"], one["image"]["accuracy"]) == (
            other["image"]["auroc"],
            other["image"]["accuracy"],
        )


def test_groups_of_a_column(runs: list[Path], tmp_path: Path) -> None:
    result = evaluate.run(options(runs, tmp_path / "out", by="label"))
    normal = next(group for group in result["subgroups"]["groups"] if group["value"] == "normal")
    assert (normal["images"], normal["abnormal"]) == (8, 0)
    assert normal["intervals"]["10"]["sensitivity"] is None
    rows = lines_of(tmp_path / "out" / "subgroups.csv")
    assert {row["value"] for row in rows} == {"normal", "abnormal"}
    (table,) = (part for part in evaluate.tables(result) if isinstance(part, Table) and "By label" in part.title)
    assert table.notes[0].startswith("--: ")  # both groups lack a class


@pytest.mark.parametrize(("column", "complaint"), [("sex", "'sex'"), ("file", "--by file .*16 .* 4")])
def test_a_column_that_makes_no_groups_is_refused(
    runs: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    column: str,
    complaint: str,
) -> None:
    monkeypatch.setattr(predictions, "MAX_GROUPS", 4)
    with pytest.raises(DataError, match=complaint):
        evaluate.run(options(runs[:1], tmp_path / "out", by=column))
    assert "warning" not in capsys.readouterr().err  # of the single seed


def test_a_control_is_judged_apart(make_dataset: MakeDataset, tmp_path: Path) -> None:
    arms = {"none": arm_of(0.0, 0), "ten": arm_of(10.0, 1), "copies": arm_of(10.0, 1, control="duplicate")}
    made = [
        train(make_dataset(tmp_path / name, result={"arm": arm}), tmp_path / f"{name}-{seed}", seed)
        for name, arm in arms.items()
        for seed in (0, 1)
    ]
    result = evaluate.run(options(made, tmp_path / "out"))
    ten, copies = result["verdict"]["arms"]
    assert (ten["arm"], copies["arm"], copies["control"]) == ("10", "10 duplicate", "duplicate")
    assert [each["control"] for each in ten["controls"]] == ["duplicate"]
    assert [arm["thesis_accuracy"] for arm in result["arms"]] == [0.831, 0.826, None]


def test_low_resolution_is_compared_with_duplicate(make_dataset: MakeDataset, tmp_path: Path) -> None:
    kinds = (None, "duplicate", "low-resolution", "classical")
    arms = {"none": arm_of(0.0, 0), **{f"ten-{kind}": arm_of(10.0, 1, control=kind) for kind in kinds}}
    made = [
        train(make_dataset(tmp_path / name, result={"arm": arm}), tmp_path / f"{name}-{seed}", seed)
        for name, arm in arms.items()
        for seed in (0, 1)
    ]
    found = {
        each["control"]: each["controls"] for each in evaluate.run(options(made, tmp_path / "out"))["verdict"]["arms"]
    }
    assert {kind: {each["control"] for each in of} for kind, of in found.items()} == {
        None: {"classical", "duplicate", "low-resolution"}, "classical": set(), "duplicate": set(),
        "low-resolution": {"duplicate"},
    }  # fmt: skip
    (comparison,) = found["low-resolution"]
    assert comparison["relation"] == "cannot-tell"
    assert comparison["difference"]["low"] <= comparison["difference"]["value"] <= comparison["difference"]["high"]


def test_it_audits_arms_for_a_shortcut(make_dataset: MakeDataset, tmp_path: Path) -> None:
    """Real normals are dark and synthetic "normals" bright, which any network's features show."""
    none = make_dataset(tmp_path / "none", studies=30, result={"arm": arm_of(0.0, 0)})
    ten = make_dataset(tmp_path / "ten", studies=30, synthetic=40, result={"arm": arm_of(10.0, 40)}, seed=1)
    held = dataset.open_dataset(ten)
    drawn = [row.row for row in held.rows if row.synthetic]

    def brighten(content: bytes) -> bytes:
        pixels = np.load(io.BytesIO(content))
        pixels[drawn] = 255 - pixels[drawn]
        changed = io.BytesIO()
        np.save(changed, pixels)
        return changed.getvalue()

    tamper(ten, "images.npy", brighten)
    made = [train(data, tmp_path / f"{data.name}-{seed}", seed) for data in (none, ten) for seed in (0, 1)]
    result = evaluate.run(options(made, tmp_path / "out"))
    (audit,) = result["audits"]
    assert (audit["arm"], audit["labels"], audit["dims"]) == ("10", ["normal"], 512)
    assert (audit["two_sample_test"]["real"], audit["two_sample_test"]["synthetic"]) == (40, 40)
    assert audit["two_sample_test"]["low"] > 0.9
    checks = {check["name"]: check for check in result["verdict"]["checks"]}
    assert checks["shortcut"]["passed"] is False
    assert "warning" in checks["shortcut"]["sentence"]
    assert "all synthetic ones normal" in checks["shortcut"]["sentence"]
    assert "10: " in checks["real normals"]["sentence"]
    assert not checks["shortcut"]["critical"]
    without = evaluate.run(options(made, tmp_path / "without", audit_images=0))
    assert without["audits"] == []
    assert "shortcut" not in {check["name"] for check in without["verdict"]["checks"]}
