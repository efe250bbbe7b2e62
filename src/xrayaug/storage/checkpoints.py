"""The state of a training run on disk: tensors and plain values, whole or not at all, never a pickle.

A checkpoint is one safetensors file whose name holds the sha256 of its content, as torch.hub's files do; the plain
values stand as JSON in its header. Two are kept, so that there is one to fall back on.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from xrayaug.errors import TrainingError
from xrayaug.runtime import console, stopping
from xrayaug.runtime.distributed import group as process_group
from xrayaug.runtime.distributed import ranks
from xrayaug.runtime.stopping import Interval, SaveSchedule
from xrayaug.storage import files

State = Any
"""Tensors, numbers, texts, None, and lists and dicts of such; a dict's keys are texts or ints."""

NAME = re.compile(r"(\d{12})-([0-9a-f]{16})(-suspect)?\.safetensors")  # images seen, start of the sha256
HASH_LENGTH = 16
KEPT = 2
DAMAGED = ".damaged"
HEADER = "state"  # the key of the header's JSON


class Checkpoints:
    """The checkpoints in one directory, newest last, and when to write the next."""

    def __init__(self, directory: Path, every: Interval) -> None:
        self.directory = directory
        self.pace = SaveSchedule(every)

    def restore(self) -> State:
        """The newest state that is whole, on the CPU; None where there is none.

        A file that is not what its name says is set aside with a warning, and the one before it is taken. Of several
        processes the first reads it and gives it to the others, who need no sight of the directory.
        """
        seen, content = self._newest() if ranks.is_first() else (0, b"")
        seen, content = ranks.broadcast(seen), process_group.broadcast_bytes(content)
        if not content:
            return None
        self.pace.reset(seen)
        return _unpacked(content)

    def save_if_due(self, seen: int, state: Callable[[], State], *, suspect: bool = False) -> None:
        """A point at which the run may stop: saves if it is time or the run was asked to stop, and then stops.

        Several processes do so together: at the step at which any of them was asked to. The first one saves.

        Args:
            seen: images the run has seen.
            state: gives what the run needs to go on from here, the same in every process.
            suspect: training may have broken down; the newest checkpoint from before is then kept too.

        Raises:
            Stopped: the run was asked to stop.
            TrainingError: some weights are NaN or infinite, and there is nothing to save.
        """
        asked, is_due = ranks.all_reduce_max(stopping.pending_signal(), self.pace.is_due(seen))
        stopping.adopt_signal(asked)
        if asked or is_due:
            self._save(seen, state(), suspect=suspect)
            self.pace.reset(seen)
        stopping.check()

    def save(self, seen: int, state: State) -> None:
        """Save now: a part of the run is done, and what follows it saves something else."""
        self._save(seen, state, suspect=False)
        self.pace.reset(seen)

    def last_good(self) -> Path | None:
        """The newest checkpoint that is not suspect."""
        return next((file for file in reversed(self._files()) if not _is_suspect(file)), None)

    def clear(self) -> None:
        """Delete them all: the run is complete."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _newest(self) -> tuple[int, bytes]:
        """How many images the newest whole checkpoint has seen, and its content, empty where there is none."""
        for file in reversed(self._files()):
            content = file.read_bytes()
            named = NAME.fullmatch(file.name)
            if named and files.sha256_bytes(content).startswith(named[2]) and _unpacked(content) is not None:
                console.info(f"going on after {int(named[1]):,} images, from {file.name}")
                return int(named[1]), content
            aside = file.with_name(file.name + DAMAGED)
            file.rename(aside)
            console.warning(f"the checkpoint {file} is damaged; it is now {aside.name}, {self._left()}")
        return 0, b""

    def _save(self, seen: int, state: State, *, suspect: bool) -> None:
        content = _packed(state)
        if ranks.is_first():
            self._write(seen, content, suspect=suspect)
        ranks.barrier()  # torchrun ends all processes once one has ended

    def _write(self, seen: int, content: bytes, *, suspect: bool) -> None:
        ending = "-suspect" if suspect else ""
        name = f"{seen:012}-{files.sha256_bytes(content)[:HASH_LENGTH]}{ending}.safetensors"
        files.write_bytes(self.directory / name, content)
        older = self._files()[:-KEPT]
        good = self.last_good()
        for file in older:
            if file != good:
                file.unlink(missing_ok=True)

    def _left(self) -> str:
        return "and the one before is used" if self._files() else "and none is left: the run begins anew"

    def _files(self) -> list[Path]:
        if not self.directory.is_dir():
            return []
        return sorted(file for file in self.directory.iterdir() if NAME.fullmatch(file.name))


def _is_suspect(file: Path) -> bool:
    named = NAME.fullmatch(file.name)
    return named is not None and named[3] is not None


def _packed(state: State) -> bytes:
    """The state as the bytes of a safetensors file.

    Raises:
        TrainingError: some tensor holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    described = _described(state, tensors)
    broken = [name for name, tensor in tensors.items() if not _is_finite(tensor)]
    if broken:
        raise TrainingError("the run's weights became NaN or infinite", "a lower --lr usually helps")
    return save(tensors, {HEADER: json.dumps(described)})


def _unpacked(content: bytes) -> State | None:
    """The state that these bytes hold; None where they are no checkpoint of ours."""
    length = int.from_bytes(content[:8], "little")  # safetensors: 8 bytes of length, the JSON header, the numbers
    try:
        header = json.loads(content[8 : 8 + length])
        return _rebuilt(json.loads(header["__metadata__"][HEADER]), load(content))
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError):
        return None


def _described(state: State, tensors: dict[str, Tensor]) -> Any:
    """The state as JSON in which each tensor is a name; the tensors go to `tensors`."""
    if isinstance(state, Tensor):
        name = str(len(tensors))
        tensors[name] = state.detach().cpu().contiguous()
        return {"tensor": name, "channels_last": _is_channels_last(state)}
    if isinstance(state, dict):
        return {"dict": [[key, _described(value, tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        return {"list": [_described(value, tensors) for value in state]}
    if state is None or isinstance(state, bool | int | float | str):
        return {"value": state}
    raise TypeError(f"a checkpoint cannot hold a {type(state).__name__}")


def _rebuilt(described: Any, tensors: dict[str, Tensor]) -> State:
    if "tensor" in described:
        layout = torch.channels_last if described["channels_last"] else torch.contiguous_format
        return tensors[described["tensor"]].contiguous(memory_format=layout)
    if "dict" in described:
        return {key: _rebuilt(value, tensors) for key, value in described["dict"]}
    if "list" in described:
        return [_rebuilt(value, tensors) for value in described["list"]]
    return described["value"]


def _is_channels_last(tensor: Tensor) -> bool:
    """Whether the numbers lie in that order: sums in another order round differently."""
    return tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
