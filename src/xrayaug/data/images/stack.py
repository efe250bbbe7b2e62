"""Chosen pictures as one stack uint8 `[N, H, W]`, left in the files where they lie and read when they are asked for.

The files are mapped, so what was read stays in the kernel's page cache: all processes of a machine share it, and the
kernel takes it back when it needs the memory. A stack itself takes 12 bytes a picture.
"""

import mmap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images.arrays import Pixels

Numbers = npt.NDArray[np.int64]

RELEASE_BYTES = 1 << 28  # read before the process lets go of what it mapped, which else counts as its own memory


class Stack:
    """Pictures of some arrays uint8 `[M, H, W]`, which may be of different sizes.

    Args:
        arrays: mapped or not.
        which: `[N]`, the array of each picture.
        rows: `[N]`, its place there, which must exist.
        shape: height and width in pixels that all pictures get, by bicubic resizing where they have others.
    """

    def __init__(
        self, arrays: Sequence[Pixels], which: npt.NDArray[np.int32], rows: Numbers, shape: tuple[int, int]
    ) -> None:
        self.shape = (len(rows), *shape)
        self._arrays = [np.asarray(array) for array in arrays]  # indexing a memmap takes several times as long
        self._mapped = [base for array in arrays if isinstance(base := _memory_of(array), mmap.mmap)]
        self._which, self._rows = which, rows
        self._read = 0  # bytes since what is mapped was let go of

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """What it would take in memory."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def resizes(self) -> bool:
        """Whether some array has pictures of another size."""
        return any(array.shape[1:] != self.shape[1:] for array in self._arrays)

    def at(self, places: "Numbers | Sequence[int] | slice") -> Pixels:
        """The pictures at those places, uint8 `[B, H, W]`."""
        which, rows = self._which[places], self._rows[places]
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        if len(self._arrays) == 1 and not self.resizes:
            np.take(self._arrays[0], rows, axis=0, out=found, mode="clip")  # all are there; "raise" copies twice
        else:
            for place, (array, row) in enumerate(zip(which.tolist(), rows.tolist(), strict=True)):
                picture = self._arrays[array][row]
                found[place] = picture if picture.shape == self.shape[1:] else resized(picture, self.shape[1:])
        self._let_go(found.nbytes)
        return found

    def picture(self, place: int) -> Pixels:
        """One picture in the size that it lies in, uint8 `[H, W]`."""
        picture: Pixels = self._arrays[self._which[place]][self._rows[place]].copy()
        self._let_go(picture.nbytes)
        return picture

    def _let_go(self, read: int) -> None:
        """Give mapped pages back, at times; the page cache keeps them."""
        self._read += read
        if self._read >= RELEASE_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            for mapped in self._mapped:
                mapped.madvise(mmap.MADV_DONTNEED)


def resized(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    """A picture uint8 `[H, W]` of that height and width, bicubic and antialiased."""
    height, width = shape
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _memory_of(array: Pixels) -> object:
    """What an array that is no copy lies in."""
    return array.base
