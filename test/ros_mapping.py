"""A robot with a map, shared by the ROS tests of the map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from ros_stand_ins import CAMERA, FRAME, Robot, StandInTransforms, active_robot

from segvec3d_core.types import PointCloud

SECOND = 1_000_000_000
NOTHING = PointCloud(np.full((CAMERA.width * CAMERA.height, 3), np.nan, np.float32))
T_MAP = np.array([[0, 0, 1, 5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])


@contextmanager
def mapping_robot(**overrides: Any) -> Iterator[Robot]:
    """A robot with a map, and a transform to it."""
    transforms = StandInTransforms()
    transforms.table["map", FRAME] = T_MAP
    with active_robot(
        transforms=transforms, overrides={"object_map": True, "tf_timeout": 0.05, "confirm_seconds": 0.1} | overrides
    ) as made:
        yield made


def look(robot: Robot, *seconds: float, cloud: PointCloud | None = None) -> None:
    for moment in seconds:
        robot.show(round(moment * SECOND), cloud=cloud)
