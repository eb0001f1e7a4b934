"""Input of the network: the voxels of one cloud at several resolutions with their graphs.

V voxels at the finest level, V_l at level l, k neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .config import NetworkConfig
from .kernels.grid import hash_cells, mean_by_cell
from .kernels.shape import voxel_features
from .neighbors import build_graph
from .voxels import Scale, VoxelGrid

if TYPE_CHECKING:
    from torch import Tensor

Array = TypeVar("Array")
"""Numpy arrays for the kernels on the CPU; torch tensors for everything else."""


@dataclass(frozen=True, slots=True)
class Level(Generic[Array]):
    """Voxels of one size and their graph.

    Attributes:
        inputs: (V_l, 12) features of each voxel, see ``kernels.shape.voxel_features``.
        neighbors: (V_l, k) int64.
        edges: (V_l, k, 10) relative poses, see ``kernels.shape.edge_features``.
        parents: (V_l,) int64 voxel of the next coarser level, or None at the coarsest.
        offsets: (V_l, 3) position relative to the parent's, in units of the voxel's edge.
        position: (V_l, 3) centroids in units of the finest edge, compressed beyond the fovea (``Fovea.compress``).
        scale: this level's edge in units of the finest edge.
    """

    inputs: Array
    neighbors: Array
    edges: Array
    parents: Array | None
    offsets: Array
    position: Array
    scale: float


@dataclass(frozen=True, slots=True)
class Hierarchy(Generic[Array]):
    """The network's input for one cloud.

    Attributes:
        levels: finest first.
        size: finest voxel edge, metres.
        normals: (V, 3) float32 unit normals of the finest voxels, in the cloud's frame.
    """

    levels: tuple[Level[Array], ...]
    size: float
    normals: NDArray[np.float32]

    def tensors(self) -> Hierarchy[Tensor]:
        """The same as tensors, which share the memory of the arrays."""
        import torch

        return self._converted(torch.from_numpy)

    def arrays(self) -> Hierarchy[NDArray[Any]]:
        """The same as arrays, which share the memory of the tensors."""
        return self._converted(lambda tensor: tensor.numpy())

    def _converted(self, convert: Callable[[Any], Any]) -> Hierarchy[Any]:
        levels = []
        for level in self.levels:
            values = {name: getattr(level, name) for name in _ARRAYS}
            changes: dict[str, Any] = {k: None if v is None else convert(v) for k, v in values.items()}
            levels.append(replace(level, **changes))
        return Hierarchy(tuple(levels), self.size, self.normals)


_ARRAYS = tuple(part.name for part in fields(Level) if part.name != "scale")


def canonical_rotation(
    points: NDArray[np.float32], viewpoint: NDArray[np.float32] | None, up: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """(3, 3) rotation into the network's canonical frame: z along ``up``; towards the sensor if up is unknown; the
    identity if neither is known (scans are z-up)."""
    if up is not None:
        z = up.astype(np.float64)
    elif viewpoint is not None and len(points):
        centre = np.full(len(points), 1 / len(points), np.float32) @ points  # several times as fast as its mean
        z = (viewpoint - centre).astype(np.float64)
    else:
        return np.eye(3, dtype=np.float32)
    length = float(np.linalg.norm(z))
    if length < 1e-6:  # the sensor is at the centre of the points: no direction is preferred
        return np.eye(3, dtype=np.float32)
    z /= length
    helper = np.eye(3)[np.argmin(np.abs(z))]
    x = np.cross(helper, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z]).astype(np.float32)


def build_hierarchy(
    grid: VoxelGrid,
    viewpoint: NDArray[np.float32] | None,
    up: NDArray[np.float32] | None,
    config: NetworkConfig,
    rotation: NDArray[np.float32] | None = None,
    clock: Clock | None = None,
) -> Hierarchy[NDArray[Any]]:
    """Voxels at every level with their graphs.

    Args:
        grid: the finest voxels, V > 0.
        viewpoint: (3,) sensor position in the cloud's frame, metres, or None; up: (3,) or None.
        config: number of levels and neighbours.
        rotation: (3, 3) applied after ``canonical_rotation``; training uses it to rotate scenes about z.
        clock: measures the stages of ``build_graph``.
    """
    seen_from = None if viewpoint is None else (viewpoint - grid.origin).astype(np.float32)
    turn = canonical_rotation(grid.centroids, seen_from, up)
    if rotation is not None:
        turn = rotation.astype(np.float32) @ turn
    points = grid.centroids @ turn.T
    seen_from = None if seen_from is None else turn @ seen_from
    up = None if up is None else turn @ up
    fovea = None if grid.scale.fovea is None else replace(grid.scale.fovea, eye=turn @ grid.scale.fovea.eye)
    scale = replace(grid.scale, fovea=fovea)
    levels: list[Level[NDArray[Any]]] = []
    normals = np.zeros((0, 3), np.float32)
    for depth in range(len(config.channels)):
        graph = build_graph(points, scale, config.neighbors, seen_from, up, clock)
        if depth == 0:
            normals = graph.normals @ turn
        inputs = voxel_features(
            graph.normals, graph.shape, graph.found, graph.rays, graph.distance, seen_from is not None,
            *_heights(points, up), scale.edges, config.neighbors,
        )  # fmt: skip
        position = points if fovea is None else fovea.compress(points)
        parents, offsets, coarse, coarser = None, np.zeros_like(points), points, scale
        if depth + 1 < len(config.channels):
            parents, offsets, coarse, coarser = _halved(points, scale)
        position = position / np.float32(grid.size)
        levels.append(Level(inputs, graph.neighbors, graph.edges, parents, offsets, position, float(2**depth)))
        points, scale = coarse, coarser
    return Hierarchy(tuple(levels), grid.size, normals)


def _heights(
    points: NDArray[np.float32], up: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``up`` and heights above the 1st and below the 99th percentile of (V, 3) points, as ``voxel_features`` reads
    them."""
    if up is None:
        return np.zeros(3, np.float32), np.zeros((0, 2), np.float32)
    height = points @ up
    low, high = np.percentile(height, [1, 99])
    return up.astype(np.float32), np.stack([height - low, high - height], 1).astype(np.float32)


def _halved(
    points: NDArray[np.float32], scale: Scale
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32], Scale]:
    """The next coarser level: voxels of twice the edge.

    Returns:
        (V,) parent of each voxel, (V, 3) offset from it in voxel edges, (P, 3) centroids of the parents, their scale.
    """
    cell, first, _ = hash_cells(scale.cells(points, 2))
    coarse, _ = mean_by_cell(points, cell, len(first))
    offsets = (points - coarse[cell]) / scale.edges[:, None]
    return cell, offsets, coarse, Scale(2 * scale.size, scale.bands[first], scale.fovea)
