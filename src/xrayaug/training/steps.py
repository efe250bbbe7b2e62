"""The optimiser of both kinds of training, and training steps recorded as CUDA graphs.

For small images, launching a step kernel by kernel takes the CPU longer than computing it takes the GPU. A step that is
recorded as a graph is launched at once.
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

SYNC_INTERVAL = Interval(seconds=1)  # how often to wait for the device
WARM_UP = 3  # steps before recording, in which libraries choose algorithms and the optimiser creates its state

StepFunction = Callable[..., Tensor]
GraphKey = tuple[Hashable, tuple[torch.Size, ...]]


def adam(
    parameters: Iterable[nn.Parameter], device: torch.device, *, lr: float, betas: tuple[float, float]
) -> torch.optim.Adam:
    """Return Adam (Kingma and Ba 2015), fused where the device supports it and capturable by CUDA graphs."""
    fused = device.type in ("cpu", "cuda")
    return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=fused, capturable=device.type == "cuda")


def load_optimiser_state(state: State, optimiser: torch.optim.Adam) -> None:
    """Load an optimiser's state, which may come from another device."""
    own = {name: optimiser.param_groups[0][name] for name in ("foreach", "fused", "capturable")}
    groups = [group | own for group in state["param_groups"]]
    optimiser.load_state_dict(state | {"param_groups": groups})


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]  # read by the graph
    output: Tensor  # written by it


class CudaGraphRecorder:
    """Runs training steps; on CUDA it records each as a graph, once for every shape of its inputs and every `key`.

    All tensors that a step reads besides its inputs must stay at the same address, and all Python numbers must keep
    their value: call `reset` if one changes. Call it also after the last step: a process group cannot be destroyed
    while a graph exists that sums over it.

    All recordings share one memory pool, because they are never replayed concurrently. Random numbers within a step,
    such as those of dropout, come from a generator that belongs to the recorder: graphs read its seed when replayed,
    and graphs of another recorder may be replayed concurrently on another stream.

    Args:
        device: where to compute.
        precision: of the steps, `fp32`, `tf32` or `bf16`.
        graphs: whether to record on CUDA; otherwise steps are launched kernel by kernel.
    """

    def __init__(self, device: torch.device, *, precision: str = "fp32", graphs: bool = True) -> None:
        self.device = device
        self._precision = precision
        self._is_recording = graphs and device.type == "cuda"
        self._warm_up_counts: Counter[GraphKey] = Counter()
        self._recordings: dict[GraphKey, _Recording] = {}
        stream: Any = torch.cuda.Stream  # torch leaves it untyped
        self._stream = stream(device) if self._is_recording else None
        self._generator = torch.Generator(device) if self._is_recording else None

    def run(self, compute: StepFunction, *inputs: Tensor, seed: int, key: Hashable = None) -> Tensor:
        """Run a step, from its recording if there is one.

        Args:
            compute: the step.
            inputs: of the step, on any device.
            seed: of the random numbers that networks draw.
            key: values other than tensors that the step depends on.

        Returns:
            The step's result, on the recorder's device.

        Raises:
            CaptureError: the step cannot be recorded.
        """
        with devices.training_backends(self._precision), self._use_generator(seed):
            if not self._is_recording:
                return compute(*(tensor.to(self.device, non_blocking=True) for tensor in inputs))
            graph_key = (key, tuple(tensor.shape for tensor in inputs))
            self._warm_up_counts[graph_key] += 1
            if self._warm_up_counts[graph_key] > WARM_UP and graph_key not in self._recordings:
                self._recordings[graph_key] = self._record(compute, inputs)
            if graph_key in self._recordings:
                return _replay(self._recordings[graph_key], inputs)
            return self._run_on_stream(compute, inputs)

    def reset(self) -> None:
        """Drop all recordings; steps that follow are recorded anew.

        They warm up first, as at the beginning: an optimiser creates the state of a new weight in its first step, and
        if that step were recorded, every replay would create it again.
        """
        self._recordings.clear()
        self._warm_up_counts.clear()

    @contextmanager
    def _use_generator(self, seed: int) -> Iterator[None]:
        """Seed torch's global generators; if steps are recorded, CUDA's uses the recorder's state in this context."""
        if self._generator is None:
            devices.seed_default_generators(self.device, seed)
            yield
            return
        default_generator = torch.cuda.default_generators[self.device.index]
        before = default_generator.graphsafe_get_state()
        default_generator.graphsafe_set_state(self._generator)
        try:
            devices.seed_default_generators(self.device, seed)
            yield
        finally:
            default_generator.graphsafe_set_state(before)

    def _run_on_stream(self, compute: StepFunction, inputs: tuple[Tensor, ...]) -> Tensor:
        """Run the step on the stream that it is recorded on, which CUDA requires of warm-up steps."""
        current = torch.cuda.current_stream(self.device)
        assert self._stream is not None
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            output = compute(*(tensor.to(self.device, non_blocking=True) for tensor in inputs))
        current.wait_stream(self._stream)
        return output

    def _record(self, compute: StepFunction, inputs: tuple[Tensor, ...]) -> _Recording:
        """Record the step.

        Other threads, such as those that read batches ahead, may use CUDA meanwhile: only this thread's calls can
        invalidate the capture.

        Raises:
            CaptureError: the step cannot be recorded.
        """
        buffers = tuple(tensor.to(self.device, copy=True) for tensor in inputs)
        graph = torch.cuda.CUDAGraph()
        pool = next((recording.graph.pool() for recording in self._recordings.values()), None)
        try:
            with torch.cuda.graph(graph, pool=pool, stream=self._stream, capture_error_mode="thread_local"):
                output = compute(*buffers)
        except RuntimeError as problem:
            cause = problem.__context__ or problem  # ending a failed capture raises another error
            reason = str(cause).partition("\n")[0]
            if devices.is_out_of_memory(cause):
                raise cause from None
            raise CaptureError(f"a step cannot be recorded as a CUDA graph: {reason}", "try --no-graphs") from None
        return _Recording(graph, buffers, output)


def _replay(recording: _Recording, inputs: tuple[Tensor, ...]) -> Tensor:
    for buffer, tensor in zip(recording.inputs, inputs, strict=True):
        buffer.copy_(tensor, non_blocking=True)
    recording.graph.replay()
    return recording.output.clone()
