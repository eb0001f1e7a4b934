"""Cloth on tables: a cover or mats spread below the objects, or a cloth thrown over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from . import raster
from .meshes import Mesh, closed, join
from .objects import ObjectModel, material_row, sample_object
from .placing import EMPTY, HeightMap, Placement, Rectangle, yaw
from .sheets import Sheet, outlined, ridges

Array = NDArray[np.float64]

TALLEST = 0.2
"""A cloth is not thrown over a place whose heights differ by more than this, metres."""
SOFT = 0.012
"""An object holds a cover down below itself and up to this far around, metres."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A cloth or some mats spread on a table.

    Attributes:
        level: height of the flat parts above the table, metres; objects stand on it.
        meshes: closed meshes at rest on z = 0, centred at ``places``.
        places: (x, y) of each, metres.
    """

    level: float
    meshes: tuple[Mesh, ...]
    places: tuple[tuple[float, float], ...]

    def mesh(self) -> Mesh:
        """All pieces as one mesh, each at its place."""
        return join(*(m.moved(*place) for m, place in zip(self.meshes, self.places, strict=True)))

    def lift(self, heights: HeightMap) -> None:
        """Raise the height map by the cover without its wrinkles: objects press these down and stand on the flat
        cloth."""
        flat = self.mesh()
        flat.vertices[:, 2] = np.minimum(flat.vertices[:, 2], self.level)
        raster.plan(flat.vertices, flat.faces, heights.x0, heights.y0, heights.cell, heights.height)

    def pressed(self, placed: Sequence[Placement]) -> Mesh:
        """All pieces as one mesh, pressed down by the models that were placed on it."""
        body = self.mesh()
        points = body.vertices
        low, cell = points[:, :2].min(0).astype(np.float64), 0.004
        columns, rows = (np.ceil(np.ptp(points[:, :2], axis=0) / cell).astype(int) + 1).tolist()
        under = np.full((rows, columns), EMPTY)  # lowest height of the objects above, negated
        for model, rotation, offset in placed:
            vertices = (model.mesh.vertices @ rotation.T + offset) * [1.0, 1.0, -1.0]
            raster.plan(vertices, model.mesh.faces, low[0], low[1], cell, under)
        under = maximum_filter(under, 1 + 2 * round(SOFT / cell))
        column, row = np.rint((points[:, :2] - low) / cell).astype(int).T
        points[:, 2] = np.minimum(points[:, 2], np.maximum(-under[row, column], self.level))
        return body


def draw_cover(rng: Generator, free: Rectangle) -> Cover:
    """A wrinkled cloth over 60 to 95 % of either edge of a free rectangle, or one to three mats on it."""
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
    """A cloth over whatever lies at a random place of a height map: it bridges gaps and falls in folds at sides.

    Returns:
        its mesh at rest on z = 0, and the (3,) offset that takes it to the map's frame; None if it would reach beyond
        the map, or heights differ by more than ``TALLEST``.
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
    reach = 1 + 2 * int(np.ceil(float(size.max()) / 40 / heights.cell))  # no object pierces it between its vertices
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


def covered(rng: Generator, table: ObjectModel, cover: Mesh) -> ObjectModel:
    """A table with a cover as part of its model, so that both are labelled alike."""
    color = str(rng.choice(["white", "red", "blue", "green", "beige", "grey", "black"]))
    pattern = str(rng.choice(["plain", "plain", "checks", "stripes", "dots"]))
    second = str(rng.choice(["white", "grey", "beige", "blue", "red"]))
    row = material_row(rng, color, second, pattern, "fabric", rng.uniform(0.25, 0.8))
    whole = join(table.mesh, cover.part(len(table.materials)))
    return replace(table, mesh=whole, materials=np.concatenate([table.materials, row[None]]))


def throw_cloth(rng: Generator, heights: HeightMap) -> Placement | None:
    """A cloth thrown over objects, or None if none of six random places suits, see ``thrown``."""
    laid = next((found for _ in range(6) if (found := thrown(rng, heights)) is not None), None)
    if laid is None:
        return None
    mesh, offset = laid
    model = sample_object(rng, "table", np.inf, ["towel", "napkin", "scarf"])
    x, y, z = (float(t) for t in mesh.size)
    info = replace(model.info, size=(x, y, z), shape_words=mesh.words)
    return replace(model, mesh=mesh, info=info), np.eye(3), offset
