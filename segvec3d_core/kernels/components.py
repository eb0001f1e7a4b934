"""Union-find on the neighbourhood graph."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, inline="always")
def _squared(e, i, j):  # type: ignore[no-untyped-def]
    """Squared distance of two rows."""
    d = np.float32(0)
    for c in range(e.shape[1]):
        d += (e[i, c] - e[j, c]) ** 2
    return d


@njit(cache=True, nogil=True)
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def connected(e, neighbors, active, radius):  # type: ignore[no-untyped-def]
    """Connected components of the edges shorter than ``radius`` in the embedding space.

    Args:
        e: (V, d_e) float32; neighbors: (V, k) int64; active: (V,) bool, the others are left out; radius: embedding
            units.

    Returns:
        (V,) int64 component of each voxel, numbered by first voxel; -1 for inactive ones.
    """
    n = len(e)
    parent = np.arange(n)
    limit = np.float32(radius * radius)
    for i in range(n):
        if not active[i]:
            continue
        for p in range(neighbors.shape[1]):
            j = neighbors[i, p]
            if not active[j]:
                continue
            if _squared(e, i, j) <= limit:
                a, b = _find(parent, i), _find(parent, j)
                if a < b:
                    parent[b] = a
                elif b < a:
                    parent[a] = b
    labels = np.full(n, -1, np.int64)
    count = 0
    for i in range(n):
        if active[i]:
            root = _find(parent, i)
            if root == i:
                labels[i] = count
                count += 1
            else:
                labels[i] = labels[root]
    return labels
