"""Kernels that compute features of superpoints."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def mean_and_largest(values, of_voxel, count):  # type: ignore[no-untyped-def]
    """Mean and maximum of (V, C) values per superpoint and channel, in one pass.

    Args:
        of_voxel: (V,) int64 from 0 to ``count`` - 1; voxels with negative values are left out.

    Returns:
        two (count, C) float32; 0 and -inf for superpoints without voxels.
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
def deviations(values, points, group, centers, places):  # type: ignore[no-untyped-def]
    """How far voxels lie from the centres of their groups.

    Args:
        values: (V, C) and points: (V, 3) float32; group: (V,) int64, negative for none.
        centers: (G, C) and places: (G, 3) float32, the means of each group.

    Returns:
        (G, 2) float64: mean distance of the values, mean squared distance of the points.
    """
    sums, rows = np.zeros((len(centers), 2)), np.zeros(len(centers), np.int64)
    for i in range(len(values)):
        g = group[i]
        if g < 0:
            continue
        off, away = np.float32(0), np.float32(0)
        for c in range(values.shape[1]):
            off += (values[i, c] - centers[g, c]) ** 2
        for c in range(3):
            away += (points[i, c] - places[g, c]) ** 2
        rows[g] += 1
        sums[g, 0] += np.sqrt(off)
        sums[g, 1] += away
    for g in range(len(rows)):
        for c in range(2):
            sums[g, c] /= max(rows[g], 1)
    return sums


@njit(cache=True, nogil=True)
def moments(points, normals, colors, surface, edges, embeddings, of_voxel, count, step):  # type: ignore[no-untyped-def]
    """Means and spreads of S = ``count`` superpoints, in two passes over the voxels.

    Args:
        points, normals: (V, 3) float32, z up if up is known.
        colors: (V, 3) float32, (0, 0, 0) for voxels with unknown colour; (0, 3) for a cloud without colours.
        surface: (V,) float32 probability; edges: (V,) float32 metres; embeddings: (V, d_e) float32.
        of_voxel: (V,) int64 from 0 to ``count`` - 1; voxels with negative values are left out.
        step: metres below the highest point.

    Returns:
        (S,) int64 number of voxels; (S, d_e + 15) float32 means of embedding, probability, its logit, position, normal,
        absolute normal, colour (NaN if unknown) and edge; (S, 2) lowest and highest z; (S, 3, 3) covariance of the
        positions; (S, 2) share of voxels more than ``step`` below the highest, and mean squared distance of the
        embeddings from their mean.
    """
    width = embeddings.shape[1]
    voxels, colored = np.zeros(count, np.int64), np.zeros(count, np.int64)
    sums = np.zeros((count, width + 15))
    ends = np.empty((count, 2), np.float32)
    ends[:, 0], ends[:, 1] = np.inf, -np.inf
    for i in range(len(of_voxel)):
        s = of_voxel[i]
        if s < 0:
            continue
        voxels[s] += 1
        for c in range(width):
            sums[s, c] += embeddings[i, c]
        p = min(max(surface[i], np.float32(1e-6)), np.float32(1 - 1e-6))
        sums[s, width] += p
        sums[s, width + 1] += math.log(p / (1 - p))
        for axis in range(3):
            sums[s, width + 2 + axis] += points[i, axis]
            sums[s, width + 5 + axis] += normals[i, axis]
            sums[s, width + 8 + axis] += abs(normals[i, axis])
        sums[s, width + 14] += edges[i]
        if len(colors) and (colors[i, 0] > 0 or colors[i, 1] > 0 or colors[i, 2] > 0):
            colored[s] += 1
            for axis in range(3):
                sums[s, width + 11 + axis] += colors[i, axis]
        ends[s, 0], ends[s, 1] = min(ends[s, 0], points[i, 2]), max(ends[s, 1], points[i, 2])
    means = np.empty(sums.shape, np.float32)
    for s in range(count):
        means[s] = sums[s] / max(voxels[s], 1)
        for axis in range(width + 11, width + 14):
            means[s, axis] = sums[s, axis] / colored[s] if colored[s] else np.nan
    spread, further = np.zeros((count, 3, 3)), np.zeros((count, 2))
    away = np.empty(3)
    for i in range(len(of_voxel)):
        s = of_voxel[i]
        if s < 0:
            continue
        for axis in range(3):  # squares of uncentred positions would lose millimetres
            away[axis] = points[i, axis] - means[s, width + 2 + axis]
        for a in range(3):
            for b in range(3):
                spread[s, a, b] += away[a] * away[b]
        further[s, 0] += points[i, 2] < ends[s, 1] - step
        for c in range(width):
            further[s, 1] += (embeddings[i, c] - means[s, c]) ** 2
    for s in range(count):
        spread[s] /= max(voxels[s], 1)
        further[s] /= max(voxels[s], 1)
    return voxels, means, ends, spread.astype(np.float32), further.astype(np.float32)


@njit(cache=True, nogil=True)
def mean_direction(rays):  # type: ignore[no-untyped-def]
    """Mean direction of (V, 3) float32 rays, normalised before averaging -> (3,) float32."""
    total = np.zeros(3)
    for i in range(len(rays)):
        x, y, z = rays[i]
        length = max(math.sqrt(x * x + y * y + z * z), 1e-6)
        total[0] += x / length
        total[1] += y / length
        total[2] += z / length
    return (total / max(len(rays), 1)).astype(np.float32)


@njit(cache=True, nogil=True)
def rim_shares(points, of_voxel, count, sectors):  # type: ignore[no-untyped-def]
    """Share of the view's rim that each superpoint covers.

    The rim is the polygon through the point farthest from the centre of the view in each of many directions; each point
    is weighted by half of the rim's length to both of its neighbours.

    Args:
        points: (V, 3) float32 relative to the sensor, z pointing from the centre of the view to the sensor.
        of_voxel: (V,) int64 from 0 to ``count`` - 1, negative for none; sectors: number of directions.

    Returns:
        (count,) float32; the sum is 1 if every point of the rim belongs to a superpoint.
    """
    farthest, rows = np.full(sectors, -1.0), np.full(sectors, -1, np.int64)
    for i in range(len(points)):
        x, y, z = points[i]
        angle = math.atan2(math.sqrt(x * x + y * y), -z)
        sector = int((math.atan2(y, x) / (2 * math.pi) + 0.5) * sectors) % sectors
        if angle > farthest[sector]:
            farthest[sector], rows[sector] = angle, i
    rows, farthest = rows[rows >= 0], farthest[rows >= 0]
    shares = np.zeros(count, np.float32)
    if len(rows) == 0:
        return shares
    u, v = np.empty(len(rows)), np.empty(len(rows))
    for k in range(len(rows)):
        x, y = points[rows[k], 0], points[rows[k], 1]
        across = max(math.sqrt(x * x + y * y), 1e-9)
        u[k], v[k] = x / across * farthest[k], y / across * farthest[k]
    total = 0.0
    for k in range(len(rows)):
        length = math.hypot(u[k] - u[k - 1], v[k] - v[k - 1]) / 2
        total += 2 * length
        for s in (of_voxel[rows[k]], of_voxel[rows[k - 1]]):
            if s >= 0:
                shares[s] += length
    return shares / np.float32(max(total, 1e-9))


@njit(cache=True, nogil=True)
def extents_of_groups(points, counts, of_voxel, group, places, normals, depths, step, groups):  # type: ignore[no-untyped-def]
    """Distribution of the points of groups of superpoints relative to the groups' main planes and tops.

    Args:
        points: (V, 3) float32; counts: (V,) int32 points in each voxel; of_voxel: (V,) int64 superpoint, -1 for none.
        group: (S,) int64 group of each superpoint; places, normals: (G, 3) float32 of each group's main plane.
        depths: (L,) float64 metres behind the plane, negative in front of it; step: metres below the top; groups: G.

    Returns:
        (G,) float64 number of points; (G, L) share beyond each depth; (G,) share more than ``step`` below the highest
        point; (G,) root mean square distance from the mean.
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
