"""Merges the slightly displaced surfaces of several views into one, as a fusion that averages observations does."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..kernels.grid import EMPTY, hash_cells, slot
from ..kernels.shape import smallest_eigen

APART = 1 << 20
"""Offset between the grids of consecutive labels, in cells, so that points of different labels never share a cell."""
FLAT, ROUND = 0.25, 0.75
"""Ratio of a neighbourhood's smallest to its second smallest variance: up to the first value it is treated as planar,
from the second on as not planar, with a linear transition between them."""
FEWEST = 6.0
"""Smallest weighted number of points to which a plane is fitted."""


def flattened(
    points: NDArray[np.float32], labels: NDArray[np.int32], seen: NDArray[np.float32], owners: NDArray[np.int32],
    edge: float,
) -> NDArray[np.float32]:  # fmt: skip
    """Points moved onto planes fitted to the observed points of the same label around them.

    The moments of observed points are summed per cell; a point's plane is fitted to the moments of the eight cells
    around it, weighted trilinearly. Where the surroundings are not planar, as around a thin leg, points stay; in
    between, as at a crease, they move part of the way.

    Args:
        points: (N, 3) points to move, metres; labels: (N,) their labels.
        seen: (M, 3) observed points, metres; owners: (M,) their labels.
        edge: cell edge, metres.

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
    """(count, 10) float64 moments per cell: number of points, sums of x, y, z, and sums of xx, xy, xz, yy, yz, zz."""
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
    """``flattened``, given the moments of the cells."""
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
