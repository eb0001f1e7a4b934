"""Points to voxels, with the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kernels.grid import group_points, mean_colors

FARTHEST = 1e7
"""Coordinates beyond this, metres, are taken for noise: float32 holds no geometry out there."""


@dataclass(frozen=True, slots=True)
class VoxelGrid:
    """Occupied voxels of a cloud, and the way back to its points.

    Attributes:
        coords: (V, 3) int64, integer voxel coordinates.
        inverse: (N,) int64, voxel of each point: ``coords[inverse[i]]`` holds point i; -1 for points left out.
        centroids: (V, 3) float32, mean of each voxel's points, metres relative to ``origin``.
        origin: (3,) float64, metres; keeps float32 precise for clouds far from their frame's origin.
        colors: (V, 3) float32 mean RGB, 0 to 1, or None.
        counts: (V,) int32, points in each voxel.
        size: voxel edge, metres.
    """

    coords: NDArray[np.int64]
    inverse: NDArray[np.int64]
    centroids: NDArray[np.float32]
    origin: NDArray[np.float64]
    colors: NDArray[np.float32] | None
    counts: NDArray[np.int32]
    size: float

    def __len__(self) -> int:
        return len(self.coords)


def usable(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (N, 3) points are finite and within ``FARTHEST`` -> (N,) bool."""
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(points) < FARTHEST).all(1))


def voxelize(
    points: NDArray[np.float32],
    size: float,
    colors: NDArray[np.uint8] | None = None,
    mask: NDArray[np.bool_] | None = None,
    max_voxels: int | None = None,
) -> VoxelGrid:
    """Group points into voxels.

    Args:
        points: (N, 3) float32, metres; rows that are not ``usable`` are left out.
        size: voxel edge, metres.
        colors: (N, 3) uint8, or None.
        mask: (N,) bool, points to keep beyond that, or None for all.
        max_voxels: with more voxels than this the edge grows until they are within; None for no limit.

    Raises:
        ValueError: an edge of no length.
    """
    if not size > 0:
        raise ValueError(f"voxel size: expected a positive length in metres, got {size}")
    keep = np.zeros(0, bool) if mask is None else mask
    origin = _origin(points, keep, size)
    while True:
        inverse, coords, sums, counts = group_points(points, keep, FARTHEST, origin, size)
        if max_voxels is None or len(coords) <= max_voxels:
            break
        # Surfaces fill voxels by area, so the edge grows with the square root of the excess.
        size *= max(1.05, 1.02 * (len(coords) / max_voxels) ** 0.5)
    centroids = (sums / counts[:, None]).astype(np.float32)
    voxel_colors = None if colors is None else mean_colors(colors, inverse, counts)
    return VoxelGrid(coords, inverse, centroids, origin, voxel_colors, counts, float(size))


def _origin(points: NDArray[np.float32], keep: NDArray[np.bool_], size: float) -> NDArray[np.float64]:
    """A multiple of the edge near the points: about a thousand of them are enough to find it."""
    step = max(1, len(points) // 1000)
    few = points[::step]
    few = few[usable(few) & (keep[::step] if len(keep) else True)]
    if len(few) == 0:
        return np.zeros(3)
    return np.asarray(np.floor(np.median(few.astype(np.float64), 0) / size) * size)
