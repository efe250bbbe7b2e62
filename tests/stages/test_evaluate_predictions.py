"""Judge predictions in place of runs, and runs on other test sets: files, verdicts, errors."""

import csv
import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import arm_of, edit_manifest, train

import xrayaug
from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.evaluation import predictions, serialization
from xrayaug.evaluation.report import page
from xrayaug.evaluation.results import Evaluation
from xrayaug.options import Evaluate, Predict
from xrayaug.runtime.console import Section, Table
from xrayaug.stages import evaluate, predict
from xrayaug.storage import artifacts

MakeDataset = Callable[..., Path]  # conftest's fixture
KINDS = {"none": (0.0, 0, None), "ten": (10.0, 1, None), "ten-copies": (10.0, 1, "duplicate")}


@pytest.fixture(autouse=True)
def _unreported(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out reports, which take a second each, but where a test asks for them."""
    if "reported" not in request.fixturenames:
        monkeypatch.setattr(page, "render", lambda *_: "")


@pytest.fixture
def reported() -> None:
    """Asks for a report."""


def options(out: Path, **given: Any) -> Evaluate:
    return Evaluate(out=out, device="cpu", batch_size=5, resamples=100, **given)


@pytest.fixture(scope="module")
def runs(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A baseline, an arm and its control, of two seeds each."""
    home = tmp_path_factory.mktemp("study")
    made = []
    for place, (name, (percent, added, control)) in enumerate(KINDS.items()):
        arm = arm_of(percent, added, control=control)
        data = make_dataset(home / name, synthetic=place, studies=6, result={"arm": arm})
        made += [train(data, home / f"{name}-{seed}", seed) for seed in (0, 1)]
    return made


@pytest.fixture(scope="module")
def judged(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged") / "evaluation"
    evaluate.run(options(out, runs=tuple(runs)))
    return out


@pytest.fixture(scope="module")
def predicted(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("predicted") / "predictions"
    data = artifacts.open_artifact(runs[0]).input("data")
    predict.run(Predict(runs=tuple(runs), data=data, out=out, device="cpu", batch_size=5))
    return out


def read_json(directory: Path, name: str) -> dict[str, Any]:
    return json.loads((directory / name).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def without_names(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in run.items() if name != "run"} for run in runs]


@pytest.mark.parametrize("source", ["the directory of predict", "the files of evaluate", "a copied file"])
def test_own_predictions_give_the_verdict_of_the_runs(
    judged: Path, predicted: Path, tmp_path: Path, source: str
) -> None:
    given: dict[str, Any] = {"predictions": (predicted,)}
    if source == "the files of evaluate":
        given = {"predictions": (judged / "predictions.csv", judged / "validation.csv")}
    elif source == "a copied file":  # without its manifest, arms are known by their names alone
        shutil.copy(predicted / "predictions.csv", tmp_path / "a.csv")
        shutil.copy(predicted / "validation.csv", tmp_path / "b.csv")
        given = {"predictions": (tmp_path / "a.csv", tmp_path / "b.csv"), "baseline": "0"}
    evaluate.run(options(tmp_path / "out", **given))
    expected, found = (read_json(each, "metrics.json") for each in (judged, tmp_path / "out"))
    if source != "a copied file":
        assert found["verdict"]["arms"] == expected["verdict"]["arms"]
        assert found["arms"] == expected["arms"]
        assert without_names(found["runs"]) == without_names(expected["runs"])
        assert (tmp_path / "out" / "table5.csv").read_bytes() == (judged / "table5.csv").read_bytes()
        assert (tmp_path / "out" / "figure7.svg").read_bytes() == (judged / "figure7.svg").read_bytes()
    else:
        one, other = ({arm["arm"]: arm["difference"] for arm in each["verdict"]["arms"]} for each in (found, expected))
        for arm, numbers in one.items():
            # The control is an arm among others: variances are pooled over it, and tests are corrected for it too.
            own = ("value", "seeds", "bootstrap", "sign_flip", "seed_differences")
            assert {name: numbers[name] for name in own} == {name: other[arm][name] for name in own}
    assert found["test"]["images"] == expected["test"]["images"]
    unknown = {check["name"] for check in found["verdict"]["checks"] if check["passed"] is None}
    assert {"patients", "generator, test", "recipe", "real images", "copies", "budget", "shortcut"} <= unknown


def write(path: Path, rows: Sequence[dict[str, Any]], **format_: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0], **format_)
        writer.writeheader()
        writer.writerows(rows)
    return path


def make_rows(**changes: Any) -> list[dict[str, Any]]:
    random = np.random.default_rng(0)
    rows = []
    for arm in ("plain", "new"):
        for seed in range(3):
            for case in range(40):
                probability = float(random.uniform(0.2, 0.7) + 0.1 * (case % 2))
                rows.append({"arm": arm, "seed": seed, "case": f"x{case}", "label": case % 2,
                             "probability": probability, "site": "AB"[case % 4 // 2]} | changes)  # fmt: skip
    return rows


def test_thresholds_are_chosen_on_the_validation_images_of_the_runs_alone(
    runs: list[Path], predicted: Path, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    """The predicted dataset has validation images of its own."""
    other = make_dataset(tmp_path / "other", studies=6, seed=7)
    predict.run(Predict(runs=tuple(runs), data=other, split="all", out=tmp_path / "all", device="cpu", batch_size=5))
    predict.run(Predict(runs=tuple(runs), data=other, out=tmp_path / "test", device="cpu", batch_size=5))
    for name in ("all", "test"):
        evaluate.run(options(tmp_path / f"judged-{name}", predictions=(tmp_path / name,)))
    everything, test = (read_json(tmp_path / f"judged-{name}", "metrics.json") for name in ("all", "test"))
    assert everything["runs"] == test["runs"]


@pytest.mark.usefixtures("reported")
def test_predictions_from_elsewhere_give_report_files_and_answer(tmp_path: Path) -> None:
    rows = make_rows()
    file = write(tmp_path / "mine.csv", rows)
    given = options(tmp_path / "out", predictions=(file,), baseline="plain", by="site")
    planned = evaluate.plan(given)
    assert len(planned["planned"]) == 6
    assert evaluate.tables(planned)[0].columns[0] == "Arm"  # type: ignore[union-attr] # a table
    result = evaluate.run(given)
    made = artifacts.open_artifact(tmp_path / "out", "evaluation")
    assert sorted(made.manifest["files"]) == [
        "intervals.csv", "metrics.json", "predictions.csv", "report.html", "subgroups.csv", "table5.csv", "table5.md",
        "verdict.csv", "verdict.json",
    ]  # fmt: skip
    expected = xrayaug.judge(rows, baseline="plain", by="site", resamples=100)
    assert serialization.from_dict(Evaluation, made.result) == expected
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("Do the arms differ from the baseline?", "compared with plain", "No images: predictions were judged",
                 "xrayaug evaluate --predictions mine.csv --baseline plain"):  # fmt: skip
        assert text in report
    for text in ("Percent added", "thesis", "None", "nan"):
        assert text not in report
    shown = evaluate.tables(result)
    assert isinstance(shown[0], Table)
    assert shown[0].columns[:2] == ("Arm", "Runs")
    assert any(isinstance(part, Section) and "unknown: patients" in " ".join(part.paragraphs) for part in shown)
    again = evaluate.run(options(tmp_path / "again", predictions=(tmp_path / "out",), baseline="plain", by=None))
    assert again["verdict"]["arms"] == made.result["verdict"]["arms"]  # the files of an evaluation are read too


@pytest.mark.parametrize("form", ["semicolons", "tabs", "gzip", "utf-16", "two files", "other names", "sep"])
def test_files_of_usual_forms_are_the_same(tmp_path: Path, form: str) -> None:
    rows, columns = make_rows(), None
    plain = write(tmp_path / "plain.csv", rows)
    files: tuple[Path, ...] = (tmp_path / "other.csv",)
    if form in ("semicolons", "tabs"):
        write(files[0], rows, delimiter=";" if form == "semicolons" else "\t")
    elif form == "gzip":
        files = (tmp_path / "other.csv.gz",)
        files[0].write_bytes(gzip.compress(plain.read_bytes()))
    elif form == "utf-16":
        files[0].write_text(plain.read_text(encoding="utf-8"), encoding="utf-16")
    elif form == "two files":
        files = (write(tmp_path / "1.csv", rows[:150]), write(tmp_path / "2.csv", rows[150:]))
    elif form == "sep":
        files[0].write_text("sep=,\n" + plain.read_text(encoding="utf-8"), encoding="utf-8")
    else:
        names = {"arm": "Model", "case": "which", "probability": "p"}
        write(files[0], [{names.get(name, name): value for name, value in row.items()} for row in rows])
        columns = ("case=which",)
    one, other = (
        evaluate.run(options(tmp_path / name, baseline="plain", predictions=given, columns=wanted))
        for name, given, wanted in (("one", (plain,), None), ("other", files, columns))
    )
    assert one["verdict"] == other["verdict"]


def test_rows_with_a_split_are_for_thresholds(tmp_path: Path) -> None:
    rows = [row | {"split": "test" if int(row["case"][1:]) < 20 else "Validation"} for row in make_rows()]
    result = evaluate.run(options(tmp_path / "out", baseline="plain", predictions=(write(tmp_path / "a.csv", rows),)))
    assert (result["test"]["images"], result["runs"][0]["chosen"]["image"]["cases"]) == (20, 20)
    assert (tmp_path / "out" / "validation.csv").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("arm,seed,case,label,probability\n", "has no rows below its first line"),
        ("arm,seed,case,label\na,0,c,0\n", "no column for probability; its columns are arm, seed, case, label"),
        ("arm,seed,case,label,probability\na,0,c,0\n", "line 2 has 4 cells, its first line names 5"),
        ("arm,seed,case,label,probability\na,0,c,0,0.5\na,0,d,1,-2.5\n", r"line 3: the probability is -2.5, outside"),
        ("arm,seed,case,label,probability\na,0,c,0,0.5\n\na,0,c,0,0.4\n", "line 4: arm 'a', seed 0 has case 'c' twice"),
        ("arm,seed,case,label,probability\na,0,c,0,0.5\na,1,c,1,0.4\n", "line 3: the label of case 'c' is '1'"),
        ("arm,seed,case,label,probability\na,0,c,0,0.5\na,0,d,0,0.4\n", "all 2 test cases are normal"),
        ("arm,case,case,label,probability\na,c,c,0,0.5\n", "2 columns called 'case'"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_judged_are_one_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        evaluate.run(options(tmp_path / "out", predictions=(tmp_path / "a.csv",), baseline="a"))
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def predict_apart(runs: Sequence[Path], sets: Sequence[Path], out: Path) -> tuple[Path, ...]:
    """Predict with the runs of each arm in a command of their own, each on its own dataset."""
    made = []
    for place, data in enumerate(sets):
        own = tuple(runs[2 * place : 2 * place + 2])
        predict.run(Predict(runs=own, data=data, out=out / str(place), device="cpu", batch_size=5))
        made.append(out / str(place))
    return tuple(made)


def record_raw_set(manifest: dict[str, Any], sha256: str) -> None:
    manifest["inputs"]["input"]["sha256"] = sha256


def test_predictions_of_two_commands_on_one_dataset_are_those_of_one(
    runs: list[Path], predicted: Path, elsewhere: list[Path], tmp_path: Path
) -> None:
    data = artifacts.open_artifact(runs[0]).input("data")
    apart = evaluate.run(options(tmp_path / "out", predictions=predict_apart(runs, [data] * 3, tmp_path)))
    expected = evaluate.run(options(tmp_path / "one", predictions=(predicted,)))
    assert apart["verdict"] == expected["verdict"]
    assert "same images" not in {check["name"] for check in apart["verdict"]["checks"]}


def test_images_of_equal_names_of_two_datasets_are_not_paired(
    runs: list[Path], make_dataset: MakeDataset, tmp_path: Path
) -> None:
    """Two hospitals whose files have the same names: their cases look the same."""
    sets = []
    for place, name in enumerate(("hospital", "clinic")):
        data = make_dataset(tmp_path / name / "data", studies=6, splits=("test",), seed=place)
        edit_manifest(data, partial(record_raw_set, sha256=f"{place}" * 64))
        sets.append(data)
    directories = predict_apart(runs, sets, tmp_path)
    with pytest.raises(DataError, match="were predicted on different datasets") as caught:
        evaluate.plan(options(tmp_path / "out", predictions=directories))
    assert caught.value.hint == "predict with all runs on one dataset"
    shutil.rmtree(sets[1])  # its digest is recorded, and differs
    with pytest.raises(DataError, match="were predicted on different datasets"):
        evaluate.plan(options(tmp_path / "out", predictions=directories))
    copied = shutil.copy(directories[1] / "predictions.csv", tmp_path / "copied.csv")
    given = options(tmp_path / "out", predictions=(directories[0] / "predictions.csv", Path(copied)), baseline="0")
    checks = {check["name"]: check for check in evaluate.run(given)["verdict"]["checks"]}
    assert checks["same images"]["passed"] is None
    assert "cannot be seen from " in checks["same images"]["sentence"]
    assert checks["same images"]["sentence"].endswith("copied.csv")


def test_options_that_exclude_each_other_are_one_line(runs: list[Path], predicted: Path, tmp_path: Path) -> None:
    own: dict[str, Any] = {"predictions": (predicted,)}
    for given, message in (
        ({"runs": (runs[0],), **own}, "runs and --predictions"),
        ({"reader_study": 10, **own}, "--reader-study and --predictions"),
        ({"also": (predicted,), **own}, "--also and --predictions"),
        ({"runs": (runs[0],), "baseline": "0"}, "--baseline is for --predictions"),
        ({"runs": (runs[0],), "columns": ("case=x",)}, "--columns is for --predictions"),
        ({"runs": (runs[0],), "primary": "x"}, "--primary"),
        ({"columns": ("case",), **own}, "'case' names no column"),
    ):
        for act in (evaluate.run, evaluate.plan):
            with pytest.raises(UsageError, match=message):
                act(options(tmp_path / "out", **given))
    with pytest.raises(InputError, match="does not exist"):
        evaluate.run(options(tmp_path / "out", predictions=(tmp_path / "none.csv",)))


def test_new_options_are_not_in_the_identity_of_an_evaluation_without_them(judged: Path, runs: list[Path]) -> None:
    recorded = artifacts.open_artifact(judged).options
    assert not {"baseline", "columns", "primary", "predictions", "also"} & recorded.keys()
    assert "others" not in read_json(judged, "verdict.json")
    assert options(judged, runs=tuple(runs), primary="own").identity()["primary"] == "own"


@pytest.fixture(scope="module")
def elsewhere(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two prepared sets of other patients: one with a test split, one without."""
    from builders import edit_index

    home = tmp_path_factory.mktemp("elsewhere")
    made = []
    for name, splits, count in (("clinic", ("train", "test"), 7), ("archive", ("train",), 5)):
        data = make_dataset(home / name, studies=count, splits=splits, seed=9, size=40)
        for line in range(len(splits) * 2 * count * 2):
            edit_index(data, line, patient=f"{name} {line // 2}", study=f"{name} {line // 2}")
        made.append(data)
    return made


@pytest.mark.usefixtures("reported")
def test_other_test_sets_have_verdicts_of_their_own_and_a_mean(
    runs: list[Path], judged: Path, elsewhere: list[Path], tmp_path: Path
) -> None:
    given = options(tmp_path / "out", runs=tuple(runs), also=tuple(elsewhere))
    assert set(evaluate.plan(given)["also"]) == {"clinic", "archive"}
    result = evaluate.run(given)
    before = read_json(judged, "metrics.json")
    assert result["verdict"] == before["verdict"]  # the primary set is the runs' own
    others = result["others"]
    assert others["primary"] == "own"
    assert [(each["name"], each["test"]["images"]) for each in others["sets"]] == [("clinic", 28), ("archive", 20)]
    assert read_json(tmp_path / "out", "verdict.json")["others"] == others
    for name in ("clinic", "archive"):
        predict.run(
            Predict(runs=tuple(runs), data=next(each for each in elsewhere if each.name == name),
                    out=tmp_path / name, device="cpu", batch_size=5)
        )  # fmt: skip
        alone = evaluate.run(options(tmp_path / f"{name}-alone", predictions=(tmp_path / name,)))
        found = next(each for each in others["sets"] if each["name"] == name)
        assert found["arms"] == alone["arms"]
        for one, other in zip(found["verdict"]["arms"], alone["verdict"]["arms"], strict=True):
            assert one["difference"]["value"] == other["difference"]["value"]
            assert one["difference"]["p"] == other["difference"]["p"]
            assert one["difference"]["p_holm"] >= other["difference"]["p_holm"]
        lines = (tmp_path / "out" / f"predictions-{name}.csv").read_text(encoding="utf-8").splitlines()
        assert len(lines) == 1 + 6 * found["test"]["images"]
    p_values = [arm["difference"]["p"] for each in others["sets"] for arm in each["verdict"]["arms"]
                if arm["control"] is None]  # fmt: skip
    p_holm = [arm["difference"]["p_holm"] for each in others["sets"] for arm in each["verdict"]["arms"]
              if arm["control"] is None]  # fmt: skip
    assert min(p_holm) == pytest.approx(min(1, 2 * min(p_values)))  # Holm over both sets
    assert max(p_holm) == pytest.approx(max(min(1, 2 * min(p_values)), *p_values))
    three = [result["verdict"], *(each["verdict"] for each in others["sets"])]
    for place, mean in enumerate(others["means"]):
        values = [verdict["arms"][place]["difference"]["value"] for verdict in three]
        assert mean["difference"]["value"] == pytest.approx(np.mean(values))
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("own (primary)", "clinic", "archive", "mean of 3 sets"):
        assert text in report
    shown = evaluate.tables(result)
    assert any(isinstance(part, Section) and "Other test sets" in part.title for part in shown)


@pytest.mark.usefixtures("reported")
def test_subgroups_of_every_test_set_are_scored(
    runs: list[Path], elsewhere: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "MAX_GROUPS", 12)  # clinic has 14 patients
    result = evaluate.run(options(tmp_path / "out", runs=tuple(runs), also=tuple(elsewhere), by="patient"))
    clinic, archive = result["others"]["sets"]
    assert len(result["subgroups"]["groups"]) == 12
    assert [group["images"] for group in archive["subgroups"]["groups"]] == [2] * 10
    assert "no_subgroups" not in archive
    assert "subgroups" not in clinic
    assert clinic["no_subgroups"] == "--by patient makes 14 groups, more than 12"
    alone = evaluate.run(
        options(tmp_path / "alone", runs=tuple(runs), also=(elsewhere[1],), primary="archive", by="patient")
    )
    assert alone["subgroups"] == archive["subgroups"]
    files = {path.name for path in (tmp_path / "out").glob("subgroups*.csv")}
    assert files == {"subgroups.csv", "subgroups-archive.csv"}
    assert (tmp_path / "out" / "subgroups-archive.csv").read_bytes() == (
        tmp_path / "alone" / "subgroups.csv"
    ).read_bytes()
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for text in ("test set own", "test set archive", "not computed for &#39;clinic&#39;: --by patient makes 14 groups"):
        assert text in report


def test_another_set_may_be_the_primary_one(runs: list[Path], elsewhere: list[Path], tmp_path: Path) -> None:
    given: dict[str, Any] = {"runs": tuple(runs), "also": (elsewhere[0],)}
    own = evaluate.run(options(tmp_path / "own", **given))
    clinic = evaluate.run(options(tmp_path / "clinic", **given, primary="clinic"))
    assert (clinic["test"]["images"], clinic["others"]["sets"][0]["name"]) == (28, "own")
    assert clinic["arms"] == own["others"]["sets"][0]["arms"]
    assert clinic["others"]["sets"][0]["arms"] == own["arms"]
    assert clinic["others"]["means"] == own["others"]["means"]


def test_a_set_that_training_saw_has_no_verdict_and_no_mean(
    runs: list[Path], make_dataset: MakeDataset, tmp_path: Path
) -> None:
    seen = make_dataset(tmp_path / "seen", splits=("train",), studies=6)  # patients of the training split
    result = evaluate.run(options(tmp_path / "out", runs=tuple(runs), also=(seen,)))
    (found,) = result["others"]["sets"]
    assert not found["verdict"]["valid"]
    patients = next(check for check in found["verdict"]["checks"] if check["name"] == "patients")
    assert "12 test patients" in patients["sentence"]
    assert result["verdict"]["valid"]
    assert result["others"]["means"] == []


def test_sets_that_share_patients_have_no_mean(runs: list[Path], make_dataset: MakeDataset, tmp_path: Path) -> None:
    same = make_dataset(tmp_path / "same", splits=("test",), studies=6)
    result = evaluate.run(options(tmp_path / "out", runs=tuple(runs), also=(same,)))
    assert result["others"]["shared"] == [{"sets": ["own", "same"], "images": 0, "patients": 12}]
    assert result["others"]["means"] == []
    (table,) = (part for part in evaluate.tables(result) if isinstance(part, Table) and "Test sets" in part.title)
    assert any("own and same have 12 patients" in note for note in table.notes)


def test_sets_that_cannot_be_named_are_refused(
    runs: list[Path], elsewhere: list[Path], make_dataset: MakeDataset, tmp_path: Path
) -> None:
    for also, primary, message in (
        ((elsewhere[0], elsewhere[0]), None, "2 sets are called 'clinic'"),
        ((make_dataset(tmp_path / "own"),), None, "1 sets are called 'own'"),
        ((elsewhere[0],), "archive", "--primary archive is no test set"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate.run(options(tmp_path / "out", runs=tuple(runs), also=also, primary=primary))
    synthetic = make_dataset(tmp_path / "drawn", splits=("train",), synthetic=3)
    with pytest.raises(DataError, match="3 of its test images are synthetic"):
        evaluate.run(options(tmp_path / "out", runs=tuple(runs), also=(synthetic,)))
