"""Interface to TF: a lookup returns a 4 x 4 matrix, or raises an error with its condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from segvec3d_core.types import Box, Float32
from segvec3d_ros.conversions import nanoseconds
from segvec3d_ros.side_node import SideNode

Condition = Literal["unavailable", "lookup", "connectivity", "extrapolation", "timeout"]


class TransformError(Exception):
    """A transform is not available.

    Attributes:
        condition: "unavailable": tf2 is not installed; "lookup": unknown frame; "connectivity": the frames are in
            separate trees; "extrapolation": no data for that time (yet); "timeout": TF gave up waiting.
    """

    def __init__(self, condition: Condition, message: str) -> None:
        super().__init__(message)
        self.condition = condition

    @property
    def may_pass(self) -> bool:
        """Whether waiting can help: in every condition except a missing tf2."""
        return self.condition != "unavailable"


class Transforms(Protocol):
    """Source of transforms. ``lookup`` never waits; callers poll it for as long as they choose."""

    def lookup(self, target: str, source: str, stamp: int | None) -> NDArray[np.float64]:
        """T_target_source, (4, 4), at ``stamp`` (nanoseconds; None: the latest): p_target = T_target_source @ p_source.

        Raises:
            TransformError: with its condition.
        """
        ...

    def latest(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """T_target_source at the latest time for which it is known, and that time, nanoseconds; 0 if it is static.

        Raises:
            TransformError: with its condition.
        """
        ...

    def clear(self) -> None:
        """Discard received transforms, after time was set back."""
        ...

    def close(self) -> None:
        """Stop receiving transforms."""
        ...


class NoTransforms:
    """Used where tf2_ros is not installed: every lookup fails with a message that says what to install."""

    def lookup(self, target: str, source: str, stamp: int | None) -> NDArray[np.float64]:
        """Raise TransformError("unavailable")."""
        raise TransformError(
            "unavailable", "tf2_ros is not installed: apt install ros-$ROS_DISTRO-tf2-ros-py, or ask without a frame"
        )

    def latest(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """Raise TransformError("unavailable")."""
        return self.lookup(target, source, None), 0

    def clear(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Tf2Transforms:
    """Transforms from tf2_ros: a buffer, and a listener that fills it from /tf and /tf_static.

    The listener has a node and a thread of its own, because a slow service of the main node, such as saving a large
    map, would delay transforms.

    Raises:
        ImportError: tf2_ros is not installed.
    """

    def __init__(self, node: Any) -> None:
        import tf2_ros

        self._tf2 = tf2_ros
        self._buffer = tf2_ros.Buffer()
        self._side = SideNode(node, "tf", ("/tf", "/tf_static"))
        self._listener = tf2_ros.TransformListener(self._buffer, self._side.node)

    def clear(self) -> None:
        """Discard all but static transforms: tf2 ignores new ones more than 10 s older than those in the buffer."""
        self._buffer.clear()

    def close(self) -> None:
        """Stop receiving transforms."""
        self._side.destroy()

    def lookup(self, target: str, source: str, stamp: int | None) -> NDArray[np.float64]:
        """T_target_source at ``stamp``; see ``Transforms``."""
        return matrix(self._lookup(target, source, stamp or 0).transform)

    def latest(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """The latest T_target_source and its time; see ``Transforms``."""
        found = self._lookup(target, source, 0)
        return matrix(found.transform), nanoseconds(found.header.stamp)

    def _lookup(self, target: str, source: str, stamp: int) -> Any:
        from rclpy.time import Time

        tf2 = self._tf2
        conditions: list[tuple[type[Exception], Condition]] = [
            (tf2.LookupException, "lookup"),
            (tf2.InvalidArgumentException, "lookup"),
            (tf2.ConnectivityException, "connectivity"),
            (tf2.ExtrapolationException, "extrapolation"),
            (tf2.TimeoutException, "timeout"),
        ]
        try:
            return self._buffer.lookup_transform(target, source, Time(nanoseconds=stamp))
        except tuple(kind for kind, _ in conditions) as error:
            condition = next(name for kind, name in conditions if isinstance(error, kind))
            raise TransformError(condition, str(error)) from None


def make_transforms(node: Any) -> Transforms:
    """Transforms from tf2_ros if it is installed, else ``NoTransforms``."""
    try:
        return Tf2Transforms(node)
    except ImportError:
        return NoTransforms()


def matrix(transform: Any) -> NDArray[np.float64]:
    """Convert a geometry_msgs/Transform to a (4, 4) matrix."""
    t, q = transform.translation, transform.rotation
    result = np.eye(4)
    result[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    result[:3, 3] = t.x, t.y, t.z
    return result


def transform_points(T: NDArray[np.float64], points: Float32) -> Float32:
    """(N, 3) points transformed by (4, 4) ``T``, computed in float64 because a map's coordinates may be large."""
    return (points.astype(np.float64) @ T[:3, :3].T + T[:3, 3]).astype(np.float32)


def transform_box(T: NDArray[np.float64], box: Box) -> Box:
    """A box transformed by the rigid (4, 4) ``T``; its size is unchanged."""
    center = transform_points(T, box.center[None])[0]
    return Box(center, (T[:3, :3] @ box.rotation).astype(np.float32), box.size)


def up_in(frame: str, stamp: int, gravity_frames: Sequence[str], transforms: Transforms) -> Float32 | None:
    """(3,) unit vector against gravity in ``frame``, from the first of ``gravity_frames`` that TF connects to it.

    The z axes of these frames point up (REP-103). Uses the transform at ``stamp`` if TF has it, else the latest: a live
    cloud is usually a few milliseconds newer than the latest transform, and its tilt changes little in that time. None
    if no frame is connected.
    """
    if frame in gravity_frames:
        return np.array([0, 0, 1], np.float32)
    for gravity in gravity_frames:
        for time in (stamp, None):
            try:
                T = transforms.lookup(frame, gravity, time)
            except TransformError as error:
                if error.condition == "unavailable":
                    break
                continue
            return T[:3, 2].astype(np.float32)
    return None
