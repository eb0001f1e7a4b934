"""The process of the node: it ends when it is told to, leaves nothing behind, and refuses bad arguments in a line."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ros_stand_ins import WAIT, frame_message, until

# isort: split
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_ros.lifetime import _stray
from segvec3d_ros.node import main
from segvec3d_ros.side_node import spin_forever

TEST = Path(__file__).parent

PROGRAM = """
import sys, time
sys.path[:0] = [{test!r}, {root!r}]
from ros_stand_ins import StandInModel
from segvec3d_ros import node

class Model(StandInModel):
    def segment(self, cloud, config=None):
        print("at work", flush=True)
        time.sleep({work})
        return super().segment(cloud, config)

def load(path, device):
    print("loading", flush=True)
    time.sleep({loading})
    return Model()

node.load_segvec3d = load
sys.exit(node.main([]))
"""


class Running:
    """A node process on a stand-in model, whose lines are read as they come."""

    def __init__(self, work: float = 0.0, loading: float = 0.0) -> None:
        program = PROGRAM.format(test=str(TEST), root=str(TEST.parent), work=work, loading=loading)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def said(self, text: str) -> bool:
        """Whether a line holds this text."""
        return any(text in line for line in self.lines)

    def end(self, number: signal.Signals) -> float:
        """Seconds until the process has ended after a signal."""
        before = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(WAIT)
        seconds = time.monotonic() - before
        self._reader.join(5)
        return seconds


@pytest.fixture
def start() -> Iterator[Any]:
    """Starts node processes; ends those that a failed test leaves behind."""
    running: list[Running] = []

    def begin(**options: float) -> Running:
        running.append(Running(**options))
        return running[-1]

    yield begin
    for item in running:
        if item.process.poll() is None:
            item.process.kill()
            item.process.wait(WAIT)


@pytest.fixture
def peer() -> Iterator[Node]:
    """Another node of the same graph, spun by a thread of its own."""
    context = Context()
    rclpy.init(context=context)
    node = Node("peer", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=spin_forever, args=(executor, node), daemon=True)
    thread.start()
    yield node
    executor.shutdown()
    thread.join(5)
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def show_until(peer: Node, condition: Any, what: str) -> None:
    """Publish frames until a condition holds."""
    publisher = peer.create_publisher(PointCloud2, "points", 1)

    def look() -> bool:
        publisher.publish(frame_message(time.time_ns()))
        time.sleep(0.05)
        return bool(condition())

    until(look, what, 2 * WAIT)


def assert_quiet(running: Running) -> None:
    noise = [line for line in running.lines if any(w in line for w in ("Traceback", "Error", "ERROR", "cloud lost"))]
    assert not noise, "".join(running.lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_node_that_is_interrupted_in_mid_cloud_is_gone_within_three_seconds(
    number: signal.Signals, start: Any, peer: Node
) -> None:
    running = start(work=60.0)
    show_until(peer, lambda: running.said("at work"), "work to begin")
    assert running.end(number) < 3.0
    assert running.process.returncode == 0, "".join(running.lines)
    assert_quiet(running)


def test_a_node_that_is_interrupted_while_it_loads_is_gone_within_three_seconds(start: Any) -> None:
    running = start(loading=60.0)
    until(lambda: running.said("loading\n"), "loading to begin", 2 * WAIT)
    assert running.said("a first start compiles kernels, for a minute or two")
    assert running.end(signal.SIGINT) < 3.0
    assert running.process.returncode == 0
    assert_quiet(running)


def test_a_node_that_was_shut_down_by_its_manager_ends_quietly(start: Any, peer: Node) -> None:
    running = start()
    client: Any = peer.create_client(ChangeState, "/segvec3d/change_state")
    until(lambda: running.said("waiting for clouds"), "the node", 2 * WAIT)
    assert client.wait_for_service(WAIT)
    down = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_ACTIVE_SHUTDOWN))
    answers: list[Any] = [client.call_async(down)]
    until(lambda: answers[0].done(), "its answer")
    assert answers[0].result().success
    assert running.end(signal.SIGINT) < 3.0
    assert running.process.returncode == 0, "".join(running.lines)
    assert_quiet(running)


def test_an_interrupted_node_takes_its_boxes_down(start: Any, peer: Node) -> None:
    messages: list[MarkerArray] = []
    peer.create_subscription(MarkerArray, "/segvec3d/markers", messages.append, 10)
    running = start()
    show_until(peer, lambda: any(m.markers for m in messages), "boxes")
    running.end(signal.SIGINT)

    def shown() -> set[tuple[str, int]]:
        up: set[tuple[str, int]] = set()
        for marker in (marker for message in list(messages) for marker in message.markers):
            (up.add if marker.action == Marker.ADD else up.discard)((marker.ns, marker.id))
        return up

    until(lambda: not shown(), "the boxes to go", 5.0)
    assert running.process.returncode == 0
    assert_quiet(running)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "device:=cpu"], "unexpected argument -p: ROS arguments follow --ros-args"),
        (["points:=/camera/points"], "unexpected argument points:=/camera/points"),
        (["--ros-args", "-p", "device:=cpu", "--", "cpu"], "unexpected argument cpu"),
        (["--ros-args", "--params-file", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--ros-args", "--params-file", "{tmp}/broken.yaml"], "broken.yaml"),
        (["--ros-args", "--params-file", "{tmp}/flat.yaml"], "flat.yaml"),
        (["--ros-args", "--params-file", "{tmp}/typed.yaml"], "max_range"),
        (["--ros-args", "-p", "device"], "device"),
        (["--ros-args", "--device", "cpu"], "--device"),
        (["--ros-args", "-p", "device:=tpu"], "device: expected auto, cpu, cuda or cuda:N, got 'tpu'"),
    ],
)
def test_a_bad_argument_ends_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("segvec3d: [oh\n")
    (tmp_path / "flat.yaml").write_text("device: cpu\n")
    (tmp_path / "typed.yaml").write_text("segvec3d:\n  ros__parameters:\n    max_range: far\n")
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        assert main([text.format(tmp=tmp_path) for text in arguments]) == 2
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    error = capfd.readouterr().err
    assert error.startswith("segvec3d: ")
    assert words in error
    assert len(error.splitlines()) == 1, error
    assert ".c:" not in error


def test_what_ros2_launch_passes_is_no_stray_argument() -> None:
    given = ["--ros-args", "--log-level", "x:=info", "--ros-args", "-r", "__node:=segvec3d", "--params-file", "p.yaml"]
    assert list(_stray(given)) == []
