"""Kernels that say of superpoints what they are like."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def mean_and_largest(values, of_voxel, count):  # type: ignore[no-untyped-def]
    """Mean and largest of (V, C) values per superpoint and channel, in one pass.

    Args:
        of_voxel: (V,) int64 from 0 to ``count`` - 1; voxels of negative ones are left out.

    Returns:
        two (count, C) float32, 0 and -inf of those without a voxel.
    """
    channels = values.shape[1]
    sums = np.zeros((count, channels), np.float64)
    largest = np.full((count, channels), -np.inf, np.float32)
    rows = np.zeros(count, np.int64)
    for i in range(len(values)):
        s = of_voxel[i]
        if s < 0:
            continue
        rows[s] += 1
        for c in range(channels):
            value = values[i, c]
            sums[s, c] += value
            largest[s, c] = max(largest[s, c], value)
    means = np.empty((count, channels), np.float32)
    for s in range(count):
        for c in range(channels):
            means[s, c] = sums[s, c] / max(rows[s], 1)
    return means, largest


@njit(cache=True, nogil=True)
def outermost(points, sectors):  # type: ignore[no-untyped-def]
    """Which point is the farthest from the middle of the view in each direction.

    Args:
        points: (V, 3) float32 as the sensor sees them, z pointing back from the middle of the view;
        sectors: number of directions.

    Returns:
        (sectors,) int64 rows, -1 where there is nothing.
    """
    farthest, rows = np.full(sectors, -1.0), np.full(sectors, -1, np.int64)
    for i in range(len(points)):
        x, y, z = points[i]
        length = max(math.sqrt(x * x + y * y + z * z), 1e-6)
        ahead = max(-z / length, 1e-3)
        x, y = x / length / ahead, y / length / ahead
        sector = int((math.atan2(y, x) / (2 * math.pi) + 0.5) * sectors) % sectors
        distance = x * x + y * y
        if distance > farthest[sector]:
            farthest[sector], rows[sector] = distance, i
    return rows


@njit(cache=True, nogil=True)
def extents_of_groups(points, counts, of_voxel, group, places, normals, depths, step, groups):  # type: ignore[no-untyped-def]
    """How groups of superpoints lie about their main planes, point by point.

    Args:
        points: (V, 3) float32; counts: (V,) int32 points in each voxel; of_voxel: (V,) int64 superpoint, -1 for none.
        group: (S,) int64 group of each superpoint; places, normals: (G, 3) float32 of each group's main plane.
        depths: (L,) float64 metres behind the plane, negative ones before it; step: metres below the top; groups: G.

    Returns:
        (G,) float64 points; (G, L) share beyond each depth; (G,) share more than ``step`` below the highest point; (G,)
        root mean square distance from the middle.
    """
    total, top, middle = np.zeros(groups), np.full(groups, -np.inf), np.zeros((groups, 3))
    for i in range(len(points)):
        if of_voxel[i] < 0:
            continue
        g = group[of_voxel[i]]
        total[g] += counts[i]
        top[g] = max(top[g], points[i, 2])
        for axis in range(3):
            middle[g, axis] += counts[i] * points[i, axis]
    for g in range(groups):
        middle[g] /= max(total[g], 1.0)
    beyond, below, square = np.zeros((groups, len(depths))), np.zeros(groups), np.zeros(groups)
    for i in range(len(points)):
        if of_voxel[i] < 0:
            continue
        g = group[of_voxel[i]]
        behind = 0.0
        for axis in range(3):
            behind += (places[g, axis] - points[i, axis]) * normals[g, axis]
            square[g] += counts[i] * (points[i, axis] - middle[g, axis]) ** 2
        for k in range(len(depths)):
            if (behind > depths[k]) if depths[k] > 0 else (behind < depths[k]):
                beyond[g, k] += counts[i]
        if points[i, 2] < top[g] - step:
            below[g] += counts[i]
    for g in range(groups):
        n = max(total[g], 1.0)
        beyond[g] /= n
        below[g] /= n
        square[g] = math.sqrt(square[g] / n)
    return total, beyond, below, square
