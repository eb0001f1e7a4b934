"""The node's map over time: what is remembered, in which frame, and while the node is set otherwise."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ros_mapping import NOTHING, SECOND, T_MAP, look, mapping_robot
from ros_stand_ins import FRAME, change, frame_cloud, frame_message, until

# isort: split
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from visualization_msgs.msg import MarkerArray

from segvec3d_core.types import BODY_AXES, PointCloud
from segvec3d_interfaces.msg import Instance, InstanceArray
from segvec3d_interfaces.srv import FindObject, ListObjects


def test_what_is_not_seen_any_more_is_found_as_remembered() -> None:
    with mapping_robot() as robot:
        markers = robot.listen(MarkerArray, "markers")
        look(robot, 1.0, 1.5)
        seen = robot.call(FindObject, "find_object", query="mug")
        assert seen.matches[0].instance.state == Instance.VISIBLE
        look(robot, 4.0, cloud=NOTHING)
        answer = robot.call(FindObject, "find_object", query="mug", return_clouds=True)
        assert answer.status == FindObject.Response.SUCCESS
        (match,) = answer.matches
        assert match.instance.id == seen.matches[0].instance.id
        assert (match.instance.state, match.instance.last_seen.nanosec) == (Instance.REMEMBERED, SECOND // 2)
        assert match.cloud.width == match.instance.point_count > 0
        assert answer.message == "found 1 of 3 instances; 1 remembered, not seen for up to 2.5 s"
        listed = robot.call(ListObjects, "list_objects")
        assert listed.message == "3 objects, 3 of them remembered"
        assert {thing.label for thing in listed.objects.instances} == {"mug", "box", "table"}
        until(lambda: any("2 s ago" in m.text for array in markers for m in array.markers), "a marker with an age")


def test_a_thing_is_told_of_once_it_has_been_seen_for_long_enough() -> None:
    with mapping_robot(confirm_seconds=1.0) as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_MATCH
        look(robot, 2.4, 3.3, 4.2)  # thrice as long, as the border cuts what it sees
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.SUCCESS


def test_an_answer_says_when_the_latest_cloud_came_if_that_is_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segvec3d_ros.finder.OLD", 0.2)
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        until(lambda: robot.perception.age > 0.3, "time")
        message = robot.call(FindObject, "find_object", query="mug").message
        assert re.match(r"found 1 of 3 instances; the latest cloud was \d+ s ago", message)


def test_what_took_the_clouds_is_told_and_missed_where_nothing_did() -> None:
    with mapping_robot() as robot:
        reports = robot.listen(DiagnosticArray, "/diagnostics")
        look(robot, 1.0)
        until(lambda: any(facts(r).get("camera", "").startswith("40 x 30, focal") for r in reports), "a camera")
        points = frame_cloud().points
        x, y, z = points.T
        robot.publish(frame_message(2 * SECOND, cloud=PointCloud(np.stack([z, -x, -y], 1))))
        until(lambda: any(facts(r).get("camera", "").endswith("pixels, along x") for r in reports), "a camera along x")
        assert not any("what is taken away stays in the map" in line for line in robot.log)
        robot.publish(frame_message(3 * SECOND, cloud=PointCloud(points[np.isfinite(points).all(1)] @ BODY_AXES.T)))
        until(lambda: any(facts(r).get("camera", "").startswith("none") for r in reports), "no camera")
        assert sum("what is taken away stays in the map" in line for line in robot.log) == 1


def test_objects_lie_in_the_frame_of_the_map() -> None:
    with mapping_robot(map_frame="map") as robot:
        arrays = robot.listen(InstanceArray, "objects")
        look(robot, 1.0, 1.5)
        until(lambda: arrays and arrays[-1].instances, "objects")
        assert arrays[-1].header.frame_id == "map"
        assert all(thing.centroid.x == pytest.approx(6.0, abs=0.02) for thing in arrays[-1].instances)
        answer = robot.call(FindObject, "find_object", query="mug")
        assert answer.header.frame_id == "map"
        assert ("map", FRAME, SECOND) in robot.transforms.asked


def test_a_cloud_without_transform_is_told_of_and_leaves_the_map() -> None:
    with mapping_robot(map_frame="map") as robot:
        reports = robot.listen(DiagnosticArray, "/diagnostics")
        look(robot, 1.0, 1.5)
        robot.transforms.failure = "extrapolation"
        T = robot.transforms.table.pop(("map", FRAME))
        robot.publish(frame_message(2 * SECOND))
        until(lambda: robot.node._health.failed == 1, "a lost cloud")
        (line,) = [line for line in robot.log if "cloud lost" in line]
        assert "no transform from 'camera_optical_frame' to map_frame 'map' at 2.000 s: extrapolation" in line
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.SUCCESS
        value = {"clouds without transform": "1"}
        until(lambda: any(value.items() <= facts(report).items() for report in reports), "diagnostics")
        robot.transforms.table["map", FRAME] = T
        look(robot, 3.0)
        assert robot.call(FindObject, "find_object", query="mug").matches[0].instance.state == Instance.VISIBLE


def facts(report: DiagnosticArray) -> dict[str, str]:
    return {pair.key: pair.value for status in report.status for pair in status.values}


def test_ids_go_on_where_the_map_is_switched_off_and_on() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        used = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
        for wanted in (False, True):
            assert change(robot, Transition.TRANSITION_DEACTIVATE)
            assert change(robot, Transition.TRANSITION_CLEANUP)
            assert robot.node.set_parameters([Parameter("object_map", value=wanted)])[0].successful
            assert change(robot, Transition.TRANSITION_CONFIGURE)
            until(lambda: robot.perception.configured, "the model")
            assert change(robot, Transition.TRANSITION_ACTIVATE)
            until(robot.connected, "the node's subscription")
            look(robot, 4.0, 4.5)
            new = {track.id for track in robot.perception.result.tracks}
            assert new
            assert not new & used
            used |= new


def test_directions_are_not_those_of_a_frame_that_lies_on_its_side() -> None:
    with mapping_robot(map_frame="map") as robot:
        robot.transforms.table[FRAME, "map"] = np.linalg.inv(T_MAP)
        robot.transforms.table["base", "map"] = np.eye(4)
        look(robot, 1.0, 1.5)
        answer = robot.call(FindObject, "find_object", query="mug", reference_frame=FRAME)
        assert answer.status == FindObject.Response.INVALID_REQUEST
        assert "z axis points up" in answer.message
        upright = robot.call(FindObject, "find_object", query="mug", reference_frame="base")
        assert upright.status == FindObject.Response.SUCCESS


def test_the_map_is_kept_while_the_node_is_inactive() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.node.trigger_deactivate()
        robot.node.trigger_activate()
        look(robot, 9.0, cloud=NOTHING)
        assert robot.call(ListObjects, "list_objects").message == "3 objects, 3 of them remembered"


def test_times_change_while_it_runs_and_another_frame_begins_anew() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert robot.node.set_parameters([Parameter("remember_seconds", value=1.0)])[0].successful
        look(robot, 2.4, 3.3, cloud=NOTHING)
        assert robot.call(ListObjects, "list_objects").message == "0 objects, 0 of them remembered"
        look(robot, 5.0, 5.5)
        assert robot.node.set_parameters([Parameter("map_frame", value="map")])[0].successful
        assert any("map_frame is now 'map': the map of 3 objects begins anew" in line for line in robot.log)


def test_another_frame_of_the_map_lets_nothing_be_found_in_the_old_one() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.node.set_parameters([Parameter("map_frame", value="map")])
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA


def test_a_pose_in_one_frame_does_not_meet_a_map_in_another() -> None:
    with mapping_robot(map_frame="map", tf_timeout=10.0) as robot:
        T = robot.transforms.table.pop(("map", FRAME))
        robot.publish(frame_message(SECOND))
        asked = robot.transforms.asked  # for gravity, too, before
        until(lambda: ("map", FRAME) in [frames[:2] for frames in asked], "a cloud that waits for its transform")
        robot.node.set_parameters([Parameter("map_frame", value="odom")])
        robot.transforms.table["map", FRAME] = T
        until(lambda: robot.node._health.failed == 1, "the end of its wait")
        assert "map_frame was changed from 'map' while the cloud was in work" in robot.log[-1]
        assert robot.perception.map is not None
        assert robot.perception.map.map.stamp_ns is None


def test_a_cloud_that_waits_for_a_transform_leaves_nothing_behind_when_the_node_is_deactivated() -> None:
    with mapping_robot(map_frame="map", tf_timeout=30.0) as robot:
        T = robot.transforms.table.pop(("map", FRAME))
        robot.publish(frame_message(SECOND))
        until(lambda: robot.transforms.asked, "a cloud that waits for its transform")
        robot.node.trigger_deactivate()
        robot.transforms.table["map", FRAME] = T
        until(lambda: not robot.node.busy, "the end of its wait")
        assert robot.perception.result is None
        assert len(robot.perception.map.map.first_seen()) == 0
        assert robot.node._health.failed == 0
