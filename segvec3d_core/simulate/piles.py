"""Objects placed on a rectangle of a support: scattered, touching, stacked, leaning and inside one another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .edition import is_first_edition
from .objects import ObjectModel, sample_object
from .placing import Body, HeightMap, Placement, flat_topped, make_body, settle, stable_rotation, turn_about, yaw

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
"""Nouns of objects that occur together; half of the supports keep to one theme, the others mix everything."""
FLAT_SIDED = ("box", "cereal box", "tea box", "book", "carton", "tissue box", "tin", "notebook", "toy block")
EDGED = (
    *FLAT_SIDED, "packet", "tray", "lunch box", "laptop", "keyboard", "monitor", "tablet", "calculator", "toaster",
    "microwave", "coffee machine", "speaker", "router", "radio", "picture frame", "cutting board", "egg carton",
    "toy brick", "power strip",
)  # fmt: skip
"""Nouns of objects that people often align with the edge of a table or a shelf."""
TRIES = 3
"""How many placements of a model are tried before another model is drawn; the first edition draws a new model for each
try."""
LEVELS = 0.4
"""Probability that an object may rest on a suitable one that itself lies on another (level 1); ``LEVELS**n`` on one of
level n."""


@dataclass(slots=True)
class Placed:
    """A placed model.

    Attributes:
        model: the model.
        x, y, radius: centre and radius of its footprint, metres.
        top: height of its highest point, metres.
        level: number of objects beneath it in the highest stack, 0 on the support.
        flat: whether its top is flat, so that something may stand on it.
    """

    model: ObjectModel
    x: float
    y: float
    radius: float
    top: float
    level: int = 0
    flat: bool = False


class TableTop:
    """Places objects on a rectangle of a table top or a floor, one by one.

    Attributes:
        rng: source of randomness.
        heights: height map of the support and of all objects so far.
        largest: upper bound of an object's longest edge, metres.
        theme: nouns of the objects to draw, or None for any.
        placed, result: the placed models, and their rotations and offsets, in the same order.
        extent, middle: (2,) extents and centre of the rectangle, metres.
        ground: height of the support, or of the cover on it, metres.
        waiting: a model that found no place yet, or None.
        owner: (H, W) int, index into ``placed`` of the highest object on each cell, -1 for the support.
    """

    def __init__(self, rng: Generator, heights: HeightMap, largest: float) -> None:
        self.rng, self.heights, self.largest = rng, heights, largest
        self.theme = THEMES[int(rng.integers(len(THEMES)))] if rng.random() < 0.5 else None
        self.placed: list[Placed] = []
        self.result: list[Placement] = []
        rows, columns = heights.height.shape
        self.extent = np.array([columns, rows]) * heights.cell
        self.middle = np.array([heights.x0, heights.y0]) + self.extent / 2
        self.ground = float(heights.height.max())
        self.first_edition = is_first_edition()
        self.waiting: ObjectModel | None = None
        self.owner = np.full(heights.height.shape, -1)

    def draw_model(self, largest: float) -> ObjectModel:
        """The waiting model if there is one, else a new one, or in a tenth of the cases a model placed before."""
        rng = self.rng
        if self.waiting is not None:
            return self.waiting
        if self.placed and rng.random() < 0.1:
            model = self.placed[int(rng.integers(len(self.placed)))].model
            if model.mesh.size.max() <= largest:
                return model
        return sample_object(rng, "table", largest, self.theme if largest >= 0.2 else None)

    def draw_rotation(self, model: ObjectModel, upright: float) -> NDArray[np.float64]:
        """Upright with probability ``upright``, else a stable pose on any facet; then turned about z. Half of the
        objects in ``EDGED`` stay about parallel to the edges of the support, except in the first edition."""
        rng = self.rng
        turn = yaw(rng.uniform(0, 360))
        if not self.first_edition and model.info.category in EDGED and rng.random() < 0.5:
            turn = yaw(90 * rng.integers(4) + rng.normal(0, 2))
        return turn if rng.random() < upright else turn @ stable_rotation(rng, model.mesh)

    def commit(
        self, model: ObjectModel, body: Body, row: int, column: int, z: float, anyhow: bool = False
    ) -> bool:  # fmt: skip
        """Place the body there if what lies beneath ``bears`` it, which ``anyhow`` and the first edition do not check;
        returns whether it was placed."""
        radius = float(np.linalg.norm(body.vertices[:, :2] - body.center[:2], axis=1).max())
        under = self.beneath(body, row, column, z)
        if not (self.first_edition or anyhow or self.bears(under, radius)):
            return False
        level = 1 + max((p.level for p in under), default=-1)
        covered = np.s_[row : row + body.low.shape[0], column : column + body.low.shape[1]]
        self.owner[covered][body.high + z > self.heights.height[covered]] = len(self.placed)
        offset = self.heights.add(body, row, column, z)
        x, y = (body.center + offset)[:2]
        flat = flat_topped(body)
        self.placed.append(Placed(model, float(x), float(y), radius, body.height + z, level, flat))
        self.result.append((model, body.rotation, body.shift + offset))
        return True

    def beneath(self, body: Body, row: int, column: int, z: float) -> list[Placed]:
        """The objects on which a body would rest."""
        covered = np.s_[row : row + body.low.shape[0], column : column + body.low.shape[1]]
        touched = self.owner[covered][body.low + z - self.heights.height[covered] < 0.0025]
        return [self.placed[k] for k in np.unique(touched[touched >= 0])]

    def bears(self, under: list[Placed], radius: float) -> bool:
        """Whether a body of this radius may rest on the objects beneath it. Those that lie on others must be flat and
        no smaller, and then bear it with the probability of their level, see ``LEVELS``."""
        raised = [p for p in under if p.level > 0]
        return not raised or (
            all(p.flat and p.radius >= radius for p in raised)
            and self.rng.random() < LEVELS ** max(p.level for p in raised)
        )

    def put(
        self, model: ObjectModel, rotation: NDArray[np.float64], x: float, y: float, on: float = 0.0
    ) -> bool:  # fmt: skip
        """Place a model at (x, y) as part of an arrangement, unless it would rest higher than both ``on`` and the
        ground, metres; returns whether it was placed."""
        body = make_body(model.mesh, rotation, self.heights.cell)
        row, column = self.heights.cell_of(body, x, y)
        z = self.heights.rest(body, row, column)
        if z is None or not -1 < z <= max(on, self.ground) + 0.002:
            return False
        return self.commit(model, body, row, column, z, anyhow=True)

    def scatter(self) -> bool:
        """Drop a model at a random place, mostly on free ground; returns whether it was placed."""
        rng = self.rng
        model = self.draw_model(self.largest)
        body = make_body(model.mesh, self.draw_rotation(model, 0.65), self.heights.cell)
        highest = np.inf if rng.random() < 0.15 else 0.004
        for _ in range(8):
            x, y = self.middle + self.extent * np.clip(rng.normal(0, 0.22, 2), -0.5, 0.5)
            found = settle(self.heights, model.mesh, body, x, y, highest)
            if found is not None:
                return self.commit(model, *found)
        return False

    def touch(self) -> bool:
        """Slide a model against another object from a random direction; returns whether it was placed."""
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
        return self.commit(model, body, row, column, z)

    def stack(self) -> bool:
        """Drop a model on top of another object, or into it if it is hollow; returns whether it was placed."""
        rng = self.rng
        low = [p for p in self.placed if p.top < 0.24]
        if self.waiting is not None:
            low = [p for p in low if self.reach_of(p) > self.waiting.mesh.size.max()]
        if not low:
            return False
        other = low[int(rng.integers(len(low)))]
        model = self.draw_model(min(self.largest, self.reach_of(other)))
        body = make_body(model.mesh, self.draw_rotation(model, 0.75), self.heights.cell)
        for _ in range(4):
            x, y = np.array([other.x, other.y]) + rng.normal(0, 0.3, 2) * other.radius
            found = settle(self.heights, model.mesh, body, x, y)
            if found is not None:
                return self.commit(model, *found)
        return False

    @staticmethod
    def reach_of(other: Placed) -> float:
        """Upper bound of the longest edge of a model to be placed on an object, or in it if it is hollow, metres."""
        return max(0.06, other.radius * (1.9 if other.model.info.category in HOLLOW else 3.2))

    def lean(self) -> bool:
        """Lean a model against another object, tilted by 8 to 35 degrees; returns whether it was placed."""
        rng = self.rng
        tall = [p for p in self.placed if p.top > 0.06]
        if not tall:
            return False
        other = tall[int(rng.integers(len(tall)))]
        among = None if rng.random() < 0.4 else FLAT_SIDED
        if self.waiting is None:
            model = sample_object(rng, "table", self.largest, among)
        elif among is not None and self.waiting.info.category not in among:
            return False
        else:
            model = self.waiting
        upright = make_body(model.mesh, self.draw_rotation(model, 0.8), self.heights.cell)
        angle = rng.uniform(0, 2 * np.pi)
        axis = np.array([-np.sin(angle), np.cos(angle), 0.0])
        # Tilt it towards the other object, which lies in the direction angle + 180 degrees.
        body = make_body(model.mesh, turn_about(axis, -rng.uniform(8, 35)) @ upright.rotation, self.heights.cell)
        if body.center[2] > other.top * 1.3:
            return False
        reach = other.radius + float(np.hypot(*(np.array(body.low.shape) * self.heights.cell))) / 2 + 0.02
        row, column = self.heights.cell_of(body, other.x + reach * np.cos(angle), other.y + reach * np.sin(angle))
        row, column, stopped = self.heights.slide(body, row, column, angle + np.pi)
        z = self.heights.rest(body, row, column)
        if not stopped or z is None or z < -1:
            return False
        return self.commit(model, body, row, column, z)

    def fill(self, count: int) -> None:
        """Try to place further objects until there are ``count``, by moves whose frequencies are drawn once per call.

        A model that finds no place is tried again before another is drawn; else small objects would be too frequent.
        """
        mix = self.rng.dirichlet([2.0, 1.8, 1.3, 0.6])
        moves = (self.scatter, self.touch, self.stack, self.lean)
        for _ in range(count - len(self.placed)):
            for attempt in range(TRIES if self.first_edition else 2 * TRIES):
                if not self.first_edition and attempt % TRIES == 0:
                    self.waiting = None
                    self.waiting = self.draw_model(self.largest)
                move = self.scatter if not self.placed else moves[int(self.rng.choice(4, p=mix))]
                if move():
                    break
        self.waiting = None
