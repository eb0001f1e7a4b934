"""Objects on furniture: clutter on its top, cushions on a sofa or a bed."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from . import raster
from .objects import ObjectModel, sample_object
from .placing import EMPTY, HeightMap, Placement, make_body, settle, stable_rotation, yaw
from .scenes import Builder

Array = NDArray[np.float64]


class Tops:
    """Height map of the upper side of a placed piece of furniture, cell edge ``cell`` in metres; objects can be dropped
    on it."""

    def __init__(self, builder: Builder, piece: Placement, cell: float) -> None:
        model, rotation, offset = piece
        vertices = model.mesh.vertices.astype(np.float64) @ rotation.T + offset
        low, high = vertices[:, :2].min(0), vertices[:, :2].max(0)
        self.builder, self.low, self.high = builder, low, high
        self.heights = HeightMap(low[0], low[1], high[0] - low[0], high[1] - low[1], cell, EMPTY)
        raster.plan(vertices, model.mesh.faces, low[0], low[1], cell, self.heights.height)

    def drop(self, rng: Generator, model: ObjectModel, rotation: Array, tries: int, highest: float = np.inf) -> bool:
        """Drop a model at up to ``tries`` random places until it comes to rest (see ``settle``, also for ``highest``),
        and add it to the scene; returns whether it came to rest."""
        body = make_body(model.mesh, rotation, self.heights.cell)
        for _ in range(tries):
            x, y = rng.uniform(self.low, self.high)
            found = settle(self.heights, model.mesh, body, x, y, highest)
            if found is not None:
                rested, row, column, z = found
                self.builder.add(model, rested.rotation, rested.shift + self.heights.add(rested, row, column, z))
                return True
        return False


def clutter(rng: Generator, builder: Builder, piece: Placement, count: int) -> int:
    """Drop up to ``count`` objects on top of a piece of furniture; returns how many came to rest."""
    tops, done = Tops(builder, piece, 0.008), 0
    for _ in range(count):
        item = sample_object(rng, "table", 0.45)
        turn = yaw(rng.uniform(0, 360))
        if rng.random() < 0.2:
            turn = turn @ stable_rotation(rng, item.mesh)
        done += tops.drop(rng, item, turn, 4)
    return done


def lay_cushions(rng: Generator, builder: Builder, piece: Placement, count: int) -> int:
    """Drop up to ``count`` cushions of one model on a sofa or a bed; returns how many came to rest."""
    tops = Tops(builder, piece, 0.01)
    cushion, highest = sample_object(rng, "floor", np.inf, ["pillow"]), float(piece[2][2]) + 0.75
    return sum(tops.drop(rng, cushion, yaw(rng.uniform(0, 360)), 6, highest) for _ in range(count))
