"""Boxes around points."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .kernels.boxes import standing_boxes
from .types import Box


def is_rigid(T: NDArray[np.float64]) -> bool:
    """Whether a (4, 4) matrix is a rotation and a translation."""
    turned = np.isfinite(T).all() and np.abs(T[:3, :3] @ T[:3, :3].T - np.eye(3)).max() < 1e-3
    return bool(turned and np.linalg.det(T[:3, :3]) > 0 and np.abs(T[3] - [0, 0, 0, 1]).max() < 1e-6)


def oriented_box(points: NDArray[np.float32], vertical: NDArray[np.floating] | None) -> Box:
    """Smallest box around points with a given z axis.

    Args:
        points: (N, 3) metres, N > 0.
        vertical: (3,) unit vector of the box's z axis; None for the principal axis of least variance.

    Raises:
        ValueError: no points, or points that are not finite.
    """
    rows = np.arange(len(points))
    return oriented_boxes(points, rows, np.array([0, len(points)]), vertical)[0]


def oriented_boxes(
    points: NDArray[np.float32], rows: NDArray[np.int64], starts: NDArray[np.int64],
    vertical: NDArray[np.floating] | None,
) -> list[Box]:  # fmt: skip
    """``oriented_box`` of each of K sets of points.

    Args:
        points: (V, 3) metres; rows: (M,) indices of the sets, concatenated; starts: (K + 1,) offsets, no set empty.
        vertical: as for ``oriented_box``, common to all.

    Raises:
        ValueError: a set without points, or points that are not finite.
    """
    if (np.diff(starts) < 1).any():
        raise ValueError("box: expected at least one point, got none")
    if not np.isfinite(points[rows]).all():
        raise ValueError("box: expected finite points")
    points = np.ascontiguousarray(points, np.float32)
    if vertical is None:
        z = np.array([_least_axis(points[rows[a:b]]) for a, b in pairwise(starts)]).reshape(-1, 3)
    else:
        z = np.tile(vertical.astype(np.float64), (len(starts) - 1, 1))
    return [Box(*box) for box in zip(*standing_boxes(points, rows, starts, z), strict=True)]


def _least_axis(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(3,) principal axis of least variance of (N, 3) points."""
    values = points.T.astype(np.float64, order="C")  # numpy sums long rows fast, rows of three slowly
    values -= values.mean(1)[:, None]
    return np.asarray(np.linalg.eigh(values @ values.T)[1][:, 0])
