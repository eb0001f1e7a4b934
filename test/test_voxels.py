"""Voxels and neighbourhoods hold together with their plain references."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from segvec3d_core.config import BASE_VOXEL, SCAN_VOXEL, SegmentationConfig
from segvec3d_core.kernels.grid import count_voxels, group_points, group_rows
from segvec3d_core.neighbors import build_graph, nearest_neighbors
from segvec3d_core.types import FARTHEST
from segvec3d_core.voxels import COARSEST, Fovea, Scale, voxelize, voxels_of


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


def test_points_that_the_colour_camera_did_not_see_do_not_darken_their_voxel():
    points = np.array([[0.001, 0, 0], [0.002, 0, 0], [0.011, 0, 0], [0.031, 0, 0]], np.float32)
    colors = np.array([[0, 0, 0], [200, 100, 0], [0, 0, 0], [0, 0, 51]], np.uint8)
    grid = voxelize(points, 0.01, colors)
    assert grid.colors is not None
    assert np.allclose(grid.colors[grid.inverse] * 255, [[200, 100, 0], [200, 100, 0], [0, 0, 0], [0, 0, 51]])


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
    neighbors, found = nearest_neighbors(grid.centroids, grid.scale, 16)
    exact = cKDTree(grid.centroids).query(grid.centroids, 16)[1]
    recall = np.mean([len(set(a) & set(b)) / 16 for a, b in zip(neighbors, exact, strict=True)])
    assert recall > 0.986
    assert (neighbors[:, 0] == np.arange(len(grid))).all()
    assert found.max() == 16


def in_the_cells_around(points: np.ndarray, size: float, k: int) -> np.ndarray:
    """The k nearest of each point in the 27 cells around its own, at equal distance the lower number first."""
    cells = np.floor(points / np.float32(2 * size)).astype(np.int64)
    near = (np.abs(cells[:, None] - cells) <= 1).all(2)
    away = points - points[:, None]
    d = np.where(near, away[..., 0] ** 2 + away[..., 1] ** 2 + away[..., 2] ** 2, np.inf)
    np.fill_diagonal(d, -1)
    nearest = np.argsort(d, 1, kind="stable")[:, :k]
    return np.where(np.take_along_axis(d, nearest, 1) < np.inf, nearest, np.arange(len(points))[:, None])


@pytest.mark.parametrize("shape", ["scattered", "lattice", "heap"])
def test_grid_neighbours_are_those_that_a_plain_search_of_the_cells_finds(shape):
    rng = np.random.default_rng(3)
    points = {
        "scattered": rng.uniform(-0.1, 0.1, (600, 3)),
        "lattice": np.stack(np.meshgrid(*[np.arange(8) * 0.01] * 3), -1).reshape(-1, 3),  # many are equally far
        "heap": rng.uniform(0, 0.02, (700, 3)),  # more in a cell than voxels can be
    }[shape].astype(np.float32)
    neighbors, found = nearest_neighbors(points, Scale.uniform(0.01, len(points)), 16)
    assert (neighbors == in_the_cells_around(points, 0.01, 16)).all()
    assert (found == (neighbors != np.arange(len(points))[:, None]).sum(1) + 1).all()


def test_lonely_voxels_are_their_own_neighbours():
    points = np.array([[0, 0, 0], [5, 0, 0], [5.01, 0, 0]], np.float32)
    neighbors, found = nearest_neighbors(points, Scale.uniform(0.01, len(points)), 4)
    assert found.tolist() == [1, 2, 2]
    assert (neighbors[0] == 0).all()


def test_normals_of_a_plane_face_the_sensor():
    points = voxelize(plane(40_000), 0.02).centroids
    graph = build_graph(points, Scale.uniform(0.02, len(points)), 16, np.array([0, 0, 1], np.float32), None)
    assert (graph.normals[:, 2] > 0.99).mean() > 0.99
    assert np.allclose(np.linalg.norm(graph.normals, axis=1), 1, atol=1e-4)
    assert (graph.shape[:, 0] < 0.02).mean() > 0.99
    assert np.allclose(np.linalg.norm(graph.rays, axis=1), 1, atol=1e-4)


def test_an_edge_over_a_ridge_is_convex_and_over_a_valley_concave():
    x, y = np.meshgrid(np.linspace(-0.2, 0.2, 80), np.linspace(-0.2, 0.2, 80))
    for sign in (1, -1):
        points = np.stack([x, y, -sign * np.abs(x)], -1).reshape(-1, 3).astype(np.float32)
        grid = voxelize(points, 0.02)
        viewpoint = (np.array([0, 0, 3]) - grid.origin).astype(np.float32)
        graph = build_graph(grid.centroids, grid.scale, 16, viewpoint, None)
        ridge = np.abs(grid.centroids[:, 0] + grid.origin[0]) < 0.015
        assert np.sign(graph.edges[ridge][:, :, 7].mean()) == sign


def test_without_a_viewpoint_nothing_depends_on_the_sign_of_normals():
    grid = voxelize(plane(5_000), 0.03)
    graph = build_graph(grid.centroids, grid.scale, 8, None, np.array([0, 0, 1], np.float32))
    assert (graph.edges[:, :, 4:7] >= 0).all()
    assert (graph.edges[:, :, 7:9] == 0).all()
    assert not graph.rays.any()


def receding_floor(rows: int = 300, columns: int = 200) -> np.ndarray:
    """(N, 3) float32: a floor 1 m below a camera at the origin, seen from 0.5 to 8 m in front of it."""
    z, x = np.meshgrid(np.geomspace(0.5, 8, rows), np.linspace(-0.5, 0.5, columns), indexing="ij")
    return np.stack([x * z, np.ones_like(x), z], -1).reshape(-1, 3).astype(np.float32)


def test_voxels_double_with_each_doubling_of_the_distance_beyond_the_fovea():
    points = receding_floor()
    grid = voxelize(points, 0.02, fovea=Fovea(np.zeros(3, np.float32), 1.5))
    distance = np.linalg.norm(points, axis=1)
    edge = grid.scale.edges[grid.inverse]
    assert (edge[distance < 1.49] == np.float32(0.02)).all()
    assert (edge[(distance > 1.51) & (distance < 2.99)] == np.float32(0.04)).all()
    assert (edge[(distance > 3.01) & (distance < 5.99)] == np.float32(0.08)).all()
    local = points - grid.origin
    assert (np.abs(local / edge[:, None] - 0.5 - grid.coords[grid.inverse]) < 0.51).all()


def test_a_fovea_within_reach_of_all_points_changes_nothing():
    points = receding_floor()
    plain, wide = voxelize(points, 0.02), voxelize(points, 0.02, fovea=Fovea(np.zeros(3, np.float32), 20.0))
    assert (plain.inverse == wide.inverse).all()
    plain_graph, wide_graph = (build_graph(g.centroids, g.scale, 16, None, None) for g in (plain, wide))
    assert (plain_graph.neighbors == wide_graph.neighbors).all()


def test_neighbours_are_found_across_the_seam_from_either_side():
    grid = voxelize(receding_floor(), 0.02, fovea=Fovea(np.zeros(3, np.float32), 1.5))
    neighbors, found = nearest_neighbors(grid.centroids, grid.scale, 16)
    bands = grid.bands
    for fine in (0, 1):
        up = (bands[neighbors] == fine + 1) & (bands == fine)[:, None]
        down = (bands[neighbors] == fine) & (bands == fine + 1)[:, None]
        assert up.any()
        assert down.any()
    exact = cKDTree(grid.centroids).query(grid.centroids, 5)[0]
    away = np.linalg.norm(grid.centroids[neighbors[:, :5]] - grid.centroids[:, None], axis=2)
    assert (away.max(1) <= exact.max(1) + 1e-5).mean() > 0.98
    assert (found >= 5).mean() > 0.98


def test_compression_keeps_near_points_and_the_order_along_a_ray():
    fovea = Fovea(np.array([1, 0, 0], np.float32), 1.5)
    ray = np.array([1, 0, 0], np.float32) + np.linspace(0.1, 9, 50)[:, None] * np.array([0, 0.6, 0.8], np.float32)
    drawn = np.linalg.norm(fovea.compress(ray.astype(np.float32)) - fovea.eye, axis=1)
    far = np.linspace(0.1, 9, 50)
    assert drawn[far < 1.5] == pytest.approx(far[far < 1.5], abs=1e-5)
    assert (np.diff(drawn) > 0).all()
    assert drawn[-1] == pytest.approx(1.5 * (1 + np.log(9 / 1.5)), abs=1e-4)


@pytest.mark.parametrize(
    ("voxel_size", "eye", "size", "grows"),
    [
        (None, np.zeros(3, np.float32), BASE_VOXEL, True),
        (None, None, SCAN_VOXEL, False),
        (0.03, np.zeros(3, np.float32), 0.03, False),
        (0.03, None, 0.03, False),
    ],
)
def test_voxels_grow_with_the_distance_in_frames_unless_their_size_is_told(voxel_size, eye, size, grows):
    config = SegmentationConfig(voxel_size=voxel_size, max_voxels=1_000_000, max_scan_voxels=1_000_000)
    grid = voxels_of(receding_floor(1500, 1000), None, eye, config)
    assert grid.size == size
    assert (grid.bands > 0).any() == grows


@pytest.mark.parametrize("eye", [None, np.array([0, 0, 1], np.float32)])
@pytest.mark.parametrize("spacing", [0.03, 0.06])
def test_voxels_are_no_finer_than_the_points_lie(eye, spacing):
    """A surface of one point every few centimetres; voxels end where most of them have neighbours."""
    points = plane(round(9 / spacing**2), side=1.5)
    grid = voxels_of(points, None, eye, SegmentationConfig())
    assert 0.8 * spacing < grid.size < 2 * spacing
    assert voxels_of(plane(100_000), None, eye, SegmentationConfig()).size < 0.02  # nothing grows where points are many


@pytest.mark.parametrize(
    "points",
    [
        np.c_[np.linspace(0, 40, 40_000), np.zeros((40_000, 2))],  # a pole: half as many voxels of twice the edge
        np.random.default_rng(0).uniform(-40, 40, (90, 3)),  # too few to tell
    ],
)
def test_voxels_stay_fine_where_few_neighbours_are_no_sign_of_few_points(points):
    assert voxels_of(points.astype(np.float32), None, None, SegmentationConfig()).size == SCAN_VOXEL


def test_voxels_of_points_without_any_neighbours_end_growing():
    points = np.random.default_rng(0).uniform(-40, 40, (5_000, 3)).astype(np.float32)
    grid = voxels_of(points, None, None, SegmentationConfig())
    assert SCAN_VOXEL < grid.size <= COARSEST * SCAN_VOXEL


def test_a_budget_is_kept_and_nearly_used_up_by_large_clouds():
    """Noise fills voxels by volume, a floor by area: neither makes the edge overshoot."""
    rng = np.random.default_rng(0)
    for noise in (0.0, 0.01):
        points = receding_floor(900, 400) + rng.normal(0, noise, (360_000, 3)).astype(np.float32)
        grid = voxelize(points, 0.002, max_voxels=8_000, fovea=Fovea(np.zeros(3, np.float32), 1.5))
        assert 0.95 * 8_000 < len(grid) <= 8_000


def test_a_budget_is_kept_and_nearly_used_up_where_every_point_has_a_voxel_of_its_own():
    """So few are counted at first that all of them seem to be within it."""
    points = np.random.default_rng(0).uniform(-3, 3, (40_000, 3)).astype(np.float32)
    assert 0.95 * 8_000 < len(voxelize(points, 0.01, max_voxels=8_000)) <= 8_000


@pytest.mark.parametrize("n", [0, 3, 20_000])
def test_rows_are_grouped_as_by_a_stable_sort(n):
    owner = np.random.default_rng(n).integers(-1, 50, n)
    order, starts = group_rows(owner, 50)
    assert np.array_equal(order, np.argsort(owner, kind="stable")[(owner < 0).sum() :])
    assert np.array_equal(starts, np.searchsorted(np.sort(owner[owner >= 0]), np.arange(51)))


@pytest.mark.parametrize("n", [0, 1, 7, 50_000])
def test_voxels_are_numbered_by_their_first_point_and_hold_all_of_them(n):
    """The parts in which the cores group a cloud leave no trace."""
    points = np.random.default_rng(n).uniform(-0.3, 0.3, (n, 3)).astype(np.float32)
    grid = voxelize(points, 0.02)
    first = np.unique(grid.inverse, return_index=True)[1]
    assert (np.diff(first) > 0).all()
    assert np.array_equal(np.bincount(grid.inverse, minlength=len(grid)), grid.counts)
    assert len(np.unique(grid.coords, axis=0)) == len(grid)


@pytest.mark.parametrize(("size", "bits"), [(0.003, 1 << 16), (0.01, 1 << 16), (0.05, 1 << 14)])
def test_voxels_are_counted_nearly_as_many_as_they_are(size, bits):
    points = plane(60_000)
    points[::100] = np.nan
    eye, reach = np.array([0.0, 0.0, 0.2]), 0.4
    given = (points, np.zeros(0, bool), FARTHEST, np.zeros(3), size, eye, reach)
    assert count_voxels(*given, bits) == pytest.approx(len(group_points(*given)[1]), rel=0.02)
