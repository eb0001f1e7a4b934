"""A node beside the node: it hears while the other is busy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_stand_ins import until

# isort: split
from std_msgs.msg import String

from segvec3d_ros.side_node import SideNode


@pytest.fixture
def owner() -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(context=context)
    node = Node("busy", context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def test_it_hears_while_its_owner_is_busy(owner: Node) -> None:
    side, busy, done = SideNode(owner, "ears"), threading.Event(), threading.Event()
    heard: list[String] = []
    side.node.create_subscription(String, "said", heard.append, 1)
    publisher = owner.create_publisher(String, "said", 1)
    until(lambda: publisher.get_subscription_count() > 0, "a subscription")

    def work() -> None:
        busy.set()
        done.wait(20)

    owner.create_timer(0.01, work)
    executor = SingleThreadedExecutor(context=owner.context)
    executor.add_node(owner)
    thread = threading.Thread(target=executor.spin_once, kwargs={"timeout_sec": 5.0})
    thread.start()
    assert busy.wait(20)
    publisher.publish(String(data="hello"))
    until(lambda: bool(heard), "a message")
    assert thread.is_alive()
    done.set()
    thread.join()
    side.destroy()
    executor.shutdown()


def test_it_takes_topics_under_the_names_that_its_owner_was_given() -> None:
    context = rclpy.Context()
    rclpy.init(context=context)
    owner = Node("robot", context=context, cli_args=["--ros-args", "-r", "/tf:=/robot1/tf", "-r", "__node:=renamed"])
    side = SideNode(owner, "tf", ("/tf", "/tf_static"))
    try:
        assert [side.node.resolve_topic_name(name) for name in ("/tf", "/tf_static")] == ["/robot1/tf", "/tf_static"]
        assert side.node.get_name() == "_renamed_tf"
    finally:
        side.destroy()
        owner.destroy_node()
        rclpy.shutdown(context=context)
