"""The loops of the object map, compiled: picking points, looking at the depth image, overlaps, fusing, boxes.

Voxels are named by one integer, 21 bits for each coordinate, so that a metre-wide map and a kilometre-wide one cost the
same.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OUTSIDE, HIDDEN, THROUGH = -4, -3, -2
"""What ``look`` says of a point that the depth image does not show: out of view or no return there, behind something
nearer, in front of what is seen. -1 and above: it is seen, and that is its instance."""

_BITS = 21
_HALF = 1 << (_BITS - 1)
_MASK = (1 << _BITS) - 1


@njit(cache=True, nogil=True)
def pick(points, labels, count, limit, every=1):  # type: ignore[no-untyped-def]  # compiled
    """At most ``limit`` points of each of ``count`` instances, evenly.

    Args:
        points: (N, 3) float32; labels: (N,) int32; every: only each so-manieth point is looked at.

    Returns:
        (M,) int64 indices of finite points, one instance after the other; (count + 1,) int64 where each begins.
    """
    total = np.zeros(count, np.int64)
    for i in range(0, len(labels), every):
        if labels[i] >= 0:
            total[labels[i]] += 1
    step = np.maximum(1, -(-total // limit))
    starts = np.zeros(count + 1, np.int64)
    for k in range(count):
        starts[k + 1] = starts[k] + -(-total[k] // step[k])
    chosen = np.empty(starts[count], np.int64)
    passed, filled = np.zeros(count, np.int64), starts[:count].copy()
    for i in range(0, len(labels), every):
        k = labels[i]
        if k >= 0:
            if passed[k] % step[k] == 0:
                chosen[filled[k]] = i
                filled[k] += 1
            passed[k] += 1
    m = 0
    for k in range(count):
        begin, end = starts[k], filled[k]
        starts[k] = m
        for j in range(begin, end):
            i = chosen[j]
            if np.isfinite(points[i, 0] + points[i, 1] + points[i, 2]):
                chosen[m] = i
                m += 1
    starts[count] = m
    return chosen[:m].copy(), starts


@njit(cache=True, nogil=True)
def look(xyz, T, camera, width, height, points, labels):  # type: ignore[no-untyped-def]  # compiled
    """What an organised cloud shows of (M, 3) points of the map.

    A point counts as looked through, or as hidden, where a small patch around its pixel agrees on it: at an object's
    rim a pose that is off by a centimetre would see past it.

    Args:
        xyz: (M, 3) float32; T: (4, 4) float64 takes them to the optical frame; camera: (4,) fx, fy, cx, cy.
        points: (N, 3) float32 of the cloud; labels: (N,) int32.

    Returns:
        (M,) int32: OUTSIDE, HIDDEN, THROUGH, or the label where the point is seen.
    """
    out = np.empty(len(xyz), np.int32)
    for i in range(len(xyz)):
        x = T[0, 0] * xyz[i, 0] + T[0, 1] * xyz[i, 1] + T[0, 2] * xyz[i, 2] + T[0, 3]
        y = T[1, 0] * xyz[i, 0] + T[1, 1] * xyz[i, 1] + T[1, 2] * xyz[i, 2] + T[1, 3]
        z = T[2, 0] * xyz[i, 0] + T[2, 1] * xyz[i, 1] + T[2, 2] * xyz[i, 2] + T[2, 3]
        out[i] = OUTSIDE
        if z < 0.05:
            continue
        u, v = camera[0] * x / z + camera[2], camera[1] * y / z + camera[3]
        if not (-0.5 <= u < width - 0.5 and -0.5 <= v < height - 0.5):
            continue
        column, row = int(u + 0.5), int(v + 0.5)
        tolerance = 0.02 + 0.008 * z * z
        reach = max(1, int(0.008 * camera[0] / z))
        nearer = farther = 0
        for k in range(5):
            r = row + (0 if k == 0 else reach if k <= 2 else -reach)
            c = column + (0 if k == 0 else reach if k % 2 == 1 else -reach)
            if not (0 <= r < height and 0 <= c < width):
                continue
            pixel = r * width + c
            depth = points[pixel, 2]
            if not depth > 0:
                continue
            if abs(depth - z) <= tolerance:
                out[i] = labels[pixel]
                nearer = farther = 0
                break
            if depth < z:
                nearer += 1
            else:
                farther += 1
        if nearer > 0 and nearer >= farther:
            out[i] = HIDDEN
        elif farther >= 3 and nearer == 0:
            out[i] = THROUGH
    return out


@njit(cache=True, nogil=True)
def spread(starts, each, turn):  # type: ignore[no-untyped-def]  # compiled
    """About ``each`` voxels of every entry, evenly; other ones at every ``turn``, so that all have theirs in time.

    Args:
        starts: (E + 1,) int64 where each entry's voxels begin.

    Returns:
        (R,) int64 the voxels, (E + 1,) int64 where each entry's begin among them, (E,) float32 for how many each of
        them stands.
    """
    chosen, begins = np.empty(starts[-1], np.int64), np.zeros(len(starts), np.int64)
    stride = np.ones(len(starts) - 1, np.float32)
    r = 0
    for e in range(len(starts) - 1):
        step = max(1, (starts[e + 1] - starts[e]) // each)
        stride[e] = step
        for i in range(starts[e] + turn % step, starts[e + 1], step):
            chosen[r] = i
            r += 1
        begins[e + 1] = r
    return chosen[:r].copy(), begins, stride


@njit(cache=True, nogil=True)
def border(points, labels, width, height, count):  # type: ignore[no-untyped-def]  # compiled
    """How many lines of an organised cloud begin or end, at its first or last return, in each instance.

    Args:
        points: (N, 3) float32; labels: (N,) int32; width, height: of the image; count: number of instances.

    Returns:
        (count,) int32.
    """
    out = np.zeros(count, np.int32)
    for side in range(4):
        lines, steps = (height, width) if side < 2 else (width, height)
        for line in range(lines):
            for step in range(steps // 8):  # a border without returns that is wider is none of the sensor's
                along = step if side % 2 == 0 else steps - 1 - step
                pixel = line * width + along if side < 2 else along * width + line
                if points[pixel, 2] > 0:
                    if labels[pixel] >= 0:
                        out[labels[pixel]] += 1
                    break
    return out


@njit(cache=True, nogil=True)
def tally(seen, starts, count):  # type: ignore[no-untyped-def]  # compiled
    """How often each answer of ``look`` was given for each entry.

    Args:
        seen: (M,) int32, entries one after the other; starts: (E + 1,) int64 where each begins; count: instances.

    Returns:
        votes (E, count) int32 seen as each instance, state (E, 4) int32: outside, hidden, through, seen.
    """
    votes = np.zeros((len(starts) - 1, count), np.int32)
    state = np.zeros((len(starts) - 1, 4), np.int32)
    for e in range(len(starts) - 1):
        for i in range(starts[e], starts[e + 1]):
            if seen[i] >= 0:
                votes[e, seen[i]] += 1
            state[e, 3 if seen[i] >= -1 else seen[i] + 4] += 1
    return votes, state


@njit(cache=True, nogil=True, inline="always")
def _pack(x, y, z):  # type: ignore[no-untyped-def]
    return ((x + _HALF) & _MASK) << (2 * _BITS) | ((y + _HALF) & _MASK) << _BITS | ((z + _HALF) & _MASK)


@njit(cache=True, nogil=True)
def _coarser(name):  # type: ignore[no-untyped-def]
    x = ((name >> (2 * _BITS)) & _MASK) - _HALF
    y = ((name >> _BITS) & _MASK) - _HALF
    z = (name & _MASK) - _HALF
    return _pack(x >> 1, y >> 1, z >> 1)


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
    for edge in np.unique(sizes):
        points = cells(xyz, 2 * edge)
        head = np.full(size, -1, np.int64)  # first point of the voxel in this slot
        following = np.full(len(points), -1, np.int64)
        for p in range(len(points)):
            s = _slot(points[p], mask)
            while head[s] >= 0 and points[head[s]] != points[p]:
                s = (s + 1) & mask
            following[p] = head[s]
            head[s] = p
        visited = np.full(size, -1, np.int64)
        for e in range(len(sizes)):
            if sizes[e] != edge:
                continue
            for i in range(starts[e], starts[e + 1]):
                name = _coarser(names[i])
                s = _slot(name, mask)
                while head[s] >= 0 and points[head[s]] != name:
                    s = (s + 1) & mask
                p = head[s]
                if p >= 0:
                    hit[e, owner[p]] += 1
                if visited[s] == e:
                    continue
                visited[s] = e
                while p >= 0:
                    covered[e, owner[p]] += 1
                    if first[p] < 0:
                        first[p] = e
                    elif second[p] < 0:
                        second[p] = e
                    p = following[p]
    return covered, hit, first, second


@njit(cache=True, nogil=True)
def fuse(names, xyz, weights, colors, new_names, new_xyz, new_colors, cap):  # type: ignore[no-untyped-def]  # compiled
    """Add points to voxels: their means move towards the points', by as much as the points weigh. Voxels of no weight
    go.

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
        n = 0
        while j < len(new_names) and new_names[order[j]] == name:
            for axis in range(3):
                mean[axis] += new_xyz[order[j], axis]
                shade[axis] += new_colors[order[j], axis]
            n += 1
            j += 1
        share = 1.0 / (old + 1.0)
        for axis in range(3):
            a = xyz[i, axis] if take_old else 0.0
            c = float(colors[i, axis]) if take_old else 0.0
            out_xyz[m, axis] = a + share * (mean[axis] / n - a)
            out_colors[m, axis] = np.uint8(c + share * (shade[axis] / n - c) + 0.5)
        out_names[m] = name
        out_weights[m] = min(old + 1.0, cap)
        i += 1 if take_old else 0
        m += 1
    return m


@njit(cache=True, nogil=True)
def wear(seen, rows, bounds, stride, home, confirmed, voxels):  # type: ignore[no-untyped-def]  # compiled
    """What each voxel loses by being looked through, and half of it by being seen as another object that is confirmed.

    Args:
        seen: (R,) int32 what ``look`` says of the voxels ``rows``, (R,) int64, one entry after the other; bounds:
            (E + 1,) where each entry's begin; stride: (E,) float32 for how many voxels each stands, whose turn is
            another time.
        home: (K + 1,) int64 entry that each instance is, -1 for none; confirmed: (E + 1,) bool; voxels: their number M.

    Returns:
        (M,) float32.
    """
    out = np.zeros(voxels, np.float32)
    for e in range(len(bounds) - 1):
        for i in range(bounds[e], bounds[e + 1]):
            if seen[i] == THROUGH:
                out[rows[i]] = stride[e]
            else:
                other = home[max(seen[i], -1)]
                if confirmed[other] and other != e:
                    out[rows[i]] = np.float32(0.5) * stride[e]
    return out


@njit(cache=True, nogil=True)
def pure(first, second, owner, home, confirmed):  # type: ignore[no-untyped-def]  # compiled
    """(P,) bool: points that lie in no confirmed object but, perhaps, the one that their instance is.

    Args:
        first, second: (P,) int32 entries in whose voxels each point lies; owner: (P,) int32 its instance; home,
            confirmed: as for ``wear``.
    """
    out = np.empty(len(owner), np.bool_)
    for p in range(len(owner)):
        mine = home[owner[p]]
        out[p] = not (confirmed[first[p]] and first[p] != mine and second[p] != mine)
    return out


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


@njit(cache=True, nogil=True)
def upright_box(xyz, up):  # type: ignore[no-untyped-def]  # compiled
    """Smallest box around (M, 3) points, M > 0, one axis of which is ``up`` (3,): turns are tried out by half degrees.

    Returns:
        center (3,), rotation (3, 3), size (3,), float64.
    """
    helper = np.zeros(3)
    helper[np.argmin(np.abs(up))] = 1.0
    x = np.cross(helper, up)
    x /= np.sqrt((x * x).sum())
    y = np.cross(up, x)
    local = np.empty((len(xyz), 3))
    for i in range(len(xyz)):
        local[i, 0] = xyz[i, 0] * x[0] + xyz[i, 1] * x[1] + xyz[i, 2] * x[2]
        local[i, 1] = xyz[i, 0] * y[0] + xyz[i, 1] * y[1] + xyz[i, 2] * y[2]
        local[i, 2] = xyz[i, 0] * up[0] + xyz[i, 1] * up[1] + xyz[i, 2] * up[2]
    best, turn = np.inf, 0.0
    low, high = np.zeros(3), np.zeros(3)
    middle, width = 45.0, 45.0
    for step in (3.0, 0.5):  # coarse over a quarter turn, then fine around the best
        angle = middle - width
        while angle <= middle + width:
            c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
            a0, a1, b0, b1 = np.inf, -np.inf, np.inf, -np.inf
            for i in range(len(local)):
                a, b = c * local[i, 0] + s * local[i, 1], c * local[i, 1] - s * local[i, 0]
                a0, a1, b0, b1 = min(a0, a), max(a1, a), min(b0, b), max(b1, b)
            if (a1 - a0) * (b1 - b0) < best:
                best, turn = (a1 - a0) * (b1 - b0), angle
                low[0], low[1], high[0], high[1] = a0, b0, a1, b1
            angle += step
        middle, width = turn, 2.5
    low[2], high[2] = local[:, 2].min(), local[:, 2].max()
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    rotation = np.empty((3, 3))
    rotation[:, 0], rotation[:, 1], rotation[:, 2] = c * x + s * y, c * y - s * x, up
    return rotation @ ((low + high) / 2), rotation, high - low
