"""A recorded step gives what the step gives, whatever the order of shapes; an optimiser goes on on another device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from xrayaug.training import steps
from xrayaug.training.steps import WARM_UP, Step

CPU = torch.device("cpu")


class Counting:
    """A step with a state of its own, as weights are: the running sum of everything it was given, times a rate."""

    def __init__(self) -> None:
        self.sum = torch.zeros(())
        self.rate = 1.0

    def __call__(self, given: Tensor) -> Tensor:
        """Add, in place."""
        self.sum += self.rate * given.sum()
        return self.sum.clone()


class Driver:
    """Stands in for CUDA: work inside `graph` is put down and not done, and done when it is replayed."""

    def __init__(self, counting: Counting) -> None:
        self.counting = counting
        self.recordings = self.replays = 0
        self.fails = False

    @contextmanager
    def graph(self, made: "Graph", stream: object) -> Iterator[None]:
        """Record."""
        if self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        before = self.counting.sum.clone()
        yield
        self.counting.sum.copy_(before)  # nothing was computed
        self.recordings += 1
        made.rate = self.counting.rate  # a number is put down as it is

    def step(self) -> Step:
        """A step that takes this for CUDA."""
        step = Step(self.counting, CPU)
        step._is_recorded = True
        step._stream = Stream()
        return step


class Stream:
    """Order is kept anyhow."""

    def wait_stream(self, other: object) -> None:
        """Do nothing."""


class Graph:
    """What was put down: only the driver knows how it goes."""

    driver: Driver
    rate = 1.0

    def replay(self) -> None:
        """Do it, into the same tensors."""
        self.driver.replays += 1
        recordings = self.owner._recordings.values()
        recording = next(each for each in recordings if id(each.graph) == id(self))
        counting = self.driver.counting
        counting.sum += self.rate * recording.inputs[0].sum()
        recording.output.copy_(counting.sum)

    owner: Step


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver(Counting())
    monkeypatch.setattr(Graph, "driver", made, raising=False)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", made.graph)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: made_context())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream())
    return made


@contextmanager
def made_context() -> Iterator[None]:
    yield


def batches() -> list[Tensor]:
    """Six epochs of three batches and a smaller last one."""
    source = torch.Generator().manual_seed(0)
    return [torch.rand(size, generator=source) for _ in range(6) for size in (4, 4, 4, 2)]


def test_without_cuda_a_step_is_the_step() -> None:
    plain = Counting()
    step = Step(Counting(), CPU)
    assert [step(batch).item() for batch in batches()] == [plain(batch).item() for batch in batches()]


def test_recorded_steps_give_what_plain_steps_give(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, step = Counting(), driver.step()
    monkeypatch.setattr(Graph, "owner", step, raising=False)
    given = [step(batch) for batch in batches()]  # kept until the end: no result is written over
    assert torch.stack(given).tolist() == [plain(batch).item() for batch in batches()]
    assert driver.recordings == 2  # one for each shape
    assert driver.replays == len(batches()) - 2 * WARM_UP


def test_a_number_that_changed_is_recorded_anew(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, step = Counting(), driver.step()
    monkeypatch.setattr(Graph, "owner", step, raising=False)
    for place, batch in enumerate(batches()):
        if place == 16:
            plain.rate = driver.counting.rate = 0.5
            step.forget()
        assert step(batch).item() == plain(batch).item()
    assert driver.recordings == 3  # the rarer shape has come twice since, and warms up as at first
    assert driver.replays == (12 - WARM_UP) + (4 - WARM_UP) + (6 - WARM_UP)


def test_what_cannot_be_recorded_is_said_once_and_done_plainly(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, step = Counting(), driver.step()
    driver.fails = True
    assert [step(batch).item() for batch in batches()] == [plain(batch).item() for batch in batches()]
    assert capsys.readouterr().err == (
        "warning: this step cannot be recorded as a CUDA graph and is slower without: "
        "operation not permitted when stream is capturing\n"
    )


def stepped(optimiser: torch.optim.Adam, weight: Tensor) -> Tensor:
    weight.grad = torch.full_like(weight, 0.25)
    optimiser.step()
    return weight.detach().clone()


@pytest.mark.parametrize("made_with", [{"fused": True}, {"foreach": True}, {"fused": False, "foreach": False}])
def test_an_optimiser_goes_on_from_any_implementations_state(made_with: dict[str, Any]) -> None:
    first, second = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    before = torch.optim.Adam([first], lr=0.1, betas=(0.5, 0.9), **made_with)
    stepped(before, first)
    after = steps.adam([second], CPU, lr=0.3, betas=(0.1, 0.1))
    second.data.copy_(first.data)
    steps.put_optimiser(before.state_dict(), after)
    group = after.param_groups[0]
    assert (group["lr"], group["betas"]) == (0.1, (0.5, 0.9))
    assert (group["fused"], group["foreach"], group["capturable"]) == (True, None, False)
    torch.testing.assert_close(stepped(after, second), stepped(before, first))
