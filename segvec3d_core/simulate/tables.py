"""Table scenes: a table with things on it, with or without a room around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster, shapes_seats, shapes_storage, shapes_tables
from .arrangements import arrange
from .draping import Cover, covered, draw_cover, throw_cloth
from .edition import is_first_edition
from .meshes import Mesh
from .objects import ObjectModel, material_row
from .piles import TableTop
from .placing import EMPTY, HeightMap, Rectangle
from .rooms import furnish_around
from .scenes import Builder, SceneModel, Workspace, surface_model

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
FIRST_LARGEST = (0.2, 0.3, 0.4)
"""Those of the first edition."""
COVERED = 1 / 3
"""Share of the supports that have a cover of cloth, or mats."""
CLOSE = 0.25
"""Share of the tables of which a few things are seen from near by."""
ARRANGED = 0.35
"""Share of the other tables on which some things are laid out as people do."""
THROWN = 0.1
"""Share of the tables on which a cloth lies over some of the things."""


@dataclass(frozen=True, slots=True)
class Style:
    """How things are set down on a table; as it stands, as the first edition does.

    Attributes:
        cover: what is spread below them, or None.
        largest: longest edge that a thing may have, metres; 0 draws it of ``FIRST_LARGEST`` before the first one.
        close: whether they are few and seen from near by.
        arranged: whether some of them are laid out as people do.
        thrown: how often a cloth is thrown over them.
    """

    cover: Cover | None = None
    largest: float = 0.0
    close: bool = False
    arranged: bool = False
    thrown: float = 0.0

    @classmethod
    def draw(cls, rng: Generator, free: Rectangle, counted: bool) -> Style:
        """One for a free rectangle; where things are ``counted``, their number is given and nothing is laid out."""
        if is_first_edition():
            return cls()
        cover = draw_cover(rng, free) if rng.random() < COVERED else None
        largest = float(rng.choice(LARGEST))
        close = not counted and rng.random() < CLOSE
        arranged = not counted and not close and rng.random() < ARRANGED
        return cls(cover, largest, close, arranged, THROWN)


def table_model(rng: Generator) -> tuple[ObjectModel, Rectangle]:
    """A table, desk, sideboard or another piece whose top is at z = 0, and the largest free rectangle of the top."""
    chances = np.array([chance for *_, chance in SUPPORTS])
    for attempt in range(6):
        noun, make, _ = SUPPORTS[int(rng.choice(len(SUPPORTS), p=chances / chances.sum())) if attempt < 5 else 0]
        mesh = make(rng)
        level, free = flat_top(mesh)
        if free[1] - free[0] > 0.24 and free[3] - free[2] > 0.2:
            break
    color, pattern = _top_paint(rng)
    second = color if pattern in ("wood", "noise") else str(rng.choice(["white", "grey", "beige", "blue", "red"]))
    rows = [material_row(rng, color, second, pattern, "wood", rng.uniform(0.25, 0.8))]
    for k in range(1, int(mesh.parts.max()) + 1):
        other = str(rng.choice(["black", "silver", "white", "brown", color, color] if k == 1 else ["silver", "black"]))
        grain = "wood" if pattern == "wood" and other == color else "plain"
        rows.append(material_row(rng, other, other, grain, "wood", 1.0))
    return surface_model(noun, color, "wood", mesh.moved(z=-level), np.stack(rows), pattern), free


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


def _top_paint(rng: Generator) -> tuple[str, str]:
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
    """Objects on a table, with or without a room around it.

    Args:
        rng: source of randomness.
        objects: how many objects to try to place; None draws 1 to 25.
        background: whether there is a room; None draws it.
    """
    builder = Builder()
    table, (x0, x1, y0, y1) = table_model(rng)
    style = Style.draw(rng, (x0, x1, y0, y1), objects is not None)
    free = np.array([x1 - x0, y1 - y0])
    extent = np.array([rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.8)])
    area = np.minimum(free, np.maximum(extent, 0.8 if style.arranged else 1.6 * style.largest))
    middle = np.array([x0 + x1, y0 + y1]) / 2 + (free - area) / 2 * rng.uniform(-1, 1, 2)
    heights = HeightMap(middle[0] - area[0] / 2, middle[1] - area[1] / 2, area[0], area[1], 0.004)
    if style.cover is not None:
        style.cover.lift(heights)
    top = _laid(rng, style, heights, table.info.category, objects)
    if style.cover is not None:
        table = covered(rng, table, style.cover.pressed(top.result))
    builder.add(table, np.eye(3), np.zeros(3), "surface")
    for model, rotation, offset in top.result:
        builder.add(model, rotation, offset)
    bounds = None
    if rng.random() < 0.7 if background is None else background:
        backed = table.info.category in BACKED and rng.random() < 0.7
        bounds = furnish_around(rng, builder, table.mesh, backed)
    focus, spread = np.array([*middle, 0.03]), float(np.hypot(*area)) / 2
    if top.placed and (style.close or rng.random() < 0.7):  # mostly a camera looks at the things rather than the table
        focus, farthest = _around(top)
        spread = float(np.clip(farthest * 1.15, 0.05 if style.close else 0.2, spread))
    workspace = _workspace(rng, table.mesh, middle, area) if rng.random() < 0.3 else None
    return builder.build(focus, spread, "table", bounds, workspace, style.close)


def _laid(rng: Generator, style: Style, heights: HeightMap, noun: str, objects: int | None) -> TableTop:
    """Things set down on the free part of a table, which is called ``noun``."""
    drawn = rng.choice([rng.integers(1, 6), rng.integers(4, 13), rng.integers(8, 26)]) if objects is None else objects
    count = int(rng.integers(1, 7) if style.close else drawn)
    top = TableTop(rng, heights, style.largest or float(rng.choice(FIRST_LARGEST)))
    if style.arranged:
        arrange(top, noun)
    top.fill(count)
    if style.thrown and rng.random() < style.thrown:
        cloth = throw_cloth(rng, heights)
        top.result += [cloth] if cloth is not None else []
    return top


def _around(top: TableTop) -> tuple[NDArray[np.float64], float]:
    """(3,) the middle of the things on a table, and how far they reach from there, metres."""
    where = np.array([(p.x, p.y) for p in top.placed])
    reach = np.linalg.norm(where - where.mean(0), axis=1).max() + max(p.radius for p in top.placed)
    return np.array([*where.mean(0), 0.05]), reach


def _workspace(rng: Generator, table: Mesh, middle: NDArray[np.float64], area: NDArray[np.float64]) -> Workspace:
    """What a robot keeps of a table: some more than the part on which things stand, up to its ends."""
    reach = area / 2 + rng.uniform(0.05, 0.5, 2)
    ends = table.vertices[:, :2].min(0), table.vertices[:, :2].max(0)
    low, high = np.maximum(middle - reach, ends[0]), np.minimum(middle + reach, ends[1])
    return Workspace((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), -0.02, rng.uniform(1.2, 1.8))
