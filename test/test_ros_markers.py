"""Markers come, move and go with their instances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from ros_stand_ins import frame_cloud
from scipy.spatial.transform import Rotation
from test_conversions import result_of
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_core.types import PointCloud
from segvec3d_ros.conversions import Result, palette_color
from segvec3d_ros.markers import BOXES, LABELS, MarkerBoard
from segvec3d_ros.tracking import Track


def result(ids: list[int], cloud: PointCloud | None = None) -> Result:
    """A result whose objects have these ids."""
    full = result_of(frame_cloud() if cloud is None else cloud, 40, 30)
    scene = type(full.scene)(np.full(1200, -1, np.int32), full.scene.objects[: len(ids)])
    tracks = tuple(Track(i, 0, 0) for i in ids)
    return Result(full.header, 40, 30, full.cloud, scene, full.names[: len(ids)], tracks)


def keys(markers: MarkerArray, action: int) -> set[tuple[str, int]]:
    return {(marker.ns, marker.id) for marker in markers.markers if marker.action == action}


def test_only_what_has_gone_is_deleted() -> None:
    board = MarkerBoard()
    first = board.update(result([1, 2, 3]))
    assert keys(first, Marker.ADD) == {(ns, i) for ns in (BOXES, LABELS) for i in (1, 2, 3)}
    assert keys(first, Marker.DELETE) == set()
    second = board.update(result([3, 4]))
    assert keys(second, Marker.ADD) == {(ns, i) for ns in (BOXES, LABELS) for i in (3, 4)}
    assert keys(second, Marker.DELETE) == {(ns, i) for ns in (BOXES, LABELS) for i in (1, 2)}
    assert keys(board.clear(), Marker.DELETE) == {(ns, i) for ns in (BOXES, LABELS) for i in (3, 4)}
    assert board.clear().markers == []


def test_no_message_deletes_everything_at_once() -> None:
    board = MarkerBoard()
    for ids in ([1], [2], []):
        assert all(marker.action != Marker.DELETEALL for marker in board.update(result(ids)).markers)


def test_the_outline_is_the_box() -> None:
    seen = result([1])
    outline = next(m for m in MarkerBoard().update(seen).markers if m.ns == BOXES)
    q = outline.pose.orientation
    points = np.array([[p.x, p.y, p.z] for p in outline.points])
    position = outline.pose.position
    placed = Rotation.from_quat([q.x, q.y, q.z, q.w]).apply(points) + np.array([position.x, position.y, position.z])
    assert len(points) == 24
    np.testing.assert_allclose(
        np.unique(placed.round(5), axis=0), np.unique(seen.scene.objects[0].box.corners().round(5), axis=0), atol=1e-4
    )


@pytest.mark.parametrize(("up", "axis", "sign"), [(None, 2, 1), ([0, -1, 0], 1, -1), ([1, 0, 0], 0, 1)])
def test_the_label_stands_above_its_box(up: list[float] | None, axis: int, sign: int) -> None:
    cloud = PointCloud(frame_cloud().points, up=None if up is None else np.array(up, np.float32))
    seen = result([1], cloud)
    label = next(m for m in MarkerBoard().update(seen).markers if m.ns == LABELS)
    position = np.array([label.pose.position.x, label.pose.position.y, label.pose.position.z])
    corners = seen.scene.objects[0].box.corners()
    assert sign * position[axis] > (sign * corners[:, axis]).max()


def test_labels_are_readable_text_of_sane_size() -> None:
    for label in (m for m in MarkerBoard().update(result([1, 2])).markers if m.ns == LABELS):
        assert label.type == Marker.TEXT_VIEW_FACING
        assert label.text == "mug 0.80"
        assert 0.02 <= label.scale.z <= 0.15
        assert label.color.a == 1.0


def test_a_thing_without_a_name_is_called_by_kind_and_id() -> None:
    seen = result([7])
    nameless = Result(seen.header, 40, 30, seen.cloud, seen.scene, (("", 0.1),), seen.tracks)
    assert MarkerBoard().update(nameless).markers[1].text == "object 7"


def test_neighbouring_ids_differ_in_colour() -> None:
    colors = [palette_color(i).astype(float) / 255 for i in range(20)]
    for a, b in pairwise(colors):
        assert np.abs(a - b).sum() > 0.3
