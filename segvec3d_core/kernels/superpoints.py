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
