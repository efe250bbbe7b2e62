"""A group of one says to itself what it says, and parts for every reason; `test_ranks.py` has groups of two."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from xrayaug.errors import DataError, PeerError
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.group import Group
from xrayaug.runtime.distributed.heartbeat import End
from xrayaug.runtime.distributed.ranks import Rank
from xrayaug.runtime.stopping import Stopped


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[Group]:
    """A group that this process hosts, at a port that is free."""
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "0")
    monkeypatch.setattr(process_group, "LINGER", 0)
    monkeypatch.setattr(ranks, "_company", None)
    made = Group(Rank(), torch.device("cpu"))
    ranks.enter(made)
    yield made
    if dist.is_initialized():
        made.pulse.stop()
        dist.destroy_process_group()


def test_what_is_said_is_heard(group: Group) -> None:
    assert ranks.told({"a": [1, None, "x"]}) == {"a": [1, None, "x"]}
    assert ranks.agreed(3, 0) == [3, 0]
    assert process_group.given(b"") == b"" and process_group.given(b"bytes") == b"bytes"
    assert process_group.summed(torch.ones(2, dtype=torch.float64)).tolist() == [1, 1]
    (found,) = process_group.gathered(torch.arange(6).reshape(3, 2))
    assert torch.equal(found, torch.arange(6).reshape(3, 2))
    assert process_group.gathered(torch.empty(0, 4))[0].shape == (0, 4)


def test_at_the_end_it_is_dissolved(group: Group) -> None:
    assert group.part(None) is None
    assert not dist.is_initialized()


def test_a_problem_of_its_own_stays_what_it_is(group: Group) -> None:
    problem = DataError("broken")
    assert group.part(problem) is problem
    assert problem.message == "broken"


def test_a_bug_keeps_its_traceback(group: Group) -> None:
    bug = KeyError("x")
    assert group.part(bug) is bug


def test_a_stop_that_all_agreed_on_is_one(group: Group) -> None:
    stop = Stopped("SIGTERM", 75)
    stop.is_agreed = True
    assert group.part(stop) is stop


@pytest.mark.parametrize("problem", [RuntimeError("Connection closed by peer"), Stopped("SIGTERM", 75)])
def test_what_follows_from_another_ones_end_says_so(group: Group, problem: BaseException) -> None:
    group.pulse._told(End(3, "ended: no memory", 1))
    ending = group.part(problem)
    assert isinstance(ending, PeerError)
    assert ending.message == "rank 3 ended: no memory"
    again = group.part(PeerError("rank 3 ended: no memory"))
    assert isinstance(again, SystemExit) and again.code == 1  # it has been said


def test_all_are_stopped_before_they_could_agree(group: Group) -> None:
    group.pulse._told(End(3, "was stopped (SIGTERM)", 75))
    stop = Stopped("SIGTERM", 75)
    assert group.part(stop) is stop


def test_a_full_disk_is_told_as_one(group: Group) -> None:
    problem = OSError(28, "No space left on device")
    assert group.part(problem) is problem
    end = group.pulse.why()
    assert end is not None and str(end) == "rank 0 ended: [Errno 28] No space left on device"
    assert not group.pulse.may_speak()


def test_a_sum_that_breaks_names_the_dead(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Connection closed by peer\nstack")

    group.pulse._told(End(2, "died", 1))
    monkeypatch.setattr(dist, "all_reduce", broken)
    with pytest.raises(PeerError, match="rank 2 died"):
        ranks.wait()


def test_processes_that_do_not_come_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("timed out\nstack")

    monkeypatch.setattr(ranks, "own", lambda: Rank(0, 2, 0, 2))
    monkeypatch.setattr(process_group, "Group", broken)
    with pytest.raises(PeerError, match="the 2 processes did not meet: timed out"):
        process_group.join(torch.device("cpu"))
