"""Bags: every storage, every cloud in order, and a clear line for what is no bag."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from segvec3d_core.io import iter_bag_clouds, read_cloud
from segvec3d_core.types import Camera, PointCloud

CAMERA = Camera(16, 12, 20.0, 20.0, 7.5, 5.5)
TYPES = get_typestore(Stores.LATEST)


def frame(number: int) -> PointCloud:
    depth = np.random.default_rng(number).uniform(0.5, 1.5, (12, 16)).astype(np.float32)
    return PointCloud.from_depth(depth, CAMERA)


def write_bag(
    path: Path, storage: StoragePlugin, topics: dict[str, list[PointCloud]], frame_id: str = "camera", rows: int = 12
) -> None:
    """Record x y z clouds of so many rows, one a second, and a string beside them."""
    header, time = TYPES.types["std_msgs/msg/Header"], TYPES.types["builtin_interfaces/msg/Time"]
    field = TYPES.types["sensor_msgs/msg/PointField"]
    cloud_type, text_type = TYPES.types["sensor_msgs/msg/PointCloud2"], TYPES.types["std_msgs/msg/String"]
    fields = [field(name=axis, offset=4 * i, datatype=7, count=1) for i, axis in enumerate("xyz")]
    with Writer(path, version=9, storage_plugin=storage) as writer:
        chatter = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=TYPES)
        writer.write(chatter, 0, TYPES.serialize_cdr(text_type(data="hello"), "std_msgs/msg/String"))
        for topic, clouds in topics.items():
            connection = writer.add_connection(topic, "sensor_msgs/msg/PointCloud2", typestore=TYPES)
            for second, cloud in enumerate(clouds):
                message = cloud_type(
                    header=header(stamp=time(sec=second, nanosec=5), frame_id=frame_id),
                    height=rows, width=192 // rows, fields=fields, is_bigendian=False, point_step=12,
                    row_step=2304 // rows,
                    data=np.frombuffer(cloud.points.tobytes(), np.uint8), is_dense=False,
                )  # fmt: skip
                raw = TYPES.serialize_cdr(message, "sensor_msgs/msg/PointCloud2")
                writer.write(connection, second * 10**9, raw)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_every_cloud_of_a_bag_comes_back_in_order(tmp_path: Path, storage: StoragePlugin) -> None:
    clouds = [frame(number) for number in range(3)]
    write_bag(tmp_path / "bag", storage, {"/points": clouds})
    read = list(iter_bag_clouds(tmp_path / "bag"))
    assert [(stamp, name) for stamp, name, _ in read] == [(s * 10**9 + 5, "camera") for s in range(3)]
    for (_, _, cloud), original in zip(read, clouds, strict=True):
        np.testing.assert_array_equal(cloud.points, original.points)
        assert cloud.camera is not None
        assert cloud.viewpoint is not None
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix in (".mcap", ".db3"))
    np.testing.assert_array_equal(read_cloud(file, index=2).points, clouds[2].points)


def test_a_cloud_without_rows_is_seen_from_its_frame_unless_that_stands_upright(tmp_path: Path) -> None:
    for name, seen in (("camera", True), ("map", False)):
        write_bag(tmp_path / name, StoragePlugin.MCAP, {"/points": [frame(0)]}, name, rows=1)
        cloud = read_cloud(tmp_path / name)
        assert cloud.camera is None
        assert (cloud.viewpoint is not None) == seen


def test_what_a_pinhole_camera_explains_is_seen_from_it_whatever_its_frame_is_called(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", StoragePlugin.MCAP, {"/points": [frame(0)]}, "base_link")
    cloud = read_cloud(tmp_path / "bag")
    assert cloud.camera is not None
    assert cloud.viewpoint is not None


def test_a_topic_can_be_chosen_and_is_named_when_it_is_not_there(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", StoragePlugin.MCAP, {"/b": [frame(0)], "/a": [frame(1)]})
    np.testing.assert_array_equal(read_cloud(tmp_path / "bag").points, frame(1).points)
    np.testing.assert_array_equal(read_cloud(tmp_path / "bag", topic="/b").points, frame(0).points)
    with pytest.raises(ValueError, match=r"no PointCloud2 topic /c; it holds /a \(PointCloud2\), .*/chatter \(Str"):
        read_cloud(tmp_path / "bag", topic="/c")
    with pytest.raises(ValueError, match="no PointCloud2 topic /chatter"):
        read_cloud(tmp_path / "bag", topic="/chatter")


def test_a_bag_without_clouds_or_with_fewer_is_said_to_be_so(tmp_path: Path) -> None:
    write_bag(tmp_path / "none", StoragePlugin.MCAP, {})
    with pytest.raises(ValueError, match=r"no PointCloud2 topic; it holds /chatter \(String\)"):
        read_cloud(tmp_path / "none")
    write_bag(tmp_path / "one", StoragePlugin.MCAP, {"/points": [frame(0)]})
    with pytest.raises(ValueError, match="no cloud 1: it has fewer"):
        read_cloud(tmp_path / "one", index=1)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_a_truncated_bag_ends_in_one_clear_line(tmp_path: Path, storage: StoragePlugin) -> None:
    write_bag(tmp_path / "bag", storage, {"/points": [frame(number) for number in range(9)]})
    file = next(path for path in (tmp_path / "bag").iterdir() if path.suffix in (".mcap", ".db3"))
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for path in (tmp_path / "bag", file):
        with pytest.raises(ValueError, match="not a readable bag") as caught:
            list(iter_bag_clouds(path))
        assert "\n" not in str(caught.value)


def test_a_database_that_is_cut_near_its_end_is_no_readable_bag(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", StoragePlugin.SQLITE3, {"/points": [frame(number) for number in range(9)]})
    (file,) = (tmp_path / "bag").glob("*.db3")
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * 0.95)])
    with pytest.raises(ValueError, match="not a readable bag"):
        list(iter_bag_clouds(tmp_path / "bag"))


def test_a_folder_without_metadata_is_no_bag(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no metadata\.yaml"):
        list(iter_bag_clouds(tmp_path))
