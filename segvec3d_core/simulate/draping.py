"""Sheets of cloth, paper and plastic: crumpled, creased, spread over a table or thrown over what lies on it.

A sheet is a closed body: a grid over a rectangle, a disc or a ragged outline, ridged above and flat below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from . import raster
from .meshes import Mesh, grid_faces, join, mesh, relief
from .placing import EMPTY, HeightMap, yaw

if TYPE_CHECKING:
    from .objects import ObjectModel

Array = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]
"""x0, x1, y0, y1, metres."""

COVERED = 1 / 3
"""Share of the supports that have a cover of cloth, or mats, outside the first edition."""
THROWN = 0.1
"""Share of the tables on which a cloth lies over some of the things, outside the first edition."""
TALLEST = 0.2
"""A cloth is not thrown over what rises higher than this beside what is low, metres."""
SOFT = 0.012
"""So far from a thing's underside a cover is held down by it, metres."""


def ridges(rng: Generator, points: Array, wave: float, sharp: float = 1.0) -> Array:
    """Ridged noise, its highest ridge at 1, at points (..., 2): creases that run in many directions and end somewhere.

    Args:
        rng: source of randomness.
        points: where, metres.
        wave: mean distance between ridges, metres.
        sharp: 1 for the facets of paper, more for narrow ridges between flat parts, less for rounded folds of cloth.
    """
    swirl = points + 0.3 * wave * np.sin(points[..., ::-1] * rng.uniform(1.5, 4) / wave + rng.uniform(0, 6, 2))
    total = np.zeros(points.shape[:-1])
    for strength, scale in zip((1.0, 0.8, 0.6, 0.4, 0.25), rng.uniform(0.5, 1.6, 5), strict=True):
        angle, where = rng.uniform(0, np.pi), rng.uniform(0, 6, 2)
        along, across = swirl @ [np.cos(angle), np.sin(angle)], swirl @ [-np.sin(angle), np.cos(angle)]
        ridge = 1 - np.abs(2 * ((along / (wave * scale) + where[0]) % 1.0) - 1)
        ends = 0.5 + 0.5 * np.sin(across / (wave * rng.uniform(0.4, 0.9)) + where[1])
        total = np.maximum(total, 0.9 * strength * ridge**sharp * ends) + 0.15 * strength * ridge**sharp * ends
    return np.asarray(total / max(float(total.max()), 1e-9))


def outlined(rng: Generator, points: Array, x: float, y: float, square: float, ragged: float) -> Array:
    """Points of the square -1 to 1 (..., 2) on a sheet of extents x by y, metres.

    ``square`` leads from a disc (0) to a rectangle (1), ``ragged`` is how uneven its outline is.
    """
    u, v = points[..., 0], points[..., 1]
    round_off = np.sqrt(1 - (1 - square) * 0.5 * np.stack([v, u], -1) ** 2)
    angle, uneven = np.arctan2(v, u), np.zeros_like(u)
    for k in range(2, 8):
        uneven += rng.normal() / k**0.7 * np.sin(k * angle + rng.uniform(0, 6))
    grown = 1 + ragged * np.clip(uneven, -1.5, 1.5) * np.hypot(u, v)
    return np.asarray(points * round_off * grown[..., None] * [x / 2, y / 2])


@dataclass(frozen=True, slots=True)
class Sheet:
    """How a sheet lies.

    Attributes:
        x, y: extents, metres.
        thick: of the sheet, or of what of it lies flat on itself, metres.
        rise: height of its ridges, metres.
        wave: mean distance between ridges, metres.
        sharp: see ``ridges``.
        heap: how far its middle is heaped up, metres.
        square, ragged: see ``outlined``.
        lean: how far ridges lean over, as a share of their height.
    """

    x: float
    y: float
    thick: float = 0.003
    rise: float = 0.01
    wave: float = 0.06
    sharp: float = 1.0
    heap: float = 0.0
    square: float = 1.0
    ragged: float = 0.0
    lean: float = 0.3

    def mesh(self, rng: Generator, detail: int = 32) -> Mesh:
        """A closed body at rest on the ground, ``detail`` cells along its longer side."""
        longer = max(self.x, self.y)
        columns, rows = (max(9, round(detail * side / longer) + 1) for side in (self.x, self.y))
        grid = np.stack(np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)), -1)
        place = grid * [self.x / 2, self.y / 2]
        edge = np.abs(grid).max(-1)
        folds = ridges(rng, place, self.wave, self.sharp)
        dome = self.heap * np.clip(1 - edge**2, 0, 1) ** 0.7
        heights = self.thick * (1 - 0.6 * edge**16) + (self.rise * folds + dome * (0.45 + 0.55 * folds)) * (
            1 - 0.8 * edge**6
        )
        body = relief(heights, 2.0, 2.0)
        points = body.vertices.astype(np.float64)
        points[:, :2] = outlined(rng, points[:, :2], self.x, self.y, self.square, self.ragged)
        bend = np.sin(points[:, [1, 0]] * 6 / self.wave + rng.uniform(0, 6, 2))
        points[:, :2] += self.lean * bend * np.maximum(points[:, 2:] - self.thick, 0)
        return replace(body, vertices=points.astype(np.float32)).grounded()


def closed(top: Array, bottom: Array) -> Mesh:
    """A body between two grids of points (R, C, 3), joined along their rims."""
    rows, columns = top.shape[:2]
    rims = [np.concatenate([g[0, :-1], g[:-1, -1], g[-1, :0:-1], g[:0:-1, 0]]) for g in (top, bottom)]
    faces = grid_faces(rows, columns, False)
    wall = mesh(np.concatenate(rims), grid_faces(2, len(rims[0]), True))
    return join(mesh(top.reshape(-1, 3), faces), mesh(bottom.reshape(-1, 3), faces), wall)


@dataclass(frozen=True, slots=True)
class Cover:
    """What lies spread on a table: a cloth or some mats.

    Attributes:
        level: height of what lies flat, metres; things stand on it.
        meshes: closed bodies, at rest on z = 0, with their middles at ``places``.
        places: (x, y) of each, metres.
    """

    level: float
    meshes: tuple[Mesh, ...]
    places: tuple[tuple[float, float], ...]

    def mesh(self) -> Mesh:
        """All of it, where it lies."""
        return join(*(m.moved(*place) for m, place in zip(self.meshes, self.places, strict=True)))

    def lift(self, heights: HeightMap) -> None:
        """Things stand on what lies flat of it: they press its wrinkles down."""
        flat = self.mesh()
        flat.vertices[:, 2] = np.minimum(flat.vertices[:, 2], self.level)
        raster.plan(flat.vertices, flat.faces, heights.x0, heights.y0, heights.cell, heights.height)

    def pressed(self, placed: Sequence[tuple[ObjectModel, Array, Array]]) -> Mesh:
        """All of it, held down by what was set down on it: models, each with its rotation and offset."""
        body = self.mesh()
        points = body.vertices
        low, cell = points[:, :2].min(0).astype(np.float64), 0.004
        columns, rows = (np.ceil(np.ptp(points[:, :2], axis=0) / cell).astype(int) + 1).tolist()
        under = np.full((rows, columns), EMPTY)  # the lowest side of what lies above, upside down
        for model, rotation, offset in placed:
            vertices = (model.mesh.vertices @ rotation.T + offset) * [1.0, 1.0, -1.0]
            raster.plan(vertices, model.mesh.faces, low[0], low[1], cell, under)
        under = maximum_filter(under, 1 + 2 * round(SOFT / cell))
        column, row = np.rint((points[:, :2] - low) / cell).astype(int).T
        points[:, 2] = np.minimum(points[:, 2], np.maximum(-under[row, column], self.level))
        return body


def draw_cover(rng: Generator, free: Rectangle) -> Cover:
    """A wrinkled cloth over all or most of a free rectangle, or one to three mats on it."""
    x0, x1, y0, y1 = free
    room = np.array([x1 - x0, y1 - y0])
    middle = np.array([x0 + x1, y0 + y1]) / 2
    level = rng.uniform(0.001, 0.0035)
    cloth = rng.random() < 0.65
    count = 1 if cloth else int(rng.integers(1, 4))
    bodies, places = [], []
    for _ in range(count):
        size = (
            room * rng.uniform(0.6, 0.95, 2) if cloth else np.minimum(room * 0.9, rng.uniform([0.2, 0.15], [0.6, 0.45]))
        )
        spare = (room - size) / 2
        sheet = Sheet(
            float(size[0]), float(size[1]), level,
            rise=rng.uniform(0.002, 0.008) if cloth else rng.uniform(0.0, 0.003), wave=rng.uniform(0.04, 0.2),
            sharp=rng.uniform(0.7, 4.0), square=1.0 if cloth else float(rng.choice([0.0, 1.0, 1.0])),
            ragged=rng.uniform(0, 0.015), lean=0.0,
        )  # fmt: skip
        bodies.append(sheet.mesh(rng, 72 if cloth else 30))
        at = middle + spare * rng.uniform(-1, 1, 2)
        places.append((float(at[0]), float(at[1])))
    return Cover(level, tuple(bodies), tuple(places))


def thrown(rng: Generator, heights: HeightMap) -> tuple[Mesh, Array] | None:
    """A cloth over whatever lies on a place of a height map: it bridges gaps and falls down sides in folds.

    Returns:
        its mesh at rest on z = 0, and the (3,) offset that takes it to the map's frame; None where it finds no place.
    """
    size = rng.uniform(0.12, 0.4, 2)
    columns, rows = (size / size.max() * 40).astype(int) + 8
    square = np.stack(np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)), -1)
    flat = outlined(rng, square, float(size[0]), float(size[1]), rng.uniform(0.5, 1.0), rng.uniform(0, 0.05))
    extent = np.array(heights.height.shape[::-1]) * heights.cell
    middle = np.array([heights.x0, heights.y0]) + extent * rng.uniform(0.25, 0.75, 2)
    place = flat @ yaw(rng.uniform(0, 360))[:2, :2].T + middle
    cells = np.rint((place - [heights.x0, heights.y0]) / heights.cell).astype(int)
    if cells.min() < 0 or (cells >= heights.height.shape[::-1]).any():
        return None
    reach = 1 + 2 * int(np.ceil(float(size.max()) / 40 / heights.cell))  # no edge of a thing pierces it between points
    below = maximum_filter(heights.height, reach)[cells[..., 1], cells[..., 0]]
    if np.ptp(below) > TALLEST:
        return None
    hung = below
    for _ in range(8):
        hung = np.maximum(below, gaussian_filter(hung, rng.uniform(0.8, 1.6), mode="nearest"))
    folds = ridges(rng, flat, rng.uniform(0.03, 0.15), rng.uniform(0.7, 2.5))
    top = (
        hung + rng.uniform(0.0015, 0.004) + rng.uniform(0.002, 0.015) * folds * (1 - 0.8 * np.abs(square).max(-1) ** 8)
    )
    offset = np.append(middle, hung.min())
    body = closed(*(np.concatenate([place, z[..., None]], -1) - offset for z in (top, hung)))
    return body.said("soft"), offset
