"""What instances look like, for many sets of voxels at once: a library call for each would take several times as long.

Sets are given as rows: (M,) int64 voxels, the sets one after the other, and starts: (K + 1,) int64 offsets; none is
empty.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def solid_voxels(counts, rows, starts, thin, few):  # type: ignore[no-untyped-def]
    """Whether each voxel belongs to the solid part of its set, (M,) bool.

    Left out are voxels with fewer points than ``thin`` times the point-weighted mean of their set, least points first,
    as long as they have no more than a share of ``few`` of its points.

    Args:
        counts: (V,) int32 points in each voxel; rows, starts: the sets.
    """
    kept = np.ones(len(rows), np.bool_)
    for k in range(len(starts) - 1):
        total = square = 0.0
        for n in range(starts[k], starts[k + 1]):
            count = float(counts[rows[n]])
            total += count
            square += count * count
        sparse = [n for n in range(starts[k], starts[k + 1]) if counts[rows[n]] < thin * square / total]
        if len(sparse) == 0:
            continue
        places = np.array(sparse)
        gone = 0.0
        for n in places[np.argsort(counts[rows[places]], kind="mergesort")]:
            gone += counts[rows[n]]
            kept[n] = gone > few * total
    return kept


@njit(cache=True, nogil=True)
def _middle(levels, count):  # type: ignore[no-untyped-def]
    """Median of ``count`` whole numbers, of which ``levels`` tells how often each occurs."""
    low, high, seen = -1, -1, 0
    for value in range(len(levels)):
        seen += levels[value]
        if low < 0 and 2 * seen >= count:
            low = value
        if 2 * seen > count:
            high = value
            break
    return (low + high + 1) // 2


@njit(cache=True, nogil=True)
def middles(points, counts, edges, colors, rows, starts):  # type: ignore[no-untyped-def]
    """Where sets of voxels are, how large their voxels, and of what colour.

    Args:
        points: (V, 3) float32; counts: (V,) int32 points in each voxel; edges: (V,) float32; rows, starts: the sets.
        colors: (V, 3) float32, 0 to 1, (0, 0, 0) where unknown; (0, 3) if all are.

    Returns:
        (K, 3) float64 mean of the points; (K,) float64 mean edge of the voxels; (K, 3) uint8 median of each channel;
        (K,) int64 voxels of known colour.
    """
    sets = len(starts) - 1
    centers, sizes, medians = np.zeros((sets, 3)), np.zeros(sets), np.zeros((sets, 3), np.uint8)
    colored, levels = np.zeros(sets, np.int64), np.empty((3, 256), np.int64)
    for k in range(sets):
        total, levels[:] = 0.0, 0
        for n in range(starts[k], starts[k + 1]):
            i = rows[n]
            total += counts[i]
            sizes[k] += edges[i]
            for axis in range(3):
                centers[k, axis] += counts[i] * points[i, axis]
            if len(colors) and (colors[i, 0] > 0 or colors[i, 1] > 0 or colors[i, 2] > 0):
                colored[k] += 1
                for c in range(3):
                    levels[c, int(colors[i, c] * np.float32(255) + np.float32(0.5))] += 1
        centers[k] /= total
        sizes[k] /= starts[k + 1] - starts[k]
        if colored[k]:
            for c in range(3):
                medians[k, c] = _middle(levels[c], colored[k])
    return centers, sizes, medians, colored
