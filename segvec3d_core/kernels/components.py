"""Kernels on the neighbourhood graph: smoothing of embeddings and union-find."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, nogil=True, inline="always")
def _squared(e, i, j):  # type: ignore[no-untyped-def]
    """Squared distance of two rows."""
    d = np.float32(0)
    for c in range(e.shape[1]):
        d += (e[i, c] - e[j, c]) ** 2
    return d


@njit(cache=True, nogil=True, parallel=True)
def shift_step(e, neighbors, active, radius):  # type: ignore[no-untyped-def]
    """One mean-shift step with a flat kernel, restricted to spatial neighbours.

    Args:
        e: (V, d_e) float32; neighbors: (V, k) int64; active: (V,) bool, others stay and pull nobody; radius: of the
        kernel, embedding units.

    Returns:
        (V, d_e) float32, each active row the mean of its active neighbours within ``radius``.
    """
    n, width = e.shape
    out = e.copy()
    limit = np.float32(radius * radius)
    for i in prange(n):
        if not active[i]:
            continue
        total = np.zeros(width, np.float32)
        count = np.float32(0)
        for p in range(neighbors.shape[1]):
            j = neighbors[i, p]
            if not active[j]:
                continue
            if _squared(e, i, j) <= limit:
                count += np.float32(1)
                for c in range(width):
                    total[c] += e[j, c]
        for c in range(width):
            out[i, c] = total[c] / count
    return out


@njit(cache=True, nogil=True)
def _find(parent, i):  # type: ignore[no-untyped-def]
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(cache=True, nogil=True)
def connected(e, neighbors, active, radius):  # type: ignore[no-untyped-def]
    """Connected components of the edges shorter than ``radius`` in the embedding space.

    Args as ``shift_step``.

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
