"""Time and frames that jump: one odd cloud costs the map nothing, two in a row begin it anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from ros_mapping import SECOND, look, mapping_robot
from ros_stand_ins import FRAME, StandInModel, StandInTransforms, frame_cloud, frame_message, until

# isort: split
from builtin_interfaces.msg import Time

from segvec3d_core.object_map import MapConfig
from segvec3d_interfaces.srv import FindObject, ListObjects, MapFile
from segvec3d_ros.mapping import MapSettings, MapTracker


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
