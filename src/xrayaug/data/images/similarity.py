"""Find near duplicates: images equal except for compression, size, brightness, contrast, mirroring or 90° rotations.

High-pass filtered thumbnails are compared: those of different hands correlate up to 0.78, unfiltered ones up to 0.94.
benchmarks/README.md lists which changes are detected and which are not.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from xrayaug.data.images.arrays import Pixels
from xrayaug.data.images.stack import Stack

NEAR_DUPLICATE_CORRELATION = 0.97  # minimum correlation of near duplicates
CANDIDATE_CORRELATION = 0.93  # minimum correlation of the coarse thumbnails of a candidate pair
THUMBNAIL_SIDE = 32  # in pixels; smaller images do not have enough detail to tell hands apart
COARSE_SIDE = 16  # side of a coarse thumbnail in pixels
BLUR_SIGMA = 2.0  # standard deviation of the Gaussian high-pass filter, in pixels of the thumbnail
MIN_CONTRAST = 0.5  # minimum standard deviation after filtering, in grey levels; less is rounding error
BLOCK = 2048  # images compared with as many others at a time: 16 MiB of correlations
PAIRS = 4096  # candidate pairs compared at full size at a time
N_ORIENTATIONS = 8  # four rotations, each mirrored or not

Floats = npt.NDArray[np.float32]
Vectors = Floats  # [N, E * E], each of length 1, or 0 if the image has too little contrast
Indices = npt.NDArray[np.intp]


class DisjointSets:
    """Disjoint sets of the numbers 0 to `count` - 1, joined pair by pair."""

    def __init__(self, count: int) -> None:
        self.first = np.arange(count)  # smallest member of the set of each number

    def join(self, one: int, other: int) -> None:
        """Join the sets of two numbers."""
        low, high = sorted((self.first[one], self.first[other]))
        self.first[self.first == high] = low

    def groups(self) -> list[list[int]]:
        """Return the sets of more than one member, as sorted lists."""
        order = np.argsort(self.first, kind="stable")
        starts = np.flatnonzero(np.diff(self.first[order], prepend=-1))
        return [group.tolist() for group in np.split(order, starts[1:]) if len(group) > 1]


def near_duplicate_threshold(size: int) -> float | None:
    """Return the minimum correlation of near duplicates of this size; None if such images are too small."""
    return NEAR_DUPLICATE_CORRELATION if size >= THUMBNAIL_SIDE else None


def group_near_duplicates(pictures: Pixels, advance: Callable[[int], None] = lambda _: None) -> DisjointSets:
    """Return the groups of near duplicates among images uint8 `[N, S, S]`.

    Args:
        pictures: the images; they are read once, and those of candidate pairs again.
        advance: called with the number of further images that were compared with all before them.

    Raises:
        ValueError: S is less than `THUMBNAIL_SIDE`.
    """
    same = near_duplicate_threshold(pictures.shape[1])
    if same is None:
        raise ValueError(f"pictures of {pictures.shape[1]} pixels are too small to compare")
    sets = DisjointSets(len(pictures))
    coarse = _coarse_vectors(pictures)
    for start in range(0, len(pictures), BLOCK):
        block = slice(start, start + BLOCK)
        for before in range(0, start + 1, BLOCK):
            is_candidate = _find_candidates(coarse[before : before + BLOCK], coarse[block])
            is_candidate &= sets.first[before : before + BLOCK, None] != sets.first[block]
            pairs = np.argwhere(np.triu(is_candidate, 1) if before == start else is_candidate)
            _join_near_duplicates(sets, pictures, same, np.add(pairs, (before, start), dtype=np.intp))
        advance(len(coarse[block]))
    return sets


def best_correlations(pictures: Pixels, pairs: Indices) -> Floats:
    """Return the correlation of the images of each pair, `[P]`, maximal over the eight rotations and mirrorings.

    Args:
        pictures: the images, uint8 `[N, S, S]`.
        pairs: indices of the images, `[P, 2]`.
    """
    places, inverse = np.unique(pairs, return_inverse=True)
    vectors = _normalise(_thumbnails(pictures[places]))
    one, other = (vectors[side] for side in inverse.reshape(-1, 2).T)
    return _correlate(one, other)


def has_near_duplicate(pictures: Stack, references: Stack) -> npt.NDArray[np.bool_]:
    """Return which images have a near duplicate among the references, bool `[N]`.

    Args:
        pictures: N images of `THUMBNAIL_SIDE` pixels or more.
        references: images of `THUMBNAIL_SIDE` pixels or more, which may have another size.

    Raises:
        ValueError: the images of one stack are too small to compare.
    """
    same = near_duplicate_threshold(min(pictures.shape[1], references.shape[1]))
    if same is None:
        raise ValueError(f"pictures of {pictures.shape[1]} or {references.shape[1]} pixels are too small to compare")
    found = np.zeros(len(pictures), bool)
    for start in range(0, len(pictures), BLOCK):
        images = pictures.read(slice(start, start + BLOCK))
        coarse = _coarse_vectors(images)
        for before in range(0, len(references), BLOCK):
            others = references.read(slice(before, before + BLOCK))
            candidates = np.argwhere(_find_candidates(coarse, _coarse_vectors(others)))
            for first in range(0, len(candidates), PAIRS):
                left, right = candidates[first : first + PAIRS].T
                one, other = (_normalise(_thumbnails(side)) for side in (images[left], others[right]))
                found[start + left[_correlate(one, other) >= same]] = True
    return found


def _correlate(one: Vectors, other: Vectors) -> Floats:
    """Return the correlation of pairs `[P, E * E]`, maximal over the rotations and mirrorings of the second, `[P]`."""
    best = np.full(len(one), -1, np.float32)
    for form in _orientations(one.shape[1]):
        np.maximum(best, np.einsum("pv,pv->p", one, other[:, form]), out=best)
    return best


def _join_near_duplicates(sets: DisjointSets, pictures: Pixels, same: float, candidates: Indices) -> None:
    """Join the groups of the candidate pairs that are near duplicates; pairs within a group are skipped."""
    for start in range(0, len(candidates), PAIRS):
        pairs = candidates[start : start + PAIRS]
        pairs = pairs[sets.first[pairs[:, 0]] != sets.first[pairs[:, 1]]]
        if len(pairs):
            for one, other in pairs[best_correlations(pictures, pairs) >= same].tolist():
                sets.join(one, other)


def _find_candidates(left: Vectors, right: Vectors) -> npt.NDArray[np.bool_]:
    """Return which pairs of a left and a right vector are candidates, bool `[L, R]`."""
    is_candidate = np.zeros((len(left), len(right)), bool)
    for form in _orientations(left.shape[1]):
        is_candidate |= left @ right[:, form].T >= CANDIDATE_CORRELATION
    return is_candidate


def _coarse_vectors(pictures: Pixels) -> Vectors:
    """Return vectors of coarse thumbnails, which rule out most pairs."""
    blocks = []
    for start in range(0, len(pictures), BLOCK // 8):  # smaller, because images in float32 take four times the memory
        thumbnails = _thumbnails(pictures[start : start + BLOCK // 8])
        factor = THUMBNAIL_SIDE // COARSE_SIDE
        blocks.append(_normalise(thumbnails.reshape(-1, COARSE_SIDE, factor, COARSE_SIDE, factor).mean((2, 4))))
    return np.concatenate(blocks)


def _thumbnails(pictures: Pixels) -> Floats:
    """Return high-pass filtered thumbnails `[N, E, E]`; 0 for images of too little contrast."""
    shrink, blur = _averaging_matrix(pictures.shape[1], THUMBNAIL_SIDE), _blurring_matrix(THUMBNAIL_SIDE)
    small = shrink @ pictures.astype(np.float32) @ shrink.T
    sharp: Floats = np.subtract(small, blur @ small @ blur.T, dtype=np.float32)
    sharp[sharp.std((1, 2)) < MIN_CONTRAST] = 0
    return sharp


def _normalise(thumbnails: Floats) -> Vectors:
    flat = thumbnails.reshape(len(thumbnails), -1)
    vectors: Floats = np.subtract(flat, flat.mean(1, keepdims=True), dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    vectors /= lengths
    return vectors


def _averaging_matrix(size: int, edge: int) -> Floats:
    """Return the matrix `[edge, size]` that shrinks a column of pixels by averaging."""
    ends = np.linspace(0, size, edge + 1)
    pixels = np.arange(size)
    overlap = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    weights = np.maximum(overlap, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _blurring_matrix(edge: int) -> Floats:
    """Return the matrix `[edge, edge]` that blurs a column of pixels by a Gaussian, with its ends repeated."""
    reach = 4 * int(np.ceil(BLUR_SIGMA))
    steps = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (steps / BLUR_SIGMA) ** 2)
    matrix = np.zeros((edge, edge))
    for row in range(edge):
        np.add.at(matrix[row], np.clip(row + steps, 0, edge - 1), weights / weights.sum())
    return matrix.astype(np.float32)


def _orientations(length: int) -> Iterator[Indices]:
    """Yield the order of a vector's values for each rotation and mirroring of its thumbnail."""
    edge = round(length**0.5)
    plain = np.arange(length).reshape(edge, edge)
    for turns in range(N_ORIENTATIONS // 2):
        turned = np.rot90(plain, turns)
        yield turned.ravel()
        yield turned[:, ::-1].ravel()
