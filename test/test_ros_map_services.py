"""The services of the map: it is listed, saved, loaded and cleared, and nothing undoes that behind its back."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_mapping import NOTHING, SECOND, look, mapping_robot
from ros_stand_ins import (
    FRAME,
    WAIT,
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
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.parameter import Parameter
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_core.object_map import MapConfig
from segvec3d_interfaces.msg import Instance, InstanceArray
from segvec3d_interfaces.srv import ClearMap, FindObject, ListObjects, MapFile, SetVocabulary
from segvec3d_ros.map_services import NO_MAP
from segvec3d_ros.mapping import MapSettings, MapTracker


def test_a_loaded_map_answers_before_any_cloud_has_come(tmp_path: Path) -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(MapFile, "save_map", path=str(tmp_path / "map.npz")).success
    with mapping_robot() as robot:
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA
        assert robot.call(MapFile, "load_map", path=str(tmp_path / "map.npz")).success
        answer = robot.call(FindObject, "find_object", query="mug")
        assert (answer.status, answer.matches[0].instance.state) == (FindObject.Response.SUCCESS, Instance.REMEMBERED)
        assert answer.message.startswith("found 1 of 3 instances; 1 remembered; no cloud since the node is active")
        fresh = robot.call(FindObject, "find_object", query="mug", not_before=Time(sec=1))
        assert fresh.status == FindObject.Response.NO_DATA


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


def test_a_map_that_begins_anew_while_it_is_saved_is_saved_as_it_was(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "map.npz"
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.call(MapFile, "save_map", path=str(path))
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig()), lambda line: None)
    tracker.load(str(path))
    copied = tracker.map.to_save

    def meanwhile() -> Any:
        others = threading.Thread(target=tracker.configure, args=(MapSettings("odom", 0.1, MapConfig()),))
        others.start()
        others.join(0.2)  # waits for the copy
        saved = copied()
        assert others.is_alive()
        return saved

    monkeypatch.setattr(tracker.map, "to_save", meanwhile)
    assert tracker.save(str(path)).startswith("3 objects")
    until(lambda: len(tracker.map) == 0, "the new map")
    with pytest.raises(ValueError, match="the map began anew since; clear the map first"):
        tracker.save(str(path))


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
        robot.perception.forget_result()
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
        assert (saved.success, saved.message) == (True, f"3 objects in {Path(path).resolve()}")
        ids = {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}
    with mapping_robot(map_file=path) as robot:
        listed = robot.call(ListObjects, "list_objects")
        assert {thing.id for thing in listed.objects.instances} == ids
        look(robot, 50.0, cloud=NOTHING)
        found = robot.call(FindObject, "find_object", query="mug")
        assert (found.status, found.matches[0].instance.state) == (FindObject.Response.SUCCESS, Instance.REMEMBERED)


def test_a_reply_tells_where_a_relative_path_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path.resolve() / "kitchen.npz"
    tracker = MapTracker(StandInTransforms(), MapSettings("", 0.1, MapConfig()), lambda line: None)
    assert tracker.save("kitchen.npz") == f"0 objects in {file}"
    assert tracker.load("kitchen.npz") == f"0 objects from {file}"
    with pytest.raises(FileNotFoundError, match=str(tmp_path.resolve())):
        tracker.load("attic.npz")


def test_what_cannot_be_saved_or_loaded_is_told_in_a_line(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.npz"
    damaged.write_text("hello")
    with mapping_robot(map_frame="map") as robot:
        look(robot, 1.0, 1.5)
        other = str(tmp_path / "odom.npz")
        assert robot.perception.map is not None
        objects = robot.perception.map.map
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
        named, finished = robot.perception._named, threading.Event()

        def cleared_meanwhile(result: Any) -> Any:
            assert robot.perception.map is not None
            robot.perception.map.reset()
            robot.perception.forget_result()
            finished.set()
            return named(result)

        monkeypatch.setattr(robot.perception, "_named", cleared_meanwhile)
        robot.publish(frame_message(2 * SECOND))
        assert finished.wait(30)
        time.sleep(0.2)  # what was in work would be told of by now
        monkeypatch.undo()
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA
        assert robot.call(ListObjects, "list_objects").message == "0 objects, 0 of them remembered"


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


def test_who_listens_hears_at_once_that_the_map_was_loaded_or_cleared(tmp_path: Path) -> None:
    with mapping_robot() as robot:
        markers, arrays = robot.listen(MarkerArray, "markers"), robot.listen(InstanceArray, "objects")
        look(robot, 1.0, 1.5)
        until(lambda: any(message.markers for message in markers) and arrays, "markers and objects")
        robot.call(MapFile, "save_map", path=str(tmp_path / "map.npz"))
        robot.call(ClearMap, "clear_map")
        until(lambda: all(m.action == Marker.DELETE for m in markers[-1].markers), "the markers' end")
        assert len({(m.ns, m.id) for m in markers[-1].markers}) == 6
        until(lambda: not arrays[-1].instances, "an empty array")
        assert robot.call(MapFile, "load_map", path=str(tmp_path / "map.npz")).success
        until(lambda: len(arrays[-1].instances) == 3, "the objects of the file")
        assert {thing.state for thing in arrays[-1].instances} == {Instance.REMEMBERED}
        assert arrays[-1].header.frame_id == FRAME
        assert arrays[-1].header.stamp.sec > 1_000_000_000, "now, as no cloud has come"
        until(lambda: len(markers[-1].markers) == 6, "their markers")


def test_a_map_that_was_kept_answers_before_the_next_cloud() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert change(robot, Transition.TRANSITION_DEACTIVATE)
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.INACTIVE
        assert change(robot, Transition.TRANSITION_ACTIVATE)
        answer = robot.call(FindObject, "find_object", query="mug")
        assert (answer.status, answer.header.stamp.sec) == (FindObject.Response.SUCCESS, 1)
        assert "no cloud since the node is active" in answer.message
        fresh = robot.call(FindObject, "find_object", query="mug", not_before=Time(sec=1))
        assert fresh.status == FindObject.Response.NO_DATA
        robot.call(ClearMap, "clear_map")
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.NO_DATA


@pytest.mark.parametrize("at_start", [True, False], ids=["at start", "by its service"])
def test_a_loaded_map_answers_while_the_first_cloud_is_named(
    at_start: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "map.npz")
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        assert robot.call(MapFile, "save_map", path=path).success
    with mapping_robot(map_file=path if at_start else "") as robot:
        assert robot.perception.map is not None
        if not at_start:
            look(robot, 1.0)
            assert robot.call(MapFile, "load_map", path=path).success
        named, gate = robot.perception._named, threading.Event()

        def slowly(result: Any) -> Any:
            if threading.current_thread().name == "segvec3d worker":
                gate.wait(WAIT)
            return named(result)

        monkeypatch.setattr(robot.perception, "_named", slowly)
        robot.publish(frame_message(2 * SECOND))
        until(lambda: robot.perception.map.map.stamp_ns == 2 * SECOND, "the cloud in the map")
        assert robot.call(FindObject, "find_object", query="mug").status == FindObject.Response.SUCCESS
        gate.set()
        until(lambda: robot.perception.result is not None, "the cloud's result")


def test_what_a_cleared_map_lacks_is_no_cloud_from_the_camera() -> None:
    with mapping_robot() as robot:
        look(robot, 1.0, 1.5)
        robot.call(ClearMap, "clear_map")
        answer = robot.call(FindObject, "find_object", query="mug")
        assert answer.status == FindObject.Response.NO_DATA
        assert answer.message.startswith("no cloud since the map became another or time was set back")


def test_what_the_map_holds_is_found_in_a_frame_whose_past_tf_has_forgotten() -> None:
    with mapping_robot(map_frame="map") as robot:
        moved = np.eye(4)
        moved[0, 3] = 5.0
        robot.transforms.table |= {("map", FRAME): np.eye(4), ("base_link", "map"): moved}
        look(robot, 1.0, 1.5)
        robot.transforms.since, robot.transforms.now = 50 * SECOND, 60 * SECOND
        here = robot.call(FindObject, "find_object", query="mug").matches[0].instance.pose.position
        answer = robot.call(FindObject, "find_object", query="mug", target_frame="base_link", return_clouds=True)
        assert (answer.status, answer.header.stamp.sec) == (FindObject.Response.SUCCESS, 60)
        assert answer.matches[0].cloud.header.stamp.sec == 60
        assert answer.matches[0].instance.state == Instance.REMEMBERED
        assert "1 remembered, not seen for up to 58.5 s" in answer.message
        assert answer.matches[0].instance.pose.position.x == pytest.approx(here.x + 5)
        robot.transforms.now = 1 * SECOND  # TF has ended before the cloud: it may have moved since
        failed = robot.call(FindObject, "find_object", query="mug", target_frame="base_link")
        assert failed.status == FindObject.Response.TRANSFORM_FAILED


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
        diagnostics = robot.listen(DiagnosticArray, "/diagnostics")
        look(robot, 1.0, 1.5)
        until(lambda: diagnostics and "cannot load the map" in diagnostics[-1].status[0].message, "the diagnostics")
        assert diagnostics[-1].status[0].level == DiagnosticStatus.WARN
        robot.call(ClearMap, "clear_map")
        until(lambda: "cannot load the map" not in diagnostics[-1].status[0].message, "that it is settled")


def test_without_a_map_its_services_say_so() -> None:
    with active_robot(overrides={"object_map": False}, model=StandInModel()) as robot:
        assert robot.call(ListObjects, "list_objects").message == NO_MAP
        assert robot.call(ClearMap, "clear_map").message == NO_MAP
