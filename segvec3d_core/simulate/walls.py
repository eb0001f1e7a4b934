"""The shell of a room: floor, ceiling, and walls with the relief of what is fixed to them: windows, curtains, pictures,
skirting boards, sockets, door frames.

Walls are drawn before the furniture but added to the scene after it, see ``put_up``, so that nothing hangs where
furniture stands.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .edition import is_first_edition
from .meshes import Mesh, box, join, relief
from .objects import material_row
from .placing import yaw
from .scenes import Builder, surface_model

PARTS = 4
"""Number of a wall's materials: its own, and those of its relief."""
DEEPEST = 0.06
"""How far a wall's relief reaches into the room at most, metres: thin objects at a wall still stand in front of it."""
TOUCH = 0.001
"""Overlap of furniture with a wall's relief that is ignored, metres: both are subject to rounding."""
TRIM = ("white", "white", "white", "brown", "grey", "beige", "black", "blue", "red", "green")
"""Colours of a wall's relief; one is drawn for each of its materials."""


class Wall(NamedTuple):
    """A wall that is not yet part of the scene.

    Attributes:
        plain: the wall without relief; its inner side faces -x.
        relief: meshes that may stand out of it, in the frame of ``plain``.
        paint: (PARTS, MATERIAL_COLUMNS) float32, its materials.
        rotation, offset: (3, 3) and (3,) metres, from its frame to the scene's.
    """

    plain: Mesh
    relief: list[Mesh]
    paint: NDArray[np.float32]
    rotation: NDArray[np.float64]
    offset: NDArray[np.float64]


def add_shell(
    rng: Generator, builder: Builder, x: float, y: float, z: float, level: float, walls: tuple[int, ...], ceiling: bool,
    middle: tuple[float, float] = (0.0, 0.0),
) -> list[Wall]:  # fmt: skip
    """Add the floor and perhaps the ceiling of a room to a scene, as surfaces, and draw its walls.

    Args:
        rng: source of randomness; builder: the scene.
        x, y, z: extents of the room, metres.
        level: height of the floor, metres.
        walls: sides that have a wall: 0 to 3 are +x, +y, -x, -y.
        ceiling: whether there is a ceiling.
        middle: x and y of the room's centre, metres.

    Returns:
        walls for ``put_up`` once all furniture stands; none in the first edition, whose plain walls are added at once.
    """
    thick, center = 0.05, np.array([*middle, level])
    ground = surface_model("floor", "grey", "wood", box(x, y, thick), _floor_paint(rng))
    builder.add(ground, np.eye(3), center - np.array([0, 0, thick]), "surface")
    bare, paint = is_first_edition(), _wall_paint(rng)
    if not bare:
        further = [material_row(rng, c, c, "plain", "wood", 1.0) for c in rng.choice(TRIM, PARTS - 1)]
        paint = np.concatenate([paint, np.stack(further)])
    drawn = []
    for side in walls:
        along, away = (y, x) if side % 2 == 0 else (x, y)
        plain, rotation = box(thick, along, z), yaw(90 * side)
        offset = rotation @ np.array([away / 2 + thick / 2, 0, 0]) + center
        if bare:
            builder.add(surface_model("wall", "white", "plaster", plain, paint), rotation, offset, "surface")
        else:
            relief = [part.moved(x=-thick / 2) for part in draw_relief(rng, along, z)]
            drawn.append(Wall(plain, relief, paint, rotation, offset))
    if ceiling:
        top = surface_model("ceiling", "white", "plaster", box(x, y, thick), _wall_paint(rng))
        builder.add(top, np.eye(3), center + np.array([0, 0, z]), "surface")
    return drawn


def put_up(builder: Builder, walls: list[Wall]) -> None:
    """Add walls to the scene, each with those parts of its relief whose bounding boxes overlap those of nothing in the
    scene so far: people hang nothing behind a wardrobe."""
    low = np.stack([placed.min(0) for placed in builder.vertices]) + TOUCH
    high = np.stack([placed.max(0) for placed in builder.vertices]) - TOUCH
    for wall in walls:
        places = [part.vertices @ wall.rotation.T + wall.offset for part in wall.relief]
        free = [not ((p.max(0) > low) & (p.min(0) < high)).all(1).any() for p in places]
        mesh = join(wall.plain, *(part for part, kept in zip(wall.relief, free, strict=True) if kept))
        builder.add(surface_model("wall", "white", "plaster", mesh, wall.paint), wall.rotation, wall.offset, "surface")


def _wall_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["white", "white", "white", "beige", "beige", "grey", "yellow", "blue"]))
    return material_row(rng, color, color, str(rng.choice(["plain", "plain", "noise"])), "plaster", 1.0)[None]


def _floor_paint(rng: Generator) -> NDArray[np.float32]:
    color = str(rng.choice(["brown", "beige", "grey", "white", "black"]))
    return material_row(
        rng, color, str(rng.choice([color, "grey"])), str(rng.choice(["wood", "checks", "noise", "plain"])), "wood", 1.5
    )[None]


def draw_relief(rng: Generator, along: float, tall: float) -> list[Mesh]:
    """Meshes that stand 3 to 60 mm out of a wall ``along`` x ``tall`` metres in the plane x = 0, towards -x."""
    parts = []
    if rng.random() < 0.6:
        parts.append(_out(rng.uniform(0.006, 0.02), along, rng.uniform(0.04, 0.14)).part(1))
    spots = [k * along for k in (-0.33, 0.0, 0.33)] if along > 2.4 else [0.0]
    for y in spots:
        if rng.random() < 0.45:
            make = (_window, _window, _curtain, _picture, _picture, _door_frame, _sockets)[int(rng.integers(7))]
            part = make(rng, min(along * 0.3, 1.4), tall).moved(y=y)
            if np.abs(part.vertices[:, 1]).max() < along / 2:  # a door near a corner may not fit
                parts.append(part)
    return parts


def _out(deep: float, wide: float, tall: float) -> Mesh:
    """A box that stands out of the plane x = 0 by ``deep``, towards -x."""
    return box(deep, wide, tall).moved(x=-deep / 2)


def _frame(deep: float, wide: float, tall: float, edge: float) -> list[Mesh]:
    """The four bars of a frame of outer size ``wide`` x ``tall``, standing on z = 0."""
    sides = [_out(deep, edge, tall).moved(y=k * (wide - edge) / 2) for k in (1, -1)]
    return [*sides, _out(deep, wide, edge), _out(deep, wide, edge).moved(z=tall - edge)]


def _window(rng: Generator, most: float, tall: float) -> Mesh:
    """A window: a frame with panes and mostly a sill."""
    wide, high, deep, edge = rng.uniform(0.5, 1) * most, rng.uniform(0.7, 1.3), rng.uniform(0.015, 0.06), 0.06
    parts = [p.part(1) for p in _frame(deep, wide, high, edge)]
    parts += [_out(deep * 0.8, 0.05, high).part(1)] if rng.random() < 0.6 else []
    parts.append(_out(0.004, wide, high).part(3))
    if rng.random() < 0.75:
        parts.append(_out(rng.uniform(0.03, DEEPEST), wide + 0.1, 0.03).moved(z=-0.03).part(1))
    return join(*parts).moved(z=min(rng.uniform(0.75, 1.0), tall - high - 0.1))


def _curtain(rng: Generator, most: float, tall: float) -> Mesh:
    """Cloth in folds, from near the ceiling down to the floor or to a sill."""
    wide, low = rng.uniform(0.4, 1) * most, rng.choice([0.03, rng.uniform(0.5, 0.9)])
    columns, fold = np.linspace(0, wide, 48), rng.uniform(0.06, 0.16)
    wave = 0.5 + 0.3 * np.sin(2 * np.pi * columns / fold) + 0.2 * np.sin(columns / fold * 2.3 + rng.uniform(0, 6))
    heights = np.maximum(rng.uniform(0.03, DEEPEST) * wave, 0.004)[None].repeat(2, 0)
    # Turned so that the heights of the relief point into the room and its rows upwards.
    cloth = relief(heights, wide, tall - 0.1 - low).turned("x", 90).turned("z", -90)
    return cloth.moved(z=low + (tall - 0.1 - low) / 2).part(2)


def _picture(rng: Generator, most: float, tall: float) -> Mesh:
    """A framed picture or a board at eye level."""
    wide, high = rng.uniform(0.25, 1) * most, rng.uniform(0.25, 0.9)
    deep = rng.uniform(0.008, 0.035)
    parts = [_out(deep * 0.6, wide, high).part(3), *(p.part(2) for p in _frame(deep, wide, high, 0.035))]
    return join(*parts).moved(z=min(rng.uniform(1.1, 1.6), tall - high - 0.1))


def _door_frame(rng: Generator, most: float, tall: float) -> Mesh:
    """A closed door: its frame, and its leaf, which stands out of the wall by a few millimetres."""
    wide, high, edge = rng.uniform(0.8, 1.0), rng.uniform(1.95, 2.12), rng.uniform(0.05, 0.1)
    bars = _frame(rng.uniform(0.012, 0.035), wide, high, edge)
    return join(*(bars[k].part(1) for k in (0, 1, 3)), _out(rng.uniform(0.003, 0.01), wide, high).part(3))


def _sockets(rng: Generator, most: float, tall: float) -> Mesh:
    """Sockets or switches in a row."""
    deep, z = rng.uniform(0.005, 0.015), rng.choice([0.3, 1.05])
    plates = [_out(deep, 0.08, 0.08).moved(y=0.085 * k) for k in range(int(rng.integers(1, 4)))]
    return join(*plates).moved(z=z).part(1)
