"""Typical arrangements on a table: a workplace, place settings, stacks and rows of similar objects, a full tote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, box, join
from .objects import ObjectModel, make_object, sample_object
from .piles import FLAT_SIDED, TableTop
from .placing import make_body, settle, stable_rotation, yaw
from .shapes import Family

STACKED = ("plate", "plate", "bowl", "bowl", "book", "book", "notebook", "tray", "box", "tin", "lunch box")
"""Nouns of objects that are stacked with others of their kind."""
LINED_UP = ("bottle", "can", "jar", "canister", "glass", "mug", "spray bottle", "detergent bottle", "carton", "candle")
"""Nouns of objects that stand in rows with others of their kind."""
CUTLERY = ("spoon", "fork", "knife")
TRIES = 12
"""How many random positions are tried for the first object of an arrangement."""


def tote(rng: Generator) -> Mesh:
    """An open container with upright walls, 3 cm (a tray) to 25 cm (a tote) high."""
    x, y = rng.uniform(0.24, 0.5), rng.uniform(0.2, 0.36)
    z, t = (rng.uniform(0.08, 0.25) if rng.random() < 0.8 else rng.uniform(0.03, 0.08)), rng.uniform(0.005, 0.012)
    walls = [box(t, y, z).moved(x=k * (x - t) / 2) for k in (1, -1)]
    walls += [box(x, t, z).moved(y=k * (y - t) / 2) for k in (1, -1)]
    return join(box(x, y, t), *walls).said("open")


TOTES = (
    Family("box", tote, "table", ("plastic", "plastic", "cardboard"), (), ("plain",), (), 0.24, 0.5, 1.0),
    Family("basket", tote, "table", ("plastic", "wicker"), (), ("plain", "checks"), (), 0.24, 0.5, 1.0),
)
"""Containers that are filled with objects."""


class Place:
    """A person's place at a table: a point on the table, and a viewing direction roughly parallel to a table edge."""

    def __init__(self, top: TableTop, quarter: int) -> None:
        rng = top.rng
        self.top = top
        self.turn = yaw(90.0 * quarter + rng.normal(0, 2))
        self.origin = np.append(top.middle, 0.0)

    def begin(self, model: ObjectModel, ahead: float = 0.0, degrees: float = 0.0) -> bool:
        """Choose a random point such that the first model fits ``ahead`` metres in front of it; returns whether one was
        found."""
        for _ in range(TRIES):
            reach = np.maximum(self.top.extent / 2 - 0.1, 0.0)
            self.origin[:2] = self.top.middle + reach * self.top.rng.uniform(-1, 1, 2)
            if self.put(model, 0.0, ahead, degrees):
                return True
        return False

    def put(self, model: ObjectModel, right: float, ahead: float, degrees: float = 0.0, on: float = 0.0) -> bool:
        """Place a model ``right`` and ``ahead`` of the point, metres, as the person sees it, turned by ``degrees``; see
        ``TableTop.put`` for ``on``."""
        x, y, _ = self.turn @ np.array([right, ahead, 0.0]) + self.origin
        return self.top.put(model, self.turn @ yaw(degrees), float(x), float(y), on)


def draw(top: TableTop, nouns: Sequence[str], largest: float = 0.75) -> ObjectModel:
    """Draw an object of one of these nouns, see ``sample_object``."""
    return sample_object(top.rng, "table", largest, [str(top.rng.choice(nouns))])


def work(top: TableTop) -> None:
    """A workplace: monitor, keyboard and mouse, or a laptop with a mouse, and small objects such as a mug or a pen."""
    rng, place = top.rng, Place(top, int(top.rng.integers(4)))
    if rng.random() < 0.65:
        keyboard = draw(top, ["keyboard"])
        place.begin(draw(top, ["monitor"]), rng.uniform(0.2, 0.3), rng.normal(0, 4))
        place.put(keyboard, rng.normal(0, 0.02), 0.0, rng.normal(0, 2))
    else:
        keyboard = draw(top, ["laptop"])
        place.begin(keyboard, 0.05, rng.normal(0, 5))
    beside = float(keyboard.mesh.size[0]) / 2
    place.put(draw(top, ["mouse"]), beside + rng.uniform(0.05, 0.12), rng.normal(0, 0.02), 90 + rng.normal(0, 10))
    for side in (-1, 1):
        if rng.random() < 0.5:
            thing = draw(top, ["mug", "notebook", "phone", "pen", "book", "headphones", "glass", "lamp"], 0.5)
            place.put(thing, side * (beside + rng.uniform(0.08, 0.25)), rng.uniform(0.08, 0.2), rng.uniform(0, 360))


def meal(top: TableTop) -> None:
    """One to four equal place settings: a plate or bowl, perhaps with a bowl or food on it, cutlery beside it, a glass
    or cup behind it."""
    rng = top.rng
    plate, drink = draw(top, ["plate", "plate", "bowl"]), draw(top, ["glass", "cup", "mug"])
    cutlery = [draw(top, [noun]) for noun in CUTLERY]
    for quarter in rng.permutation(4)[: int(rng.integers(1, 5))]:
        place, radius = Place(top, int(quarter)), float(plate.mesh.size[:2].max()) / 2
        if not place.begin(plate):
            continue
        if rng.random() < 0.2:
            place.put(draw(top, ["bowl", "bread", "cake"], max(0.15, 1.6 * radius)), 0.0, 0.0, on=0.05)
        for side, thing in zip((1, -1, 1), cutlery, strict=True):
            away = radius + rng.uniform(0.015, 0.04) + (0.03 if thing is cutlery[0] else 0.0)
            upright = 90.0 if thing.mesh.size[0] > thing.mesh.size[1] else 0.0
            place.put(thing, side * away, rng.normal(0, 0.01), upright + 180 * rng.integers(2) + rng.normal(0, 4))
        place.put(drink, radius * rng.uniform(0.3, 1.1), radius + rng.uniform(0.04, 0.1), rng.uniform(0, 360))


def stack(top: TableTop) -> None:
    """A stack of up to eight objects of one noun: copies of one model, or smaller ones on larger ones."""
    rng, place = top.rng, Place(top, int(top.rng.integers(4)))
    noun, count = str(rng.choice(STACKED)), int(rng.integers(2, 9))
    if rng.random() < 0.5 and noun not in FLAT_SIDED:
        models = [draw(top, [noun], 0.4)] * count
    else:
        drawn = [draw(top, [noun], 0.4) for _ in range(count)]
        models = sorted(drawn, key=lambda m: -float(np.prod(m.mesh.size[:2])))
    if not place.begin(models[0]):
        return
    for model in models[1:]:
        height = top.placed[-1].top
        if height > 0.35 or not place.put(model, rng.normal(0, 0.004), rng.normal(0, 0.004), rng.normal(0, 5), height):
            return


def row(top: TableTop) -> None:
    """A row of up to nine objects: copies of one model, or of two in turn."""
    rng, place = top.rng, Place(top, int(top.rng.integers(4)))
    models = [draw(top, [noun], 0.4) for noun in rng.choice(LINED_UP, int(rng.integers(1, 3)))]
    gap = rng.choice([0.0, rng.uniform(0, 0.01), rng.uniform(0, 0.03)])
    gap += top.heights.cell  # places are rounded to cells
    along = float(models[0].mesh.size[0]) / 2 + gap
    if not place.begin(models[0]):
        return
    for k in range(1, int(rng.integers(3, 10))):
        model = models[k % len(models)]
        w = float(model.mesh.size[0])
        place.put(model, along + w / 2, rng.normal(0, 0.003), rng.normal(0, 3))
        along += w + gap


def full_tote(top: TableTop) -> None:
    """A container into which 5 to 15 objects are dropped."""
    rng, place = top.rng, Place(top, int(top.rng.integers(4)))
    model = make_object(rng, TOTES[int(rng.integers(len(TOTES)))])
    if not place.begin(model, 0.0, rng.normal(0, 15)):
        return
    at, size = top.placed[-1], model.mesh.size
    rim, inner = at.top, np.array(size[:2], float) - 0.03
    for _ in range(int(rng.integers(5, 16))):
        largest = float(rng.uniform(0.2, 0.95)) * float(inner.max())
        thing = sample_object(rng, "table", largest, top.theme if largest > 0.2 else None)
        lying = np.eye(3) if rng.random() < 0.4 else stable_rotation(rng, thing.mesh)
        body = make_body(thing.mesh, yaw(rng.uniform(0, 360)) @ lying, top.heights.cell)
        for _ in range(6):
            x, y = np.array([at.x, at.y]) + rng.uniform(-0.5, 0.5, 2) * inner
            found = settle(top.heights, thing.mesh, body, x, y, rim * 0.9)
            if found is not None and found[3] < rim * 0.9:
                top.commit(thing, *found, anyhow=True)
                break


ARRANGEMENTS = (work, meal, stack, row, full_tote)
CHANCES = (1.0, 2.0, 2.0, 1.5, 2.0)
DESK_CHANCES = (5.0, 1.0, 2.0, 1.5, 2.0)
"""Relative frequency of each arrangement, on other supports and on a desk."""


def arrange(top: TableTop, noun: str) -> None:
    """Make one or two arrangements on an empty top; ``noun`` is the category of the support."""
    chances = np.array(DESK_CHANCES if noun == "desk" else CHANCES)
    for _ in range(int(top.rng.integers(1, 3))):
        ARRANGEMENTS[int(top.rng.choice(len(ARRANGEMENTS), p=chances / chances.sum()))](top)
