"""Compiled loops over voxels: keys, coverage by points, fusion of points, wear.

A voxel's key (its "name") packs its three coordinates into one 64-bit integer, 21 bits each, so that a map that is a
metre wide and one that is a kilometre wide cost the same.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_BITS = 21
_HALF = 1 << (_BITS - 1)
_MASK = (1 << _BITS) - 1
# To halve all three coordinates at once: the bits of each that remain after the shift, and what restores its offset.
_HALVED = (_MASK >> 1) << (2 * _BITS) | (_MASK >> 1) << _BITS | _MASK >> 1
_QUARTER = (_HALF >> 1) << (2 * _BITS) | (_HALF >> 1) << _BITS | _HALF >> 1


@njit(cache=True, nogil=True, inline="always")
def _pack(x, y, z):  # type: ignore[no-untyped-def]
    return ((x + _HALF) & _MASK) << (2 * _BITS) | ((y + _HALF) & _MASK) << _BITS | ((z + _HALF) & _MASK)


@njit(cache=True, nogil=True, inline="always")
def _coarser(name):  # type: ignore[no-untyped-def]
    """Key of the enclosing voxel of twice the edge: all three coordinates halved at once, rounding down."""
    return ((name >> 1) & _HALVED) + _QUARTER


@njit(cache=True, nogil=True)
def cells(xyz, size):  # type: ignore[no-untyped-def]  # compiled
    """(M,) int64 keys of the voxels of edge ``size``, metres, that contain (M, 3) points."""
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
    """(M,) int64 keys of the voxels of twice the edge that contain the given ones."""
    out = np.empty(len(names), np.int64)
    for i in range(len(names)):
        out[i] = _coarser(names[i])
    return out


@njit(cache=True, nogil=True)
def _slot(name, mask):  # type: ignore[no-untyped-def]
    """First slot to try for a key in a hash table of ``mask`` + 1 slots. Nothing may overflow here, because the result
    would depend on the compiler."""
    h = (name ^ ((name >> _BITS) & _MASK) * 3 ^ (name >> (2 * _BITS)) * 7) & _MASK
    return ((h * np.int64(2654435761)) >> np.int64(16)) & mask


@njit(cache=True, nogil=True, inline="always")
def _find(name, keys, head, mask):  # type: ignore[no-untyped-def]
    """Slot that holds the key ``name``, or the free one (``head`` < 0) where it belongs, by linear probing."""
    s = _slot(name, mask)
    while head[s] >= 0 and keys[s] != name:
        s = (s + 1) & mask
    return s


@njit(cache=True, nogil=True)
def cover(xyz, owner, count, names, starts, sizes):  # type: ignore[no-untyped-def]  # compiled
    """Count the points of each instance that lie in or beside the voxels of each entry: in voxels of twice the edge.

    Args:
        xyz: (P, 3) float32 points of the instances; owner: (P,) int32 instance of each; count: number of instances.
        names: (M,) int64 keys of the entries' voxels, concatenated; starts: (E + 1,) int64 start of each entry's;
            sizes: (E,) float64 voxel edges of the entries, metres.

    Returns:
        covered (E, count) int32 points of the instance in the entry; hit (E, count) int32 voxels of the entry with
        points of the instance, each voxel counted for only one instance; first, second (P,) int32 the first two entries
        that hold each point, -1 for none.
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
        head = np.full(size, -1, np.int32)  # first point of the voxel whose key is in this slot
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
                if name == last:  # neighbours often share the coarser voxel
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
    """Fuse points into voxels.

    The mean of the new points in a voxel counts as one sighting beside the voxel's old weight, in position and colour.
    Voxels whose weight is not positive are removed. Unknown colours, (0, 0, 0), are left out of the mean.

    Args:
        names: (M,) int64 keys, ascending; xyz: (M, 3) float32; weights: (M,) float32; colors: (M, 3) uint8.
        new_names: (P,) int64 key of each point's voxel; new_xyz, new_colors: (P, 3); cap: maximum weight of a voxel.

    Returns:
        names, xyz, weights and colors of the union, with ascending keys.
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
    """``fuse`` into preallocated arrays; returns the number of voxels."""
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
    """Subtract wear from voxels and ``fuse`` points into them, for many entries at once.

    Args:
        names, xyz, weights, colors: of all M voxels of the entries, concatenated; starts: (E + 1,) start of each's.
        wear: (M,) float32 weight that each voxel loses, infinite to remove it; sizes: (E,) voxel edges, metres.
        pairs: (F, 2) int64 entry, and the instance whose points are fused into it.
        new_xyz, new_colors: (P, 3) points of all instances; bounds: (K + 1,) start of each instance's; taken: (P,)
            bool, whether to fuse each point; if none of an instance's is taken, all of them are fused.
        cap: maximum weight of a voxel.

    Returns:
        names, xyz, weights and colors of the F fused entries, concatenated; (F + 1,) start of each one's voxels; and
        their lower and upper corners (F, 2, 3).
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
