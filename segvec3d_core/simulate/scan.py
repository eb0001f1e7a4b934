"""Fused scans: several views of one room as a single labelled cloud."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..kernels.grid import hash_cells, mean_by_cell
from ..types import PointCloud
from .edition import has_first_shapes, is_first_edition
from .fusing import flattened
from .noise import SENSORS, Sensor
from .paint import sample_light
from .placing import turn_about
from .scenes import Entity, SceneModel, sample_scene
from .sensor import SimulatedFrame, View, render, sample_camera, sample_view

PIXELS = 5 * 320 * 240
"""Pixels of all views of a scan together if no image size is given: the more views, the smaller the images."""
AVERAGED = 0.8
"""Share of the scans in which the surfaces of different views are merged into one; others keep each voxel's mean."""

Points = tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.int32]]
"""Positions (N, 3) in metres, colours (N, 3) and labels (N,)."""


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the views of a scan are measured and fused into one cloud.

    Attributes:
        sensor: noise model of all views.
        voxel: edge of the voxels, of which each keeps one point, metres.
        reach: greatest depth of points that are kept, metres.
        turn, shift: standard deviations of a pose's rotation angle and of its translation along each axis, degrees and
            metres.
        aligned: how much of a view's common scale error of depth is corrected, 0 to 1.
        walls: share of the views aimed at a wall rather than at an object.
        edge: cell edge for merging the surfaces of different views, see ``flattened``, metres; 0 for no merging.
    """

    sensor: Sensor
    voxel: float
    reach: float
    turn: float
    shift: float
    aligned: float
    walls: float
    edge: float

    @classmethod
    def draw(cls, rng: Generator, voxel: float | None) -> Fusion:
        """Draw parameters as varied as those of real maps, with any depth camera but the ideal one; ``voxel`` is drawn
        if None."""
        if is_first_edition():
            return cls(
                sensor=SENSORS[int(rng.integers(1, 4))], voxel=voxel or 0.015, reach=rng.uniform(2.5, 4.0), turn=0.2,
                shift=0.004, aligned=0.0, walls=0.0, edge=0.0,
            )  # fmt: skip
        return cls(
            sensor=SENSORS[int(rng.integers(1, len(SENSORS)))], voxel=voxel or rng.uniform(0.006, 0.018),
            reach=rng.uniform(2.5, 4.5), turn=rng.uniform(0.02, 0.25), shift=rng.uniform(0.0005, 0.005),
            aligned=rng.uniform(0.8, 1.0), walls=rng.uniform(0.1, 0.6),
            edge=np.exp(rng.uniform(*np.log([0.02, 0.07]))) if rng.random() < AVERAGED else 0.0,
        )  # fmt: skip


def simulate_scan(
    rng: Generator, views: int | None = None, voxel: float | None = None, width: int | None = None,
    height: int | None = None,
) -> tuple[PointCloud, NDArray[np.int32], tuple[Entity, ...]]:  # fmt: skip
    """A room seen from several viewpoints and fused into one cloud, z up.

    As in real fusion, distant points are dropped, poses are slightly wrong, the points of a voxel are averaged, and
    mostly the surfaces of different views are merged into one.

    Args:
        rng: source of randomness.
        views: number of views; None draws 8 to 30, in the first edition 10.
        voxel: edge of the voxels, of which each keeps one point, metres; None draws 6 to 18 mm, in the first edition
            15 mm.
        width, height: image size of each view, pixels. With a width of None, 4:3 images have about ``PIXELS`` pixels in
            all views together (first edition: each is 320 wide); with a height of None, images are 4:3.

    Returns:
        the cloud (N points, ``up`` = z, no viewpoint); labels (N,) int32, indices into the entities; the entities,
        centres in the scan's frame.

    Raises:
        ValueError: less than one view, or a voxel or an image without extent.
    """
    if views is not None and views < 1:
        raise ValueError(f"views: expected 1 or more, got {views}")
    if voxel is not None and not voxel > 0:
        raise ValueError(f"voxel: expected an edge above 0 m, got {voxel}")
    first = is_first_edition()
    if views is None:
        views = 10 if first else int(rng.integers(8, 31))
    if width is None:
        width = 320 if first else round((PIXELS / views * 4 / 3) ** 0.5)
    if height is None:
        height = max(1, width * 3 // 4)
    scene = sample_scene(rng, "room")
    targets = [np.asarray(e.center, np.float64) for e in scene.entities if e.kind == "object"] or [scene.focus]
    fusion = Fusion.draw(rng, voxel)
    light = None if has_first_shapes() else sample_light(rng)
    parts = []
    for _ in range(views):
        if fusion.walls and rng.random() < fusion.walls:
            focus = _on_a_wall(rng, scene)
        else:
            focus = targets[int(rng.integers(len(targets)))]
        aimed = replace(scene, focus=focus)
        view = sample_view(rng, aimed)
        frame = render(rng, aimed, view, sample_camera(rng, width, height), fusion.sensor, light)
        parts.append(_placed(rng, fusion, view, frame))
    points, colors, labels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    thin = _one_per_voxel((points, colors, labels), fusion.voxel)
    if fusion.edge:
        level = flattened(thin[0], thin[2], points, labels, fusion.edge)
        thin = _one_per_voxel((level, *thin[1:]), fusion.voxel)
    return PointCloud(thin[0], thin[1], up=np.array([0, 0, 1], np.float32)), thin[2].astype(np.int32), scene.entities


def _on_a_wall(rng: Generator, scene: SceneModel) -> NDArray[np.float64]:
    """(3,) random point in the bounding box of one of the scene's walls."""
    walls = [k for k, e in enumerate(scene.entities) if e.info.category == "wall"]
    corners = scene.vertices[scene.faces[scene.face_entity == walls[int(rng.integers(len(walls)))]].ravel()]
    return rng.uniform(corners.min(0), corners.max(0))


def _placed(rng: Generator, fusion: Fusion, view: View, frame: SimulatedFrame) -> Points:
    """The points that a view adds to a scan, in the scan's frame, with its pose error."""
    kept = (frame.instance.ravel() >= 0) & (np.nan_to_num(frame.depth).ravel() < fusion.reach)
    points = frame.cloud().points[kept]
    if fusion.aligned and len(points):
        true = (frame.surface.reshape(-1, 3)[kept] - view.eye) @ view.rotation[:, 2]
        points *= np.float32(np.median(true / points[:, 2]) ** fusion.aligned)
    rotation = view.rotation @ turn_about(_direction(rng), rng.normal(0, fusion.turn))
    eye = (view.eye + rng.normal(0, fusion.shift, 3)).astype(np.float32)
    placed = points @ rotation.T.astype(np.float32) + eye
    return placed, frame.color.reshape(-1, 3)[kept], frame.instance.ravel()[kept]


def _one_per_voxel(points: Points, voxel: float) -> Points:
    """One point per voxel: label and colour of the first point in it, at the mean position of all with that label."""
    places, colors, labels = points
    cell, first, _ = hash_cells(np.floor(places / voxel).astype(np.int64))
    same = labels == labels[first][cell]
    fused, _ = mean_by_cell(places[same], cell[same], len(first))
    return fused, colors[first], labels[first]


def _direction(rng: Generator) -> NDArray[np.float64]:
    """(3,) unit vector, uniformly distributed on the sphere."""
    v = rng.normal(size=3)
    return v / np.linalg.norm(v)
