"""Load images for a network: from memory if they fit, otherwise batch by batch from their files.

Both ways give the same bytes. On a CPU, images that need no resizing are always read from their files, because the
page cache already holds them in memory and all processes of the machine share it. A GPU holds the images if they take
at most half of its free memory; otherwise batches are prefetched into pinned memory.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from xrayaug.data.images.stack import Stack
from xrayaug.runtime import console, parallel

MAX_IN_MEMORY_BYTES = 1 << 29  # of resized images, if the network is not on a GPU with memory of its own
LOAD_CHUNK_BYTES = 1 << 26  # read at a time when images are loaded to a device
PREFETCH_BATCHES = 4  # batches that are read ahead of a GPU


class ImageLoader(Protocol):
    """Images uint8 `[N, H, W]`, loaded by their indices `[B]`."""

    @property
    def device(self) -> torch.device:
        """The device of the loaded images."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        """Return some of the images, uint8 `[B, H, W]`."""

    def iter_batches(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """Yield the arguments of `gather` for each batch of indices; `batches` are on the CPU."""

    def gather(self, places: Tensor, *inputs: Tensor) -> Tensor:
        """Return the images of a batch, from what `iter_batches` yielded; called within a training step."""


class InMemoryLoader:
    """Loader of images that are in the memory of the device."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    @property
    def device(self) -> torch.device:
        """The device of the images."""
        return self.pixels.device

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        return self.pixels[places]

    def iter_batches(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """Yield the indices alone, on the device."""
        return ((batch,) for batch in _move_batches(batches, self.device))

    def gather(self, places: Tensor, *inputs: Tensor) -> Tensor:
        """Return the images at these indices."""
        return self.pixels.index_select(0, places)  # much faster than indexing on a CPU


class StreamingLoader:
    """Loader of images that are read from their files.

    Args:
        stack: the images.
        device: the device to load them to.
        prefetch: number of batches to read ahead, in threads.
    """

    def __init__(self, stack: Stack, device: torch.device, prefetch: int = 0) -> None:
        self.stack = stack
        self.device = device
        self.prefetch = prefetch

    def __len__(self) -> int:
        return len(self.stack)

    def __getitem__(self, places: slice | Tensor) -> Tensor:
        return self._read(places).to(self.device)

    def iter_batches(self, batches: Sequence[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """Yield the indices, on the device, and their images, still on the CPU."""
        numbers = range(len(batches))
        if self.prefetch:
            read = parallel.map_in_threads(lambda number: self._read(batches[number]), numbers, self.prefetch)
        else:
            read = (self._read(batches[number]) for number in numbers)
        return zip(_move_batches(batches, self.device), read, strict=True)

    def gather(self, places: Tensor, *inputs: Tensor) -> Tensor:
        """Return the images that `iter_batches` read."""
        (pictures,) = inputs
        return pictures

    def _read(self, places: slice | Tensor) -> Tensor:
        images = torch.from_numpy(self.stack.read(places if isinstance(places, slice) else places.cpu().numpy()))
        return images.pin_memory() if self.device.type == "cuda" else images


def make_loader(stack: Stack, device: torch.device) -> ImageLoader:
    """Return the loader that is best for the images and the device."""
    if stack.nbytes <= _memory_limit(stack, device):
        return InMemoryLoader(_load_to_device(stack, device))
    if device.type != "cpu":
        console.info(f"{stack.nbytes >> 20:,} MiB of images do not fit on {device}; they are read batch by batch")
    return StreamingLoader(stack, device, 0 if device.type == "cpu" else PREFETCH_BATCHES)


def _memory_limit(stack: Stack, device: torch.device) -> int:
    """Return how many bytes of images may be held in the memory of the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 2  # the rest is for the network and its training
    return MAX_IN_MEMORY_BYTES if stack.has_resizing or device.type != "cpu" else 0


def _load_to_device(stack: Stack, device: torch.device) -> Tensor:
    """Return all images on the device, loaded in chunks to limit the memory of the host."""
    pixels = torch.empty(stack.shape, dtype=torch.uint8, device=device)
    step = max(1, LOAD_CHUNK_BYTES // max(1, int(np.prod(stack.shape[1:]))))
    for start in range(0, len(stack), step):
        pixels[start : start + step] = torch.from_numpy(stack.read(slice(start, start + step)))
    return pixels


def _move_batches(batches: Sequence[Tensor], device: torch.device) -> Sequence[Tensor]:
    """Return the batches of indices on the device, transferred in one copy."""
    if device.type == "cpu" or not batches:
        return batches
    return torch.split(torch.cat(list(batches)).to(device), [len(batch) for batch in batches])
