"""The node's map over time: remembered objects, TF, time that jumps, and the services of the map."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_stand_ins import (
    CAMERA,
    FRAME,
    WAIT,
    Robot,
    StandInModel,
    StandInTransforms,
    active_robot,
    change,
    frame_cloud,
    frame_message,
    until,
)

# isort: split
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_core.object_map import MapConfig
from segvec3d_core.types import PointCloud
from segvec3d_interfaces.msg import Instance, InstanceArray
from segvec3d_interfaces.srv import ClearMap, FindObject, ListObjects, MapFile, SetVocabulary
from segvec3d_ros.map_services import NO_MAP
from segvec3d_ros.mapping import MapSettings, MapTracker

SECOND = 1_000_000_000
NOTHING = PointCloud(np.full((CAMERA.width * CAMERA.height, 3), np.nan, np.float32))
T_MAP = np.array([[0, 0, 1, 5], [-1, 0, 0, 0], [0, -1, 0, 1.5], [0, 0, 0, 1.0]])


@contextmanager
def mapping_robot(**overrides: Any) -> Iterator[Robot]:
    """A robot with a map, and a transform to it."""
    transforms = StandInTransforms()
    transforms.table["map", FRAME] = T_MAP
    with active_robot(
        transforms=transforms, overrides={"object_map": True, "tf_timeout": 0.05, "confirm_seconds": 0.1} | overrides
    ) as made:
        yield made


def look(robot: Robot, *seconds: float, cloud: PointCloud | None = None) -> None:
    for moment in seconds:
        robot.show(round(moment * SECOND), cloud=cloud)


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


def test_a_loaded_map_answers_before_any_cloud_has_come(tmp_path: Path) -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(MapFile, "save_map", path=str(tmp_path / "map.npz")).success
    with mapping_robot() as robot:
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA
        assert robot.call(MapFile, "load_map", path=str(tmp_path / "map.npz")).success
        answer = robot.call(FindObject, "find_object", query="mug")
        assert (answer.status, answer.matches[0].instance.state) == (FindObject.Response.SUCCESS, Instance.REMEMBERED)
        assert answer.message.startswith("found 1 of 3 instances; 1 remembered; no cloud yet")
        fresh = robot.call(FindObject, "find_object", query="mug", not_before=Time(sec=1))
        assert fresh.status == FindObject.Response.NO_DATA


def test_an_answer_says_when_the_latest_cloud_came_if_that_is_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segvec3d_ros.finder.OLD", 0.2)
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        until(lambda: robot.node.age > 0.3, "time")
        message = robot.call(FindObject, "find_object", query="mug").message
        assert re.match(r"found 1 of 3 instances; the latest cloud was \d+ s ago", message)


def test_what_took_the_clouds_is_told_and_missed_where_nothing_did() -> None:
    with mapping_robot() as robot:
        reports = robot.listen(DiagnosticArray, "/diagnostics")
        look(robot, 1.0)
        until(lambda: any(facts(r).get("camera", "").startswith("40 x 30, focal") for r in reports), "a camera")
        points = frame_cloud().points
        flat = PointCloud(points[np.isfinite(points).all(1)][:, [2, 0, 1]] - np.float32(0.5))
        robot.publish(frame_message(2 * SECOND, cloud=flat))
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


def test_a_looping_bag_begins_the_map_anew_and_a_late_cloud_does_not() -> None:
    with mapping_robot() as robot:
        look(robot, 100.0, 100.5)
        before = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
        robot.publish(frame_message(round(100.2 * SECOND)))
        until(lambda: robot.node._health.failed == 1, "a late cloud")
        assert "newer one is in the map" in robot.log[-1]
        assert robot.transforms.cleared == 0
        robot.publish(frame_message(1 * SECOND))
        until(lambda: robot.node._health.failed == 2, "the first cloud of another time")
        assert "time was set back by 99.500 s, says one cloud: it is left out" in robot.log[-1]
        look(robot, 1.5, 2.0)
        assert any("time was set back by 99.000 s: the map of 3 objects begins anew" in line for line in robot.log)
        after = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
        assert len(after) == 3
        assert not before & after
        assert robot.transforms.cleared == 1  # tf2 would refuse what comes now


@pytest.mark.parametrize(
    ("seconds", "frame"),
    [(3.0, FRAME), (9e8, FRAME), (100.9, "another_camera"), (100.9, "")],
    ids=["long ago", "far ahead", "another frame", "no frame"],
)  # fmt: skip
def test_a_single_odd_cloud_does_not_cost_the_map(seconds: float, frame: str) -> None:
    cloud = frame_cloud()
    scene = StandInModel().segment(cloud)

    def update(moment: float, frame: str = FRAME) -> None:
        tracker.update(scene, cloud, round(moment * SECOND), frame)

    told: list[str] = []
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig(confirm_seconds=0.1)), told.append)
    for moment in (100.0, 100.4, 100.8):
        update(moment)
    before = tracker.map.first_seen()
    assert before
    for later in (101.0, 101.2):  # and neither do two that are not in a row
        with pytest.raises(ValueError, match="says one cloud: it is left out"):
            update(seconds, frame)
        update(later)
    assert (tracker.map.first_seen(), tracker.odd, tracker.jumps, told) == (before, 2, 0, [])


@pytest.mark.parametrize("later", [101.2, 130.6])
def test_a_single_cloud_some_seconds_ahead_does_not_cost_the_map_either(later: float) -> None:
    cloud = frame_cloud()
    scene = StandInModel().segment(cloud)
    told: list[str] = []
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig(confirm_seconds=0.1)), told.append)
    ids = [tracker.update(scene, cloud, round(s * SECOND), FRAME) for s in (100.0, 100.4, 130.0, later, later + 0.2)]
    assert {track.id for tracks in ids for track in tracks} == {track.id for track in ids[0]}
    assert (len(tracker.map), tracker.map.stamp_ns) == (3, round((later + 0.2) * SECOND))
    glitch = later < 130
    assert (tracker.odd, tracker.jumps) == (int(glitch), 0)
    assert told == ["the latest cloud was stamped 28.800 s ahead, alone in that: the map goes on"] * glitch


def test_time_that_is_set_back_after_a_gap_still_begins_the_map_anew() -> None:
    cloud = frame_cloud()
    scene = StandInModel().segment(cloud)
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig(confirm_seconds=0.1)), lambda line: None)
    for moment in (100.0, 130.0, 130.4):  # a gap, after which clouds go on
        tracker.update(scene, cloud, round(moment * SECOND), FRAME)
    with pytest.raises(ValueError, match="says one cloud"):
        tracker.update(scene, cloud, 101 * SECOND, FRAME)
    tracker.update(scene, cloud, 102 * SECOND, FRAME)
    assert tracker.jumps == 1


def test_a_cloud_that_waits_for_its_transform_does_not_enter_a_map_that_was_cleared_meanwhile() -> None:
    class Late(StandInTransforms):
        def lookup(self, target: str, source: str, stamp: int | None) -> np.ndarray:
            tracker.reset()
            return np.eye(4)

    cloud = frame_cloud()
    tracker = MapTracker(Late(), MapSettings("map", 0.1, MapConfig()), lambda line: None)
    with pytest.raises(ValueError, match="cleared while the cloud waited"):
        tracker.update(StandInModel().segment(cloud), cloud, SECOND, FRAME)
    assert tracker.map.stamp_ns is None


def test_a_single_cloud_in_another_frame_does_not_cost_a_map_that_was_loaded(tmp_path: Path) -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.call(MapFile, "save_map", path=str(tmp_path / "map.npz"))
    cloud = frame_cloud()
    scene = StandInModel().segment(cloud)
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig()), print)
    tracker.load(str(tmp_path / "map.npz"))
    with pytest.raises(ValueError, match="clouds come in frame 'another_camera'"):
        tracker.update(scene, cloud, SECOND, "another_camera")
    assert len(tracker.map) == 3
    tracker.update(scene, cloud, 2 * SECOND, FRAME)
    assert len(tracker.map) == 3


def test_a_map_that_began_anew_does_not_replace_the_one_that_was_loaded(tmp_path: Path) -> None:
    path = str(tmp_path / "map.npz")
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.call(MapFile, "save_map", path=path)
    cloud = frame_cloud()
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig()), lambda line: None)
    tracker.load(path)
    assert tracker.save(path).startswith("3 objects")
    kept = Path(path).read_bytes()
    with pytest.raises(ValueError, match="says one cloud"):
        tracker.update(StandInModel().segment(cloud), cloud, SECOND, "another_camera")
    tracker.update(StandInModel().segment(cloud), cloud, 2 * SECOND, "another_camera")
    with pytest.raises(ValueError, match="the map began anew since; clear the map first"):
        tracker.save(path)
    assert Path(path).read_bytes() == kept
    tracker.reset()
    assert tracker.save(path).startswith("0 objects")


def test_ids_go_on_where_the_map_is_switched_off_and_on() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        used = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
        for wanted in (False, True):
            assert change(robot, Transition.TRANSITION_DEACTIVATE)
            assert change(robot, Transition.TRANSITION_CLEANUP)
            assert robot.node.set_parameters([Parameter("object_map", value=wanted)])[0].successful
            assert change(robot, Transition.TRANSITION_CONFIGURE)
            until(lambda: robot.node.configured, "the model")
            assert change(robot, Transition.TRANSITION_ACTIVATE)
            until(robot.connected, "the node's subscription")
            look(robot, 4.0, 4.5)
            new = {track.id for track in robot.node.result.tracks}
            assert new
            assert not new & used
            used |= new


def test_a_result_of_another_time_is_no_answer_to_who_wants_a_fresh_one() -> None:
    with mapping_robot() as robot:
        look(robot, 100.0, 100.5)
        robot.publish(frame_message(1 * SECOND))
        until(lambda: robot.node._health.failed == 1, "the first cloud of another time")
        robot.model.gate.clear()
        robot.publish(frame_message(2 * SECOND))
        until(lambda: robot.transforms.cleared == 1, "the second one")
        answer = robot.call(FindObject, "find_object", query="mug", not_before=Time(sec=3))
        robot.model.gate.set()
        assert answer.status == FindObject.Response.NO_DATA


def test_a_single_cloud_far_ahead_costs_neither_transforms_nor_the_result() -> None:
    with mapping_robot() as robot:
        look(robot, 100.0, 100.5)
        robot.publish(frame_message(round(9e8 * SECOND)))
        until(lambda: robot.node._health.failed == 1, "the cloud far ahead")
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.SUCCESS
        look(robot, 101.0, 101.5)
        assert robot.transforms.cleared == 0


def test_an_empty_map_does_not_replace_a_saved_one(tmp_path: Path) -> None:
    path = tmp_path / "kitchen.npz"
    with mapping_robot(map_file=str(path)) as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(MapFile, "save_map").success
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        assert change(robot, Transition.TRANSITION_CLEANUP)
        answer = robot.call(MapFile, "save_map")
        assert not answer.success
        assert answer.message.startswith("nothing to save: /segvec3d is not active")
    path.write_bytes(kept := path.read_bytes()[:-100])
    with mapping_robot(map_file=str(path)) as robot:
        look(robot, 1.0, 1.5)
        answer = robot.call(MapFile, "save_map")
        assert (answer.success, "could not be loaded; clear the map first" in answer.message) == (False, True)
        assert path.read_bytes() == kept
        assert not robot.call(MapFile, "load_map", path=str(tmp_path / "nowhere.npz")).success
        assert not robot.call(MapFile, "save_map", path=str(tmp_path / ".." / tmp_path.name / path.name)).success
        assert robot.call(MapFile, "save_map", path=str(tmp_path / "new.npz")).success
        assert robot.call(ClearMap, "clear_map").success
        assert robot.call(MapFile, "save_map").success


def test_new_words_do_not_hold_up_the_list_of_objects() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.node.forget_result()
        robot.model.reading = 60.0
        assert robot.call(SetVocabulary, "set_vocabulary", labels=["teapot"]).success
        listed = robot.call(ListObjects, "list_objects")
        assert {thing.label for thing in listed.objects.instances} == {""}
        assert listed.message == "3 objects, 0 of them remembered"


def test_a_saved_map_outlives_the_node(tmp_path: Path) -> None:
    path = str(tmp_path / "kitchen.npz")
    with mapping_robot(map_file=path) as robot:
        look(robot, 1.0, 1.5)
        saved = robot.call(MapFile, "save_map")
        assert (saved.success, saved.message) == (True, f"3 objects in {path}")
        ids = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
    with mapping_robot(map_file=path) as robot:
        listed = robot.call(ListObjects, "list_objects")
        assert {thing.id for thing in listed.objects.instances} == ids
        look(robot, 50.0, cloud=NOTHING)
        found = robot.call(FindObject, "find_object", query="mug")
        assert (found.status, found.matches[0].instance.state) == (FindObject.Response.SUCCESS, Instance.REMEMBERED)


def test_what_cannot_be_saved_or_loaded_is_told_in_a_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_text("hello")
    with mapping_robot(map_frame="map") as robot:
        look(robot, 1.0, 1.5)
        other = str(tmp_path / "odom.npz")
        assert robot.node.map is not None
        objects = robot.node.map.map
        objects.frame = "odom"
        objects.save(other)
        objects.frame = "map"
        for service, path, expected in [
            ("save_map", "", "path: expected a file, got none, and the parameter map_file is empty"),
            ("load_map", str(tmp_path / "nowhere.npz"), "no such file"),
            ("load_map", str(damaged), "not an object map, or a damaged one"),
            ("load_map", other, "expected a map in frame 'map', got one in 'odom'"),
            ("save_map", "/proc/nowhere/map.npz", "/proc/nowhere"),
        ]:
            answer = robot.call(MapFile, service, path=path)
            assert not answer.success
            assert expected in answer.message
        assert robot.call(ListObjects, "list_objects").message == "3 objects, 0 of them remembered"


def test_a_cleared_map_knows_nothing() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(ClearMap, "clear_map").message == "3 objects forgotten"
        assert robot.call(ListObjects, "list_objects").message == "0 objects, 0 of them remembered"
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA


def test_a_cloud_in_work_does_not_bring_back_a_map_that_was_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        named, finished = robot.node._named, threading.Event()

        def cleared_meanwhile(result: Any) -> Any:
            assert robot.node.map is not None
            robot.node.map.reset()
            robot.node.forget_result()
            finished.set()
            return named(result)

        monkeypatch.setattr(robot.node, "_named", cleared_meanwhile)
        robot.publish(frame_message(2 * SECOND))
        assert finished.wait(30)
        time.sleep(0.2)  # what was in work would be told of by now
        monkeypatch.undo()
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA
        assert robot.call(ListObjects, "list_objects").message == "0 objects, 0 of them remembered"


def test_markers_are_taken_down_after_the_map_was_cleared() -> None:
    with mapping_robot() as robot:
        markers = robot.listen(MarkerArray, "markers")
        look(robot, 1.0, 1.5)
        until(lambda: any(message.markers for message in markers), "markers")
        robot.call(ClearMap, "clear_map")
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        until(lambda: all(m.action == Marker.DELETE for m in markers[-1].markers), "their end")
        assert len({(m.ns, m.id) for m in markers[-1].markers}) == 6


def test_a_map_that_was_loaded_before_the_model_must_fit_it(tmp_path: Path) -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.call(MapFile, "save_map", path=str(tmp_path / "map.npz"))
    told: list[str] = []
    for fingerprint, kept in (("stand-in", 3), ("others", 0)):
        tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig()), told.append)
        tracker.load(str(tmp_path / "map.npz"))
        tracker.embedded_by({"fingerprint": fingerprint})
        assert (len(tracker.map), tracker.map.weights) == (kept, fingerprint)
    assert told == ["the map was made with the weights 'stand-in', not 'others': the map of 3 objects begins anew"]


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
        until(lambda: robot.transforms.asked, "a cloud that waits for its transform")
        robot.node.set_parameters([Parameter("map_frame", value="odom")])
        robot.transforms.table["map", FRAME] = T
        until(lambda: robot.node._health.failed == 1, "the end of its wait")
        assert "map_frame was changed from 'map' while the cloud was in work" in robot.log[-1]
        assert robot.node.map is not None
        assert robot.node.map.map.stamp_ns is None


def test_a_cloud_that_waits_for_a_transform_leaves_nothing_behind_when_the_node_is_deactivated() -> None:
    with mapping_robot(map_frame="map", tf_timeout=30.0) as robot:
        T = robot.transforms.table.pop(("map", FRAME))
        robot.publish(frame_message(SECOND))
        until(lambda: robot.transforms.asked, "a cloud that waits for its transform")
        robot.node.trigger_deactivate()
        robot.transforms.table["map", FRAME] = T
        until(lambda: not robot.node.busy, "the end of its wait")
        assert robot.node.result is None
        assert len(robot.node.map.map.first_seen()) == 0
        assert robot.node._health.failed == 0


def test_a_map_is_listed_while_new_words_are_read() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.model.reading = WAIT
        robot.node.set_parameters([Parameter("vocabulary", value=["cup"])])
        names = {thing.label for thing in robot.call(ListObjects, "list_objects").objects.instances}
        assert names == {"mug", "box", "table"}
        robot.model.reading = 0.0


@pytest.mark.parametrize("path", ["~nobody-of-that-name/map.npz", "/" + "x" * 5000])
def test_a_map_file_that_cannot_be_looked_at_does_not_keep_the_node_from_working(path: str) -> None:
    with mapping_robot(map_file=path) as robot:
        assert any("cannot load the map" in line for line in robot.log)


def test_without_a_map_its_services_say_so() -> None:
    with active_robot(overrides={"object_map": False}, model=StandInModel()) as robot:
        assert robot.call(ListObjects, "list_objects").message == NO_MAP
        assert robot.call(ClearMap, "clear_map").message == NO_MAP
