"""PLY and PCD files are read as they say, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segvec3d_core.io import read_cloud

TRUE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)


def ply(path: Path, form: str, properties: str, body: bytes, count: int = 3, before: str = "", after: str = "") -> Path:
    lines = "".join(f"property {line}\n" for line in properties.split(", "))
    header = f"ply\nformat {form} 1.0\n{before}element vertex {count}\n{lines}{after}end_header\n"
    path.write_bytes(header.encode() + body)
    return path


def pcd(path: Path, data: str, body: bytes, fields: str = "x y z", sizes: str = "4 4 4", types: str = "F F F") -> Path:
    counts = " ".join("1" for _ in fields.split())
    header = f"VERSION .7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\nWIDTH 3\nHEIGHT 1\n"
    path.write_bytes(f"{header}POINTS 3\nDATA {data}\n".encode() + body)
    return path


def test_the_properties_of_a_ply_may_stand_in_any_order(tmp_path: Path) -> None:
    kinds = "float z, uchar blue, double y, uchar green, float x, uchar red"
    table = np.zeros(3, "<f4, u1, <f8, u1, <f4, u1")
    columns = [TRUE[:, 2], [3, 6, 9], TRUE[:, 1], [2, 5, 8], TRUE[:, 0], 7]
    for name, values in zip(table.dtype.names or (), columns, strict=True):
        table[name] = values
    for form, body in [
        ("binary_little_endian", table.tobytes()),
        ("ascii", b"3 3 2 2 1 7\n6 6 5 5 4 7\n9 9 8 8 7 7\n"),
    ]:
        cloud = read_cloud(ply(tmp_path / "c.ply", form, kinds, body))
        np.testing.assert_array_equal(cloud.points, TRUE)
        np.testing.assert_array_equal(cloud.colors, [[7, 2, 3], [7, 5, 6], [7, 8, 9]])


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_faces_may_stand_before_or_after_the_vertices(tmp_path: Path, form: str, where: str) -> None:
    order = ">" if "big" in form else "<"
    faces = b"3 0 1 2\n4 0 1 2 0\n"
    points = b"1 2 3\n4 5 6\n7 8 9\n"
    if form != "ascii":
        rings = ([0, 1, 2], [0, 1, 2, 0])
        faces = b"".join(bytes([len(ring)]) + np.array(ring, order + "i4").tobytes() for ring in rings)
        points = TRUE.astype(order + "f4").tobytes()
    header = "element face 2\nproperty list uchar int vertex_indices\n"
    body = faces + points if where == "before" else points + faces
    before, after = (header, "") if where == "before" else ("", header)
    path = ply(tmp_path / "mesh.ply", form, "float x, float y, float z", body, before=before, after=after)
    np.testing.assert_array_equal(read_cloud(path).points, TRUE)


def test_text_with_infinities_is_read_to_its_end(tmp_path: Path) -> None:
    body = b"1 2 3\ninf -inf nan\n7 8 9\n"
    for path in (
        ply(tmp_path / "c.ply", "ascii", "float x, float y, float z", body),
        pcd(tmp_path / "c.pcd", "ascii", body),
    ):
        points = read_cloud(path).points
        np.testing.assert_array_equal(points[[0, 2]], TRUE[[0, 2]])
        assert not np.isfinite(points[1]).any()


@pytest.mark.parametrize("body", [b"1 2 3\n4 foo 6\n7 8 9\n", b"1 2 3\n4 5 6\n7 8", b"1 2 3\n4 5\n6 7 8\n"])
def test_text_that_is_no_table_of_numbers_is_refused(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(ValueError, match="broken"):
        read_cloud(ply(tmp_path / "c.ply", "ascii", "float x, float y, float z", body))
    with pytest.raises(ValueError, match="broken"):
        read_cloud(pcd(tmp_path / "c.pcd", "ascii", body))


def test_vertices_with_lists_and_lists_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="single numbers, got lists"):
        read_cloud(ply(tmp_path / "a.ply", "binary_little_endian", "float x, float y, float z, list uchar int k", b""))
    before = "element face 9\nproperty list uchar int k\n"
    body = bytes([200]) * 45
    with pytest.raises(ValueError, match="truncated"):
        read_cloud(ply(tmp_path / "b.ply", "binary_little_endian", "float x, float y, float z", body, before=before))


@pytest.mark.parametrize("names", ["red green blue", "r g b", "diffuse_red diffuse_green diffuse_blue"])
def test_the_colours_of_a_ply_have_several_names(tmp_path: Path, names: str) -> None:
    kinds = ", ".join(["float x, float y, float z", *(f"uchar {name}" for name in names.split())])
    path = ply(tmp_path / "c.ply", "ascii", kinds, b"1 2 3 9 8 7\n4 5 6 9 8 7\n7 8 9 9 8 7\n")
    np.testing.assert_array_equal(read_cloud(path).colors, [[9, 8, 7]] * 3)


def test_a_ply_with_one_channel_has_no_colour(tmp_path: Path) -> None:
    path = ply(tmp_path / "c.ply", "ascii", "float x, float y, float z, uchar red", b"1 2 3 9\n4 5 6 9\n7 8 9 9\n")
    assert read_cloud(path).colors is None


@pytest.mark.parametrize("kind", ["F", "U"])
@pytest.mark.parametrize("data", ["ascii", "ASCII", "binary"])
def test_colours_of_a_pcd_are_packed_in_four_bytes(tmp_path: Path, data: str, kind: str) -> None:
    rgb = np.array([0x010203, 0xFF0080, 0x7F7F7F], "<u4")
    packed = rgb.view("<f4") if kind == "F" else rgb
    table = np.zeros(3, [("x", "<f8"), ("y", "<f4"), ("rgb", packed.dtype), ("z", "<f4")])
    table["x"], table["y"], table["z"], table["rgb"] = *TRUE.T, packed
    body = table.tobytes()
    if data != "binary":
        body = "".join(f"{r['x']} {r['y']} {r['rgb']:.9g} {r['z']}\n" if kind == "F" else
                       f"{r['x']} {r['y']} {r['rgb']} {r['z']}\n" for r in table).encode()  # fmt: skip
    cloud = read_cloud(pcd(tmp_path / "c.pcd", data, body, "x y rgb z", "8 4 4 4", f"F F {kind} F"))
    np.testing.assert_array_equal(cloud.points, TRUE)
    np.testing.assert_array_equal(cloud.colors, [[1, 2, 3], [255, 0, 128], [127, 127, 127]])
