"""Cloth, covers and carved things are sound, and none of them is in the first edition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from segvec3d_core.simulate import FAMILIES, first_edition, sample_object
from segvec3d_core.simulate.draping import TALLEST, draw_cover, thrown
from segvec3d_core.simulate.meshes import Mesh
from segvec3d_core.simulate.piles import TableTop
from segvec3d_core.simulate.placing import HeightMap, make_body
from segvec3d_core.simulate.raster import plan
from segvec3d_core.simulate.shapes_carved import carved, surface_nets
from segvec3d_core.simulate.sheets import Sheet
from segvec3d_core.simulate.tables import table_scene


def is_closed(mesh: Mesh) -> bool:
    """Whether every edge belongs to two faces, points that lie on one another being one."""
    _, point = np.unique(np.round(mesh.vertices, 6), axis=0, return_inverse=True)
    faces = point.ravel()[mesh.faces]
    faces = faces[(faces != np.roll(faces, 1, 1)).all(1)]
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    return bool((count % 2 == 0).all())


def volume(mesh: Mesh) -> float:
    """Within a closed mesh whose faces turn outwards, cubic metres."""
    a, b, c = mesh.vertices[mesh.faces].astype(float).swapaxes(0, 1)
    return float((a * np.cross(b, c)).sum() / 6)


def test_a_sphere_of_distances_becomes_a_closed_sphere() -> None:
    axis = np.linspace(-1.2, 1.2, 31)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"))
    body = surface_nets(np.linalg.norm(grid, axis=0) - 1, np.full(3, -1.2), axis[1] - axis[0])
    assert is_closed(body)
    assert np.abs(np.linalg.norm(body.vertices, axis=1) - 1).max() < 0.02
    assert volume(body) == pytest.approx(4 / 3 * np.pi, rel=0.02)


@pytest.mark.parametrize("seed", range(12))
def test_a_carved_thing_is_one_closed_piece_of_moderate_detail(seed: int) -> None:
    body = carved(np.random.default_rng(seed))
    assert is_closed(body)
    assert volume(body) > 0
    assert 0.049 < body.size.max() < 0.351
    assert 500 < len(body.faces) < 9000
    start, end = body.faces[:, [0, 1]].ravel(), body.faces[:, [1, 2]].ravel()
    edges = coo_array((np.ones(len(start)), (start, end)), (len(body.vertices),) * 2)
    assert connected_components(edges, directed=False)[0] == 1


@pytest.mark.parametrize("seed", range(8))
def test_a_sheet_is_closed_and_as_high_as_its_ridges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    body = Sheet(0.4, 0.3, thick=0.002, rise=0.02, heap=0.0, square=0.3, ragged=0.1).mesh(rng)
    assert is_closed(body)
    assert body.vertices[:, 2].min() == pytest.approx(0, abs=1e-6)
    assert 0.008 < body.size[2] < 0.0221
    assert len(body.faces) < 5000


@pytest.mark.parametrize("seed", range(6))
def test_a_cover_lies_under_what_stands_on_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cover = draw_cover(rng, (-0.4, 0.4, -0.3, 0.3))
    heights = HeightMap(-0.4, -0.3, 0.8, 0.6, 0.004)
    cover.lift(heights)
    with first_edition():
        model = sample_object(rng, "table", 0.2, ["box"])
    body = make_body(model.mesh, np.eye(3), heights.cell)
    row, column = heights.cell_of(body, 0.0, 0.0)
    z = heights.rest(body, row, column)
    assert z is not None
    assert 0 <= z <= cover.level + 1e-6
    offset = body.shift + heights.add(body, row, column, z)
    pressed = cover.pressed([(model, np.eye(3), offset)])
    value = np.full((1, 1), -1.0)
    plan(pressed.vertices, pressed.faces, 0.0, 0.0, 0.004, value)
    assert value[0, 0] <= z + 1e-6
    assert pressed.vertices[:, 2].max() <= 0.0125


@pytest.mark.parametrize("seed", range(6))
def test_a_cloth_that_is_thrown_over_things_lies_on_them_closed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    heights = HeightMap(-0.5, -0.5, 1.0, 1.0, 0.004)
    heights.height[100:140, 90:150] = 0.08
    laid = thrown(rng, heights)
    assert laid is not None
    mesh, offset = laid
    assert is_closed(mesh)
    value = np.full(heights.height.shape, -1.0)
    plan(mesh.vertices + offset, mesh.faces, heights.x0, heights.y0, heights.cell, value)
    over = value > -1
    assert over.sum() > 300
    assert (value - heights.height)[over].min() > 0
    assert (mesh.vertices + offset)[:, 2].min() >= -1e-6


def test_no_cloth_is_thrown_over_a_tower() -> None:
    heights = HeightMap(-0.5, -0.5, 1.0, 1.0, 0.004)
    heights.height[:, ::8] = TALLEST + 0.05
    heights.height[:, 1::8] = 0.0
    assert all(thrown(np.random.default_rng(seed), heights) is None for seed in range(5))


def test_a_third_of_the_tables_has_a_cover_and_none_of_the_first_edition() -> None:
    def covers() -> int:
        scenes = [table_scene(np.random.default_rng(seed), 0, background=False) for seed in range(45)]
        heights = [scene.vertices[:, 2] for scene in scenes]
        return sum(((z > 1e-4) & (z < 0.0125)).sum() > 60 for z in heights)

    assert 6 <= covers() <= 26
    with first_edition():
        assert covers() == 0


def test_soft_things_are_drawn_often() -> None:
    small = [f for f in FAMILIES if f.place != "floor"]
    soft = sum(f.weight for f in small if f.make.__module__.endswith("shapes_soft"))
    assert 0.08 < soft / sum(f.weight for f in small) < 0.25


def test_things_are_laid_out_on_a_thick_cover_as_on_a_bare_top() -> None:
    def laid(level: float) -> int:
        top = TableTop(np.random.default_rng(0), HeightMap(-0.6, -0.4, 1.2, 0.8, 0.004, level), 0.5)
        model = sample_object(top.rng, "table", 0.3, ["plate"])
        return sum(top.put(model, np.eye(3), x, 0.0) for x in (-0.35, 0.0, 0.35))

    assert laid(0.0035) == laid(0.0) == 3
