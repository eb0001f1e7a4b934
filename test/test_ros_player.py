"""The camera process: what it plays, and that no cloud of it is lost on the way."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ros_stand_ins  # noqa: F401  first: skips where ROS is missing

# isort: split
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.types import Camera
from segvec3d_ros import share
from segvec3d_ros.conversions import to_cloud
from segvec3d_ros.player import OPTICAL_FRAME, SCAN_FRAME, looped, main, shots

ROOT = Path(__file__).parents[1]
CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames of 640 x 480: a wall at 1, 2 and 3 m with a hole in it."""
    path = tmp_path_factory.mktemp("frames")
    for k in range(3):
        depth = np.full((480, 640), 1.0 + k, np.float32)
        depth[100:140, 200:260] = np.nan
        color = np.full((480, 640, 3), 50 * k, np.uint8)
        write_frame(path, Frame(name=f"frame{k}", depth=depth, camera=CAMERA, color=color, label=None))
    return path


def test_a_folder_is_played_in_order_and_begins_again_when_asked_to(folder: Path) -> None:
    assert [shot.name for shot in looped(str(folder), 0, None, False)] == ["frame0", "frame1", "frame2"]
    again = [shot.name for shot in itertools.islice(looped(str(folder), 0, None, True), 5)]
    assert again == ["frame0", "frame1", "frame2", "frame0", "frame1"]
    assert {shot.frame for shot in shots(str(folder))} == {OPTICAL_FRAME}


def test_a_scan_is_read_once_and_stands_in_a_level_frame(tmp_path: Path) -> None:
    scan = tmp_path / "scan.npz"
    np.savez(scan, points=np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32))
    first, second, third = itertools.islice(looped(str(scan), 0, None, True), 3)
    assert first is second is third
    assert (first.name, first.frame, len(first.cloud)) == ("scan.npz", SCAN_FRAME, 500)


def test_the_simulator_never_ends_and_repeats_with_its_seed() -> None:
    first, again = (list(itertools.islice(shots(None, seed=3), 2)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        assert a.cloud.camera == CAMERA
        np.testing.assert_array_equal(a.cloud.points, b.cloud.points)
        assert np.isnan(a.cloud.points).any()
    assert not np.array_equal(first[0].cloud.points, first[1].cloud.points, equal_nan=True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["/nowhere/scan.ply"], 2, "/nowhere/scan.ply"),
        (["{tmp}"], 2, "not a frame folder"),
        (["{frames}", "--wait", "0.2", "--topic", "nobody/listens"], 1, "nobody subscribed to"),
    ],
)
def test_bad_input_ends_with_one_line(
    arguments: list[str], code: int, words: str, tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [text.format(tmp=tmp_path, frames=folder) for text in arguments]
    assert main(given) == code
    error = capsys.readouterr().err.strip()
    assert words in error
    assert "\n" not in error


@pytest.mark.parametrize("rate", ["0", "-1", "soon", "nan"])
def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--rate={rate}"])
    assert ended.value.code == 2
    assert "--rate" in capsys.readouterr().err


@pytest.fixture
def listener() -> Iterator[tuple[Node, list[PointCloud2]]]:
    """A node with a best-effort subscription to "points", as the camera's user has."""
    context = Context()
    rclpy.init(context=context)
    node = Node("listener", context=context)
    clouds: list[PointCloud2] = []
    node.create_subscription(PointCloud2, "points", clouds.append, qos_profile_sensor_data)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    yield node, clouds
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_every_cloud_of_a_camera_process_arrives(folder: Path, listener: tuple[Node, list[PointCloud2]]) -> None:
    node, clouds = listener
    executor = node.executor
    assert executor is not None
    environment = {k: v for k, v in os.environ.items() if k != share.FASTDDS_VARIABLE}
    arguments = [str(folder), "--loop", "--count", "8", "--rate", "5", "--wait", "60"]
    camera = subprocess.Popen(
        [sys.executable, "-m", "segvec3d_ros.player", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=ROOT,
    )  # fmt: skip
    while camera.poll() is None:
        executor.spin_once(timeout_sec=0.05)
    output = camera.communicate()[0]
    assert camera.returncode == 0, output
    assert "published 8 clouds on /points" in output
    assert len(clouds) == 8, "none is lost"
    stamps = [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in clouds]
    assert all(f"stamp {s // 10**9}.{s % 10**9:09d}" in output for s in stamps)
    assert np.diff(stamps).min() > 0
    cloud = to_cloud(clouds[1])
    assert (clouds[1].width, clouds[1].height, clouds[1].header.frame_id) == (640, 480, OPTICAL_FRAME)
    assert cloud.camera is not None
    assert cloud.camera.fx == pytest.approx(525, rel=1e-3)
    assert np.isnan(cloud.points).all(1).sum() == 40 * 60
    assert np.nanmax(cloud.points[:, 2]) == pytest.approx(2.0, abs=1e-3)


def test_a_profile_that_the_user_named_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(share.FASTDDS_VARIABLE, "/my/own.xml")
    assert share.use_large_messages() == Path("/my/own.xml")
    monkeypatch.delenv(share.FASTDDS_VARIABLE)
    assert share.use_large_messages() == ROOT / "config" / "fastdds.xml"
    assert os.environ[share.FASTDDS_VARIABLE] == str(ROOT / "config" / "fastdds.xml")


def test_a_shipped_file_that_is_missing_is_named_with_the_places_that_were_searched() -> None:
    with pytest.raises(FileNotFoundError, match=r"config/none\.xml: not found in .*share/segvec3d/config"):
        share.share_file("config/none.xml")
