"""The scenes and camera poses of the three test sets. The numbers here are part of the sets' specification."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..simulate.placing import HeightMap
from ..simulate.scenes import Builder, SceneModel
from ..simulate.sensor import View, look_at
from ..types import Camera
from .compose import Floor, Placed, Shelfful, Top, add_room, pick

FOCAL = (525.0, 615.0, 430.0)
"""Focal lengths, pixels, at an image width of 640: Kinect, RealSense D435, a wide-angle stereo camera."""

MARGIN = 0.25
"""Minimum distance of a camera from the walls, metres."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A composed scene, without a camera.

    Attributes:
        scene: its geometry.
        room: (3,) size of the room, metres; the room is centred above the origin.
        support: entity of the table in the table sets, None in rooms.
        things: the things placed on that table, or on the furniture of a room.
        ground: height map of the furniture, so that no camera stands in it.
    """

    scene: SceneModel
    room: NDArray[np.float64]
    support: int | None
    things: tuple[Placed, ...]
    ground: HeightMap


def table_stage(rng: Generator, shelf: Shelfful, heap: bool) -> Stage:
    """A table in a furnished room, with 3 to 12 things on it, or a heap of 10 to 25."""
    while True:
        stage = _try_table(rng, shelf, heap)
        if len(stage.things) >= (10 if heap else 3):
            return stage


def _try_table(rng: Generator, shelf: Shelfful, heap: bool) -> Stage:
    builder = Builder()
    table = pick(rng, shelf.supports)
    low = np.array(table.model.info.size[:2])
    x, y = np.maximum(low, low[::-1]) + rng.uniform(2.0, 4.0, 2)
    room = np.array([x, y, rng.uniform(2.3, 2.9)])
    add_room(rng, builder, *room)
    floor = Floor(rng, builder, x, y)
    turn = np.deg2rad(90 * rng.integers(4) + rng.normal(0, 5))
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    floor.stand(table, 1, (rotation, rng.uniform(-0.2, 0.2, 2) * [x, y]))
    support = floor.pieces[0]
    for _ in range(int(rng.integers(5, 11))):
        floor.stand(pick(rng, shelf.wall if rng.random() < 0.6 else shelf.free))
    top = Top(rng, builder, shelf, support, float(rng.choice([0.25, 0.35, 0.45])))
    if heap:
        top.gather(float(rng.uniform(0.18, 0.35)))
        top.fill(int(rng.integers(10, 26)), (0.15, 0.3, 0.4, 0.15))
    else:
        top.gather(float(rng.uniform(0.25, 0.6)))
        top.fill(int(rng.integers(3, 13)), (0.45, 0.3, 0.15, 0.1))
    things = tuple(top.placed)
    for piece in floor.pieces[1:]:
        if rng.random() < 0.4 and piece[0].model.info.size[2] < 1.5:
            Top(rng, builder, shelf, piece, 0.45).fill(int(rng.integers(1, 5)), (1.0, 0.0, 0.0, 0.0))
    where = np.array([(p.x, p.y, (p.top + top.level) / 2) for p in things]) if things else np.zeros((1, 3))
    focus = where.mean(0)
    spread = float(np.linalg.norm(where[:, :2] - focus[:2], axis=1).max()) + 0.1
    return Stage(builder.build(focus, spread, "table"), room, support[3], things, floor.heights)


def room_stage(rng: Generator, shelf: Shelfful) -> Stage:
    """A furnished room with things on its furniture: at least ten objects in total."""
    while True:
        stage = _try_room(rng, shelf)
        if sum(e.kind == "object" for e in stage.scene.entities) >= 10:
            return stage


def _try_room(rng: Generator, shelf: Shelfful) -> Stage:
    builder = Builder()
    room = np.array([rng.uniform(3.0, 5.0), rng.uniform(3.0, 5.0), rng.uniform(2.3, 2.9)])
    add_room(rng, builder, *room)
    floor = Floor(rng, builder, room[0], room[1])
    for pool, count in ((shelf.wall, (5, 10)), (shelf.supports, (1, 3)), (shelf.free, (3, 8))):
        for _ in range(int(rng.integers(*count))):
            floor.stand(pick(rng, pool), 20)
    things: list[Placed] = []
    for piece in floor.pieces:
        table = piece[0].place == "support"
        if table or (rng.random() < 0.5 and piece[0].place == "wall" and piece[0].model.info.size[2] < 1.5):
            top = Top(rng, builder, shelf, piece, 0.45)
            top.fill(int(rng.integers(2, 8) if table else rng.integers(1, 5)), (0.6, 0.2, 0.15, 0.05))
            things += top.placed
    return Stage(builder.build(np.array([0.0, 0.0, 0.8]), 1.2, "room"), room, None, tuple(things), floor.heights)


def camera(rng: Generator, width: int, height: int) -> Camera:
    """Draw a camera with one of the focal lengths and a principal point slightly off the image centre."""
    focal = float(rng.choice(FOCAL)) * width / 640
    shift = rng.normal(0, 0.008 * width, 2)
    return Camera(width, height, focal, focal, (width - 1) / 2 + float(shift[0]), (height - 1) / 2 + float(shift[1]))


def table_view(rng: Generator, stage: Stage) -> View:
    """Draw a view of the table from 16 to 55 degrees above, near enough to recognise the things, and far enough to show
    some of the room."""
    half = stage.room[:2] / 2 - MARGIN
    for _ in range(200):
        pitch, turn = np.deg2rad(rng.triangular(16, 32, 55)), rng.uniform(0, 2 * np.pi)
        distance = np.clip(stage.scene.spread * rng.uniform(1.1, 2.0) + 0.35, 0.55, 1.6)
        target = stage.scene.focus + np.append(rng.normal(0, 0.15, 2) * stage.scene.spread, rng.uniform(0, 0.08))
        ray = np.array([np.cos(turn) * np.cos(pitch), np.sin(turn) * np.cos(pitch), np.sin(pitch)])
        view = look_at(target + distance * ray, target, rng.normal(0, 2.0))
        if np.all(np.abs(view.eye[:2]) < half) and _is_free(stage, view.eye, 0.4):
            break
    return view


def room_view(rng: Generator, stage: Stage, wide: bool) -> View:
    """Draw a view from standing height at an object; with ``wide``, from near a corner across the room."""
    half = stage.room[:2] / 2 - MARGIN
    objects = [e.center.astype(np.float64) for e in stage.scene.entities if e.kind == "object"]
    for _ in range(200):
        eye = np.append(rng.uniform(-1, 1, 2) * half, rng.uniform(1.1, 1.9))
        target = objects[int(rng.integers(len(objects)))] + rng.normal(0, 0.1, 3)
        if wide:
            eye[:2] = np.where(rng.random(2) < 0.5, -0.9, 0.9) * half
            target = np.append(rng.uniform(-0.3, 0.3, 2) * half, 0.6)
        if 0.9 < np.linalg.norm(eye - target) < 5.0 and _is_free(stage, eye, 0.35):
            break
    return look_at(eye, target, rng.normal(0, 2.0))


def _is_free(stage: Stage, eye: NDArray[np.float64], distance: float) -> bool:
    """Whether a camera at ``eye`` (3,) is more than ``distance`` from every vertex of the scene, and at least 20 cm
    higher than the furniture within 25 cm of it."""
    ground, cells = stage.ground, round(0.25 / stage.ground.cell)
    row, column = (round(float(eye[k] - low) / ground.cell) for k, low in ((1, ground.y0), (0, ground.x0)))
    around = ground.height[max(row - cells, 0) : row + cells + 1, max(column - cells, 0) : column + cells + 1]
    if around.size == 0 or around.max() > eye[2] - 0.2:
        return False
    return bool(np.linalg.norm(stage.scene.vertices - eye, axis=1).min() > distance)
