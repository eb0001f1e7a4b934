"""A helper node in a thread of its own, whose subscriptions do not wait for callbacks of the main node."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


class SideNode:
    """A node that is spun in a thread of its own. Its name begins with an underscore, so that ROS tools hide it.

    Args:
        owner: node whose namespace, context and logger are used.
        purpose: one word, for the names of the node and of its thread.
        topics: absolute topic names that are remapped as they are for the owner.

    Attributes:
        node: the node to subscribe on.
    """

    def __init__(self, owner: Node, purpose: str, topics: Sequence[str] = ()) -> None:
        self._owner = owner
        rules = [f"{topic}:={owner.resolve_topic_name(topic)}" for topic in topics]
        self.node = Node(
            f"_{owner.get_name()}_{purpose}",
            namespace=owner.get_namespace(),
            context=owner.context,
            cli_args=["--ros-args", *(word for rule in rules for word in ("-r", rule))] if rules else None,
            use_global_arguments=False,  # a remapping of the node name would apply to this node too
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._executor = SingleThreadedExecutor(context=owner.context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, name=f"segvec3d {purpose}", daemon=True)
        self._thread.start()

    def destroy(self) -> None:
        """Stop the thread, then destroy the node."""
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self.node.destroy_node()

    def _spin(self) -> None:
        spin_forever(self._executor, self._owner)


def spin_forever(executor: SingleThreadedExecutor, node: Node) -> None:
    """Spin until shutdown. Exceptions in callbacks are logged to ``node``, and spinning continues."""
    while node.context.ok():
        try:
            executor.spin()
            return
        except (KeyboardInterrupt, ExternalShutdownException):
            return
        except Exception as error:
            if node.context.ok():
                node.get_logger().error(f"a callback failed: {type(error).__name__}: {error}")
