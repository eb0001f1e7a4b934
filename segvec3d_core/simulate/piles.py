"""Objects set down on a rectangle of a support: scattered, touching, stacked, leaning and inside one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .objects import ObjectModel, sample_object
from .placing import Body, HeightMap, make_body, settle, stable_rotation, turn_about, yaw

HOLLOW = ("mug", "cup", "bowl", "pot", "pan", "basket", "box", "vase", "tray", "bucket", "pitcher", "plate", "glass")
THEMES: tuple[tuple[str, ...], ...] = (
    ("box", "cereal box", "tea box", "can", "tin", "canister", "mug", "bowl", "book", "pot"),
    ("box", "cereal box", "tea box", "carton", "tissue box", "book", "packet"),
    ("mug", "cup", "glass", "bowl", "plate", "spoon", "fork", "knife", "teapot", "pot", "pan", "pitcher", "bottle"),
    ("apple", "pear", "banana", "orange", "lemon", "tomato", "bell pepper", "bowl", "plate", "basket", "bread"),
    ("drill", "hammer", "screwdriver", "wrench", "pliers", "clamp", "tape roll", "saw", "box", "spray bottle", "can"),
    ("laptop", "keyboard", "mouse", "phone", "book", "notebook", "pen", "mug", "monitor", "headphones", "stapler"),
    ("toy block", "toy brick", "toy car", "toy animal", "doll", "ball", "puzzle cube", "book"),
    ("thing",),
)  # fmt: skip
"""Things that are found together; every other table mixes everything."""
FLAT_SIDED = ("box", "cereal box", "tea box", "book", "carton", "tissue box", "tin", "notebook", "toy block")


@dataclass(slots=True)
class Placed:
    """A model that has been set down: its footprint's centre and radius, and the height of its top."""

    model: ObjectModel
    x: float
    y: float
    radius: float
    top: float


class TableTop:
    """Sets objects down on a rectangle of a table top or a floor, one by one."""

    def __init__(self, rng: Generator, heights: HeightMap, largest: float) -> None:
        self.rng, self.heights, self.largest = rng, heights, largest
        self.theme = THEMES[int(rng.integers(len(THEMES)))] if rng.random() < 0.5 else None
        self.placed: list[Placed] = []
        self.result: list[tuple[ObjectModel, NDArray[np.float64], NDArray[np.float64]]] = []
        rows, columns = heights.height.shape
        self.extent = np.array([columns, rows]) * heights.cell
        self.middle = np.array([heights.x0, heights.y0]) + self.extent / 2

    def draw_model(self, largest: float) -> ObjectModel:
        """A new model, or now and then one more of the same as before."""
        rng = self.rng
        if self.placed and rng.random() < 0.1:
            model = self.placed[int(rng.integers(len(self.placed)))].model
            if model.mesh.size.max() <= largest:
                return model
        return sample_object(rng, "table", largest, self.theme if largest >= 0.2 else None)

    def draw_rotation(self, model: ObjectModel, upright: float) -> NDArray[np.float64]:
        """Upright with this probability, else a stable pose on any facet, turned about z."""
        rng = self.rng
        turn = yaw(rng.uniform(0, 360))
        return turn if rng.random() < upright else turn @ stable_rotation(rng, model.mesh)

    def commit(self, model: ObjectModel, body: Body, row: int, column: int, z: float) -> None:
        """Leave the body where it is."""
        offset = self.heights.add(body, row, column, z)
        position = body.center + offset
        radius = float(np.linalg.norm(body.vertices[:, :2] - body.center[:2], axis=1).max())
        self.placed.append(Placed(model, float(position[0]), float(position[1]), radius, body.height + z))
        self.result.append((model, body.rotation, body.shift + offset))

    def scatter(self) -> bool:
        """Somewhere free."""
        rng = self.rng
        model = self.draw_model(self.largest)
        body = make_body(model.mesh, self.draw_rotation(model, 0.65), self.heights.cell)
        highest = np.inf if rng.random() < 0.15 else 0.004
        for _ in range(8):
            x, y = self.middle + self.extent * np.clip(rng.normal(0, 0.22, 2), -0.5, 0.5)
            found = settle(self.heights, model.mesh, body, x, y, highest)
            if found is not None:
                self.commit(model, *found)
                return True
        return False

    def touch(self) -> bool:
        """Beside another object, slid against it; flat-sided things often face it squarely."""
        rng = self.rng
        other = self.placed[int(rng.integers(len(self.placed)))]
        model = self.draw_model(self.largest)
        rotation = self.draw_rotation(model, 0.7)
        body = make_body(model.mesh, rotation, self.heights.cell)
        angle = rng.uniform(0, 2 * np.pi)
        reach = other.radius + float(np.hypot(*(np.array(body.low.shape) * self.heights.cell))) / 2 + 0.01
        row, column = self.heights.cell_of(body, other.x + reach * np.cos(angle), other.y + reach * np.sin(angle))
        row, column, stopped = self.heights.slide(body, row, column, angle + np.pi)
        z = self.heights.rest(body, row, column)
        if not stopped or z is None or z < -1 or not self.heights.is_stable(body, row, column, z):
            return False
        self.commit(model, body, row, column, z)
        return True

    def stack(self) -> bool:
        """On top of another object, or inside it if it is hollow."""
        rng = self.rng
        low = [p for p in self.placed if p.top < 0.24]
        if not low:
            return False
        other = low[int(rng.integers(len(low)))]
        inside = other.model.info.category in HOLLOW
        limit = min(self.largest, max(0.06, other.radius * (1.9 if inside else 3.2)))
        model = self.draw_model(limit)
        body = make_body(model.mesh, self.draw_rotation(model, 0.75), self.heights.cell)
        for _ in range(4):
            x, y = np.array([other.x, other.y]) + rng.normal(0, 0.3, 2) * other.radius
            found = settle(self.heights, model.mesh, body, x, y)
            if found is not None:
                self.commit(model, *found)
                return True
        return False

    def lean(self) -> bool:
        """Tilted against another object."""
        rng = self.rng
        tall = [p for p in self.placed if p.top > 0.06]
        if not tall:
            return False
        other = tall[int(rng.integers(len(tall)))]
        model = sample_object(rng, "table", self.largest, None if rng.random() < 0.4 else FLAT_SIDED)
        upright = make_body(model.mesh, self.draw_rotation(model, 0.8), self.heights.cell)
        angle = rng.uniform(0, 2 * np.pi)
        axis = np.array([-np.sin(angle), np.cos(angle), 0.0])
        # Tilted towards the other object, which lies in the direction angle + 180 degrees.
        body = make_body(model.mesh, turn_about(axis, -rng.uniform(8, 35)) @ upright.rotation, self.heights.cell)
        if body.center[2] > other.top * 1.3:
            return False
        reach = other.radius + float(np.hypot(*(np.array(body.low.shape) * self.heights.cell))) / 2 + 0.02
        row, column = self.heights.cell_of(body, other.x + reach * np.cos(angle), other.y + reach * np.sin(angle))
        row, column, stopped = self.heights.slide(body, row, column, angle + np.pi)
        z = self.heights.rest(body, row, column)
        if not stopped or z is None or z < -1:
            return False
        self.commit(model, body, row, column, z)
        return True

    def fill(self, count: int) -> None:
        """Try to set down ``count`` objects, in a mix of ways that is drawn once."""
        mix = self.rng.dirichlet([2.0, 1.8, 1.3, 0.6])
        moves = (self.scatter, self.touch, self.stack, self.lean)
        for _ in range(count):
            for _ in range(3):
                move = self.scatter if not self.placed else moves[int(self.rng.choice(4, p=mix))]
                if move():
                    break
