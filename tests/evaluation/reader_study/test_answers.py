"""What a reader's file may hold; whatever else it holds is one clear line."""

import json
from pathlib import Path
from typing import Any

import pytest
from evaluation.reader_study.evaluations import answer, saved, write_answers

from xrayaug.errors import InputError, XrayaugError
from xrayaug.evaluation.gather import reader_files
from xrayaug.evaluation.reader_study.answers import Answer


def test_a_file_is_read_as_it_was_saved(tmp_path: Path) -> None:
    given = saved({"a1": answer("real"), "b2": answer("synthetic", confidence=5, defects=["other", "digit"])})
    given["answers"].append({"image": "c3"} | answer(None, comment="<b>\n\u202eü", seconds=2))
    reading = reader_files.open_one(write_answers(tmp_path / "r.json", given))
    assert (reading.reader, reading.study, list(reading.answers)) == ("AB", "5" * 16, ["a1", "b2", "c3"])
    assert reading.answers["a1"] == Answer(False, None, 1.5, (), "")
    assert reading.answers["b2"] == Answer(True, 5, 1.5, ("digit", "other"), "")
    assert reading.answers["c3"] == Answer(None, None, 2.0, (), "<b>\n\u202eü")


WRONG: dict[str, tuple[Any, str]] = {
    "a list": ([1], "was not saved by the page"),
    "another kind": (saved({}) | {"kind": "evaluation"}, "was not saved by the page"),
    "another format": (saved({}) | {"format": 2}, "has format 2, this xrayaug reads format 1"),
    "no reader": (saved({}) | {"reader": " "}, "lacks the name of its reader"),
    "a long reader": (saved({}) | {"reader": "x" * 81}, "'reader' is no text of at most 80"),
    "no study": (saved({}) | {"study": None}, "'study' is no text"),
    "no answers": (saved({}) | {"answers": {}}, "lacks its answers"),
    "an answer that is none": (saved({}) | {"answers": [7]}, "answer 1 is no answer"),
    "twice": (saved({}) | {"answers": [{"image": "a"} | answer("real")] * 2}, "answer 2 is the second one of image a"),
    "a word": (saved({"a": answer("fake")}), "answer 1 is 'fake', neither real nor synthetic"),
    "an unhashable": (saved({"a": answer(["real"])}), "neither real nor synthetic"),
    "sure": (saved({"a": answer("real", confidence=6)}), "confidence 6"),
    "true": (saved({"a": answer("real", confidence=True)}), "confidence True"),
    "seconds": (saved({"a": answer("real", seconds=-1)}), "took -1 seconds"),
    "no seconds": (saved({"a": answer("real", seconds="1")}), "took 1 seconds"),
    "defects": (saved({"a": answer("real", defects=["bone"])}), "unknown defect"),
    "comment": (saved({"a": answer("real", comment="x" * 1001)}), "'comment' is no text of at most 1000"),
}


@pytest.mark.parametrize(("given", "complaint"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, given: Any, complaint: str) -> None:
    path = write_answers(tmp_path / "r.json", given)
    with pytest.raises(XrayaugError, match=complaint) as caught:
        reader_files.open_one(path)
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
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(XrayaugError, match=r"r\.json is not JSON") as caught:
        reader_files.open_one(path)
    assert caught.value.hint == "take the file as the reader's page saved it"


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        reader_files.open_one(tmp_path / "none.json")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        reader_files.open_one(tmp_path)
    monkeypatch.setattr(reader_files, "MAX_BYTES", 10)
    with pytest.raises(InputError, match="more than 10 bytes"):
        reader_files.open_one(write_answers(tmp_path / "r.json", saved({})))


def test_two_files_of_one_reader(tmp_path: Path) -> None:
    paths = [write_answers(tmp_path / name, saved({"a": answer("real")})) for name in ("1.json", "2.json")]
    with pytest.raises(InputError, match=r"1\.json and .*2\.json are both of reader 'AB'"):
        reader_files.open_all(paths)
    with pytest.raises(InputError, match="both of reader"):
        reader_files.open_all([paths[0], paths[0]])
