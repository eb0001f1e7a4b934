"""Boxes are as small as they can be, and stand upright."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from segvec3d_core.geometry import oriented_box, oriented_boxes

UP = np.array([0, 0, 1], np.float32)


@pytest.mark.parametrize("angle", [0, 20, 45, 77])
@pytest.mark.parametrize("size", [(0.3, 0.2, 0.1), (1.0, 0.0, 1.0), (0.5, 0.0, 0.0)], ids=["block", "panel", "line"])
def test_the_box_of_a_block_panel_or_line_is_that_thing(size, angle):
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    corners = np.stack(np.meshgrid(*[np.linspace(-e / 2, e / 2, 9) for e in size]), -1).reshape(-1, 3)
    box = oriented_box((corners @ turn.T + [1, 2, 3]).astype(np.float32), UP)
    assert np.allclose(np.sort(box.size), np.sort(size), atol=1e-4)
    assert np.allclose(box.center, [1, 2, 3], atol=1e-4)
    assert np.allclose(box.rotation[:, 2], UP)


def test_without_gravity_a_plate_lies_along_its_own_axes():
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points = (rng.uniform(-0.5, 0.5, (4000, 3)) * [0.4, 0.3, 0.02]) @ turn.T
    box = oriented_box(points.astype(np.float32), None)
    assert np.allclose(np.sort(box.size), [0.02, 0.3, 0.4], atol=0.02)


def test_the_box_of_a_crowd_is_that_of_its_outermost_points():
    rng = np.random.default_rng(1)
    points = rng.normal(0, 0.1, (3000, 3)).astype(np.float32)
    hull = np.unique(ConvexHull(points[:, :2]).vertices)
    ends = [points[:, 2].argmin(), points[:, 2].argmax()]
    outermost = oriented_box(points[np.union1d(hull, ends)], UP)
    assert np.allclose(oriented_box(points, UP).size, outermost.size, atol=1e-6)


def smallest_area(plane: np.ndarray) -> float:
    """Area of the smallest rectangle around (N, 2) points: tried along every side of the hull that scipy finds."""
    hull = plane[ConvexHull(plane).vertices]
    sides = np.roll(hull, -1, 0) - hull
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    return (np.ptp(sides @ hull.T, axis=1) * np.ptp(sides @ [[0, 1], [-1, 0]] @ hull.T, axis=1)).min()


@pytest.mark.parametrize("shape", ["crowd", "grid", "few"])
def test_no_upright_box_is_smaller(shape):
    rng = np.random.default_rng(2)
    sets = []
    for count in (4, 9, 70, 1_500) if shape != "few" else (3, 4, 5, 6):
        points = rng.normal(0, 0.2, (count, 3)) if shape != "grid" else rng.integers(0, 9, (count, 3)) * 0.05
        sets.append((points @ np.linalg.qr(rng.normal(size=(3, 3)))[0] + [3, -2, 1]).astype(np.float32))
    points, starts = np.concatenate(sets).astype(np.float32), np.cumsum([0, *map(len, sets)])
    order = rng.permutation(len(points))
    boxes = oriented_boxes(points[order], np.argsort(order), starts, UP)
    for some, box in zip(sets, boxes, strict=True):
        assert box.size[0] * box.size[1] == pytest.approx(smallest_area(some[:, :2].astype(float)), rel=1e-4)
        local = (some - box.center) @ box.rotation
        assert np.abs(local).max(0) == pytest.approx(box.size / 2, abs=1e-5)
        alone = oriented_box(some, UP)
        assert (alone.size == box.size).all()


def test_many_points_in_one_place_have_a_box_of_no_size():
    box = oriented_box(np.full((900, 3), 0.3, np.float32), UP)
    assert (box.size == 0).all()
    assert box.center == pytest.approx([0.3] * 3)
    assert oriented_boxes(np.zeros((0, 3), np.float32), np.zeros(0, int), np.zeros(1, int), None) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_points_have_a_box(count):
    box = oriented_box(np.arange(3 * count, dtype=np.float32).reshape(count, 3), UP)
    assert np.isfinite(box.size).all()
    assert np.isclose(np.linalg.det(box.rotation), 1, atol=1e-5)
