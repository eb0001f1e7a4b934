"""Baseline: plane removal followed by DBSCAN.

The classic method for table tops. Every evaluation computes it in the same run and scores it by the same metrics.
SegVec3D itself uses none of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.clustering import drop_small
from segvec3d_core.config import SegmentationConfig
from segvec3d_core.geometry import oriented_box
from segvec3d_core.types import PointCloud, Scene, SceneObject
from segvec3d_core.voxels import usable

REACH = 1_000.0
"""Points farther than this from the median of a cloud, metres, are left out: their voxel indices would overflow."""


@dataclass(frozen=True, slots=True)
class PlaneDbscan:
    """Plane removal by RANSAC, then Open3D's DBSCAN on voxels.

    A scan, which has no viewpoint, is sparser than a frame and would fall apart with a frame's constants. The constants
    for scans were chosen on real rooms, in favour of this method.

    Attributes:
        plane_distance: points within this distance of the plane belong to it, metres.
        voxel_size: voxel edge, metres.
        eps: DBSCAN's radius, metres.
        scan_voxel_size: voxel edge in a scan, metres, or the median spacing of its points if that is larger.
        scan_eps: DBSCAN's radius in a scan, metres, or two voxel edges if that is larger.
        min_voxels: DBSCAN's minimum number of voxels around a core voxel.
        min_points: clusters of fewer points are dropped.
        seed: of Open3D's random generator.
    """

    plane_distance: float = 0.010
    voxel_size: float = 0.005
    eps: float = 0.015
    scan_voxel_size: float = 0.010
    scan_eps: float = 0.030
    min_voxels: int = 5
    min_points: int = 300
    seed: int = 0

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        """The clusters as a scene of objects with boxes and score 1; ``config`` is ignored."""
        labels = self.labels(cloud)
        order = np.argsort(labels, kind="stable")
        starts = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
        objects = []
        for k in range(len(starts) - 1):
            points = cloud.points[order[starts[k] : starts[k + 1]]]
            box, centroid = oriented_box(points, cloud.up), points.mean(0, dtype=np.float64).astype(np.float32)
            objects.append(SceneObject("object", 1.0, box, centroid, np.empty(0, np.float32), None, len(points)))
        return Scene(labels, tuple(objects))

    def labels(self, cloud: PointCloud) -> NDArray[np.int32]:
        """(N,) int32 cluster of each point, 0 to K - 1; -1 for the plane, noise and points without a return."""
        import open3d as o3d

        labels = np.full(len(cloud), -1, np.int32)
        seen = np.flatnonzero(usable(cloud.points))
        if len(seen) < 3:
            return labels
        seen = seen[(np.abs(cloud.points[seen] - np.median(cloud.points[seen], 0)) < REACH).all(1)]
        o3d.utility.random.seed(self.seed)
        points = cloud.points[seen]
        whole = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points.astype(np.float64)))
        voxel_size, eps = self._sizes(whole, cloud.viewpoint is None)
        sparse = whole.voxel_down_sample(voxel_size)
        if len(sparse.points) < 3:
            return labels
        plane, _ = sparse.segment_plane(self.plane_distance, ransac_n=3, num_iterations=500)
        off_plane = np.abs(points @ plane[:3].astype(np.float32) + np.float32(plane[3])) > self.plane_distance
        rest, points = seen[off_plane], points[off_plane]
        if not len(rest):
            return labels
        labels[rest] = self._cluster(points, voxel_size, eps)
        return drop_small(labels.astype(np.int64), self.min_points).astype(np.int32)

    def _sizes(self, cloud: Any, scan: bool) -> tuple[float, float]:
        """Voxel edge and DBSCAN radius for an Open3D cloud, metres."""
        if not scan:
            return self.voxel_size, self.eps
        spacing = float(np.median(np.asarray(cloud.compute_nearest_neighbor_distance())))
        voxel_size = max(self.scan_voxel_size, spacing)
        return voxel_size, max(self.scan_eps, 2 * voxel_size)

    def _cluster(self, points: NDArray[np.float32], voxel_size: float, eps: float) -> NDArray[np.int32]:
        """(N,) DBSCAN cluster of each point, that of its voxel; -1 for noise."""
        import open3d as o3d

        cells = np.floor((points - points.min(0)) / np.float32(voxel_size)).astype(np.int64)
        key = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
        _, first, inverse, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        sums = np.stack([np.bincount(inverse, points[:, axis], len(first)) for axis in range(3)], 1)
        voxels = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(sums / counts[:, None]))
        clusters = np.asarray(voxels.cluster_dbscan(eps, self.min_voxels), np.int32)
        return clusters[inverse]
