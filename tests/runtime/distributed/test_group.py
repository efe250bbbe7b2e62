"""Exchanges and ends of a group of one process; `test_ranks.py` has groups of two."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist

from xrayaug.errors import DataError, PeerError
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.distributed.group import DistributedGroup
from xrayaug.runtime.distributed.heartbeat import End
from xrayaug.runtime.distributed.ranks import Rank
from xrayaug.runtime.stopping import Stopped


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[DistributedGroup]:
    """Group of this process alone, at a free port."""
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "0")
    monkeypatch.setattr(process_group, "EXIT_DELAY_SECONDS", 0)
    monkeypatch.setattr(ranks, "_group", None)
    joined = DistributedGroup(Rank(), torch.device("cpu"))
    ranks.set_group(joined)
    yield joined
    if dist.is_initialized():
        joined.heartbeat.stop()
        dist.destroy_process_group()


def test_exchanges_of_one_process_return_its_own_values(group: DistributedGroup) -> None:
    assert ranks.broadcast({"a": [1, None, "x"]}) == {"a": [1, None, "x"]}
    assert ranks.all_reduce_max(3, 0) == [3, 0]
    assert process_group.broadcast_bytes(b"") == b"" and process_group.broadcast_bytes(b"bytes") == b"bytes"
    assert process_group.all_reduce_sum(torch.ones(2, dtype=torch.float64)).tolist() == [1, 1]
    (gathered,) = process_group.all_gather(torch.arange(6).reshape(3, 2))
    assert torch.equal(gathered, torch.arange(6).reshape(3, 2))
    assert process_group.all_gather(torch.empty(0, 4))[0].shape == (0, 4)


def test_at_the_end_the_group_is_destroyed(group: DistributedGroup) -> None:
    assert group.leave(None) is None
    assert not dist.is_initialized()


def test_a_problem_of_its_own_stays_what_it_is(group: DistributedGroup) -> None:
    problem = DataError("broken")
    assert group.leave(problem) is problem
    assert problem.message == "broken"


def test_a_bug_keeps_its_traceback(group: DistributedGroup) -> None:
    bug = KeyError("x")
    assert group.leave(bug) is bug


def test_a_stop_that_all_agreed_on_is_one(group: DistributedGroup) -> None:
    stop = Stopped("SIGTERM", 75)
    stop.is_agreed = True
    assert group.leave(stop) is stop


@pytest.mark.parametrize("problem", [RuntimeError("Connection closed by peer"), Stopped("SIGTERM", 75)])
def test_a_consequence_of_another_processes_end_names_that_process(
    group: DistributedGroup, problem: BaseException
) -> None:
    group.heartbeat._record_end(End(3, "ended: no memory", 1))
    ending = group.leave(problem)
    assert isinstance(ending, PeerError)
    assert ending.message == "rank 3 ended: no memory"
    again = group.leave(PeerError("rank 3 ended: no memory"))
    assert isinstance(again, SystemExit) and again.code == 1  # already reported


def test_all_are_stopped_before_they_could_agree(group: DistributedGroup) -> None:
    group.heartbeat._record_end(End(3, "was stopped (SIGTERM)", 75))
    stop = Stopped("SIGTERM", 75)
    assert group.leave(stop) is stop


def test_a_full_disk_is_reported_to_the_other_processes(group: DistributedGroup) -> None:
    problem = OSError(28, "No space left on device")
    assert group.leave(problem) is problem
    end = group.heartbeat.find_first_end()
    assert end is not None and str(end) == "rank 0 ended: [Errno 28] No space left on device"
    assert not group.heartbeat.claim_report()


def test_a_failed_sum_names_the_dead_rank(group: DistributedGroup, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Connection closed by peer\nstack")

    group.heartbeat._record_end(End(2, "died", 1))
    monkeypatch.setattr(dist, "all_reduce", broken)
    with pytest.raises(PeerError, match="rank 2 died"):
        ranks.barrier()


def test_processes_that_do_not_join_are_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("timed out\nstack")

    monkeypatch.setattr(ranks, "current_rank", lambda: Rank(0, 2, 0, 2))
    monkeypatch.setattr(process_group, "DistributedGroup", broken)
    with pytest.raises(PeerError, match="the 2 processes did not meet: timed out"):
        process_group.join(torch.device("cpu"))
