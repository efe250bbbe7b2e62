"""Nearest neighbours, in blocks of rows, so that memory does not grow with the square of N."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.floating]

BLOCK_BYTES = 1 << 26  # of one block of distances
ROUNDING = 1e-12  # relative to |x|² + |y|²: smaller distances are rounding errors and count as 0


def distance_blocks(of: Matrix, to: Matrix) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of rows of `[N, D]`, each with its squared Euclidean distances `[n, M]` to rows `[M, D]`."""
    centre = to.mean(axis=0, dtype=np.float64)  # centred, so that squares cancel less
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
    """Return the squared distance of each of `[N, D]` to its k-th nearest other, `[N]` for each k, in one pass."""
    found = [np.empty(len(points)) for _ in ks]
    for rows, distances in distance_blocks(points, points):
        _leave_out_itself(distances, rows.start)
        ordered = np.partition(distances, [k - 1 for k in ks], axis=1)
        for k, of_k in zip(ks, found, strict=True):
            of_k[rows] = ordered[:, k - 1]
    return found


def kth_distances(of: Matrix, to: Matrix, k: int) -> FloatArray:
    """Return the Euclidean distance of each of `[N, D]` to its k-th nearest of `[M, D]`, `[N]`."""
    found = np.empty(len(of))
    for rows, distances in distance_blocks(of, to):
        found[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return np.sqrt(found)


def nearest(
    of: Matrix, to: Matrix, apart: tuple[IndexArray, IndexArray] | None = None
) -> tuple[IndexArray, FloatArray]:
    """Find the nearest of `[M, D]` to each of `[N, D]`: its index `[N]` and Euclidean distance `[N]`.

    `apart` gives the group numbers of the first, `[N]`, and of the second, `[M]`: pairs of one group are left out.
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
