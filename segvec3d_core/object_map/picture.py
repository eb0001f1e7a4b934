"""Turns a sensor's unorganised or rotated cloud into an image, because only rays show what was looked through.

Many drivers send only the points that returned (realsense2_camera unless ``ordered_pc`` is set). In the sensor's own
frame these lie on its rays, so a virtual camera, whose pixels are somewhat wider than the spacing of the points, sees
them as an image. Other drivers send an image, but in a body frame: it is rotated to the optical frame.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..types import BODY_AXES, OPTICAL_AXES, WIDEST, Camera, Float32, PointCloud, Scene, from_body

POINTS_A_PIXEL = 2.0
"""Points per pixel of the virtual camera, on average: with evenly spread points hardly a pixel is empty by chance."""

FEWEST = 500
"""Clouds with fewer points are not turned into an image."""


def pictured(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud, Float32]:
    """Turn a cloud and its scene's labels into the image that a camera at the cloud's origin would take.

    A cloud with a ``body_camera`` is rotated to the optical frame. One with ``camera_axes`` is drawn by a virtual
    camera: each pixel holds the nearest point and its label, or NaN and -1. One that has a camera in the optical frame,
    has no axes, or has too few points is left as it is.

    Args:
        scene: one label for each point. cloud: from one sensor.

    Returns:
        the scene, with its objects unchanged; the cloud; and (3, 3) the axes, as columns, of the frame of both.
    """
    if cloud.body_camera is not None:
        up, shown = (None if up is None else up @ BODY_AXES for up in (cloud.up, scene.up))
        image = PointCloud(from_body(cloud.points), cloud.colors, up, cloud.viewpoint, cloud.body_camera)
        return replace(scene, up=shown, camera_axes=OPTICAL_AXES), image, BODY_AXES
    if cloud.camera is not None or cloud.camera_axes is None or (camera := _camera(cloud.points)) is None:
        return scene, cloud, OPTICAL_AXES
    colors = np.empty((0, 3), np.uint8) if cloud.colors is None else cloud.colors
    points, shades, labels = _draw(
        cloud.points, colors, scene.labels, camera.fx, camera.cx, camera.cy, camera.width, camera.height
    )
    image = PointCloud(points, None if cloud.colors is None else shades, cloud.up, cloud.viewpoint, camera)
    return replace(scene, labels=labels), image, OPTICAL_AXES


def _camera(points: NDArray[np.float32]) -> Camera | None:
    """A camera with square pixels that sees nearly all of (N, 3) points; None if there are too few."""
    step = max(1, len(points) // 20_000)
    some = points[::step]
    some = some[np.abs(some[:, :2]).max(1) < WIDEST * some[:, 2]]
    count = len(some) * step
    if count < FEWEST:
        return None
    low, high = np.percentile(some[:, :2] / some[:, 2:], [0.2, 99.8], axis=0).astype(np.float64)
    width, height = np.maximum(high - low, 1e-2)
    focal = float(np.sqrt(count / POINTS_A_PIXEL / (width * height)))
    columns, rows = (max(2, int(np.ceil(focal * side))) for side in (width, height))
    return Camera(columns, rows, focal, focal, float(-focal * low[0]), float(-focal * low[1]))


@njit(cache=True, nogil=True)
def _draw(points, colors, labels, focal, cx, cy, width, height):  # type: ignore[no-untyped-def]  # compiled
    """The nearest point in each pixel: (height * width, 3) float32, NaN for none; (height * width, 3) uint8 its colour,
    or (0, 3) without colours; (height * width,) int32 its label, -1 for none."""
    nearest, depth = np.full(height * width, -1, np.int64), np.full(height * width, np.float32(np.inf))
    for i in range(len(points)):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        if not (z > 0 and np.isfinite(x + y + z)):
            continue
        column, row = int(np.floor(focal * x / z + cx + 0.5)), int(np.floor(focal * y / z + cy + 0.5))
        if 0 <= column < width and 0 <= row < height and z < depth[row * width + column]:
            depth[row * width + column] = z
            nearest[row * width + column] = i
    image, owner = np.full((len(nearest), 3), np.float32(np.nan)), np.full(len(nearest), np.int32(-1))
    shades = np.zeros((len(nearest) if len(colors) else 0, 3), np.uint8)
    for pixel in range(len(nearest)):
        i = nearest[pixel]
        if i < 0:
            continue
        owner[pixel] = labels[i]
        for axis in range(3):
            image[pixel, axis] = points[i, axis]
            if len(colors):
                shades[pixel, axis] = colors[i, axis]
    return image, shades, owner
