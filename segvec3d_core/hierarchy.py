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
from .neighbors import build_graph
from .voxels import Scale, VoxelGrid

if TYPE_CHECKING:
    from torch import Tensor

VOXEL_FEATURES = 12

Array = TypeVar("Array")
"""Numpy arrays for the kernels on the CPU; torch tensors for everything else."""


@dataclass(frozen=True, slots=True)
class Level(Generic[Array]):
    """Voxels of one size and their graph.

    Attributes:
        inputs: (V_l, 12) features of each voxel, see ``voxel_features``.
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


def voxel_features(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    shape: NDArray[np.float32],
    found: NDArray[np.int32],
    rays: NDArray[np.float32],
    distance: NDArray[np.float32],
    up: NDArray[np.float32] | None,
    edges: NDArray[np.float32],
    k: int,
) -> NDArray[np.float32]:
    """Input features of each voxel -> (V, 12) float32; unknown quantities are zero and flagged.

    In order: surface variation, linearity, share of neighbours found, log edge, viewpoint known (flag), cosine of
    normal and ray, log distance, z of the normal, up known (flag), cosine of normal and up, height above the 1st and
    below the 99th percentile.

    Args:
        points, normals, rays: (V, 3); shape: (V, 2) and found: (V,) from ``neighbors.Graph``.
        distance: (V,) to the sensor, metres; up: (3,) unit vector, or None; edges: (V,) metres; k: neighbours.
    """
    out = np.zeros((len(points), VOXEL_FEATURES), np.float32)
    seen = bool(np.any(rays))
    out[:, 0] = shape[:, 0] * 3
    out[:, 1] = shape[:, 1]
    out[:, 2] = found / np.float32(k)
    out[:, 3] = np.log(edges / np.float32(0.01))
    out[:, 4] = float(seen)
    out[:, 5] = (normals * rays).sum(1)
    out[:, 6] = np.log1p(distance) if seen else 0.0
    out[:, 7] = normals[:, 2] if seen or up is not None else np.abs(normals[:, 2])
    if up is not None and len(points):
        height = points @ up
        out[:, 8] = 1.0
        out[:, 9] = (normals @ up) if seen else np.abs(normals @ up)
        out[:, 10] = np.clip(height - np.percentile(height, 1), 0, 4)
        out[:, 11] = np.clip(np.percentile(height, 99) - height, 0, 4)
    return out


def canonical_rotation(
    points: NDArray[np.float32], viewpoint: NDArray[np.float32] | None, up: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """(3, 3) rotation into the network's canonical frame: z along ``up``; towards the sensor if up is unknown; the
    identity if neither is known (scans are z-up)."""
    if up is not None:
        z = up.astype(np.float64)
    elif viewpoint is not None and len(points):
        z = (viewpoint - points.mean(0)).astype(np.float64)
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
        graph, rays = build_graph(points, scale, config.neighbors, seen_from, up, clock)
        if depth == 0:
            normals = graph.normals @ turn
        distance = np.zeros(len(points), np.float32)
        if seen_from is not None:
            distance = np.linalg.norm(points - seen_from, axis=1)
        inputs = voxel_features(
            points, graph.normals, graph.shape, graph.found, rays, distance, up, scale.edges, config.neighbors
        )
        position = points if fovea is None else fovea.compress(points)
        parents, offsets, coarse, coarser = None, np.zeros_like(points), points, scale
        if depth + 1 < len(config.channels):
            parents, offsets, coarse, coarser = _halved(points, scale)
        position = position / np.float32(grid.size)
        levels.append(Level(inputs, graph.neighbors, graph.edges, parents, offsets, position, float(2**depth)))
        points, scale = coarse, coarser
    return Hierarchy(tuple(levels), grid.size, normals)


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
