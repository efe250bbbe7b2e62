"""Nearest neighbours, in blocks of rows, so that memory does not grow with the square of N."""

from collections.abc import Iterator

import numpy as np

from xrayaug.stats.array_types import FloatArray, IndexArray, Matrix

BLOCK_BYTES = 1 << 26  # of one block of distances
ROUNDING = 1e-12  # relative to |x|² + |y|²: smaller distances are rounding errors and count as 0


def distance_blocks(queries: Matrix, points: Matrix) -> Iterator[tuple[slice, FloatArray]]:
    """Yield blocks of rows of `queries` `[N, D]`, with their squared distances `[n, M]` to all `points` `[M, D]`."""
    centre = points.mean(axis=0, dtype=np.float64)  # centred, so that squares cancel less
    centred = points - centre
    squares = np.einsum("nd,nd->n", centred, centred)
    rows = max(1, BLOCK_BYTES // (8 * max(len(points), points.shape[1])))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows] - centre
        sums = np.einsum("nd,nd->n", block, block)[:, None] + squares
        distances = sums - 2 * (block @ centred.T)
        distances[distances < ROUNDING * sums] = 0.0
        yield slice(start, start + rows), distances


def kth_squared_distances(points: Matrix, *ks: int) -> list[FloatArray]:
    """Return the squared distance of each of `[N, D]` to its k-th nearest other, `[N]` for each k, in one pass."""
    kth = [np.empty(len(points)) for _ in ks]
    for rows, distances in distance_blocks(points, points):
        _exclude_self(distances, rows.start)
        ordered = np.partition(distances, [k - 1 for k in ks], axis=1)
        for k, column in zip(ks, kth, strict=True):
            column[rows] = ordered[:, k - 1]
    return kth


def kth_distances(queries: Matrix, points: Matrix, k: int) -> FloatArray:
    """Return the Euclidean distance of each query `[N, D]` to its k-th nearest point of `[M, D]`, `[N]`."""
    squared = np.empty(len(queries))
    for rows, distances in distance_blocks(queries, points):
        squared[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1]
    return np.sqrt(squared)


def nearest(
    queries: Matrix, points: Matrix, groups: tuple[IndexArray, IndexArray] | None = None
) -> tuple[IndexArray, FloatArray]:
    """Find the nearest point of `[M, D]` to each query `[N, D]`: its index `[N]` and Euclidean distance `[N]`.

    `groups` holds the group numbers of the queries, `[N]`, and of the points, `[M]`: pairs within a group are excluded.
    """
    indices, squared = np.empty(len(queries), np.int64), np.empty(len(queries))
    for rows, distances in distance_blocks(queries, points):
        if groups is not None:
            distances[groups[0][rows, None] == groups[1]] = np.inf
        indices[rows] = distances.argmin(axis=1)
        squared[rows] = distances.min(axis=1)
    return indices, np.sqrt(squared)


def _exclude_self(distances: FloatArray, start: int) -> None:
    """Set each row's distance to itself to infinity, in a block that begins at row `start`."""
    rows = np.arange(len(distances))
    distances[rows, start + rows] = np.inf
