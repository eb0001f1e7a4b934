"""Simulated scenes that are asked about, and what is true of them; training draws others."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator

from segvec3d_core.geometry import oriented_box
from segvec3d_core.quiz import Known
from segvec3d_core.types import Kind, PointCloud, Scene, SceneObject

if TYPE_CHECKING:
    from segvec3d_core.simulate import Entity, SimulatedFrame

LEAST_PIXELS = 20
"""What shows less of itself is nobody's business."""
SQUARE = 1.5
"""Edge of the piece of floor on which named things stand, metres."""


def first_edition() -> AbstractContextManager[None]:
    """Within it scenes hold what they did when they were fixed, see ``simulate.first_edition``."""
    from segvec3d_core.simulate import first_edition

    return first_edition()


def nouns() -> list[str]:
    """Names of what the simulator makes, in the edition at hand."""
    from segvec3d_core.simulate import families

    return sorted({family.category for family in families()} - {"thing"})


def table_frame(rng: Generator) -> SimulatedFrame:
    """A table with about 20 things of any kind, seen from near by."""
    from segvec3d_core.simulate import simulate_frame

    return simulate_frame(rng, "table", objects=20, whole=0)


def floor_frame(rng: Generator, named: Sequence[str], others: int = 5) -> SimulatedFrame:
    """One thing of each noun, as far as there is room, and some others, on the floor of a room.

    A kind that is rare, or too large for a table, is then seen as often as any other.
    """
    from segvec3d_core import simulate
    from segvec3d_core.simulate.placing import HeightMap, make_body, settle, stable_rotation, yaw
    from segvec3d_core.simulate.scenes import Builder
    from segvec3d_core.simulate.walls import add_shell

    builder = Builder()
    add_shell(rng, builder, 3.6, 3.6, 2.5, 0.0, (0, 1, 2, 3), True)
    heights = HeightMap(-SQUARE / 2, -SQUARE / 2, SQUARE, SQUARE, 0.005)
    families = [[f for f in simulate.families() if f.category == noun] for noun in named]
    fillers = [f for f in simulate.families() if f.category not in named and f.place != "floor"]
    for among in rng.permutation(np.arange(len(families) + others)):
        choice = families[among] if among < len(families) else fillers
        model = simulate.make_object(rng, choice[int(rng.integers(len(choice)))])
        for attempt in range(24):
            # What does not stand, as a hammer does not, lies.
            lying = np.eye(3) if attempt < 12 else stable_rotation(rng, model.mesh)
            body = make_body(model.mesh, yaw(rng.uniform(0, 360)) @ lying, heights.cell)
            x, y = rng.uniform(-SQUARE / 2, SQUARE / 2, 2)
            found = settle(heights, model.mesh, body, x, y, 0.004)
            if found is not None:
                body, row, column, z = found
                offset = heights.add(body, row, column, z)
                builder.add(model, body.rotation, body.shift + offset)
                break
    scene = builder.build(np.array([0.0, 0.0, 0.1]), SQUARE / 2, "room", (-1.65, 1.65, -1.65, 1.65))
    return simulate.render(rng, scene, simulate.sample_view(rng, scene), simulate.sample_camera(rng, 640, 480))


def known_things(frame: SimulatedFrame) -> tuple[PointCloud, list[Known], Scene]:
    """The cloud, its objects, and a scene whose instances are these objects, then the surfaces."""
    cloud, instance = frame.cloud(), frame.instance.reshape(-1)
    seen = np.isfinite(cloud.points).all(1)
    pixels = np.bincount(instance[seen & (instance >= 0)], minlength=len(frame.entities))
    things: list[Known] = []
    objects: list[SceneObject] = []
    kinds: tuple[Kind, ...] = ("object", "surface")
    for kind in kinds:
        for k, entity in enumerate(frame.entities):
            if entity.kind != kind or pixels[k] < LEAST_PIXELS:
                continue
            mask = seen & (instance == k)
            points = cloud.points[mask]
            if kind == "object":  # flying pixels lie beyond the thing
                near = np.linalg.norm(points - entity.center, axis=1) < np.linalg.norm(entity.size) / 2 + 0.01
                points = points[near] if near.any() else points
            box = oriented_box(points, frame.up)
            objects.append(SceneObject(kind, 1.0, box, points.mean(0), np.zeros(0, np.float32), None, len(points)))
            if kind == "object":
                things.append(_known(entity, int(pixels[k]), mask))
    labels, axes = np.full(len(cloud), -1, np.int32), np.eye(3, dtype=np.float32)
    truth = Scene(labels, tuple(objects), {}, cloud.viewpoint, frame.up, axes)
    return cloud, things, truth


def surface_names(frame: SimulatedFrame) -> frozenset[str]:
    """What a person might call the surfaces in view, as a table of which the top alone is seen."""
    from segvec3d_core.simulate import NOUNS

    pixels = np.bincount(frame.instance[frame.instance >= 0], minlength=len(frame.entities))
    infos = [e.info for k, e in enumerate(frame.entities) if e.kind == "surface" and pixels[k] >= LEAST_PIXELS]
    return frozenset(word for i in infos for word in (i.category, *i.synonyms, *NOUNS[i.category].hypernyms))


def _known(entity: Entity, pixels: int, mask: np.ndarray) -> Known:
    from segvec3d_core.simulate import NOUNS

    info = entity.info
    noun = NOUNS[info.category]
    return Known(
        info.category, info.synonyms, noun.hypernyms, noun.uses, info.color, info.second_color, info.material,
        info.size, pixels, mask,
    )  # fmt: skip
