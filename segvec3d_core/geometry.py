"""Boxes around points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from .types import Box


def _minimal_rectangle(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direction (2,) of one side of the smallest rectangle around (N, 2) points (rotating calipers)."""
    try:
        hull = plane[ConvexHull(plane).vertices]
    except (QhullError, ValueError):  # too few points, or all on one line: that line is one side
        direction = (
            np.linalg.svd(plane - plane.mean(0), full_matrices=False)[2][0] if len(plane) > 1 else np.array([1.0, 0.0])
        )
        return np.asarray(direction, np.float64)
    sides = np.roll(hull, -1, 0) - hull
    sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-12)
    along = hull @ sides.T
    across = hull @ np.stack([-sides[:, 1], sides[:, 0]])
    area = np.ptp(along, axis=0) * np.ptp(across, axis=0)
    best: NDArray[np.float64] = sides[np.argmin(area)]
    return best


def oriented_box(points: NDArray[np.float32], vertical: NDArray[np.float32] | None) -> Box:
    """Smallest box around points that stands upright, or that follows their principal axes.

    Args:
        points: (N, 3) metres, N > 0.
        vertical: (3,) unit vector that the box's z axis keeps, or None: then it is the least of the principal axes.
    """
    values = points.astype(np.float64)
    mean = values.mean(0)
    values = values - mean
    if vertical is None:
        z = np.linalg.eigh(values.T @ values)[1][:, 0]
    else:
        z = vertical.astype(np.float64)
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    direction = _minimal_rectangle(values @ np.stack([x, y], 1))
    x, y = direction[0] * x + direction[1] * y, direction[0] * y - direction[1] * x
    rotation = np.stack([x, y, z], 1)
    local = values @ rotation
    low, high = local.min(0), local.max(0)
    return Box(mean + rotation @ ((low + high) / 2), rotation, high - low)
