"""Walls have windows, curtains and boards that belong to them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from segvec3d_core.simulate import Layout, first_edition, sample_scene
from segvec3d_core.simulate.walls import DEEPEST, PARTS, draw_relief


def test_what_stands_out_of_a_wall_lies_within_it_and_reaches_a_few_centimetres_into_the_room() -> None:
    out = []
    for seed, along in product(range(60), (0.8, 2.41, 2.6, 2.8, 3.0)):
        for part in draw_relief(np.random.default_rng(seed), along, 2.5):
            low, high = part.vertices.min(0), part.vertices.max(0)
            assert high[0] <= 1e-4
            assert (low[1:] > [-along / 2 - 1e-3, -0.001]).all()
            assert (high[1:] < [along / 2 + 1e-3, 2.501]).all()
            assert part.parts.max() < PARTS
            out.append(-low[0])
    assert 0 <= min(out) < 0.01
    assert 0.04 < max(out) < DEEPEST + 1e-4


@pytest.mark.parametrize("layout", ["room", "shelf"])
def test_nothing_stands_in_what_stands_out_of_a_wall(layout: Layout) -> None:
    met = 0
    for seed in range(12):
        scene = sample_scene(np.random.default_rng(seed), layout)
        names = [e.info.category for e in scene.entities]
        corners = [scene.vertices[scene.faces[scene.face_entity == k]] for k in range(len(names))]
        boxes = [
            (c.min((0, 1)) + 0.002, c.max((0, 1)) - 0.002)
            for c, name in zip(corners, names, strict=True)
            if name not in ("wall", "floor", "ceiling")
        ]
        for k in (k for k, name in enumerate(names) if name == "wall"):
            low, high = corners[k].min(1), corners[k].max(1)  # of each triangle
            met += sum(bool(((high > b[0]) & (low < b[1])).all(1).any()) for b in boxes)
    assert met == 0


def test_relief_is_part_of_the_wall_and_the_first_edition_has_none() -> None:
    def parts_of_walls() -> int:
        scene = sample_scene(np.random.default_rng(1), "room")
        walls = [k for k, e in enumerate(scene.entities) if e.info.category == "wall"]
        assert all(scene.entities[k].kind == "surface" for k in walls)
        return int(np.isin(scene.face_entity, walls).sum())

    assert parts_of_walls() > 4 * 12
    with first_edition():
        assert parts_of_walls() == 4 * 12
