"""Compiles the map's kernels before they are needed."""

from __future__ import annotations

import numpy as np

from ..types import Box, Camera, PointCloud, Scene, SceneObject
from .config import MapConfig
from .map import ObjectMap


def warm_up() -> None:
    """Compile the map's kernels, so that the first cloud does not wait."""
    camera = Camera(40, 30, 40.0, 40.0, 19.5, 14.5)
    cloud = PointCloud.from_depth(np.ones((30, 40), np.float32), camera, np.zeros((30, 40, 3), np.uint8))
    box = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32))
    thing = SceneObject("object", 1.0, box, np.zeros(3, np.float32), np.ones(1, np.float32), None, len(cloud))
    objects = ObjectMap(MapConfig(confirm_seconds=0.0))
    bare = PointCloud(cloud.points, cloud.colors, viewpoint=cloud.viewpoint)  # as from a sensor that sends no image
    for step, seen in enumerate((cloud, cloud, bare)):
        objects.update(Scene(np.zeros(len(cloud), np.int32), (thing,)), seen, np.eye(4), step * 500_000_000)
    objects.snapshot()
