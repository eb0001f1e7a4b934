"""Walls have windows, curtains and boards that belong to them."""

from __future__ import annotations

import numpy as np

from segvec3d_core.simulate import first_edition, sample_scene
from segvec3d_core.simulate.walls import DEEPEST, PARTS, wall


def test_what_stands_out_of_a_wall_lies_within_it_and_reaches_a_few_centimetres_into_the_room() -> None:
    out = []
    for seed in range(60):
        mesh = wall(np.random.default_rng(seed), 0.05, 3.0, 2.5)
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        assert high[0] <= 0.0251
        assert (low[1:] > [-1.501, -0.001]).all()
        assert (high[1:] < [1.501, 2.501]).all()
        assert mesh.parts.max() < PARTS
        out.append(-0.025 - low[0])
    assert 0 <= min(out) < 0.01
    assert 0.04 < max(out) < DEEPEST + 1e-4


def test_relief_is_part_of_the_wall_and_the_first_edition_has_none() -> None:
    def parts_of_walls() -> int:
        scene = sample_scene(np.random.default_rng(1), "room")
        walls = [k for k, e in enumerate(scene.entities) if e.info.category == "wall"]
        assert all(scene.entities[k].kind == "surface" for k in walls)
        return int(np.isin(scene.face_entity, walls).sum())

    assert parts_of_walls() > 4 * 12
    with first_edition():
        assert parts_of_walls() == 4 * 12
