"""Table scenes: a table with objects on it, with or without a room around it."""

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
"""Furniture on which objects are placed: its noun, the function that makes its mesh, and its relative frequency."""
BACKED = ("counter", "cabinet", "drawer", "desk", "nightstand")
"""Supports that mostly stand with their back to a wall."""

LARGEST = (0.25, 0.35, 0.5, 0.6)
"""Upper bounds of the longest edge of objects on a table, metres; one is drawn per table."""
FIRST_LARGEST = (0.2, 0.3, 0.4)
"""The same in the first edition."""
COVERED = 1 / 3
"""Share of the tables that are covered by a cloth or mats."""
CLOSE = 0.25
"""Share of the tables with only a few objects, seen from close range."""
ARRANGED = 0.35
"""Share of the other tables on which some objects form typical arrangements, see ``arrangements.py``."""
THROWN = 0.1
"""Probability that a cloth is thrown over the objects on a table."""


@dataclass(frozen=True, slots=True)
class Style:
    """How objects are placed on a table; the defaults are those of the first edition.

    Attributes:
        cover: cloth or mats below the objects, or None.
        largest: upper bound of an object's longest edge, metres; 0 draws it from ``FIRST_LARGEST`` before the first
            object.
        close: whether there are few objects, seen from close range.
        arranged: whether some objects form typical arrangements.
        thrown: probability that a cloth is thrown over them.
    """

    cover: Cover | None = None
    largest: float = 0.0
    close: bool = False
    arranged: bool = False
    thrown: float = 0.0

    @classmethod
    def draw(cls, rng: Generator, free: Rectangle, counted: bool) -> Style:
        """Draw a style for a free rectangle of a table; if the number of objects is given (``counted``), there are no
        arrangements and no close views."""
        if is_first_edition():
            return cls()
        cover = draw_cover(rng, free) if rng.random() < COVERED else None
        largest = float(rng.choice(LARGEST))
        close = not counted and rng.random() < CLOSE
        arranged = not counted and not close and rng.random() < ARRANGED
        return cls(cover, largest, close, arranged, THROWN)


def table_model(rng: Generator) -> tuple[ObjectModel, Rectangle]:
    """A table, desk, sideboard or similar, its top at z = 0, and the largest free rectangle of the top."""
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
    """Height of the largest horizontal surface of a mesh seen from above, metres, and its largest free rectangle."""
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    columns, rows = (np.ceil((high - low)[:2] / cell).astype(int) + 1).tolist()
    value = np.full((rows, columns), EMPTY)
    raster.plan(mesh.vertices, mesh.faces, float(low[0]), float(low[1]), cell, value)
    seen = value[value > EMPTY]
    levels, counts = np.unique(np.round(seen / 0.002), return_counts=True)
    level = float(np.median(seen[np.abs(seen - levels[counts.argmax()] * 0.002) < 0.003]))
    top, bottom, left, right = _largest_rectangle(np.abs(value - level) < 0.004)
    # Cells are point samples: the top certainly extends between the outermost samples, not beyond.
    x0, y0 = float(low[0]), float(low[1])
    return level, (x0 + left * cell, x0 + right * cell, y0 + top * cell, y0 + bottom * cell)


def _largest_rectangle(free: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the largest rectangle of free cells; all 0 if there is none."""
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
        background: whether there is a room around the table; None draws it.
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
    if top.placed and (style.close or rng.random() < 0.7):  # mostly the camera aims at the objects, not at the area
        focus, farthest = _around(top)
        spread = float(np.clip(farthest * 1.15, 0.05 if style.close else 0.2, spread))
    workspace = _workspace(rng, table.mesh, middle, area) if rng.random() < 0.3 else None
    return builder.build(focus, spread, "table", bounds, workspace, style.close)


def _laid(rng: Generator, style: Style, heights: HeightMap, noun: str, objects: int | None) -> TableTop:
    """Objects placed on the free part of a table; ``noun`` is its category."""
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
    """(3,) centre of the objects on a table, and the radius around it within which they lie, metres."""
    where = np.array([(p.x, p.y) for p in top.placed])
    reach = np.linalg.norm(where - where.mean(0), axis=1).max() + max(p.radius for p in top.placed)
    return np.array([*where.mean(0), 0.05]), reach


def _workspace(rng: Generator, table: Mesh, middle: NDArray[np.float64], area: NDArray[np.float64]) -> Workspace:
    """Workspace to which a robot crops its frames: the area for objects and 5 to 50 cm around it, within the table."""
    reach = area / 2 + rng.uniform(0.05, 0.5, 2)
    ends = table.vertices[:, :2].min(0), table.vertices[:, :2].max(0)
    low, high = np.maximum(middle - reach, ends[0]), np.minimum(middle + reach, ends[1])
    return Workspace((float(low[0]), float(low[1])), (float(high[0]), float(high[1])), -0.02, rng.uniform(1.2, 1.8))
