"""Subscription to the input clouds in a thread of its own, and diagnosis of why no clouds arrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from rclpy.subscription import Subscription
from sensor_msgs.msg import PointCloud2

from segvec3d_ros.side_node import SideNode

CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"

UNKNOWN_NODE = "_NODE_NAME_UNKNOWN_"
"""Node name that rcl reports for a publisher whose node has not been discovered yet."""

PATIENCE = 3.0
"""Seconds without a cloud before the reason is reported."""

DEPTH_IMAGE_HINT = "; for depth images run depth_image_proc's point_cloud_xyzrgb_node and pass its cloud"


class Intake:
    """Subscribes to the clouds on a helper node that is spun in a thread of its own.

    Taking a 10 MB message blocks an executor for milliseconds; sharing one with the services would slow down both.

    Args:
        owner: node whose namespace, context and logger are used.
        topic: fully resolved name.
        qos: profile of the subscription.
        on_cloud: called in the intake's thread with each message; must return at once.
    """

    def __init__(self, owner: Node, topic: str, qos: QoSProfile, on_cloud: Callable[[PointCloud2], None]) -> None:
        self.topic = topic
        self._owner = owner
        self._qos = qos
        self._on_cloud = on_cloud
        self._subscription: Subscription[PointCloud2] | None = None
        self._warned: set[str] = set()
        self._opened, self._heard = 0.0, False  # monotonic seconds; whether anything has arrived since
        self._side = SideNode(owner, "intake")

    def open(self) -> None:
        """Subscribe. rclpy's own event handler logs that a publisher is incompatible; ``problem`` says which one."""
        self._warned.clear()
        self._opened, self._heard = time.monotonic(), False
        self._subscription = self._side.node.create_subscription(PointCloud2, self.topic, self._take, self._qos)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._side.node.destroy_subscription(self._subscription)
            self._subscription = None

    def _take(self, message: PointCloud2) -> None:
        self._heard = True
        self._on_cloud(message)

    def destroy(self) -> None:
        """Unsubscribe, stop the thread and destroy the helper node."""
        self.close()
        self._side.destroy()

    def problem(self) -> str:
        """Why no clouds arrive, according to the ROS graph: no publisher, only incompatible ones, or a compatible one
        of which nothing is received; "" if nothing is wrong.

        Also warns once about each publisher with another type or incompatible QoS, by node name.
        """
        publishers = self._owner.get_publishers_info_by_topic(self.topic)
        misfits = {id(publisher): self._misfit(publisher) for publisher in publishers}
        for publisher in publishers:
            # A node's name is discovered a moment after its publishers; the next call will have it.
            if misfits[id(publisher)] and publisher.node_name != UNKNOWN_NODE:
                self._warn_once(misfits[id(publisher)])
        if not publishers:
            return f"nothing publishes on {self.topic}{self._candidates()}"
        return self._unheard() if "" in misfits.values() else next(iter(misfits.values()))

    def _unheard(self) -> str:
        """What may be wrong if a publisher is compatible but nothing has arrived within ``PATIENCE`` of subscribing."""
        if self._subscription is None or self._heard or time.monotonic() - self._opened <= PATIENCE:
            return ""
        return (
            f"{self.topic} has a publisher that fits, but nothing comes: it is silent, or its large messages are lost "
            "on the way, see 'No clouds arrive?' in docs/robot.md"
        )

    def warn_of_silence(self, problem: str) -> None:
        """Log once that no clouds arrive, and why."""
        self._warn_once(f"no clouds: {problem}")

    def _misfit(self, publisher: Any) -> str:
        """Why clouds of this publisher cannot be received, "" if they can."""
        unknown = publisher.node_name == UNKNOWN_NODE
        node = "a node yet unknown" if unknown else f"{publisher.node_namespace.rstrip('/')}/{publisher.node_name}"
        if publisher.topic_type != CLOUD_TYPE:
            hint = DEPTH_IMAGE_HINT if publisher.topic_type == "sensor_msgs/msg/Image" else ""
            return f"topic {self.topic}: expected {CLOUD_TYPE}, got {publisher.topic_type} from node {node}{hint}"
        compatibility, reason = qos_check_compatible(publisher.qos_profile, self._qos)
        if compatibility == QoSCompatibility.ERROR:
            return (
                f"topic {self.topic}: no clouds from node {node}, its QoS is incompatible: {reason.strip()} "
                f"Set the parameters qos_overrides.{self.topic}.subscription.*"
            )
        return ""

    def _candidates(self) -> str:
        own = f"{self._owner.get_fully_qualified_name()}/"
        topics = sorted(
            name
            for name, types in self._owner.get_topic_names_and_types()
            if CLOUD_TYPE in types and name != self.topic and not name.startswith(own)
        )
        return f"; clouds are on {', '.join(topics)}: remap points to one of them" if topics else ""

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._owner.get_logger().warning(text)
