"""Markers for RViz: boxes and labels with stable ids, deleted individually, labels readable from the default view."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Pose
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from segvec3d_core.types import Float32
from segvec3d_ros.conversions import Result, color_message, palette_color, point, poses

BOXES, LABELS = "boxes", "labels"
"""Marker namespaces; a marker has the id of its instance."""

FAINT = 0.35
"""Opacity of remembered objects."""

_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]
"""The 12 edges of a box, as pairs of corners; bit 2, 1 or 0 of a corner's number is its side along x, y or z."""


class MarkerBoard:
    """Converts results to markers, and keeps track of those shown, so that each can be deleted."""

    def __init__(self) -> None:
        self._shown: set[int] = set()
        self._header = Header()

    def update(self, result: Result) -> MarkerArray:
        """Markers that add or move those of ``result``, and delete those of instances no longer in it."""
        ids = {track.id for track in result.tracks}
        gone = [_deletion(result.header, kind, i) for i in sorted(self._shown - ids) for kind in (BOXES, LABELS)]
        self._shown, self._header = ids, result.header
        places = poses([thing.box for thing in result.scene.objects])
        shown = [marker for k, place in enumerate(places) for marker in _markers(result, k, place)]
        return MarkerArray(markers=gone + shown)

    def clear(self) -> MarkerArray:
        """Markers that delete all those shown."""
        gone = [_deletion(self._header, kind, i) for i in sorted(self._shown) for kind in (BOXES, LABELS)]
        self._shown = set()
        return MarkerArray(markers=gone)


def _deletion(header: Header, namespace: str, identity: int) -> Marker:
    return Marker(header=header, ns=namespace, id=identity, action=Marker.DELETE)


def _markers(result: Result, k: int, place: Pose) -> tuple[Marker, Marker]:
    thing, (label, similarity), track = result.scene.objects[k], result.names[k], result.tracks[k]
    identity, color = track.id, color_message(palette_color(track.id))
    color.a = 1.0 if track.visible else FAINT
    longest = float(thing.box.size.max())
    outline = Marker(header=result.header, ns=BOXES, id=identity, type=Marker.LINE_LIST, action=Marker.ADD)
    outline.pose = place
    outline.points = _outline(thing.box.size)
    outline.scale.x = float(np.clip(longest / 60, 0.002, 0.02))
    outline.color = color
    text = Marker(header=result.header, ns=LABELS, id=identity, type=Marker.TEXT_VIEW_FACING, action=Marker.ADD)
    text.scale.z = float(np.clip(longest / 4, 0.025, 0.15))
    up = _up(result)
    reach = float(np.abs(up @ thing.box.rotation) @ thing.box.size) / 2
    text.pose.position = point(thing.box.center + up * np.float32(reach + text.scale.z))
    text.pose.orientation.w = 1.0
    text.text = f"{label} {similarity:.2f}" if label else f"{thing.kind} {identity}"
    if not track.visible:
        age = (result.stamp - track.last_seen) / 1e9
        text.text += f", {age:.0f} s ago" if age >= 0 else ", remembered"  # stamps of a loaded map: another clock
    text.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=color.a)
    return outline, text


def _outline(size: Float32) -> list[Point]:
    corners = [
        Point(x=float(size[0] * (i >> 2 & 1) - size[0] / 2), y=float(size[1] * (i >> 1 & 1) - size[1] / 2),
              z=float(size[2] * (i & 1) - size[2] / 2))
        for i in range(8)
    ]  # fmt: skip
    return [corners[i] for edge in _EDGES for i in edge]


def _up(result: Result) -> Float32:
    """(3,) direction from a box to its label: against gravity if known, else up in the image, else z."""
    if result.cloud.up is not None:
        return result.cloud.up
    axes = result.cloud.camera_axes
    return np.array([0, 0, 1], np.float32) if axes is None else -axes[:, 1]
