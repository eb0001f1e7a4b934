"""Shelves as people fill them: rows of equal objects, upright and leaning books, from one end on, with gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .clutter import clutter
from .edition import has_first_shapes, is_first_edition
from .meshes import Mesh, box, join
from .objects import ObjectModel, make_object, material_row, sample_object
from .piles import EDGED, THEMES
from .placing import HeightMap, Placement, flat_topped, make_body, settle, turn_about, yaw
from .scenes import Builder, SceneModel, surface_model
from .shapes import FAMILIES
from .shapes_storage import shelf_levels
from .walls import add_shell, put_up

Array = NDArray[np.float64]

FILLED = (0.4, 0.95)
"""Range of the share of a board's length that is filled."""
UPRIGHT = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Rotation that stands a lying book on its lower edge, its spine to the front."""
BOOK = next(family for family in FAMILIES if family.category == "book")
SHELVES = ("shelf", "bookcase")
"""Furniture with open boards."""
BOOKS = "with books"
"""Shape word of a shelf whose books are part of its mesh."""


@dataclass(frozen=True, slots=True)
class Board:
    """The free space above a board: a box with the corners ``low`` and ``high``, (3,) each, metres, in the frame of the
    shelf, whose front is at -y."""

    low: Array
    high: Array


def boards(mesh: Mesh, front: float = 0.0) -> list[Board]:
    """The free spaces above the boards of an open shelf that stands on z = 0, without its top; ``front`` is the depth
    that a lip takes, metres."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    level = np.ptp(corners[..., 2], axis=1) < 1e-6
    area = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]) / 2
    heights, index = np.unique(np.round(corners[level, 0, 2], 4), return_inverse=True)
    wide = np.bincount(index.ravel(), area[level]) > 0.7 * float(np.prod(mesh.size[:2]))
    edges = heights[wide]  # underside, upper side, underside, ...
    low, high = mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)
    return [
        Board(np.array([low[0] + 0.022, low[1] + front, floor]), np.array([high[0] - 0.022, high[1] - 0.012, ceiling]))
        for floor, ceiling in zip(edges[1::2], edges[2::2], strict=False)
    ]


def emptied(model: ObjectModel) -> ObjectModel:
    """A bookcase without the books that are part of its mesh."""
    mesh, kept = model.mesh, model.mesh.parts < 2
    words = tuple(word for word in model.info.shape_words if word != BOOKS)
    bare = replace(mesh, faces=mesh.faces[kept], parts=mesh.parts[kept], words=words)
    return replace(model, mesh=bare, info=replace(model.info, shape_words=words))


def fill_board(rng: Generator, board: Board, books: bool) -> Iterator[Placement]:
    """Fill a board from one end on, fronts aligned, with ``books`` alone or with any objects.

    Yields:
        models with their rotations and offsets in the frame of the shelf.
    """
    length, depth, clear = board.high - board.low - [0.0, 0.0, 0.012]
    theme = THEMES[int(rng.integers(len(THEMES)))] if rng.random() < 0.4 else None
    end, inset = int(rng.choice([1, -1])), rng.choice([0.002, rng.uniform(0, 0.06)])
    origin = np.array([board.low[0] if end > 0 else board.high[0], board.low[1] + inset, board.low[2]])
    left, depth = length * rng.uniform(*FILLED), depth - inset
    while left > 0.03:
        room = np.array([left, depth, clear])
        if books or rng.random() < 0.07:
            group, wide = _books(rng, room, end)
        else:
            group, wide = _things(rng, room, theme)
        for model, rotation, low, span in group:
            # The x of ``low`` is the distance from the end at which filling starts, which is the left or right one.
            turned = model.mesh.vertices @ rotation.T
            x = low[0] if end > 0 else -low[0] - span
            yield model, rotation, origin + np.array([x, low[1], low[2]]) - turned.min(0)
        if not group:
            return
        step = wide + rng.choice([0.0, rng.uniform(0, 0.01)])
        origin[0] += end * step
        left -= step


Group = tuple[list[tuple[ObjectModel, Array, Array, float]], float]
"""Models, each with its rotation, the lowest corner of its bounding box and its width; and the total width."""


def _things(rng: Generator, room: Array, theme: tuple[str, ...] | None) -> Group:
    """One object, or copies of one: side by side, behind each other and stacked."""
    for _ in range(8):
        model = sample_object(rng, "table", float(np.linalg.norm(room[[0, 2]])), theme)
        edged = model.info.category in EDGED
        turn = 90 * rng.integers(4) + rng.uniform(-8, 8) if edged else rng.uniform(0, 360)
        rotation = yaw(float(turn))
        size = np.ptp(model.mesh.vertices @ rotation.T, axis=0).astype(np.float64)
        if (size < room).all():
            break
    else:
        return [], 0.0
    gap = rng.choice([0.0, rng.uniform(0, 0.01)])
    most = np.maximum(1, (room / (size + np.array([gap, gap, 0.0]))).astype(int))
    like = rng.random() < 0.5
    columns = int(rng.integers(1, min(most[0], 6) + 1)) if like else 1
    ranks = int(rng.integers(1, min(most[1], 4) + 1)) if like and rng.random() < 0.6 else 1
    tiers = 1
    if like and rng.random() < 0.4 and flat_topped(make_body(model.mesh, rotation, 0.005)):
        tiers = int(rng.integers(1, min(most[2], 4) + 1))
    group = []
    slack = float(room[1]) - ranks * (size[1] + gap) + gap
    setback = np.minimum(np.abs(rng.normal(0, 0.002, columns)), max(0.0, slack))
    for c, r in np.ndindex(columns, ranks):
        low = np.array([c * (size[0] + gap), setback[c] + r * (size[1] + gap), 0.0])
        for t in range(tiers if r == 0 or rng.random() < 0.7 else 1):
            group.append((model, rotation, low + np.array([0.0, 0.0, t * size[2]]), float(size[0])))
    return group, columns * (size[0] + gap) - gap


def _books(rng: Generator, room: Array, end: int) -> Group:
    """Standing books, the last ones sometimes leaning against the others; now and then a stack of lying books."""
    group: list[tuple[ObjectModel, Array, Array, float]] = []
    along, up, before, foot = 0.0, 0.0, 0.0, 0.0
    lying = rng.random() < 0.15
    tilt = float(rng.uniform(4, 25)) if rng.random() < 0.45 else 0.0
    cosine, sine = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
    count = int(rng.integers(2, 15))
    upright = count - (int(rng.integers(1, 4)) if tilt else 0)
    wide = 0.0
    models = [make_object(rng, BOOK) for _ in range(min(count, 1 + int(room[0] / 0.02)))]
    if lying:
        models.sort(key=lambda model: -float(np.prod(model.mesh.size[:2])))
    for k, model in enumerate(models):
        rotation = yaw(90 * float(rng.integers(4)) + rng.normal(0, 4)) if lying else UPRIGHT
        leans = not lying and k >= upright and k > 0
        if leans:
            # Its upper end points towards the end at which filling started.
            rotation = turn_about(np.array([0.0, 1.0, 0.0]), -end * tilt) @ UPRIGHT
        thick = float(model.mesh.size[2])
        size = np.ptp(model.mesh.vertices @ rotation.T, axis=0).astype(np.float64)
        start = along
        if leans:
            # The first leaning book must touch the last upright one below its top; the others lean on each other.
            reach = float(size[0]) - thick * cosine
            if k > upright:
                start = foot - reach
            elif size[2] - thick * sine > before:
                break
            if start < along:
                break
            foot = start + reach + thick / cosine
        low = np.array([start, max(0.0, rng.normal(0.004, 0.004)), up])
        if (low + size > room).any():
            break
        group.append((model, rotation, low, float(size[0])))
        wide = max(wide, start + float(size[0]))
        before = float(size[2])
        if lying:
            up += float(size[2])
        elif not leans:
            along = start + float(size[0]) + rng.choice([0.0, rng.uniform(0, 0.002)])
    return group, wide


def stock(rng: Generator, builder: Builder, shelf: Placement, books: float, front: float = 0.0) -> int:
    """Fill the boards of a placed shelf; returns the number of objects placed.

    Args:
        rng: source of randomness; builder: the scene.
        shelf: the shelf with its rotation and offset.
        books: probability that a board holds only books.
        front: see ``boards``.
    """
    model, rotation, offset = shelf
    count = 0
    for board in boards(model.mesh, front):
        if rng.random() < 0.08 or board.high[2] - board.low[2] < 0.1:
            continue
        for item, turn, at in fill_board(rng, board, bool(rng.random() < books)):
            builder.add(item, rotation @ turn, rotation @ at + offset)
            count += 1
    return count


def draw_shelf(rng: Generator) -> tuple[ObjectModel, float]:
    """An open shelf or bookcase, and by how much a lip along its boards reduces their depth, metres."""
    x, y, z = rng.uniform(0.6, 1.4), rng.uniform(0.25, 0.5), rng.uniform(0.8, 2.0)
    rows = max(2, round(z / rng.uniform(0.25, 0.45)))
    mesh, front = shelf_levels(rng, x, y, z, rows), 0.0
    if rng.random() < 0.25:
        front, high = 0.014, rng.uniform(0.01, 0.06)
        lips = [box(x - 0.04, 0.012, high).moved(y=-y / 2 + 0.006, z=float(b.low[2])) for b in boards(mesh)]
        mesh = join(mesh, *lips)
    color, pattern, paint = _paint(rng)
    noun = "bookcase" if rng.random() < 0.3 else "shelf"
    return surface_model(noun, color, "wood", mesh, paint, pattern), front


def _paint(rng: Generator) -> tuple[str, str, NDArray[np.float32]]:
    """Colour, pattern, and the two material rows of a shelf and its boards."""
    color = str(rng.choice(["brown", "beige", "white", "black", "grey"]))
    pattern = str(rng.choice(["wood", "plain"]))
    return color, pattern, np.stack([material_row(rng, color, color, pattern, "wood", 1.0) for _ in range(2)])


def shelf_scene(rng: Generator) -> SceneModel:
    """Objects on the boards of an open shelf, mostly in front of a wall, seen from the front."""
    if is_first_edition():
        return _sparse_scene(rng)
    builder = Builder()
    unit, front = draw_shelf(rng)
    index = builder.add(unit, np.eye(3), np.zeros(3))
    x, y, z = (float(edge) for edge in unit.mesh.size)
    books = 0.8 if unit.info.category == "bookcase" else rng.choice([0.0, 0.15, 0.4])
    count = stock(rng, builder, (unit, np.eye(3), np.zeros(3)), float(books), front)
    things = [e.center for e in builder.entities[1:]]
    if rng.random() < 0.3:
        count += clutter(rng, builder, (unit, np.eye(3), np.zeros(3)), int(rng.integers(1, 5)))
    if count:
        builder.carry(index)
    room = np.array([x + rng.uniform(0.8, 3.0), y + rng.uniform(1.8, 3.5)])
    behind = rng.uniform(0.0, 0.03) if rng.random() < 0.8 else rng.uniform(0.1, 1.0)
    middle = y / 2 + behind - room[1] / 2
    walls = (0, 1, 2) if rng.random() < 0.5 else (1,)
    tall = max(rng.uniform(2.3, 2.8), z + 0.1)
    put_up(builder, add_shell(rng, builder, room[0], room[1], tall, 0.0, walls, rng.random() < 0.5, (0.0, middle)))
    focus = np.array([0.0, 0.0, z / 2]) if not things else np.asarray(things[int(rng.integers(len(things)))], float)
    focus[1] = -y / 2
    bounds = (-room[0] / 2 + 0.15, room[0] / 2 - 0.15, middle - room[1] / 2 + 0.15, -y / 2 - 0.3)
    return builder.build(focus, 0.5, "shelf", tuple(float(b) for b in bounds))  # type: ignore[arg-type]


def _sparse_scene(rng: Generator) -> SceneModel:
    """A few objects on the boards of an open shelf, as in the first edition; the shelf is marked as carrying them only
    if the objects are today's, see ``first_edition``."""
    builder = Builder()
    x, y, z = rng.uniform(0.6, 1.2), rng.uniform(0.25, 0.45), rng.uniform(0.9, 1.9)
    rows = max(2, round(z / rng.uniform(0.28, 0.42)))
    mesh = shelf_levels(rng, x, y, z, rows)
    color, pattern, paint = _paint(rng)
    index = builder.add(surface_model("shelf", color, "wood", mesh, paint, pattern), np.eye(3), np.zeros(3))
    room = (x + rng.uniform(0.6, 3.0), 2 * (rng.uniform(1.2, 2.5) + y))
    tall, walls = rng.uniform(2.3, 2.8), (0, 1, 2) if rng.random() < 0.5 else (1,)
    add_shell(rng, builder, room[0], room[1], tall, 0.0, walls, rng.random() < 0.5)
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
                if not has_first_shapes():
                    builder.carry(index)
    focus = np.array([rng.uniform(-0.3, 0.3) * x, 0.0, rng.uniform(0.25, 0.85) * z])
    return builder.build(focus, 0.5, "shelf", (-room[0] / 2 + 0.2, room[0] / 2 - 0.2, -room[1] / 2 + 0.2, -y / 2 - 0.3))
