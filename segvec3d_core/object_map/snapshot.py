"""What a map holds at one time: objects with ids and states, as a scene that can be searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..types import Float32, PointCloud, Scene, SceneObject
from .anchor import Anchor

GREY = np.uint8(128)
"""Shown for points of which no colour was seen."""


@dataclass(frozen=True, slots=True, eq=False)
class MapObject:
    """One object of the map, as it was after an update.

    Attributes:
        id: constant for as long as the object is known, and never reused.
        state: "visible" in the latest cloud, or "remembered" from earlier ones.
        object: kind, score, box, centroid, embedding, colour and number of points, in the map's frame.
        first_seen, last_seen: nanoseconds.
        sightings: number of clouds that showed it.
    """

    id: int
    state: Literal["visible", "remembered"]
    object: SceneObject
    first_seen: int
    last_seen: int
    sightings: int


@dataclass(frozen=True, slots=True, eq=False)
class MapSnapshot(Sequence[MapObject]):
    """The map after an update; later updates do not change it.

    Attributes:
        objects: the confirmed objects, sorted by id.
        voxels: for each, (n, 3) float32 points in the map's own coordinates, and (n, 3) uint8 colours.
        anchor: transform from the map's own coordinates to its frame. ``points_of`` and ``cloud`` apply it, which takes
            time where there are many points.
        up: (3,) float32 direction against gravity in the map's frame, None if no cloud gave it.
        stamp_ns: of the latest cloud, 0 before the first.
        viewpoint: (3,) float32 position from which it was seen, in the map's frame; None for a scan and before the
            first cloud.
        camera_axes: (3, 3) float32 right, down and forward axes of its camera, as columns, in the map's frame, or None.
    """

    objects: tuple[MapObject, ...]
    voxels: tuple[tuple[Float32, NDArray[np.uint8]], ...]
    anchor: Anchor
    up: Float32 | None
    stamp_ns: int
    viewpoint: Float32 | None = None
    camera_axes: Float32 | None = None

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # as Sequence has it
        return self.objects[index]

    def __iter__(self) -> Iterator[MapObject]:
        return iter(self.objects)

    def points_of(self, k: int) -> tuple[Float32, NDArray[np.uint8]]:
        """(n, 3) float32 points of ``objects[k]`` in the map's frame, metres, and (n, 3) uint8 colours, grey where no
        colour was seen."""
        points, colors = self.voxels[k]
        return self.anchor.place(points), _shown(colors)

    def cloud(self) -> PointCloud:
        """All objects' points in the map's frame, grouped by object, grey where no colour was seen."""
        if not self.voxels:
            return PointCloud(np.empty((0, 3), np.float32), np.empty((0, 3), np.uint8), up=self.up)
        points, colors = zip(*self.voxels, strict=True)
        return PointCloud(self.anchor.place(np.concatenate(points)), _shown(np.concatenate(colors)), up=self.up)

    def scene(self) -> Scene:
        """The map as one scene: ``scene.objects[k]`` is ``objects[k].object``; the labels belong to ``cloud()``."""
        labels = np.repeat(np.arange(len(self), dtype=np.int32), [len(points) for points, _ in self.voxels])
        objects = tuple(thing.object for thing in self.objects)
        return Scene(labels, objects, {}, self.viewpoint, self.up, self.camera_axes)


def _shown(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, 3) colours for display: black, which stands for unknown, becomes grey, visible on a dark background."""
    return np.where(colors.any(1, keepdims=True), colors, GREY)
