"""Points to voxels, with the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .kernels.grid import hash_cells, mean_by_cell

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
) -> VoxelGrid:
    """Group points into voxels.

    Args:
        points: (N, 3) float32, metres; rows that are not ``usable`` are left out.
        size: voxel edge, metres.
        colors: (N, 3) uint8, or None.
        mask: (N,) bool, points to keep beyond that, or None for all.
    """
    if not size > 0:
        raise ValueError(f"voxel size: expected a positive length in metres, got {size}")
    keep = usable(points) if mask is None else usable(points) & mask
    kept = points[keep].astype(np.float64)
    origin = np.floor(kept.mean(0) / size) * size if len(kept) else np.zeros(3)
    kept -= origin
    coords = np.floor(kept / size).astype(np.int64)
    cell, first, _ = hash_cells(coords)
    centroids, counts = mean_by_cell(kept, cell, len(first))
    voxel_colors = None
    if colors is not None:
        voxel_colors = mean_by_cell(colors[keep].astype(np.float32) / np.float32(255), cell, len(first))[0]
    inverse = np.full(len(points), -1, np.int64)
    inverse[keep] = cell
    return VoxelGrid(coords[first], inverse, centroids, origin, voxel_colors, counts, float(size))


def adaptive_size(points: NDArray[np.float32], base: float, max_voxels: int) -> float:
    """Smallest voxel size, at least ``base``, that keeps a cloud within ``max_voxels`` voxels.

    Surfaces fill voxels by area, so the size grows with the square root of the excess.
    """
    size = base
    kept = points[usable(points)].astype(np.float64)
    kept -= kept.mean(0) if len(kept) else 0.0
    while True:
        count = len(hash_cells(np.floor(kept / size).astype(np.int64))[1])
        if count <= max_voxels:
            return size
        size *= 1.02 * (count / max_voxels) ** 0.5
