"""Rooms and shelves: walls, floor, furniture along the walls, clutter on the furniture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster
from . import walls as relief
from .edition import is_first_edition
from .groups import BLOCKED, CELL, Floor, Piece, draw_up_seats, lay_cushions, line_up, put_below
from .meshes import Mesh, box
from .objects import ObjectModel, material_row, sample_object
from .piles import TableTop
from .placing import EMPTY, HeightMap, make_body, settle, stable_rotation, yaw
from .scenes import Builder, SceneModel, surface_model
from .shelves import BOOKS, SHELVES, emptied, stock

AGAINST_WALL = (
    "sofa", "bed", "wardrobe", "cabinet", "counter", "drawer", "nightstand", "shelf", "bookcase", "sink", "toilet",
    "fridge", "washing machine", "desk", "television", "bathtub", "radiator", "door",
)  # fmt: skip
LARGE = ("wardrobe", "wardrobe", "counter", "cabinet", "sofa", "bookcase", "drawer", "desk", "bed", "shelf", "radiator")
"""What fills a wall or the background, one is drawn."""
TOPS = (
    "table", "coffee table", "desk", "cabinet", "counter", "drawer", "nightstand", "shelf", "bookcase",
    "sofa", "bed", "washing machine", "stool", "bench",
)  # fmt: skip
TRIM = ("white", "white", "white", "brown", "grey", "beige", "black", "blue", "red", "green")
"""Colours of what stands out of a wall, one is drawn for each kind."""
SEATED = ("table", "desk")
"""Furniture that seats are drawn up to."""
SOFT = ("sofa", "bed", "armchair")
"""Furniture that cushions lie on."""
STOCKED = 0.5
"""Share of the shelves and bookcases on whose boards things are set down one by one."""


def _wall_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["white", "white", "white", "beige", "beige", "grey", "yellow", "blue"]))
    return material_row(rng, color, color, str(rng.choice(["plain", "plain", "noise"])), "plaster", 1.0)[None]


def _floor_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["brown", "beige", "grey", "white", "black"]))
    return material_row(
        rng, color, str(rng.choice([color, "grey"])), str(rng.choice(["wood", "checks", "noise", "plain"])), "wood", 1.5
    )[None]


def add_shell(
    rng: Generator, builder: Builder, x: float, y: float, z: float, level: float, walls: tuple[int, ...], ceiling: bool,
    middle: tuple[float, float] = (0.0, 0.0),
) -> None:  # fmt: skip
    """Floor at ``level``, walls of height z on the sides 0 to 3 (+x, +y, -x, -y) and perhaps a ceiling, as surfaces."""
    thick, center = 0.05, np.array([*middle, level])
    ground = surface_model("floor", "grey", "wood", box(x, y, thick), _floor_paint(rng), "plain")
    builder.add(ground, np.eye(3), center - np.array([0, 0, thick]), "surface")
    paint = _wall_paint(rng)
    if not is_first_edition():
        further = [material_row(rng, c, c, "plain", "wood", 1.0) for c in rng.choice(TRIM, relief.PARTS - 1)]
        paint = np.concatenate([paint, np.stack(further)])
    for side in walls:
        along, away = (y, x) if side % 2 == 0 else (x, y)
        mesh = box(thick, along, z) if is_first_edition() else relief.wall(rng, thick, along, z)
        wall = surface_model("wall", "white", "plaster", mesh, paint)
        offset = yaw(90 * side) @ np.array([away / 2 + thick / 2, 0, 0]) + center
        builder.add(wall, yaw(90 * side), offset, "surface")
    if ceiling:
        top = surface_model("ceiling", "white", "plaster", box(x, y, thick), _wall_paint(rng))
        builder.add(top, np.eye(3), center + np.array([0, 0, z]), "surface")


def furnish_around(
    rng: Generator, builder: Builder, support: Mesh, backed: bool = False
) -> tuple[float, float, float, float]:
    """Floor, walls and furniture around a support that stands at the origin, its top at z = 0.

    Args:
        rng, builder: where the scene is made.
        support: the piece that the scene is about; its back faces +y.
        backed: whether it stands with its back to a wall.

    Returns:
        the range of x and y in which a camera may stand: x0, x1, y0, y1.
    """
    low, high = support.vertices.min(0).astype(np.float64), support.vertices.max(0).astype(np.float64)
    level = float(low[2])
    reach = np.array([high[1], -low[0], -low[1], high[0]])  # towards the sides of yaw(90 * k): +y, -x, -y, +x
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
    x0, x1, y0, y1 = -reach[1] - margins[1], reach[3] + margins[3], -reach[2] - margins[2], reach[0] + margins[0]
    x, y = float(x1 - x0), float(y1 - y0)
    # add_shell counts its sides from +x.
    needed = {(k + 1) % 4 for _, k, _ in pieces} | ({1} if backed else set())
    walls = tuple(k for k in range(4) if k in needed or rng.random() < 0.7)
    tall = max(rng.uniform(2.3, 2.9), max((float(p.mesh.size[2]) for p, *_ in pieces), default=0.0) + 0.02)
    add_shell(rng, builder, x, y, tall, level, walls, rng.random() < 0.5, (float(x0 + x1) / 2, float(y0 + y1) / 2))
    heights = Floor(float(x0), float(y0), x, y, level)
    edge = 0.0 if backed else 0.02
    columns = heights.x0 + np.arange(heights.height.shape[1]) * CELL
    rows = heights.y0 + np.arange(heights.height.shape[0]) * CELL
    taken = [(at > low[k] - edge) & (at < high[k] + edge) for k, at in ((1, rows), (0, columns))]
    heights.height[np.ix_(*taken)] = BLOCKED
    heights.leave_fixed(support)
    for piece, k, gap in pieces:
        away = reach[k] + gap + float(piece.mesh.size[1]) / 2
        position = yaw(90.0 * k) @ np.array([rng.normal(0, 0.2), away, 0.0])
        placed = _stand(builder, heights, piece, yaw(90.0 * k), position, level)
        if placed is not None and not is_first_edition() and piece.info.category in SHELVES:
            load(rng, builder, placed, 0)
    if not is_first_edition() and builder.entities[0].info.category in SEATED and rng.random() < 0.6:
        gather(rng, builder, heights, support, np.eye(3), np.zeros(3), builder.entities[0].info.category)
    if rng.random() < 0.35:
        fill_wall(rng, builder, heights, level, int(rng.integers(4)))
    for _ in range(int(rng.integers(0, 7))):
        place_furniture(rng, builder, heights, level)
    free = 0.1  # between a camera and a wall
    return float(x0) + free, float(x1) - free, float(y0) + free, float(y1) - free


def _stand(
    builder: Builder, heights: Floor, model: ObjectModel, rotation: NDArray[np.float64],
    position: NDArray[np.float64], level: float,
) -> Piece | None:  # fmt: skip
    """Stand a model where the floor is free, the middle of its footprint at ``position``; None where it is not."""
    body = make_body(model.mesh, rotation, heights.cell)
    row, column = heights.cell_under(body, position)
    z = heights.rest(body, row, column)
    if z is None or abs(z - level) >= 0.005:
        return None
    offset = body.shift + heights.leave(body, row, column)
    return model, rotation, offset, builder.add(model, rotation, offset)


def draw_piece(rng: Generator, largest: float = np.inf, kinds: Sequence[str] | None = None) -> ObjectModel:
    """A piece of furniture; of the bookcases some have room for books that are things of their own."""
    model = sample_object(rng, "floor", largest, kinds)
    if not is_first_edition() and model.info.category == "bookcase" and rng.random() < STOCKED:
        return emptied(model)
    return model


def load(rng: Generator, builder: Builder, piece: Piece, count: int) -> None:
    """Set things down on a piece of furniture: up to ``count`` on its top, and on the boards of some shelves."""
    model, rotation, offset, index = piece
    done = clutter(rng, builder, model, rotation, offset, count)
    if is_first_edition():
        return
    bare = model.info.category in SHELVES and BOOKS not in model.info.shape_words
    if bare and (model.info.category == "bookcase" or rng.random() < STOCKED):
        books = 0.85 if model.info.category == "bookcase" else 0.4
        done += stock(rng, builder, model, rotation, offset, books)
    if done:
        builder.carry(index)


def place_furniture(rng: Generator, builder: Builder, heights: Floor, level: float) -> Piece | None:
    """Stand one piece of furniture where the floor is free: along a wall if it belongs there."""
    model = draw_piece(rng)
    middle, size = heights.extent()
    large = float(model.mesh.size[2]) > 1.5 or model.info.category == "counter"
    for _ in range(6):
        if model.info.category in AGAINST_WALL and (large or rng.random() < 0.85):
            side = int(rng.integers(4))
            rotation = yaw(90.0 * side)
            # The back faces +y before the turn.
            away = size[1 - side % 2] / 2 - float(model.mesh.size[1]) / 2 - 0.035
            position = rotation @ np.array([rng.uniform(-0.5, 0.5) * size[side % 2], away, 0.0])
        else:
            rotation = yaw(rng.choice([0.0, 90.0, 180.0, 270.0]) + rng.normal(0, 15))
            position = np.append(rng.uniform(-0.45, 0.45, 2) * size, 0.0)
        placed = _stand(builder, heights, model, rotation, position + middle, level)
        if placed is not None:
            return placed
    return None


def fill_wall(rng: Generator, builder: Builder, heights: Floor, level: float, side: int) -> list[Piece]:
    """Stand pieces side by side along the wall on a side of ``yaw(90 * side)``: what fits from its one end on."""
    middle, size = heights.extent()
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
        piece = _stand(builder, heights, model, rotation, position + middle, level)
        if piece is not None:
            placed.append(piece)
        along += w + 0.07 + rng.choice([0.0, rng.uniform(0, 0.4)])
    return placed


def gather(
    rng: Generator, builder: Builder, floor: Floor, mesh: Mesh, rotation: NDArray[np.float64],
    offset: NDArray[np.float64], category: str,
) -> None:  # fmt: skip
    """Draw seats up to a table or to a desk's front, and perhaps put something below it."""
    middle = rotation @ (mesh.vertices.max(0) + mesh.vertices.min(0)).astype(np.float64) / 2 + offset
    sides = (
        (2,) if category == "desk" else tuple(int(k) for k in rng.permutation(4)[: int(rng.choice([1, 2, 3, 4, 4]))])
    )
    if rng.random() < 0.85:
        draw_up_seats(rng, builder, floor, mesh, rotation, middle, sides)
    if rng.random() < (0.6 if category == "desk" else 0.35):
        put_below(rng, builder, floor, mesh, rotation, middle)


def _table_with_seats(rng: Generator, builder: Builder, floor: Floor) -> list[Piece]:
    """A table or a desk somewhere in the middle of a room and seats around it; the table alone is returned."""
    model = sample_object(rng, "floor", np.inf, ["table", "table", "desk"])
    middle, size = floor.extent()
    position = middle + np.append(rng.uniform(-0.2, 0.2, 2) * size, 0.0)
    piece = floor.put(builder, model, yaw(90.0 * int(rng.integers(4)) + rng.normal(0, 6)), position)
    if piece is None:
        return []
    gather(rng, builder, floor, model.mesh, piece[1], piece[2], model.info.category)
    return [piece]


def clutter(
    rng: Generator, builder: Builder, model: ObjectModel, rotation: NDArray[np.float64], offset: NDArray[np.float64],
    count: int,
) -> int:  # fmt: skip
    """Set objects down on top of a placed piece of furniture; returns how many found a place."""
    vertices = model.mesh.vertices.astype(np.float64) @ rotation.T + offset
    low, high = vertices[:, :2].min(0), vertices[:, :2].max(0)
    cell = 0.008
    heights = HeightMap(low[0], low[1], high[0] - low[0], high[1] - low[1], cell, EMPTY)
    raster.plan(vertices, model.mesh.faces, low[0], low[1], cell, heights.height)
    done = 0
    for _ in range(count):
        item = sample_object(rng, "table", 0.45)
        turn = yaw(rng.uniform(0, 360))
        if rng.random() < 0.2:
            turn = turn @ stable_rotation(rng, item.mesh)
        body = make_body(item.mesh, turn, cell)
        for _ in range(4):
            x, y = rng.uniform(low, high)
            found = settle(heights, item.mesh, body, x, y)
            if found is not None:
                body, row, column, z = found
                builder.add(item, body.rotation, body.shift + heights.add(body, row, column, z))
                done += 1
                break
    return done


def floor_pile(rng: Generator, builder: Builder, heights: HeightMap) -> NDArray[np.float64] | None:
    """Set things down on a free square of the floor; returns its middle, or None where the floor is full."""
    width = rng.uniform(0.5, 1.0)
    cells = int(width / heights.cell)
    rows, columns = heights.height.shape
    for _ in range(20):
        row, column = int(rng.integers(max(1, rows - cells))), int(rng.integers(max(1, columns - cells)))
        square = heights.height[row : row + cells, column : column + cells]
        if square.shape == (cells, cells) and square.max() < 0.005:
            break
    else:
        return None
    x, y = heights.x0 + column * heights.cell, heights.y0 + row * heights.cell
    pile = TableTop(rng, HeightMap(x, y, width, width, 0.005), float(rng.choice([0.25, 0.4])))
    pile.fill(int(rng.integers(2, 16)))
    for model, rotation, offset in pile.result:
        builder.add(model, rotation, offset)
    return np.array([x + width / 2, y + width / 2, 0.05])


def room_scene(rng: Generator) -> SceneModel:
    """A furnished room with clutter on its furniture and now and then on its floor, to be seen from inside."""
    builder = Builder()
    x, y, z = rng.uniform(2.6, 5.5), rng.uniform(2.6, 5.0), rng.uniform(2.3, 2.9)
    add_shell(rng, builder, x, y, z, 0.0, (0, 1, 2, 3), True)
    heights = Floor(-x / 2, -y / 2, x, y, 0.0)
    placed: list[Piece] = []
    grouped = not is_first_edition()
    if grouped and rng.random() < 0.5:
        placed += _table_with_seats(rng, builder, heights)
    if grouped and rng.random() < 0.3:
        placed += line_up(rng, builder, heights, int(rng.integers(4)))
    for side in rng.permutation(4)[: int(rng.choice([0, 1, 2, 2]))]:
        placed += fill_wall(rng, builder, heights, 0.0, int(side))
    for _ in range(int(rng.integers(1, 8) if grouped else rng.integers(3, 11))):
        piece = place_furniture(rng, builder, heights, 0.0)
        if piece is not None:
            placed.append(piece)
            if grouped and piece[0].info.category in SEATED and rng.random() < 0.75:
                gather(rng, builder, heights, piece[0].mesh, piece[1], piece[2], piece[0].info.category)
    for piece in placed:
        info = piece[0].info
        if grouped and info.category in SOFT and rng.random() < 0.5:
            if lay_cushions(rng, builder, piece, int(rng.integers(1, 5))):
                builder.carry(piece[3])
            continue
        high = 1.2 if info.category == "counter" else 1.6  # the tops of wall units are out of sight
        if info.category in TOPS and (info.size[2] < high or rng.random() < 0.3):
            load(rng, builder, piece, int(rng.integers(0, 11)))
        elif grouped and info.category in SHELVES:
            load(rng, builder, piece, 0)
    things = [e.center for e in builder.entities if e.kind == "object"]
    focus = np.asarray(things[int(rng.integers(len(things)))], np.float64) if things else np.array([0.0, 0.0, 0.8])
    pile = floor_pile(rng, builder, heights) if rng.random() < 0.4 else None
    if pile is not None and rng.random() < 0.75:
        focus = pile
    return builder.build(focus, 1.2, "room", (-x / 2 + 0.15, x / 2 - 0.15, -y / 2 + 0.15, y / 2 - 0.15))


def sparse_shelf_scene(rng: Generator) -> SceneModel:
    """A few objects on the boards of an open shelf, as the first edition has it."""
    from .shapes_storage import shelf_levels

    builder = Builder()
    x, y, z = rng.uniform(0.6, 1.2), rng.uniform(0.25, 0.45), rng.uniform(0.9, 1.9)
    rows = max(2, round(z / rng.uniform(0.28, 0.42)))
    mesh = shelf_levels(rng, x, y, z, rows)
    color = str(rng.choice(["brown", "beige", "white", "black", "grey"]))
    pattern = str(rng.choice(["wood", "plain"]))
    paint = np.stack([material_row(rng, color, color, pattern, "wood", 1.0) for _ in range(2)])
    unit = surface_model("shelf", color, "wood", mesh, paint, pattern)
    builder.add(unit, np.eye(3), np.zeros(3), "object")
    room = (x + rng.uniform(0.6, 3.0), 2 * (rng.uniform(1.2, 2.5) + y))
    add_shell(
        rng,
        builder,
        room[0],
        room[1],
        rng.uniform(2.3, 2.8),
        0.0,
        (0, 1, 2) if rng.random() < 0.5 else (1,),
        rng.random() < 0.5,
    )
    clear = (z - 0.02) / rows - 0.03
    for level in range(rows):
        heights = HeightMap(-x / 2 + 0.025, -y / 2, x - 0.05, y - 0.015, 0.005, (z - 0.02) * level / rows + 0.02)
        for _ in range(int(rng.integers(0, 11))):
            item = sample_object(rng, "table", min(0.4, clear * 1.3))
            body = make_body(item.mesh, yaw(rng.uniform(0, 360)), heights.cell)
            if body.height > clear:
                continue
            floor = (z - 0.02) * level / rows + 0.02
            found = settle(heights, item.mesh, body, rng.uniform(-x / 2, x / 2), rng.uniform(-y * 0.35, y * 0.3))
            if found is not None and found[3] + found[0].height < floor + clear:
                body, row, column, height = found
                builder.add(item, body.rotation, body.shift + heights.add(body, row, column, height))
    focus = np.array([rng.uniform(-0.3, 0.3) * x, 0.0, rng.uniform(0.25, 0.85) * z])
    return builder.build(focus, 0.5, "shelf", (-room[0] / 2 + 0.2, room[0] / 2 - 0.2, -room[1] / 2 + 0.2, -y / 2 - 0.3))
