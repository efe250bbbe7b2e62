"""A message is one line, whatever damaged file it quotes."""

import pytest

from xrayaug.errors import MAX_MESSAGE_LENGTH, DataError, one_line


@pytest.mark.parametrize("quoted", ["a\nb", "a\r\nb", "a\0b", "a\x1b[2Jb", "a\u2028b", "a\ud800b", "a\x9bb"])
def test_a_quoted_file_cannot_break_the_line_or_control_the_terminal(quoted: str) -> None:
    problem = DataError(f"the label is '{quoted}'")
    assert problem.message == str(problem)
    assert problem.message.startswith("the label is 'a ")
    assert problem.message.encode().decode().isprintable()


def test_a_long_message_is_cut_in_the_middle() -> None:
    cut = one_line("begins " + "x" * 10**6 + " ends")
    assert cut.startswith("begins x")
    assert cut.endswith("x ends")
    assert len(cut) == MAX_MESSAGE_LENGTH + len(" ... ")


def test_an_ordinary_line_is_unchanged() -> None:
    assert one_line("Händ  1: 'x' – 8 × 8") == "Händ  1: 'x' – 8 × 8"
