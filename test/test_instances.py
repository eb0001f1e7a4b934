"""Instances are as large as the things, whatever a depth camera sees at their edges."""

from itertools import pairwise

import numpy as np
import pytest

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.instances import (
    FAR,
    ScoreModel,
    Segment,
    alignment_input,
    describe_segments,
    find_segments,
    label_points,
    vertical_of,
)
from segvec3d_core.kernels.instances import middles, solid_voxels
from segvec3d_core.kernels.labels import ACROSS, ALONG, point_labels
from segvec3d_core.kernels.shape import local_shape
from segvec3d_core.neighbors import nearest_neighbors
from segvec3d_core.superpoints import EmbeddedVoxels
from segvec3d_core.types import Box
from segvec3d_core.voxels import VoxelGrid, voxelize

UP = np.array([0, 0, 1], np.float32)
EVERYTHING = SegmentationConfig(min_points=1, min_score=0)


def cube(n: int = 4_000) -> np.ndarray:
    """(n, 3) points on the faces of a cube with edges of 10 cm."""
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.05, 0.05, (n, 3)).astype(np.float32)
    points[np.arange(n), rng.integers(3, size=n)] = rng.choice([-0.05, 0.05], n)
    return points


def whole(points: np.ndarray, kind: str = "object") -> tuple[Segment, VoxelGrid]:
    """All points as one segment."""
    grid = voxelize(points, 0.01)
    return Segment(kind, np.arange(len(grid)), 1.0, np.zeros(4), len(points)), grid  # type: ignore[arg-type]


def box_of(points: np.ndarray, kind: str = "object") -> Box:
    segment, grid = whole(points, kind)
    (described,) = describe_segments([segment], grid, UP, EVERYTHING)
    assert described.box is not None
    return described.box


@pytest.mark.parametrize(
    ("surfaces", "optical", "expected"),
    [
        ([(0, 0, -1), (0, -0.6, -0.8)], True, (0, -0.6, -0.8)),  # a wall, and the table before it
        ([(0, 0, -1), (0, -0.6, -0.8)], False, (0, 0, -1)),
        ([(0, -0.3, -0.954), (0.954, -0.3, 0)], True, (0, -0.3, -0.954)),  # nothing faces up: the largest one
        ([(0, 1, 0), (0, -0.8, -0.6)], True, (0, -0.8, -0.6)),  # a ceiling
        ([(0, 1, 0)], True, None),
        ([], True, None),
    ],
)
def test_without_gravity_up_is_a_surface_and_in_a_picture_one_that_faces_up(surfaces, optical, expected):
    normals = np.repeat(np.array(surfaces, np.float32).reshape(-1, 3), 5, axis=0)
    segments = [Segment("surface", np.arange(5 * k, 5 * k + 5), 1.0, np.zeros(4), 5) for k in range(len(surfaces))]
    in_picture = np.array([0, -1, 0], np.float32) if optical else None
    up = vertical_of(segments, normals, None, in_picture)
    assert up is None if expected is None else up == pytest.approx(expected, abs=2e-3)
    assert vertical_of(segments, normals, UP, in_picture) is UP


def test_flying_pixels_do_not_stretch_the_box():
    behind = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    clean, seen = box_of(cube()), box_of(np.concatenate([cube(), behind]))
    assert seen.size == pytest.approx(clean.size, abs=0.012)
    assert seen.center == pytest.approx(clean.center, abs=0.01)


def test_what_is_thin_but_well_seen_belongs_to_the_thing():
    handle = np.linspace([0, 0.05, 0], [0, 0.15, 0], 600).astype(np.float32)
    assert box_of(np.concatenate([cube(), handle])).size.max() > 0.19


def test_the_sets_of_voxels_of_a_scene_are_described_as_each_by_itself():
    """Beside the same in plain numpy."""
    rng = np.random.default_rng(5)
    starts = np.array([0, 1, 41, 142, 500])
    rows, counts = rng.permutation(600)[:500], rng.integers(1, 60, 600).astype(np.int32)
    points, edges = rng.normal(size=(600, 3)).astype(np.float32), rng.uniform(0.01, 0.02, 600).astype(np.float32)
    colors = (rng.integers(1, 256, (600, 3)) / 255).astype(np.float32)
    colors[rows[1:20]] = colors[rows[:1]] = 0
    solid = solid_voxels(counts, rows, starts, 0.5, 0.1)
    centers, sizes, medians, colored = middles(points, counts, edges, colors, rows, starts)
    for k, (a, b) in enumerate(pairwise(starts)):
        own, weight = rows[a:b], counts[rows[a:b]].astype(float)
        order, dense = np.argsort(weight, kind="stable"), weight >= 0.5 * (weight**2).sum() / weight.sum()
        dense[order] |= np.cumsum(weight[order]) > 0.1 * weight.sum()
        assert (solid[a:b] == dense).all()
        assert np.allclose(centers[k], weight @ points[own] / weight.sum())
        assert sizes[k] == pytest.approx(edges[own].mean())
        known = colors[own][colors[own].any(1)]
        assert colored[k] == len(known)
        if len(known):
            assert np.abs(medians[k] - np.median(known, axis=0) * 255).max() <= 0.51
    assert not solid.all()


def test_a_surface_and_a_sparse_cloud_keep_all_their_voxels():
    sparse = np.linspace([0, 0, 0], [1, 0, 0], 40).astype(np.float32)
    assert box_of(sparse).size.max() > 0.98
    tail = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    assert box_of(np.concatenate([cube(), tail]), "surface").size.max() > 0.6


def test_the_alignment_reads_no_flying_pixels():
    behind = np.linspace([0, 0.06, 0.05], [0, 0.6, 0.05], 40).astype(np.float32)
    segment, grid = whole(np.concatenate([cube(), behind]))
    normals = np.tile(UP, (len(grid), 1))
    described = describe_segments([segment], grid, UP, EVERYTHING)
    x = alignment_input(described, np.zeros((len(grid), 4), np.float32), grid, normals, UP)
    assert np.abs(x.geometry[:, :3]).max() < 1.5


def test_where_the_colour_camera_saw_nothing_the_colour_is_unknown_and_not_black():
    points = cube()
    half = (points[:, :1] > 0).astype(np.uint8)
    for colors, typical in (
        (half * np.array([200, 40, 30], np.uint8), [200, 40, 30]),
        (np.zeros((len(points), 3), np.uint8), None),
    ):
        grid = voxelize(points, 0.01, colors)
        segment = Segment("object", np.arange(len(grid)), 1.0, np.zeros(4), len(points))
        (described,) = describe_segments([segment], grid, UP, EVERYTHING)
        assert (None if described.color is None else described.color.tolist()) == typical
        x = alignment_input([described], np.zeros((len(grid), 2), np.float32), grid, np.tile(UP, (len(grid), 1)), None)
        seen = x.color[~np.isnan(x.color).any(1)]
        assert len(x.color) - len(seen) >= len(x.color) // 3
        assert len(seen) == 0 if typical is None else np.allclose(seen, np.array(typical) / 255, atol=1e-3)
        assert (x.geometry[np.isnan(x.color).any(1), 7] == 0).all()


@pytest.mark.parametrize("doubted", [True, False])
def test_what_the_score_reads_of_a_cluster_is_what_it_is_called(doubted):
    rng = np.random.default_rng(3)
    grid = voxelize(rng.uniform(0, 0.1, (900, 3)).astype(np.float32), 0.02)
    n = len(grid)
    objects, surfaces = rng.integers(-1, 3, n), np.full(n, -1)
    surfaces[objects < 0] = rng.integers(-1, 2, (objects < 0).sum())
    e, on_surface = rng.normal(size=(n, 4)).astype(np.float32), rng.random(n, np.float32)
    neighbors, bonds = rng.integers(0, n, (n, 5)), rng.normal(size=(n, 5)).astype(np.float32)
    judged = rng.normal(size=(n, 2)).astype(np.float32) if doubted else None
    found = find_segments(objects, surfaces, e, on_surface, bonds, neighbors, grid, ScoreModel(), judged)
    assert [s.kind for s in found] == ["object"] * 3 + ["surface"] * 2
    assert all(a.point_count >= b.point_count for a, b in pairwise(found[:3]))
    means = [e[objects == k].mean(0) for k in range(3)]
    for segment in found:
        mine = segment.voxels
        labels = objects if segment.kind == "object" else surfaces
        assert np.array_equal(mine, np.flatnonzero(labels == labels[mine[0]]))
        assert segment.point_count == grid.counts[mine].sum()
        radius = np.sqrt(grid.centroids[mine].var(0).sum())
        joined = [np.nan, np.nan] if judged is None else judged[mine].mean(0) * [1, -1]
        if segment.kind == "surface":
            expected = [on_surface[mine].mean(), 0, FAR, np.log(len(mine)), np.log(radius + 1e-3), 0, 0, *joined]
        else:
            mean = e[mine].mean(0)
            gap = min([np.linalg.norm(mean - m) for m in means if not np.allclose(m, mean)])
            real = neighbors[mine] != mine[:, None]
            within = (labels[neighbors[mine]] == labels[mine[0]]) & real
            expected = [
                1 - on_surface[mine].mean(), -np.linalg.norm(e[mine] - mean, axis=1).mean(), min(gap, FAR),
                np.log(len(mine)), np.log(radius + 1e-3),
                bonds[mine][within].mean(), -bonds[mine][real & ~within].mean(),
                *joined,
            ]  # fmt: skip
        assert segment.features == pytest.approx(expected, abs=1e-4, nan_ok=True)
    nobody = np.full(n, -1)
    assert find_segments(nobody, nobody, e, on_surface, bonds, neighbors, grid, ScoreModel(), judged) == []


# Points at borders ------------------------------------------------------------------------------------------------


def parted(points: np.ndarray, truth: np.ndarray) -> tuple[list[Segment], VoxelGrid, EmbeddedVoxels]:
    """Each label's voxels as a segment; a voxel belongs to whom most of its points belong."""
    grid = voxelize(points, 0.01)
    neighbors, found = nearest_neighbors(grid.centroids, grid.scale, 16)
    normals = local_shape(grid.centroids, neighbors, found, grid.size)[0]
    shares = np.zeros((truth.max() + 1, len(grid)), int)
    seen = grid.inverse >= 0
    np.add.at(shares, (truth[seen], grid.inverse[seen]), 1)
    of_voxel = shares.argmax(0)
    segments = [
        Segment("object", np.flatnonzero(of_voxel == k), 1.0, np.zeros(9), int(grid.counts[of_voxel == k].sum()))
        for k in range(truth.max() + 1)
    ]
    nothing = np.zeros((len(grid), 1), np.float32)
    return (
        segments,
        grid,
        EmbeddedVoxels(neighbors, normals, np.empty((0, 0), np.float32), nothing, nothing[:, 0], nothing),
    )


def test_a_border_that_runs_through_voxels_has_no_steps_of_voxels():
    rng = np.random.default_rng(0)
    points = rng.uniform([0, 0, 0], [0.3, 0.3, 0.001], (60_000, 3)).astype(np.float32)
    truth = (points[:, 0] + 0.4 * points[:, 1] > 0.2137).astype(int)
    segments, grid, voxels = parted(points, truth)
    labels, _ = label_points(segments, points, grid, voxels, 1)
    by_voxel = np.zeros(len(grid), int)
    by_voxel[segments[1].voxels] = 1
    wrong, wrong_by_voxel = (labels != truth).sum(), (by_voxel[grid.inverse] != truth).sum()
    assert 0 < wrong < 0.6 * wrong_by_voxel


def test_a_point_is_given_to_the_nearest_planes_as_written_down():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 0.05, (3_000, 3)).astype(np.float32)
    segments, grid, voxels = parted(points, rng.integers(3, size=len(points)))
    of_voxel = np.full(len(grid), -1, np.int32)
    for k, segment in enumerate(segments[:2]):  # the third is nothing, and is voted for like the others
        of_voxel[segment.voxels] = k
    graph = voxels.neighbors, grid.centroids, voxels.normals, grid.scale.edges
    labels, counts = point_labels(points, grid.inverse, of_voxel, 2, *graph, grid.origin)
    assert counts.tolist() == [(labels == k).sum() for k in (0, 1)]
    for i in range(0, len(points), 50):
        around = voxels.neighbors[grid.inverse[i]]
        away = points[i] - grid.origin - grid.centroids[around]
        across = (away * voxels.normals[around]).sum(1)
        along = (away**2).sum(1) - across**2
        votes = np.exp(-((across / (ACROSS * grid.size)) ** 2 + along / (ALONG * grid.size) ** 2) / 2)
        totals = [votes[of_voxel[around] == k].sum() for k in (-1, 0, 1)]
        assert labels[i] == np.argmax(totals) - 1


def test_points_of_no_voxel_have_no_label_and_what_is_thin_keeps_its_points():
    rng = np.random.default_rng(2)
    top = rng.uniform([0, 0, 0], [0.3, 0.3, 0], (40_000, 3))
    wire = rng.uniform([0.1, 0.152, 0.004], [0.2, 0.153, 0.006], (500, 3))
    points = np.concatenate([top, wire, [[np.nan] * 3]]).astype(np.float32)
    truth = np.repeat([0, 1, 0], [len(top), len(wire), 1])
    grid = voxelize(points, 0.01)
    on_wire = np.unique(grid.inverse[truth == 1])
    segments, grid, voxels = parted(points, np.where(np.isin(grid.inverse, on_wire), 1, 0))
    labels, counts = label_points(segments, points, grid, voxels, 1)
    assert labels[-1] == -1
    voted = (labels == 1).sum()
    assert counts.tolist() == [(labels == 0).sum(), voted]
    assert segments[1].point_count / 2 <= voted < segments[1].point_count
    kept, counts = label_points(segments, points, grid, voxels, int(voted) + 1)
    assert counts[1] == (kept == 1).sum() >= segments[1].point_count, "too few left: it keeps what its voxels hold"
