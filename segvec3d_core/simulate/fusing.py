"""Sheets of several views made into one surface, as a fusion that averages what it sees does."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..kernels.grid import EMPTY, hash_cells, slot
from ..kernels.shape import smallest_eigen

APART = 1 << 20
"""Cells of two labels lie this many cells apart, so that they never meet."""
FLAT, ROUND = 0.25, 0.75
"""A neighbourhood's least variance over its next: up to the one it is a plane, from the other on it has none."""
FEWEST = 6.0
"""Of fewer points no plane is told."""


def flattened(
    points: NDArray[np.float32], labels: NDArray[np.int32], seen: NDArray[np.float32], owners: NDArray[np.int32],
    edge: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Points moved onto the plane of what was seen of the same thing around them.

    What is seen is summed up in cells, and a point's plane is that of the eight cells around it, the nearer the more.
    Where there is no plane, as around a leg, points stay; at a crease they move half-way.

    Args:
        points: (N, 3) metres; labels: (N,) the thing of each.
        seen: (M, 3) metres; owners: (M,) the thing of each.
        edge: of a cell, metres.

    Returns:
        (N, 3) float32, metres.
    """
    coords = np.floor(seen / np.float64(edge)).astype(np.int64)
    coords[:, 0] += owners.astype(np.int64) * APART
    cell, first, table = hash_cells(coords)
    moments = _moments(seen, cell, len(first))
    return np.asarray(_moved(points, labels.astype(np.int64), coords[first], table, moments, float(edge)))


@njit(cache=True, nogil=True)
def _moments(points, cell, count):  # type: ignore[no-untyped-def]  # compiled
    """(count, 10) float64 per cell: how many points, the sums of x, y, z, and of xx, xy, xz, yy, yz, zz."""
    out = np.zeros((count, 10))
    for i in range(len(points)):
        row = out[cell[i]]
        x, y, z = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        row[0] += 1.0
        row[1] += x
        row[2] += y
        row[3] += z
        row[4] += x * x
        row[5] += x * y
        row[6] += x * z
        row[7] += y * y
        row[8] += y * z
        row[9] += z * z
    return out


@njit(cache=True, nogil=True)
def _moved(points, labels, coords, table, moments, edge):  # type: ignore[no-untyped-def]  # compiled
    """``flattened`` by the cells' moments."""
    out = points.copy()
    mask = np.int64(len(table) - 1)
    base, share, total = np.empty(3, np.int64), np.empty(3), np.empty(10)
    for i in range(len(points)):
        for k in range(3):
            at = points[i, k] / edge - 0.5
            base[k] = np.int64(np.floor(at))
            share[k] = at - base[k]
        total[:] = 0.0
        for corner in range(8):
            weight, near = 1.0, (corner >> 2 & 1, corner >> 1 & 1, corner & 1)
            for k in range(3):
                weight *= share[k] if near[k] else 1.0 - share[k]
            x, y, z = base[0] + near[0] + labels[i] * APART, base[1] + near[1], base[2] + near[2]
            s = slot(x, y, z, mask)
            cell = table[s]
            while cell != EMPTY and (coords[cell, 0] != x or coords[cell, 1] != y or coords[cell, 2] != z):
                s = (s + 1) & mask
                cell = table[s]
            if cell != EMPTY:
                for k in range(10):
                    total[k] += weight * moments[cell, k]
        n = total[0]
        if n < FEWEST:
            continue
        mx, my, mz = total[1] / n, total[2] / n, total[3] / n
        l0, l1, _, nx, ny, nz = smallest_eigen(
            total[4] / n - mx * mx, total[5] / n - mx * my, total[6] / n - mx * mz,
            total[7] / n - my * my, total[8] / n - my * mz, total[9] / n - mz * mz,
        )  # fmt: skip
        if l1 <= 0.0:
            continue
        way = min(max((ROUND - l0 / l1) / (ROUND - FLAT), 0.0), 1.0)
        off = way * ((mx - points[i, 0]) * nx + (my - points[i, 1]) * ny + (mz - points[i, 2]) * nz)
        out[i, 0] += off * nx
        out[i, 1] += off * ny
        out[i, 2] += off * nz
    return out
