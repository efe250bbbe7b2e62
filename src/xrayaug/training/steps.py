"""What both trainings share: the optimiser, and the step as one CUDA graph.

A step on small images costs the processor more to launch, kernel by kernel, than the GPU to compute. Recorded as a
graph it is launched whole.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from xrayaug import console
from xrayaug.checkpoints import State
from xrayaug.command import Interval

LOOK = Interval(seconds=1)  # between looks at what the device has computed, for which it must be waited for
WARM_UP = 3  # steps before the recording, in which libraries choose algorithms and the optimiser makes its state

Shapes = tuple[Hashable, tuple[torch.Size, ...]]


def adam(
    parameters: Iterable[nn.Parameter], where: torch.device, *, lr: float, betas: tuple[float, float]
) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015), all weights in one pass where the device has it, and fit for a graph on CUDA."""
    fused = where.type in ("cpu", "cuda")
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused, capturable=where.type == "cuda")


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


class Step:
    """A step that on CUDA is recorded as a graph, once for every shape of its inputs and every `key`; elsewhere the
    step as it is.

    Whatever the step reads besides its inputs must keep its place in memory, and its numbers other than tensors their
    value: `forget` when one has changed.
    """

    def __init__(self, compute: Callable[..., Tensor], where: torch.device) -> None:
        self.where = where
        self._compute = compute
        self._is_recorded = where.type == "cuda"
        self._taken: Counter[Shapes] = Counter()
        self._recordings: dict[Shapes, _Recording] = {}
        stream: Any = torch.cuda.Stream  # torch leaves it untyped
        self._stream = stream(where) if self._is_recorded else None

    def __call__(self, *inputs: Tensor, key: Hashable = None) -> Tensor:
        """Take the step on inputs from any device; its result, on this one.

        What the step goes by besides, and is no tensor, is to be in `key`.
        """
        if not self._is_recorded:
            return self._compute(*(given.to(self.where) for given in inputs))
        shapes = (key, tuple(given.shape for given in inputs))
        self._taken[shapes] += 1
        if self._taken[shapes] > WARM_UP and shapes not in self._recordings:
            self._record(shapes, inputs)
        if shapes in self._recordings:
            return self._replayed(self._recordings[shapes], inputs)
        return self._beside(inputs)

    def forget(self) -> None:
        """Record anew: something that the recordings hold as a number has changed.

        After a warm-up as at first: an optimiser that has not met a weight before makes the state for it in its first
        step, and in a recording would make it at every replay.
        """
        self._recordings.clear()
        self._taken.clear()

    def _beside(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """The step on the stream that it is recorded on, as CUDA wants it of the steps before."""
        current = torch.cuda.current_stream(self.where)
        assert self._stream is not None
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            output = self._compute(*(given.to(self.where, non_blocking=True) for given in inputs))
        current.wait_stream(self._stream)
        return output

    def _record(self, shapes: Shapes, inputs: tuple[Tensor, ...]) -> None:
        held = tuple(given.to(self.where, copy=True) for given in inputs)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                output = self._compute(*held)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as problem:
            reason = str(problem).partition("\n")[0]
            console.warn(f"this step cannot be recorded as a CUDA graph and is slower without: {reason}")
            self._is_recorded = False
            return
        self._recordings[shapes] = _Recording(graph, held, output)

    def _replayed(self, recording: _Recording, inputs: tuple[Tensor, ...]) -> Tensor:
        for held, given in zip(recording.inputs, inputs, strict=True):
            held.copy_(given, non_blocking=True)
        recording.graph.replay()
        return recording.output.clone()
