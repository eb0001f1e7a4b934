"""Clouds that a camera should not send: messages that are not so, and clouds of which little can be made."""

from __future__ import annotations

from typing import Any

import numpy as np

from segvec3d_core.pointcloud2 import Field

INT8, INT32, FLOAT32, UNKNOWN = 1, 5, 7, 99
"""Numbers of types in a sensor_msgs/PointField."""


def attributes(**changes: Any) -> dict[str, Any]:
    """The attributes of a PointCloud2 of 3 x 2 points with x, y and z, changed."""
    return {
        "fields": xyz(),
        "data": np.arange(18, dtype="<f4").tobytes(),
        "width": 3,
        "height": 2,
        "point_step": 12,
        "row_step": 36,
        "is_bigendian": False,
    } | changes


def xyz(**changes: Field) -> list[Field]:
    """Fields x, y and z, the named ones replaced and others added."""
    return list(({axis: Field(axis, 4 * i, FLOAT32) for i, axis in enumerate("xyz")} | changes).values())


_PACKED = {"rgb": Field("rgb", 0, INT8)}
_CHANNELS = {name: Field(name, 0, FLOAT32) for name in "rgb"}

MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no fields": ({"fields": []}, "expected fields x, y and z, got none"),
    "depth for y and z": (
        {"fields": [Field("x", 0, FLOAT32), Field("depth", 4, FLOAT32)]},
        "expected fields x, y and z, got x, depth",
    ),
    "no x": ({"fields": xyz()[1:]}, "expected fields x, y and z, got y, z"),
    "x of integers": ({"fields": xyz(x=Field("x", 0, INT32))}, "field x: expected type f4 or f8, got i4"),
    "y of integers": ({"fields": xyz(y=Field("y", 4, INT32))}, "field y: expected type f4 or f8, got i4"),
    "y of no type": ({"fields": xyz(y=Field("y", 4, UNKNOWN))}, "field y: expected type f4 or f8, got 99"),
    "colour in one byte": ({"fields": xyz(**_PACKED)}, "field rgb: expected type f4 or u4 or i4, got i1"),
    "channels of floats": ({"fields": xyz(**_CHANNELS)}, "field r: expected type u1, got f4"),
    "z partly outside": (
        {"fields": xyz(z=Field("z", 9, FLOAT32))},
        "field z at byte 9 does not fit in a point_step of 12 bytes",
    ),
    "z outside": (
        {"fields": xyz(z=Field("z", 1000, FLOAT32))},
        "field z at byte 1000 does not fit in a point_step of 12 bytes",
    ),
    "points of no bytes": ({"point_step": 0}, "field x at byte 0 does not fit in a point_step of 0 bytes"),
    "points of 3 bytes": ({"point_step": 3}, "field x at byte 0 does not fit in a point_step of 3 bytes"),
    "rows of no bytes": ({"row_step": 0}, "row_step: expected at least 36 bytes, got 0"),
    "rows too short": ({"row_step": 35}, "row_step: expected at least 36 bytes, got 35"),
    "rows too long for their step": ({"width": 10**6}, "row_step: expected at least 12000000 bytes, got 36"),
    "no data": ({"data": b""}, "expected 72 bytes for 3 x 2 points, got 0"),
    "half of the data": ({"data": bytes(36)}, "expected 72 bytes for 3 x 2 points, got 36"),
    "a byte missing": ({"data": bytes(71)}, "expected 72 bytes for 3 x 2 points, got 71"),
    "a row missing": ({"height": 3}, "expected 108 bytes for 3 x 3 points, got 72"),
    "more bytes than 32 bits count": (
        {"width": 3 * 10**8, "row_step": 36 * 10**8},
        "expected 7200000000 bytes for 300000000 x 2 points, got 72",
    ),
    "the widest row": (
        {"width": 2**32 - 1, "height": 1},
        "expected 51539607540 bytes for 4294967295 x 1 points, got 72",
    ),
}
"""By what is wrong: the ``attributes`` that say it, and what is said of it after "cloud: "."""

IMAGE = (1200, 3)
"""Of a cloud of 40 x 30 points."""

DEGENERATE: dict[str, np.ndarray] = {
    "zero points": np.zeros((0, 3)),
    "one point": np.array([[0.0, 0, 1]]),
    "NaN only": np.full(IMAGE, np.nan),
    "Inf only": np.full(IMAGE, np.inf),
    "NaN and Inf only": np.where(np.arange(IMAGE[0])[:, None] % 2, np.nan, np.inf).repeat(3, 1),
    "all in the camera": np.zeros(IMAGE),
    "far away": np.array([[1e6, -1e6, 1e6]] * 5),
    "beyond all measure": np.full(IMAGE, 1e30),
}
"""Well-formed clouds with little or nothing to see, (N, 3) metres: ordinary input."""
