"""Any layout of a PointCloud2 decodes to the same points."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from clouds import some_cloud
from hypothesis import given, settings
from hypothesis import strategies as st
from malformed_clouds import MALFORMED, attributes

from segvec3d_core import pointcloud2
from segvec3d_core.pointcloud2 import Field, cloud_of_message, decode, encode_labelled, fit_camera
from segvec3d_core.types import Box, Camera, PointCloud, Scene, SceneObject

TYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def encode(
    columns: list[tuple[str, str, Any]],
    width: int,
    height: int,
    gaps: list[int] | None = None,
    row_padding: int = 0,
    big: bool = False,
) -> dict[str, Any]:
    """The arguments of ``decode`` for columns of (name, type, values), with a gap before each field and at the end."""
    gaps = gaps or [0] * (len(columns) + 1)
    fields, offset = [], 0
    for (name, kind, _), gap in zip(columns, gaps, strict=False):
        fields.append(Field(name, offset + gap, TYPES[kind]))
        offset += gap + np.dtype(kind).itemsize
    step = offset + gaps[-1]
    rows = np.full((height, width * step + row_padding), 0xAB, np.uint8)
    table = rows[:, : width * step].reshape(height, width, step).copy()
    for field, (_, kind, values) in zip(fields, columns, strict=True):
        raw = np.asarray(values).astype((">" if big else "<") + kind).view(np.uint8)
        size = np.dtype(kind).itemsize
        table[:, :, field.offset : field.offset + size] = raw.reshape(height, width, size)
    rows[:, : width * step] = table.reshape(height, width * step)
    return {
        "fields": fields, "data": rows.tobytes(), "width": width, "height": height, "point_step": step,
        "row_step": rows.shape[1], "is_bigendian": big,
    }  # fmt: skip


def packed(rgb: np.ndarray) -> np.ndarray:
    return (rgb.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(1).astype(np.uint32)


@settings(deadline=None)
@given(
    order=st.permutations(["x", "y", "z", "rgb", "intensity"]),
    gaps=st.lists(st.integers(0, 7), min_size=6, max_size=6),
    row_padding=st.integers(0, 9),
    big=st.booleans(),
    xyz=st.sampled_from(["f4", "f8"]),
    color=st.sampled_from(["rgb f4", "rgb u4", "rgba u4", "rgb i4", None]),
    size=st.sampled_from([(1, 1), (7, 1), (4, 3)]),
    container=st.sampled_from(["bytes", "array", "numpy"]),
)
def test_every_layout_decodes_to_the_same_points(
    order: list[str],
    gaps: list[int],
    row_padding: int,
    big: bool,
    xyz: str,
    color: str | None,
    size: tuple[int, int],
    container: str,
) -> None:
    rng = np.random.default_rng(0)
    n = size[0] * size[1]
    points = rng.normal(size=(n, 3)).astype(np.float32)
    points[0] = [np.nan, np.inf, -np.inf]
    rgb = rng.integers(0, 256, (n, 3), np.uint8)
    columns: dict[str, tuple[str, str, Any]] = {a: (a, xyz, points[:, i]) for i, a in enumerate("xyz")}
    columns["intensity"] = ("intensity", "u2", np.arange(n))
    if color is not None:
        name, kind = color.split()
        values = packed(rgb).view(np.float32) if kind == "f4" else packed(rgb)
        columns["rgb"] = (name, kind, values)
    message = encode([columns[key] for key in order if key in columns], *size, gaps, row_padding, big)
    raw = message["data"]
    message["data"] = {
        "bytes": raw, "array": array.array("B", raw), "numpy": np.frombuffer(raw, np.uint8)
    }[container]  # fmt: skip
    cloud = decode(**message)
    np.testing.assert_array_equal(cloud.points, points)
    if color is None:
        assert cloud.colors is None
    else:
        np.testing.assert_array_equal(cloud.colors, rgb)


def test_colour_in_three_fields_is_read() -> None:
    columns = [(axis, "f4", [1.0]) for axis in "xyz"] + [("r", "u1", [9]), ("g", "u1", [8]), ("b", "u1", [7])]
    np.testing.assert_array_equal(decode(**encode(columns, 1, 1)).colors, [[9, 8, 7]])


def test_the_last_row_may_come_without_its_padding() -> None:
    message = encode([(axis, "f4", np.arange(4.0)) for axis in "xyz"], 2, 2, row_padding=5)
    message["data"] = message["data"][:-5]
    assert len(decode(**message)) == 4


@pytest.mark.parametrize(("width", "height"), [(0, 0), (0, 1), (5, 0)])
def test_no_points_are_an_empty_cloud(width: int, height: int) -> None:
    cloud = decode([], b"", width, height, 0, 0, False)
    assert cloud.points.shape == (0, 3)


def test_a_coordinate_beyond_float32_is_infinite() -> None:
    columns = [("x", "f8", [1e300]), ("y", "f8", [1e6]), ("z", "f8", [0.0])]
    np.testing.assert_array_equal(decode(**encode(columns, 1, 1)).points, [[np.inf, 1e6, 0]])


def test_the_cloud_that_the_malformed_ones_were_made_of_is_a_good_one() -> None:
    np.testing.assert_array_equal(decode(**attributes()).points, np.arange(18.0).reshape(6, 3))


@pytest.mark.parametrize(("changes", "error"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_cloud_ends_in_one_clear_line(changes: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match="cloud: ") as refused:
        decode(**attributes(**changes))
    assert str(refused.value) == f"cloud: {error}"


@pytest.mark.parametrize("colors", [True, False])
@pytest.mark.parametrize("count", [0, 6])
def test_what_was_encoded_decodes_to_the_same_points(count: int, colors: bool) -> None:
    cloud = some_cloud(count, colors=colors)
    again = cloud_of_message(pointcloud2.encode(cloud.points, cloud.colors, count // 2, 2))
    np.testing.assert_array_equal(again.points, cloud.points)
    if count:
        np.testing.assert_array_equal(again.colors, cloud.colors if colors else np.full((count, 3), 0x80))


def test_a_labelled_cloud_tells_the_id_and_the_score_of_each_points_instance() -> None:
    cloud, box = some_cloud(4), Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32))
    things = tuple(SceneObject("object", s, box, box.center, np.ones(1, np.float32), None, 1) for s in (0.5, 0.25))
    scene = Scene(np.array([1, -1, 0, 1], np.int32), things)
    message = encode_labelled(cloud, scene, np.array([7, 9], np.uint32), 4, 1)
    table = np.frombuffer(message.data, pointcloud2.LABELLED)
    assert table["label"].tolist() == [9, 0, 7, 9]
    assert table["probability"].tolist() == [0.25, 0, 0.5, 0.25]
    np.testing.assert_array_equal(cloud_of_message(message).points, cloud.points)


def test_what_does_not_belong_to_the_points_is_not_encoded() -> None:
    """The kernel reads without looking whether there is anything."""
    cloud, scene = some_cloud(4), Scene(np.full(4, -1, np.int32))
    with pytest.raises(ValueError, match="colors: expected 4, got 3"):
        pointcloud2.encode(cloud.points, np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="expected 4 labels and 0 ids, got 3 labels and 0 ids"):
        encode_labelled(cloud, Scene(scene.labels[:3]), np.zeros(0, np.uint32), 4, 1)
    with pytest.raises(ValueError, match="expected 4 labels and 0 ids, got 4 labels and 1 ids"):
        encode_labelled(cloud, scene, np.ones(1, np.uint32), 4, 1)


def test_the_camera_of_an_organised_cloud_is_found_in_spite_of_holes_and_noise() -> None:
    rng = np.random.default_rng(0)
    camera = Camera(64, 48, 60.0, 61.0, 30.5, 25.0)
    depth = rng.uniform(0.5, 2, (48, 64)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.4] = np.nan
    points = PointCloud.from_depth(depth, camera).points
    points = points + rng.normal(0, 1e-4, points.shape).astype(np.float32)
    fitted = fit_camera(points, 64, 48)
    assert fitted is not None
    np.testing.assert_allclose([fitted.fx, fitted.fy, fitted.cx, fitted.cy], [60, 61, 30.5, 25], atol=0.1)


@pytest.mark.parametrize(
    "points",
    [
        np.random.default_rng(0).normal(size=(64 * 48, 3)),
        np.full((64 * 48, 3), np.nan),
        np.ones((64 * 48, 3)),
        np.zeros((0, 3)),
    ],
    ids=["random", "nan", "constant", "empty"],
)
def test_what_no_pinhole_camera_took_has_no_camera(points: np.ndarray) -> None:
    assert fit_camera(points, 64, 48) is None
