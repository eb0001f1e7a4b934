"""Small clouds, and what files that hold some consist of: shared by the tests of reading and writing."""

from __future__ import annotations

import numpy as np

from segvec3d_core.types import PointCloud

PLY_HEADER = "ply\nformat {} 1.0\ncomment x y z\nelement vertex {}\n{}end_header\n"
XYZ = "property float x\nproperty float y\nproperty float z\n"


def some_cloud(n: int = 50, seed: int = 0, colors: bool = True) -> PointCloud:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3)).astype(np.float32)
    return PointCloud(points, rng.integers(0, 256, (n, 3), np.uint8) if colors else None)


def ply(form: str, count: int, properties: str, body: bytes) -> bytes:
    return PLY_HEADER.format(form, count, properties).encode() + body


def pcd(data: str, width: int, height: int, body: bytes, fields: str = "x y z") -> bytes:
    n = len(fields.split())
    header = f"VERSION .7\nFIELDS {fields}\nSIZE {'4 ' * n}\nTYPE {'F ' * n}\nCOUNT {'1 ' * n}\nWIDTH {width}\n"
    return f"{header}HEIGHT {height}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {width * height}\nDATA {data}\n".encode() + body
