"""The client that scripts and the demo use, and the node as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ros_stand_ins import Robot, active_robot, robot, until

# isort: split
import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context

from segvec3d_interfaces.msg import InstanceArray
from segvec3d_interfaces.srv import FindObject
from segvec3d_ros.client import Client

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def seeing() -> Iterator[Robot]:
    with active_robot() as made:
        made.show(stamp=5)
        yield made


def test_a_question_gets_its_answer(seeing: Robot) -> None:
    with Client(context=seeing.peer.context) as client:
        assert client.wait_until_active(10)
        answer = client.find_object("the mug", return_clouds=True)
        assert answer.status == FindObject.Response.SUCCESS
        assert answer.matches[0].cloud.width > 0
        late = client.find_object("the mug", timeout=0.05, not_before=Time(sec=9))
        assert late.status == FindObject.Response.NO_DATA


def test_messages_are_collected_from_topics_below_the_node(seeing: Robot) -> None:
    with Client("segvec3d", context=seeing.peer.context) as client:
        objects = client.collect(InstanceArray, "objects", keep=2)
        until(lambda: seeing.node.count_subscribers("/segvec3d/objects") > 0, "the subscription")
        time.sleep(0.2)
        for stamp in (6, 7, 8):
            seeing.show(stamp)
        assert objects.wait(3, timeout=5)
        assert [message.header.stamp.nanosec for message in objects.messages] == [7, 8]
        assert not objects.wait(4, timeout=0.05)


def test_the_vocabulary_is_set(seeing: Robot) -> None:
    with Client(context=seeing.peer.context) as client:
        assert client.set_vocabulary(["mug", "box"]).success
        assert not client.set_vocabulary(["", "box"]).success


def test_a_node_that_is_not_there_is_named() -> None:
    context = Context()
    rclpy.init(context=context)
    with Client("/nobody", context=context) as client:
        with pytest.raises(TimeoutError, match="/nobody/find_object: no such service"):
            client.find_object("mug", wait=0.2)
        assert not client.wait_until_active(0.2)
    rclpy.try_shutdown(context=context)


def test_waiting_for_a_node_that_stays_inactive_ends() -> None:
    with robot(overrides={"autostart": False}) as made, Client(context=made.peer.context) as client:
        assert not client.wait_until_active(0.5)


# --- the node as a process ---------------------------------------------------------------------------------------


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The node's executable with ROS arguments; killed in the end, or it would answer other tests."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "segvec3d_node"), "--ros-args", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ, PYTHONUNBUFFERED="1"),
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("clustering:=magic", "clustering: expected one of"),
        ("max_range:=3", "max_range"),
    ],
)
def test_a_refused_parameter_ends_the_process_with_one_line(parameter: str, words: str) -> None:
    with started("-p", parameter) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 2
    assert words in output
    assert output.count("\n") == 1


def test_an_interrupted_process_ends_cleanly_even_when_interrupted_twice() -> None:
    with started("-p", "model:=/nowhere.safetensors", "-p", "max_rnage:=1.0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert any("unknown parameter max_rnage" in line for line in lines), lines
        assert any("loading the model /nowhere.safetensors" in line for line in lines), lines
        assert any("cannot load the model /nowhere.safetensors" in line for line in lines), lines
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=30)[0]
    assert (process.returncode, output) == (0, "")
