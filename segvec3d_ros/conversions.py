"""Messages <-> the core's values. Everything that knows a message's fields lies here."""

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
"""Dark grey, for the points of no instance where instances are told apart by colour."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one cloud gave, or what the map holds after it, kept until the next has been worked on.

    Attributes:
        header: the cloud's own; of a map, with the map's frame.
        width, height: the cloud's organisation; width * height points.
        cloud, scene: what went into the core and what came out; a map's cloud has no points, but ``up``.
        names: (label, similarity) of each object; "" where no word fits.
        tracks: identity of each object.
        snapshot: of the map, where this is what it holds.
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
        """(n, 3) float32 points of object ``k``, metres, and (n, 3) uint8 colours, None where unknown."""
        if self.snapshot is not None:
            return self.snapshot.points_of(k)
        mine = self.scene.labels == k
        return self.cloud.points[mine], None if self.cloud.colors is None else self.cloud.colors[mine]

    @property
    def stamp(self) -> int:
        """The cloud's stamp, nanoseconds."""
        return nanoseconds(self.header.stamp)


def nanoseconds(time: Any) -> int:
    """A builtin_interfaces Time or Duration in nanoseconds."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)


def time_message(stamp: int) -> Time:
    """Nanoseconds as a builtin_interfaces/Time."""
    return Time(sec=stamp // 1_000_000_000, nanosec=stamp % 1_000_000_000)


def cloud_message(
    points: Float32, colors: NDArray[np.uint8] | None, header: Header, width: int | None = None, height: int = 1
) -> PointCloud2:
    """An x y z rgb cloud of (N, 3) points; ``width`` * ``height`` must be N, one row by default."""
    return _message(encode(points, colors, width, height), header)


def labelled_cloud(result: Result) -> PointCloud2:
    """The cloud as it came, with the id and the score of each point's instance: x y z rgb label probability."""
    ids = np.array([track.id for track in result.tracks], np.uint32)
    return _message(encode_labelled(result.cloud, result.scene, ids, result.width, result.height), result.header)


def colored_cloud(result: Result) -> PointCloud2:
    """The cloud for the eye: each point in the colour of its instance's marker, dark grey where there is none."""
    palette = np.array([*(palette_color(track.id) for track in result.tracks), _NO_INSTANCE], np.uint8)
    return cloud_message(result.cloud.points, palette[result.scene.labels], result.header, result.width, result.height)


def palette_color(identity: int) -> NDArray[np.uint8]:
    """(3,) RGB, a bright colour for an id: steps of the golden ratio around the hue keep neighbours apart."""
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
    """(3,) metres as a geometry_msgs/Point."""
    return Point(x=float(p[0]), y=float(p[1]), z=float(p[2]))


def vector(p: Float32) -> Vector3:
    """(3,) metres as a geometry_msgs/Vector3."""
    return Vector3(x=float(p[0]), y=float(p[1]), z=float(p[2]))


def poses(boxes: Sequence[Box]) -> list[Pose]:
    """Centre and axes of each box."""
    if not boxes:
        return []
    rotations = Rotation.from_matrix(np.stack([box.rotation for box in boxes]).astype(np.float64)).as_quat().tolist()
    return [
        Pose(position=point(box.center), orientation=Quaternion(x=x, y=y, z=z, w=w))
        for box, (x, y, z, w) in zip(boxes, rotations, strict=True)
    ]


def color_message(color: NDArray[np.uint8] | None) -> ColorRGBA:
    """(3,) uint8 RGB as a std_msgs/ColorRGBA; transparent when unknown."""
    if color is None:
        return ColorRGBA(r=0.5, g=0.5, b=0.5, a=0.0)
    r, g, b = (int(c) / 255.0 for c in color)
    return ColorRGBA(r=r, g=g, b=b, a=1.0)


def instance(thing: SceneObject, name: tuple[str, float], track: Track, where: Pose) -> Instance:
    """One object as a segvec3d_interfaces/Instance; ``where`` is its box's pose."""
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
    """All objects of a cloud."""
    things = result.scene.objects
    rows = zip(things, result.names, result.tracks, poses([thing.box for thing in things]), strict=True)
    return InstanceArray(header=result.header, instances=[instance(*row) for row in rows])


def detection_array(instances: InstanceArray, vision_msgs: Any) -> Any:
    """The objects that are seen now as a vision_msgs/Detection3DArray, which has no place to say of what is remembered
    that it is, nor of a wall that it is a surface.

    Args:
        instances: what ``instance_array`` made.
        vision_msgs: the module ``vision_msgs.msg``, which not every machine has.
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
    """What ``SegVec3D.name`` says, in the messages' terms: "" instead of "other"."""
    return tuple(("" if label == "other" else label, similarity) for label, similarity in named)
