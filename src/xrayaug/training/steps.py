"""What both trainings share: the optimiser, and the step as one CUDA graph.

A step on small images costs the processor more to launch, kernel by kernel, than the GPU to compute. Recorded as a
graph it is launched whole.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug.errors import CaptureError
from xrayaug.runtime import devices
from xrayaug.runtime.stopping import Interval
from xrayaug.storage.checkpoints import State

LOOK = Interval(seconds=1)  # between looks at what the device has computed, for which it must be waited for
WARM_UP = 3  # steps before the recording, in which libraries choose algorithms and the optimiser makes its state

Compute = Callable[..., Tensor]
Shapes = tuple[Hashable, tuple[torch.Size, ...]]


def adam(
    parameters: Iterable[nn.Parameter], device: torch.device, *, lr: float, betas: tuple[float, float]
) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015), all weights in one pass where the device has it, and fit for a graph on CUDA."""
    fused = device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused, capturable=device.type == "cuda")


def put_optimiser(state: State, optimiser: torch.optim.Adam) -> None:
    """Have `optimiser` be what `state` was, which may be of another device."""
    own = {name: optimiser.param_groups[0][name] for name in ("foreach", "fused", "capturable")}
    groups = [group | own for group in state["param_groups"]]
    optimiser.load_state_dict(state | {"param_groups": groups})


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]  # read by the graph
    output: Tensor  # written by it


class Recorder:
    """Takes training steps; on CUDA it records each as a graph, once for every shape of its inputs and every `key`.

    Whatever a step reads besides its inputs must keep its place in memory, and its numbers other than tensors their
    value: `forget` when one has changed. Forget, too, once the last step is taken: a process group cannot be destroyed
    while a graph that sums over it is there.

    Recordings share one pool of memory, for they are never replayed at the same time. What networks draw themselves in
    a step, such as dropout, comes from a generator of the recorder's own: graphs read its seed when they are replayed,
    and those of another recorder, on another stream, may be replayed at the same time.

    Args:
        where: to compute.
        precision: of the steps, `fp32`, `tf32` or `bf16`.
        graphs: whether to record on CUDA; without, steps are launched kernel by kernel.
    """

    def __init__(self, device: torch.device, *, precision: str = "fp32", graphs: bool = True) -> None:
        self.device = device
        self._precision = precision
        self._is_recording = graphs and device.type == "cuda"
        self._taken: Counter[Shapes] = Counter()
        self._recordings: dict[Shapes, _Recording] = {}
        stream: Any = torch.cuda.Stream  # torch leaves it untyped
        self._stream = stream(device) if self._is_recording else None
        self._draws = torch.Generator(device) if self._is_recording else None

    def take(self, compute: Compute, *inputs: Tensor, seed: int, key: Hashable = None) -> Tensor:
        """Take a step.

        Args:
            compute: the step.
            inputs: of the step, from any device.
            seed: of what networks draw themselves.
            key: what the step depends on besides its inputs, and is no tensor.

        Returns:
            The step's result, on this device.

        Raises:
            CaptureError: the step cannot be recorded.
        """
        with devices.training(self._precision), self._drawing(seed):
            if not self._is_recording:
                return compute(*(given.to(self.device, non_blocking=True) for given in inputs))
            shapes = (key, tuple(given.shape for given in inputs))
            self._taken[shapes] += 1
            if self._taken[shapes] > WARM_UP and shapes not in self._recordings:
                self._recordings[shapes] = self._recorded(compute, inputs)
            if shapes in self._recordings:
                return _replayed(self._recordings[shapes], inputs)
            return self._beside(compute, inputs)

    def forget(self) -> None:
        """Drop all recordings; the steps that follow are recorded anew.

        After a warm-up as at first: an optimiser that has not met a weight before makes the state for it in its first
        step, and in a recording would make it at every replay.
        """
        self._recordings.clear()
        self._taken.clear()

    @contextmanager
    def _drawing(self, seed: int) -> Iterator[None]:
        """Seed torch's global generators; where steps are recorded, CUDA's draws as the recorder's own meanwhile."""
        if self._draws is None:
            torch.manual_seed(seed)
            yield
            return
        everyones = torch.cuda.default_generators[self.device.index]
        before = everyones.graphsafe_get_state()
        everyones.graphsafe_set_state(self._draws)
        try:
            torch.manual_seed(seed)
            yield
        finally:
            everyones.graphsafe_set_state(before)

    def _beside(self, compute: Compute, inputs: tuple[Tensor, ...]) -> Tensor:
        """The step on the stream that it is recorded on, as CUDA wants it of the steps before."""
        current = torch.cuda.current_stream(self.device)
        assert self._stream is not None
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            output = compute(*(given.to(self.device, non_blocking=True) for given in inputs))
        current.wait_stream(self._stream)
        return output

    def _recorded(self, compute: Compute, inputs: tuple[Tensor, ...]) -> _Recording:
        """Record the step.

        Other threads go on meanwhile, as those that read batches ahead do: errors of a capture are those of this
        thread alone.

        Raises:
            CaptureError: it cannot be recorded.
        """
        held = tuple(given.to(self.device, copy=True) for given in inputs)
        graph = torch.cuda.CUDAGraph()
        pool = next((each.graph.pool() for each in self._recordings.values()), None)
        try:
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                output = compute(*held)
        except RuntimeError as problem:
            cause = problem.__context__ or problem  # ending a capture that has failed is an error of its own
            reason = str(cause).partition("\n")[0]
            if devices.is_out_of_memory(cause):
                raise cause from None
            raise CaptureError(f"a step cannot be recorded as a CUDA graph: {reason}", "try --no-graphs") from None
        return _Recording(graph, held, output)


def _replayed(recording: _Recording, inputs: tuple[Tensor, ...]) -> Tensor:
    for held, given in zip(recording.inputs, inputs, strict=True):
        held.copy_(given, non_blocking=True)
    recording.graph.replay()
    return recording.output.clone()
