"""Files of readers: valid ones are parsed, all others are refused with one line."""

import json
from pathlib import Path
from typing import Any

import pytest
from evaluation.reader_study.evaluations import answer, saved, write_answers

from xrayaug.errors import DataError, InputError
from xrayaug.evaluation.gather import reader_files
from xrayaug.evaluation.reader_study.answers import Answer


def test_a_file_is_read_as_it_was_saved(tmp_path: Path) -> None:
    content = saved({"a1": answer("real"), "b2": answer("synthetic", confidence=5, defects=["other", "digit"])})
    content["answers"].append({"image": "c3"} | answer(None, comment="<b>\n\u202eü", seconds=2))
    reader = reader_files.read_file(write_answers(tmp_path / "r.json", content))
    assert (reader.reader, reader.study, list(reader.answers)) == ("AB", "5" * 16, ["a1", "b2", "c3"])
    assert reader.answers["a1"] == Answer(False, None, 1.5, (), "")
    assert reader.answers["b2"] == Answer(True, 5, 1.5, ("digit", "other"), "")
    assert reader.answers["c3"] == Answer(None, None, 2.0, (), "<b>\n\u202eü")


WRONG: dict[str, tuple[Any, str]] = {
    "a list": ([1], "not saved by the page"),
    "another kind": (saved({}) | {"kind": "evaluation"}, "not saved by the page"),
    "another format": (saved({}) | {"format": 2}, "format 2"),
    "no reader": (saved({}) | {"reader": " "}, "reader"),
    "a long reader": (saved({}) | {"reader": "x" * 81}, "'reader'.* 80 "),
    "no study": (saved({}) | {"study": None}, "'study'"),
    "no answers": (saved({}) | {"answers": {}}, "answers"),
    "a number for an answer": (saved({}) | {"answers": [7]}, "answer 1 "),
    "two answers of an image": (
        saved({}) | {"answers": [{"image": "a"} | answer("real")] * 2},
        "answer 2 .* image a",
    ),
    "another word": (saved({"a": answer("fake")}), "answer 1 .*'fake'"),
    "a list for a word": (saved({"a": answer(["real"])}), r"answer 1 .*\['real'\]"),
    "confidence 6": (saved({"a": answer("real", confidence=6)}), "confidence 6"),
    "confidence true": (saved({"a": answer("real", confidence=True)}), "confidence True"),
    "negative seconds": (saved({"a": answer("real", seconds=-1)}), "seconds -1"),
    "seconds as text": (saved({"a": answer("real", seconds="one")}), "seconds one"),
    "unknown defect": (saved({"a": answer("real", defects=["bone"])}), "answer 1 .*defect"),
    "long comment": (saved({"a": answer("real", comment="x" * 1001)}), "'comment'.* 1000 "),
}


@pytest.mark.parametrize(("content", "complaint"), WRONG.values(), ids=WRONG)
def test_an_invalid_file_is_refused_in_one_line(tmp_path: Path, content: Any, complaint: str) -> None:
    path = write_answers(tmp_path / "r.json", content)
    with pytest.raises(DataError, match=complaint) as caught:
        reader_files.read_file(path)
    assert caught.value.message.startswith(str(path))
    assert "\n" not in caught.value.message


WHOLE = json.dumps(saved({"a": answer("real")})).encode()
DAMAGED = {
    "empty": b"",
    "cut": WHOLE[: len(WHOLE) // 2],
    "no text": b"\xff\xfe\x00",
    "twice": b'{"kind": 1, "kind": 2}',
    "nan": WHOLE.replace(b"1.5", b"NaN"),
    "deep": b"[" * 100_000,
    "half a character": WHOLE.replace(b'"AB"', b'"\\ud800"'),
    "a picture": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"r\.json is not JSON"):
        reader_files.read_file(path)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match=path.name):
            reader_files.read_file(path)
    monkeypatch.setattr(reader_files, "MAX_BYTES", 10)
    with pytest.raises(DataError, match=" 10 bytes"):
        reader_files.read_file(write_answers(tmp_path / "r.json", saved({})))


def test_two_files_of_one_reader_are_refused(tmp_path: Path) -> None:
    paths = [write_answers(tmp_path / name, saved({"a": answer("real")})) for name in ("1.json", "2.json")]
    with pytest.raises(DataError, match=r"1\.json and .*2\.json .*'AB'"):
        reader_files.read_files(paths)
    with pytest.raises(DataError, match="'AB'"):
        reader_files.read_files([paths[0], paths[0]])
