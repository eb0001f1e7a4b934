"""Kernels that say of superpoints what they are like say what numpy says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from segvec3d_core.kernels.nearest import nearest_rows
from segvec3d_core.kernels.superpoints import mean_and_largest, mean_direction, moments, rim_shares


def test_mean_and_largest_are_what_they_are_called():
    rng = np.random.default_rng(0)
    values, owner = rng.normal(size=(200, 3)).astype(np.float32), rng.integers(-1, 6, 200)
    mean, largest = mean_and_largest(values, owner, 7)
    for k in range(6):
        assert mean[k] == pytest.approx(values[owner == k].mean(0), abs=1e-6)
        assert np.array_equal(largest[k], values[owner == k].max(0))
    assert (mean[6] == 0).all()
    assert (largest[6] == -np.inf).all()


def test_moments_are_what_numpy_says_of_each_superpoint():
    rng = np.random.default_rng(0)
    n = 200
    points, normals = (rng.normal(size=(n, 3)).astype(np.float32) for _ in range(2))
    colors = rng.uniform(size=(n, 3)).astype(np.float32)
    colors[::5] = 0  # not seen
    surface, edges = rng.uniform(size=n).astype(np.float32), rng.uniform(0.01, 0.02, n).astype(np.float32)
    surface[:3] = 0  # as sure as float32 can be
    e, of_voxel = rng.normal(size=(n, 5)).astype(np.float32), rng.integers(-1, 3, n)
    sizes, means, ends, spread, further = moments(points, normals, colors, surface, edges, e, of_voxel, 4, 0.3)
    assert sizes.tolist() == [(of_voxel == k).sum() for k in range(4)]
    p = np.clip(surface, 1e-6, 1 - 1e-6)[:, None].astype(np.float64)
    seen = np.where(colors.any(1, keepdims=True), colors, np.nan)
    rows = np.concatenate([e, p, np.log(p / (1 - p)), points, normals, abs(normals), seen, edges[:, None]], 1)
    for k in range(3):
        mine = of_voxel == k
        assert means[k] == pytest.approx(np.nanmean(rows[mine], 0), abs=1e-4)
        assert ends[k].tolist() == [points[mine, 2].min(), points[mine, 2].max()]
        assert spread[k] == pytest.approx(np.cov(points[mine].T, bias=True), abs=1e-5)
        assert further[k, 0] == pytest.approx((points[mine, 2] < points[mine, 2].max() - 0.3).mean())
        assert further[k, 1] == pytest.approx(np.square(e[mine] - e[mine].mean(0)).sum(1).mean(), rel=1e-5)
    assert not np.nan_to_num(means[3]).any(), "a superpoint of no voxel"
    colorless = moments(points, normals, colors[:0], surface, edges, e, of_voxel, 4, 0.3)[1]
    assert np.isnan(colorless[:3, -4:-1]).all()
    assert np.array_equal(np.delete(colorless, [-4, -3, -2], 1), np.delete(means, [-4, -3, -2], 1))
    colors[of_voxel == 1] = 0
    partly = moments(points, normals, colors, surface, edges, e, of_voxel, 4, 0.3)[1]
    assert np.isnan(partly[:3, -4:-1]).all(1).tolist() == [False, True, False]


def test_the_mean_direction_of_rays_takes_all_as_equally_long():
    rays = np.array([[3, 0, 0], [0, 0, 0.1], [0, 0, 0]], np.float32)
    assert mean_direction(rays) == pytest.approx([1 / 3, 0, 1 / 3])
    assert mean_direction(rays[:0]).tolist() == [0, 0, 0]


def test_the_rim_is_shared_by_length_wherever_the_middle_of_the_view_lies():
    """An image twice as wide as high, seen a little from its left: things of its border have shares of its length."""
    side, flat = np.linspace(-0.2, 0.2, 400), np.full(400, 0.1)
    left, right, top, bottom = (
        np.stack(row, 1) for row in ((flat * -2, side / 2), (flat * 2, side / 2), (side, flat), (side, -flat))
    )
    border = np.concatenate([left, right, top, bottom, 0.5 * top])
    points = np.insert(border + np.array([0.03, 0.0]), 2, -1.0, axis=1).astype(np.float32)
    owner = np.repeat([0, 1, 2, -1, 3], 400)
    shares = rim_shares(points, owner, 4, 128)
    assert shares[:3] == pytest.approx([1 / 6, 1 / 6, 1 / 3], abs=0.02), "the bottom, 1 / 3, is of none"
    assert shares[3] == 0
    assert rim_shares(points[:1], owner[:1], 4, 128) == pytest.approx(0), "a point has no length"
    assert rim_shares(points[:0], owner[:0], 4, 128) == pytest.approx(0)


@pytest.mark.parametrize(("rows", "others", "k"), [(200, 90, 7), (3, 1, 1), (5, 5, 5), (0, 4, 2)])
def test_the_nearest_rows_are_those_that_a_tree_finds(rows: int, others: int, k: int) -> None:
    rng = np.random.default_rng(0)
    here, there = (rng.normal(size=(count, 16)).astype(np.float32) for count in (rows, others))
    found, distances = nearest_rows(here, there, k)
    expected, indices = cKDTree(there).query(here, np.arange(1, k + 1))
    assert np.array_equal(found, indices)
    assert distances == pytest.approx(expected)


def test_of_rows_equally_near_the_first_comes_first() -> None:
    there = np.array([[2.0], [1.0], [-1.0], [1.0]], np.float32)
    found, distances = nearest_rows(np.zeros((1, 1), np.float32), there, 3)
    assert found.tolist() == [[1, 2, 3]]
    assert distances.tolist() == [[1, 1, 1]]
