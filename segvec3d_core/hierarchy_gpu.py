"""The hierarchy in plain torch for GPUs, equivalent to ``hierarchy.build_hierarchy`` with its CPU kernels.

It runs on any device. Tests compare both on the CPU: neighbours are the same, all numbers equal up to rounding.
V voxels, k neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .config import NetworkConfig
from .hierarchy import Hierarchy, Level, canonical_rotation
from .kernels.grid import BAND_BIT, LAST_BAND
from .kernels.shape import VOXEL_FEATURES
from .network import add_up
from .voxels import VoxelGrid

HASH = (-7046029254386353131, -4417276706812531889, 1609587929392839161)
"""Odd 64-bit numbers (those of xxHash). A cell's key is the dot product of its coordinates with these, modulo 2^64: the
probability of any collision among a million cells is 3e-8, and keys of adjacent cells differ by a constant."""
ROWS, CANDIDATES = 1 << 15, 1 << 22
"""Voxels searched and pairs compared at a time; this bounds the memory, at about 60 bytes per pair."""
FAR = 0x7F800000 << 32
"""Rank of entries that are no candidates: after all finite distances."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """``voxels.Scale`` on a device.

    Attributes:
        size: finest edge, metres; bands: (V,) int64; eye: (3,) float32; reach: metres, inf for voxels of one size.
        hash: (3,) int64, ``HASH``; beside: (27,) int64, differences between the keys of the cells around one and its
            own.
        edges: (V,) float32 edge of each voxel, metres.
    """

    size: float
    bands: Tensor
    eye: Tensor
    reach: float
    hash: Tensor
    beside: Tensor
    edges: Tensor

    @classmethod
    def of(cls, grid: VoxelGrid, eye: Tensor) -> _Scale:
        bands, reach = torch.from_numpy(grid.bands).to(eye.device), math.inf if grid.fovea is None else grid.fovea.reach
        step, factors = torch.arange(-1, 2, device=eye.device), torch.tensor(HASH, device=eye.device)
        beside = (torch.cartesian_prod(step, step, step) * factors).sum(1)
        return cls(grid.size, bands, eye, reach, factors, beside, _edges(bands, grid.size))

    def coarser(self, bands: Tensor) -> _Scale:
        """The next level's scale: twice the edge, with (V,) ``bands`` of its voxels."""
        return replace(self, size=2 * self.size, bands=bands, edges=_edges(bands, 2 * self.size))

    def keys(self, points: Tensor, bands: Tensor) -> Tensor:
        """(V,) keys of the cells, two edges of the given bands wide, that contain (V, 3) points."""
        cells = (points / (2 * _edges(bands, self.size))[:, None]).floor().long()
        cells[:, 2] += bands << BAND_BIT
        return (cells * self.hash).sum(1)

    def compress(self, points: Tensor) -> Tensor:
        """``Fovea.compress``."""
        if math.isinf(self.reach):
            return points
        away = points - self.eye
        r = (away.norm(dim=1, keepdim=True) / self.reach).clamp_min(1)
        return self.eye + away * ((1 + r.log()) / r)


def _edges(bands: Tensor, size: float) -> Tensor:
    return (1 << bands).float() * size


@torch.inference_mode()
def build_hierarchy(
    grid: VoxelGrid,
    viewpoint: NDArray[np.float32] | None,
    up: NDArray[np.float32] | None,
    config: NetworkConfig,
    device: torch.device,
) -> Hierarchy[Tensor]:
    """Voxels at every level with their graphs, on ``device``; arguments as for ``hierarchy.build_hierarchy``."""
    there = None if viewpoint is None else (viewpoint - grid.origin).astype(np.float32)
    turn = canonical_rotation(grid.centroids, there, up)

    def turned(values: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy(values @ turn.T).to(device)

    points, fovea = turned(grid.centroids), grid.scale.fovea
    scale = _Scale.of(grid, points.new_zeros(3) if fovea is None else turned(fovea.eye))
    seen_from, upward = None if there is None else turned(there), None if up is None else turned(up.astype(np.float32))
    levels: list[Level[Tensor]] = []
    normals: Tensor = points
    for depth in range(len(config.channels)):
        rays, distance = None, points.new_zeros(len(points))
        if seen_from is not None:
            rays = points - seen_from
            distance = rays.norm(dim=1)
            rays /= distance.clamp_min(1e-6)[:, None]
        neighbors, found = nearest_neighbors(points, scale, config.neighbors)
        mine, shape = local_shape(points, neighbors, found, scale.size)
        if rays is not None:
            mine *= torch.where((mine * rays).sum(1, keepdim=True) > 0, -1.0, 1.0)
        if depth == 0:
            normals = mine
        known = _voxel_features(points, mine, shape, found, rays, distance, upward, scale.edges, config.neighbors)
        edges = edge_features(points, mine, rays, upward, neighbors, scale.edges)
        position = scale.compress(points) / grid.size
        parents, offsets, coarse, coarser = None, torch.zeros_like(points), points, scale
        if depth + 1 < len(config.channels):
            parents, offsets, coarse, coarser = _halved(points, scale)
        levels.append(Level(known, neighbors, edges, parents, offsets, position, float(2**depth)))
        points, scale = coarse, coarser
    return Hierarchy(tuple(levels), grid.size, normals.cpu().numpy() @ turn)


def nearest_neighbors(points: Tensor, scale: _Scale, k: int) -> tuple[Tensor, Tensor]:
    """``neighbors.nearest_neighbors``: (V, k) int64, nearest first, padded with the voxel itself, and (V,) int32 number
    of entries that are not padding."""
    keys, order = scale.keys(points, scale.bands).sort()
    seams = _seams(points, scale)
    neighbors = torch.arange(len(points), device=points.device)[:, None].repeat(1, k)
    found = torch.ones(len(points), dtype=torch.int32, device=points.device)
    beside_seam = seams.any(1)
    alone, both = (~beside_seam).nonzero()[:, 0], beside_seam.nonzero()[:, 0]
    work = [(rows, (0,)) for rows in alone.split(ROWS)] + [(rows, (0, -1, 1)) for rows in both.split(ROWS)]
    for rows, sides in work:
        if len(rows) == 0:
            continue
        runs = _runs(points, scale, seams, rows, sides, keys)
        most = int((runs[1] - runs[0]).max())
        some = max(CANDIDATES // (runs[0].shape[1] * most), 1)
        for part, first, last in zip(rows.split(some), runs[0].split(some), runs[1].split(some), strict=True):
            ids, real = _nearest(points, part, first, last, most, order, k)
            neighbors[part, : ids.shape[1]] = ids
            found[part] = real
    return neighbors, found


def _seams(points: Tensor, scale: _Scale) -> Tensor:
    """(V, 2) bool, whether a voxel is so near the seam to the finer, and to the coarser, band that it may have
    neighbours beyond it (``kernels.grid.band_seams``)."""
    if math.isinf(scale.reach):
        return torch.zeros(len(points), 2, dtype=torch.bool, device=points.device)
    distance = (points - scale.eye).norm(dim=1)
    far = scale.reach * (1 << scale.bands).float()
    finer = (scale.bands > 0) & (distance - 0.5 * far < 3 * scale.edges)
    return torch.stack([finer, (scale.bands < LAST_BAND) & (far - distance < 6 * scale.edges)], 1)


def _runs(
    points: Tensor, scale: _Scale, seams: Tensor, rows: Tensor, sides: tuple[int, ...], keys: Tensor
) -> tuple[Tensor, Tensor]:
    """Start and end, in the sorted ``keys`` of voxels, of the 27 cells around each of M ``rows`` -> (M, 27 S) each.

    ``sides`` lists the S bands to search relative to the voxel's own: 0, and near seams also -1 and 1.
    """
    begins, ends = [], []
    for side in sides:
        there = scale.bands[rows] + side
        around = scale.keys(points[rows], there.clamp_min(0))[:, None] + scale.beside
        first, last = torch.searchsorted(keys, around), torch.searchsorted(keys, around, right=True)
        if side:
            last = torch.where(seams[rows, (side + 1) // 2, None], last, first)
        begins.append(first)
        ends.append(last)
    return torch.cat(begins, 1), torch.cat(ends, 1)


def _nearest(
    points: Tensor, rows: Tensor, first: Tensor, last: Tensor, most: int, order: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """The nearest of the voxels ``order[first:last]`` to each of ``rows`` -> (M, k or fewer) indices and (M,) number of
    them that are not padding.

    Distance and index are packed into one integer, which sorts by distance and, at equal distance, by index.
    """
    at = first[:, :, None] + torch.arange(most, device=rows.device)
    real = (at < last[:, :, None]).flatten(1)
    others = order[at.flatten(1).clamp_max(len(order) - 1)]
    x, y, z = (points[others] - points[rows, None]).unbind(2)
    squared = x * x + y * y + z * z
    ranks = (squared.view(torch.int32).long() << 32) | others
    ranks = torch.where(others == rows[:, None], -1, ranks)  # the voxel itself comes first
    ranks = torch.where(real, ranks, FAR)
    best = ranks.topk(min(k, ranks.shape[1]), largest=False).values
    ids = torch.where((best < 0) | (best >= FAR), rows[:, None], best & 0xFFFFFFFF)
    return ids, (best < FAR).sum(1, dtype=torch.int32)


def local_shape(points: Tensor, neighbors: Tensor, found: Tensor, size: float) -> tuple[Tensor, Tensor]:
    """``kernels.shape.local_shape``: (V, 3) normals of arbitrary sign, (V, 2) surface variation and linearity."""
    away = (points[neighbors] - points[:, None]).double() / size
    total, count = away.sum(1), found.double()[:, None, None]
    scatter = (away[..., None] * away[:, :, None]).sum(1) - total[:, :, None] * total[:, None] / count
    values, normals = _smallest_eigen(scatter)
    low, middle, high = values
    variation = torch.where(low + middle + high > 1e-9, low.clamp_min(0) / (low + middle + high), 0.0)
    linearity = torch.where(high > 1e-9, 1 - middle.clamp_min(0) / high, 0.0)
    return normals.float(), torch.stack([variation, linearity], 1).float()


def _smallest_eigen(matrix: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], Tensor]:
    """Eigenvalues of symmetric (V, 3, 3) matrices, ascending, and the (V, 3) eigenvector of the smallest
    (trigonometric)."""
    identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    q = matrix.diagonal(dim1=1, dim2=2).mean(1)
    shifted = matrix - q[:, None, None] * identity
    p = (shifted.square().sum((1, 2)) / 6).sqrt()
    flat = p < 1e-12
    scaled = shifted / torch.where(flat, 1.0, p)[:, None, None]
    a, b, c = scaled.unbind(1)
    determinant = (a * torch.linalg.cross(b, c)).sum(1)
    phi = (0.5 * determinant).clamp(-1, 1).acos() / 3
    high, low = q + 2 * p * phi.cos(), q + 2 * p * (phi + 2 * math.pi / 3).cos()
    # The eigenvector is orthogonal to the rows of M - low I: take the longest of their cross products.
    a, b, c = (matrix - low[:, None, None] * identity).unbind(1)
    normals = torch.stack([torch.linalg.cross(*pair) for pair in ((a, b), (a, c), (b, c))], 1)
    squared = normals.square().sum(2)
    longest, which = squared.max(1)
    normal = normals[torch.arange(len(normals), device=normals.device), which]
    normal = normal / longest.clamp_min(1e-30).sqrt()[:, None]
    normal = torch.where((flat | (longest < 1e-30))[:, None], identity[2], normal)
    return (torch.where(flat, q, low), torch.where(flat, q, 3 * q - low - high), torch.where(flat, q, high)), normal


def edge_features(
    points: Tensor, normals: Tensor, rays: Tensor | None, up: Tensor | None, neighbors: Tensor, sizes: Tensor
) -> Tensor:
    """``kernels.shape.edge_features``: (V, k, 10); rays (V, 3) and up (3,) are None if unknown."""
    offset = (points[neighbors] - points[:, None]) * (0.5 / sizes)[:, None, None]
    length = offset.norm(dim=2)
    others = normals[neighbors]
    own, other = (normals[:, None] * offset).sum(2), (others * offset).sum(2)
    cosine, nothing = (normals[:, None] * others).sum(2), torch.zeros_like(length)
    convexity = nothing
    if rays is None:
        own, other, cosine = own.abs(), other.abs(), cosine.abs()
    else:
        convexity = (other - own) / (length + 1e-3)
    along = nothing if rays is None else (rays[:, None] * offset).sum(2)
    rest = [length, own, other, cosine, convexity, along, nothing if up is None else offset @ up]
    return torch.cat([offset, torch.stack(rest, 2)], 2)


def _voxel_features(
    points: Tensor, normals: Tensor, shape: Tensor, found: Tensor, rays: Tensor | None, distance: Tensor,
    up: Tensor | None, edges: Tensor, k: int,
) -> Tensor:  # fmt: skip
    """``kernels.shape.voxel_features``."""
    out = points.new_zeros(len(points), VOXEL_FEATURES)
    out[:, 0] = shape[:, 0] * 3
    out[:, 1] = shape[:, 1]
    out[:, 2] = found / k
    out[:, 3] = (edges / 0.01).log()
    if rays is not None:
        out[:, 4] = 1
        out[:, 5] = (normals * rays).sum(1)
        out[:, 6] = distance.log1p()
    out[:, 7] = normals[:, 2] if rays is not None or up is not None else normals[:, 2].abs()
    if up is not None:
        height, upright = points @ up, normals @ up
        low, high = _percentiles(height, (1, 99))
        out[:, 8] = 1
        out[:, 9] = upright.abs() if rays is None else upright
        out[:, 10] = (height - low).clamp(0, 4)
        out[:, 11] = (high - height).clamp(0, 4)
    return out


def _percentiles(values: Tensor, percents: tuple[int, ...]) -> list[Tensor]:
    """As ``np.percentile``; ``torch.quantile`` is limited to 16 million values."""
    ordered, found = values.sort().values, []
    for percent in percents:
        at = (len(values) - 1) * percent / 100
        low, high = ordered[math.floor(at)], ordered[math.ceil(at)]
        found.append(low + (high - low) * (at % 1))
    return found


def _halved(points: Tensor, scale: _Scale) -> tuple[Tensor, Tensor, Tensor, _Scale]:
    """``hierarchy._halved``: parents numbered by their first child."""
    keys, cell = scale.keys(points, scale.bands).unique(return_inverse=True)
    rows = torch.arange(len(points), device=points.device)
    first = rows.new_full((len(keys),), len(points)).scatter_reduce_(0, cell, rows, "amin")
    first, by_first = first.sort()
    number = torch.empty_like(by_first)
    number[by_first] = torch.arange(len(keys), device=points.device)
    cell = number[cell]
    one = torch.ones(len(points), 1, dtype=torch.float64, device=points.device)
    sums = add_up(torch.cat([points.double(), one], 1), cell, len(keys))
    coarse = (sums[:, :3] / sums[:, 3:]).float()
    offsets = (points - coarse[cell]) / scale.edges[:, None]
    return cell, offsets, coarse, scale.coarser(scale.bands[first])
