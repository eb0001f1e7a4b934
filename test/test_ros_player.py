"""The camera process: what it plays, and that no cloud of it is lost on the way."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ros_stand_ins  # noqa: F401  first: skips where ROS is missing
from hypothesis import given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin
from test_io_bags import frame, write_bag

# isort: split
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import PointCloud2

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.types import BODY_AXES, OPTICAL_AXES, Camera, PointCloud
from segvec3d_ros import player, share
from segvec3d_ros.player import CARRIED, OPTICAL_FRAME, SCAN_FRAME, Shot, looped, main, shots, thinned

ROOT = Path(__file__).parents[1]
CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)


CHOICES = (*share.FASTDDS_VARIABLES, share.TRANSPORTS)
"""By which a user decides how Fast DDS carries messages."""


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


def test_a_bag_is_played_in_the_order_and_the_frame_of_its_recording(tmp_path: Path) -> None:
    recorded = {"/b/points": [frame(0), frame(1)], "/a/points": [frame(k) for k in range(2, 5)]}
    write_bag(tmp_path / "bag", StoragePlugin.MCAP, recorded)
    for topic, clouds in ((None, recorded["/a/points"]), ("/b/points", recorded["/b/points"])):
        played = list(looped(str(tmp_path / "bag"), 0, topic, False))
        assert [shot.name for shot in played] == [f"{k}.000 s" for k in range(len(clouds))]
        assert {shot.frame for shot in played} == {"camera"}
        for shot, cloud in zip(played, clouds, strict=True):
            np.testing.assert_array_equal(shot.cloud.points, cloud.points)
            assert shot.cloud.camera is not None
    with pytest.raises(ValueError, match="no PointCloud2 topic /c"):
        next(looped(str(tmp_path / "bag"), 0, "/c", False))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 600), st.sampled_from(["none", "optical", "body"]))
def test_a_thinned_cloud_holds_at_most_its_limit_and_only_points_that_were_there(
    width: int, height: int, limit: int, camera_frame: str
) -> None:
    depth = np.random.default_rng(0).uniform(1, 2, (height, width)).astype(np.float32)
    camera = Camera(width, height, 50.0, 50.0, 7.0, 5.0)
    cloud = PointCloud.from_depth(depth, camera, np.zeros((height, width, 3), np.uint8))
    if camera_frame == "none":
        cloud = PointCloud(cloud.points, cloud.colors)
    elif camera_frame == "body":
        cloud = PointCloud(cloud.points @ BODY_AXES.T, cloud.colors, body_camera=camera)
    shot, step = thinned(Shot("x", cloud, "f"), limit)
    assert 1 <= len(shot.cloud) <= max(limit, 1)
    assert (step == 1) == (len(cloud) <= limit)
    assert set(map(tuple, shot.cloud.points)) <= set(map(tuple, cloud.points))
    assert shot.cloud.colors is not None
    if camera_frame != "none":
        thin, axes = shot.cloud.any_camera, shot.cloud.camera_axes
        assert thin is not None
        assert axes is (OPTICAL_AXES if camera_frame == "optical" else BODY_AXES)
        right, _, forward = (shot.cloud.points @ axes).T
        pixel = right / forward * thin.fx + thin.cx
        np.testing.assert_allclose(pixel, np.tile(np.arange(thin.width), thin.height), atol=1e-3)


def test_a_scan_that_shared_memory_does_not_carry_is_thinned_and_the_player_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "carried", lambda: 200)
    monkeypatch.setattr(player, "LINGER", 0.0)
    np.savez(tmp_path / "scan.npz", points=np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32))
    assert main([str(tmp_path / "scan.npz"), "--loop", "--count", "2", "--rate", "100"]) == 0
    said = capsys.readouterr()
    assert said.out.count("scan.npz, 167 x 1") == 2
    assert said.err.count("only one in 3 points is published, 167 points") == 1


@pytest.mark.parametrize("axes", [OPTICAL_AXES, BODY_AXES])
@pytest.mark.parametrize(("limit", "size"), [(1000, "16 x 12"), (50, "8 x 6")])
def test_a_recorded_image_is_played_as_one_in_whichever_frame_it_is(
    axes: np.ndarray, limit: int, size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(player, "carried", lambda: limit)
    monkeypatch.setattr(player, "LINGER", 0.0)
    write_bag(tmp_path / "bag", StoragePlugin.MCAP, {"/points": [PointCloud(frame(0).points @ axes.T)]}, "zed_left")
    assert main([str(tmp_path / "bag")]) == 0
    said = capsys.readouterr()
    assert f", {size}, stamp" in said.out
    assert ("only one in 2 rows and columns is published" in said.err) == (limit == 50)


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
    environment = {k: v for k, v in os.environ.items() if k not in CHOICES}
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
    cloud = cloud_of_message(clouds[1])
    assert (clouds[1].width, clouds[1].height, clouds[1].header.frame_id) == (640, 480, OPTICAL_FRAME)
    assert cloud.camera is not None
    assert cloud.camera.fx == pytest.approx(525, rel=1e-3)
    assert np.isnan(cloud.points).all(1).sum() == 40 * 60
    assert np.nanmax(cloud.points[:, 2]) == pytest.approx(2.0, abs=1e-3)


@pytest.fixture
def undecided(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A user who has chosen nothing about Fast DDS, and shared memory in plenty."""
    for name in CHOICES:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(share, "_free_shared_memory", lambda: 1e9)
    return monkeypatch


@pytest.mark.parametrize("variable", CHOICES)
def test_what_the_user_has_chosen_is_left_alone(variable: str, undecided: pytest.MonkeyPatch) -> None:
    undecided.setenv(variable, "/my/own.xml")
    assert share.use_large_messages() is None
    assert [os.environ[name] for name in CHOICES if name != variable] == ["", ""]


@pytest.mark.parametrize(("distribution", "count"), [("jazzy", 2), ("kilted", 1), ("", 1)])
def test_the_profile_is_named_to_the_version_of_fast_dds_that_is_there(
    distribution: str, count: int, undecided: pytest.MonkeyPatch
) -> None:
    undecided.setenv("ROS_DISTRO", distribution)
    profile = ROOT / "config" / "fastdds.xml"
    assert share.use_large_messages() == profile
    assert [os.environ[name] for name in CHOICES] == ([str(profile)] * count + [""] * 3)[:3]


def test_where_shared_memory_is_small_so_is_what_is_taken_of_it(
    undecided: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    undecided.setattr(share, "_free_shared_memory", lambda: 64e6)
    assert share.use_large_messages() == ROOT / "config" / "fastdds_small.xml"
    assert not caplog.records
    undecided.setenv(CHOICES[0], "")
    undecided.setattr(share, "_free_shared_memory", lambda: 5e6)
    assert share.use_large_messages() is None
    assert "/dev/shm has 5 MB free" in caplog.text
    undecided.setattr(share, "PROFILES", {"none.xml": 0.0})
    assert share.use_large_messages() is None
    assert "config/none.xml: not found in" in caplog.text
    undecided.undo()
    assert 0 < share._free_shared_memory() < 1e15
    undecided.setattr(share, "SHARED_MEMORY", "/nowhere")
    assert share._free_shared_memory() == np.inf


@pytest.mark.parametrize(("profile", "points"), [*CARRIED.items(), ("/my/own.xml", max(CARRIED.values()))])
def test_two_labelled_clouds_fit_into_the_shared_memory_of_the_profile(
    profile: str, points: int, undecided: pytest.MonkeyPatch
) -> None:
    undecided.setenv(CHOICES[0], str(ROOT / "config" / profile))
    assert player.carried() == points
    if profile in CARRIED:
        found = re.search(r"<segment_size>(\d+)<", (ROOT / "config" / profile).read_text())
        assert found is not None
        assert 640 * 480 * 24 * 2 <= points * 24 * 2 < int(found[1])


def test_a_shipped_file_that_is_missing_is_named_with_the_places_that_were_searched() -> None:
    with pytest.raises(FileNotFoundError, match=r"config/none\.xml: not found in .*share/segvec3d/config"):
        share.share_file("config/none.xml")
