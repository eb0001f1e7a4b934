"""Rooms and shelves: walls, floor, furniture along the walls, clutter on the furniture."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster
from .meshes import box
from .objects import ObjectModel, material_row, sample_object
from .piles import TableTop
from .placing import EMPTY, HeightMap, make_body, settle, stable_rotation, yaw
from .scenes import Builder, SceneModel, surface_model

AGAINST_WALL = (
    "sofa", "bed", "cabinet", "drawer", "shelf", "bookcase", "sink", "toilet", "fridge", "washing machine", "desk",
    "television", "bathtub", "radiator", "door",
)  # fmt: skip
TOPS = (
    "table",
    "coffee table",
    "desk",
    "cabinet",
    "drawer",
    "shelf",
    "bookcase",
    "sofa",
    "bed",
    "washing machine",
    "stool",
)


def _wall_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["white", "white", "white", "beige", "beige", "grey", "yellow", "blue"]))
    return material_row(rng, color, color, str(rng.choice(["plain", "plain", "noise"])), "plaster", 1.0)[None]


def _floor_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["brown", "beige", "grey", "white", "black"]))
    return material_row(
        rng, color, str(rng.choice([color, "grey"])), str(rng.choice(["wood", "checks", "noise", "plain"])), "wood", 1.5
    )[None]


def add_shell(
    rng: Generator, builder: Builder, x: float, y: float, z: float, level: float, walls: tuple[int, ...], ceiling: bool
) -> None:
    """Floor at ``level``, walls of height z on the sides 0 to 3 (+x, +y, -x, -y) and perhaps a ceiling, as surfaces."""
    thick = 0.05
    ground = surface_model("floor", "grey", "wood", box(x, y, thick), _floor_paint(rng), "plain")
    builder.add(ground, np.eye(3), np.array([0, 0, level - thick]), "surface")
    paint = _wall_paint(rng)
    for side in walls:
        along, away = (y, x) if side % 2 == 0 else (x, y)
        wall = surface_model("wall", "white", "plaster", box(thick, along, z), paint)
        offset = yaw(90 * side) @ np.array([away / 2 + thick / 2, 0, 0]) + [0, 0, level]
        builder.add(wall, yaw(90 * side), offset, "surface")
    if ceiling:
        top = surface_model("ceiling", "white", "plaster", box(x, y, thick), _wall_paint(rng))
        builder.add(top, np.eye(3), np.array([0, 0, level + z]), "surface")


def furnish_around(rng: Generator, builder: Builder, table: NDArray[np.float32]) -> None:
    """Floor, walls and furniture around a table at the origin whose top is z = 0."""
    level = -float(table[2])
    x, y = (float(t) + 2 * rng.uniform(0.6, 2.5) for t in table[:2])
    walls = tuple(int(k) for k in np.flatnonzero(rng.random(4) < 0.75))
    add_shell(rng, builder, x, y, rng.uniform(2.3, 2.9), level, walls, rng.random() < 0.5)
    heights = HeightMap(-x / 2, -y / 2, x, y, 0.03, level)
    margin = 0.05
    columns = np.abs(-x / 2 + np.arange(heights.height.shape[1]) * 0.03) < table[0] / 2 + margin
    rows = np.abs(-y / 2 + np.arange(heights.height.shape[0]) * 0.03) < table[1] / 2 + margin
    heights.height[np.ix_(rows, columns)] = 50.0
    for _ in range(int(rng.integers(0, 8))):
        place_furniture(rng, builder, heights, x, y, level)


def place_furniture(
    rng: Generator, builder: Builder, heights: HeightMap, x: float, y: float, level: float
) -> tuple[ObjectModel, NDArray[np.float64], NDArray[np.float64]] | None:
    """Stand one piece of furniture where the floor is free: along a wall if it belongs there."""
    model = sample_object(rng, "floor")
    for _ in range(6):
        if model.info.category in AGAINST_WALL and rng.random() < 0.85:
            side = int(rng.integers(4))
            rotation = yaw(90.0 * side)
            depth = float(model.mesh.size[1]) / 2 + 0.06
            # The back faces +y before the turn.
            along = rng.uniform(-0.5, 0.5) * (x if side % 2 == 0 else y)
            away = (y if side % 2 == 0 else x) / 2 - depth
            position = rotation @ np.array([along if side in (0, 1) else -along, away, 0.0])
        else:
            rotation = yaw(rng.choice([0.0, 90.0, 180.0, 270.0]) + rng.normal(0, 15))
            position = np.array([rng.uniform(-0.45, 0.45) * x, rng.uniform(-0.45, 0.45) * y, 0.0])
        body = make_body(model.mesh, rotation, heights.cell)
        middle = (body.vertices[:, :2].max(0) + body.vertices[:, :2].min(0)) / 2
        row = round((position[1] - heights.y0 - middle[1]) / heights.cell)
        column = round((position[0] - heights.x0 - middle[0]) / heights.cell)
        z = heights.rest(body, row, column)
        if z is not None and abs(z - level) < 0.005:
            offset = heights.add(body, row, column, level)
            builder.add(model, rotation, body.shift + offset)
            return model, rotation, body.shift + offset
    return None


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
    heights = HeightMap(-x / 2, -y / 2, x, y, 0.03)
    placed = []
    for _ in range(int(rng.integers(4, 16))):
        piece = place_furniture(rng, builder, heights, x, y, 0.0)
        if piece is not None:
            placed.append(piece)
    for model, rotation, offset in placed:
        if model.info.category in TOPS:
            clutter(rng, builder, model, rotation, offset, int(rng.integers(0, 11)))
    things = [e.center for e in builder.entities if e.kind == "object"]
    focus = np.asarray(things[int(rng.integers(len(things)))], np.float64) if things else np.array([0.0, 0.0, 0.8])
    pile = floor_pile(rng, builder, heights) if rng.random() < 0.4 else None
    if pile is not None and rng.random() < 0.75:
        focus = pile
    return builder.build(focus, 1.2, "room", (-x / 2 + 0.15, x / 2 - 0.15, -y / 2 + 0.15, y / 2 - 0.15))


def shelf_scene(rng: Generator) -> SceneModel:
    """Objects on the boards of an open shelf, seen from the front."""
    from .shapes_furniture import shelf_levels

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
