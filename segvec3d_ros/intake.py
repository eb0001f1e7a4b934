"""The clouds' way in: a thread of its own, and eyes for what keeps clouds from arriving."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import PointCloud2

CLOUD_TYPE = "sensor_msgs/msg/PointCloud2"

DEPTH_IMAGE_HINT = "; for depth images run depth_image_proc's point_cloud_xyzrgb_node and pass its cloud"


class Intake:
    """Subscribes to the clouds on a helper node that a thread of its own spins.

    Taking a 10 MB message holds an executor for milliseconds; in one executor with the services, both suffer. The
    helper's name begins with an underscore, which ROS tools hide.

    Args:
        owner: the node in whose name this happens: its namespace, its context, its log.
        topic: fully resolved name.
        on_cloud: called in the intake's thread with each message; must return at once.
    """

    def __init__(self, owner: Node, topic: str, qos: QoSProfile, on_cloud: Callable[[PointCloud2], None]) -> None:
        self.topic = topic
        self._owner = owner
        self._qos = qos
        self._on_cloud = on_cloud
        self._subscription: Subscription[PointCloud2] | None = None
        self._warned: set[str] = set()
        self._node = Node(
            f"_{owner.get_name()}_intake",
            namespace=owner.get_namespace(),
            context=owner.context,
            use_global_arguments=False,  # a remapped node name would name this one too
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="segvec3d clouds", daemon=True)
        self._thread.start()

    def open(self) -> None:
        """Subscribe."""
        self._warned.clear()
        try:
            self._subscription = self._subscribe(SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible_qos))
        except UnsupportedEventTypeError:  # a middleware that does not report mismatches
            self._subscription = self._subscribe(None)

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def destroy(self) -> None:
        """Unsubscribe and end the thread."""
        self.close()
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self._node.destroy_node()

    def problem(self) -> str:
        """What keeps clouds from arriving, as the graph shows it: no publisher, or only ones of another type.

        A publisher of another type is also warned of by name, once: ROS itself says nothing.
        """
        publishers = self._owner.get_publishers_info_by_topic(self.topic)
        wrong = [p for p in publishers if p.topic_type != CLOUD_TYPE]
        for publisher in wrong:
            self._warn_once(self._wrong_type(publisher))
        if wrong and len(wrong) == len(publishers):
            return self._wrong_type(wrong[0])
        if not publishers:
            return f"nothing publishes on {self.topic}{self._candidates()}"
        return ""

    def warn_of_silence(self, problem: str) -> None:
        """Say once in the log that no cloud arrives, and why."""
        self._warn_once(f"no clouds: {problem}")

    def _wrong_type(self, publisher: Any) -> str:
        hint = DEPTH_IMAGE_HINT if publisher.topic_type == "sensor_msgs/msg/Image" else ""
        namespace = publisher.node_namespace.rstrip("/")
        return (
            f"topic {self.topic}: expected {CLOUD_TYPE}, got {publisher.topic_type} from node "
            f"{namespace}/{publisher.node_name}{hint}"
        )

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

    def _on_incompatible_qos(self, event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        names = {f"{p.node_namespace.rstrip('/')}/{p.node_name}" for p in self._publishers()}
        self._owner.get_logger().warning(
            f"topic {self.topic}: no clouds from {', '.join(sorted(names)) or 'a publisher'}: its {policy} is "
            f"incompatible; set the parameter qos_overrides.{self.topic}.subscription.{policy}"
        )

    def _publishers(self) -> list[Any]:
        return list(self._owner.get_publishers_info_by_topic(self.topic))

    def _subscribe(self, events: SubscriptionEventCallbacks | None) -> Subscription[PointCloud2]:
        return self._node.create_subscription(
            PointCloud2, self.topic, self._on_cloud, self._qos, event_callbacks=events
        )

    def _spin(self) -> None:
        spin_forever(self._executor, self._owner)


def spin_forever(executor: SingleThreadedExecutor, node: Node) -> None:
    """Spin until shutdown; a callback that raises is reported and costs itself, not the node."""
    while node.context.ok():
        try:
            executor.spin()
            return
        except (KeyboardInterrupt, ExternalShutdownException):
            return
        except Exception as error:
            if node.context.ok():
                node.get_logger().error(f"a callback failed: {type(error).__name__}: {error}")
