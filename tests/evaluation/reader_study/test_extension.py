"""Readers' files scored into an evaluation that is finished already."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation.reader_study.evaluations import answer, evaluate_options, saved, write_answers, write_evaluation

from xrayaug.errors import ArtifactError, DataError, InputError
from xrayaug.evaluation.gather import reader_files
from xrayaug.evaluation.gather.reader_files import ReaderInputs
from xrayaug.evaluation.reader_study import study
from xrayaug.options import Evaluate
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts, builder, files


def answered(evaluation: Path, reader: str, wrong: int) -> Path:
    """A reader's file in which the first `wrong` answers are wrong."""
    key = reader_files.read_key(artifacts.open_artifact(evaluation))
    answers = {
        name: answer("synthetic" if entry.synthetic != (number < wrong) else "real")
        for number, (name, entry) in enumerate(key.truth.items())
    }
    return write_answers(evaluation.parent / f"{evaluation.name}-{reader}.json", saved(answers, key.name, reader))


def add_study(evaluation: Path, count: int) -> dict[str, Any]:
    """Add a study of so many images to a finished evaluation; the evaluation's result."""
    return evaluate.extend(evaluate_options(evaluation, reader_study=count), ReaderInputs(), {})


def add_scores(options: Evaluate) -> dict[str, Any]:
    """Add the scores of the readers to a finished evaluation; the evaluation's result."""
    return evaluate.extend(options, reader_files.gather_readers(options), {})


def test_results_are_scored_into_the_finished_evaluation(evaluation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is judged again: the runs of this evaluation have no networks."""
    evaluate.run(evaluate_options(evaluation, reader_study=8))
    first, second = (answered(evaluation, name, wrong) for name, wrong in (("AB", 0), ("CD", 2)))
    result = evaluate.run(evaluate_options(evaluation, reader_results=(first, second)))
    assert [each["accuracy"]["value"] for each in result["readers"]["readers"]] == [1.0, 0.75]
    made = artifacts.open_artifact(evaluation)
    assert json.loads((evaluation / "reader.json").read_text()) == made.result["readers"] == result["readers"]
    assert [table.title for table in evaluate.list_reader_tables(result)][1].startswith("Real or synthetic")
    capsys.readouterr()
    evaluate.run(evaluate_options(evaluation, reader_study=8, reader_results=(second,)))
    assert "AB (" in capsys.readouterr().err
    assert [each["reader"] for each in artifacts.open_artifact(evaluation).result["readers"]["readers"]] == ["CD"]
    assert builder.find_completed(evaluate_options(evaluation)) is not None


def test_results_of_another_study_change_nothing(evaluation: Path) -> None:
    evaluate.run(evaluate_options(evaluation, reader_study=8))
    before = (evaluation / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=r"foreign\.json .* 5{16}"):
        results = write_answers(evaluation.parent / "foreign.json", saved({"a": answer("real")}))
        evaluate.run(evaluate_options(evaluation, reader_results=(results,)))
    assert (evaluation / "manifest.json").read_bytes() == before
    assert not (evaluation / "reader.json").exists()


def test_results_without_a_study_are_refused_before_anything_is_judged(evaluation: Path) -> None:
    results = write_answers(evaluation.parent / "r.json", saved({"a": answer("real")}))
    with pytest.raises(DataError, match="has no reader study") as caught:
        evaluate.run(evaluate_options(evaluation, reader_results=(results,)))
    assert "--reader-study" in caught.value.hint
    nowhere = evaluation.with_name("nowhere")
    with pytest.raises(DataError, match="has no reader study"):
        evaluate.run(evaluate_options(nowhere, reader_results=(results,)))
    assert not nowhere.exists()
    add_study(evaluation, 4)
    with pytest.raises(DataError, match="has no reader study"):  # since --overwrite would delete it
        evaluate.run(evaluate_options(evaluation, reader_results=(results,), overwrite=True))
    assert (evaluation / study.KEY_FILE).is_file()


def test_a_missing_file_is_named_also_where_there_is_no_study(evaluation: Path) -> None:
    missing = evaluation.parent / "nope.json"
    with pytest.raises(InputError, match=r"nope\.json cannot be read"):
        evaluate.run(evaluate_options(evaluation, reader_results=(missing,)))


def test_a_damaged_file_is_refused_before_anything_is_judged(evaluation: Path) -> None:
    add_study(evaluation, 4)
    damaged = evaluation.parent / "damaged.json"
    damaged.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        reader_files.read_answers(evaluate_options(evaluation, reader_results=(damaged,)))


def test_a_changed_key_is_refused(evaluation: Path) -> None:
    add_study(evaluation, 4)
    file = answered(evaluation, "AB", 0)
    (evaluation / study.KEY_FILE).write_text("{}")
    with pytest.raises(ArtifactError, match=r"reader-key\.json changed"):
        evaluate.run(evaluate_options(evaluation, reader_results=(file,)))


def test_an_evaluation_can_be_extended_after_a_kill_at_any_write(
    evaluation: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write fails, the artifact can be opened, and the same command again ends as if nothing had failed."""
    add_study(evaluation, 4)
    first = evaluate_options(evaluation, reader_results=(answered(evaluation, "AB", 0),))
    before = add_scores(first)
    again = evaluate_options(evaluation, reader_results=(answered(evaluation, "AB", 1),))
    write_bytes = files.write_bytes
    for allowed in (0, 1, 2):
        left = [allowed]

        def write(path: Path, content: bytes, *, durable: bool = True, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            write_bytes(path, content, durable=durable)

        monkeypatch.setattr(files, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            add_scores(again)
        artifacts.open_artifact(evaluation, "evaluation")
        monkeypatch.setattr(files, "write_bytes", write_bytes)
    result = add_scores(again)
    assert result["readers"]["readers"][0]["accuracy"]["correct"] == 3
    assert before["readers"]["readers"][0]["accuracy"]["correct"] == 4
    assert "reader.json" in artifacts.open_artifact(evaluation).manifest["files"]


def test_copies_of_an_evaluation_give_the_same_scores(evaluation: Path) -> None:
    add_study(evaluation, 6)
    file = answered(evaluation, "AB", 1)
    copy = shutil.copytree(evaluation, evaluation.with_name(f"{evaluation.name}-copy"))
    results = [evaluate.run(evaluate_options(each, reader_results=(file,)))["readers"] for each in (evaluation, copy)]
    assert results[0] == results[1]


def test_a_study_that_is_lost_when_the_evaluation_is_made_anew_is_warned_of(
    evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = add_study(evaluation, 4)["reader_study"]["study"]
    anew = evaluate_options(evaluation, reader_study=4, overwrite=True)
    assert reader_files.find_replaced_study(evaluate_options(evaluation, reader_study=4)) is None
    assert reader_files.find_replaced_study(anew) == before
    write_evaluation(again := evaluation.with_name(f"{evaluation.name}-anew"))
    assert reader_files.find_replaced_study(replace(anew, out=again)) is None
    capsys.readouterr()
    evaluate.extend(evaluate_options(again, reader_study=4), ReaderInputs(replaced_study=before), {})
    assert "warning: " not in capsys.readouterr().err  # the same runs give the same study
    write_evaluation(other := evaluation.with_name(f"{evaluation.name}-other"))
    for changes in ({"reader_study": 6}, {}):
        evaluate.extend(evaluate_options(other, **changes), ReaderInputs(replaced_study=before), {})
        (warning,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
        assert str(other) in warning
        assert before in warning
