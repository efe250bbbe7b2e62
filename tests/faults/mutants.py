"""Mutations of files, and the limits of time and memory within which a reader must handle them."""

import re
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faults import tally
from hypothesis import strategies as st

from xrayaug.data.images.opening import UnusableImage
from xrayaug.errors import MAX_MESSAGE_LENGTH, XrayaugError

SECONDS = 10
BYTES = 1 << 30  # above what the process has taken before
HEAD = 200  # bytes: where formats say what they are
KIB = 1024  # Linux counts the memory of a process in them

TOKEN = re.compile(rb'"[^"\n]*"|-?\d+(?:\.\d+)?|[^\s,;:"{}\[\]]+')
HOSTILE_TOKENS: tuple[bytes, ...] = (
    *(b"-1", b"0", b"1", b"2", b"1.5", b"1e999", b"NaN", b"-Infinity", b"9" * 5000, b"1" + b"0" * 12, b"4294967296"),
    *(b"../../etc/passwd", b"/etc/passwd", b"../manifest.json", b"real/../images.npy", b"train", b"normal"),
    *(b"positive", b"=cmd()", b"'", b"''=x", b"\t", b"\r", b"\n", b"\0", b'"', b",", b"\xff\xfe", b"\xed\xa0\x80"),
    *(b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"', b'"\\u0000"', b"[" * 100_000, b"x" * 200_000),
    *(b'"patient"', b'"image"', b'"abnormal"', b'"dataset"', b'"..\\u002f.."', b"0" * 131_000 + b"x"),
)  # fmt: skip
EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    10**6,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    10**12,
    2**63 - 1,
    2**64 - 1,
)
WIDTHS = (1, 2, 4, 8)
LONGEST_SPAN = 64


@dataclass(frozen=True)
class Step:
    """One change to a file."""

    kind: str
    where: int  # any number, taken modulo the number of places
    how: int  # likewise


def steps(*, text: bool) -> st.SearchStrategy[list[Step]]:
    """Return a strategy for a few changes to one file."""
    kinds = [*CHANGES, "token", "token", "token"] if text else list(CHANGES)
    number = st.integers(0, 2**32 - 1)
    return st.lists(st.builds(Step, st.sampled_from(kinds), number, number), min_size=1, max_size=4)


def mutated(content: bytes, changes: list[Step]) -> bytes:
    """Return the content after the changes."""
    for step in changes:
        if content:
            content = _token(content, step) if step.kind == "token" else CHANGES[step.kind](content, step)
    return content


def survives(reader: str, read: Callable[[], Any]) -> None:
    """Check that a reader succeeds or refuses in one line, within the limits of time and memory."""
    tally.tried[reader] += 1
    before = _peak()
    with _in_time():
        try:
            read()
        except (XrayaugError, UnusableImage) as refusal:
            assert len(str(refusal)) < MAX_MESSAGE_LENGTH + 10, "the refusal is no line but a book"
            assert "\n" not in str(refusal), "the refusal has more than one line"
    assert _peak() - before < BYTES, f"it took {(_peak() - before) >> 20} MiB"


class _Hangs(BaseException):
    """Time is up; no reader may catch this."""


@contextmanager
def _in_time() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    started = time.monotonic()
    try:
        yield
    except _Hangs:
        raise AssertionError(f"it took more than {SECONDS} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < SECONDS  # an alarm within C code is handled too late


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


def _place(content: bytes, step: Step) -> int:
    """Return a position in the content, every other time near the start."""
    return step.where % (min(len(content), HEAD) if step.how % 2 else len(content))


def _span(content: bytes, step: Step) -> tuple[int, int]:
    start = _place(content, step)
    return start, start + 1 + step.how // 2 % LONGEST_SPAN


def _flip(content: bytes, step: Step) -> bytes:
    place = _place(content, step)
    return content[:place] + bytes([content[place] ^ 1 << step.how // 2 % 8]) + content[place + 1 :]


def _truncate(content: bytes, step: Step) -> bytes:
    return content[: _place(content, step)]


def _insert(content: bytes, step: Step) -> bytes:
    start, end = _span(content, step)
    noise = (step.how * 2654435761 % 2**64).to_bytes(8, "big") * LONGEST_SPAN
    return content[:start] + noise[: end - start] + content[start:]


def _duplicate(content: bytes, step: Step) -> bytes:
    start, end = _span(content, step)
    return content[:end] + content[start:]


def _delete(content: bytes, step: Step) -> bytes:
    start, end = _span(content, step)
    return content[:start] + content[end:]


def _overwrite(content: bytes, step: Step) -> bytes:
    place, choice = _place(content, step), step.how // 2
    width = WIDTHS[choice % len(WIDTHS)]
    value = EXTREMES[choice // 8 % len(EXTREMES)] % (1 << 8 * width)
    written = value.to_bytes(width, "big" if choice // 4 % 2 else "little")
    return content[:place] + written + content[place + width :]


def _token(content: bytes, step: Step) -> bytes:
    places = list(TOKEN.finditer(content))
    if not places:
        return content
    place = places[step.where % len(places)]
    new = HOSTILE_TOKENS[step.how // 2 % len(HOSTILE_TOKENS)]
    quoted = place[0].startswith(b'"') and step.how % 2
    written: bytes = b'"%b"' % new.strip(b'"') if quoted else new
    return content[: place.start()] + written + content[place.end() :]


CHANGES: dict[str, Callable[[bytes, Step], bytes]] = {
    "flip": _flip,
    "truncate": _truncate,
    "insert": _insert,
    "duplicate": _duplicate,
    "delete": _delete,
    "overwrite": _overwrite,
}
