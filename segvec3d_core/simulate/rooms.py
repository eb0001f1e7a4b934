"""Rooms: furniture along the walls, in groups and elsewhere, objects on it and on the floor; rooms around a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .clutter import clutter, lay_cushions
from .edition import is_first_edition
from .groups import BLOCKED, CELL, Floor, Piece, draw_up_seats, line_up, put_below
from .meshes import Mesh
from .objects import ObjectModel, sample_object
from .piles import TableTop
from .placing import HeightMap, Rectangle, yaw
from .scenes import Builder, SceneModel
from .shelves import BOOKS, SHELVES, emptied, stock
from .walls import add_shell, put_up

AGAINST_WALL = (
    "sofa", "bed", "wardrobe", "cabinet", "counter", "drawer", "nightstand", "shelf", "bookcase", "sink", "toilet",
    "fridge", "washing machine", "desk", "television", "bathtub", "radiator", "door",
)  # fmt: skip
"""Furniture that mostly stands with its back to a wall."""
LARGE = ("wardrobe", "wardrobe", "counter", "cabinet", "sofa", "bookcase", "drawer", "desk", "bed", "shelf", "radiator")
"""Furniture that fills a wall or the background; a noun given several times is drawn more often."""
TOPS = (
    "table", "coffee table", "desk", "cabinet", "counter", "drawer", "nightstand", "shelf", "bookcase",
    "sofa", "bed", "washing machine", "stool", "bench",
)  # fmt: skip
"""Furniture on top of which objects may lie."""
SEATED = ("table", "desk")
"""Furniture at which seats are placed."""
SOFT = ("sofa", "bed", "armchair")
"""Furniture on which cushions may lie."""
STOCKED = 0.5
"""Share of the shelves and bookcases whose boards are filled with separate objects."""


def furnish_around(rng: Generator, builder: Builder, support: Mesh, backed: bool = False) -> Rectangle:
    """Add floor, walls and furniture around a support that stands at the origin, its top at z = 0.

    Args:
        rng: source of randomness; builder: the scene, whose first entity is the support.
        support: mesh of the support; its back faces +y.
        backed: whether it stands with its back to a wall.

    Returns:
        the range within which a camera may stand: x0, x1, y0, y1, metres.
    """
    low, high = support.vertices.min(0).astype(np.float64), support.vertices.max(0).astype(np.float64)
    level = float(low[2])
    reach = np.array([high[1], -low[0], -low[1], high[0]])  # towards +y turned by yaw(90 * k): +y, -x, -y, +x
    margins, pieces = _background(rng, support, backed)
    x0, x1, y0, y1 = -reach[1] - margins[1], reach[3] + margins[3], -reach[2] - margins[2], reach[0] + margins[0]
    x, y = float(x1 - x0), float(y1 - y0)
    # add_shell counts the sides from +x, not from +y.
    needed = {(k + 1) % 4 for _, k, _ in pieces} | ({1} if backed else set())
    walls = tuple(k for k in range(4) if k in needed or rng.random() < 0.7)
    tall = max(rng.uniform(2.3, 2.9), max((float(p.mesh.size[2]) for p, *_ in pieces), default=0.0) + 0.02)
    middle = float(x0 + x1) / 2, float(y0 + y1) / 2
    drawn = add_shell(rng, builder, x, y, tall, level, walls, rng.random() < 0.5, middle)
    floor = Floor(float(x0), float(y0), x, y, level)
    edge = 0.0 if backed else 0.02
    columns = floor.x0 + np.arange(floor.height.shape[1]) * CELL
    rows = floor.y0 + np.arange(floor.height.shape[0]) * CELL
    taken = [(at > low[k] - edge) & (at < high[k] + edge) for k, at in ((1, rows), (0, columns))]
    floor.height[np.ix_(*taken)] = BLOCKED
    floor.leave_fixed(support)
    for piece, k, gap in pieces:
        away = reach[k] + gap + float(piece.mesh.size[1]) / 2
        position = yaw(90.0 * k) @ np.array([rng.normal(0, 0.2), away, 0.0])
        placed = floor.stand(builder, piece, yaw(90.0 * k), position)
        if placed is not None and piece.info.category in SHELVES:
            load(rng, builder, placed, 0)
    category = builder.entities[0].info.category
    if not is_first_edition() and category in SEATED and rng.random() < 0.6:
        gather(rng, builder, floor, support, np.eye(3), np.zeros(3), category)
    if rng.random() < 0.35:
        fill_wall(rng, builder, floor, int(rng.integers(4)))
    for _ in range(int(rng.integers(0, 7))):
        place_furniture(rng, builder, floor)
    put_up(builder, drawn)
    free = 0.1  # distance of a camera from the walls, metres
    return float(x0) + free, float(x1) - free, float(y0) + free, float(y1) - free


def _background(
    rng: Generator, support: Mesh, backed: bool
) -> tuple[NDArray[np.float64], list[tuple[ObjectModel, int, float]]]:
    """(4,) distances of the walls from a support, metres, towards +y turned by ``yaw(90 * k)``, and up to two pieces of
    furniture between support and walls, each with its side k and its distance from the support, metres."""
    margins = rng.uniform(0.5, 2.3, 4)
    behind = [k for k in range(4) if rng.random() < (0.75, 0.25, 0.1, 0.25)[k]]
    if backed:
        margins[0] = rng.uniform(0.005, 0.06)
        behind = [k for k in behind if k]
    pieces = []
    for k in behind[:2]:
        room = float(support.size[k % 2]) + 1.6
        piece = draw_piece(rng, max(room, 2.0), [str(rng.choice(LARGE))])
        gap = rng.uniform(0.07, 0.5) if rng.random() < 0.6 else rng.uniform(0.5, 1.2)
        margins[k] = gap + float(piece.mesh.size[1]) + rng.uniform(0.035, 0.08)
        pieces.append((piece, k, gap))
    return margins, pieces


def draw_piece(rng: Generator, largest: float = np.inf, kinds: Sequence[str] | None = None) -> ObjectModel:
    """Draw a piece of furniture; some bookcases are empty, so that their books can be separate objects."""
    model = sample_object(rng, "floor", largest, kinds)
    if not is_first_edition() and model.info.category == "bookcase" and rng.random() < STOCKED:
        return emptied(model)
    return model


def load(rng: Generator, builder: Builder, piece: Piece, count: int) -> None:
    """Place up to ``count`` objects on top of a piece of furniture, and fill the boards of some shelves."""
    clutter(rng, builder, piece, count)
    if is_first_edition():
        return
    info = piece.model.info
    bare = info.category in SHELVES and BOOKS not in info.shape_words
    if bare and (info.category == "bookcase" or rng.random() < STOCKED):
        stock(rng, builder, piece, 0.85 if info.category == "bookcase" else 0.4)


def place_furniture(rng: Generator, builder: Builder, floor: Floor) -> Piece | None:
    """Stand a piece of furniture where the floor is free, mostly along a wall if it belongs there; None if none of six
    places is free."""
    model = draw_piece(rng)
    middle, size = floor.extent()
    large = float(model.mesh.size[2]) > 1.5 or model.info.category == "counter"
    for _ in range(6):
        if model.info.category in AGAINST_WALL and (large or rng.random() < 0.85):
            side = int(rng.integers(4))
            rotation = yaw(90.0 * side)
            # Before the rotation, its back faces +y.
            away = size[1 - side % 2] / 2 - float(model.mesh.size[1]) / 2 - 0.035
            position = rotation @ np.array([rng.uniform(-0.5, 0.5) * size[side % 2], away, 0.0])
        else:
            rotation = yaw(rng.choice([0.0, 90.0, 180.0, 270.0]) + rng.normal(0, 15))
            position = np.append(rng.uniform(-0.45, 0.45, 2) * size, 0.0)
        placed = floor.stand(builder, model, rotation, position + middle)
        if placed is not None:
            return placed
    return None


def fill_wall(rng: Generator, builder: Builder, floor: Floor, side: int) -> list[Piece]:
    """Stand furniture side by side along a wall, from one end on: the wall at +y, turned by ``yaw(90 * side)``."""
    middle, size = floor.extent()
    rotation, length = yaw(90.0 * side), float(size[side % 2])
    along, placed = -length / 2 + 0.05 + rng.choice([0.0, rng.uniform(0, 0.8)]), []
    kinds = [str(k) for k in rng.choice(LARGE, 2)] if rng.random() < 0.5 else list(LARGE)
    for _ in range(6):
        left = length / 2 - along
        if left < 0.5:
            break
        model = draw_piece(rng, np.inf, kinds)
        w, d = (float(t) for t in model.mesh.size[:2])
        if w > left - 0.05:
            continue
        position = rotation @ np.array([along + w / 2 + 0.03, float(size[1 - side % 2]) / 2 - d / 2 - 0.035, 0.0])
        piece = floor.stand(builder, model, rotation, position + middle)
        if piece is not None:
            placed.append(piece)
        along += w + 0.07 + rng.choice([0.0, rng.uniform(0, 0.4)])
    return placed


def gather(
    rng: Generator, builder: Builder, floor: Floor, mesh: Mesh, rotation: NDArray[np.float64],
    offset: NDArray[np.float64], category: str,
) -> None:  # fmt: skip
    """Place seats around a table or at a desk's front, and perhaps something below it.

    Args:
        rng: source of randomness; builder, floor: the scene and its floor.
        mesh, rotation, offset: the table's mesh, and its pose in the scene.
        category: "desk", or another noun for a table with seats on any side.
    """
    middle = rotation @ (mesh.vertices.max(0) + mesh.vertices.min(0)).astype(np.float64) / 2 + offset
    sides = (
        (2,) if category == "desk" else tuple(int(k) for k in rng.permutation(4)[: int(rng.choice([1, 2, 3, 4, 4]))])
    )
    if rng.random() < 0.85:
        draw_up_seats(rng, builder, floor, mesh, rotation, middle, sides)
    if rng.random() < (0.6 if category == "desk" else 0.35):
        put_below(rng, builder, floor, mesh, rotation, middle)


def _table_with_seats(rng: Generator, builder: Builder, floor: Floor) -> list[Piece]:
    """Place a table or desk near the middle of a room, with seats around it; returns the table alone, or an empty list
    if there is no room."""
    model = sample_object(rng, "floor", np.inf, ["table", "table", "desk"])
    middle, size = floor.extent()
    position = middle + np.append(rng.uniform(-0.2, 0.2, 2) * size, 0.0)
    piece = floor.put(builder, model, yaw(90.0 * int(rng.integers(4)) + rng.normal(0, 6)), position)
    if piece is None:
        return []
    gather(rng, builder, floor, model.mesh, piece.rotation, piece.offset, model.info.category)
    return [piece]


def floor_pile(rng: Generator, builder: Builder, floor: Floor) -> NDArray[np.float64] | None:
    """Place objects on a free square of the floor; returns its centre (3,), or None if none of 20 places is free."""
    width = rng.uniform(0.5, 1.0)
    cells = int(width / floor.cell)
    rows, columns = floor.height.shape
    for _ in range(20):
        row, column = int(rng.integers(max(1, rows - cells))), int(rng.integers(max(1, columns - cells)))
        square = floor.height[row : row + cells, column : column + cells]
        if square.shape == (cells, cells) and square.max() < 0.005:
            break
    else:
        return None
    x, y = floor.x0 + column * floor.cell, floor.y0 + row * floor.cell
    pile = TableTop(rng, HeightMap(x, y, width, width, 0.005), float(rng.choice([0.25, 0.4])))
    pile.fill(int(rng.integers(2, 16)))
    for model, rotation, offset in pile.result:
        builder.add(model, rotation, offset)
    return np.array([x + width / 2, y + width / 2, 0.05])


def room_scene(rng: Generator) -> SceneModel:
    """A furnished room with objects on its furniture and sometimes on its floor, to be seen from inside."""
    builder = Builder()
    x, y, z = rng.uniform(2.6, 5.5), rng.uniform(2.6, 5.0), rng.uniform(2.3, 2.9)
    walls = add_shell(rng, builder, x, y, z, 0.0, (0, 1, 2, 3), True)
    floor = Floor(-x / 2, -y / 2, x, y, 0.0)
    for piece in _furnish(rng, builder, floor):
        _lay_things(rng, builder, piece)
    things = [e.center for e in builder.entities if e.kind == "object"]
    focus = np.asarray(things[int(rng.integers(len(things)))], np.float64) if things else np.array([0.0, 0.0, 0.8])
    pile = floor_pile(rng, builder, floor) if rng.random() < 0.4 else None
    if pile is not None and rng.random() < 0.75:
        focus = pile
    put_up(builder, walls)
    return builder.build(focus, 1.2, "room", (-x / 2 + 0.15, x / 2 - 0.15, -y / 2 + 0.15, y / 2 - 0.15))


def _furnish(rng: Generator, builder: Builder, floor: Floor) -> list[Piece]:
    """Furnish walls and floor, except in the first edition also with groups of furniture; returns pieces that may carry
    objects."""
    grouped, placed = not is_first_edition(), list[Piece]()
    if grouped and rng.random() < 0.5:
        placed += _table_with_seats(rng, builder, floor)
    if grouped and rng.random() < 0.3:
        placed += line_up(rng, builder, floor, int(rng.integers(4)))
    for side in rng.permutation(4)[: int(rng.choice([0, 1, 2, 2]))]:
        placed += fill_wall(rng, builder, floor, int(side))
    for _ in range(int(rng.integers(1, 8) if grouped else rng.integers(3, 11))):
        piece = place_furniture(rng, builder, floor)
        if piece is None:
            continue
        placed.append(piece)
        category = piece.model.info.category
        if grouped and category in SEATED and rng.random() < 0.75:
            gather(rng, builder, floor, piece.model.mesh, piece.rotation, piece.offset, category)
    return placed


def _lay_things(rng: Generator, builder: Builder, piece: Piece) -> None:
    """Place cushions on a sofa, bed or armchair, or objects on the top and the boards of other furniture that may carry
    some."""
    info = piece.model.info
    if not is_first_edition() and info.category in SOFT and rng.random() < 0.5:
        lay_cushions(rng, builder, piece, int(rng.integers(1, 5)))
        return
    high = 1.2 if info.category == "counter" else 1.6  # the tops of wall units are out of sight
    if info.category in TOPS and (info.size[2] < high or rng.random() < 0.3):
        load(rng, builder, piece, int(rng.integers(0, 11)))
    elif info.category in SHELVES:
        load(rng, builder, piece, 0)
