"""Draws what the node published, by converting its messages back to the core's types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2

from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.types import Box, Match, Matches, PointCloud, Scene, SceneObject
from segvec3d_core.view import save_picture
from segvec3d_interfaces.msg import Instance, InstanceArray
from segvec3d_interfaces.srv import FindObject


def save_answer(path: Path, cloud: PointCloud2, objects: InstanceArray, text: str, answer: FindObject.Response) -> None:
    """Draw a cloud with its instances, their boxes, and the matches of ``find_object`` for a text.

    Args:
        path: of the picture.
        cloud: labelled cloud, as published by the node.
        objects: the instances of the same stamp.
        text: the query.
        answer: response of the same stamp, in the cloud's frame.
    """
    points, scene, names, order = scene_of(cloud, objects)
    found = [
        Match(order[match.instance.id], scene.objects[order[match.instance.id]], match.similarity)
        for match in answer.matches
    ]
    save_picture(path, points, scene, names, Matches(tuple(found), answer.interpretation), title=text)


def scene_of(
    cloud: PointCloud2, objects: InstanceArray
) -> tuple[PointCloud, Scene, list[tuple[str, float]], dict[int, int]]:
    """Convert a labelled cloud and its instances back to the core's types.

    Returns:
        the cloud, the scene, (label, similarity) of each object, and the object index of each instance id.
    """
    order = {thing.id: k for k, thing in enumerate(objects.instances)}
    labels = np.full(cloud.width * cloud.height, -1, np.int32)
    ids = ids_of(cloud)
    for identity, k in order.items():
        labels[ids == identity] = k
    scene = Scene(labels, tuple(_scene_object(thing) for thing in objects.instances))
    names = [(thing.label or "other", thing.label_similarity) for thing in objects.instances]
    return cloud_of_message(cloud), scene, names, order


def _scene_object(thing: Instance) -> SceneObject:
    at, turn, size = thing.pose.position, thing.pose.orientation, thing.size
    rotation = Rotation.from_quat([turn.x, turn.y, turn.z, turn.w]).as_matrix()
    return SceneObject(
        kind="surface" if thing.kind == Instance.SURFACE else "object",
        score=thing.score,
        box=Box(np.array([at.x, at.y, at.z]), rotation, np.array([size.x, size.y, size.z])),
        centroid=np.array([thing.centroid.x, thing.centroid.y, thing.centroid.z], np.float32),
        embedding=np.zeros(0, np.float32),
        color=None,
        point_count=thing.point_count,
    )


def ids_of(cloud: PointCloud2) -> NDArray[np.uint32]:
    """(N,) uint32 instance id of each point of a labelled cloud, 0 for none. A view of the message's data."""
    offset = next(field.offset for field in cloud.fields if field.name == "label")
    count = cloud.width * cloud.height
    return np.ndarray((count,), "<u4", buffer=memoryview(cloud.data), offset=offset, strides=(cloud.point_step,))
