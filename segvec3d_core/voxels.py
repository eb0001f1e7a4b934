"""Voxelisation of a cloud, and the mapping back to its points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import BASE_VOXEL, SCAN_VOXEL, SegmentationConfig
from .kernels.grid import BAND_BIT, count_voxels, group_points, hash_cells, mean_colors
from .kernels.ramps import BLURRED, find_ramps, pixels_beside
from .kernels.shape import compress
from .types import FARTHEST, PointCloud

BITS = 16
"""Bits per voxel of the budget for approximate counting, which is then off by a few per thousand."""
FALL = 1.75
"""The number of voxels falls with this power of their edge: by two on smooth surfaces, by less on rough ones and where
voxels are not filled. On eight simulated frames it was 1.73 to 1.91."""
USED = 0.97
"""A voxel size is good enough if it uses this share of the budget."""
SPARSE, ROOMY = 8, 0.7
"""If every ``SPARSE``-th point occupies at most ``ROOMY`` of the budget, the whole cloud mostly fits, and counting is
skipped; if it does not fit after all, its voxels are counted then."""
FILLED, MEDIAN_POINTS = 2.5, 2
"""Doubling the voxel edge leaves a quarter of a surface's voxels, but nearly all of those of points that lie farther
apart than that. A cloud is sparse if it has fewer than ``FILLED`` voxels for each one of twice the edge and the median
voxel holds at most ``MEDIAN_POINTS``, which excludes dense thin shapes such as poles. Chosen on simulated frames and
scans with part of the points left out (docs/experiments.md)."""
STEP, COARSEST, FEWEST = 2**0.5, 6.0, 100
"""Factor by which the voxel edge of a sparse cloud grows at a time, and in all: larger voxels would hold whole objects.
With fewer voxels than ``FEWEST`` sparsity is not judged."""


@dataclass(frozen=True, slots=True)
class Fovea:
    """Voxels that grow with distance, like the footprint of a camera's pixels.

    Up to ``reach`` voxels have the finest edge; it doubles at ``reach`` and with each further doubling of the distance,
    at most ``kernels.grid.LAST_BAND`` times.

    Attributes:
        eye: (3,) float32 point from which distance is measured, metres.
        reach: metres; inf for voxels of one size.
    """

    eye: NDArray[np.float32]
    reach: float

    def compress(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move (N, 3) points beyond ``reach`` closer along their rays, so that a voxel of any band has about unit size.

        The distance r becomes reach * (1 + log(r / reach)), which is monotonic and invertible.
        """
        if not np.isfinite(self.reach):
            return points
        moved: NDArray[np.float32] = compress(points, self.eye, np.float32(self.reach))
        return moved


@dataclass(frozen=True, slots=True)
class Scale:
    """The size of each voxel.

    Attributes:
        size: finest edge, metres; bands: (V,) int64, number of times each voxel's edge has doubled.
        fovea: where edges double, its eye in the frame of the voxels; None for voxels of one size.
    """

    size: float
    bands: NDArray[np.int64]
    fovea: Fovea | None = None

    @classmethod
    def uniform(cls, size: float, count: int) -> Scale:
        """``count`` voxels of one size."""
        return cls(size, np.zeros(count, np.int64))

    @property
    def edges(self) -> NDArray[np.float32]:
        """(V,) edge of each voxel, metres."""
        return np.float32(self.size) * (1 << self.bands).astype(np.float32)

    def cells(self, points: NDArray[np.float32], voxels: int) -> NDArray[np.int64]:
        """(V, 3) int64 coordinates of the cells, ``voxels`` edges wide, that contain (V, 3) points.

        The band is encoded in z, so that cells of different bands never coincide.
        """
        cells = np.floor(points / (voxels * self.edges)[:, None]).astype(np.int64)
        cells[:, 2] += self.bands << BAND_BIT
        return cells


@dataclass(frozen=True, slots=True)
class VoxelGrid:
    """Occupied voxels of a cloud, and the mapping back to its points.

    Attributes:
        coords: (V, 3) int64, integer voxel coordinates, in units of the voxel's own edge.
        inverse: (N,) int64, voxel of each point: ``coords[inverse[i]]`` holds point i; -1 for points left out.
        centroids: (V, 3) float32, mean of each voxel's points, metres relative to ``origin``.
        origin: (3,) float64, metres; keeps float32 centroids precise for clouds far from their frame's origin.
        colors: (V, 3) float32 mean RGB, 0 to 1, or None.
        counts: (V,) int32, points in each voxel.
        size: edge of the finest voxels, metres.
        bands: (V,) int64, number of times each voxel's edge has doubled.
        fovea: where edges double; None for voxels of one size.
    """

    coords: NDArray[np.int64]
    inverse: NDArray[np.int64]
    centroids: NDArray[np.float32]
    origin: NDArray[np.float64]
    colors: NDArray[np.float32] | None
    counts: NDArray[np.int32]
    size: float
    bands: NDArray[np.int64]
    fovea: Fovea | None = None

    def __len__(self) -> int:
        return len(self.coords)

    @property
    def scale(self) -> Scale:
        """Size of each voxel; the fovea's eye is relative to ``origin``, as the centroids are."""
        if self.fovea is None:
            return Scale(self.size, self.bands)
        eye = (self.fovea.eye - self.origin).astype(np.float32)
        return Scale(self.size, self.bands, Fovea(eye, self.fovea.reach))


def usable(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) bool, which of (N, 3) points are finite and within ``FARTHEST``."""
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(points) < FARTHEST).all(1))


def wanted_points(cloud: PointCloud, config: SegmentationConfig) -> NDArray[np.bool_] | None:
    """(N,) bool, points inside range and crop box; None if neither is limited."""
    limited = config.min_range > 0 or np.isfinite(config.max_range)
    if not limited and config.crop_min is None and config.crop_max is None:
        return None
    mask = usable(cloud.points)
    with np.errstate(invalid="ignore", over="ignore"):
        if limited:
            centre = np.zeros(3, np.float32) if cloud.viewpoint is None else cloud.viewpoint
            distance = np.linalg.norm(cloud.points - centre, axis=1)
            mask &= (distance >= config.min_range) & (distance <= config.max_range)
        if config.crop_min is not None:
            mask &= (cloud.points >= np.asarray(config.crop_min, np.float32)).all(1)
        if config.crop_max is not None:
            mask &= (cloud.points <= np.asarray(config.crop_max, np.float32)).all(1)
    return mask


def without_ramps(
    cloud: PointCloud, wanted: NDArray[np.bool_] | None
) -> tuple[NDArray[np.bool_] | None, NDArray[np.int64] | None]:
    """Remove the pixels of a blurred depth image that lie between two surfaces, on neither of them.

    An image with sharp edges is left unchanged: an equally steep slope in it is a surface seen edge on.

    Returns:
        ``wanted`` (N,) bool without these pixels, and (N,) int64 index of the pixel whose label each pixel takes;
        ``wanted`` as given and None if the cloud is no image or its edges are sharp.
    """
    camera = cloud.any_camera
    if camera is None:
        return wanted, None
    forward, size = 2 if cloud.body_camera is None else 0, (camera.width, camera.height)
    on, ramps, edges = find_ramps(cloud.points, forward, *size, float(camera.fx), float(camera.fy))
    if ramps <= BLURRED * edges:
        return wanted, None
    left = ~on if wanted is None else wanted & ~on
    return left, pixels_beside(cloud.points, forward, *size, on if wanted is None else wanted & on, left)


def voxelize(
    points: NDArray[np.float32],
    size: float,
    colors: NDArray[np.uint8] | None = None,
    mask: NDArray[np.bool_] | None = None,
    max_voxels: int | None = None,
    fovea: Fovea | None = None,
) -> VoxelGrid:
    """Group points into voxels.

    Args:
        points: (N, 3) float32, metres; rows that are not ``usable`` are left out.
        size: finest voxel edge, metres.
        colors: (N, 3) uint8, or None.
        mask: (N,) bool, points to keep of the usable ones, or None for all.
        max_voxels: the edge grows until there are at most this many voxels; None for no limit.
        fovea: how voxels grow with distance; None for voxels of one size.

    Raises:
        ValueError: a voxel edge that is not positive.
    """
    if not size > 0:
        raise ValueError(f"voxel size: expected a positive length in metres, got {size}")
    keep = np.zeros(0, bool) if mask is None else mask
    origin = _origin(points, keep, size)
    eye, reach = (np.zeros(3), np.inf) if fovea is None else (fovea.eye.astype(np.float64), fovea.reach)
    limit = len(points) if max_voxels is None else max_voxels
    bits = 1 << (BITS * limit - 1).bit_length()

    def count(edge: float, every: int = 1) -> float:
        few, kept = (np.ascontiguousarray(values[::every]) for values in (points, keep))
        return float(count_voxels(few, kept, FARTHEST, origin, edge, eye, reach, bits))

    if len(points) > limit and count(size, SPARSE) > ROOMY * limit:
        size = _fitting(count, size, 0.99 * limit)
    while True:
        inverse, coords, sums, counts = group_points(points, keep, FARTHEST, origin, size, eye, reach)
        if len(coords) <= limit:
            break
        fitting = _fitting(count, size, 0.99 * limit)
        size = fitting if fitting > size else size * _growth(len(coords), limit)
    centroids = (sums / counts[:, None]).astype(np.float32)
    voxel_colors = None if colors is None else mean_colors(colors, inverse, counts)
    bands = (coords[:, 2] + (1 << (BAND_BIT - 1))) >> BAND_BIT
    coords[:, 2] -= bands << BAND_BIT
    return VoxelGrid(coords, inverse, centroids, origin, voxel_colors, counts, float(size), bands, fovea)


def voxels_of(
    points: NDArray[np.float32],
    colors: NDArray[np.uint8] | None,
    viewpoint: NDArray[np.float32] | None,
    config: SegmentationConfig,
    mask: NDArray[np.bool_] | None = None,
) -> VoxelGrid:
    """Voxelise a cloud for segmentation.

    The edge is ``config.voxel_size`` if given. Otherwise it fits the voxel budget and the spacing of the points and, in
    a frame, grows with distance.

    Args:
        points: (N, 3) float32, metres; colors: (N, 3) uint8, or None; mask: (N,) bool, points to keep, or None for all.
        viewpoint: (3,) float32 sensor position of a frame; None for a fused scan.
    """
    if config.voxel_size is not None:
        return voxelize(points, config.voxel_size, colors, mask)
    if viewpoint is None:
        finest, budget, fovea = SCAN_VOXEL, config.max_scan_voxels, None
    else:
        finest, budget, fovea = BASE_VOXEL, config.max_voxels, Fovea(viewpoint, config.fovea)
    grid = voxelize(points, finest, colors, mask, budget, fovea)
    while grid.size * STEP <= COARSEST * finest and _is_sparse(grid):
        grid = voxelize(points, grid.size * STEP, colors, mask, budget, fovea)
    return grid


def _is_sparse(grid: VoxelGrid) -> bool:
    """Whether the points lie so far apart that the voxels do not form closed surfaces."""
    if len(grid) < FEWEST or np.median(grid.counts) > MEDIAN_POINTS:
        return False
    twice = grid.coords >> 1
    twice[:, 2] += grid.bands << BAND_BIT
    return len(grid) < FILLED * len(hash_cells(twice)[1])


def _growth(count: float, most: float) -> float:
    """Factor by which the edge must grow, see ``FALL``."""
    return max(1.01, (count / most) ** (1 / FALL))


def _fitting(count: Callable[[float], float], size: float, most: float) -> float:
    """The edge, at least ``size``, that gives at most ``most`` voxels and not many fewer.

    Args:
        count: number of voxels for an edge.
    """
    small, many = size, count(size)
    if many <= most:
        return size
    large = small * _growth(many, most)
    while (few := count(large)) > most:
        small, many, large = large, few, large * _growth(few, most)
    for _ in range(4):
        if few > USED * most:
            break
        middle = small * (large / small) ** (np.log(many / (0.99 * most)) / np.log(many / few))
        between = count(middle)
        if between > most:
            small, many = middle, between
        else:
            large, few = middle, between
    return float(large)


def _origin(points: NDArray[np.float32], keep: NDArray[np.bool_], size: float) -> NDArray[np.float64]:
    """A multiple of the edge near the median of about a thousand of the points."""
    step = max(1, len(points) // 1000)
    few = points[::step]
    few = few[usable(few) & (keep[::step] if len(keep) else True)]
    if len(few) == 0:
        return np.zeros(3)
    return np.asarray(np.floor(np.median(few.astype(np.float64), 0) / size) * size)
