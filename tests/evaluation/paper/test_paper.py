"""The files for a paper: nothing in them that no manifest holds, nothing of the evaluation changed, no name shown."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation.paper.conftest import NAME, PATIENTS, evaluate_options
from evaluation.paper.numbers_of_study import find_unknown, list_numbers
from PIL import Image

from xrayaug.evaluation.gather import paper_facts
from xrayaug.evaluation.gather.paper_facts import PaperInputs
from xrayaug.evaluation.paper import descriptions, documents, flow, methods, rendering, result_descriptions
from xrayaug.evaluation.paper.checklist import Checklist, Status
from xrayaug.evaluation.paper.facts import CLASSIFIER, GENERATOR, OTHER_TEST
from xrayaug.evaluation.report import page
from xrayaug.options import Evaluate
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts, builder

PUBLISHED = {  # main items, items with their parts, conditions
    "CLAIM 2024": (44, 44, 0),
    "TRIPOD+AI": (27, 52, 0),
    "METRICS": (30, 30, 5),
}


@pytest.fixture(scope="module")
def extended(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the study whose evaluation was extended by the checklists."""
    copy = shutil.copytree(home, tmp_path_factory.mktemp("extended") / "study")
    evaluate.run(evaluate_options(copy, copy / "evaluation", checklist=True))
    return copy


@pytest.fixture(scope="module")
def gathered(extended: Path) -> PaperInputs:
    options = evaluate_options(extended, extended / "evaluation", checklist=True)
    return paper_facts.gather_paper(options, artifacts.open_artifact(options.out))


def items_of(extended: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((extended / "evaluation" / "paper" / f"{name}.json").read_text())["items"]
    return found


def item(extended: Path, name: str, number: str) -> dict[str, Any]:
    return next(each for each in items_of(extended, name) if each["number"] == number)


@pytest.mark.parametrize("checklist", documents.CHECKLISTS, ids=lambda each: each.file)
def test_items_are_as_many_as_were_published(checklist: Checklist) -> None:
    numbers = [each.number for each in checklist.items]
    conditions = [number for number in numbers if number.startswith("C")]
    items = [number for number in numbers if number not in conditions]
    main = list(dict.fromkeys(number.rstrip("abcdefg") for number in items))
    assert (len(main), len(items), len(conditions)) == PUBLISHED[checklist.name]
    assert main == [str(number) for number in range(1, len(main) + 1)]
    assert len(set(numbers)) == len(numbers)
    assert all(each.answer or each.authors for each in checklist.items)


def test_the_evaluation_itself_does_not_change(home: Path, extended: Path) -> None:
    before, after = (artifacts.open_artifact(each / "evaluation") for each in (home, extended))
    assert {name: after.result[name] for name in before.result} == before.result
    assert after.result.keys() - before.result.keys() == {"checklists"}
    assert after.manifest["files"].items() >= before.manifest["files"].items()
    new = after.manifest["files"].keys() - before.manifest["files"].keys()
    names = ("claim.json", "claim.md", "failures.csv", "failures.png", "flow.svg", "methods.md", "metrics.json",
             "metrics.md", "tripod-ai.json", "tripod-ai.md")  # fmt: skip
    assert new == {f"paper/{name}" for name in names}
    assert builder.find_completed(evaluate_options(extended, after.path, checklist=False)) is not None


def test_the_same_command_again_writes_the_same_bytes(extended: Path) -> None:
    before = (extended / "evaluation" / "manifest.json").read_bytes()
    evaluate.run(evaluate_options(extended, extended / "evaluation", checklist=True))
    assert (extended / "evaluation" / "manifest.json").read_bytes() == before


def texts_of(inputs: PaperInputs) -> str:
    """All that is said in answers and in the methods."""
    filled = documents.fill_checklists(inputs.facts)
    answers = [line for each in filled for one in each.items for line in one.sentences]
    return "\n".join([*answers, methods.format_methods(inputs.facts)])


def test_every_number_is_one_of_the_manifests(extended: Path, gathered: PaperInputs) -> None:
    with (extended / "evaluation" / "paper" / "failures.csv").open(encoding="utf-8", newline="") as text:
        failures = len(list(csv.DictReader(text)))
    known = list_numbers(extended) | {float(failures)}
    written = texts_of(gathered)
    assert len(written) > 5000
    assert not find_unknown(written, known)


def test_a_number_that_is_not_from_the_manifests_is_noticed(extended: Path, gathered: PaperInputs) -> None:
    study = gathered.facts.study
    assert study is not None
    known = list_numbers(extended) | {float(gathered.facts.failures)}
    wrong = replace(study, datasets=[replace(each, images=987654) for each in study.datasets])
    assert "987654" in find_unknown(texts_of(replace(gathered, facts=replace(gathered.facts, study=wrong))), known)
    evaluation = gathered.facts.evaluation
    margin = replace(evaluation.verdict.question, margin=0.0123)
    judged = replace(evaluation, verdict=replace(evaluation.verdict, question=margin))
    changed = replace(gathered, facts=replace(gathered.facts, evaluation=judged))
    assert "0.0123" in find_unknown(texts_of(changed), known)


def test_facts_are_those_of_the_manifests(gathered: PaperInputs) -> None:
    study = gathered.facts.study
    assert study is not None
    roles = {each.name: each.roles for each in study.datasets}
    assert roles == {"hands": [CLASSIFIER, GENERATOR], "further": [OTHER_TEST]}
    (hands,) = (each for each in study.datasets if each.name == "hands")
    assert hands.images == PATIENTS - 1 == hands.patients == sum(split.images for split in hands.splits)
    assert sum(hands.skipped.values()) == 2
    assert {each.column for each in hands.characteristics} == {"age", "sex"}
    assert hands.other_columns == ["part"]
    assert [each.generator for each in study.synthetic] == ["dcgan", "ddpm"]
    assert [(each.judged, each.set_aside) for each in study.screenings] == [(20, study.screenings[0].set_aside)]
    assert {arm.control for arm in study.arms} == {None, "duplicate"}
    assert all(arm.seeds == [0, 1] for arm in study.arms)


def test_every_item_is_answered_left_open_by_name_or_does_not_apply(extended: Path) -> None:
    for name in ("claim", "tripod-ai", "metrics"):
        for each in items_of(extended, name):
            match Status(each["status"]):
                case Status.FILLED:
                    assert each["answer"] and each["sources"] and not each["authors"], each
                case Status.PARTLY:
                    assert each["answer"] and each["sources"] and each["authors"], each
                case Status.OPEN:
                    assert each["authors"] and not each["answer"] and not each["sources"], each
                case Status.NOT_APPLICABLE:
                    assert each["not_applicable"] and not each["authors"], each
    counts = artifacts.open_artifact(extended / "evaluation").result["checklists"]
    for name, file in (("CLAIM 2024", "claim"), ("TRIPOD+AI", "tripod-ai"), ("METRICS", "metrics")):
        found = Counter(each["status"] for each in items_of(extended, file))
        assert {status: number for status, number in counts[name].items() if number} == found


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("8", ["`hands`: 2 files left out: 1 no label; 1 not an image"]),
        ("12", ["an empty label (1) was left out: no label"]),
        ("19", ["`hands` was split by patient with seed 0", "a share of 0.4"]),
        ("20", ["the unit of the split is the patient"]),
        ("23", ["xrayaug ", "torch "]),
        ("25", ["GAN `gan`", "the control `duplicate`", "`copies` compared 20 synthetic images"]),
        ("29", ["95 % confidence interval", "Holm", "infinitesimal jackknife"]),
        ("33", ["Test set `further`"]),
        ("36", ["column `age`, patients by split: training: mean ", "column `sex`, patients by split: training: F "]),
    ],
)
def test_answers_say_what_was_done(extended: Path, number: str, expected: Sequence[str]) -> None:
    text = "\n".join(item(extended, "claim", number)["answer"])
    assert all(words in text for words in expected), text


def test_a_share_for_validation_divides_images_and_selects_none(gathered: PaperInputs) -> None:
    assert gathered.facts.study is not None
    data = replace(gathered.facts.study.datasets[0], options={"test": 0.4, "holdout": 0.2, "seed": 0})
    assert (
        "a share of 0.2 of the training images was held out for validation" in descriptions.describe_partition(data)[0]
    )
    assert not any("holdout" in line for line in descriptions.describe_selection(data))


def test_what_depends_on_the_runs_of_an_arm_is_said(gathered: PaperInputs) -> None:
    """Runs with other numbers of training images than the first, and runs with a GAN each."""
    study, evaluation = gathered.facts.study, gathered.facts.evaluation
    assert study is not None
    assert "other runs" not in descriptions.describe_arm(study.arms[0], [])
    assert "other runs had other numbers" in descriptions.describe_arm(replace(study.arms[0], differs=True), [])
    assert result_descriptions.describe_own_sources(evaluation) == []
    arms = [replace(arm, generators=3) if arm.control is None else arm for arm in evaluation.verdict.arms]
    several = replace(evaluation, verdict=replace(evaluation.verdict, arms=arms))
    assert "images of a GAN of its own" in result_descriptions.describe_own_sources(several)[0]
    assert "over 3 GANs of this kind" in result_descriptions.describe_arms(several.verdict)[0]
    both = replace(several.verdict, question=replace(several.verdict.question, against="both"))
    assert "verdict in comparison with both: " in result_descriptions.describe_arms(both)[0]


def test_what_only_a_person_knows_is_left_open(extended: Path) -> None:
    left_open = {each["number"] for each in items_of(extended, "claim") if each["status"] == Status.OPEN}
    assert {"2", "3", "5", "15", "16", "17", "18", "34", "41", "44"} <= left_open
    left_open = {each["number"] for each in items_of(extended, "tripod-ai") if each["status"] == Status.OPEN}
    assert {"2", "3a", "5b", "6a", "8c", "17", "18a", "18b", "18d", "19"} <= left_open


def test_no_name_of_a_patient_or_file_is_shown(extended: Path) -> None:
    assert NAME in (extended / "evaluation" / "predictions.csv").read_text(encoding="utf-8")
    for path in (extended / "evaluation" / "paper").iterdir():
        assert NAME.encode() not in path.read_bytes(), path


def test_failures_are_those_of_the_predictions(extended: Path, gathered: PaperInputs) -> None:
    with (extended / "evaluation" / "predictions.csv").open(encoding="utf-8", newline="") as text:
        lines = list(csv.DictReader(text))
    arms = {name: [line for line in lines if line["arm"] == name] for name in gathered.baselines}
    wrong = set()
    for rows in arms.values():
        for place in {line["row"] for line in rows}:
            own = [line for line in rows if line["row"] == place]
            mean = sum(float(line["probability"]) for line in own) / len(own)
            if (mean > 0.5) != (own[0]["label"] == "abnormal"):
                wrong.add(int(place))
    assert {each.image.row for each in gathered.failed} == wrong
    assert wrong
    with Image.open(extended / "evaluation" / "paper" / "failures.png") as sheet:
        assert sheet.width > 500


def test_the_diagram_has_the_numbers_of_the_splits(extended: Path, gathered: PaperInputs) -> None:
    drawn = (extended / "evaluation" / "paper" / "flow.svg").read_text(encoding="utf-8")
    study = gathered.facts.study
    assert study is not None
    for data in study.datasets:
        for split in data.splits:
            for line in (f"{split.images} images", f"{split.normal} normal", f"{split.patients} patients"):
                assert line in drawn
    assert "not used" in drawn
    columns, arms = flow.make_flow(gathered.facts)
    assert len(columns) == len(study.datasets) + len(study.synthetic)
    assert [row[0] for row in arms.rows] == [arm.name for arm in study.arms]


def test_of_predictions_from_elsewhere_most_is_left_open(
    extended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "render", lambda *_: "")
    lines = (extended / "evaluation" / "predictions.csv").read_text(encoding="utf-8").splitlines()
    table = [line.split(",") for line in lines if '"' not in line]
    kept = [row for row in table if row[1] in ("arm", "0")] + [
        ["x", "new", *row[2:]] for row in table[1:] if row[1] == "0"
    ]
    (tmp_path / "p.csv").write_text("\n".join(",".join([*row[1:3], *row[4:]]) for row in kept) + "\n")
    options = Evaluate(
        predictions=(tmp_path / "p.csv",), baseline="0", out=tmp_path / "judged", resamples=100, checklist=True,
        columns=("case=row",),
    )  # fmt: skip
    evaluate.run(options)
    claim = {each["number"]: each for each in json.loads((options.out / "paper" / "claim.json").read_text())["items"]}
    for number in ("7", "8", "9", "14", "19", "20", "22", "24", "25", "33", "36"):
        assert claim[number]["status"] == Status.OPEN, claim[number]
    assert claim["37"]["status"] == Status.FILLED
    assert rendering.ELSEWHERE in (options.out / "paper" / "claim.md").read_text(encoding="utf-8")
    assert methods.UNKNOWN in (options.out / "paper" / "methods.md").read_text(encoding="utf-8")
    assert not (options.out / "paper" / "failures.png").exists()


def test_options_that_ask_for_checklists_are_met_by_a_result_with_them(extended: Path) -> None:
    asked = evaluate_options(extended, extended / "evaluation", checklist=True)
    assert asked.is_met_by(artifacts.open_artifact(extended / "evaluation").result)
    assert not asked.is_met_by({"verdict": {}})
    assert replace(asked, checklist=False).is_met_by({"verdict": {}})
