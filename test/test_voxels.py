"""Voxels and neighbourhoods hold together with their plain references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from segvec3d_core.neighbors import build_graph, nearest_neighbors
from segvec3d_core.voxels import voxelize


def plane(n: int, seed: int = 0, side: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.c_[rng.uniform(-side, side, (n, 2)), rng.normal(0, 0.001, n)].astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 400), st.floats(0.005, 0.2), st.sampled_from([0.0, 1e3, -1e5]))
def test_every_point_lies_in_its_voxel(seed, n, size, offset):
    points = (np.random.default_rng(seed).normal(0, 0.3, (n, 3)) * 3 + offset).astype(np.float32)
    grid = voxelize(points, size)
    local = points.astype(np.float64) - grid.origin
    assert (np.floor(local / size) == grid.coords[grid.inverse]).all()
    assert len(np.unique(grid.coords, axis=0)) == len(grid)
    assert grid.counts.sum() == n


def test_voxel_means_are_those_of_their_points():
    points = plane(3000)
    colors = np.random.default_rng(1).integers(0, 256, (3000, 3), np.uint8)
    grid = voxelize(points, 0.05, colors)
    assert grid.colors is not None
    for v in range(0, len(grid), 17):
        inside = grid.inverse == v
        assert np.allclose(grid.centroids[v], points[inside].mean(0) - grid.origin, atol=1e-5)
        assert np.allclose(grid.colors[v], colors[inside].mean(0) / 255, atol=1e-5)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((0, 3)),
        np.full((5, 3), np.nan),
        np.full((5, 3), np.inf),
        np.array([[np.nan, 0, 0], [0, -np.inf, 0], [1e30, 0, 0]]),
    ],
)
def test_points_that_are_none_make_no_voxels(points):
    grid = voxelize(points.astype(np.float32), 0.01)
    assert len(grid) == 0
    assert (grid.inverse == -1).all()


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan")])
def test_a_voxel_without_size_is_refused(size):
    with pytest.raises(ValueError, match="voxel size"):
        voxelize(plane(10), size)


def test_a_budget_makes_voxels_grow_and_never_shrink():
    grid = voxelize(plane(50_000), 0.005, max_voxels=2_000)
    assert 1_000 < len(grid) <= 2_000
    assert voxelize(plane(100), 0.01, max_voxels=2_000).size == 0.01


def test_masked_points_are_left_out():
    points = plane(1_000)
    mask = points[:, 0] > 0
    grid = voxelize(points, 0.02, mask=mask)
    assert ((grid.inverse >= 0) == mask).all()


def test_grid_neighbours_are_the_nearest():
    grid = voxelize(plane(40_000), 0.02)
    neighbors, found = nearest_neighbors(grid.centroids, 0.02, 16)
    exact = cKDTree(grid.centroids).query(grid.centroids, 16)[1]
    recall = np.mean([len(set(a) & set(b)) / 16 for a, b in zip(neighbors, exact, strict=True)])
    assert recall > 0.986
    assert (neighbors[:, 0] == np.arange(len(grid))).all()
    assert found.max() == 16


def test_lonely_voxels_are_their_own_neighbours():
    points = np.array([[0, 0, 0], [5, 0, 0], [5.01, 0, 0]], np.float32)
    neighbors, found = nearest_neighbors(points, 0.01, 4)
    assert found.tolist() == [1, 2, 2]
    assert (neighbors[0] == 0).all()


def test_normals_of_a_plane_face_the_sensor():
    points = voxelize(plane(40_000), 0.02).centroids
    graph, rays = build_graph(points, 0.02, 16, np.array([0, 0, 1], np.float32), None)
    assert (graph.normals[:, 2] > 0.99).mean() > 0.99
    assert np.allclose(np.linalg.norm(graph.normals, axis=1), 1, atol=1e-4)
    assert (graph.shape[:, 0] < 0.02).mean() > 0.99
    assert np.allclose(np.linalg.norm(rays, axis=1), 1, atol=1e-4)


def test_an_edge_over_a_ridge_is_convex_and_over_a_valley_concave():
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 80), np.linspace(-0.2, 0.2, 80))
    for sign in (1, -1):
        points = np.stack([x, y, -sign * np.abs(x)], -1).reshape(-1, 3).astype(np.float32)
        grid = voxelize(points, 0.02)
        viewpoint = (np.array([0, 0, 3]) - grid.origin).astype(np.float32)
        graph, _ = build_graph(grid.centroids, 0.02, 16, viewpoint, None)
        ridge = np.abs(grid.centroids[:, 0] + grid.origin[0]) < 0.015
        assert np.sign(graph.edges[ridge][:, :, 7].mean()) == sign


def test_without_a_viewpoint_nothing_depends_on_the_sign_of_normals():
    grid = voxelize(plane(5_000), 0.03)
    graph, rays = build_graph(grid.centroids, 0.03, 8, None, np.array([0, 0, 1], np.float32))
    assert (graph.edges[:, :, 4:7] >= 0).all()
    assert (graph.edges[:, :, 7:9] == 0).all()
    assert not rays.any()
