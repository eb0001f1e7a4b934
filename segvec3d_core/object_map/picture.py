"""A sensor's unorganised cloud as a picture: what is looked through is only told along rays.

Many drivers send the points that returned and nothing else (realsense2_camera unless ``ordered_pc`` is set), or send
them in a frame whose x is forward, where no image can be read off their rows and columns. In the sensor's own frame
they lie on its rays, and a camera of our own, whose pixels are somewhat wider than the points lie apart, sees them as
an image.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..types import OPTICAL_AXES, WIDEST, Camera, Float32, PointCloud, Scene

POINTS_A_PIXEL = 2.0
"""So many points fall into a pixel where they are spread evenly: hardly one is then empty by chance."""

FEWEST = 500
"""Of fewer points no picture is made."""


def pictured(scene: Scene, cloud: PointCloud) -> tuple[Scene, PointCloud, Float32]:
    """The cloud, and what the scene says of its points with it, as the image that a camera at its origin would take.

    Args:
        scene: one label for each point; cloud: from its sensor, in whose frame it lies along z or x.

    Returns:
        both as they are where the cloud has a camera, or ``camera_axes`` that nobody knows; else a scene and a cloud of
        the pixels of a camera, in its optical frame: in each the nearest of the cloud's points, or nan. The scene's
        objects are as they were. And (3, 3) that frame's axes in the cloud's, as columns.
    """
    axes = cloud.camera_axes
    if cloud.camera is not None or axes is None:
        return scene, cloud, OPTICAL_AXES
    optical = cloud.points if axes is OPTICAL_AXES else cloud.points @ axes
    camera = _camera(optical)
    if camera is None:
        return scene, cloud, OPTICAL_AXES
    colors = np.empty((0, 3), np.uint8) if cloud.colors is None else cloud.colors
    points, shades, labels = _draw(
        optical, colors, scene.labels, camera.fx, camera.cx, camera.cy, camera.width, camera.height
    )
    up, shown = (None if up is None else up @ axes for up in (cloud.up, scene.up))
    image = PointCloud(points, None if cloud.colors is None else shades, up, cloud.viewpoint, camera)
    return replace(scene, labels=labels, up=shown, camera_axes=OPTICAL_AXES), image, axes


def _camera(points: NDArray[np.float32]) -> Camera | None:
    """A camera with square pixels that sees nearly all of (N, 3) points; None where there are too few."""
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
    """The nearest point in each pixel: (height * width, 3) float32, nan for none; its colour, or (0, 3); its label."""
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
