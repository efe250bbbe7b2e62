"""Selected images as one stack uint8 `[N, H, W]`, read from memory-mapped files on demand.

Pages that were read stay in the kernel's page cache, which all processes of a machine share and the kernel can reclaim.
A stack itself takes 12 bytes per image.
"""

import mmap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from xrayaug.data.images.arrays import Pixels

Numbers = npt.NDArray[np.int64]

RELEASE_BYTES = 1 << 28  # read before mapped pages are released; otherwise they count as memory of the process


class Stack:
    """Images of several arrays uint8 `[M, H, W]`, which may be of different sizes.

    Args:
        arrays: the arrays, memory-mapped or not.
        which: `[N]`, index of the array of each image.
        rows: `[N]`, index of each image in its array, which must exist.
        shape: height and width in pixels; images of other sizes are resized to it.
    """

    def __init__(
        self, arrays: Sequence[Pixels], which: npt.NDArray[np.int32], rows: Numbers, shape: tuple[int, int]
    ) -> None:
        self.shape = (len(rows), *shape)
        self._arrays = [np.asarray(array) for array in arrays]  # indexing a memmap takes several times as long
        self._mapped = [base for array in arrays if isinstance(base := _mapping_of(array), mmap.mmap)]
        self._which, self._rows = which, rows
        self._read = 0  # bytes read since mapped pages were last released

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The size of all images in bytes."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def has_resizing(self) -> bool:
        """True if some array has images of another size, which are resized."""
        return any(array.shape[1:] != self.shape[1:] for array in self._arrays)

    def read(self, places: "Numbers | Sequence[int] | slice") -> Pixels:
        """Return the images at these indices, uint8 `[B, H, W]`."""
        which, rows = self._which[places], self._rows[places]
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        if len(self._arrays) == 1 and not self.has_resizing:
            np.take(
                self._arrays[0], rows, axis=0, out=images, mode="clip"
            )  # all indices exist; mode "raise" would copy twice
        else:
            for place, (array, row) in enumerate(zip(which.tolist(), rows.tolist(), strict=True)):
                picture = self._arrays[array][row]
                images[place] = picture if picture.shape == self.shape[1:] else resize_bicubic(picture, self.shape[1:])
        self._release_mapped_pages(images.nbytes)
        return images

    def picture(self, place: int) -> Pixels:
        """Return one image without resizing, uint8 `[H, W]`."""
        picture: Pixels = self._arrays[self._which[place]][self._rows[place]].copy()
        self._release_mapped_pages(picture.nbytes)
        return picture

    def _release_mapped_pages(self, read: int) -> None:
        """Release mapped pages after every `RELEASE_BYTES`; the page cache keeps them."""
        self._read += read
        if self._read >= RELEASE_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._read = 0
            for mapped in self._mapped:
                mapped.madvise(mmap.MADV_DONTNEED)


def resize_bicubic(picture: Pixels, shape: tuple[int, int]) -> Pixels:
    """Return an image uint8 `[H, W]` resized to this height and width, bicubic and antialiased."""
    height, width = shape
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _mapping_of(array: Pixels) -> object:
    """Return the buffer of an array that is a view."""
    return array.base
