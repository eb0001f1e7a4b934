"""Table scenes: a table with things on it, with or without a room around it."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, box, cylinder, join
from .objects import ObjectModel, material_row
from .piles import TableTop
from .placing import HeightMap
from .rooms import furnish_around
from .scenes import Builder, SceneModel, Workspace, surface_model


def table_model(rng: Generator) -> ObjectModel:
    """A table whose top is at z = 0, large or small, rectangular or round; its legs belong to it."""
    height = rng.uniform(0.65, 0.8)
    thick = rng.uniform(0.015, 0.05)
    if rng.random() < 0.22:
        r = rng.uniform(0.35, 0.7)
        mesh: Mesh = join(
            cylinder(r, thick, 48, 0.004).moved(z=-thick), cylinder(0.05, height - thick, 16).moved(z=-height).part(1)
        ).said("round")
    else:
        x, y = rng.uniform(0.6, 2.0), rng.uniform(0.5, 1.1)
        leg = rng.uniform(0.04, 0.08)
        legs = [
            box(leg, leg, height - thick).moved(i * (x / 2 - leg), j * (y / 2 - leg), -height).part(1)
            for i in (1, -1)
            for j in (1, -1)
        ]
        mesh = join(box(x, y, thick).moved(z=-thick), *legs)
    color, pattern = _cover(rng)
    second = color if pattern in ("wood", "noise") else str(rng.choice(["white", "grey", "beige", "blue", "red"]))
    rows = np.stack([
        material_row(rng, color, second, pattern, "wood", rng.uniform(0.25, 0.8)),
        material_row(rng, str(rng.choice(["black", "silver", color])), color, "plain", "wood", 1.0),
    ])  # fmt: skip
    return surface_model("table", color, "wood", mesh, rows, pattern)


def _cover(rng: Generator) -> tuple[str, str]:
    """Colour and pattern of a table top: wood, plain, or a patterned cloth."""
    kind = rng.random()
    if kind < 0.45:
        return str(rng.choice(["brown", "beige", "beige"])), "wood"
    if kind < 0.85:
        return str(rng.choice(["white", "grey", "black", "beige", "blue", "green", "brown"])), str(
            rng.choice(["plain", "noise"])
        )
    return str(rng.choice(["white", "red", "blue", "green", "beige", "yellow"])), str(
        rng.choice(["checks", "stripes", "dots"])
    )


def table_scene(rng: Generator, objects: int | None, background: bool | None) -> SceneModel:
    """Objects on a table, with or without a room around it."""
    builder = Builder()
    table = table_model(rng)
    builder.add(table, np.eye(3), np.zeros(3), "surface")
    size = table.mesh.size
    inset = 0.72 if "round" in table.mesh.words else 1.0
    area = np.minimum(size[:2] * inset, [rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.8)])
    middle = (size[:2] * inset - area) / 2 * rng.uniform(-1, 1, 2)
    heights = HeightMap(middle[0] - area[0] / 2, middle[1] - area[1] / 2, area[0], area[1], 0.004)
    count = (
        objects
        if objects is not None
        else int(rng.choice([rng.integers(1, 6), rng.integers(4, 13), rng.integers(8, 26)]))
    )
    top = TableTop(rng, heights, float(rng.choice([0.2, 0.3, 0.4])))
    top.fill(count)
    for model, rotation, offset in top.result:
        builder.add(model, rotation, offset)
    if rng.random() < 0.7 if background is None else background:
        furnish_around(rng, builder, size)
    focus, spread = np.array([*middle, 0.03]), float(np.hypot(*area)) / 2
    if top.placed and rng.random() < 0.7:
        # Mostly a camera looks at the things rather than at the table.
        where = np.array([(p.x, p.y) for p in top.placed])
        focus = np.array([*where.mean(0), 0.05])
        farthest = np.linalg.norm(where - where.mean(0), axis=1).max() + max(p.radius for p in top.placed)
        spread = float(np.clip(farthest * 1.15, 0.2, spread))
    workspace = None
    if rng.random() < 0.3:
        reach = area / 2 + rng.uniform(0.05, 0.5, 2)
        low, high = np.maximum(middle - reach, -size[:2] / 2), np.minimum(middle + reach, size[:2] / 2)
        workspace = Workspace(
            (float(low[0]), float(low[1])), (float(high[0]), float(high[1])), -0.02, rng.uniform(1.2, 1.8)
        )
    return builder.build(focus, spread, "table", None, workspace)
