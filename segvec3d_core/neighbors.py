"""k-nearest-neighbour graphs on voxels (section 3.1 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clock import Clock
from .kernels.grid import band_seams, group_rows, hash_cells
from .kernels.nearest import grid_neighbors
from .kernels.shape import edge_features, local_shape, look_from
from .voxels import Scale


@dataclass(frozen=True, slots=True)
class Graph:
    """Neighbourhoods N(i) of V voxels and their relative geometry.

    Attributes:
        neighbors: (V, k) int64, nearest first; column 0 and padding are the voxel itself.
        found: (V,) int32, number of entries that are not padding.
        normals: (V, 3) float32 unit normals, towards the sensor if it is known, else of arbitrary sign.
        shape: (V, 2) float32 surface variation and linearity.
        edges: (V, k, 10) float32 relative pose r_ij, see ``kernels.shape.edge_features``.
        rays: (V, 3) float32 unit vectors from the sensor to each voxel, and distance: (V,) float32 metres; zero if its
            place is unknown.
    """

    neighbors: NDArray[np.int64]
    found: NDArray[np.int32]
    normals: NDArray[np.float32]
    shape: NDArray[np.float32]
    edges: NDArray[np.float32]
    rays: NDArray[np.float32]
    distance: NDArray[np.float32]


def nearest_neighbors(points: NDArray[np.float32], scale: Scale, k: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """k nearest neighbours of (V, 3) voxel centroids among the 27 grid cells, two voxel edges wide, around each.

    Exact within a radius of two edges; farther neighbours are found if they lie in these cells. Where voxels of two
    sizes meet, each finds the other; across the seam the search is exact within two edges of the finer one.

    Returns:
        neighbors (V, k) int64 and found (V,) int32, see ``Graph``.
    """
    cells = scale.cells(points, 2)
    inverse, first, table = hash_cells(cells)
    order, starts = group_rows(inverse, len(first))
    seams = np.zeros(len(points), np.uint8)
    if scale.fovea is not None and np.isfinite(scale.fovea.reach):
        seams = band_seams(points, scale.bands, scale.size, scale.fovea.eye, scale.fovea.reach)
    return grid_neighbors(points, cells, first, table, order, starts, k, scale.bands, seams, np.float32(scale.size))


def build_graph(
    points: NDArray[np.float32],
    scale: Scale,
    k: int,
    viewpoint: NDArray[np.float32] | None,
    up: NDArray[np.float32] | None,
    clock: Clock | None = None,
) -> Graph:
    """Connect voxels and describe their neighbourhoods.

    Args:
        points: (V, 3) float32 centroids, metres; scale: size of the voxels; k: neighbours, the voxel itself included.
        viewpoint: (3,) sensor position in the same frame, or None; up: (3,) unit vector, or None.
        clock: measures the stages "neighbours", "normals" and "poses".
    """
    clock = clock or Clock()
    with clock("neighbours"):
        neighbors, found = nearest_neighbors(points, scale, k)
    with clock("normals"):
        normals, shape = local_shape(points, neighbors, found, np.float32(scale.size))
        rays, distance = np.zeros_like(points), np.zeros(len(points), np.float32)
        if viewpoint is not None:
            rays, distance = look_from(viewpoint.astype(np.float32), points, normals)
    with clock("poses"):
        direction = np.zeros(3, np.float32) if up is None else up.astype(np.float32)
        edges = edge_features(points, normals, rays, direction, viewpoint is not None, neighbors, scale.edges)
    return Graph(neighbors, found, normals, shape, edges, rays, distance)
