"""Compiled loops over images: sampling points, looking up voxels in the depth image, image borders, overlaps, wear."""

from __future__ import annotations

import numpy as np
from numba import njit

OUTSIDE, HIDDEN, THROUGH = -4, -3, -2
"""Results of ``look`` for a point that the depth image does not show. OUTSIDE: out of view, without a return, or
undecided; HIDDEN: behind something nearer; THROUGH: in front of what is seen, so the camera looks through it. Values
from -1 upwards: the point is seen, with this label."""


@njit(cache=True, nogil=True)
def pick(points, colors, labels, T, count, limit, every):  # type: ignore[no-untyped-def]  # compiled
    """Sample at most ``limit`` points of each of ``count`` instances evenly, and transform them by ``T``.

    Args:
        points: (N, 3) float32; colors: (N, 3) uint8, or (0, 3) for a cloud without colours, whose points get (0, 0, 0).
        labels: (N,) int32, -1 for none; T: (4, 4) float64.
        every: stride at which points are read.

    Returns:
        (M, 3) float32 transformed points, finite ones only, and (M, 3) uint8 their colours, grouped by instance;
        (count + 1,) int64 start of each instance's.
    """
    chosen, step = np.empty((count, limit), np.int64), np.ones(count, np.int64)
    wait, filled = np.zeros(count, np.int64), np.zeros(count, np.int64)
    i, n = 0, len(labels)
    while i < n:
        k, run = labels[i], i
        while i < n and labels[i] == k:  # image rows consist of runs of equal labels
            i += every
        if k < 0:
            continue
        run += wait[k] * every
        while run < i:
            if filled[k] == limit:  # full: keep every second point and double the step
                filled[k] = (limit + 1) // 2
                for j in range(filled[k]):
                    chosen[k, j] = chosen[k, 2 * j]
                run += (step[k] if limit % 2 == 1 else 0) * every
                step[k] *= 2
                continue
            chosen[k, filled[k]] = run
            filled[k] += 1
            run += step[k] * every
        wait[k] = (run - i) // every
    starts = np.zeros(count + 1, np.int64)
    xyz, shades = np.empty((filled.sum(), 3), np.float32), np.zeros((filled.sum(), 3), np.uint8)
    m = 0
    for k in range(count):
        for j in range(filled[k]):
            i = chosen[k, j]
            x, y, z = points[i]
            if not np.isfinite(x + y + z):
                continue
            for axis in range(3):
                xyz[m, axis] = T[axis, 0] * x + T[axis, 1] * y + T[axis, 2] * z + T[axis, 3]
            if len(colors):
                shades[m] = colors[i]
            m += 1
        starts[k + 1] = m
    return xyz[:m], shades[:m], starts


@njit(cache=True, nogil=True)
def look(xyz, rows, T, camera, width, height, points, labels):  # type: ignore[no-untyped-def]  # compiled
    """Look up points of the map in the depth image of an organised cloud.

    Five pixels around a point's projection decide whether it is hidden or looked through: with a single one, a pose
    error of a centimetre would look past the rim of an object.

    Args:
        xyz: (M, 3) float32 points; rows: (R,) int64 indices of those to look up; T: (4, 4) float64 from their frame to
            the optical frame; camera: (4,) fx, fy, cx, cy.
        points: (N, 3) float32 of the cloud; labels: (N,) int32.

    Returns:
        (R,) int32: OUTSIDE, HIDDEN, THROUGH, or, where the point is seen, its label, -1 for none.
    """
    out = np.empty(len(rows), np.int32)
    for i in range(len(rows)):
        a, b, c = xyz[rows[i], 0], xyz[rows[i], 1], xyz[rows[i], 2]
        x = T[0, 0] * a + T[0, 1] * b + T[0, 2] * c + T[0, 3]
        y = T[1, 0] * a + T[1, 1] * b + T[1, 2] * c + T[1, 3]
        z = T[2, 0] * a + T[2, 1] * b + T[2, 2] * c + T[2, 3]
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
    """Sample ``each`` to twice ``each`` voxels of every entry evenly, or all if there are fewer.

    Args:
        starts: (E + 1,) int64 start of each entry's voxels.
        turn: counter that shifts the sample, so that in time every voxel is taken.

    Returns:
        (R,) int64 indices of the sampled voxels, (E + 1,) int64 start of each entry's among them, (E,) float32 number
        of voxels that each of them represents.
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
    """Count the image rows and columns of an organised cloud whose first or last return lies in each instance.

    Args:
        points: (N, 3) float32; labels: (N,) int32; width, height: of the image; count: number of instances.

    Returns:
        (count,) int32 number of row and column ends.
    """
    out = np.zeros(count, np.int32)
    for side in range(4):
        lines, steps = (height, width) if side < 2 else (width, height)
        for line in range(lines):
            for step in range(steps // 8):  # a wider border without returns is not caused by the sensor
                along = step if side % 2 == 0 else steps - 1 - step
                pixel = line * width + along if side < 2 else along * width + line
                if points[pixel, 2] > 0:
                    if labels[pixel] >= 0:
                        out[labels[pixel]] += 1
                    break
    return out


@njit(cache=True, nogil=True)
def tally(seen, starts, count):  # type: ignore[no-untyped-def]  # compiled
    """Count the results of ``look`` for each entry.

    Args:
        seen: (M,) int32 results, grouped by entry; starts: (E + 1,) int64 start of each entry's; count: number of
            instances.

    Returns:
        votes (E, count) int32 points seen as each instance; state (E, 4) int32 points outside, hidden, looked through,
        and seen, as an instance or as none.
    """
    votes = np.zeros((len(starts) - 1, count), np.int32)
    state = np.zeros((len(starts) - 1, 4), np.int32)
    for e in range(len(starts) - 1):
        for i in range(starts[e], starts[e + 1]):
            if seen[i] >= 0:
                votes[e, seen[i]] += 1
            state[e, 3 if seen[i] >= -1 else seen[i] + 4] += 1
    return votes, state


@njit(cache=True, nogil=True)
def wear(seen, rows, bounds, stride, home, confirmed, voxels):  # type: ignore[no-untyped-def]  # compiled
    """Weight that each voxel loses by being looked through; half of that by being seen as another confirmed object.

    Args:
        seen: (R,) int32 results of ``look`` for the voxels ``rows``, (R,) int64, grouped by entry; bounds: (E + 1,)
            start of each entry's.
        stride: (E,) float32 number of voxels that each sampled one represents: it loses this much, because each voxel
            is looked up only once in this many updates.
        home: (K + 1,) int64 entry matched to each instance, -1 for none and as the last element; confirmed: (E + 1,)
            bool, false as the last element; voxels: their number M.

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
    """(P,) bool: whether each point lies in the object matched to its instance, or in no confirmed object.

    Args:
        first, second: (P,) int32 the first two entries whose voxels hold each point, -1 for none; owner: (P,) int32
            its instance; home, confirmed: as for ``wear``.
    """
    out = np.empty(len(owner), np.bool_)
    for p in range(len(owner)):
        mine, a, b = home[owner[p]], first[p], second[p]
        out[p] = (mine >= 0 and (a == mine or b == mine)) or not (confirmed[a] or confirmed[b])
    return out
