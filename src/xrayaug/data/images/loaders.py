"""How pictures come to a network: from memory where they fit, else batch by batch from the files where they lie.

Both give the same bytes. On a CPU pictures that need no resizing are always read from their files, for the page cache
is memory already, and all processes of the machine have it in common. A GPU holds them if they take at most half of
what is free there; else batches are read ahead into memory that it copies from by itself.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from xrayaug.data.images.stack import Stack
from xrayaug.runtime import console, parallel

HELD_BYTES = 1 << 29  # of resized pictures, where the network computes in the machine's own memory
LOAD_BYTES = 1 << 26  # read at a time on the way to where they are held
AHEAD = 4  # batches that are read before a GPU asks for them


class Feed(Protocol):
    """Pictures uint8 `[N, H, W]` for a step to take, by their places `[B]`."""

    @property
    def device(self) -> torch.device:
        """Where they are given."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        """Some of them, uint8 `[B, H, W]`."""

    def each(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """What a step is given for each batch of places, which come on the CPU: the places, and what `shown` needs."""

    def shown(self, places: Tensor, *given: Tensor) -> Tensor:
        """Within the step: the pictures of what `each` gave."""


class Held:
    """Pictures in the memory of the device."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.pixels.device

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        return self.pixels[places]

    def each(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """The places alone."""
        return ((batch,) for batch in _moved(batches, self.device))

    def shown(self, places: Tensor, *given: Tensor) -> Tensor:
        """The pictures at those places."""
        return self.pixels.index_select(0, places)  # on a CPU many times as fast as indexing


class Streamed:
    """Pictures in their files.

    Args:
        stack: the pictures.
        device: where they are to be.
        ahead: batches to read before they are asked for, in threads.
    """

    def __init__(self, stack: Stack, device: torch.device, ahead: int = 0) -> None:
        self.stack = stack
        self.device = device
        self.ahead = ahead

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        return self._read(places).to(self.device)

    def each(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """The places and the pictures there, which are on the CPU still: the step takes them from there."""
        numbers = range(len(batches))
        if self.ahead:
            read = parallel.in_threads(lambda number: self._read(batches[number]), numbers, self.ahead)
        else:
            read = (self._read(batches[number]) for number in numbers)
        return zip(_moved(batches, self.device), read, strict=True)

    def shown(self, places: Tensor, *given: Tensor) -> Tensor:
        """What was read."""
        (pictures,) = given
        return pictures

    def _read(self, places: slice | Tensor) -> Tensor:
        found = torch.from_numpy(self.stack.at(places if isinstance(places, slice) else places.cpu().numpy()))
        return found.pin_memory() if self.device.type == "cuda" else found


def feed(stack: Stack, device: torch.device) -> Feed:
    """The pictures as that device takes them best."""
    if stack.nbytes <= _room(stack, device):
        return Held(_loaded(stack, device))
    if device.type != "cpu":
        console.say(f"{stack.nbytes >> 20:,} MiB of images are too much for {device}: they are read as they are needed")
    return Streamed(stack, device, 0 if device.type == "cpu" else AHEAD)


def _room(stack: Stack, device: torch.device) -> int:
    """Bytes of pictures that may be held there."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2  # the rest is for the network and its steps
    return HELD_BYTES if stack.resizes or device.type != "cpu" else 0


def _loaded(stack: Stack, device: torch.device) -> Tensor:
    """All of them, by way of a little of the machine's memory."""
    pixels = torch.empty(stack.shape, dtype=torch.uint8, device=device)
    step = max(1, LOAD_BYTES // max(1, int(np.prod(stack.shape[1:]))))
    for start in range(0, len(stack), step):
        pixels[start : start + step] = torch.from_numpy(stack.at(slice(start, start + step)))
    return pixels


def _moved(batches: Sequence[Tensor], device: torch.device) -> Sequence[Tensor]:
    """The batches on that device, where they go in one piece."""
    if device.type == "cpu" or not batches:
        return batches
    return torch.split(torch.cat(list(batches)).to(device), [len(batch) for batch in batches])
