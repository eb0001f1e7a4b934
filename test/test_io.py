"""Clouds from files: what is read equals what was written, and what is not meant so is warned of."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clouds import XYZ, pcd, ply, some_cloud

from segvec3d_core.io import read_cloud, read_labelled_scan, write_cloud
from segvec3d_core.types import Camera, PointCloud


@pytest.mark.parametrize("colors", [True, False])
@pytest.mark.parametrize("name", ["cloud.ply", "cloud.npz"])
@pytest.mark.parametrize("n", [0, 1, 50])
def test_a_written_cloud_is_read_back_the_same(tmp_path: Path, name: str, n: int, colors: bool) -> None:
    cloud = some_cloud(n, colors=colors)
    write_cloud(tmp_path / name, cloud, np.arange(n, dtype=np.int32))
    back = read_cloud(tmp_path / name)
    np.testing.assert_array_equal(back.points, cloud.points)
    if colors and n:
        np.testing.assert_array_equal(back.colors, cloud.colors)
    elif n:
        assert back.colors is None


def test_a_ply_leaves_out_the_rows_without_a_point(tmp_path: Path) -> None:
    points = np.array([[0, 0, 1], [np.nan, 0, 1], [np.inf, 0, 0], [1, 2, 3]], np.float32)
    write_cloud(tmp_path / "cloud.ply", PointCloud(points), np.arange(4, dtype=np.int32))
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.ply").points, points[[0, 3]])


def test_an_npz_keeps_where_up_is_and_where_it_was_seen_from(tmp_path: Path) -> None:
    up, viewpoint = np.array([0, -1, 0], np.float32), np.array([0, 0, 0.5], np.float32)
    write_cloud(tmp_path / "cloud.npz", PointCloud(some_cloud().points, None, up, viewpoint))
    back = read_cloud(tmp_path / "cloud.npz")
    np.testing.assert_array_equal(back.up, up)
    np.testing.assert_array_equal(back.viewpoint, viewpoint)


@pytest.mark.parametrize(("kind", "values"), [("float", (1.0, 0.5, 0.2)), ("ushort", (65535, 32768, 13107))])
def test_colours_of_a_ply_mean_the_same_in_any_type(tmp_path: Path, kind: str, values: tuple[float, ...]) -> None:
    names = ("x", "y", "z"), ("red", "green", "blue")
    properties = [f"property {t} {name}" for t, group in zip(("float", kind), names, strict=True) for name in group]
    header = ["ply", "format ascii 1.0", "element vertex 1", *properties, "end_header"]
    (tmp_path / "c.ply").write_text("\n".join([*header, " ".join(map(str, (0, 0, 1, *values)))]) + "\n")
    colors = read_cloud(tmp_path / "c.ply").colors
    assert colors is not None
    np.testing.assert_allclose(colors, [[255, 128, 51]], atol=1)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_pcd_of_64_bits_is_read(tmp_path: Path, compressed: bool) -> None:
    import open3d as o3d

    points = np.array([[1.0, 9.0, 7.0], [2.0, 9.5, 7.25]])
    wide = o3d.t.geometry.PointCloud(o3d.core.Tensor.from_numpy(points))
    o3d.t.io.write_point_cloud(tmp_path / "c.pcd", wide, compressed=compressed)
    assert b"SIZE 8 8 8" in (tmp_path / "c.pcd").read_bytes()
    np.testing.assert_array_equal(read_cloud(tmp_path / "c.pcd").points, points)


def test_a_cloud_in_millimetres_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    points = some_cloud(200).points
    mug = points * 0.1 / np.ptp(points, axis=0)
    for some, scale, warned in ((points, 1.0, False), (points, 1000.0, True), (mug, 1.0, False), (mug, 1000.0, True)):
        write_cloud(tmp_path / "c.npz", PointCloud(some * scale))
        caplog.clear()
        read_cloud(tmp_path / "c.npz")
        assert ("are these millimetres, or other units?" in caplog.text) == warned
        assert ("--scale of segment and find" in caplog.text) == warned


@pytest.mark.parametrize(("apart", "warned"), [(0.01, False), (0.1, True)])
def test_a_mesh_of_large_triangles_is_warned_of(
    tmp_path: Path, apart: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    x, y = np.meshgrid(np.arange(20) * apart, np.arange(20) * apart)
    corners = np.stack([x.ravel(), y.ravel(), np.zeros(400)], 1).astype("<f4").tobytes()
    face = "element face 1\nproperty list uchar int vertex_indices\n"
    triangle = b"\x03" + np.array([0, 1, 20], "<i4").tobytes()
    (tmp_path / "mesh.ply").write_bytes(ply("binary_little_endian", 400, XYZ + face, corners + triangle))
    assert len(read_cloud(tmp_path / "mesh.ply")) == 400
    assert ("a mesh whose corners lie 100 mm apart" in caplog.text) == warned
    (tmp_path / "cloud.ply").write_bytes(ply("binary_little_endian", 400, XYZ, corners))
    caplog.clear()
    read_cloud(tmp_path / "cloud.ply")
    assert not caplog.text, "points need not be corners"


@pytest.mark.parametrize("name", ["c.ply", "c.npz", "c.txt"])
def test_a_scan_in_millimetres_is_read_as_metres_where_that_is_told(tmp_path: Path, caplog, name: str) -> None:
    metres = PointCloud(some_cloud(200).points, viewpoint=np.ones(3, np.float32))
    large = PointCloud(1000 * metres.points, viewpoint=np.full(3, 1000, np.float32))
    if name == "c.txt":
        np.savetxt(tmp_path / name, large.points)
    else:
        write_cloud(tmp_path / name, large)
    back = read_cloud(tmp_path / name, scale=0.001)
    np.testing.assert_allclose(back.points, metres.points, atol=1e-5)
    if name == "c.npz":
        assert back.viewpoint is not None
        np.testing.assert_allclose(back.viewpoint, 1)
    assert not caplog.text


def test_an_organised_scan_in_millimetres_keeps_its_image(tmp_path: Path) -> None:
    camera = Camera(width=40, height=30, fx=35.0, fy=35.0, cx=19.5, cy=14.5)
    cloud = PointCloud.from_depth(np.linspace(1, 2, 1200).reshape(30, 40).astype(np.float32), camera)
    (tmp_path / "c.pcd").write_bytes(pcd("binary", 40, 30, (1000 * cloud.points).tobytes()))
    back = read_cloud(tmp_path / "c.pcd", scale=0.001)
    assert back.camera is not None
    np.testing.assert_allclose(back.points, cloud.points, atol=1e-5)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_is_above_0_and_finite(tmp_path: Path, scale: float) -> None:
    write_cloud(tmp_path / "c.ply", some_cloud(3))
    with pytest.raises(ValueError, match="scale: expected the metres"):
        read_cloud(tmp_path / "c.ply", scale=scale)


def test_a_pcd_may_have_a_field_for_each_colour(tmp_path: Path) -> None:
    header = b"FIELDS x y z r g b\nSIZE 4 4 4 1 1 1\nTYPE F F F U U U\nWIDTH 2\nHEIGHT 1\nDATA ascii\n"
    (tmp_path / "c.pcd").write_bytes(header + b"0 0 1 255 128 0\n0 1 1 1 2 3\n")
    np.testing.assert_array_equal(read_cloud(tmp_path / "c.pcd").colors, [[255, 128, 0], [1, 2, 3]])


def test_a_title_of_a_text_file_is_a_comment(tmp_path: Path) -> None:
    (tmp_path / "c.txt").write_text("//X Y Z R G B\n1 2 3 255 128 0\n")
    np.testing.assert_array_equal(read_cloud(tmp_path / "c.txt").points, [[1, 2, 3]])


def test_a_scan_keeps_its_labels(tmp_path: Path) -> None:
    labels = np.array([0, 3, 7], np.int32)
    write_cloud(tmp_path / "scan.npz", some_cloud(3), labels)
    cloud, back = read_labelled_scan(tmp_path / "scan.npz")
    assert len(cloud) == 3
    np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize(
    ("text", "points", "colors"),
    [
        ("1 2 3\n4 5 6\n", [[1, 2, 3], [4, 5, 6]], None),
        ("# x y z\n1,2,3\n\n4, 5, 6\n", [[1, 2, 3], [4, 5, 6]], None),
        ("1 2 3 255 0 7\n", [[1, 2, 3]], [[255, 0, 7]]),
        ("nan nan nan\n1e5 0 -1\n", [[np.nan] * 3, [1e5, 0, -1]], None),
        ("", np.empty((0, 3)), None),
    ],
)
def test_text_clouds(tmp_path: Path, text: str, points: Any, colors: Any) -> None:
    (tmp_path / "cloud.xyz").write_text(text)
    cloud = read_cloud(tmp_path / "cloud.xyz")
    np.testing.assert_array_equal(cloud.points, points)
    assert (cloud.colors is None) == (colors is None)
    if colors is not None:
        np.testing.assert_array_equal(cloud.colors, colors)


@pytest.mark.parametrize(
    ("form", "dtype"), [("binary_little_endian", "<f8"), ("binary_big_endian", ">f8"), ("ascii", "")]
)
def test_ply_of_either_byte_order_and_text(tmp_path: Path, form: str, dtype: str) -> None:
    points = np.array([[1, 2, 3], [4, 5, 1e5]])
    body = points.astype(dtype).tobytes() if dtype else b"1 2 3\n4 5 1e5\n"
    (tmp_path / "cloud.ply").write_bytes(ply(form, 2, XYZ.replace("float", "double"), body))
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.ply").points, points.astype(np.float32))


@pytest.mark.parametrize(("data", "body"), [("ascii", b"1 2 3\n4 5 nan\n"), ("binary", None)])
def test_pcd_of_text_and_bytes(tmp_path: Path, data: str, body: bytes | None) -> None:
    points = np.array([[1, 2, 3], [4, 5, np.nan]], np.float32)
    (tmp_path / "cloud.pcd").write_bytes(pcd(data, 2, 1, body or points.tobytes()))
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.pcd").points, points)


def test_an_organised_pcd_keeps_its_camera(tmp_path: Path) -> None:
    camera = Camera(32, 24, 30.0, 31.0, 15.5, 11.5)
    depth = np.random.default_rng(0).uniform(0.5, 2, (24, 32)).astype(np.float32)
    cloud = PointCloud.from_depth(depth, camera)
    (tmp_path / "cloud.pcd").write_bytes(pcd("binary", 32, 24, cloud.points.tobytes()))
    fitted = read_cloud(tmp_path / "cloud.pcd").camera
    assert fitted is not None
    assert (fitted.width, fitted.height) == (32, 24)
    np.testing.assert_allclose([fitted.fx, fitted.fy, fitted.cx, fitted.cy], [30, 31, 15.5, 11.5], atol=1e-3)


CORNER = [35_000.004, 56_000.002, 60.001]  # metres in a grid of a town


@pytest.mark.parametrize("name", ["cloud.ply", "cloud.xyz", "cloud.npz"])
@pytest.mark.parametrize(("offset", "warned"), [(CORNER, True), ([0, 0, 16_000.0], False), ([np.nan, 0, 0], False)])
def test_coordinates_too_large_for_float32_are_warned_of(
    tmp_path: Path, name: str, offset: list[float], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    points = np.random.default_rng(0).random((20, 3)) + offset
    if name.endswith("ply"):
        (tmp_path / name).write_bytes(
            ply("binary_little_endian", 20, XYZ.replace("float", "double"), points.astype("<f8").tobytes())
        )
    elif name.endswith("xyz"):
        np.savetxt(tmp_path / name, points, "%.4f")
    else:
        np.savez(tmp_path / name, points=points)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_cloud(tmp_path / name).points.shape, (20, 3))
    assert len(caplog.messages) == warned
    for words in (name, f"{np.nanmax(points):.8g} m", "0.0039 m", "subtract"):
        assert not warned or words in caplog.messages[0]


def test_coordinates_beyond_float32_are_nothing_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cloud.xyz").write_text("1e300 0 0\n1 2 3\n")
    with caplog.at_level(logging.WARNING):
        assert np.isinf(read_cloud(tmp_path / "cloud.xyz").points[0, 0])
    assert "cloud.xyz" in caplog.text


def test_clouds_are_written_only_in_known_formats_and_with_fitting_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"written as \.ply or \.npz, got \.las"):
        write_cloud(tmp_path / "cloud.las", some_cloud())
    with pytest.raises(ValueError, match="labels: expected 50, got 2"):
        write_cloud(tmp_path / "cloud.ply", some_cloud(), np.zeros(2, np.int32))
