"""Smallest boxes with a given vertical axis, for many sets of points at once.

A frame of a cluttered table has two dozen objects; a library's convex hull and a handful of array operations for each
would take several times as long.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _outer(plane):  # type: ignore[no-untyped-def]
    """Candidates for the convex hull of (N, 2) points: those not inside the octagon of the extreme points in eight
    directions (Akl and Toussaint 1978)."""
    ends, reach = np.zeros(8, np.int64), np.full(8, -np.inf)
    for i in range(len(plane)):
        x, y = plane[i, 0], plane[i, 1]
        for d, value in enumerate((x, x + y, y, y - x, -x, -x - y, -y, x - y)):  # counter-clockwise
            if value > reach[d]:
                ends[d], reach[d] = i, value
    corners = plane[ends]
    sides = np.roll(corners, -2) - corners
    apart = (sides[:, 0] != 0) | (sides[:, 1] != 0)
    corners, sides = corners[apart], sides[apart]
    kept = np.empty(len(plane), np.bool_)
    for i in range(len(plane)):
        inside = True
        for d in range(len(sides)):
            turn = sides[d, 0] * (plane[i, 1] - corners[d, 1]) - sides[d, 1] * (plane[i, 0] - corners[d, 0])
            inside &= turn > 0
        kept[i] = not inside
    kept[ends] = True
    return plane[kept]


@njit(cache=True, nogil=True)
def _hull(plane):  # type: ignore[no-untyped-def]
    """Vertices of the convex hull of (N, 2) points, counter-clockwise (Andrew 1979); two if all points are collinear,
    one if all are equal."""
    by_y = np.argsort(plane[:, 1], kind="mergesort")
    points = plane[by_y[np.argsort(plane[by_y, 0], kind="mergesort")]]
    corners, count, least = np.empty((2 * len(points), 2)), 0, 1
    for way in range(2):  # lower hull, then upper hull
        for step in range(way, len(points)):
            i = step if way == 0 else len(points) - 1 - step
            x, y = points[i, 0], points[i, 1]
            while count > least:
                bx, by = corners[count - 1, 0], corners[count - 1, 1]
                if (bx - corners[count - 2, 0]) * (y - by) - (by - corners[count - 2, 1]) * (x - bx) > 0:
                    break
                count -= 1
            if count == 0 or corners[count - 1, 0] != x or corners[count - 1, 1] != y:
                corners[count, 0], corners[count, 1] = x, y
                count += 1
        least = count
    return corners[: max(1, count - 1)]  # the last vertex repeats the first


@njit(cache=True, nogil=True)
def _side(hull):  # type: ignore[no-untyped-def]
    """Direction (cosine, sine) of a side of the smallest rectangle around a convex hull, which has a side along one of
    the hull's (Freeman and Shapira 1975)."""
    best, c, s = np.inf, 1.0, 0.0
    for k in range(len(hull)):
        after = (k + 1) % len(hull)
        dx, dy = hull[after, 0] - hull[k, 0], hull[after, 1] - hull[k, 1]
        length = np.sqrt(dx * dx + dy * dy)
        if length == 0:
            continue
        dx, dy = dx / length, dy / length
        low, high, left, right = np.inf, -np.inf, np.inf, -np.inf
        for i in range(len(hull)):
            along, across = dx * hull[i, 0] + dy * hull[i, 1], dx * hull[i, 1] - dy * hull[i, 0]
            low, high = min(low, along), max(high, along)
            left, right = min(left, across), max(right, across)
        area = (high - low) * (right - left)
        if area < best:
            best, c, s = area, dx, dy
    return c, s


@njit(cache=True, nogil=True)
def standing_boxes(points, rows, starts, vertical):  # type: ignore[no-untyped-def]
    """The smallest box around each of K sets of points with a given third axis.

    Args:
        points: (V, 3) float32; rows: (M,) int64 indices of the sets, concatenated; starts: (K + 1,) int64 offsets, no
            set empty.
        vertical: (K, 3) float64 unit vectors, the third axis of each box.

    Returns:
        centers (K, 3), rotations (K, 3, 3) and sizes (K, 3), float64.
    """
    count = len(starts) - 1
    centers, rotations, sizes = np.empty((count, 3)), np.empty((count, 3, 3)), np.empty((count, 3))
    for k in range(count):
        some, z = rows[starts[k] : starts[k + 1]], vertical[k]
        mean = np.zeros(3)
        for i in some:
            for axis in range(3):
                mean[axis] += points[i, axis]
        mean /= len(some)
        helper = np.zeros(3)
        helper[np.argmin(np.abs(z))] = 1.0
        x = np.cross(helper, z)
        x /= np.sqrt((x * x).sum())
        y = np.cross(z, x)
        plane, low, high = np.empty((len(some), 2)), np.full(3, np.inf), np.full(3, -np.inf)
        for n, i in enumerate(some):
            a, b, c = points[i, 0] - mean[0], points[i, 1] - mean[1], points[i, 2] - mean[2]
            plane[n, 0] = a * x[0] + b * x[1] + c * x[2]
            plane[n, 1] = a * y[0] + b * y[1] + c * y[2]
            height = a * z[0] + b * z[1] + c * z[2]
            low[2], high[2] = min(low[2], height), max(high[2], height)
        hull = _hull(_outer(plane))
        cosine, sine = _side(hull)
        for i in range(len(hull)):
            along, across = cosine * hull[i, 0] + sine * hull[i, 1], cosine * hull[i, 1] - sine * hull[i, 0]
            low[0], high[0] = min(low[0], along), max(high[0], along)
            low[1], high[1] = min(low[1], across), max(high[1], across)
        rotations[k, :, 0], rotations[k, :, 1], rotations[k, :, 2] = cosine * x + sine * y, cosine * y - sine * x, z
        sizes[k] = high - low
        for axis in range(3):
            centers[k, axis] = mean[axis]
            for side in range(3):
                centers[k, axis] += rotations[k, axis, side] * (low[side] + high[side]) / 2
    return centers, rotations, sizes
