"""The node as a robot meets it: lifecycle, clouds of every kind, vocabulary."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from malformed_clouds import DEGENERATE, MALFORMED
from ros_stand_ins import (
    CAMERA,
    FRAME,
    WAIT,
    StandInModel,
    active_robot,
    change,
    frame_cloud,
    frame_message,
    malformed_message,
    robot,
    state,
    until,
)

# isort: split
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_core.config import DEFAULT_VOCABULARY
from segvec3d_core.types import FARTHEST, PointCloud
from segvec3d_interfaces.msg import InstanceArray
from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros.finder import LOADING
from segvec3d_ros.model import load_segvec3d, release_memory

RELIABLE = QoSProfile(depth=10)


# --- lifecycle ---------------------------------------------------------------------------------------------------


def test_the_node_configures_and_activates_itself() -> None:
    with active_robot() as made:
        assert state(made) == "active"
        assert made.model.warm
        assert [word for words in made.model.words for word in words] == list(DEFAULT_VOCABULARY)


def test_a_lifecycle_manager_leads_it_through_every_state() -> None:
    loads: list[tuple[str | None, str]] = []
    model = StandInModel()

    def load(path: str | None, device: str) -> StandInModel:
        loads.append((path, device))
        return model

    with robot(overrides={"autostart": False, "device": "cpu"}, model=model, load_model=load) as made:
        assert state(made) == "unconfigured"
        for _ in range(2):
            assert change(made, Transition.TRANSITION_CONFIGURE)
            assert (state(made), made.publisher.get_subscription_count()) == ("inactive", 0)
            assert change(made, Transition.TRANSITION_ACTIVATE)
            made.show(stamp=len(model.clouds) + 1)
            assert change(made, Transition.TRANSITION_DEACTIVATE)
            assert made.perception.result is None
            until(lambda: made.publisher.get_subscription_count() == 0, "the subscription to go")
            assert change(made, Transition.TRANSITION_ACTIVATE)  # the model was kept
            assert change(made, Transition.TRANSITION_DEACTIVATE)
            assert change(made, Transition.TRANSITION_CLEANUP)
        assert loads == [(None, "cpu")] * 2
        assert change(made, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert state(made) == "finalized"
        assert made.node.why_inactive() == "/segvec3d was shut down for good: start it anew"
        diagnostics = made.listen(DiagnosticArray, "/diagnostics")
        until(lambda: diagnostics and diagnostics[-1].status[0].message == "finalized", "the diagnostics to say so")


def test_a_missing_weight_file_is_one_clear_line_and_can_be_mended() -> None:
    model = StandInModel()

    def load(path: str | None, device: str) -> StandInModel:
        if path == "gone.safetensors":
            raise FileNotFoundError("gone.safetensors: no such file")
        return model

    with robot(overrides={"model": "gone.safetensors"}, load_model=load) as made:
        until(lambda: len(made.log) > 1, "an error")
        begun, *further = made.log
        assert begun.startswith("loading the model gone.safetensors on auto; a first start compiles kernels")
        assert further == ["cannot load the model gone.safetensors on auto: gone.safetensors: no such file"]
        assert state(made) == "unconfigured"
        assert made.call(FindObject, "find_object", query="mug").status == FindObject.Response.INACTIVE
        from rclpy.parameter import Parameter

        assert made.node.set_parameters([Parameter("model", value="")])[0].successful
        assert change(made, Transition.TRANSITION_CONFIGURE)


def test_the_real_loader_names_a_weight_file_that_is_not_there(tmp_path: Any) -> None:
    pytest.importorskip("torch", reason="torch is missing")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_segvec3d(str(tmp_path / "nowhere.safetensors"), "cpu")


def test_a_corrupt_weight_file_is_one_clear_line_and_the_node_lives_on(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is missing")
    weights = tmp_path / "corrupt.safetensors"
    weights.write_bytes(b"\xff" * 1000)
    with robot(overrides={"model": str(weights), "device": "cpu"}, load_model=load_segvec3d) as made:
        until(lambda: len(made.log) > 1, "an error", 2 * WAIT)
        assert len(made.log) == 2
        assert made.log[1].startswith(f"cannot load the model {weights} on cpu: ")
        assert "\n" not in made.log[1]
        assert state(made) == "unconfigured"
        assert made.call(FindObject, "find_object", query="mug").status == FindObject.Response.INACTIVE


def test_while_the_model_loads_services_answer_that_it_does() -> None:
    gate = threading.Event()
    model = StandInModel()

    def load(path: str | None, device: str) -> StandInModel:
        gate.wait(3 * WAIT)
        return model

    with robot(model=model, load_model=load) as made:
        reports = made.listen(DiagnosticArray, "/diagnostics")
        answer = made.call(FindObject, "find_object", query="mug")
        assert answer.status == FindObject.Response.INACTIVE
        assert LOADING in answer.message
        assert state(made) == "unconfigured"
        until(lambda: reports and LOADING in reports[-1].status[0].message, "a report of it")
        gate.set()
        until(lambda: made.node.active, "activation")
        assert not made.node.busy


def test_a_node_that_is_shut_down_while_its_model_loads_stays_down() -> None:
    gate = threading.Event()
    model = StandInModel()

    def load(path: str | None, device: str) -> StandInModel:
        gate.wait(3 * WAIT)
        return model

    with robot(model=model, load_model=load) as made:
        assert change(made, Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
        assert made.node.busy
        gate.set()
        until(lambda: not made.node.busy, "the model")
        assert made.call(FindObject, "find_object", query="mug").status == FindObject.Response.INACTIVE
        assert state(made) == "finalized"


def test_cleanup_frees_the_model_even_when_it_refers_to_itself() -> None:
    alive: list[weakref.ref[StandInModel]] = []

    def load(path: str | None, device: str) -> StandInModel:
        model = StandInModel()
        model.info["itself"] = model
        alive.append(weakref.ref(model))
        return model

    with robot(load_model=load) as made:
        until(lambda: made.node.active, "activation")
        made.show(stamp=1)
        assert change(made, Transition.TRANSITION_DEACTIVATE)
        assert alive[0]() is not None
        assert change(made, Transition.TRANSITION_CLEANUP)
        assert alive[0]() is None


@pytest.mark.parametrize("used", [True, False])
def test_memory_of_a_gpu_is_given_back_where_one_is_in_use(used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    emptied: list[bool] = []
    cuda = SimpleNamespace(is_initialized=lambda: used, empty_cache=lambda: emptied.append(True))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    release_memory()
    assert emptied == [True] * used
    monkeypatch.delitem(sys.modules, "torch")
    release_memory()


def test_deactivation_does_not_wait_for_a_cloud_that_takes_long_and_its_result_never_shows() -> None:
    with active_robot() as made:
        made.model.gate.clear()
        made.publish(frame_message(1))
        until(lambda: made.model.clouds, "work to begin")
        before = time.monotonic()
        assert change(made, Transition.TRANSITION_DEACTIVATE)
        assert time.monotonic() - before < 3
        assert any("its result will be dropped" in line for line in made.log)
        assert change(made, Transition.TRANSITION_ACTIVATE)
        made.model.gate.set()
        until(lambda: not made.node._worker.busy, "the end of the work")
        assert made.perception.result is None
        made.show(stamp=2)


# --- clouds ------------------------------------------------------------------------------------------------------


def test_a_cloud_goes_out_as_labelled_cloud_objects_and_markers() -> None:
    with active_robot() as made:
        clouds = made.listen(PointCloud2, "instances", RELIABLE)
        objects = made.listen(InstanceArray, "objects", RELIABLE)
        markers = made.listen(MarkerArray, "markers", RELIABLE)
        for name in ("instances", "objects", "markers"):
            until(lambda n=name: made.node.count_subscribers(f"/segvec3d/{n}") > 0, name)  # type: ignore[misc]
        time.sleep(0.2)
        made.show(stamp=7)
        until(lambda: clouds and objects and markers, "all three")
        assert (clouds[0].width, clouds[0].height, clouds[0].header.frame_id) == (40, 30, FRAME)
        assert [thing.label for thing in objects[0].instances] == ["mug", "box", "table"]
        assert objects[0].header.stamp.nanosec == clouds[0].header.stamp.nanosec == 7
        labels = np.frombuffer(clouds[0].data, np.uint8).reshape(-1, 24)[:, 16:20].copy().view(np.uint32)
        assert set(labels[:, 0].tolist()) == {0, *(thing.id for thing in objects[0].instances)}
        made.show(stamp=8)
        until(lambda: len(objects) == 2, "the second")
        assert [a.id for a in objects[0].instances] == [b.id for b in objects[1].instances]
        made.node.trigger_deactivate()
        until(lambda: markers[-1].markers and markers[-1].markers[0].action == Marker.DELETE, "markers to go")
        assert len(markers[-1].markers) == 6


def test_while_one_cloud_is_worked_on_the_latest_waits_and_services_answer() -> None:
    with active_robot() as made:
        made.show(stamp=1)
        made.model.gate.clear()
        worker = made.node._worker
        for stamp in range(2, 7):
            made.publish(frame_message(stamp))
            until(lambda s=stamp: worker.received == s, "the cloud's arrival")  # type: ignore[misc]
            if stamp == 2:
                until(lambda: len(made.model.clouds) == 2, "work to begin")
        times = []
        for _ in range(10):
            before = time.monotonic()
            made.call(FindObject, "find_object", query="mug")
            times.append(time.monotonic() - before)
        made.model.gate.set()
        until(
            lambda: made.perception.result is not None and made.perception.result.stamp == 6,
            "the latest cloud",
        )
        assert (len(made.model.clouds), worker.dropped) == (3, 3)
        assert np.median(times) < 0.5


@pytest.mark.parametrize("points", DEGENERATE.values(), ids=DEGENERATE.keys())
def test_a_degenerate_cloud_is_an_ordinary_one(points: np.ndarray) -> None:
    count = int((np.abs(points) < FARTHEST).all(1).any())
    with active_robot() as made:
        made.show(stamp=3, cloud=PointCloud(points.astype(np.float32)))
        assert made.perception.result is not None
        assert len(made.perception.result.scene) == count
        answer = made.call(FindObject, "find_object", query="everything", return_clouds=True)
        assert answer.status == (FindObject.Response.SUCCESS if count else FindObject.Response.NO_MATCH)
        assert made.log == made.log[:3], "nothing to complain about"


@pytest.mark.parametrize(("changes", "error"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_cloud_is_lost_with_one_line_and_the_next_one_is_not(changes: dict[str, Any], error: str) -> None:
    with active_robot() as made:
        made.publish(malformed_message(1, changes))
        until(lambda: made.log[3:], "a line about it")
        answer = made.call(FindObject, "find_object", query="mug")
        assert answer.status == FindObject.Response.NO_DATA
        assert error in answer.message
        made.show(stamp=2)
        assert made.node._health.failed == 1
        assert made.log[3:] == [f"cloud lost: cloud: {error}"]


def test_a_driver_that_sends_millimetres_is_told_of_once_until_the_node_is_activated_anew() -> None:
    asked, millimetres = "are these millimetres, or other units?", PointCloud(frame_cloud().points * np.float32(1000))
    with active_robot() as made:
        reports = made.listen(DiagnosticArray, "/diagnostics")
        for stamp in (1, 2):
            made.show(stamp, cloud=millimetres)
        until(lambda: reports and asked in reports[-1].status[0].message, "the diagnostics")
        assert reports[-1].status[0].level == DiagnosticStatus.WARN
        assert sum(asked in line for line in made.log) == 1
        made.node.trigger_deactivate()
        made.node.trigger_activate()
        made.show(stamp=3)
        until(lambda: "clouds per second" in reports[-1].status[0].message, "that it is settled")
        assert sum(asked in line for line in made.log) == 1


def test_a_cloud_on_which_the_model_fails_is_lost_alone() -> None:
    with active_robot() as made:
        made.model.failure = RuntimeError("no memory")
        made.publish(frame_message(1))
        until(lambda: made.node._health.failed == 1, "the loss")
        assert "cloud lost: RuntimeError: no memory" in made.log
        made.show(stamp=2)


def test_without_a_map_a_late_cloud_is_left_out_and_ids_go_on() -> None:
    with active_robot() as made:
        for stamp in (100, 101):
            made.show(stamp * 1_000_000_000)
        before = [track.id for track in made.perception.result.tracks]
        made.publish(frame_message(100_900_000_000))
        until(lambda: made.node._health.failed == 1, "a late cloud")
        assert "its stamp is -0.100 s from the latest: it is left out" in made.log[-1]
        made.show(101_200_000_000)
        assert [track.id for track in made.perception.result.tracks] == before


def test_big_endian_clouds_with_odd_steps_and_padded_rows_are_read() -> None:
    with active_robot() as made:
        cloud = frame_cloud()
        message = frame_message(4, cloud)
        step, row = 19, 40 * 19 + 13
        table = np.zeros((30, row), np.uint8)
        points = table[:, : 40 * step].reshape(30, 40, step)
        points[..., 3:15] = cloud.points.reshape(30, 40, 3).astype(">f4").view(np.uint8)
        for axis in range(3):
            message.fields[axis].offset = 3 + 4 * axis
        message.fields = message.fields[:3]
        message.is_bigendian, message.point_step, message.row_step = True, step, row
        message.data = type(message.data)("B", table.tobytes())
        made.publish(message)
        until(lambda: made.perception.result is not None, "the result")
        np.testing.assert_array_equal(made.model.clouds[-1].points, cloud.points)


def test_the_core_is_told_up_camera_and_configuration() -> None:
    with robot(overrides={"max_range": 3.0, "crop_min": [-1.0, -1.0, 0.0], "voxel_size": 0.02}) as made:
        T = np.eye(4)
        T[:3, 2] = [0, -1, 0]
        made.transforms.table[FRAME, "odom"] = T
        made.show(stamp=5, cloud=PointCloud.from_depth(np.ones((30, 40), np.float32), CAMERA))
        cloud, config = made.model.clouds[0], made.model.configs[0]
        assert cloud.up is not None
        assert cloud.up.tolist() == [0, -1, 0]
        assert cloud.camera is not None
        assert cloud.camera.fx == pytest.approx(CAMERA.fx, rel=1e-3)
        assert config is not None
        assert (config.max_range, config.crop_min, config.crop_max) == (3.0, (-1.0, -1.0, 0.0), None)
        assert config.voxel_size == 0.02


# --- vocabulary --------------------------------------------------------------------------------------------------


def test_the_vocabulary_changes_at_run_time_and_holds_from_the_next_cloud_on() -> None:
    with active_robot() as made:
        made.show(stamp=1)
        answer = made.call(SetVocabulary, "set_vocabulary", labels=["box", "кот"])
        assert (answer.success, answer.message) == (True, "2 words from the next cloud on")
        made.show(stamp=2)
        assert made.perception.result is not None
        assert [name for name, _ in made.perception.result.names] == ["", "box", ""]
        assert made.call(SetVocabulary, "set_vocabulary", labels=[]).success
        assert made.node.get_parameter("vocabulary").value == list(DEFAULT_VOCABULARY)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(["mug", " "], "an empty one"), (["mug", "mug"], "mug repeatedly"), (["m" * 3000], "of 3000")],
)
def test_a_bad_vocabulary_is_refused_and_the_old_one_stays(labels: list[str], reason: str) -> None:
    with robot(overrides={"autostart": False, "vocabulary": ["pear"]}) as made:
        answer = made.call(SetVocabulary, "set_vocabulary", labels=labels)
        assert not answer.success
        assert reason in answer.message
        assert made.node.get_parameter("vocabulary").value == ["pear"]


def test_while_a_new_vocabulary_is_read_services_answer() -> None:
    words = [f"thing {k}" for k in range(60)]
    with active_robot() as made:
        made.show(stamp=1)
        made.model.reading = 0.05
        assert made.call(SetVocabulary, "set_vocabulary", labels=words).success
        made.publish(frame_message(2))
        until(lambda: any("thing 0" in read for read in made.model.words), "reading to begin")
        waits = []
        while made.perception.result is not None and made.perception.result.stamp == 1:
            before = time.monotonic()
            assert made.call(FindObject, "find_object", query="mug").status == FindObject.Response.SUCCESS
            assert state(made) == "active"
            waits.append(time.monotonic() - before)
        assert len(waits) >= 3, "all of it read at once, 3 s, would let through one"
        assert max(waits) < 2
