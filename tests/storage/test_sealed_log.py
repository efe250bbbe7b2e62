"""A sealed log: every way of changing what was written before is found, but for cutting off its end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from xrayaug.errors import ArtifactError
from xrayaug.storage import sealed_log

START = "plan"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    for number in range(3):
        sealed_log.append(path, START, {"look": number, "verdict": "helps", "p": 0.1 * number})
    return path


def test_entries_are_read_as_they_were_added(log: Path) -> None:
    entries = sealed_log.read(log, START)
    assert [entry["look"] for entry in entries] == [0, 1, 2]
    assert entries[1] == {"look": 1, "verdict": "helps", "p": 0.1}


def test_every_entry_has_the_hash_of_the_one_before(log: Path) -> None:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["previous"] for line in lines] == [START, lines[0]["hash"], lines[1]["hash"]]
    last = sealed_log.append(log, START, {"look": 3})
    assert json.loads(log.read_text().splitlines()[-1])["hash"] == last


def test_no_file_is_an_empty_log(tmp_path: Path) -> None:
    assert sealed_log.read(tmp_path / "none", START) == []


def edit(line: str) -> str:
    return line.replace('"verdict": "helps"', '"verdict": "hurts"')


def reseal(line: str) -> str:
    entry = json.loads(edit(line))
    return json.dumps(entry | {"hash": sealed_log._hash(entry)})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0], edit(lines[1]), lines[2]], 2),
        (lambda lines: [lines[0], reseal(lines[1]), lines[2]], 3),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines, lines[2]], 4),
        (lambda lines: [lines[0], "[]", lines[2]], 2),
    ],
    ids=["edited", "edited and sealed", "removed", "first removed", "swapped", "repeated", "no object"],
)
def test_a_changed_log_is_refused(log: Path, change: Callable[[list[str]], list[str]], line: int) -> None:
    log.write_text("".join(f"{each}\n" for each in change(log.read_text().splitlines())))
    with pytest.raises(ArtifactError, match=f"line {line} changed since it was written"):
        sealed_log.read(log, START)
    with pytest.raises(ArtifactError):
        sealed_log.append(log, START, {})


def test_the_log_of_another_plan_is_refused(log: Path) -> None:
    with pytest.raises(ArtifactError, match="line 1 changed"):
        sealed_log.read(log, "another plan")
