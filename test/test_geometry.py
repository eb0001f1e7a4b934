"""Boxes are as small as they can be, and stand upright."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from segvec3d_core.geometry import oriented_box

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


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_few_points_have_a_box(count):
    box = oriented_box(np.arange(3 * count, dtype=np.float32).reshape(count, 3), UP)
    assert np.isfinite(box.size).all()
    assert np.isclose(np.linalg.det(box.rotation), 1, atol=1e-5)
