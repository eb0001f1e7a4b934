"""Every fault of a file ends in one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clouds import XYZ, pcd, ply

from segvec3d_core.io import read_cloud


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
    (
        "cloud.e57",
        _bytes(b"x"),
        r"unknown format \.e57; known: \.ply.*; export it as PLY, for instance in CloudCompare",
    ),
    ("room.glb", _bytes(b"x"), r"unknown format \.glb; .*; sample points on the mesh, as PLY"),
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
    ("noise.xyz", _bytes(b"\xff\xfe\x00\x81"), r"expected lines of x y z \[r g b\], got bytes that are no text"),
    ("utm.npz", _npz(points=np.random.default_rng(0).random((9, 3)) + 5_600_000), "resolution of 0.5 m: subtract"),
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
