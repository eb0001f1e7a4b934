"""What stands on simulated tables and shelves, and how near it is seen."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray

from segvec3d_core.simulate import (
    SceneModel,
    first_edition,
    look_at,
    make_object,
    render,
    sample_scene,
    sample_view,
)
from segvec3d_core.simulate.arrangements import ARRANGEMENTS, TOTES, full_tote
from segvec3d_core.simulate.piles import TableTop
from segvec3d_core.simulate.placing import HeightMap
from segvec3d_core.simulate.sensor import NEAREST
from segvec3d_core.simulate.shapes_storage import bookcase, shelf_levels
from segvec3d_core.simulate.shelves import Board, boards, fill_board
from segvec3d_core.simulate.tables import table_scene
from segvec3d_core.types import Camera


def extents(scene: SceneModel) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Lowest and highest corner of each entity."""
    corners = [scene.vertices[scene.faces[scene.face_entity == k].ravel()] for k in range(len(scene.entities))]
    return [(c.min(0), c.max(0)) for c in corners]


def test_shelves_are_stocked_and_nothing_sticks_out_of_its_compartment() -> None:
    rng = default_rng(0)
    for books in (False, True, False, False):
        board = Board(np.array([-0.5, -0.2, 0.3]), np.array([0.5, 0.15, 0.62]))
        placed = list(fill_board(rng, board, books))
        ends, names = [], [model.info.category for model, *_ in placed]
        for model, rotation, offset in placed:
            points = model.mesh.vertices @ rotation.T + offset
            low, high = points.min(0), points.max(0)
            assert (low > board.low - 1e-3).all(), model.info.name
            assert (high < board.high + 1e-3).all(), model.info.name
            ends.append((low, high))
        assert max(high[0] for _, high in ends) - min(low[0] for low, _ in ends) > 0.2
        for k, (low, high) in enumerate(ends):
            for j, (other_low, other_high) in enumerate(ends[:k]):
                shared = np.minimum(high, other_high) - np.maximum(low, other_low)
                # Leaning books may share a box, nothing else does.
                both = names[k] == names[j] == "book"
                assert both or shared.min() < 0.001


def test_the_boards_of_a_shelf_are_found_in_its_mesh() -> None:
    found = boards(shelf_levels(default_rng(0), 0.9, 0.3, 1.6, 4))
    assert [round(float(b.low[2]), 3) for b in found] == [0.02, 0.415, 0.81, 1.205]
    assert len(boards(bookcase(default_rng(1)))) >= 3


def test_a_shelf_that_holds_things_and_fills_the_rim_is_a_surface() -> None:
    scene = sample_scene(default_rng(3), "shelf")
    assert scene.entities[0].carries
    camera = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)
    _, y, z = scene.entities[0].size
    for away, kind in ((0.25, "surface"), (3.5, "object")):
        view = look_at(np.array([0.0, -y / 2 - away, z / 2]), np.array([0.0, 0.0, z / 2]), 0.0)
        assert render(default_rng(0), scene, view, camera, "ideal").entities[0].kind == kind


def test_sparse_shelves_are_judged_as_todays_where_todays_things_stand_on_them() -> None:
    with first_edition(shapes=False):
        scenes = [sample_scene(default_rng(seed), "shelf") for seed in range(4)]
    stocked = [any(entity.kind == "object" for entity in scene.entities[1:]) for scene in scenes]
    assert [scene.entities[0].carries for scene in scenes] == stocked
    with first_edition():
        assert not sample_scene(default_rng(0), "shelf").entities[0].carries


def test_no_furniture_of_a_room_is_what_the_scene_is_about() -> None:
    for seed in range(4):
        assert not any(entity.carries for entity in sample_scene(default_rng(seed), "room").entities)


def test_towers_are_rare_and_large_things_find_a_place() -> None:
    sizes, towers = [], 0
    for seed in range(16):
        top = TableTop(default_rng(seed), HeightMap(-0.5, -0.4, 1.0, 0.8, 0.006), 0.5)
        top.fill(10)
        sizes += [float(p.model.mesh.size.max()) for p in top.placed]
        towers += sum(p.level > 1 for p in top.placed)
    assert towers < 0.08 * len(sizes)
    assert np.mean(np.array(sizes) > 0.2) > 0.25


@pytest.mark.parametrize("arrange", ARRANGEMENTS)
def test_an_arrangement_lays_several_things_out(arrange) -> None:  # type: ignore[no-untyped-def]
    counts = []
    for seed in range(6):
        top = TableTop(default_rng(seed), HeightMap(-0.7, -0.5, 1.4, 1.0, 0.006), 0.5)
        arrange(top)
        counts.append(len(top.placed))
    assert np.median(counts) >= 2


def test_what_is_in_a_tote_lies_within_its_walls() -> None:
    for seed in range(4):
        top = TableTop(default_rng(seed), HeightMap(-0.7, -0.5, 1.4, 1.0, 0.004), 0.5)
        full_tote(top)
        tote, *things = top.placed
        for thing in things:
            assert np.hypot(thing.x - tote.x, thing.y - tote.y) < tote.radius
    assert make_object(default_rng(0), TOTES[0]).info.shape_words == ("open",)


def test_some_tables_are_seen_from_near_by_but_never_nearer_than_the_sensor_measures() -> None:
    distances = []
    for seed in range(24):
        rng = default_rng([2, seed])
        scene = table_scene(rng, None, background=False)
        if scene.close:
            assert len(scene.entities) < 8
            for sensor in ("kinect", "generic"):
                view = sample_view(rng, scene, sensor=sensor)
                distances.append(float(np.linalg.norm(scene.vertices - view.eye, axis=1).min()))
                assert distances[-1] > NEAREST[sensor] - 0.15
    assert len(distances) >= 6
    assert min(distances) < 0.5
