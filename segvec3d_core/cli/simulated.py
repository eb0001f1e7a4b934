"""Simulated scenes for evaluating queries, with ground truth. Training uses other scenes."""

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
"""Fewest visible pixels with which a thing or a surface counts."""
SQUARE = 1.5
"""Edge of the square of floor on which things are placed, metres."""


def first_edition() -> AbstractContextManager[None]:
    """Context in which scenes are simulated as when the evaluation was defined, see ``simulate.first_edition``."""
    from segvec3d_core.simulate import first_edition

    return first_edition()


def nouns() -> list[str]:
    """Names of the categories that the simulator makes, in the current edition."""
    from segvec3d_core.simulate import families

    return sorted({family.category for family in families()} - {"thing"})


def table_frame(rng: Generator) -> SimulatedFrame:
    """Simulate a table with about 20 things of any category, seen from nearby."""
    from segvec3d_core.simulate import simulate_frame

    return simulate_frame(rng, "table", objects=20, whole=0)


def floor_frame(rng: Generator, named: Sequence[str], others: int = 5) -> SimulatedFrame:
    """Simulate the floor of a room with one thing of each noun in ``named``, as far as there is room, and some others.

    Categories that are rare or too large for a table are thus as frequent as any other.
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
            # A thing that does not settle upright, such as a hammer, is laid on a facet of its convex hull.
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
    """The cloud of a frame, its objects, and a scene with the boxes of these objects, followed by the surfaces.

    The scene's point labels are all -1; each object's points are in its ``Known.mask``.
    """
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
            if kind == "object":  # discard flying pixels, which lie outside of the thing
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
    """Names that a person might use for the surfaces in view, such as a table of which only the top is seen."""
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
