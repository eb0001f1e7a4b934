"""Furniture on a floor, and groups of it: chairs pushed under a table, a bin under a desk, rows of equal pieces.

A height map stores only the highest surface. Here every cell of a standing piece also has an underside, so that one
piece may reach below another if they do not collide.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from .meshes import Mesh
from .objects import ObjectModel, sample_object
from .placing import EMPTY, Body, HeightMap, make_body, yaw
from .scenes import Builder

CELL, MARGIN = 0.03, 3
"""Cell edge of a floor's height map, metres, and by how many cells the map extends into the walls."""
BLOCKED = 50.0
"""Height of cells where nothing can stand, metres."""
SEATS = ("chair", "chair", "chair", "chair", "stool", "armchair", "bench")
"""Seats placed at a table; a noun given several times is drawn more often."""
BELOW = ("trash can", "trash can", "suitcase", "backpack", "bag", "bucket", "box", "basket")
"""Objects placed under a table."""
ALIKE = ("chair", "chair", "armchair", "cabinet", "drawer", "wardrobe", "shelf", "bookcase", "desk")
"""Furniture that stands in rows of one model."""
DEEPEST = 0.35
"""How far a seat is pushed under a table at most, metres."""
Array = NDArray[np.float64]


class Piece(NamedTuple):
    """A model placed in the scene.

    Attributes:
        model: the model.
        rotation, offset: (3, 3) and (3,) metres, from its frame to the scene's.
    """

    model: ObjectModel
    rotation: Array
    offset: Array


class Floor(HeightMap):
    """Height map of a room's floor, and the furniture that stands on it.

    The room begins at (x0, y0) and measures x by y metres, its floor is at height ``level``. The map extends ``MARGIN``
    cells into the walls, where nothing can stand.
    """

    def __init__(self, x0: float, y0: float, x: float, y: float, level: float) -> None:
        edge = MARGIN * CELL
        super().__init__(x0 - edge, y0 - edge, x + 2 * edge + CELL, y + 2 * edge + CELL, CELL, BLOCKED)
        rows, columns = (np.arange(n) * CELL - edge for n in self.height.shape)
        free = np.ix_((rows > -1e-6) & (rows < y + 1e-6), (columns > -1e-6) & (columns < x + 1e-6))
        self.height[free] = level
        self.level, self.walls = level, self.height == BLOCKED
        self.standing: list[tuple[Body, int, int]] = []

    def extent(self) -> tuple[Array, Array]:
        """(3,) centre, at z = 0, and (2,) extents of the room, metres."""
        whole = (np.array(self.height.shape[::-1]) - 1) * CELL
        return np.array([self.x0 + whole[0] / 2, self.y0 + whole[1] / 2, 0.0]), whole - 2 * MARGIN * CELL

    def cell_under(self, body: Body, position: Array) -> tuple[int, int]:
        """Row and column that centre a body's footprint at a position."""
        middle = (body.vertices[:, :2].max(0) + body.vertices[:, :2].min(0)) / 2
        row = round((position[1] - self.y0 - middle[1]) / self.cell)
        return row, round((position[0] - self.x0 - middle[0]) / self.cell)

    def leave(self, body: Body, row: int, column: int) -> Array:
        """``add`` a body that stands on the floor, and record it for ``fits``, which also considers its underside."""
        self.standing.append((body, row, column))
        return self.add(body, row, column, self.level)

    def leave_fixed(self, mesh: Mesh) -> None:
        """Record a mesh in the room's frame for ``fits``; as it is not aligned to cells, it is enlarged by one cell."""
        body = make_body(mesh, np.eye(3), self.cell)
        body.high, body.low = maximum_filter(body.high, 3), minimum_filter(body.low, 3)
        row, column = self.cell_under(body, (mesh.vertices.max(0) + mesh.vertices.min(0)).astype(np.float64) / 2)
        self.standing.append((body, row, column))

    def fits(self, body: Body, row: int, column: int) -> bool:
        """Whether a body may stand there without colliding with walls or standing pieces; it may reach below them."""
        window = self.window(body, row, column)
        if window is None:
            return False
        rows, columns = body.low.shape
        if self.walls[row : row + rows, column : column + columns][body.high > EMPTY].any():
            return False
        for other, r, c in self.standing:
            top, bottom = max(row, r), min(row + rows, r + other.low.shape[0])
            left, right = max(column, c), min(column + columns, c + other.low.shape[1])
            if top >= bottom or left >= right:
                continue
            mine = np.s_[top - row : bottom - row, left - column : right - column]
            its = np.s_[top - r : bottom - r, left - c : right - c]
            if ((body.low[mine] < other.high[its]) & (other.low[its] < body.high[mine])).any():
                return False
        return True

    def stand(self, builder: Builder, model: ObjectModel, rotation: Array, position: Array) -> Piece | None:
        """Stand a model with its footprint centred at a position if nothing is there, nor above it; else None."""
        body = make_body(model.mesh, rotation, self.cell)
        row, column = self.cell_under(body, position)
        z = self.rest(body, row, column)
        if z is None or abs(z - self.level) >= 0.005:
            return None
        return self._stood(builder, model, body, row, column)

    def put(self, builder: Builder, model: ObjectModel, rotation: Array, position: Array) -> Piece | None:
        """Stand a model with its footprint centred at a position if it ``fits``, possibly below a table; else None."""
        body = make_body(model.mesh, rotation, self.cell)
        row, column = self.cell_under(body, position)
        return self._stood(builder, model, body, row, column) if self.fits(body, row, column) else None

    def _stood(self, builder: Builder, model: ObjectModel, body: Body, row: int, column: int) -> Piece:
        offset = body.shift + self.leave(body, row, column)
        builder.add(model, body.rotation, offset)
        return Piece(model, body.rotation, offset)


def draw_up_seats(
    rng: Generator, builder: Builder, floor: Floor, mesh: Mesh, rotation: Array, middle: Array, sides: tuple[int, ...]
) -> int:  # fmt: skip
    """Place seats of one model along some sides of a table, pushed below it if there is room; returns how many.

    Args:
        rng: source of randomness; builder, floor: the scene and its floor.
        mesh, rotation, middle: the table's mesh, its rotation, and the centre of its extents, metres.
        sides: sides of the table at which seats may stand, each the +y side turned by ``yaw(90 * side)``: 0 is the
            table's back, 2 its front.
    """
    seat = sample_object(rng, "floor", np.inf, [str(rng.choice(SEATS))])
    width, depth = (float(t) for t in seat.mesh.size[:2])
    askew, deep = rng.uniform(0, 15), rng.uniform(0, DEEPEST)
    chance, count = rng.uniform(0.5, 1.2), 0
    for side in sides:
        length, away = float(mesh.size[side % 2]), float(mesh.size[1 - side % 2]) / 2
        places = int((length + 0.15) / (width + rng.uniform(0.06, 0.3)))
        for k in range(places):
            if rng.random() > chance:
                continue
            turn = rotation @ yaw(90.0 * side)
            along = ((k + 0.5) / places - 0.5) * length + rng.normal(0, 0.03)
            pushed = float(np.clip(deep + rng.normal(0, 0.06), -0.3, DEEPEST))
            if rng.random() < 0.15:  # somebody stood up
                pushed = rng.uniform(-0.5, 0.0)
            turned = turn @ yaw(rng.uniform(-askew, askew))
            for back in (0.0, 0.08, 0.16, 0.28, 0.45):
                position = middle + turn @ np.array([along, away + depth / 2 - pushed + back, 0.0])
                if floor.put(builder, seat, turned, position) is not None:
                    count += 1
                    break
    return count


def put_below(rng: Generator, builder: Builder, floor: Floor, mesh: Mesh, rotation: Array, middle: Array) -> int:
    """Place one or two objects, such as a bin, a suitcase or a box, under a table; returns how many found room."""
    count = 0
    for _ in range(int(rng.integers(1, 3))):
        kind = str(rng.choice(BELOW))
        thing = sample_object(rng, "table" if kind in ("box", "basket") else "floor", 0.6, [kind])
        for _ in range(5):
            where = middle + rotation @ np.append(rng.uniform(-0.45, 0.45, 2) * mesh.size[:2], 0.0)
            if floor.put(builder, thing, yaw(rng.uniform(0, 360)), where) is not None:
                count += 1
                break
    return count


def line_up(rng: Generator, builder: Builder, floor: Floor, side: int) -> list[Piece]:
    """Stand up to six pieces of one model side by side along a wall: that at +y, turned by ``yaw(90 * side)``."""
    model = sample_object(rng, "floor", np.inf, [str(rng.choice(ALIKE))])
    middle, size = floor.extent()
    width, depth = (float(t) for t in model.mesh.size[:2])
    length, step = float(size[side % 2]), width + CELL + rng.uniform(0.005, 0.15)
    count = min(int(rng.integers(2, 7)), int((length - 0.1) / step))
    start = (length - 0.1 - count * step) * rng.uniform(-0.5, 0.5) - (count - 1) * step / 2
    movable, placed = model.info.category in SEATS, []
    gap = 0.035 + (rng.uniform(0.03, 0.3) if movable else 0.0)
    for k in range(count):
        away = float(size[1 - side % 2]) / 2 - depth / 2 - gap - (abs(rng.normal(0, 0.03)) if movable else 0.0)
        turn = yaw(90.0 * side) @ yaw(rng.normal(0, 4) if movable else 0.0)
        position = middle + yaw(90.0 * side) @ np.array([start + k * step, away, 0.0])
        piece = floor.put(builder, model, turn, position)
        if piece is not None:
            placed.append(piece)
    return placed
