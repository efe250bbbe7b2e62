"""Steps that are recorded give what they give unrecorded; an optimiser goes on on another device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from xrayaug.errors import CaptureError
from xrayaug.runtime import devices
from xrayaug.training import steps
from xrayaug.training.steps import WARM_UP, CudaGraphRecorder

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


class Generator:
    """Stands in for a generator of CUDA's: what draws from it is a state, which another may come to share."""

    def __init__(self, state: object = None) -> None:
        self.state = state or object()

    def graphsafe_get_state(self) -> "Generator":
        """Share the state."""
        return Generator(self.state)

    def graphsafe_set_state(self, other: "Generator") -> None:
        """Draw from the state of another."""
        self.state = other.state


class Driver:
    """Stands in for CUDA: work inside `graph` is put down and not done, and done when it is replayed."""

    def __init__(self, counting: Counting) -> None:
        self.counting = counting
        self.recordings = self.replays = 0
        self.problem: Exception | None = None  # what recording fails with
        self.pools: list[object] = []  # given to each recording
        self.modes: list[str] = []
        self.everyones = Generator()

    @contextmanager
    def graph(self, made: "Graph", pool: object, stream: object, capture_error_mode: str) -> Iterator[None]:
        """Record."""
        self.pools.append(pool)
        self.modes.append(capture_error_mode)
        before = self.counting.sum.clone()
        yield
        if self.problem:
            raise self.problem
        self.counting.sum.copy_(before)  # nothing was computed
        self.recordings += 1
        made.rate = self.counting.rate  # a number is put down as it is

    def recorder(self) -> CudaGraphRecorder:
        """A recorder that takes this for CUDA."""
        made = CudaGraphRecorder(CPU)
        made._is_recording, made._stream = True, Stream()
        made._generator = Generator()  # type: ignore[assignment] # stands in for one
        made.device = torch.device("cpu", 0)
        return made


class Stream:
    """Order is kept anyhow."""

    def wait_stream(self, other: object) -> None:
        """Do nothing."""


class Graph:
    """Recorded graph; the driver replays it."""

    driver: Driver
    rate = 1.0

    def pool(self) -> int:
        """Memory of its own, unless it was given some."""
        return id(self)

    def replay(self) -> None:
        """Do it, into the same tensors."""
        self.driver.replays += 1
        recordings = self.owner._recordings.values()
        recording = next(each for each in recordings if id(each.graph) == id(self))
        counting = self.driver.counting
        counting.sum += self.rate * recording.inputs[0].sum()
        recording.output.copy_(counting.sum)

    owner: CudaGraphRecorder


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    made = Driver(Counting())
    monkeypatch.setattr(Graph, "driver", made, raising=False)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", made.graph)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: made_context())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream())
    monkeypatch.setattr(torch.cuda, "default_generators", (made.everyones,))
    return made


@contextmanager
def made_context() -> Iterator[None]:
    yield


def batches() -> list[Tensor]:
    """Six epochs of three batches and a smaller last one."""
    source = torch.Generator().manual_seed(0)
    return [torch.rand(size, generator=source) for _ in range(6) for size in (4, 4, 4, 2)]


def run_steps(recorder: CudaGraphRecorder, compute: Counting, given: list[Tensor]) -> list[float]:
    return [recorder.run(compute, batch, seed=0).item() for batch in given]


def test_without_cuda_a_step_runs_directly() -> None:
    plain = Counting()
    assert run_steps(CudaGraphRecorder(CPU), Counting(), batches()) == [plain(batch).item() for batch in batches()]


def test_recorded_steps_give_what_plain_steps_give(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, recorder = Counting(), driver.recorder()
    monkeypatch.setattr(Graph, "owner", recorder, raising=False)
    given = [recorder.run(driver.counting, batch, seed=0) for batch in batches()]  # kept: no result is written over
    assert torch.stack(given).tolist() == [plain(batch).item() for batch in batches()]
    assert driver.recordings == 2  # one for each shape
    assert driver.replays == len(batches()) - 2 * WARM_UP


def test_another_key_is_recorded_separately(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, recorder = Counting(), driver.recorder()
    monkeypatch.setattr(Graph, "owner", recorder, raising=False)
    for place, batch in enumerate(batches()):
        if place == 16:
            plain.rate = driver.counting.rate = 0.5
            recorder.reset()
        assert recorder.run(driver.counting, batch, seed=0).item() == plain(batch).item()
    assert driver.recordings == 3  # the rarer shape has come twice since, and warms up as at first
    assert driver.replays == (12 - WARM_UP) + (4 - WARM_UP) + (6 - WARM_UP)


def test_recordings_share_memory_and_leave_other_threads_alone(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = driver.recorder()
    monkeypatch.setattr(Graph, "owner", recorder, raising=False)
    run_steps(recorder, driver.counting, batches())
    first = next(iter(recorder._recordings.values()))
    assert driver.pools == [None, first.graph.pool()]
    assert driver.modes == ["thread_local"] * 2  # threads that pin memory meanwhile are no error of the capture


@pytest.mark.parametrize("ending", [True, False])
def test_a_step_that_cannot_be_recorded_is_one_error(driver: Driver, ending: bool) -> None:
    """Ending a failed capture is an error of its own, which says less than what made it fail."""
    driver.problem = RuntimeError("operation not permitted when stream is capturing\nand more")
    if ending:
        cause, driver.problem = driver.problem, RuntimeError("capture failed due to a previous error")
        driver.problem.__context__ = cause
    before = driver.everyones.state
    with pytest.raises(CaptureError, match="a CUDA graph: operation not permitted when stream is capturing") as refusal:
        run_steps(driver.recorder(), driver.counting, batches())
    assert "--no-graphs" in refusal.value.hint
    assert "\n" not in refusal.value.message
    assert driver.everyones.state is before  # and draws go on


def test_out_of_memory_while_recording_is_reported_as_such(driver: Driver) -> None:
    driver.problem = RuntimeError("capture failed due to a previous error")
    driver.problem.__context__ = torch.OutOfMemoryError("CUDA out of memory. Tried")
    with pytest.raises(torch.OutOfMemoryError):
        run_steps(driver.recorder(), driver.counting, batches())


def test_each_recorder_draws_from_a_generator_of_its_own(driver: Driver) -> None:
    """Graphs of two read the state of a generator when they are replayed, which may be at the same time."""
    drawn_from: list[object] = []

    def step(_: Tensor) -> Tensor:
        drawn_from.append(driver.everyones.state)
        return torch.rand(())

    before, recorders = driver.everyones.state, [driver.recorder() for _ in range(2)]
    found = [recorder.run(step, torch.zeros(1), seed=seed) for recorder, seed in zip(recorders, (3, 3), strict=True)]
    assert len({id(state) for state in (before, *drawn_from)}) == 3
    assert driver.everyones.state is before
    assert torch.equal(*found)  # the seed counts, and nothing else


def test_no_graphs_records_nothing(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: pytest.fail("a stream to record on"))
    recorder = CudaGraphRecorder(torch.device("cuda", 0), graphs=False)
    recorder.device = CPU
    run_steps(recorder, driver.counting, batches())
    assert not driver.recordings


def test_matrix_products_are_tf32_only_within_steps() -> None:
    devices.resolve("cpu")
    found: list[tuple[str, bool]] = []

    def step() -> Tensor:
        found.append((torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.benchmark))
        return torch.zeros(())

    step()
    CudaGraphRecorder(CPU, precision="tf32").run(step, seed=0)
    CudaGraphRecorder(CPU).run(step, seed=0)
    step()
    assert found == [("ieee", False), ("tf32", True), ("ieee", True), ("ieee", False)]


def stepped(optimiser: torch.optim.Adam, weight: Tensor) -> Tensor:
    weight.grad = torch.full_like(weight, 0.25)
    optimiser.step()
    return weight.detach().clone()


@pytest.mark.parametrize("made_with", [{"fused": True}, {"foreach": True}, {"fused": False, "foreach": False}])
def test_an_optimiser_loads_the_state_of_any_implementation(made_with: dict[str, Any]) -> None:
    first, second = (torch.nn.Parameter(torch.ones(3)) for _ in range(2))
    before = torch.optim.Adam([first], lr=0.1, betas=(0.5, 0.9), **made_with)
    stepped(before, first)
    after = steps.adam([second], CPU, lr=0.3, betas=(0.1, 0.1))
    second.data.copy_(first.data)
    steps.load_optimiser_state(before.state_dict(), after)
    group = after.param_groups[0]
    assert (group["lr"], group["betas"]) == (0.1, (0.5, 0.9))
    assert (group["fused"], group["foreach"], group["capturable"]) == (True, None, False)
    torch.testing.assert_close(stepped(after, second), stepped(before, first))
