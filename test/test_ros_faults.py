"""What a robot's day does to the node: nothing hangs, nothing saved is lost, one clear message each.

Shortened here; ``make faults`` runs it in full, for minutes.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from malformed_clouds import DEGENERATE, MALFORMED
from ros_stand_ins import (
    FRAME,
    WAIT,
    Robot,
    StandInTransforms,
    active_robot,
    frame_cloud,
    frame_message,
    malformed_message,
    until,
)

# isort: split
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2

from segvec3d_core.object_map import ObjectMap
from segvec3d_core.types import Camera, PointCloud
from segvec3d_interfaces.msg import Instance
from segvec3d_interfaces.srv import FindObject, ListObjects, MapFile
from segvec3d_ros.client import Client
from segvec3d_ros.demo import wait_until_active
from segvec3d_ros.player import OPTICAL_FRAME, Shot, play
from segvec3d_ros.processes import Part, Parts

FULL = os.environ.get("SEGVEC3D_FAULTS") == "full"
SECOND = 1_000_000_000
ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "segvec3d_core" / "models" / "segvec3d.safetensors"

pytestmark = pytest.mark.timeout(1800 if FULL else 240)


def times(short: int, full: int) -> int:
    return full if FULL else short


@pytest.fixture
def robot() -> Iterator[Robot]:
    transforms = StandInTransforms()
    transforms.table["map", FRAME] = np.eye(4)
    overrides = {"object_map": True, "map_frame": "map", "tf_timeout": 0.02, "confirm_seconds": 0.0}
    with active_robot(transforms=transforms, overrides=overrides) as made:
        yield made


def ask(robot: Robot) -> Any:
    return robot.call(FindObject, "find_object", query="mug")


def ids(robot: Robot) -> set[int]:
    """Of what the map holds."""
    return {thing.id for thing in robot.call(ListObjects, "list_objects").objects.instances}


def test_a_flood_of_clouds_at_30_hz_leaves_services_answering_and_the_map_small(robot: Robot) -> None:
    robot.show(SECOND)
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            robot.publisher.publish(frame_message(time.time_ns()))
            time.sleep(1 / 30)

    sender = threading.Thread(target=flood)
    sender.start()
    try:
        for _ in range(times(10, 600)):
            before = time.monotonic()
            assert ask(robot).status == FindObject.Response.SUCCESS
            assert time.monotonic() - before < WAIT
            time.sleep(0.1)
    finally:
        stop.set()
        sender.join()
    assert robot.node._worker.processed > times(10, 600)
    assert robot.call(ListObjects, "list_objects").message.startswith("3 objects")


def test_tf_that_stops_and_comes_back_costs_the_clouds_in_between_alone(robot: Robot) -> None:
    robot.show(SECOND)
    known = ids(robot)
    T = robot.transforms.table.pop(("map", FRAME))
    lost = times(3, 100)
    stamps = [SECOND + k * SECOND // 2 for k in range(1, lost + 2)]  # more than a minute ahead would be another time
    for k in range(lost):
        robot.publish(frame_message(stamps[k]))
        until(lambda k=k: robot.node._health.failed == k + 1, "a lost cloud")
        assert ask(robot).status == FindObject.Response.SUCCESS
    assert robot.perception.map is not None
    assert robot.perception.map.gaps == lost
    robot.transforms.table["map", FRAME] = T
    robot.show(stamps[-1])
    assert ids(robot) == known


def test_every_malformed_cloud_is_lost_alone_and_told_in_one_line(robot: Robot) -> None:
    robot.show(100 * SECOND)
    known = ids(robot)
    diagnostics = robot.listen(DiagnosticArray, "/diagnostics")
    before, told = len(robot.log), 0
    for k in range(times(1, 20)):
        for changes, error in MALFORMED.values():
            robot.publish(malformed_message(k * SECOND, changes))  # nor is its stamp believed
            until(lambda told=told: len(robot.log) > before + told, f"a line about it: {error}")
            told += 1
            assert robot.log[before:][told - 1 :] == [f"cloud lost: cloud: {error}"]
            assert ask(robot).status == FindObject.Response.SUCCESS
    assert robot.node._health.failed == told
    assert robot.node.book.throttled == robot.log[before:], "a stream of them does not fill the log"
    last = f"the latest cloud was lost: cloud: {error}"
    until(lambda: diagnostics and diagnostics[-1].status[0].message == last, "the diagnostics to say so")
    robot.show(101 * SECOND)
    assert ids(robot) == known
    assert len(robot.log) == before + told


def test_clouds_in_which_nothing_can_be_seen_cost_the_map_nothing(robot: Robot) -> None:
    robot.show(SECOND)
    known = ids(robot)
    for k in range(times(1, 20)):
        for n, points in enumerate(DEGENERATE.values()):
            robot.show((2 + k) * SECOND + n, cloud=PointCloud(points.astype(np.float32)))
            assert ask(robot).status == FindObject.Response.SUCCESS
    robot.show((60 + times(1, 20)) * SECOND)
    assert known <= ids(robot)
    assert robot.node._health.failed == 0


def test_two_clients_that_ask_at_once_are_both_answered(robot: Robot) -> None:
    robot.show(SECOND)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: ask(robot), range(times(10, 400))))
    assert {answer.status for answer in answers} == {FindObject.Response.SUCCESS}
    assert len({answer.matches[0].instance.id for answer in answers}) == 1


def test_deactivation_during_inference_keeps_the_map(robot: Robot) -> None:
    robot.show(SECOND)
    known = ids(robot)
    for k in range(times(1, 20)):
        robot.model.gate.clear()
        seen = len(robot.model.clouds)
        robot.publish(frame_message((2 + k) * SECOND))
        until(lambda seen=seen: len(robot.model.clouds) > seen, "inference to begin")
        for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE):
            if transition == Transition.TRANSITION_ACTIVATE:
                assert ask(robot).status == FindObject.Response.INACTIVE
                robot.model.gate.set()
            assert robot.call(ChangeState, "change_state", transition=Transition(id=transition)).success
        robot.show((2 + k) * SECOND + SECOND // 2)
        assert ids(robot) == known


def test_a_full_disk_at_save_is_told_and_leaves_the_last_save(
    robot: Robot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "map.npz")
    robot.show(SECOND)
    assert robot.call(MapFile, "save_map", path=path).success
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", _no_space)
        for _ in range(times(2, 50)):
            answer = robot.call(MapFile, "save_map", path=path)
            assert (answer.success, "No space left on device" in answer.message) == (False, True)
    assert os.listdir(tmp_path) == ["map.npz"]
    assert robot.call(MapFile, "load_map", path=path).success
    robot.show(2 * SECOND)
    assert ask(robot).status == FindObject.Response.SUCCESS


def _no_space(*_: Any) -> None:
    raise OSError(28, "No space left on device")


SAVER = """
import sys
import numpy as np
from segvec3d_core.object_map import ObjectMap
objects = ObjectMap()
objects.load(sys.argv[1])
print("saving", flush=True)
while True:
    objects.save(sys.argv[1])
"""


def test_a_node_that_is_killed_in_mid_save_leaves_a_whole_file(robot: Robot, tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    robot.show(SECOND, cloud=frame_cloud())
    assert robot.call(MapFile, "save_map", path=str(path)).success
    rng = np.random.default_rng(0)
    for _ in range(times(2, 40)):
        saver = subprocess.Popen([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
        assert saver.stdout is not None
        saver.stdout.readline()
        time.sleep(float(rng.uniform(0, 0.1)))
        saver.send_signal(signal.SIGKILL)
        saver.wait(WAIT)
        saver.stdout.close()
        assert ObjectMap().load(path) == 3


def test_a_node_that_is_closed_in_mid_stream_goes_on_with_what_was_saved(tmp_path: Path) -> None:
    path = str(tmp_path / "map.npz")
    known: set[int] = set()
    for life in range(times(2, 20)):
        with active_robot(overrides={"object_map": True, "map_file": path, "confirm_seconds": 0.0}) as robot:
            robot.show((10 + life) * SECOND)
            listed = ids(robot)
            assert not known or listed == known
            known = listed
            assert robot.call(MapFile, "save_map").success
            robot.publish(frame_message((10 + life) * SECOND + 1))  # and it is gone before that is worked on
    assert len(known) == 3


def shots() -> Iterator[Shot]:
    """Two boxes on a table, without end: the camera stands still, the noise of each frame is its own."""
    rng = np.random.default_rng(0)
    camera = Camera(96, 72, 90.0, 90.0, 47.5, 35.5)
    while True:
        depth = np.full((72, 96), 0.8, np.float32)
        depth[25:50, 15:40] = 0.74
        depth[25:50, 55:80] = 0.68
        depth += rng.normal(0, 0.001, depth.shape).astype(np.float32)
        yield Shot("table", PointCloud.from_depth(depth, camera), OPTICAL_FRAME)


@contextmanager
def streaming(client: Client) -> Iterator[threading.Event]:
    """A camera that sends these clouds at 30 Hz while the event is set."""
    on, stop = threading.Event(), threading.Event()

    def clouds() -> Iterator[Shot]:
        for shot in shots():
            on.wait()
            if stop.is_set():
                return
            yield shot

    publisher = client.node.create_publisher(PointCloud2, "points", qos_profile_sensor_data)
    sender = threading.Thread(target=play, args=(client.node, publisher, clouds(), 30.0, None, True))
    sender.start()
    try:
        yield on
    finally:
        stop.set()
        on.set()
        sender.join()


def begin(parts: Parts, client: Client, path: Path) -> Part:
    """Start a process of the node that keeps its map in a file, and wait until it is active."""
    node = parts.start("node", "segvec3d_ros.node", "--ros-args", "-p", f"map_file:={path}", "-p", "device:=cpu")
    wait_until_active(client, parts)
    return node


def listed(client: Client) -> dict[int, int]:
    """The state of each object in the map of a node's process."""
    answer = client._call(ListObjects, "list_objects", ListObjects.Request(), WAIT)
    return {thing.id: thing.state for thing in answer.objects.instances}


def in_view(client: Client, wanted: set[int]) -> bool:
    states = listed(client)
    return all(states.get(i) == Instance.VISIBLE for i in wanted)


def boxes(client: Client) -> set[int]:
    answer = client.find_object("the boxes", wait=WAIT)
    assert answer.status == FindObject.Response.SUCCESS, answer.message
    return {match.instance.id for match in answer.matches}


@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"no weights at {WEIGHTS.relative_to(ROOT)}")
@pytest.mark.timeout(1800)  # a first start compiles kernels
def test_a_node_process_that_is_killed_in_mid_stream_starts_again_with_what_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    with Parts(tmp_path) as parts, Client() as client, streaming(client) as stream:
        node = begin(parts, client, path)
        stream.set()
        parts.wait(lambda: len(listed(client)) >= 3, 2 * WAIT, "two boxes and a table in the map")
        for _ in range(times(1, 5)):
            assert client._call(MapFile, "save_map", MapFile.Request(), WAIT).success
            objects = ObjectMap()
            objects.load(path)
            saved, found = {thing.id for thing in objects.snapshot()}, boxes(client)
            node.process.kill()  # clouds come faster than it works on them: one is in work
            assert node.process.wait(WAIT) == -signal.SIGKILL
            stream.clear()
            node = begin(parts, client, path)
            assert node.log.read_text().count(f"{len(saved)} objects from {path}\n") == 1
            assert listed(client) == dict.fromkeys(saved, Instance.REMEMBERED)
            assert boxes(client) == found <= saved
            stream.set()
            parts.wait(partial(in_view, client, saved), WAIT, "what was saved in view again")
            assert min(listed(client).keys() - saved, default=math.inf) > max(saved)
            assert boxes(client) == found
