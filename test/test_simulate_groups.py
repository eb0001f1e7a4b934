"""Furniture stands in groups, one piece below another, and none within another."""

from __future__ import annotations

import numpy as np

from segvec3d_core.simulate import ObjectModel, first_edition, make_object, sample_object, sample_scene
from segvec3d_core.simulate.clutter import lay_cushions
from segvec3d_core.simulate.groups import Floor, draw_up_seats, line_up, put_below
from segvec3d_core.simulate.meshes import Mesh, box, join
from segvec3d_core.simulate.placing import yaw
from segvec3d_core.simulate.scenes import Builder
from segvec3d_core.simulate.shapes import FAMILIES


def of(rng: np.random.Generator, category: str) -> ObjectModel:
    """Some thing of a category."""
    return make_object(rng, next(f for f in FAMILIES if f.category == category))


def a_table(builder: Builder, floor: Floor) -> Mesh:
    """A table of 1.6 x 0.9 m on four legs in the middle of a floor."""
    legs = [box(0.05, 0.05, 0.72).moved(i * 0.75, j * 0.4) for i in (1, -1) for j in (1, -1)]
    mesh = join(box(1.6, 0.9, 0.03).moved(z=0.72), *legs)
    model = of(np.random.default_rng(0), "table")
    assert floor.put(builder, ObjectModel(model.info, mesh, model.materials), np.eye(3), np.zeros(3)) is not None
    return mesh


def test_seats_reach_below_a_table_and_touch_neither_it_nor_each_other() -> None:
    tucked = 0
    for seed in range(6):
        builder, floor = Builder(), Floor(-2.5, -2.5, 5.0, 5.0, 0.0)
        mesh = a_table(builder, floor)
        rng = np.random.default_rng(seed)
        draw_up_seats(rng, builder, floor, mesh, np.eye(3), np.zeros(3), (0, 1, 2, 3))
        for vertices in builder.vertices[1:]:
            low, high = vertices.min(0), vertices.max(0)
            tucked += bool((low[:2] < [0.75, 0.4]).all() and (high[:2] > [-0.75, -0.4]).all())
        taken = np.zeros((40, *floor.height.shape), int)
        for body, row, column in floor.standing:
            levels = (np.arange(40)[:, None, None] + 0.5) * 0.05
            rows, columns = body.low.shape
            taken[:, row : row + rows, column : column + columns] += (levels > body.low) & (levels < body.high)
        assert taken.max() == 1
    assert tucked >= 6


def test_what_is_put_below_a_table_is_lower_than_its_underside() -> None:
    found = below = 0
    for seed in range(10):
        builder, floor = Builder(), Floor(-2.5, -2.5, 5.0, 5.0, 0.0)
        mesh = a_table(builder, floor)
        found += put_below(np.random.default_rng(seed), builder, floor, mesh, np.eye(3), np.zeros(3))
        for vertices in builder.vertices[1:]:
            covered = (np.abs(vertices[:, :2]) < [0.75, 0.4]).all(1)
            assert (vertices[covered, 2] < 0.72).all()
            below += bool(covered.any())
    assert found >= below >= 5


def test_a_row_is_of_one_model_along_one_wall() -> None:
    rows = []
    for seed in range(10):
        builder, floor = Builder(), Floor(-2.5, -2.0, 5.0, 4.0, 0.0)
        placed = line_up(np.random.default_rng(seed), builder, floor, 0)
        assert len({id(model) for model, *_ in placed}) <= 1
        assert all(v[:, 1].max() > 1.5 for v in builder.vertices)
        rows.append(len(placed))
    assert max(rows) >= 3


def test_cushions_lie_on_a_bed() -> None:
    builder, rng = Builder(), np.random.default_rng(0)
    bed = of(rng, "bed")
    assert lay_cushions(rng, builder, (bed, yaw(30), np.zeros(3)), 4) >= 2
    assert all(v[:, 2].min() > 0.2 for v in builder.vertices)


def test_nothing_stands_in_a_wall_or_in_what_stands_there() -> None:
    floor, chair = Floor(-1.0, -1.0, 2.0, 2.0, 0.0), sample_object(np.random.default_rng(0), "floor", 9, ["chair"])
    builder = Builder()
    assert floor.put(builder, chair, np.eye(3), np.array([0.95, 0.0, 0.0])) is None
    assert floor.put(builder, chair, np.eye(3), np.zeros(3)) is not None
    assert floor.put(builder, chair, np.eye(3), np.array([0.1, 0.1, 0.0])) is None


def test_groups_come_in_rooms_but_not_in_those_of_the_first_edition() -> None:
    def most_alike(seed: int) -> int:
        infos = [e.info for e in sample_scene(np.random.default_rng(seed), "room").entities if e.size.max() > 0.6]
        return max(sum(info is other for other in infos) for info in infos)

    assert any(most_alike(seed) >= 3 for seed in range(25))
    with first_edition():
        assert max(most_alike(seed) for seed in range(5)) == 1
