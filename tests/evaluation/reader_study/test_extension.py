"""Readers' files scored into an evaluation that is finished already."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from evaluation.reader_study.evaluations import answer, asked, saved, write_answers, write_evaluation

from xrayaug.errors import ArtifactError, DataError
from xrayaug.evaluation.gather import reader_files
from xrayaug.evaluation.reader_study import extension, study
from xrayaug.stages import evaluate
from xrayaug.storage import artifacts, builder, files


def answered(evaluation: Path, reader: str, wrong: int) -> Path:
    """A reader's file in which the first `wrong` answers are wrong."""
    key = reader_files.read_key(artifacts.open_artifact(evaluation))
    truths = [told["synthetic"] for told in key["answers"].values()]
    said = {
        name: answer("synthetic" if truth != (number < wrong) else "real")
        for number, (name, truth) in enumerate(zip(key["answers"], truths, strict=True))
    }
    return write_answers(evaluation.parent / f"{evaluation.name}-{reader}.json", saved(said, key["study"], reader))


def test_results_are_scored_into_the_finished_evaluation(evaluation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is judged again: the runs of this evaluation have no networks."""
    evaluate.run(asked(evaluation, reader_study=8))
    first, second = (answered(evaluation, name, wrong) for name, wrong in (("AB", 0), ("CD", 2)))
    result = evaluate.run(asked(evaluation, reader_results=(first, second)))
    assert [each["accuracy"]["value"] for each in result["readers"]["readers"]] == [1.0, 0.75]
    made = artifacts.open_artifact(evaluation)
    assert json.loads((evaluation / "reader.json").read_text()) == made.result["readers"] == result["readers"]
    assert [table.title for table in extension.tables(result)][1].startswith("Real or synthetic")
    capsys.readouterr()
    evaluate.run(asked(evaluation, reader_study=8, reader_results=(second,)))
    assert "AB (" in capsys.readouterr().err
    assert [each["reader"] for each in artifacts.open_artifact(evaluation).result["readers"]["readers"]] == ["CD"]
    assert builder.find_completed(asked(evaluation)) is not None


def test_results_of_another_study_change_nothing(evaluation: Path) -> None:
    evaluate.run(asked(evaluation, reader_study=8))
    before = (evaluation / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=r"answers the reader study 5{16}, and the key is of"):
        results = write_answers(evaluation.parent / "foreign.json", saved({"a": answer("real")}))
        evaluate.run(asked(evaluation, reader_results=(results,)))
    assert (evaluation / "manifest.json").read_bytes() == before
    assert not (evaluation / "reader.json").exists()


def test_results_without_a_study_are_refused_before_anything_is_judged(evaluation: Path) -> None:
    results = write_answers(evaluation.parent / "r.json", saved({"a": answer("real")}))
    with pytest.raises(DataError, match="has no reader study") as caught:
        evaluate.run(asked(evaluation, reader_results=(results,)))
    assert "--reader-study 40" in caught.value.hint
    nowhere = evaluation.with_name("nowhere")
    with pytest.raises(DataError, match="has no reader study"):
        evaluate.run(asked(nowhere, reader_results=(results,)))
    assert not nowhere.exists()
    extension.add(asked(evaluation, reader_study=4), [], {})
    with pytest.raises(DataError, match="has no reader study"):  # for it would be deleted
        evaluate.run(asked(evaluation, reader_results=(results,), overwrite=True))
    assert (evaluation / study.KEY_FILE).is_file()


def test_a_damaged_file_is_known_before_anything_is_judged(evaluation: Path) -> None:
    extension.add(asked(evaluation, reader_study=4), [], {})
    damaged = evaluation.parent / "damaged.json"
    damaged.write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        reader_files.read_answers(asked(evaluation, reader_results=(damaged,)))


def test_a_changed_key_is_found(evaluation: Path) -> None:
    extension.add(asked(evaluation, reader_study=4), [], {})
    file = answered(evaluation, "AB", 0)
    (evaluation / study.KEY_FILE).write_text("{}")
    with pytest.raises(ArtifactError, match=r"reader-key\.json changed since it was made"):
        evaluate.run(asked(evaluation, reader_results=(file,)))


def test_growing_stands_being_killed_at_every_step(evaluation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever write fails, what lies there opens, and the same command again ends as if nothing had failed."""
    options = asked(evaluation, reader_study=4)
    extension.add(options, [], {})
    first = asked(evaluation, reader_results=(answered(evaluation, "AB", 0),))
    once = extension.add(first, reader_files.read_answers(first), {})
    again = asked(evaluation, reader_results=(answered(evaluation, "AB", 1),))
    whole = files.write_bytes
    for allowed in (0, 1, 2):
        left = [allowed]

        def write(path: Path, content: bytes, *, durable: bool = True, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            whole(path, content, durable=durable)

        monkeypatch.setattr(files, "write_bytes", write)
        with pytest.raises(KeyboardInterrupt):
            extension.add(again, reader_files.read_answers(again), {})
        artifacts.open_artifact(evaluation, "evaluation")
        monkeypatch.setattr(files, "write_bytes", whole)
    result = extension.add(again, reader_files.read_answers(again), {})
    assert result["readers"]["readers"][0]["accuracy"]["right"] == 3
    assert once["readers"]["readers"][0]["accuracy"]["right"] == 4
    assert "reader.json" in artifacts.open_artifact(evaluation).manifest["files"]


def test_two_copies_of_an_evaluation_take_the_same_answers(evaluation: Path) -> None:
    extension.add(asked(evaluation, reader_study=6), [], {})
    file = answered(evaluation, "AB", 1)
    copy = shutil.copytree(evaluation, evaluation.with_name(f"{evaluation.name}-copy"))
    results = [evaluate.run(asked(each, reader_results=(file,)))["readers"] for each in (evaluation, copy)]
    assert results[0] == results[1]


def test_a_study_that_is_lost_when_the_evaluation_is_made_anew_is_warned_of(
    evaluation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = extension.add(asked(evaluation, reader_study=4), [], {})["reader_study"]["study"]
    anew = asked(evaluation, reader_study=4, overwrite=True)
    assert reader_files.find_replaced_study(asked(evaluation, reader_study=4)) is None
    assert reader_files.find_replaced_study(anew) == before
    write_evaluation(again := evaluation.with_name(f"{evaluation.name}-anew"))
    assert reader_files.find_replaced_study(replace(anew, out=again)) is None
    capsys.readouterr()
    extension.add(asked(again, reader_study=4), [], {}, before)
    assert "warning: " not in capsys.readouterr().err  # of the same runs it is the same
    write_evaluation(other := evaluation.with_name(f"{evaluation.name}-other"))
    for changes in ({"reader_study": 6}, {}):
        extension.add(asked(other, **changes), [], {}, before)
        assert f"warning: {other} was made anew without the reader study {before}" in capsys.readouterr().err
