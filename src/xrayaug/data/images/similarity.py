"""Pictures that are the same but for compression, size, brightness, contrast, mirroring or quarter turns.

What is compared are thumbnails without their slow changes of grey: of different hands these correlate up to 0.78, where
plain ones reach 0.94. benchmarks/README.md has what is found and what is not.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from xrayaug.data.images.arrays import Pixels

SAME = 0.97  # correlation from which on pictures are near copies
CANDIDATE = 0.93  # the same of the smaller thumbnails by which pairs are chosen
EDGE = 32  # pixels of a thumbnail's side; of smaller pictures too little is left to tell hands apart
COARSE = 16  # pixels of the smaller one's side
BLUR = 2.0  # standard deviation, in pixels of the thumbnail, of what is taken away
FAINT = 0.5  # grey levels of standard deviation that must be left: less is rounding
BLOCK = 2048  # pictures that are compared with so many others at a time: 16 MiB of correlations
PAIRS = 4096  # compared in full at a time
FORMS = 8  # four turns, each mirrored or not

Floats = npt.NDArray[np.float32]
Vectors = Floats  # [N, E * E], each of length 1, or 0 where the picture is faint
Indices = npt.NDArray[np.intp]


class Groups:
    """Which things belong together, as far as pairs of them are known."""

    def __init__(self, count: int) -> None:
        self.first = np.arange(count)  # of each one's group, the first

    def join(self, one: int, other: int) -> None:
        """Make one group of the groups of both."""
        low, high = sorted((self.first[one], self.first[other]))
        self.first[self.first == high] = low

    def several(self) -> list[list[int]]:
        """The groups that have more than one member."""
        order = np.argsort(self.first, kind="stable")
        starts = np.flatnonzero(np.diff(self.first[order], prepend=-1))
        return [group.tolist() for group in np.split(order, starts[1:]) if len(group) > 1]


def threshold(size: int) -> float | None:
    """The correlation from which on pictures of that size are near copies; None where they are too small to tell."""
    return SAME if size >= EDGE else None


def groups(pictures: Pixels, advance: Callable[[int], None] = lambda _: None) -> Groups:
    """The groups of near copies among pictures uint8 `[N, S, S]`, of which S is `EDGE` or more.

    Args:
        pictures: they are read once, and those of likely pairs again.
        advance: is told how many pictures more have been compared with all before them.
    """
    same = threshold(pictures.shape[1])
    if same is None:
        raise ValueError(f"pictures of {pictures.shape[1]} pixels are too small to compare")
    found = Groups(len(pictures))
    coarse = _coarse(pictures)
    for start in range(0, len(pictures), BLOCK):
        block = slice(start, start + BLOCK)
        for before in range(0, start + 1, BLOCK):
            likely = _likely(coarse[before : before + BLOCK], coarse[block])
            likely &= found.first[before : before + BLOCK, None] != found.first[block]
            pairs = np.argwhere(np.triu(likely, 1) if before == start else likely)
            _join(found, pictures, same, np.add(pairs, (before, start), dtype=np.intp))
        advance(len(coarse[block]))
    return found


def correlations(pictures: Pixels, pairs: Indices) -> Floats:
    """How alike the two pictures of each pair are, in that of the eight turned and mirrored forms that fits best.

    Args:
        pictures: uint8 `[N, S, S]`.
        pairs: their places, `[P, 2]`.
    """
    places, inverse = np.unique(pairs, return_inverse=True)
    vectors = _unit(_thumbnails(pictures[places]))
    one, other = (vectors[side] for side in inverse.reshape(-1, 2).T)
    best = np.full(len(one), -1, np.float32)
    for form in _forms(vectors.shape[1]):
        np.maximum(best, np.einsum("pv,pv->p", one, other[:, form]), out=best)
    return best


def _join(found: Groups, pictures: Pixels, same: float, candidates: Indices) -> None:
    """Join the groups of those pairs that are near copies; a pair within one group need not be looked at."""
    for start in range(0, len(candidates), PAIRS):
        pairs = candidates[start : start + PAIRS]
        pairs = pairs[found.first[pairs[:, 0]] != found.first[pairs[:, 1]]]
        if len(pairs):
            for one, other in pairs[correlations(pictures, pairs) >= same].tolist():
                found.join(one, other)


def _likely(left: Vectors, right: Vectors) -> npt.NDArray[np.bool_]:
    """Which pairs of a left and a right vector may be near copies, `[L, R]`."""
    likely = np.zeros((len(left), len(right)), bool)
    for form in _forms(left.shape[1]):
        likely |= left @ right[:, form].T >= CANDIDATE
    return likely


def _coarse(pictures: Pixels) -> Vectors:
    """Vectors of a quarter of the thumbnails' pixels, by which most pairs are told apart."""
    found = []
    for start in range(0, len(pictures), BLOCK // 8):  # in floats pictures take four times the memory
        thumbnails = _thumbnails(pictures[start : start + BLOCK // 8])
        found.append(_unit(thumbnails.reshape(-1, COARSE, EDGE // COARSE, COARSE, EDGE // COARSE).mean((2, 4))))
    return np.concatenate(found)


def _thumbnails(pictures: Pixels) -> Floats:
    """The pictures shrunk to a side of `EDGE` by averaging, less what they are when blurred; of faint ones nothing."""
    shrink, blur = _averaging(pictures.shape[1], EDGE), _blurring(EDGE)
    small = shrink @ pictures.astype(np.float32) @ shrink.T
    sharp: Floats = np.subtract(small, blur @ small @ blur.T, dtype=np.float32)
    sharp[sharp.std((1, 2)) < FAINT] = 0
    return sharp


def _unit(thumbnails: Floats) -> Vectors:
    flat = thumbnails.reshape(len(thumbnails), -1)
    vectors: Floats = np.subtract(flat, flat.mean(1, keepdims=True), dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    vectors /= lengths
    return vectors


def _averaging(size: int, edge: int) -> Floats:
    """The matrix `[edge, size]` that averages a column of pixels to a shorter one."""
    ends = np.linspace(0, size, edge + 1)
    pixels = np.arange(size)
    overlap = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    weights = np.maximum(overlap, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _blurring(edge: int) -> Floats:
    """The matrix `[edge, edge]` that blurs a column of pixels by a Gaussian, its ends repeated beyond them."""
    reach = 4 * int(np.ceil(BLUR))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / BLUR) ** 2)
    matrix = np.zeros((edge, edge))
    for row in range(edge):
        np.add.at(matrix[row], np.clip(row + steps, 0, edge - 1), weights / weights.sum())
    return matrix.astype(np.float32)


def _forms(length: int) -> Iterator[Indices]:
    """The order of a vector's values in each turned and mirrored form of its thumbnail."""
    edge = round(length**0.5)
    plain = np.arange(length).reshape(edge, edge)
    for turns in range(FORMS // 2):
        turned = np.rot90(plain, turns)
        yield turned.ravel()
        yield turned[:, ::-1].ravel()
