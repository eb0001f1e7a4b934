"""Kernels that grow instances from bonds: seeds by steepest ascent, then average linkage of touching groups.

Average linkage repeatedly joins the two touching groups with the highest mean bond over all edges between them (GASP of
Bailoni et al. 2022 with average linkage). Two groups that are each other's best partner can be joined at any time
without changing the result (reducibility, Bruynooghe 1978), so all such pairs are joined at once, round by round.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

STRONG = np.float32(0.5)
"""Share of a voxel's strongest bond from which a bond counts as strong."""


@njit(cache=True, nogil=True, parallel=True)
def mutual(logits, neighbors, bound):  # type: ignore[no-untyped-def]
    """Clip bonds and make them symmetric.

    Args:
        logits: (V, k) float32; neighbors: (V, k) integer.
        bound: magnitude to which logits are clipped, so that no single edge decides.

    Returns:
        (V, k) float32, the mean of both directions if the graph has both.
    """
    n, k = neighbors.shape
    out = np.empty((n, k), np.float32)
    for i in prange(n):
        for p in range(k):
            out[i, p] = min(max(logits[i, p], -bound), bound)
    for i in prange(n):
        for p in range(k):
            j = neighbors[i, p]
            if j <= i:  # handled from the other end; an edge of a voxel to itself has no meaning
                continue
            back = -1
            for q in range(k):  # without an early exit, this compiles to vector instructions
                back = q if neighbors[j, q] == i else back
            if back >= 0:
                mean = np.float32(0.5) * (out[i, p] + out[j, back])
                out[i, p] = mean
                out[j, back] = mean
    return out


@njit(cache=True, nogil=True, parallel=True)
def basins(bonds, neighbors):  # type: ignore[no-untyped-def]
    """Seeds of instances: each voxel climbs along one of its strong bonds to a neighbour with a higher mean bond.

    If every positive bond counted, the voxels of a spoon would climb to the table, whose mean bonds are the highest,
    wherever a single bond across the border is uncertain.

    Args:
        bonds: (V, k) float32 from ``mutual``; neighbors: (V, k) integer.

    Returns:
        (V,) int64 basin of each voxel, numbered by first voxel, and the number of basins.
    """
    n, k = neighbors.shape
    height, least = np.empty(n, np.float32), np.empty(n, np.float32)
    for i in prange(n):
        total, strongest, count = np.float32(0), np.float32(0), 0
        for p in range(k):
            other = neighbors[i, p] != i
            bond = max(bonds[i, p], np.float32(0)) if other else np.float32(0)
            total, strongest, count = total + bond, max(strongest, bond), count + other
        height[i], least[i] = total / max(count, 1), STRONG * strongest
    top = np.arange(n)
    for i in prange(n):
        best, own, to = np.float32(0), height[i], top[i]
        for p in range(k):  # without branches, which nothing predicts
            j, bond = neighbors[i, p], bonds[i, p]
            strong = (bond > 0) & (bond >= least[i])
            higher = (height[j] > own) | ((height[j] == own) & (j < i))
            gain = bond + height[j] if strong & higher else np.float32(-1)
            better = (gain > best) | ((gain == best) & (j < to))
            best = gain if better else best
            to = j if better else to
        top[i] = to
    labels, count = np.full(n, -1, np.int64), 0
    numbers = np.full(n, -1, np.int64)
    for i in range(n):
        root = i
        while top[root] != root:
            root = top[root]
        step = i
        while top[step] != root:
            step, top[step] = top[step], root
        if numbers[root] < 0:
            numbers[root] = count
            count += 1
        labels[i] = numbers[root]
    return labels, count


@njit(cache=True, nogil=True)
def _gather(low, high, sums, counts):  # type: ignore[no-untyped-def]
    """Merge rows of equal pairs (low < high), adding sums and counts, in order of first appearance."""
    size = 16
    while size < 2 * len(low):
        size *= 2
    table = np.full(size, -1, np.int64)
    rows = 0
    for i in range(len(low)):
        a, b = low[i], high[i]
        s = (a * np.int64(73856093) ^ b * np.int64(19349663)) & (size - 1)
        while table[s] >= 0 and (low[table[s]] != a or high[table[s]] != b):
            s = (s + 1) & (size - 1)
        if table[s] < 0:
            table[s] = rows
            low[rows], high[rows], sums[rows], counts[rows] = a, b, sums[i], counts[i]
            rows += 1
        else:
            sums[table[s]] += sums[i]
            counts[table[s]] += counts[i]
    return low[:rows], high[:rows], sums[:rows], counts[:rows]


@njit(cache=True, nogil=True)
def contacts(labels, neighbors, bonds):  # type: ignore[no-untyped-def]
    """Pairs of groups that touch, and their bonds.

    Args:
        labels: (V,) int64 group of each voxel, -1 for none; neighbors: (V, k) integer; bonds: (V, k) float32.

    Returns:
        low, high (P,) int64 pairs of groups with low < high; sums (P,) float64 of the bonds of all edges between
        them; counts (P,) float64 of these edges.
    """
    n, k = neighbors.shape
    room = n * k  # the system allocates memory only for the pages that are written
    low, high = np.empty(room, np.int64), np.empty(room, np.int64)
    sums, counts = np.empty(room, np.float64), np.empty(room, np.float64)
    rows = 0
    for i in range(n):
        for p in range(k):
            a, b = labels[i], labels[neighbors[i, p]]
            if a != b and a >= 0 and b >= 0:
                low[rows], high[rows], sums[rows], counts[rows] = min(a, b), max(a, b), bonds[i, p], 1.0
                rows += 1
    return _gather(low[:rows], high[:rows], sums[:rows], counts[:rows])


@njit(cache=True, nogil=True)
def average_linkage(low, high, sums, counts, groups, least):  # type: ignore[no-untyped-def]
    """Join groups until no two touching ones have a mean bond above ``least``; ties go to the lower numbers.

    Args:
        low, high, sums, counts: from ``contacts``; they are overwritten.
        groups: number of groups; least: threshold of the mean bond.

    Returns:
        (groups,) int64, the joined group of each, numbered by its lowest member.
    """
    joined = np.arange(groups)
    while len(low) > 0:
        best, partner = np.full(groups, -np.inf), np.full(groups, -1, np.int64)
        for i in range(len(low)):
            mean = sums[i] / counts[i]
            a, b = low[i], high[i]
            if mean > best[a] or (mean == best[a] and b < partner[a]):
                best[a], partner[a] = mean, b
            if mean > best[b] or (mean == best[b] and a < partner[b]):
                best[b], partner[b] = mean, a
        into = np.arange(groups)
        pairs = 0
        for a in range(groups):
            b = partner[a]
            if b > a and best[a] > least and partner[b] == a:
                into[b] = a
                pairs += 1
        if pairs == 0:
            break
        for g in range(groups):
            joined[g] = into[joined[g]]
        rows = 0
        for i in range(len(low)):
            a, b = into[low[i]], into[high[i]]
            if a != b:
                low[rows], high[rows], sums[rows], counts[rows] = min(a, b), max(a, b), sums[i], counts[i]
                rows += 1
        low, high, sums, counts = _gather(low[:rows], high[:rows], sums[:rows], counts[:rows])
    return joined


@njit(cache=True, nogil=True)
def bond_means(labels, neighbors, bonds, bound, groups):  # type: ignore[no-untyped-def]
    """Cohesion of groups and separation from their surroundings.

    Args:
        labels: (V,) int64 group of each voxel, -1 for none; neighbors: (V, k) integer; bonds: (V, k) logits.
        bound: magnitude to which logits are clipped; groups: number of groups.

    Returns:
        inside, across (groups,) float64, mean bond of the edges within each group and of those that leave it; 0 and
        ``-bound`` if there are none.
    """
    sums, counts = np.zeros((2, groups), np.float64), np.zeros((2, groups), np.int64)
    for i in range(len(labels)):
        g = labels[i]
        if g < 0:
            continue
        for p in range(neighbors.shape[1]):
            j = neighbors[i, p]
            if j != i:
                out = 0 if labels[j] == g else 1
                sums[out, g] += min(max(bonds[i, p], -bound), bound)
                counts[out, g] += 1
    for g in range(groups):
        sums[0, g] /= max(counts[0, g], 1)
        sums[1, g] = sums[1, g] / counts[1, g] if counts[1, g] > 0 else -bound
    return sums[0], sums[1]


def average_linkage_reference(
    low: NDArray[np.int64], high: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.float64],
    groups: int, least: float,
) -> NDArray[np.int64]:  # fmt: skip
    """``average_linkage`` by its definition: one pair at a time, always the best of all."""
    table = {(int(a), int(b)): (float(s), float(c)) for a, b, s, c in zip(low, high, sums, counts, strict=True)}
    joined = np.arange(groups)
    while table:
        (a, b), (total, count) = max(table.items(), key=lambda item: item[1][0] / item[1][1])
        if not total / count > least:
            break
        joined[joined == b] = a
        merged: dict[tuple[int, int], tuple[float, float]] = {}
        for (i, j), (s, c) in table.items():
            i, j = sorted((a if i == b else i, a if j == b else j))
            if i != j:
                before = merged.get((i, j), (0.0, 0.0))
                merged[i, j] = (before[0] + s, before[1] + c)
        table = merged
    return joined
