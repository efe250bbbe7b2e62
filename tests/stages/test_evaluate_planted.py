"""`evaluate --planted`: added to a finished evaluation without changing anything else, and shown everywhere."""

import html
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import planned
import pytest
from builders import arm_of, train

import xrayaug
from xrayaug.errors import ArtifactError, UsageError
from xrayaug.evaluation import serialization
from xrayaug.evaluation.planted import gains, results, tables
from xrayaug.evaluation.planted.gains import GAINS
from xrayaug.evaluation.planted.results import Planted, PlantedRate, Unknown, count_found
from xrayaug.evaluation.report import page
from xrayaug.evaluation.results import Evaluation
from xrayaug.options import Evaluate
from xrayaug.runtime.console import Section, Table
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts, files

MakeDataset = Callable[..., Path]  # conftest's fixture
ADDED = {"manifest.json", "report.html", "planted.json"}  # files that the option changes or adds
HOSTILE = '<img src=x onerror="alert(1)">'


def options(runs: Sequence[Path], out: Path, **changes: Any) -> Evaluate:
    return Evaluate(runs=tuple(runs), out=out, device="cpu", resamples=100, audit_images=0, **changes)


@pytest.fixture(autouse=True)
def _few_redraws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gains, "plant_gains", partial(gains.plant_gains, redraws=3))


@pytest.fixture(scope="module")
def home(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline of two runs, an arm of two, and one of a single run."""
    home = tmp_path_factory.mktemp("study")
    for place, (name, seeds) in enumerate({"none": 2, "ten": 2, "single": 1}.items()):
        data = make_dataset(home / name, studies=6, synthetic=place, result={"arm": arm_of(10.0 * place, place)})
        for seed in range(seeds):
            train(data, home / f"run-{name}-{seed}", seed)
    return home


@pytest.fixture(scope="module")
def runs(home: Path) -> list[Path]:
    return [home / f"run-{name}-{seed}" for name in ("none", "ten") for seed in range(2)]


@pytest.fixture
def plain(runs: list[Path], tmp_path: Path) -> Path:
    evaluate.run(options(runs, tmp_path / "plain"))
    return tmp_path / "plain"


def read_files(directory: Path) -> dict[str, bytes]:
    found = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


def test_it_is_added_to_a_finished_evaluation_as_from_the_start(
    runs: list[Path], home: Path, plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, inputs = read_files(plain), read_files(home)
    asked = options(runs, plain, planted=True)
    assert not asked.is_met_by(artifacts.open_artifact(plain).result)
    result = evaluate.run(asked)
    assert asked.is_met_by(artifacts.open_artifact(plain).result)
    assert read_files(home) == inputs  # no dataset and no run changes
    after = read_files(plain)
    assert after.keys() - before.keys() == {"planted.json"}
    assert {name for name in before if before[name] != after[name]} == {"manifest.json", "report.html"}
    kept = json.loads(before["manifest.json"])["result"]
    assert {name: value for name, value in result.items() if name not in ("planted", "look_at")} == kept
    assert json.loads(after["planted.json"]) == result["planted"]
    of_tests = [each["reason"] for each in result["planted"]["unknown"] if "copies of test" in each["what"]]
    assert of_tests and all("what it was trained on is unknown" in reason for reason in of_tests)

    other = evaluate.run(options(runs, tmp_path / "other", planted=True))
    assert other["planted"] == result["planted"]
    text = (tmp_path / "other" / "report.html").read_text(encoding="utf-8")
    assert _find_section(text) == _find_section(after["report.html"].decode())

    capsys.readouterr()
    assert evaluate.run(asked) == result  # again, nothing is planted anew
    assert "planting" not in capsys.readouterr().err
    assert read_files(plain) == after
    assert artifacts.open_artifact(plain).file("planted.json").is_file()  # the manifest lists it


@pytest.mark.parametrize(
    ("name", "is_written"), [("planted.json", False), ("report.html", False), ("report.html", True)]
)
def test_it_goes_on_after_it_was_killed_while_it_wrote(
    runs: list[Path], plain: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_written: bool
) -> None:
    asked, write_bytes = options(runs, plain, planted=True), files.write_bytes

    def write(path: Path, content: bytes, **given: Any) -> None:
        if path.name != name or is_written:
            write_bytes(path, content, **given)
        if path.name == name:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            evaluate.run(asked)
    interrupted = artifacts.open_artifact(plain)
    assert "report.html" not in interrupted.manifest["files"] and not asked.is_met_by(interrupted.result)
    assert "planted" in evaluate.run(asked)
    text = artifacts.open_artifact(plain).file("report.html").read_text(encoding="utf-8")
    assert text.count('<section id="planted"') == text.count('href="#planted"') == 1


@pytest.mark.parametrize("stop", range(1, 5))
def test_without_the_option_an_evaluation_that_was_killed_while_it_was_added_is_as_before(
    runs: list[Path], plain: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    """The files that are written: the manifest without the report, planted.json, the report, the manifest."""
    before, asked = read_files(plain), options(runs, plain, planted=True)
    _kill_at_write(monkeypatch, asked, stop)
    leftover = plain / f".report.html.1{files.NEW}"
    leftover.write_text("half")
    assert evaluate.run(options(runs, plain)) == json.loads(before["manifest.json"])["result"] | {
        "look_at": [str(plain / name) for name in (files.REPORT_FILE, files.TABLE5_FILE)]
    }
    assert artifacts.open_artifact(plain).file("report.html").is_file()
    kept = read_files(plain)
    assert not leftover.exists() or stop == 1
    assert {name: kept[name] for name in before if name != "manifest.json"} == {
        name: before[name] for name in before if name != "manifest.json"
    }
    assert json.loads(kept["manifest.json"]) == json.loads(before["manifest.json"])
    assert kept.keys() - before.keys() <= {leftover.name}
    result = evaluate.run(asked)
    assert "planted" in result and artifacts.open_artifact(plain).file("planted.json").is_file()


@pytest.mark.parametrize("stop", range(1, 5))
def test_with_the_option_an_evaluation_that_was_killed_while_it_was_added_gets_the_same(
    runs: list[Path], tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    asked = options(runs, plain, planted=True)
    _kill_at_write(monkeypatch, asked, stop)
    result = evaluate.run(asked)
    after = read_files(plain)
    whole = options(runs, tmp_path / "whole", planted=True)
    assert evaluate.run(whole)["planted"] == result["planted"]
    assert after["planted.json"] == (tmp_path / "whole" / "planted.json").read_bytes()
    assert _find_section(after["report.html"].decode()) == _find_section(
        (tmp_path / "whole" / "report.html").read_text(encoding="utf-8")
    )
    assert after.keys() == set(artifacts.open_artifact(plain).manifest["files"]) | {"manifest.json"}


def test_gains_are_planted_though_a_dataset_is_gone(runs: list[Path], plain: Path, home: Path, tmp_path: Path) -> None:
    data, aside = home / "ten", tmp_path / "moved"
    data.rename(aside)
    try:
        with pytest.raises(ArtifactError):  # it cannot be judged anew
            evaluate.run(options(runs, tmp_path / "new", planted=True))
        assert evaluate.run(options(runs, plain))["runs"]  # complete, as before
        planted = serialization.from_dict(Planted, evaluate.run(options(runs, plain, planted=True))["planted"])
    finally:
        aside.rename(data)
    assert planted.gains and not planted.leaks and not planted.copies
    assert {each.kind for each in planted.unknown} == {"leak", "copy"}
    for each in planted.unknown:
        assert str(data) in each.reason and "cannot be read any more" in each.reason
        assert "\n" not in each.reason and not each.reason.endswith(".")


def test_the_console_and_the_report_say_what_would_have_been_seen(runs: list[Path], plain: Path) -> None:
    result = evaluate.run(options(runs, plain, planted=True))
    shown = evaluate.tables(result)
    planted = serialization.from_dict(Evaluation, result).planted
    assert planted is not None and planted.gains and planted.leaks
    expected = tables.make_tables(planted, "auroc")
    assert [each.title for each in expected] == [each.title for each in shown if isinstance(each, Table)][
        -len(expected) :
    ]
    answer = next(each for each in shown if isinstance(each, Section) and each.title == tables.TITLE)
    text = (plain / "report.html").read_text(encoding="utf-8")
    assert text.count('<section id="planted"') == text.count('href="#planted"') == 1
    assert text.index('id="checks"') < text.index('id="planted"') < text.index('id="scores"')
    for line in (*answer.paragraphs, *(each.title for each in expected)):
        assert line in html.unescape(text)


def test_what_is_redrawn_is_judged_as_the_evaluation_was(
    make_dataset: MakeDataset, runs: list[Path], tmp_path: Path
) -> None:
    """The study that is read back from a finished evaluation has its verdicts and corrected p-values."""
    arm = arm_of(10.0, 1, control="duplicate")
    data = make_dataset(tmp_path / "copies", studies=6, synthetic=3, result={"arm": arm})
    controls = [train(data, tmp_path / f"run-copies-{seed}", seed) for seed in (0, 1)]
    evaluate.run(options([*runs, *controls], tmp_path / "out", against="both", per="study", metric="accuracy"))
    study = _study(tmp_path / "out")
    told = gains.judge(study)
    judged = serialization.from_dict(Evaluation, artifacts.open_artifact(tmp_path / "out").result).verdict.arms
    assert [each.arm for each in judged] == list(told) and len(told) == 2
    for each in judged:
        verdict, contrast = told[each.arm]
        assert each.difference is not None and contrast.difference is not None
        assert (verdict, contrast.difference.value) == (each.verdict, each.difference.value)
        assert contrast.decision.p_different == each.difference.p_holm
        assert contrast.decision.p_equivalent == each.difference.p_equivalent_holm
        assert contrast.difference.pooled_df == each.difference.pooled_df


def test_an_arm_of_one_seed_is_named_in_one_line(home: Path, runs: list[Path], tmp_path: Path) -> None:
    result = evaluate.run(options([*runs, home / "run-single-0"], tmp_path / "out", planted=True))
    planted = serialization.from_dict(Planted, result["planted"])
    arms = {each["name"] for each in result["arms"]}
    assert {each.what for each in planted.gains} < arms
    (line,) = [each for each in planted.unknown if each.kind == "gain"]
    assert line.what in arms and line.reason.startswith("it has one seed")


def test_of_predictions_only_gains_are_planted(plain: Path, tmp_path: Path) -> None:
    given = Evaluate(predictions=(plain,), out=tmp_path / "judged", resamples=100, planted=True)
    planted = serialization.from_dict(Planted, evaluate.run(given)["planted"])
    of_runs, _ = gains.plant_gains(_study(plain))
    assert [(each.amount, each.found) for each in planted.gains] == [(each.amount, each.found) for each in of_runs]
    assert not planted.leaks and not planted.copies
    assert planted.unknown == list(results.WITHOUT_IMAGES)


def test_runs_of_other_seeds_than_the_baseline_are_read_as_they_were_judged(tmp_path: Path) -> None:
    lines = _write_predictions(tmp_path / "p.csv", {"real": (1, 2, 3), "gan": (7, 8, 9)})
    given = Evaluate(predictions=(lines,), out=tmp_path / "judged", resamples=100, planted=True)
    planted = serialization.from_dict(Planted, evaluate.run(given)["planted"])
    assert {each.what for each in planted.gains} == {"gan"}


def test_python_gives_the_same_numbers_as_the_command(tmp_path: Path) -> None:
    path = _write_predictions(tmp_path / "p.csv", {"real": (1, 2), "gan": (1, 2)})
    result = evaluate.run(Evaluate(predictions=(path,), out=tmp_path / "judged", resamples=100, planted=True))
    heading, *lines = (line.split(",") for line in path.read_text(encoding="utf-8").splitlines())
    frame = {name: [line[place] for line in lines] for place, name in enumerate(heading)}
    judged = xrayaug.judge(frame, resamples=100, planted=True)
    assert judged.planted is not None and serialization.to_dict(judged.planted) == result["planted"]
    assert xrayaug.judge(frame, resamples=100).planted is None
    with pytest.raises(UsageError, match="planted"):
        xrayaug.judge(frame, resamples=100, planted="no")  # type: ignore[arg-type]


def test_a_page_of_another_version_takes_no_section(runs: list[Path], plain: Path) -> None:
    planted = Planted(gains=[count_found("gain", 0.0, "arm", 0, 3)])
    with pytest.raises(ArtifactError, match="another version") as refused:
        page.add_planted("<html></html>", planted, "auroc")
    assert "\n" not in refused.value.message
    text = (plain / "report.html").read_text(encoding="utf-8")
    once = page.add_planted(text, planted, "auroc")
    assert page.add_planted(once, planted, "auroc") == once  # in place of the section that is there


def test_names_are_escaped_in_the_section(plain: Path) -> None:
    planted = Planted(
        gains=[count_found("gain", 0.01, HOSTILE, 0, 3, note=HOSTILE)],
        leaks=[count_found("leak", 0.01, HOSTILE, 0, 3, form=HOSTILE)],
        unknown=[Unknown("copy", HOSTILE, HOSTILE)],
    )
    text = page.add_planted((plain / "report.html").read_text(encoding="utf-8"), planted, "auroc")
    assert HOSTILE not in text
    assert text.count("&lt;img src=x onerror") > 3


def test_a_study_hands_it_on_to_evaluate() -> None:
    assert "--planted" in planned.lines(planted=True)["evaluation"]
    assert "--planted" not in planned.lines()["evaluation"]


def test_rows_of_what_is_found_equally_often_are_one() -> None:
    def leak(what: str, form: str, share: float, found: int) -> PlantedRate:
        return count_found("leak", share, what, found, 20, form=form, counted=found / 20)

    places, forms = ("training images", "images of generators"), ("the same images", "mirrored")
    rates = [leak(what, form, share, 20 if share else 0) for what in places for form in forms for share in (0.0, 0.05)]
    rates += [leak("training images", "cropped", share, 3 if share else 0) for share in (0.0, 0.05)]
    (table,) = tables.make_tables(Planted(leaks=rates), "auroc")
    assert [row[0] for row in table.rows] == [
        "training images; images of generators: the same images, mirrored",
        "training images: cropped",
    ]
    assert table.rows[0][1:] == ("0 % (0 to 16)", "100 % (84 to 100)", "100 %")
    (line,) = tables.summarize(Planted(leaks=rates), "auroc").paragraphs
    assert "from 5 % of the patients on: the same images, mirrored; not even at 5 %: cropped" in line
    assert "0 of 100 are false reports" in line


def _kill_at_write(monkeypatch: pytest.MonkeyPatch, asked: Evaluate, stop: int) -> None:
    """Run a command that is killed before it writes the file of this number in the finished evaluation, from 1."""
    write_bytes, written = files.write_bytes, 0

    def write(path: Path, content: bytes, **given: Any) -> None:
        nonlocal written
        written += path.parent == asked.out
        if written == stop and path.parent == asked.out:
            raise KeyboardInterrupt
        write_bytes(path, content, **given)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            evaluate.run(asked)


def test_where_no_gain_has_room_the_answer_is_about_false_alarms_alone() -> None:
    rates = [count_found("gain", 0.0, arm, found, 200, expected=0.004) for arm, found in (("ten", 0), ("twenty", 2))]
    unknown = [Unknown("gain", "ten", "no gain of 1, 3, 5 points can be planted, as the score has no room for it")]
    for of, told in (
        (rates, "0 to 1 % of such studies would say that an arm"),
        (rates[:1], "0 % of such studies would"),
    ):
        planted = Planted(gains=of, unknown=unknown)
        line, why = tables.summarize(planted, "auroc").paragraphs
        assert line.startswith("Without a true gain in AUROC, ") and told in line and "none was planted" in line
        assert "had a true gain" not in line and "no gain of 1, 3, 5 points" in why
        (table,) = tables.make_tables(planted, "auroc")
        assert table.title.startswith("No planted gain in AUROC") and table.columns == ("Arm", "No gain")
    with_gain = [*rates, count_found("gain", 0.05, "ten", 100, 200)]
    (line,) = tables.summarize(Planted(gains=with_gain), "auroc").paragraphs
    assert line.endswith("would say that it helps: 50 % at 5 points, 0 to 1 % without a gain.")


def test_percentages_have_one_format() -> None:
    leaks = [count_found("leak", share, "test", 3, 20, form="the same", counted=0.5) for share in (0.0, 0.05)]
    gains_found = [count_found("gain", gain, "arm", 3, 20, expected=0.1) for gain in GAINS]
    planted = Planted(gains=gains_found, leaks=leaks, copies=[replace(each, kind="copy") for each in leaks])
    made = tables.make_tables(planted, "auroc")
    shown = [cell for table in made for row in (table.columns, *table.rows, table.notes) for cell in row]
    shown += [each.title for each in made] + list(tables.summarize(planted, "auroc").paragraphs)
    assert any(" %" in each for each in shown)
    assert not any(re.search(r"\d%", each) for each in shown)


def _find_section(text: str) -> str:
    return text[text.index('<section id="planted"') : text.index('<section id="scores"')]


def _study(directory: Path) -> gains.JudgedStudy:
    from xrayaug.evaluation.gather import judged_predictions

    artifact = artifacts.open_artifact(directory)
    evaluation = serialization.from_dict(Evaluation, artifact.result)
    predicted = judged_predictions.read_judged(artifact, evaluation, are_from_elsewhere=False)
    return gains.arrange_study(evaluation, predicted)


def _write_predictions(path: Path, seeds: dict[str, Sequence[int]]) -> Path:
    random = np.random.default_rng(0)
    lines = ["arm,seed,case,label,probability,patient"]
    for arm, of in seeds.items():
        for seed in of:
            for case in range(60):
                probability = 1 / (1 + np.exp(-random.normal(case % 2, 1)))
                lines.append(f"{arm},{seed},case{case},{case % 2},{probability:.6f},p{case // 2 % 20}-{case % 2}")
    files.write_text(path, "\n".join(lines) + "\n")
    return path
