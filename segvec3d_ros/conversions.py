"""Conversion between ROS messages and the core's types. All code that depends on message fields is here."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header

from segvec3d_core.object_map import MapSnapshot
from segvec3d_core.pointcloud2 import Encoded, encode, encode_labelled
from segvec3d_core.types import Box, Float32, PointCloud, Scene, SceneObject
from segvec3d_interfaces.msg import Instance, InstanceArray
from segvec3d_ros.tracking import Track

_NO_INSTANCE = (60, 60, 60)
"""RGB of points that belong to no instance, in the coloured cloud: dark grey."""


@dataclass(frozen=True, slots=True)
class Result:
    """Result for one cloud, or the contents of the map after it; kept until the next cloud has been processed.

    Attributes:
        header: of the cloud; for a map, with the map's frame.
        width, height: layout of the cloud, which has width * height points.
        cloud, scene: input and output of the core; for a map, the cloud has no points, only ``up``.
        names: (label, similarity) of each object; label "" where no word of the vocabulary fits.
        tracks: identity of each object.
        snapshot: of the map; None for the result of a single cloud.
    """

    header: Header
    width: int
    height: int
    cloud: PointCloud
    scene: Scene
    names: tuple[tuple[str, float], ...]
    tracks: tuple[Track, ...]
    snapshot: MapSnapshot | None = None

    def points_of(self, k: int) -> tuple[Float32, NDArray[np.uint8] | None]:
        """(n, 3) float32 points of object ``k``, metres, and their (n, 3) uint8 RGB colours, None if unknown."""
        if self.snapshot is not None:
            return self.snapshot.points_of(k)
        mine = self.scene.labels == k
        return self.cloud.points[mine], None if self.cloud.colors is None else self.cloud.colors[mine]

    @property
    def stamp(self) -> int:
        """The cloud's stamp, nanoseconds."""
        return nanoseconds(self.header.stamp)


def nanoseconds(time: Any) -> int:
    """Convert a builtin_interfaces Time or Duration to nanoseconds."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def time_message(stamp: int) -> Time:
    """Convert nanoseconds to a builtin_interfaces/Time."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)


def cloud_message(
    points: Float32, colors: NDArray[np.uint8] | None, header: Header, width: int | None = None, height: int = 1
) -> PointCloud2:
    """Make an x y z rgb PointCloud2 from (N, 3) points; ``width`` * ``height`` must be N, one row by default."""
    return _message(encode(points, colors, width, height), header)


def labelled_cloud(result: Result) -> PointCloud2:
    """The input cloud with the id and score of each point's instance: fields x y z rgb label probability."""
    ids = np.array([track.id for track in result.tracks], np.uint32)
    return _message(encode_labelled(result.cloud, result.scene, ids, result.width, result.height), result.header)


def colored_cloud(result: Result) -> PointCloud2:
    """The cloud for display: each point in the colour of its instance's marker, dark grey without an instance."""
    palette = np.array([*(palette_color(track.id) for track in result.tracks), _NO_INSTANCE], np.uint8)
    return cloud_message(result.cloud.points, palette[result.scene.labels], result.header, result.width, result.height)


def palette_color(identity: int) -> NDArray[np.uint8]:
    """(3,) uint8 RGB, a bright colour for an id. Golden-ratio steps in hue keep consecutive ids distinguishable."""
    rgb = np.array(colorsys.hsv_to_rgb(identity * 0.618033988749895 % 1.0, 0.75, 1.0)) * 255
    return rgb.astype(np.uint8)


def _message(encoded: Encoded, header: Header) -> PointCloud2:
    fields = [PointField(name=f.name, offset=f.offset, datatype=f.datatype, count=f.count) for f in encoded.fields]
    return PointCloud2(
        header=header,
        height=encoded.height,
        width=encoded.width,
        fields=fields,
        is_bigendian=encoded.is_bigendian,
        point_step=encoded.point_step,
        row_step=encoded.row_step,
        data=encoded.data,
        is_dense=False,
    )


def point(p: Float32) -> Point:
    """Convert (3,) metres to a geometry_msgs/Point."""
    return Point(x=float(p[0]), y=float(p[1]), z=float(p[2]))


def vector(p: Float32) -> Vector3:
    """Convert (3,) metres to a geometry_msgs/Vector3."""
    return Vector3(x=float(p[0]), y=float(p[1]), z=float(p[2]))


def poses(boxes: Sequence[Box]) -> list[Pose]:
    """Pose of each box: its centre, and the orientation of its axes."""
    if not boxes:
        return []
    rotations = Rotation.from_matrix(np.stack([box.rotation for box in boxes]).astype(np.float64)).as_quat().tolist()
    return [
        Pose(position=point(box.center), orientation=Quaternion(x=x, y=y, z=z, w=w))
        for box, (x, y, z, w) in zip(boxes, rotations, strict=True)
    ]


def color_message(color: NDArray[np.uint8] | None) -> ColorRGBA:
    """Convert (3,) uint8 RGB to a std_msgs/ColorRGBA; None becomes transparent grey."""
    if color is None:
        return ColorRGBA(r=0.5, g=0.5, b=0.5, a=0.0)
    r, g, b = (int(c) / 255.0 for c in color)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)


def instance(thing: SceneObject, name: tuple[str, float], track: Track, where: Pose) -> Instance:
    """Convert one object to a segvec3d_interfaces/Instance; ``where`` is the pose of its box."""
    return Instance(
        id=track.id,
        kind=Instance.SURFACE if thing.kind == "surface" else Instance.OBJECT,
        label=name[0],
        label_similarity=float(name[1]),
        score=float(thing.score),
        pose=where,
        size=vector(thing.box.size),
        centroid=point(thing.centroid),
        color=color_message(thing.color),
        point_count=int(thing.point_count),
        state=Instance.VISIBLE if track.visible else Instance.REMEMBERED,
        first_seen=time_message(track.first_seen),
        last_seen=time_message(track.last_seen),
    )


def instance_array(result: Result) -> InstanceArray:
    """Convert all objects of a result, with its header."""
    things = result.scene.objects
    rows = zip(things, result.names, result.tracks, poses([thing.box for thing in things]), strict=True)
    return InstanceArray(header=result.header, instances=[instance(*row) for row in rows])


def detection_array(instances: InstanceArray, vision_msgs: Any) -> Any:
    """Convert the visible objects to a vision_msgs/Detection3DArray.

    Remembered objects and surfaces are left out, because the message has no field to mark them as such.

    Args:
        instances: from ``instance_array``.
        vision_msgs: the module ``vision_msgs.msg``, which is not installed everywhere.
    """
    detections = []
    for thing in instances.instances:
        if thing.kind != Instance.OBJECT or thing.state != Instance.VISIBLE:
            continue
        results = []
        if thing.label:
            found = vision_msgs.ObjectHypothesisWithPose()
            found.hypothesis.class_id = thing.label
            found.hypothesis.score = float(thing.label_similarity)
            found.pose.pose = thing.pose
            results.append(found)
        box = vision_msgs.BoundingBox3D(center=thing.pose, size=thing.size)
        detections.append(vision_msgs.Detection3D(header=instances.header, results=results, bbox=box, id=str(thing.id)))
    return vision_msgs.Detection3DArray(header=instances.header, detections=detections)


def names_of(named: Sequence[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    """Output of ``SegVec3D.name`` as the messages have it: label "" instead of "other"."""
    return tuple(("" if label == "other" else label, similarity) for label, similarity in named)
