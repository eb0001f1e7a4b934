"""The node in a graph that is not what it should be, and what it tells of itself there."""

from __future__ import annotations

from typing import Any

import pytest
from ros_stand_ins import (
    Robot,
    active_robot,
    change,
    robot,
    state,
    until,
)

# isort: split
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import String

from segvec3d_interfaces.srv import FindObject


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [(String, "std_msgs/msg/String", ""), (Image, "sensor_msgs/msg/Image", "depth_image_proc")],
)
def test_a_topic_of_the_wrong_type_is_warned_of_by_name(kind: Any, name: str, hint: str) -> None:
    with robot() as made:
        made.peer.destroy_publisher(made.publisher)
        made.peer.create_publisher(kind, "points", 1)
        expected = f"topic /points: expected sensor_msgs/msg/PointCloud2, got {name} from node /peer"
        until(lambda: any(line.startswith(expected) for line in made.log), "a warning")
        answer = made.call(FindObject, "find_object", query="mug")
        assert answer.status == FindObject.Response.NO_DATA
        assert expected in answer.message
        made.node._report()
        warned = [line for line in made.log if line.startswith(expected)]
        assert len(warned) == 1, "warned once"
        assert hint in warned[0]


def test_a_topic_that_this_very_process_has_with_another_type_fails_the_activation_with_a_line() -> None:
    with robot(overrides={"autostart": False}) as made:
        made.node.create_publisher(String, "points", 1)
        assert change(made, Transition.TRANSITION_CONFIGURE)
        assert not change(made, Transition.TRANSITION_ACTIVATE)
        assert state(made) == "inactive"
        assert any(line.startswith("cannot subscribe to /points") for line in made.log)


def test_a_qos_mismatch_is_warned_of_with_the_parameter_that_mends_it() -> None:
    with robot(overrides={"qos_overrides./points.subscription.reliability": "reliable"}) as made:
        best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        made.peer.create_publisher(PointCloud2, "points", best_effort)
        parts = ("/points", "/peer", "reliab", "qos_overrides./points.subscription")
        until(lambda: any(all(part in line for part in parts) for line in made.log), "a warning")


def test_silence_is_explained_with_the_topics_that_have_clouds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segvec3d_ros.node.PATIENCE", 0.1)
    with robot() as made:
        made.peer.destroy_publisher(made.publisher)
        made.peer.create_publisher(PointCloud2, "/camera/points", 1)
        words = "no clouds: nothing publishes on /points; clouds are on /camera/points"
        until(lambda: any(words in line for line in made.log), "an explanation")


def test_a_publisher_that_fits_and_is_not_heard_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segvec3d_ros.node.PATIENCE", 0.1)
    monkeypatch.setattr("segvec3d_ros.intake.PATIENCE", 0.1)
    with active_robot() as made:
        words = "no clouds: /points has a publisher that fits, but nothing comes"
        until(lambda: any(words in line for line in made.log), "an explanation")
        answer = made.call(FindObject, "find_object", query="mug")
        assert answer.status == FindObject.Response.NO_DATA
        assert "nothing comes" in answer.message


def test_names_are_private_and_follow_namespace_and_remapping() -> None:
    options = {"namespace": "arm", "cli_args": ["--ros-args", "-r", "points:=/front/points"]}
    with active_robot_on("/front/points", **options) as made:
        topics = {f"/arm/segvec3d/{name}" for name in ("instances", "instances_colored", "objects", "markers")}
        services = {f"/arm/segvec3d/{name}" for name in ("find_object", "set_vocabulary")}
        # Another node hears of them by discovery, which takes its time.
        until(lambda: topics <= dict(made.peer.get_topic_names_and_types()).keys(), "the node's topics")
        until(lambda: services <= dict(made.peer.get_service_names_and_types()).keys(), "the node's services")
        assert made.peer.count_subscribers("/points") == 0


def active_robot_on(topic: str, **options: Any) -> Any:
    """An active robot whose clouds come on another topic."""

    class Manager:
        def __enter__(self) -> Robot:
            self.inner = robot(**options)
            made = self.inner.__enter__()
            until(lambda: made.peer.count_subscribers(topic) == 1, f"a subscription to {topic}")
            return made

        def __exit__(self, *error: Any) -> None:
            self.inner.__exit__(*error)

    return Manager()


def test_helper_nodes_are_hidden() -> None:
    with active_robot() as made:
        until(lambda: {"segvec3d", "peer"} <= set(made.peer.get_node_names()), "discovery")
        assert {name for name in made.peer.get_node_names() if not name.startswith("_")} == {"segvec3d", "peer"}


def test_diagnostics_tell_state_rate_device_and_drops() -> None:
    with active_robot() as made:
        messages = made.listen(DiagnosticArray, "/diagnostics")
        made.show(stamp=1)
        made.show(stamp=2)
        until(lambda: any(m.status[0].message.endswith("clouds per second") for m in messages), "a healthy report")
        values = {pair.key: pair.value for pair in messages[-1].status[0].values}
        assert (values["state"], values["device"], values["topic"]) == ("active", "cpu", "/points")
        assert values["clouds received"] == "2"
        assert {"convert (ms)", "network (ms)", "segment (ms)", "total (ms)"} <= values.keys()
