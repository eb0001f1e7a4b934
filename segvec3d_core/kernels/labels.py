"""Labels of points from those of voxels, refined at the borders between instances."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .attention import exponential
from .grid import PARTS, dealt

ACROSS = 0.5
"""Standard deviation of a point's distance from a neighbouring voxel's plane, in edges of the point's own voxel."""
ALONG = 0.7
"""The same for its distance from that voxel's centroid along the plane."""


@njit(cache=True, nogil=True)
def _alike(row, neighbors, of_voxel, first):  # type: ignore[no-untyped-def]
    """Write to ``first`` for each neighbour of a voxel the first one with its label -> whether all labels are equal."""
    one = True
    for q in range(len(first)):
        at = 0
        while of_voxel[neighbors[row, at]] != of_voxel[neighbors[row, q]]:
            at += 1
        first[q] = at
        one &= at == 0
    return one


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def _votes(x, y, z, row, neighbors, centroids, normals, edge, votes):  # type: ignore[no-untyped-def]
    """Weights of the neighbours of a point's voxel, by the point's distance from each one's plane and centroid."""
    across, along = np.float32(-0.5 / ACROSS**2) / (edge * edge), np.float32(-0.5 / ALONG**2) / (edge * edge)
    for q in range(len(votes)):
        j = neighbors[row, q]
        dx, dy, dz = x - centroids[j, 0], y - centroids[j, 1], z - centroids[j, 2]
        off = dx * normals[j, 0] + dy * normals[j, 1] + dz * normals[j, 2]
        off *= off
        votes[q] = exponential(across * off + along * (dx * dx + dy * dy + dz * dz - off))


@njit(cache=True, nogil=True, parallel=True)
def point_labels(points, inverse, of_voxel, groups, neighbors, centroids, normals, edges, origin):  # type: ignore[no-untyped-def]
    """Label points by their voxels or, where voxels of several labels meet, by a weighted vote of the neighbours.

    A voxel at a border contains points of both sides. There each neighbour votes for its own label, weighted by the
    point's distance from the plane through the neighbour's centroid and from the centroid along that plane.

    Args:
        points: (N, 3) float32, metres; inverse: (N,) int64, voxel of each point or -1.
        of_voxel: (V,) int32 labels from 0 to ``groups`` - 1, or -1; neighbors: (V, K) int64.
        centroids: (V, 3) float32, metres relative to ``origin``; normals: (V, 3) float32, unit vectors.
        edges: (V,) float32, metres; origin: (3,) float64.

    Returns:
        (N,) int32 labels, -1 for none; (``groups``,) int64 number of points of each label.
    """
    count, many = neighbors.shape
    first, plain = np.empty((count, many), np.int64), np.empty(count, np.bool_)
    for part in prange(PARTS):
        for v in range(part * count // PARTS, (part + 1) * count // PARTS):
            plain[v] = _alike(v, neighbors, of_voxel, first[v])
    n = len(points)
    labels, counts = np.empty(n, np.int32), np.zeros((PARTS, groups + 1), np.int64)
    for turn in prange(PARTS):
        part = dealt(turn)
        votes, totals = np.empty(many, np.float32), np.empty(many, np.float32)
        for i in range(part * n // PARTS, (part + 1) * n // PARTS):
            v = inverse[i]
            if v < 0 or plain[v]:
                labels[i] = -1 if v < 0 else of_voxel[v]
                counts[part, labels[i]] += 1  # label -1 is counted in the last column
                continue
            x, y = np.float32(points[i, 0] - origin[0]), np.float32(points[i, 1] - origin[1])
            z = np.float32(points[i, 2] - origin[2])
            _votes(x, y, z, v, neighbors, centroids, normals, edges[v], votes)
            totals[:] = 0
            best = 0
            for q in range(many):
                totals[first[v, q]] += votes[q]
            for q in range(1, many):
                if totals[q] > totals[best]:
                    best = q
            labels[i] = of_voxel[neighbors[v, best]]
            counts[part, labels[i]] += 1
    return labels, counts[:, :groups].sum(0)
