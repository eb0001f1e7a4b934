"""Boxes around points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from .types import Box

MANY = 500
"""So many points are worth being sorted out before their convex hull is sought."""


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross product of two vectors (3,); numpy's, made for any shape, takes a hundred times as long."""
    (a0, a1, a2), (b0, b1, b2) = a.tolist(), b.tolist()
    return np.array([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0])


def _outer(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (2, N) points those that can be on their convex hull: not within the octagon of the outermost ones in eight
    directions (Akl and Toussaint 1978)."""
    along = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]) @ plane
    corners = plane[:, np.concatenate([along.argmax(1), along.argmin(1)])]
    sides = np.roll(corners, -1, 1) - corners
    inside = np.ones(plane.shape[1], bool)
    for (x, y), (dx, dy) in zip(corners.T, sides.T, strict=True):
        if dx or dy:
            inside &= dx * (plane[1] - y) - dy * (plane[0] - x) > 0
    return plane[:, ~inside]


def _minimal_rectangle(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direction (2,) of one side of the smallest rectangle around (2, N) points (rotating calipers)."""
    points = (plane if plane.shape[1] < MANY else _outer(plane)).T
    try:
        hull = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # too few points, or all on one line: that line is one side
        direction = (
            np.linalg.svd(plane.T - plane.mean(1), full_matrices=False)[2][0]
            if plane.shape[1] > 1
            else np.array([1.0, 0.0])
        )
        return np.asarray(direction, np.float64)
    sides = np.roll(hull, -1, 0) - hull
    sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-12)
    along = sides @ hull.T
    across = np.stack([-sides[:, 1], sides[:, 0]], 1) @ hull.T
    area = np.ptp(along, axis=1) * np.ptp(across, axis=1)
    best: NDArray[np.float64] = sides[np.argmin(area)]
    return best


def oriented_box(points: NDArray[np.float32], vertical: NDArray[np.float32] | None) -> Box:
    """Smallest box around points that stands upright, or that follows their principal axes.

    Args:
        points: (N, 3) metres, N > 0.
        vertical: (3,) unit vector that the box's z axis keeps, or None: then it is the least of the principal axes.
    """
    values = points.T.astype(np.float64, order="C")  # numpy sums and compares long rows fast, rows of three slowly
    mean = values.mean(1)
    values -= mean[:, None]
    if vertical is None:
        z = np.linalg.eigh(values @ values.T)[1][:, 0]
    else:
        z = vertical.astype(np.float64)
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = cross(helper, z)
    x /= np.linalg.norm(x)
    y = cross(z, x)
    direction = _minimal_rectangle(np.stack([x, y]) @ values)
    x, y = direction[0] * x + direction[1] * y, direction[0] * y - direction[1] * x
    rotation = np.stack([x, y, z], 1)
    local = rotation.T @ values
    low, high = local.min(1), local.max(1)
    return Box(mean + rotation @ ((low + high) / 2), rotation, high - low)
