"""Results on stdout as they stand; progress as plain lines where stderr is no terminal."""

import pytest

from xrayaug import console
from xrayaug.console import Table
from xrayaug.errors import UsageError

AWKWARD = ("hand[red].png", "[/b].png", "a\\[b].png", ":smile:.png", "50%.png")


@pytest.mark.parametrize("name", AWKWARD)
def test_cells_and_notes_are_shown_as_they_stand(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.show([Table("files", ("name",), [(name,)], notes=[f"see {name}"])])
    shown = capsys.readouterr()
    assert f" {name} " in shown.out
    assert f"see {name}\n" in shown.out
    assert shown.err == ""


def test_long_notes_stay_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    note = "runs/" + "very-" * 80 + "long"
    console.show([Table("files", ("name",), [], notes=[note])])
    assert note in capsys.readouterr().out.splitlines()


def test_an_error_is_one_line_with_its_hint(capsys: pytest.CaptureFixture[str]) -> None:
    console.report(UsageError("--size is 0", "it must be 8 or more"))
    assert capsys.readouterr().err == "error: --size is 0 (it must be 8 or more)\n"


def test_progress_off_a_terminal_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 1.0, 11.0, 12.0, 20.0])
    monkeypatch.setattr("xrayaug.console.time.monotonic", lambda: next(seconds))
    with console.progress(40, "sample") as advance:
        advance(10)  # too soon for a line
        advance(12, "epoch [2]")
        advance(18)
    assert capsys.readouterr().err.splitlines() == [
        "sample: 22/40 images, 2.0 images/s, 0:09 left; epoch [2]",
        "sample: 40 images in 0:20, 2.0 images/s",
    ]


def test_progress_on_a_terminal_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.progress(2, "decode") as advance:
        advance(2, "file [1].png")
    shown = capsys.readouterr()
    assert "decode" in shown.err
    assert "2/2" in shown.err
    assert "file [1].png" in shown.err
    assert shown.out == ""


def test_progress_that_breaks_off_claims_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError, match="disk"), console.progress(5, "sample"):
        raise RuntimeError("disk")
    assert capsys.readouterr().err == ""
