"""Features -> the nearest others, a block of rows at a time, so that memory does not grow with the square of N."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.floating]

BLOCK_BYTES = 1 << 26  # of one block of distances
ROUNDING = 1e-12  # of |x|² + |y|²: what is nearer than that is the same, for the difference is of rounding alone


def distance_blocks(of: Matrix, to: Matrix) -> Iterator[tuple[slice, FloatArray]]:
    """Squared Euclidean distances of rows `[N, D]` to rows `[M, D]`: some rows of the first and theirs, `[n, M]`."""
    centre = to.mean(axis=0, dtype=np.float64)  # near zero, squares cancel less
    there = to - centre
    squares = np.einsum("nd,nd->n", there, there)
    rows = max(1, BLOCK_BYTES // (8 * max(len(to), to.shape[1])))
    for start in range(0, len(of), rows):
        here = of[start : start + rows] - centre
        sums = np.einsum("nd,nd->n", here, here)[:, None] + squares
        distances = sums - 2 * (here @ there.T)
        distances[distances < ROUNDING * sums] = 0.0
        yield slice(start, start + rows), distances


def kth_squared_distances(points: Matrix, *ks: int) -> list[FloatArray]:
    """Squared distance of each of `[N, D]` to its k-th nearest other, `[N]` for each k, in one pass."""
    found = [np.empty(len(points)) for _ in ks]
    for rows, distances in distance_blocks(points, points):
        _leave_out_itself(distances, rows.start)
        ordered = np.partition(distances, [k - 1 for k in ks], axis=1)
        for k, of_k in zip(ks, found, strict=True):
            of_k[rows] = ordered[:, k - 1]
    return found


def kth_distances(of: Matrix, to: Matrix, k: int) -> FloatArray:
    """Euclidean distance of each of `[N, D]` to its k-th nearest of `[M, D]`, `[N]`."""
    found = np.empty(len(of))
    for rows, distances in distance_blocks(of, to):
        found[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return np.sqrt(found)


def nearest(
    of: Matrix, to: Matrix, apart: tuple[IndexArray, IndexArray] | None = None
) -> tuple[IndexArray, FloatArray]:
    """The nearest of `[M, D]` to each of `[N, D]`: which, `[N]`, and at what Euclidean distance, `[N]`.

    `apart` numbers the groups of the first, `[N]`, and of the second, `[M]`: none is near to one of its own group.
    """
    places, found = np.empty(len(of), np.int64), np.empty(len(of))
    for rows, distances in distance_blocks(of, to):
        if apart is not None:
            distances[apart[0][rows, None] == apart[1]] = np.inf
        places[rows] = distances.argmin(axis=1)
        found[rows] = distances.min(axis=1)
    return places, np.sqrt(found)


def _leave_out_itself(distances: FloatArray, start: int) -> None:
    within = np.arange(len(distances))
    distances[within, start + within] = np.inf
