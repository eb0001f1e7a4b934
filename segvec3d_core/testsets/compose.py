"""Composes the scenes of the test sets: a room, its furniture, a table, things on it.

Every number here is part of the specification of the sets. Only the simulator's geometry is used (height maps, resting
poses, scene builder), not its sampling of training scenes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..simulate import raster
from ..simulate.meshes import box
from ..simulate.objects import MATERIAL_COLUMNS, PATTERNS, ObjectInfo, ObjectModel
from ..simulate.placing import EMPTY, Body, HeightMap, make_body, settle, stable_rotation, turn_about, yaw
from ..simulate.scenes import Builder
from .shapes import Shape

CELL = 0.004
"""Edge of a height map's cell on a table, metres."""
FLOOR_CELL = 0.03
"""Edge of a height map's cell on the floor, metres."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing that has been set down, in the scene's frame, metres.

    Attributes:
        shape: its model; entity: its index in the scene.
        x, y, radius: of a circle around its footprint; top: height of its highest point.
    """

    shape: Shape
    entity: int
    x: float
    y: float
    radius: float
    top: float


@dataclass(frozen=True, slots=True)
class Shelfful:
    """The models to draw from, by where they stand; those for a table with and without a name."""

    named: tuple[Shape, ...]
    unnamed: tuple[Shape, ...]
    supports: tuple[Shape, ...]
    wall: tuple[Shape, ...]
    free: tuple[Shape, ...]

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Shelfful:
        """Sort the models by ``Shape.place``."""
        items = [s for s in shapes if s.place == "item"]
        return cls(
            tuple(s for s in items if s.model.info.name != "thing"),
            tuple(s for s in items if s.model.info.name == "thing"),
            *(tuple(s for s in shapes if s.place == place) for place in ("support", "wall", "free")),
        )

    def item(self, rng: Generator, largest: float) -> Shape:
        """Draw a thing for a table whose longest edge is at most ``largest`` metres: with probability 0.18 one without
        a name, 0.15 a thin or tiny one, 0.15 a concave one, else any named one. If none fits, any without a name."""
        kind = rng.random()
        pool = self.unnamed if kind < 0.18 else self.named
        if kind > 0.7:
            wanted: Callable[[Shape], bool] = (lambda s: s.concave) if kind > 0.85 else (lambda s: s.thin or s.tiny)
            pool = tuple(s for s in pool if wanted(s))
        fitting = [s for s in pool if max(s.model.info.size) <= largest]
        return pick(rng, fitting or self.unnamed)


def pick(rng: Generator, shapes: Sequence[Shape]) -> Shape:
    """Draw one of the shapes."""
    return shapes[int(rng.integers(len(shapes)))]


def material(
    rng: Generator, color: Sequence[float], pattern: str, contrast: float, scale: float
) -> NDArray[np.float32]:
    """(1, MATERIAL_COLUMNS) material of a wall or floor: a pattern of ``color``, randomly brightened or darkened, and
    of the same colour darker by the share ``contrast``; ``scale`` is the pattern's, metres."""
    row = np.zeros((1, MATERIAL_COLUMNS), np.float32)
    base = np.clip(np.asarray(color) * rng.uniform(0.8, 1.15), 0.03, 0.95)
    row[0, 0:3], row[0, 3], row[0, 4:7] = base, PATTERNS.index(pattern), base * (1 - contrast)
    row[0, 7:9] = scale, rng.integers(1, 100000)
    return row


WALLS = ((0.9, 0.9, 0.88), (0.85, 0.8, 0.7), (0.6, 0.62, 0.65), (0.75, 0.8, 0.72), (0.8, 0.7, 0.5))
FLOORS = ((0.45, 0.3, 0.18), (0.7, 0.58, 0.42), (0.5, 0.5, 0.5), (0.75, 0.74, 0.7), (0.25, 0.22, 0.2))


def add_room(rng: Generator, builder: Builder, x: float, y: float, z: float) -> None:
    """Add a room of x by y by z metres, centred above the origin: floor at z = 0, four walls and a ceiling, all of kind
    "surface"."""

    def surface(name: str, size: tuple[float, float, float], paint: NDArray[np.float32], offset: Array) -> None:
        model = ObjectModel(ObjectInfo(name, name, (), "", "", size), box(*size), paint)
        builder.add(model, np.eye(3), offset, "surface")

    thick = 0.05
    pattern = str(rng.choice(["wood", "checks", "noise", "plain"]))
    ground = material(rng, FLOORS[int(rng.integers(len(FLOORS)))], pattern, rng.uniform(0.1, 0.4), 0.15)
    surface("floor", (x, y, thick), ground, np.array([0, 0, -thick]))
    paint = material(rng, WALLS[int(rng.integers(len(WALLS)))], str(rng.choice(["plain", "noise"])), 0.08, 0.02)
    for sign in (1, -1):
        surface("wall", (thick, y, z), paint, np.array([sign * (x + thick) / 2, 0, 0]))
        surface("wall", (x, thick, z), paint, np.array([0, sign * (y + thick) / 2, 0]))
    surface("ceiling", (x, y, thick), material(rng, WALLS[0], "plain", 0.0, 0.02), np.array([0, 0, z]))


class Floor:
    """The floor of a room, on which furniture is placed piece by piece."""

    def __init__(self, rng: Generator, builder: Builder, x: float, y: float) -> None:
        self.rng, self.builder, self.x, self.y = rng, builder, x, y
        self.heights = HeightMap(-x / 2, -y / 2, x, y, FLOOR_CELL)
        self.pieces: list[tuple[Shape, Array, Array, int]] = []

    def _pose(self, shape: Shape) -> tuple[Array, Array]:
        """Draw a rotation (3, 3) and a position (2,), metres: with the back to a wall for furniture that stands so,
        else anywhere and nearly parallel to the walls."""
        rng = self.rng
        if shape.place != "wall":
            position = np.array([rng.uniform(-0.45, 0.45) * self.x, rng.uniform(-0.45, 0.45) * self.y])
            return yaw(90 * rng.integers(4) + rng.normal(0, 12)), position
        side = int(rng.integers(4))
        rotation = yaw(90.0 * side)
        along, away = (self.x, self.y) if side % 2 == 0 else (self.y, self.x)
        gap = shape.model.info.size[1] / 2 + FLOOR_CELL * 2
        # Before the rotation the back faces +y.
        return rotation, (rotation @ np.array([rng.uniform(-0.5, 0.5) * along, away / 2 - gap, 0.0]))[:2]

    def stand(self, shape: Shape, tries: int = 8, at: tuple[Array, Array] | None = None) -> bool:
        """Place a piece where the floor is free, or at a given rotation and position; returns whether it succeeded."""
        for _ in range(tries):
            rotation, position = at or self._pose(shape)
            body = make_body(shape.model.mesh, rotation, FLOOR_CELL)
            middle = (body.vertices[:, :2].max(0) + body.vertices[:, :2].min(0)) / 2
            column = round((position[0] - self.heights.x0 - middle[0]) / FLOOR_CELL)
            row = round((position[1] - self.heights.y0 - middle[1]) / FLOOR_CELL)
            z = self.heights.rest(body, row, column)
            window = self.heights.window(body, row, column)
            if z is None or window is None or window.max() > 0:
                continue
            offset = self.heights.add(body, row, column, 0.0)
            # Nothing may stand under a table, so its whole bounding rectangle counts as occupied.
            np.maximum(window, 0.01, out=window)
            entity = self.builder.add(shape.model, rotation, body.shift + offset)
            self.pieces.append((shape, rotation, body.shift + offset, entity))
            return True
        return False


class Top:
    """The upper side of a placed piece of furniture, on which things are placed one by one."""

    def __init__(
        self, rng: Generator, builder: Builder, shelf: Shelfful, piece: tuple[Shape, Array, Array, int], largest: float
    ) -> None:
        self.rng, self.builder, self.shelf, self.largest = rng, builder, shelf, largest
        shape, rotation, offset, self.entity = piece
        vertices = shape.model.mesh.vertices.astype(np.float64) @ rotation.T + offset
        low, high = vertices.min(0), vertices.max(0)
        self.heights = HeightMap(low[0], low[1], high[0] - low[0], high[1] - low[1], CELL, EMPTY)
        raster.plan(vertices, shape.model.mesh.faces, low[0], low[1], CELL, self.heights.height)
        seen = self.heights.height[self.heights.height > high[2] / 3]
        bins = np.bincount(np.rint(seen / 0.01).astype(int))
        self.level = 0.01 * float(bins.argmax())
        if shape.place == "support":
            # Things stand only on the table top, not on bars between the legs.
            self.heights.height[self.heights.height < self.level - 0.02] = EMPTY
        self.center = (low[:2] + high[:2]) / 2
        self.reach = (high[:2] - low[:2]) / 2
        self.placed: list[Placed] = []

    def gather(self, radius: float) -> None:
        """Scatter further things within ``radius``, metres, of a random point, along x and y; the point keeps this
        distance from the edges if the top is large enough."""
        free = np.maximum(self.reach - radius, 0.0)
        self.center = self.center + self.rng.uniform(-1, 1, 2) * free
        self.reach = np.minimum(self.reach, radius)

    def _body(self, shape: Shape, upright: float) -> Body:
        turn = yaw(self.rng.uniform(0, 360))
        if self.rng.random() >= upright:
            turn = turn @ stable_rotation(self.rng, shape.model.mesh)
        return make_body(shape.model.mesh, turn, CELL)

    def _commit(self, shape: Shape, body: Body, row: int, column: int, z: float) -> None:
        offset = self.heights.add(body, row, column, z)
        entity = self.builder.add(shape.model, body.rotation, body.shift + offset)
        x, y = (body.center + offset)[:2]
        radius = float(np.linalg.norm(body.vertices[:, :2] - body.center[:2], axis=1).max())
        self.placed.append(Placed(shape, entity, float(x), float(y), radius, body.height + z))

    def _settle(self, shape: Shape, body: Body, x: float, y: float, highest: float = np.inf) -> bool:
        found = settle(self.heights, shape.model.mesh, body, x, y, highest)
        if found is None or found[3] < self.level - 0.03:
            return False
        self._commit(shape, *found)
        return True

    def scatter(self) -> bool:
        """Place a thing at a free spot of the top; returns whether it succeeded, as do the other moves."""
        shape = self.shelf.item(self.rng, self.largest)
        body = self._body(shape, 0.75)
        for _ in range(8):
            x, y = self.center + self.reach * np.clip(self.rng.normal(0, 0.5, 2), -1, 1)
            if self._settle(shape, body, x, y, self.level + 0.006):
                return True
        return False

    def _against(self, other: Placed, shape: Shape, body: Body, angle: float, stable: bool) -> bool:
        """Slide a body along the top, from direction ``angle``, towards another thing until they touch."""
        reach = other.radius + float(np.hypot(*body.low.shape)) * CELL / 2 + 0.015
        x, y = other.x + reach * np.cos(angle), other.y + reach * np.sin(angle)
        row, column, stopped = self.heights.slide(body, *self.heights.cell_of(body, x, y), angle + np.pi)
        z = self.heights.rest(body, row, column)
        if not stopped or z is None or z < self.level - 0.03:
            return False
        if stable and not self.heights.is_stable(body, row, column, z):
            return False
        self._commit(shape, body, row, column, z)
        return True

    def touch(self) -> bool:
        """Place a thing beside another, touching it."""
        other = self.placed[int(self.rng.integers(len(self.placed)))]
        shape = self.shelf.item(self.rng, self.largest)
        return self._against(other, shape, self._body(shape, 0.75), self.rng.uniform(0, 2 * np.pi), True)

    def stack(self) -> bool:
        """Place a thing on top of another, or in it if it is hollow."""
        rng = self.rng
        low = [p for p in self.placed if p.top < self.level + 0.16]
        if not low:
            return False
        other = low[int(rng.integers(len(low)))]
        shape = self.shelf.item(rng, min(self.largest, max(0.06, other.radius * (1.8 if other.shape.concave else 2.6))))
        body = self._body(shape, 0.7)
        for _ in range(4):
            x, y = np.array([other.x, other.y]) + rng.normal(0, 0.25, 2) * other.radius
            if self._settle(shape, body, x, y):
                return True
        return False

    def lean(self) -> bool:
        """Lean a thing, tilted by 8 to 30 degrees, against another."""
        rng = self.rng
        tall = [p for p in self.placed if p.top > self.level + 0.06]
        if not tall:
            return False
        other = tall[int(rng.integers(len(tall)))]
        shape = self.shelf.item(rng, self.largest)
        upright, angle = self._body(shape, 0.5), rng.uniform(0, 2 * np.pi)
        # Tilt it towards the other thing, which lies in the direction angle + 180 degrees.
        tilt = turn_about(np.array([-np.sin(angle), np.cos(angle), 0.0]), -rng.uniform(8, 30))
        body = make_body(shape.model.mesh, tilt @ upright.rotation, CELL)
        if body.center[2] > (other.top - self.level) * 1.2:
            return False
        return self._against(other, shape, body, angle, False)

    def fill(self, count: int, mix: Sequence[float]) -> None:
        """Place ``count`` things, or as many as succeed in 6 * ``count`` moves; ``mix`` has the probabilities of
        scattering, touching, stacking and leaning."""
        moves = (self.scatter, self.touch, self.stack, self.lean)
        for _ in range(6 * count):
            if len(self.placed) >= count:
                return
            move = moves[int(self.rng.choice(4, p=mix))] if self.placed else self.scatter
            move()
