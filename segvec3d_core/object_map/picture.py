"""A sensor's unorganised cloud as a picture: what is looked through is only told along rays.

Many drivers send the points that returned and nothing else (realsense2_camera unless ``ordered_pc`` is set). In the
sensor's own frame they lie on its rays, and a camera of our own, whose pixels are somewhat wider than the points lie
apart, sees them as an image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..types import Camera, PointCloud, Scene

POINTS_A_PIXEL = 2.0
"""So many points fall into a pixel where they are spread evenly: hardly one is then empty by chance."""

FEWEST = 500
"""Of fewer points no picture is made."""


def pictured(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud]:
    """The cloud, and the scene's labels with it, as the image that a camera at its origin would take.

    Args:
        scene: one label for each point; cloud: from its sensor, whose frame is an optical one.

    Returns:
        both as they are where the cloud has a camera, or does not lie in an optical frame; else a scene and a cloud
        of the pixels of a camera: in each the nearest of its points, or nan.
    """
    if cloud.camera is not None or not cloud.is_optical:
        return scene, cloud
    seen = np.flatnonzero(np.isfinite(cloud.points).all(1) & (cloud.points[:, 2] > 0))
    if len(seen) < FEWEST:
        return scene, cloud
    camera = _camera(cloud.points[seen])
    nearest = _nearest(cloud.points, seen, camera.fx, camera.cx, camera.cy, camera.width, camera.height)
    points, labels = np.full((len(nearest), 3), np.nan, np.float32), np.full(len(nearest), -1, np.int32)
    filled = nearest >= 0
    points[filled], labels[filled] = cloud.points[nearest[filled]], scene.labels[nearest[filled]]
    colors = None
    if cloud.colors is not None:
        colors = np.zeros(points.shape, np.uint8)
        colors[filled] = cloud.colors[nearest[filled]]
    image = PointCloud(points, colors, cloud.up, cloud.viewpoint, camera)
    return replace(scene, labels=labels), image


def _camera(points: NDArray[np.float32]) -> Camera:
    """A camera with square pixels that sees nearly all of (N, 3) points before it."""
    some = points[:: max(1, len(points) // 20_000)]
    slope = some[:, :2] / some[:, 2:]
    low, high = np.percentile(slope, [0.2, 99.8], axis=0).astype(np.float64)
    width, height = np.maximum(high - low, 1e-2)
    focal = float(np.sqrt(len(points) / POINTS_A_PIXEL / (width * height)))
    columns, rows = (max(2, int(np.ceil(focal * side))) for side in (width, height))
    return Camera(columns, rows, focal, focal, float(-focal * low[0]), float(-focal * low[1]))


@njit(cache=True, nogil=True)
def _nearest(points, seen, focal, cx, cy, width, height):  # type: ignore[no-untyped-def]  # compiled
    """(height * width,) int64 the nearest of the points ``seen`` in each pixel, -1 for none."""
    nearest = np.full(height * width, -1, np.int64)
    for i in seen:
        x, y, z = points[i]
        column, row = int(np.floor(focal * x / z + cx + 0.5)), int(np.floor(focal * y / z + cy + 0.5))
        if 0 <= column < width and 0 <= row < height:
            pixel = row * width + column
            if nearest[pixel] < 0 or z < points[nearest[pixel], 2]:
                nearest[pixel] = i
    return nearest
