"""Loops over voxels, compiled: naming, covering, fusing, wearing away.

Voxels are named by one integer, 21 bits for each coordinate, so that a metre-wide map and a kilometre-wide one cost the
same.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BITS = 21
_HALF = 1 << (_BITS - 1)
_MASK = (1 << _BITS) - 1
# Of all three coordinates at once: the bits of each that are left when it is halved, and half of where it counts from.
_HALVED = (_MASK >> 1) << (2 * _BITS) | (_MASK >> 1) << _BITS | _MASK >> 1
_QUARTER = (_HALF >> 1) << (2 * _BITS) | (_HALF >> 1) << _BITS | _HALF >> 1


@njit(cache=True, nogil=True, inline="always")
def _pack(x, y, z):  # type: ignore[no-untyped-def]
    return ((x + _HALF) & _MASK) << (2 * _BITS) | ((y + _HALF) & _MASK) << _BITS | ((z + _HALF) & _MASK)


@njit(cache=True, nogil=True, inline="always")
def _coarser(name):  # type: ignore[no-untyped-def]
    """Name of the voxel of twice the edge: each coordinate halved, rounded down, all three at once."""
    return ((name >> 1) & _HALVED) + _QUARTER


@njit(cache=True, nogil=True)
def cells(xyz, size):  # type: ignore[no-untyped-def]  # compiled
    """(M,) int64 names of the voxels of edge ``size`` in which (M, 3) points lie."""
    out = np.empty(len(xyz), np.int64)
    for i in range(len(xyz)):
        out[i] = _pack(
            np.int64(np.floor(xyz[i, 0] / size)),
            np.int64(np.floor(xyz[i, 1] / size)),
            np.int64(np.floor(xyz[i, 2] / size)),
        )
    return out


@njit(cache=True, nogil=True)
def coarser(names):  # type: ignore[no-untyped-def]  # compiled
    """(M,) int64 names of the voxels of twice the edge that hold those."""
    out = np.empty(len(names), np.int64)
    for i in range(len(names)):
        out[i] = _coarser(names[i])
    return out


@njit(cache=True, nogil=True)
def _slot(name, mask):  # type: ignore[no-untyped-def]
    """Where to look for a voxel in a table. Nothing may overflow here: what a compiler makes of that is its own."""
    h = (name ^ ((name >> _BITS) & _MASK) * 3 ^ (name >> (2 * _BITS)) * 7) & _MASK
    return ((h * np.int64(2654435761)) >> np.int64(16)) & mask


@njit(cache=True, nogil=True, inline="always")
def _find(name, keys, head, mask):  # type: ignore[no-untyped-def]
    """The slot that has this name for its key, or the empty one where it belongs: one without a ``head``."""
    s = _slot(name, mask)
    while head[s] >= 0 and keys[s] != name:
        s = (s + 1) & mask
    return s


@njit(cache=True, nogil=True)
def cover(xyz, owner, count, names, starts, sizes):  # type: ignore[no-untyped-def]  # compiled
    """How many points of each instance lie in voxels of each entry, or beside them: in the voxels of twice their edge.

    Args:
        xyz: (P, 3) float32 the instances' points; owner: (P,) int32 instance of each; count: number of instances.
        names: (M,) int64 names of the entries' voxels, entries one after the other; starts: (E + 1,) int64; sizes:
            (E,) float64 edges of the entries' voxels.

    Returns:
        covered (E, count) int32; hit (E, count) int32, voxels of the entry with points of the instance; first, second
        (P,) int32 the first two entries that hold each point, -1 for none.
    """
    size = 16
    while size < 2 * len(xyz):
        size *= 2
    mask = np.int64(size - 1)
    covered = np.zeros((len(starts) - 1, count), np.int32)
    hit = np.zeros((len(starts) - 1, count), np.int32)
    first, second = np.full(len(xyz), -1, np.int32), np.full(len(xyz), -1, np.int32)
    keys, following = np.empty(size, np.int64), np.empty(len(xyz), np.int32)
    for edge in np.unique(sizes):
        points = cells(xyz, 2 * edge)
        head = np.full(size, -1, np.int32)  # first point of the voxel whose name is the key of this slot
        for p in range(len(points)):
            s = _find(points[p], keys, head, mask)
            keys[s], following[p] = points[p], head[s]
            head[s] = p
        visited = np.full(size, -1, np.int32)
        for e in range(len(sizes)):
            if sizes[e] != edge:
                continue
            last, p = -1, -1
            for i in range(starts[e], starts[e + 1]):
                name = _coarser(names[i])
                if name == last:  # as a neighbour's often is
                    if p >= 0:
                        hit[e, owner[p]] += 1
                    continue
                s = _find(name, keys, head, mask)
                last, p = name, head[s]
                if p < 0:
                    continue
                hit[e, owner[p]] += 1
                if visited[s] == e:
                    continue
                visited[s] = e
                q = p
                while q >= 0:
                    covered[e, owner[q]] += 1
                    if first[q] < 0:
                        first[q] = e
                    elif second[q] < 0:
                        second[q] = e
                    q = following[q]
    return covered, hit, first, second


@njit(cache=True, nogil=True)
def fuse(names, xyz, weights, colors, new_names, new_xyz, new_colors, cap):  # type: ignore[no-untyped-def]  # compiled
    """Add points to voxels: their means move towards the points', by as much as the points weigh. Voxels of no weight
    go. What has no colour, (0, 0, 0), does not count in the mean of colours.

    Args:
        names: (M,) int64 ascending; xyz: (M, 3) float32; weights: (M,) float32; colors: (M, 3) uint8.
        new_names: (P,) int64 voxel of each point; new_xyz, new_colors: of the points; cap: weight that none exceeds.

    Returns:
        names, xyz, weights and colors of the union, ascending.
    """
    room = len(names) + len(new_names)
    n, x = np.empty(room, np.int64), np.empty((room, 3), np.float32)
    w, c = np.empty(room, np.float32), np.empty((room, 3), np.uint8)
    m = _fuse(names, xyz, weights, colors, new_names, new_xyz, new_colors, cap, n, x, w, c)
    return n[:m].copy(), x[:m].copy(), w[:m].copy(), c[:m].copy()


@njit(cache=True, nogil=True)
def _fuse(  # type: ignore[no-untyped-def]  # compiled
    names, xyz, weights, colors, new_names, new_xyz, new_colors, cap, out_names, out_xyz, out_weights, out_colors
):
    """``fuse`` into arrays that have room for it; returns the number of voxels."""
    order = np.argsort(new_names)
    i, j, m = 0, 0, 0
    mean, shade = np.zeros(3), np.zeros(3)
    while i < len(names) or j < len(new_names):
        take_old = i < len(names) and (j >= len(new_names) or names[i] <= new_names[order[j]])
        name = names[i] if take_old else new_names[order[j]]
        old = max(weights[i], np.float32(0)) if take_old else np.float32(0)
        if take_old and (j >= len(new_names) or name < new_names[order[j]]):  # most voxels stay as they are
            if old > 0:
                out_names[m], out_weights[m] = name, min(old, cap)
                for axis in range(3):
                    out_xyz[m, axis], out_colors[m, axis] = xyz[i, axis], colors[i, axis]
                m += 1
            i += 1
            continue
        mean[:], shade[:] = 0.0, 0.0
        n, colored = 0, 0
        while j < len(new_names) and new_names[order[j]] == name:
            p = order[j]
            for axis in range(3):
                mean[axis] += new_xyz[p, axis]
                shade[axis] += new_colors[p, axis]
            n += 1
            colored += new_colors[p, 0] > 0 or new_colors[p, 1] > 0 or new_colors[p, 2] > 0
            j += 1
        share = 1.0 / (old + 1.0)
        known = old > 0 and (colors[i, 0] > 0 or colors[i, 1] > 0 or colors[i, 2] > 0)
        tint = (share if known else 1.0) if colored > 0 else 0.0
        for axis in range(3):
            a = xyz[i, axis] if take_old else 0.0
            c = float(colors[i, axis]) if known else 0.0
            out_xyz[m, axis] = a + share * (mean[axis] / n - a)
            out_colors[m, axis] = np.uint8(c + tint * (shade[axis] / max(colored, 1) - c) + 0.5)
        out_names[m] = name
        out_weights[m] = min(old + 1.0, cap)
        i += 1 if take_old else 0
        m += 1
    return m


@njit(cache=True, nogil=True)
def absorb(  # type: ignore[no-untyped-def]  # compiled
    names, xyz, weights, colors, starts, wear, sizes, pairs, new_xyz, new_colors, bounds, taken, cap
):
    """Wear voxels away and ``fuse`` points into them, for many entries at once.

    Args:
        names, xyz, weights, colors: of the (M,) voxels of all entries, one after the other; starts: (E + 1,).
        wear: (M,) float32 that each loses, infinite where it is to go; sizes: (E,) edges of the entries' voxels.
        pairs: (F, 2) int64 entries and the instances that go into them.
        new_xyz, new_colors: (P, 3) points of all instances; bounds: (K + 1,) where each instance's begin; taken: (P,)
            bool, which of them; all of an instance's where it is none of them.
        cap: weight that none exceeds.

    Returns:
        names, xyz, weights and colors of the F unions, one after the other; (F + 1,) where each begins; and their lower
        and upper corners (F, 2, 3).
    """
    room = 0
    for f in range(len(pairs)):
        e, k = pairs[f]
        room += starts[e + 1] - starts[e] + bounds[k + 1] - bounds[k]
    n, x = np.empty(room, np.int64), np.empty((room, 3), np.float32)
    w, c = np.empty(room, np.float32), np.empty((room, 3), np.uint8)
    ends, corners = np.zeros(len(pairs) + 1, np.int64), np.empty((len(pairs), 2, 3), np.float32)
    corners[:, 0], corners[:, 1] = np.inf, -np.inf
    for f in range(len(pairs)):
        e, k = pairs[f]
        a, b, m = starts[e], starts[e + 1], ends[f]
        points, shades = new_xyz[bounds[k] : bounds[k + 1]], new_colors[bounds[k] : bounds[k + 1]]
        mine = taken[bounds[k] : bounds[k + 1]]
        if mine.any():
            points, shades = points[mine], shades[mine]
        m += _fuse(
            names[a:b], xyz[a:b], weights[a:b] - wear[a:b], colors[a:b], cells(points, sizes[e]), points, shades, cap,
            n[m:], x[m:], w[m:], c[m:],
        )  # fmt: skip
        for i in range(ends[f], m):
            for axis in range(3):
                corners[f, 0, axis] = min(corners[f, 0, axis], x[i, axis])
                corners[f, 1, axis] = max(corners[f, 1, axis], x[i, axis])
        ends[f + 1] = m
    return n, x, w, c, ends, corners
