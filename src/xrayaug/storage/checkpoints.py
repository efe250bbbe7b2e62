"""Checkpoints of a training run: tensors and plain values, written whole or not at all, never a pickle.

A checkpoint is one safetensors file whose name holds the sha256 of its content, as torch.hub's files do; the plain
values are JSON in its header. Two are kept, so that there is an older one if the newest is damaged.
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
"""Tensors, numbers, strings, None, and lists and dicts of these; the keys of a dict are strings or ints."""

NAME = re.compile(r"(\d{12})-([0-9a-f]{16})(-suspect)?\.safetensors")  # images seen, start of the sha256
HASH_LENGTH = 16
MAX_KEPT = 2
DAMAGED = ".damaged"
HEADER = "state"  # key of the JSON in the file's metadata


class Checkpoints:
    """The checkpoints in one directory, and the schedule by which they are saved."""

    def __init__(self, directory: Path, every: Interval) -> None:
        self.directory = directory
        self.schedule = SaveSchedule(every)

    def restore(self) -> State:
        """Return the newest undamaged state, on the CPU; None if there is none.

        A file whose content does not match the hash in its name is renamed, with a warning, and the one before it is
        used. In a distributed run only the first process (rank 0) reads the directory; it broadcasts the state.
        """
        seen, content = self._newest() if ranks.is_first() else (0, b"")
        seen, content = ranks.broadcast(seen), process_group.broadcast_bytes(content)
        if not content:
            return None
        self.schedule.reset(seen)
        return _deserialize(content)

    def save_if_due(self, seen: int, state: Callable[[], State], *, suspect: bool = False) -> None:
        """Save if the schedule says so or a stop was requested; in the latter case, then stop the run.

        In a distributed run all processes save and stop at the same step, as soon as one of them received the request;
        the first process (rank 0) writes the file.

        Args:
            seen: number of images that the run has seen.
            state: function that returns the state from which the run can be resumed, the same in every process.
            suspect: True if training may have collapsed; the newest checkpoint that is not suspect is then kept too.

        Raises:
            Stopped: a stop was requested.
            TrainingError: some weights are NaN or infinite; nothing was saved.
        """
        requested, is_due = ranks.all_reduce_max(stopping.pending_signal(), self.schedule.is_due(seen))
        stopping.adopt_signal(requested)
        if requested or is_due:
            self._save(seen, state(), suspect=suspect)
            self.schedule.reset(seen)
        stopping.check()

    def save(self, seen: int, state: State) -> None:
        """Save now, whatever the schedule says, because a part of the run with a state of its own is complete."""
        self._save(seen, state, suspect=False)
        self.schedule.reset(seen)

    def last_good(self) -> Path | None:
        """Return the newest checkpoint that is not suspect; None if there is none."""
        return next((file for file in reversed(self._files()) if not _is_suspect(file)), None)

    def clear(self) -> None:
        """Delete all checkpoints, since the run is complete."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def _newest(self) -> tuple[int, bytes]:
        """Return the image count and the bytes of the newest undamaged checkpoint; 0 and no bytes if there is none."""
        for file in reversed(self._files()):
            content = file.read_bytes()
            named = NAME.fullmatch(file.name)
            if named and files.sha256_bytes(content).startswith(named[2]) and _deserialize(content) is not None:
                console.info(f"going on after {int(named[1]):,} images, from {file.name}")
                return int(named[1]), content
            aside = file.with_name(file.name + DAMAGED)
            file.rename(aside)
            console.warning(f"the checkpoint {file} is damaged; it is now {aside.name}, {self._describe_fallback()}")
        return 0, b""

    def _save(self, seen: int, state: State, *, suspect: bool) -> None:
        content = _serialize(state)
        if ranks.is_first():
            self._write(seen, content, suspect=suspect)
        ranks.barrier()  # torchrun ends all processes once one has ended

    def _write(self, seen: int, content: bytes, *, suspect: bool) -> None:
        ending = "-suspect" if suspect else ""
        name = f"{seen:012}-{files.sha256_bytes(content)[:HASH_LENGTH]}{ending}.safetensors"
        files.write_bytes(self.directory / name, content)
        older = self._files()[:-MAX_KEPT]
        good = self.last_good()
        for file in older:
            if file != good:
                file.unlink(missing_ok=True)

    def _describe_fallback(self) -> str:
        return "and the one before is used" if self._files() else "and none is left: the run begins anew"

    def _files(self) -> list[Path]:
        if not self.directory.is_dir():
            return []
        return sorted(file for file in self.directory.iterdir() if NAME.fullmatch(file.name))


def _is_suspect(file: Path) -> bool:
    named = NAME.fullmatch(file.name)
    return named is not None and named[3] is not None


def _serialize(state: State) -> bytes:
    """Return the state as the bytes of a safetensors file.

    Raises:
        TrainingError: some tensor holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    values = _to_json(state, tensors)
    broken = [name for name, tensor in tensors.items() if not _is_finite(tensor)]
    if broken:
        raise TrainingError("the run's weights became NaN or infinite", "a lower --lr usually helps")
    return save(tensors, {HEADER: json.dumps(values)})


def _deserialize(content: bytes) -> State | None:
    """Return the state that a safetensors file holds; None if it is no checkpoint."""
    length = int.from_bytes(content[:8], "little")  # safetensors: 8 bytes of length, the JSON header, the tensors
    try:
        header = json.loads(content[8 : 8 + length])
        return _from_json(json.loads(header["__metadata__"][HEADER]), load(content))
    except (ValueError, KeyError, TypeError, RecursionError, SafetensorError):
        return None


def _to_json(state: State, tensors: dict[str, Tensor]) -> Any:
    """Return the state as JSON with a name in place of each tensor, and add the tensors to `tensors` by name."""
    if isinstance(state, Tensor):
        name = str(len(tensors))
        tensors[name] = state.detach().cpu().contiguous()
        return {"tensor": name, "channels_last": _is_channels_last(state)}
    if isinstance(state, dict):
        return {"dict": [[key, _to_json(value, tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        return {"list": [_to_json(value, tensors) for value in state]}
    if state is None or isinstance(state, bool | int | float | str):
        return {"value": state}
    raise TypeError(f"a checkpoint cannot hold a {type(state).__name__}")


def _from_json(value: Any, tensors: dict[str, Tensor]) -> State:
    if "tensor" in value:
        layout = torch.channels_last if value["channels_last"] else torch.contiguous_format
        return tensors[value["tensor"]].contiguous(memory_format=layout)
    if "dict" in value:
        return {key: _from_json(entry, tensors) for key, entry in value["dict"]}
    if "list" in value:
        return [_from_json(entry, tensors) for entry in value["list"]]
    return value["value"]


def _is_channels_last(tensor: Tensor) -> bool:
    """Return whether a tensor is in channels-last layout; it is kept, since sums in another order round differently."""
    return tensor.ndim == 4 and not tensor.is_contiguous() and tensor.is_contiguous(memory_format=torch.channels_last)


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())
