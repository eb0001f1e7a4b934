"""The RViz set-up shows topics that the node publishes, with a QoS that fits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ros_stand_ins import Robot, active_robot

# isort: split
from rclpy import qos
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from segvec3d_ros.markers import BOXES, LABELS
from segvec3d_ros.player import OPTICAL_FRAME

SETUP: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "rviz" / "segvec3d.rviz").read_text())
DISPLAYS = [d for d in SETUP["Visualization Manager"]["Displays"] if "Topic" in d]
TYPES = {
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "rviz_default_plugins/MarkerArray": "visualization_msgs/msg/MarkerArray",
}


@pytest.fixture(scope="module")
def node() -> Iterator[Robot]:
    with active_robot() as made:
        yield made


@pytest.mark.parametrize("display", DISPLAYS, ids=lambda display: display["Name"])
def test_each_topic_is_published_with_its_type_and_a_fitting_qos(node: Robot, display: dict[str, Any]) -> None:
    topic = display["Topic"]
    publishers = node.node.get_publishers_info_by_topic(topic["Value"])
    assert [publisher.topic_type for publisher in publishers] == [TYPES[display["Class"]]]
    wanted = QoSProfile(
        depth=topic["Depth"],
        history=qos.HistoryPolicy[member(topic["History Policy"])],
        reliability=qos.ReliabilityPolicy[member(topic["Reliability Policy"])],
        durability=qos.DurabilityPolicy[member(topic["Durability Policy"])],
        liveliness=qos.LivelinessPolicy.AUTOMATIC,
    )
    compatibility, reason = qos_check_compatible(publishers[0].qos_profile, wanted)
    assert compatibility == QoSCompatibility.OK, reason


def member(text: str) -> str:
    """RViz's name of a policy as rclpy writes it."""
    return text.upper().replace(" ", "_")


def test_there_is_a_cloud_in_the_colours_of_its_instances_and_a_board_of_boxes_and_labels() -> None:
    cloud = next(d for d in DISPLAYS if d["Name"] == "Instances")
    assert (cloud["Topic"]["Value"], cloud["Color Transformer"]) == ("/segvec3d/instances_colored", "RGB8")
    board = next(d for d in DISPLAYS if d["Class"].endswith("MarkerArray"))
    assert set(board["Namespaces"]) == {BOXES, LABELS}


def test_the_default_view_is_that_of_the_camera_that_the_player_is() -> None:
    assert SETUP["Visualization Manager"]["Global Options"]["Fixed Frame"] == OPTICAL_FRAME
