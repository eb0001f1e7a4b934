"""A helper node in a thread of its own: what it listens to does not wait for what the main node is busy with."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


class SideNode:
    """A node that a thread of its own spins. Its name begins with an underscore, which ROS tools hide.

    Args:
        owner: the node in whose name this happens: its namespace, its context, its log.
        purpose: one word for its name and its thread's.
        topics: absolute names of topics that it takes under the names that its owner was told to take them under.

    Attributes:
        node: on which to subscribe.
    """

    def __init__(self, owner: Node, purpose: str, topics: Sequence[str] = ()) -> None:
        self._owner = owner
        rules = [f"{topic}:={owner.resolve_topic_name(topic)}" for topic in topics]
        self.node = Node(
            f"_{owner.get_name()}_{purpose}",
            namespace=owner.get_namespace(),
            context=owner.context,
            cli_args=["--ros-args", *(word for rule in rules for word in ("-r", rule))] if rules else None,
            use_global_arguments=False,  # a remapped node name would name this one too
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=f"segvec3d {purpose}", daemon=True)
        self._thread.start()

    def destroy(self) -> None:
        """End the thread, then the node."""
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self.node.destroy_node()

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
