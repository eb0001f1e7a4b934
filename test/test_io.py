"""Clouds from files: what is read equals what was written, and every fault of a file ends in one clear line."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segvec3d_core.datasets.frames import Frame, write_frame
from segvec3d_core.io import read_cloud, read_labelled_scan, scene_to_dict, write_cloud, write_json, write_scene_json
from segvec3d_core.types import Box, Camera, Match, Matches, PointCloud, Scene, SceneObject

ROOT = Path(__file__).resolve().parent.parent
CAMERA = Camera(8, 6, 10.0, 11.0, 3.5, 2.5)


def some_cloud(n: int = 50, seed: int = 0, colors: bool = True) -> PointCloud:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    return PointCloud(points, rng.integers(0, 256, (n, 3), np.uint8) if colors else None)


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
    for scale, warned in ((1.0, False), (1000.0, True)):
        write_cloud(tmp_path / "c.npz", PointCloud(points * scale))
        caplog.clear()
        read_cloud(tmp_path / "c.npz")
        assert ("are these millimetres?" in caplog.text) == warned


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
        ("nan nan nan\n1e6 0 -1\n", [[np.nan] * 3, [1e6, 0, -1]], None),
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


PLY_HEADER = "ply\nformat {} 1.0\ncomment x y z\nelement vertex {}\n{}end_header\n"
XYZ = "property float x\nproperty float y\nproperty float z\n"


def ply(form: str, count: int, properties: str, body: bytes) -> bytes:
    return PLY_HEADER.format(form, count, properties).encode() + body


@pytest.mark.parametrize(
    ("form", "dtype"), [("binary_little_endian", "<f8"), ("binary_big_endian", ">f8"), ("ascii", "")]
)
def test_ply_of_either_byte_order_and_text(tmp_path: Path, form: str, dtype: str) -> None:
    points = np.array([[1, 2, 3], [4, 5, 1e6]])
    body = points.astype(dtype).tobytes() if dtype else b"1 2 3\n4 5 1e6\n"
    (tmp_path / "cloud.ply").write_bytes(ply(form, 2, XYZ.replace("float", "double"), body))
    np.testing.assert_array_equal(read_cloud(tmp_path / "cloud.ply").points, points.astype(np.float32))


def pcd(data: str, width: int, height: int, body: bytes, fields: str = "x y z") -> bytes:
    n = len(fields.split())
    header = f"VERSION .7\nFIELDS {fields}\nSIZE {'4 ' * n}\nTYPE {'F ' * n}\nCOUNT {'1 ' * n}\nWIDTH {width}\n"
    return f"{header}HEIGHT {height}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {width * height}\nDATA {data}\n".encode() + body


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


def depth_folder(folder: Path) -> Frame:
    rng = np.random.default_rng(1)
    depth = (rng.integers(500, 2000, (6, 8)) / 1000).astype(np.float32)
    depth[0, 0] = np.nan
    frame = Frame("a", rng.integers(0, 256, (6, 8, 3), np.uint8), depth, None, CAMERA)
    write_frame(folder, frame)
    return frame


def test_a_depth_image_of_a_frame_folder_finds_its_camera_and_colour(tmp_path: Path) -> None:
    frame = depth_folder(tmp_path)
    cloud = read_cloud(tmp_path / "depth" / "a.png")
    np.testing.assert_allclose(cloud.points, frame.cloud().points, rtol=1e-6)
    np.testing.assert_array_equal(cloud.colors, frame.cloud().colors)
    assert cloud.camera == CAMERA
    np.testing.assert_array_equal(read_cloud(tmp_path, index=0).points, cloud.points)


def test_a_depth_image_anywhere_needs_its_camera(tmp_path: Path) -> None:
    frame = depth_folder(tmp_path / "frames")
    (tmp_path / "depth.png").write_bytes((tmp_path / "frames/depth/a.png").read_bytes())
    with pytest.raises(FileNotFoundError, match="intrinsics: give --camera"):
        read_cloud(tmp_path / "depth.png")
    camera = tmp_path / "frames/camera.json"
    assert read_cloud(tmp_path / "depth.png", camera=camera).colors is None
    cloud = read_cloud(tmp_path / "depth.png", color=tmp_path / "frames/color/a.png", camera=camera)
    np.testing.assert_array_equal(cloud.colors, frame.cloud().colors)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_depth_image_of_a_frame_folder_gives_the_cloud_of_its_frame(tmp_path: Path, name: str) -> None:
    """Up, colour and the frame's own camera included, for the folder's camera and for another one (b)."""
    frame = depth_folder(tmp_path)
    write_frame(tmp_path, dataclasses.replace(frame, up=np.array([0, -0.6, -0.8], np.float32)))
    write_frame(
        tmp_path, dataclasses.replace(frame, name="b", camera=Camera(8, 6, 9, 9, 3, 2), up=np.array([0, -1, 0]))
    )
    wanted = read_cloud(tmp_path, index="ab".index(name))
    own = tmp_path / ("camera.json" if name == "a" else "camera/b.json")
    for camera in (None, own):
        cloud = read_cloud(tmp_path / f"depth/{name}.png", camera=camera)
        for part in ("points", "colors", "up", "viewpoint"):
            assert getattr(wanted, part) is not None
            np.testing.assert_array_equal(getattr(cloud, part), getattr(wanted, part))
        assert cloud.camera == wanted.camera
    other = tmp_path / "other.png"
    Image.new("RGB", (8, 6), (1, 2, 3)).save(other)
    colors = read_cloud(tmp_path / f"depth/{name}.png", color=other).colors
    np.testing.assert_array_equal(colors, np.tile([1, 2, 3], (48, 1)))


def test_a_depth_image_may_be_named_from_within_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = depth_folder(tmp_path)
    monkeypatch.chdir(tmp_path / "depth")
    np.testing.assert_array_equal(read_cloud("a.png").colors, frame.cloud().colors)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [("color/a.png", "no image", "not a readable image"), ("up.json", '{"a": [0, 0, 0]}', "with a length")],
)
def test_what_is_wrong_beside_a_depth_image_is_named(tmp_path: Path, file: str, content: str, message: str) -> None:
    depth_folder(tmp_path)
    (tmp_path / file).write_text(content)
    for path in (tmp_path, tmp_path / "depth/a.png"):
        with pytest.raises(ValueError, match=message) as caught:
            read_cloud(path)
        assert str(caught.value).startswith(str(tmp_path / file))


CORNER = [350_000.004, 5_600_000.002, 60.001]  # metres in a UTM zone


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
    for words in (name, f"{np.nanmax(points):.8g} m", "0.5 m", "subtract"):
        assert not warned or words in caplog.messages[0]


@pytest.mark.parametrize("name", ["scan.ply", "scan.npz", "scan.NPZ", "scene.json"])
def test_what_cannot_be_written_leaves_what_was_there(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cloud = tmp_path / name, some_cloud()
    write = partial(write_cloud, path, cloud) if "scan" in name else partial(write_json, path, {"a": 1})
    write()
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("segvec3d_core.files.os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        write()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_link_is_written_through_and_so_is_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "folder" / "real.json")
    write_json(tmp_path / "link.json", {"a": 1})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "folder" / "real.json").read_text()) == {"a": 1}
    write_json("/dev/null", {"a": 1})
    assert not Path("/dev/null").is_file()
    read, write = os.pipe()
    with os.fdopen(read) as heard, os.fdopen(write, "w"):
        write_json(f"/proc/self/fd/{write}", {"a": 1})
        os.set_blocking(read, False)
        assert json.loads(heard.read()) == {"a": 1}


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    (tmp_path / "a.json").chmod(0o600)
    write_json(tmp_path / "a.json", {"a": 2})
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600


def test_coordinates_beyond_float32_are_nothing_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cloud.xyz").write_text("1e300 0 0\n1 2 3\n")
    with caplog.at_level(logging.WARNING):
        assert np.isinf(read_cloud(tmp_path / "cloud.xyz").points[0, 0])
    assert "cloud.xyz" in caplog.text


def _npz(**arrays: Any) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)


def _bytes(content: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(content)

    return write


def _damaged_npz(record: bytes, at: int, value: int) -> Callable[[Path], None]:
    """A compressed .npz with another byte at so many after the beginning of a record of the archive."""

    def write(path: Path) -> None:
        np.savez_compressed(path, points=np.random.default_rng(0).normal(size=(500, 3)))
        content = bytearray(path.read_bytes())
        content[content.index(record) + at] = value
        path.write_bytes(content)

    return write


FAULTS: list[tuple[str, Callable[[Path], None], str]] = [
    ("cloud.e57", _bytes(b"x"), r"unknown format \.e57; known: \.ply"),
    ("cloud", _bytes(b"x"), "unknown format without a suffix"),
    ("empty.ply", _bytes(b""), "header has no line end_header"),
    ("noise.ply", _bytes(bytes(range(256)) * 40), "header has no line end_header"),
    ("wrong.ply", _bytes(b"obj\nformat ascii 1.0\nend_header\n"), "does not begin with ply"),
    ("broken.ply", _bytes(b"ply\nformat ascii 1.0\nelement vertex many\nend_header\n"), "broken PLY header"),
    ("no_z.ply", _bytes(ply("ascii", 1, XYZ[:-17], b"1 2\n")), "expected vertices with x, y and z, got x, y"),
    ("no_vertex.ply", _bytes(b"ply\nformat ascii 1.0\nelement face 0\nend_header\n"), "x, y and z, got none"),
    (
        "cut.ply",
        _bytes(ply("binary_little_endian", 100, XYZ, bytes(1199))),
        "truncated: 100 vertices need 1200 bytes after the header, got 1199",
    ),
    ("cut_text.ply", _bytes(ply("ascii", 3, XYZ, b"1 2 3\n4 5 6\n")), "truncated: expected 3 lines"),
    ("type.ply", _bytes(ply("binary_little_endian", 1, XYZ.replace("float", "half"), bytes(6))), "unknown type"),
    (
        "list_type.ply",
        _bytes(ply("ascii", 1, XYZ + "element face 0\nproperty list uchar whole k\n", b"1 2 3\n")),
        "unknown type in list uchar whole k",
    ),
    ("data.pcd", _bytes(pcd("packed", 1, 1, bytes(12))), "unknown DATA packed"),
    ("empty.pcd", _bytes(b""), "header has no line DATA"),
    ("no_z.pcd", _bytes(pcd("ascii", 1, 1, b"1 2\n", "x y")), "expected fields x, y and z, got x, y"),
    ("no_width.pcd", _bytes(b"FIELDS x y z\nSIZE 4 4 4\nDATA ascii\n"), "broken PCD header"),
    ("cut.pcd", _bytes(pcd("binary", 10, 1, bytes(119))), "truncated: 10 points need 120 bytes"),
    ("cut_text.pcd", _bytes(pcd("ascii", 3, 1, b"1 2 3\n")), "truncated: expected 3 points after the header, got 1"),
    (
        "cut_packed.pcd",
        _bytes(pcd("binary_compressed", 10, 1, (50).to_bytes(4, "little") + bytes(20))),
        "truncated: 10 points need 58 bytes",
    ),
    ("noise.npz", _bytes(b"not a zip"), "not a readable .npz"),
    ("cut.npz", _bytes(b"PK\x03\x04" + bytes(30)), "not a readable .npz"),
    ("deflate.npz", _damaged_npz(b"PK\3\4", 60, 0xFF), "not a readable .npz"),
    ("method.npz", _damaged_npz(b"PK\1\2", 10, 99), "not a readable .npz"),
    ("locked.npz", _damaged_npz(b"PK\1\2", 8, 1), "not a readable .npz"),
    ("no_points.npz", _npz(cloud=np.zeros((2, 3))), "no array named points; it holds cloud"),
    ("shape.npz", _npz(points=np.zeros((4, 2))), r"points: expected shape \(N, 3\), got \(4, 2\)"),
    ("text.npz", _npz(points=np.full((4, 3), "a")), "points: expected numbers"),
    ("objects.npz", _npz(points=np.array([[None] * 3])), "not a readable .npz"),
    ("colors.npz", _npz(points=np.zeros((2, 3)), colors=np.zeros((2, 3))), "colors: expected uint8, got float64"),
    ("labels.npz", _npz(points=np.zeros((2, 3)), labels=np.zeros(3, int)), r"labels: expected \(2,\) integers"),
    ("words.xyz", _bytes(b"one two three\n"), r"expected lines of x y z \[r g b\]"),
    ("ragged.xyz", _bytes(b"1 2 3\n1 2\n"), r"expected lines of x y z \[r g b\]"),
    ("two.xyz", _bytes(b"1 2\n"), "got 2 columns"),
    ("normals.xyz", _bytes(b"1 2 3 0 0.6 0.8\n"), "r g b as whole numbers"),
    ("seven.xyz", _bytes(b"1 2 3 9 0 0 255\n"), "got 7 columns"),
    ("nine.xyz", _bytes(b"1 2 3 0 0 1 255 128 0\n"), "got 9 columns"),
    ("fractions.xyz", _bytes(b"1 2 3 1.0 0.0 1.0\n1 2 3 0 0 1\n"), "got none above 1"),
    ("gap.xyz", _bytes(b"1,,3,4\n"), "nothing between two commas"),
    ("grid.npz", _npz(points=np.zeros((4, 5, 3))), r"points: expected shape \(N, 3\), got \(4, 5, 3\)"),
    (
        "large.npz",
        _npz(points=np.zeros((2, 3)), labels=np.array([2**32 + 1, 5])),
        "labels: expected numbers of 32 bits",
    ),
    ("array.npz", lambda path: np.save(path.open("wb"), np.zeros((2, 3))), "not a readable .npz"),
    ("rgb.xyz", _bytes(b"1 2 3 0 0 256\n"), "r g b as whole numbers from 0 to 255"),
    ("noise.xyz", _bytes(b"\xff\xfe\x00\x81"), r"expected lines of x y z \[r g b\]"),
    ("noise.mcap", _bytes(b"not an mcap at all"), "not a readable bag"),
    ("noise.db3", _bytes(b"not a database at all"), "not a readable bag"),
]


@pytest.mark.parametrize(("name", "write", "message"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_faulty_file_ends_in_one_clear_line(
    tmp_path: Path, name: str, write: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(ValueError, match=message) as caught:
        read_cloud(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["missing.ply", "missing.npz", "missing.mcap", "missing/folder"])
def test_a_missing_file_is_said_to_be_missing(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_cloud(tmp_path / name)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("cut", "not a readable image"),
        ("rgb", "expected a 16-bit depth image, got mode RGB"),
        ("size", "expected 8 x 6 pixels as the camera has, got 4 x 3"),
    ],
)
def test_a_faulty_depth_image_ends_in_one_clear_line(tmp_path: Path, fault: str, message: str) -> None:
    depth_folder(tmp_path)
    path = tmp_path / "depth/a.png"
    if fault == "cut":
        path.write_bytes(path.read_bytes()[:60])
    elif fault == "rgb":
        Image.new("RGB", (8, 6)).save(path)
    else:
        Image.fromarray(np.zeros((3, 4), np.uint16)).save(path)
    with pytest.raises(ValueError, match=message):
        read_cloud(path)


def test_clouds_are_written_only_in_known_formats_and_with_fitting_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"written as \.ply or \.npz, got \.las"):
        write_cloud(tmp_path / "cloud.las", some_cloud())
    with pytest.raises(ValueError, match="labels: expected 50, got 2"):
        write_cloud(tmp_path / "cloud.ply", some_cloud(), np.zeros(2, np.int32))


def one_object_scene() -> Scene:
    box = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.array([0.1, 0.2, 0.3], np.float32))
    item = SceneObject("object", 0.9, box, np.zeros(3, np.float32), np.zeros(4, np.float32), None, 2)
    return Scene(np.array([-1, 0, 0], np.int32), (item,), {"segment": 0.1})


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that docs/scene.schema.json uses: type, required, properties, items, enum, const."""
    types: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None)
    }  # fmt: skip
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    assert not wanted or any(isinstance(value, types[kind]) for kind in wanted), (value, schema)
    assert value in schema.get("enum", [value])
    assert value == schema.get("const", value)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value)
        if schema.get("additionalProperties") is False:
            assert set(value) <= set(schema["properties"])
        for key, entry in value.items():
            conforms(entry, schema.get("properties", {}).get(key, {}))
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        for entry in value:
            conforms(entry, schema.get("items", {}))


def test_the_json_of_a_scene_conforms_to_its_published_schema(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs/scene.schema.json").read_text())
    scene = one_object_scene()
    matches = Matches((Match(0, scene.objects[0], 0.7),), "a mug that is red")
    write_scene_json(
        tmp_path / "a/scene.json", scene, source="x", names=[("mug", 0.8)], query="the mug", matches=matches
    )
    values = json.loads((tmp_path / "a/scene.json").read_text())
    conforms(values, schema)
    assert values["objects"][0]["label"] == "mug"
    assert values["query"]["matches"] == [{"id": 0, "similarity": 0.7}]
    conforms(scene_to_dict(Scene(np.empty(0, np.int32))), schema)
    with pytest.raises(AssertionError):
        conforms(values | {"version": 99}, schema)


def test_names_of_another_number_of_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="names: expected 1, got 0"):
        scene_to_dict(one_object_scene(), names=[])
