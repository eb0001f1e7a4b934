"""Table scenes: a table with things on it, with or without a room around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster, shapes_seats, shapes_storage, shapes_tables
from .arrangements import arrange
from .draping import COVERED, THROWN, draw_cover, thrown
from .edition import is_first_edition
from .meshes import Mesh, join
from .objects import ObjectModel, material_row, sample_object
from .piles import TableTop
from .placing import EMPTY, HeightMap
from .rooms import furnish_around
from .scenes import Builder, SceneModel, Workspace, surface_model

Rectangle = tuple[float, float, float, float]
"""x0, x1, y0, y1, metres."""

SUPPORTS: tuple[tuple[str, Callable[[Generator], Mesh], float], ...] = (
    ("table", shapes_tables.table, 0.55),
    ("coffee table", shapes_tables.coffee_table, 0.1),
    ("desk", shapes_tables.desk, 0.1),
    ("counter", lambda rng: shapes_storage.counter(rng, 2.3, 0.0), 0.07),
    ("cabinet", lambda rng: shapes_storage.sideboard(rng, 0.95), 0.07),
    ("drawer", shapes_storage.drawer_unit, 0.04),
    ("bench", shapes_tables.bench, 0.03),
    ("stool", shapes_seats.stool, 0.02),
    ("nightstand", shapes_storage.nightstand, 0.02),
)
"""What things stand on: its noun, how it is made and how often."""
BACKED = ("counter", "cabinet", "drawer", "desk", "nightstand")
"""Supports that mostly stand with their back to a wall."""


LARGEST = (0.25, 0.35, 0.5, 0.6)
"""Longest edges that things on a table may have, one is drawn, metres."""
ARRANGED = 0.35
"""Share of the other tables on which some things are laid out as people do."""
CLOSE = 0.25
"""Share of the tables of which a few things are seen from near by."""


def table_model(rng: Generator) -> tuple[ObjectModel, Rectangle]:
    """A table, desk, sideboard or another piece whose top is at z = 0, and the largest free rectangle of the top."""
    chances = np.array([chance for *_, chance in SUPPORTS])
    for attempt in range(6):
        noun, make, _ = SUPPORTS[int(rng.choice(len(SUPPORTS), p=chances / chances.sum())) if attempt < 5 else 0]
        mesh = make(rng)
        level, free = flat_top(mesh)
        if free[1] - free[0] > 0.24 and free[3] - free[2] > 0.2:
            break
    color, pattern = _cover(rng)
    second = color if pattern in ("wood", "noise") else str(rng.choice(["white", "grey", "beige", "blue", "red"]))
    rows = [material_row(rng, color, second, pattern, "wood", rng.uniform(0.25, 0.8))]
    for k in range(1, int(mesh.parts.max()) + 1):
        other = str(rng.choice(["black", "silver", "white", "brown", color, color] if k == 1 else ["silver", "black"]))
        grain = "wood" if pattern == "wood" and other == color else "plain"
        rows.append(material_row(rng, other, other, grain, "wood", 1.0))
    return surface_model(noun, color, "wood", mesh.moved(z=-level), np.stack(rows), pattern), free


def covered(rng: Generator, table: ObjectModel, cover: Mesh) -> ObjectModel:
    """A table with a cover that is part of it: a surface where the table is one."""
    color, pattern = (
        str(rng.choice(["white", "red", "blue", "green", "beige", "grey", "black"])),
        str(rng.choice(["plain", "plain", "checks", "stripes", "dots"])),
    )
    second = str(rng.choice(["white", "grey", "beige", "blue", "red"]))
    row = material_row(rng, color, second, pattern, "fabric", rng.uniform(0.25, 0.8))
    whole = join(table.mesh, cover.part(len(table.materials)))
    return replace(table, mesh=whole, materials=np.concatenate([table.materials, row[None]]))


def throw_cloth(
    rng: Generator, heights: HeightMap
) -> list[tuple[ObjectModel, NDArray[np.float64], NDArray[np.float64]]]:
    """A cloth over things, a model with rotation and offset, where there is room for it."""
    laid = next((found for _ in range(6) if (found := thrown(rng, heights)) is not None), None)
    if laid is None:
        return []
    mesh, offset = laid
    model = sample_object(rng, "table", np.inf, ["towel", "napkin", "scarf"])
    x, y, z = (float(t) for t in mesh.size)
    info = replace(model.info, size=(x, y, z), shape_words=mesh.words)
    return [(replace(model, mesh=mesh, info=info), np.eye(3), offset)]


def flat_top(mesh: Mesh, cell: float = 0.02) -> tuple[float, Rectangle]:
    """Height of a mesh's widest level top, and the largest rectangle of it with nothing above it."""
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    columns, rows = (np.ceil((high - low)[:2] / cell).astype(int) + 1).tolist()
    value = np.full((rows, columns), EMPTY)
    raster.plan(mesh.vertices, mesh.faces, float(low[0]), float(low[1]), cell, value)
    seen = value[value > EMPTY]
    levels, counts = np.unique(np.round(seen / 0.002), return_counts=True)
    level = float(np.median(seen[np.abs(seen - levels[counts.argmax()] * 0.002) < 0.003]))
    top, bottom, left, right = _largest_rectangle(np.abs(value - level) < 0.004)
    # A cell is sampled at a point: what lies between the outer samples is the top.
    x0, y0 = float(low[0]), float(low[1])
    return level, (x0 + left * cell, x0 + right * cell, y0 + top * cell, y0 + bottom * cell)


def _largest_rectangle(free: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First and last row and column of the largest rectangle of free cells; all 0 where there is none."""
    best, result = 0, (0, 0, 0, 0)
    run = np.zeros(free.shape[1], int)
    for row in range(len(free)):
        run = np.where(free[row], run + 1, 0)
        stack: list[tuple[int, int]] = []
        for column, tall in enumerate([*run.tolist(), 0]):
            start = column
            while stack and stack[-1][1] >= tall:
                start, height = stack.pop()
                if height * (column - start) > best:
                    best, result = height * (column - start), (row - height + 1, row, start, column - 1)
            stack.append((start, tall))
    return result


def _cover(rng: Generator) -> tuple[str, str]:
    """Colour and pattern of a table top: wood, plain, or a patterned cloth."""
    kind = rng.random()
    if kind < 0.45:
        return str(rng.choice(["brown", "beige", "beige"])), "wood"
    if kind < 0.85:
        return str(rng.choice(["white", "grey", "black", "beige", "blue", "green", "brown"])), str(
            rng.choice(["plain", "noise"])
        )
    return str(rng.choice(["white", "red", "blue", "green", "beige", "yellow"])), str(
        rng.choice(["checks", "stripes", "dots"])
    )


def table_scene(rng: Generator, objects: int | None, background: bool | None) -> SceneModel:
    """Objects on a table, with or without a room around it."""
    builder = Builder()
    first = is_first_edition()
    table, (x0, x1, y0, y1) = table_model(rng)
    spread_out = not first and rng.random() < COVERED
    cover = draw_cover(rng, (x0, x1, y0, y1)) if spread_out else None
    free = np.array([x1 - x0, y1 - y0])
    largest = float(rng.choice(LARGEST)) if not first else 0.0
    close = not first and objects is None and rng.random() < CLOSE
    arranged = not first and objects is None and not close and rng.random() < ARRANGED
    extent = np.array([rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.8)])
    area = np.minimum(free, np.maximum(extent, 0.8 if arranged else 1.6 * largest))
    middle = np.array([x0 + x1, y0 + y1]) / 2 + (free - area) / 2 * rng.uniform(-1, 1, 2)
    heights = HeightMap(middle[0] - area[0] / 2, middle[1] - area[1] / 2, area[0], area[1], 0.004)
    if cover is not None:
        cover.lift(heights)
    count = (
        objects
        if objects is not None
        else int(rng.choice([rng.integers(1, 6), rng.integers(4, 13), rng.integers(8, 26)]))
    )
    if close:
        count = int(rng.integers(1, 7))
    top = TableTop(rng, heights, float(rng.choice([0.2, 0.3, 0.4])) if first else largest)
    if arranged:
        arrange(top, table.info.category)
    top.fill(count)
    if not first and rng.random() < THROWN:
        top.result += throw_cloth(rng, heights)
    if cover is not None:
        table = covered(rng, table, cover.pressed(top.result))
    builder.add(table, np.eye(3), np.zeros(3), "surface")
    for model, rotation, offset in top.result:
        builder.add(model, rotation, offset)
    bounds = None
    if rng.random() < 0.7 if background is None else background:
        backed = table.info.category in BACKED and rng.random() < 0.7
        bounds = furnish_around(rng, builder, table.mesh, backed)
    focus, spread = np.array([*middle, 0.03]), float(np.hypot(*area)) / 2
    if top.placed and (close or rng.random() < 0.7):
        # Mostly a camera looks at the things rather than at the table.
        where = np.array([(p.x, p.y) for p in top.placed])
        focus = np.array([*where.mean(0), 0.05])
        farthest = np.linalg.norm(where - where.mean(0), axis=1).max() + max(p.radius for p in top.placed)
        spread = float(np.clip(farthest * 1.15, 0.05 if close else 0.2, spread))
    workspace = None
    if rng.random() < 0.3:
        reach = area / 2 + rng.uniform(0.05, 0.5, 2)
        ends = table.mesh.vertices[:, :2].min(0), table.mesh.vertices[:, :2].max(0)
        low, high = np.maximum(middle - reach, ends[0]), np.minimum(middle + reach, ends[1])
        workspace = Workspace(
            (float(low[0]), float(low[1])), (float(high[0]), float(high[1])), -0.02, rng.uniform(1.2, 1.8)
        )
    return builder.build(focus, spread, "table", bounds, workspace, close)
