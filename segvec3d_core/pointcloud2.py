"""The memory layout of sensor_msgs/PointCloud2, decoded and encoded.

A PointCloud2 is a table of bytes: ``height`` rows of ``row_step`` bytes, each with ``width`` points of ``point_step``
bytes, in which named fields lie at any offset, in any order, with any padding, in either byte order. The ROS node
and the bag reader both decode with this module, and the node encodes with it; it knows nothing of ROS.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segvec3d_core.kernels.messages import pack, unpack
from segvec3d_core.types import Camera, Float32, PointCloud, Scene, from_body

_DATATYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""sensor_msgs/PointField's datatype codes, INT8 to FLOAT64, as numpy types."""


POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
LABELLED = np.dtype([*POINT.descr, ("label", "<u4"), ("probability", "<f4")])
"""The fields of PCL's PointXYZRGBL, and the probability."""

NO_COLOR = 0x808080
"""Grey, for the points of a cloud without colours."""
LITTLE = sys.byteorder == "little"


@dataclass(frozen=True, slots=True)
class Field:
    """The fields of sensor_msgs/PointField."""

    name: str
    offset: int
    datatype: int
    count: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """The fields of sensor_msgs/PointCloud2 without the header, with ``height`` rows of ``width`` points."""

    fields: tuple[Field, ...]
    data: array.array[int]
    width: int
    height: int
    point_step: int
    row_step: int
    is_bigendian: bool = False


def decode(
    fields: Iterable[Any],
    data: Any,
    width: int,
    height: int,
    point_step: int,
    row_step: int,
    is_bigendian: bool,
) -> PointCloud:
    """Decode the points and colours of a PointCloud2.

    Args:
        fields: the message's ``PointField``s: x, y, z as float32 or float64; colour, if any, as ``rgb`` or ``rgba``
            (packed 0xAARRGGBB in a float32 or a 32-bit integer) or as ``r``, ``g``, ``b`` (uint8). Other fields are
            skipped.
        data: the message's bytes: bytes, array.array or a uint8 array.
        width, height: points per row, rows.
        point_step, row_step: bytes per point and per row, padding included.
        is_bigendian: byte order of ``data``.

    Returns:
        A cloud of width * height points in the order of the message; NaN and Inf are kept. Its ``up``, ``viewpoint``
        and ``camera`` are None, because the message does not contain them.

    Raises:
        ValueError: no x, y, z; a field of a wrong type or beyond ``point_step``; fewer bytes than announced.
    """
    by_name: dict[str, Any] = {}
    for field in fields:
        by_name.setdefault(str(field.name), field)
    if width * height == 0:
        return PointCloud(np.empty((0, 3), np.float32))
    missing = [axis for axis in "xyz" if axis not in by_name]
    if missing:
        raise ValueError(f"cloud: expected fields x, y and z, got {', '.join(by_name) or 'none'}")
    wanted = _formats(by_name, "xyz", ("f4", "f8"), is_bigendian)
    wanted |= _color_formats(by_name, is_bigendian)
    table = _view(wanted, by_name, data, width, height, point_step, row_step)
    points = np.empty((height * width, 3), np.float32)
    if _in_words(table):
        return _unpacked(table, points)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes Inf, which means no return
        for axis, name in enumerate("xyz"):
            points[:, axis] = table[name].reshape(-1)
    return PointCloud(points, _colors(table))


def cloud_of_message(message: Any, up: Float32 | None = None, from_sensor: bool = True) -> PointCloud:
    """The cloud of a PointCloud2 message of any library: any field order, padding and byte order, with or without rgb.

    An organised cloud that fits a pinhole camera, in its optical frame or a body frame, gets that camera and the origin
    as its viewpoint.

    Args:
        message: a sensor_msgs/PointCloud2, or an ``Encoded``.
        up: (3,) direction against gravity in the message's frame, or None.
        from_sensor: whether the frame is the sensor's own, so that its origin is the viewpoint of any cloud.

    Raises:
        ValueError: the message has no x, y, z, or its layout contradicts its data.
    """
    width, height = int(message.width), int(message.height)
    cloud = decode(
        message.fields, message.data, width, height, message.point_step, message.row_step, message.is_bigendian
    )
    viewpoint = np.zeros(3, np.float32) if from_sensor else None
    return with_camera(replace(cloud, up=up, viewpoint=viewpoint), width, height)


def with_camera(cloud: PointCloud, width: int, height: int) -> PointCloud:
    """Add to an organised cloud the camera at its frame's origin that fits it, and the origin as viewpoint; unchanged
    if none fits."""
    origin = np.zeros(3, np.float32)
    if (camera := fit_camera(cloud.points, width, height)) is not None:
        return replace(cloud, camera=camera, viewpoint=origin)
    if height > 1 and (camera := fit_camera(from_body(cloud.points), width, height)) is not None:
        return replace(cloud, body_camera=camera, viewpoint=origin)
    return cloud


def warm_up() -> None:
    """Compile the kernels, so that the first message does not wait."""
    cloud = PointCloud(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.uint8))
    cloud_of_message(encode_labelled(cloud, Scene(np.full(1, -1, np.int32)), np.zeros(0, np.uint32), 1, 1))


def encode(points: Float32, colors: NDArray[np.uint8] | None, width: int | None = None, height: int = 1) -> Encoded:
    """Encode (N, 3) points as x y z rgb; ``width`` * ``height`` must be N, one row by default.

    Raises:
        ValueError: another number of colours than of points.
    """
    if colors is not None and len(colors) != len(points):
        raise ValueError(f"colors: expected {len(points)}, got {len(colors)}")
    nothing = np.zeros(0, np.int32), np.zeros(1, np.uint32), np.zeros(1, np.float32)
    return _encoded(POINT, points, colors, *nothing, len(points) if width is None else width, height)


def encode_labelled(cloud: PointCloud, scene: Scene, ids: NDArray[np.uint32], width: int, height: int) -> Encoded:
    """Encode a cloud as x y z rgb label probability, with the id and score of each point's instance, 0 for none.

    Args:
        ids: (K,) ids of the scene's objects; width, height: as in ``encode``.

    Raises:
        ValueError: a scene of another cloud, or another number of ids.
    """
    if len(scene.labels) != len(cloud) or len(ids) != len(scene):
        told = f"{len(scene.labels)} labels and {len(ids)} ids"
        raise ValueError(f"scene: expected {len(cloud)} labels and {len(scene)} ids, got {told}")
    # The last entry is indexed by -1, the label of points without an instance.
    scores = np.array([thing.score for thing in scene.objects] + [0], np.float32)
    known = scene.labels, np.append(ids, np.uint32(0)), scores
    return _encoded(LABELLED, cloud.points, cloud.colors, *known, width, height)


def _encoded(
    kind: np.dtype[np.void], points: Float32, colors: NDArray[np.uint8] | None, labels: NDArray[np.int32],
    ids: NDArray[np.uint32], scores: NDArray[np.float32], width: int, height: int,
) -> Encoded:  # fmt: skip
    """Encode points as records of a ``kind``; ids and scores as for ``kernels.messages.pack``."""
    assert kind.fields is not None
    numbers = {name: number for number, name in _DATATYPES.items()}
    fields = tuple(
        # Packed colour is declared as float32, as PCL and RViz do.
        Field(name, offset, numbers["f4" if name == "rgb" else dtype.str[1:]])
        for name, (dtype, offset, *_) in kind.fields.items()
    )
    step = kind.itemsize
    data = array.array("B", b"\0") * (len(points) * step)  # written in place: copying bytes into it takes as long again
    records = np.frombuffer(data, np.uint32).reshape(len(points), step // 4)
    seen = np.empty((0, 3), np.uint8) if colors is None else colors
    pack(_bits(points), seen, NO_COLOR, labels, ids, _bits(scores), records)
    if not LITTLE:
        records.byteswap(inplace=True)
    return Encoded(fields, data, width, height, step, step * width)


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


def _in_words(table: NDArray[Any]) -> bool:
    """Whether the fields of the structured view are whole words of the processor's byte order, as drivers send them."""
    assert table.dtype.fields is not None
    fields = table.dtype.fields.values()
    places = [table.ctypes.data, *table.strides, *(offset for _, offset, *_ in fields)]
    return all(kind.itemsize == 4 and kind.isnative for kind, *_ in fields) and not any(at % 4 for at in places)


def _unpacked(table: NDArray[Any], points: Float32) -> PointCloud:
    """The cloud of a structured view that is ``_in_words``; ``points``, (N, 3), is written."""
    (height, width), (row, step) = table.shape, table.strides
    assert table.dtype.fields is not None
    x, y, z, *color = (offset // 4 for _, offset, *_ in table.dtype.fields.values())
    count = ((height - 1) * row + width * step) // 4
    words = np.ndarray(count, np.uint32, table.base)  # type: ignore[call-overload]
    colors = np.empty((len(points) if color else 0, 3), np.uint8)
    unpack(words, width, step // 4, row // 4, (x, y, z), color[0] if color else 0, points.view(np.uint32), colors)
    return PointCloud(points, colors if color else None)


def _formats(by_name: dict[str, Any], names: Iterable[str], allowed: tuple[str, ...], big: bool) -> dict[str, str]:
    """Numpy format of each named field, checked against the ``allowed`` types."""
    formats = {}
    for name in names:
        kind = _DATATYPES.get(int(by_name[name].datatype))
        if kind not in allowed:
            raise ValueError(
                f"cloud: field {name}: expected type {' or '.join(allowed)}, got {kind or by_name[name].datatype}"
            )
        formats[name] = (">" if big else "<") + str(kind)
    return formats


def _color_formats(by_name: dict[str, Any], big: bool) -> dict[str, str]:
    """Numpy format of each colour field, packed ones as uint32 whatever type is declared; empty without colour."""
    for name in ("rgb", "rgba"):
        if name in by_name:
            _formats(by_name, [name], ("f4", "u4", "i4"), big)
            return {name: (">" if big else "<") + "u4"}  # a packed float is the same four bytes
    if all(name in by_name for name in "rgb"):
        return _formats(by_name, "rgb", ("u1",), big)
    return {}


def _view(
    formats: dict[str, str],
    by_name: dict[str, Any],
    data: Any,
    width: int,
    height: int,
    point_step: int,
    row_step: int,
) -> NDArray[Any]:
    """The (height, width) structured view of the bytes, after checking that it lies within the data."""
    offsets = [int(by_name[name].offset) for name in formats]
    for (name, kind), offset in zip(formats.items(), offsets, strict=True):
        if offset < 0 or offset + np.dtype(kind).itemsize > point_step:
            raise ValueError(f"cloud: field {name} at byte {offset} does not fit in a point_step of {point_step} bytes")
    if row_step < width * point_step and height > 1:
        raise ValueError(f"cloud: row_step: expected at least {width * point_step} bytes, got {row_step}")
    raw = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
    raw = np.ascontiguousarray(raw).view(np.uint8).reshape(-1)
    needed = (height - 1) * row_step + width * point_step  # the last row may come without its padding
    if len(raw) < needed:
        raise ValueError(f"cloud: expected {needed} bytes for {width} x {height} points, got {len(raw)}")
    layout = {"names": list(formats), "formats": list(formats.values()), "offsets": offsets, "itemsize": point_step}
    return np.ndarray((height, width), np.dtype(layout), raw.data, strides=(row_step, point_step))  # type: ignore[arg-type, call-overload]


def _colors(table: NDArray[Any]) -> NDArray[np.uint8] | None:
    """(N, 3) uint8 RGB of the structured view, or None if it has no colour."""
    names = table.dtype.names or ()
    packed_name = next((name for name in ("rgb", "rgba") if name in names), None)
    if packed_name is not None:
        return packed_colors(table[packed_name].reshape(-1))
    if "r" in names:
        return np.stack([table[name].reshape(-1) for name in "rgb"], 1).astype(np.uint8)
    return None


def packed_colors(packed: NDArray[Any]) -> NDArray[np.uint8]:
    """(N, 3) uint8 RGB of (N,) integers 0xRRGGBB; the upper byte is ignored."""
    blue_first = packed.astype("<u4").view(np.uint8).reshape(-1, 4)
    return np.ascontiguousarray(blue_first[:, 2::-1])


def fit_camera(points: NDArray[Any], width: int, height: int, tolerance: float = 0.75) -> Camera | None:
    """Intrinsics of the camera that took an organised cloud, or None if no pinhole camera fits.

    Args:
        points: (height * width, 3) metres, row by row, optical frame; NaN for pixels without a return.
        width, height: image size, pixels.
        tolerance: largest accepted 95th percentile of the reprojection error per axis, pixels.
    """
    if height < 2 or width < 2 or len(points) != width * height:
        return None
    x, y, z = points.T  # one axis after the other: numpy is slow at rows of three
    index = np.flatnonzero(np.isfinite(x) & np.isfinite(y) & np.isfinite(z) & (z > 1e-6))
    if len(index) < 100:
        return None
    index = index[:: max(1, len(index) // 20_000)]
    seen = np.asarray(points[index], np.float64)
    focal, center = [], []
    for axis, pixel in ((0, index % width), (1, index // width)):
        slope = seen[:, axis] / seen[:, 2]
        if np.ptp(slope) < 1e-6:
            return None
        away = slope - slope.mean()
        f = float(away @ pixel / (away @ away))  # linear regression
        c = float(pixel.mean() - f * slope.mean())
        if not f > 0 or np.percentile(np.abs(f * slope + c - pixel), 95) > tolerance:
            return None
        focal.append(f)
        center.append(c)
    return Camera(width, height, focal[0], focal[1], center[0], center[1])
