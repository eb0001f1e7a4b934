"""TF behind one small interface: a 4 x 4 matrix, or an error that names its condition."""

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
    """A transform that cannot be had.

    Attributes:
        condition: "unavailable": there is no tf2 here; "lookup": TF has never heard of a frame; "connectivity": two
            trees without a link; "extrapolation": no data at that time (yet); "timeout": TF gave up waiting.
    """

    def __init__(self, condition: Condition, message: str) -> None:
        super().__init__(message)
        self.condition = condition

    @property
    def may_pass(self) -> bool:
        """Whether waiting can help: everything but an absent tf2."""
        return self.condition != "unavailable"


class Transforms(Protocol):
    """Where transforms come from. ``lookup`` never waits; its callers decide how long they do."""

    def lookup(self, target: str, source: str, stamp: int | None) -> NDArray[np.float64]:
        """T_target_source, (4, 4), at ``stamp`` (nanoseconds; None: the latest): p_target = T_target_source @ p_source.

        Raises:
            TransformError: with its condition.
        """
        ...

    def latest(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """T_target_source at the latest time for which it is known, and that time, nanoseconds; 0 for always.

        Raises:
            TransformError: with its condition.
        """
        ...

    def clear(self) -> None:
        """Forget what was heard of times to come: time was set back."""
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


class NoTransforms:
    """Stands in where tf2_ros is not installed: knows no transform and says what to install."""

    def lookup(self, target: str, source: str, stamp: int | None) -> NDArray[np.float64]:
        """Raise TransformError("unavailable")."""
        raise TransformError(
            "unavailable", "tf2_ros is not installed: apt install ros-$ROS_DISTRO-tf2-ros-py, or ask without a frame"
        )

    def latest(self, target: str, source: str) -> tuple[NDArray[np.float64], int]:
        """Raise TransformError("unavailable")."""
        return self.lookup(target, source, None), 0

    def clear(self) -> None:
        """Nothing was heard."""

    def close(self) -> None:
        """Nothing was listened to."""


class Tf2Transforms:
    """tf2_ros: a buffer, and a listener that fills it from /tf and /tf_static.

    The listener has a node and a thread of its own: a service of the main node that takes its time, as saving a large
    map does, would keep transforms from arriving.

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
        """Forget all but static transforms: tf2 refuses those that are older than what it holds by 10 s."""
        self._buffer.clear()

    def close(self) -> None:
        """Listen no more."""
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
    """TF through tf2_ros where it is installed, else the stand-in that says what to install."""
    try:
        return Tf2Transforms(node)
    except ImportError:
        return NoTransforms()


def matrix(transform: Any) -> NDArray[np.float64]:
    """The (4, 4) matrix of a geometry_msgs/Transform."""
    t, q = transform.translation, transform.rotation
    result = np.eye(4)
    result[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    result[:3, 3] = t.x, t.y, t.z
    return result


def transform_points(T: NDArray[np.float64], points: Float32) -> Float32:
    """(N, 3) points taken through ``T``, computed in float64: a map's coordinates may be large."""
    return (points.astype(np.float64) @ T[:3, :3].T + T[:3, 3]).astype(np.float32)


def transform_box(T: NDArray[np.float64], box: Box) -> Box:
    """A box taken through ``T``; its size stays."""
    center = transform_points(T, box.center[None])[0]
    return Box(center, (T[:3, :3] @ box.rotation).astype(np.float32), box.size)


def up_in(frame: str, stamp: int, gravity_frames: Sequence[str], transforms: Transforms) -> Float32 | None:
    """The direction against gravity in ``frame``, from the first of ``gravity_frames`` that TF connects to it.

    The frames' z axes point up (REP-103). At the stamp itself where TF has it, else the latest: a live cloud is
    mostly a few milliseconds younger than the newest transform, and gravity does not turn that fast. None where no
    frame is connected.
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
