"""Messages and the core's values say the same."""

from __future__ import annotations

import array
import time
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ros_stand_ins import CAMERA, FRAME, StandInModel, frame_cloud, frame_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.types import Box, PointCloud, Scene
from segvec3d_interfaces.msg import Instance
from segvec3d_ros import conversions
from segvec3d_ros.conversions import Result
from segvec3d_ros.markers import BOXES, MarkerBoard
from segvec3d_ros.tracking import Track


def result_of(cloud: PointCloud, width: int, height: int, stamp: int = 1_500_000_000) -> Result:
    """What the node would keep of a cloud."""
    scene = StandInModel().segment(cloud)
    tracks = tuple(Track(10 + k, 1, stamp) for k in range(len(scene)))
    header = Header(frame_id=FRAME, stamp=conversions.time_message(stamp))
    names = tuple(("mug", 0.8) for _ in tracks)
    return Result(header, width, height, cloud, scene, names, tracks)


def table_of(message: PointCloud2) -> np.ndarray:
    """The message's bytes under the fields that it announces."""
    types = {PointField.FLOAT32: "<f4", PointField.UINT32: "<u4"}
    layout: Any = {
        "names": [field.name for field in message.fields],
        "formats": [types[field.datatype] for field in message.fields],
        "offsets": [field.offset for field in message.fields],
        "itemsize": message.point_step,
    }
    return np.frombuffer(message.data, np.dtype(layout))


def test_the_labelled_cloud_carries_points_colours_ids_and_scores() -> None:
    cloud = frame_cloud()
    result = result_of(cloud, 40, 30)
    message = conversions.labelled_cloud(result)
    table = table_of(message)
    assert [field.name for field in message.fields] == ["x", "y", "z", "rgb", "label", "probability"]
    assert (message.width, message.height, message.row_step) == (40, 30, 40 * message.point_step)
    for axis, name in enumerate("xyz"):
        np.testing.assert_array_equal(table[name], cloud.points[:, axis])
    ids = np.array([10, 11, 12, 0])[result.scene.labels]
    np.testing.assert_array_equal(table["label"], ids)
    np.testing.assert_allclose(table["probability"], np.array([0.5, 0.6, 0.7, 0])[result.scene.labels], rtol=1e-6)


def test_the_labelled_cloud_reads_back_as_the_cloud_it_came_from() -> None:
    cloud = frame_cloud()
    again = cloud_of_message(conversions.labelled_cloud(result_of(cloud, 40, 30)))
    np.testing.assert_array_equal(again.points, cloud.points)
    np.testing.assert_array_equal(again.colors, cloud.colors)


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations(["x", "y", "z", "rgb", "junk"]),
    gaps=st.lists(st.integers(0, 5), min_size=5, max_size=5),
    padding=st.integers(0, 7),
    big=st.booleans(),
    n=st.integers(0, 6),
)
def test_any_layout_of_fields_says_the_same(order: list[str], gaps: list[int], padding: int, big: bool, n: int) -> None:
    rng = np.random.default_rng(n)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    colors = rng.integers(0, 256, (n, 3), np.uint8)
    offsets, step = {}, 0
    for name, gap in zip(order, gaps, strict=True):
        offsets[name] = step + gap
        step += gap + 4
    step += padding
    byte_order = ">" if big else "<"
    data = np.zeros((n, step), np.uint8)
    for axis, name in enumerate("xyz"):
        data[:, offsets[name] : offsets[name] + 4] = points[:, axis, None].astype(byte_order + "f4").view(np.uint8)
    packed = (colors.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32))[:, None]
    data[:, offsets["rgb"] : offsets["rgb"] + 4] = packed.astype(byte_order + "u4").view(np.uint8)
    fields = [
        PointField(name=name, offset=offsets[name], datatype=PointField.FLOAT32, count=1) for name in sorted(order)
    ]
    message = PointCloud2(
        height=1, width=n, fields=fields, is_bigendian=big, point_step=step, row_step=step * n, data=array.array("B")
    )
    message.data.frombytes(data.tobytes())
    cloud = cloud_of_message(message)
    np.testing.assert_array_equal(cloud.points, points)
    if n:
        np.testing.assert_array_equal(cloud.colors, colors)


def test_the_coloured_cloud_shows_each_point_in_the_colour_of_its_instances_marker() -> None:
    result = result_of(frame_cloud(), 40, 30)
    result = replace(result, tracks=tuple(replace(track, id=track.id + 1000) for track in result.tracks))
    message = conversions.colored_cloud(result)
    assert (message.width, message.height) == (40, 30)
    colors = cloud_of_message(message).colors
    assert colors is not None
    outlines = {m.id: m.color for m in MarkerBoard().update(result).markers if m.ns == BOXES}
    for k, track in enumerate(result.tracks):
        color = outlines[track.id]
        expected = np.array([color.r, color.g, color.b]) * 255
        np.testing.assert_allclose(colors[result.scene.labels == k] - expected, 0, atol=0.01)
    assert (colors[result.scene.labels < 0] == 60).all()


def test_a_colourless_cloud_stays_colourless_and_its_labelled_cloud_is_grey() -> None:
    cloud = PointCloud(frame_cloud().points)
    message = conversions.labelled_cloud(result_of(cloud, 40, 30))
    assert set(table_of(message)["rgb"].view(np.uint32)) == {0x808080}


@pytest.mark.parametrize("n", [0, 1])
def test_clouds_of_no_or_one_point_go_both_ways(n: int) -> None:
    cloud = PointCloud(np.zeros((n, 3), np.float32))
    message = conversions.labelled_cloud(result_of(cloud, n, 1))
    assert len(message.data) == n * message.point_step
    assert len(cloud_of_message(message)) == n


def test_an_organised_cloud_gets_its_camera() -> None:
    cloud = cloud_of_message(frame_message(cloud=PointCloud.from_depth(np.ones((30, 40), np.float32), CAMERA)))
    assert cloud.camera is not None
    assert cloud.camera.fx == pytest.approx(CAMERA.fx, rel=1e-4)
    assert cloud.camera.cy == pytest.approx(CAMERA.cy, abs=1e-2)
    np.testing.assert_array_equal(cloud.viewpoint, np.zeros(3))


@pytest.mark.parametrize(("from_sensor", "viewpoint"), [(True, [0, 0, 0]), (False, None)])
def test_the_viewpoint_of_an_unorganised_cloud_is_the_origin_of_a_sensor_frame_only(
    from_sensor: bool, viewpoint: list[float] | None
) -> None:
    cloud = cloud_of_message(frame_message(cloud=PointCloud(np.ones((5, 3), np.float32))), from_sensor=from_sensor)
    assert (cloud.viewpoint is None) == (viewpoint is None)
    assert cloud.camera is None


def test_a_message_without_xyz_is_refused_by_name() -> None:
    message = frame_message()
    message.fields = message.fields[2:]
    with pytest.raises(ValueError, match="x, y and z"):
        cloud_of_message(message)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_pose_turns_as_its_box_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation = Rotation.random(rng=rng).as_matrix().astype(np.float32)
    (pose,) = conversions.poses([Box(rng.normal(size=3).astype(np.float32), rotation, np.ones(3, np.float32))])
    q = pose.orientation
    np.testing.assert_allclose(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), rotation, atol=1e-5)


def test_an_instance_says_what_the_object_is() -> None:
    result = result_of(frame_cloud(), 40, 30)
    array_message = conversions.instance_array(result)
    first, last = array_message.instances[0], array_message.instances[2]
    assert (first.id, first.label, first.kind, first.state) == (10, "mug", Instance.OBJECT, Instance.VISIBLE)
    assert last.kind == Instance.SURFACE
    assert first.label_similarity == pytest.approx(0.8)
    assert first.size.x == pytest.approx(float(result.scene.objects[0].box.size[0]))
    assert first.color.r == pytest.approx(200 / 255)
    assert (first.first_seen.nanosec, first.last_seen.sec, first.last_seen.nanosec) == (1, 1, 500_000_000)
    assert array_message.header.frame_id == FRAME


def test_a_name_that_fits_no_word_is_empty_not_other() -> None:
    assert conversions.names_of([("mug", 0.9), ("other", 0.2)]) == (("mug", 0.9), ("", 0.2))


@pytest.mark.parametrize("color", [None, np.array([255, 0, 51], np.uint8)])
def test_an_unknown_colour_is_transparent(color: np.ndarray | None) -> None:
    message = conversions.color_message(color)
    assert message.a == (0.0 if color is None else 1.0)
    if color is not None:
        assert (message.r, message.g, message.b) == pytest.approx((1.0, 0.0, 0.2))


def test_times_survive_the_way_there_and_back() -> None:
    for stamp in (0, 1, 999_999_999, 1_000_000_000, 1_795_398_666_149_020_340):
        assert conversions.nanoseconds(conversions.time_message(stamp)) == stamp


def stand_in_vision_msgs() -> Any:
    """Messages with the fields of vision_msgs that the node fills."""
    module: Any = ModuleType("vision_msgs.msg")

    def kind(**defaults: Any) -> Any:
        return lambda **fields: SimpleNamespace(**{name: make() for name, make in defaults.items()} | fields)

    hypothesis = kind(class_id=str, score=float)
    module.ObjectHypothesisWithPose = kind(hypothesis=hypothesis, pose=lambda: SimpleNamespace(pose=None))
    module.BoundingBox3D = kind(center=object, size=object)
    module.Detection3D = kind(header=Header, results=list, bbox=object, id=str)
    module.Detection3DArray = kind(header=Header, detections=list)
    return module


def check_detections(vision_msgs: Any) -> None:
    instances = conversions.instance_array(result_of(frame_cloud(), 40, 30))
    mug, box, table = instances.instances
    assert (mug.kind, box.kind, table.kind) == (Instance.OBJECT, Instance.OBJECT, Instance.SURFACE)
    box.label = ""
    message = conversions.detection_array(instances, vision_msgs)
    assert [detection.id for detection in message.detections] == ["10", "11"]
    for detection, thing in zip(message.detections, (mug, box), strict=True):
        assert detection.bbox.center == thing.pose
        assert detection.bbox.size == thing.size
        assert [found.hypothesis.class_id for found in detection.results] == ([thing.label] if thing.label else [])
        assert detection.header.frame_id == FRAME
    mug.state = Instance.REMEMBERED
    assert [detection.id for detection in conversions.detection_array(instances, vision_msgs).detections] == ["11"]


def test_detections_are_the_objects_in_view_in_a_stand_in_of_vision_msgs() -> None:
    check_detections(stand_in_vision_msgs())


def test_detections_are_the_objects_in_view_in_vision_msgs() -> None:
    check_detections(
        pytest.importorskip("vision_msgs.msg", reason="vision_msgs is missing: apt install ros-$ROS_DISTRO-vision-msgs")
    )


def test_a_scene_without_objects_is_an_empty_array() -> None:
    cloud = PointCloud(np.full((4, 3), np.nan, np.float32))
    result = Result(Header(), 4, 1, cloud, Scene(np.full(4, -1, np.int32)), (), ())
    assert conversions.instance_array(result).instances == []
    assert set(table_of(conversions.labelled_cloud(result))["label"]) == {0}


def test_ten_million_points_are_read_in_seconds() -> None:
    points = np.random.default_rng(0).random((10_000_000, 3), np.float32)
    message = conversions.cloud_message(points, None, Header())
    before = time.monotonic()
    cloud = cloud_of_message(message)
    assert time.monotonic() - before < 10
    np.testing.assert_array_equal(cloud.points[::1000], points[::1000])
