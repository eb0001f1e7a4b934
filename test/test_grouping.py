"""Superpoints hold one thing each, and what was judged of them is what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from superpoint_scenes import SMALL, a_scene, four_lessons, judged, made, seen

from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.config import ClusteringMethod, GroupingConfig
from segvec3d_core.grouping import Ties, group_superpoints
from segvec3d_core.grouping_network import SuperpointNetwork
from segvec3d_core.inference.grouping import JUDGED
from segvec3d_core.instances import ScoreModel
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.superpoints import (
    LEAST_SHARE,
    MIN_VOXELS,
    UNSEEN_CHANGE,
    EmbeddedVoxels,
    Superpoints,
    find_superpoints,
    node_features,
)
from segvec3d_core.train.examples import majority
from segvec3d_core.train.grouping import (
    JudgedScene,
    collate,
)
from segvec3d_core.train.samples import Sample, simulate_sample
from segvec3d_core.voxels import Fovea, VoxelGrid, voxelize

CONSTANTS = ClusteringConfig(min_voxels=1, min_surface_voxels=1, adopt_radius=0.0)


@pytest.fixture(name="scene")
def _scene() -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64], Superpoints]:
    return a_scene()


@pytest.fixture(name="lessons")
def _lessons() -> list[JudgedScene]:
    return four_lessons()


def grouped(
    superpoints: Superpoints, same: list[float], on_surface: list[float], constants: ClusteringConfig = CONSTANTS
) -> tuple[list[int], list[int], NDArray[np.float32]]:
    """Object and surface of each superpoint's first voxel, and the probability of each voxel to lie on a surface."""
    count = len(superpoints.of_voxel)
    found = group_superpoints(
        superpoints, judged(superpoints, same, on_surface),
        np.arange(count, dtype=np.float32)[:, None] * 9, np.full(count, 0.25, np.float32), constants,
    )  # fmt: skip
    first = np.cumsum(superpoints.sizes) - superpoints.sizes
    return found.objects[first].tolist(), found.surfaces[first].tolist(), found.surface


def test_with_true_bonds_a_superpoint_holds_one_thing(scene):
    *_, truth, superpoints = scene
    assert superpoints.sizes.min() >= MIN_VOXELS
    assert np.array_equal(np.bincount(superpoints.of_voxel[superpoints.of_voxel >= 0]), superpoints.sizes)
    for k in range(len(superpoints.sizes)):
        _, votes = np.unique(truth[superpoints.of_voxel == k], return_counts=True)
        assert votes.max() / votes.sum() > 0.98
    assert (superpoints.of_voxel >= 0).mean() > 0.95


def test_what_is_known_of_superpoints_is_finite_and_of_the_told_width(scene):
    _, _, voxels, _, superpoints = scene
    width = node_features(SMALL.features, SMALL.embedding)
    assert superpoints.nodes.shape == (len(superpoints.sizes), width)
    assert superpoints.edges.shape == (len(superpoints.pairs), 16)
    assert np.isfinite(superpoints.nodes).all()
    assert np.isfinite(superpoints.edges).all()
    inside = superpoints.of_voxel == 0
    features = voxels.features[inside]
    assert superpoints.nodes[0, :32] == pytest.approx(features.mean(0), abs=1e-4)
    assert superpoints.nodes[0, 32:64] == pytest.approx(features.max(0), abs=1e-6)


def test_all_that_touch_are_pairs_and_every_pair_is_told_once(scene):
    _, _, voxels, _, superpoints = scene
    of_voxel, pairs = superpoints.of_voxel, superpoints.pairs
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert len(np.unique(pairs, axis=0)) == len(pairs)
    own, other = np.broadcast_to(of_voxel[:, None], voxels.neighbors.shape), of_voxel[voxels.neighbors]
    across = (own != other) & (own >= 0) & (other >= 0)
    touching = np.unique(np.sort(np.stack([own[across], other[across]], 1), 1), axis=0)
    assert len(touching) > 0
    told = {tuple(pair) for pair in pairs[superpoints.edges[:, 4] > 0]}
    assert told == {tuple(pair) for pair in touching}


def test_the_rim_of_a_view_belongs_to_what_surrounds_it():
    """A plate in front of a wall: the wall is the outermost in every direction."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-0.6, 0.6, 0.01), np.arange(-0.6, 0.6, 0.01)))
    middle = np.maximum(abs(x), abs(y)) < 0.15
    points = np.stack([x, y, np.where(middle, 1.0, 1.3)], 1).astype(np.float32)
    grid = voxelize(points, 0.01)
    truth = majority(grid.inverse, middle.astype(np.int64), len(grid), 2)
    eye = np.zeros(3, np.float32)
    voxels = SegVec3D.untrained(0, SMALL, "cpu").embed_voxels(grid, eye, None)
    bonds = np.where(truth[voxels.neighbors] == truth[:, None], 4, -4).astype(np.float32)
    found = find_superpoints(replace(voxels, bonds=bonds), grid, eye, None)
    rim = found.nodes[:, -4]
    assert rim.sum() == pytest.approx(1)
    for k, share in enumerate(rim):
        assert truth[found.of_voxel == k].mean() < 0.1 or share == 0
    assert find_superpoints(replace(voxels, bonds=bonds), grid, None, None).nodes[:, -4].max() == 0


def test_a_cloud_too_small_for_a_superpoint_has_none_and_is_judged():
    points = np.random.default_rng(0).uniform(0, 5, (4, 3)).astype(np.float32)
    model = SegVec3D.untrained(0, SMALL, "cpu")
    grid = voxelize(points, 0.01)
    found = find_superpoints(model.embed_voxels(grid, None, None), grid, None, None)
    assert found.nodes.shape == (0, node_features(SMALL.features, SMALL.embedding))
    assert found.pairs.shape == (0, 2)
    said = model.judge(found)
    assert len(said.same) == len(said.kinds(np.zeros(0, np.int64))) == 0
    assert model.part(model.embed_voxels(grid, None, None), grid, None, None, "graph")[0] == []


def test_pieces_judged_to_be_one_are_one_though_they_do_not_touch():
    objects, surfaces, _ = grouped(made([30, 20, 40], [(0, 1), (0, 2), (1, 2)]), [-3, 3, -3], [-4, -4, -4])
    assert objects[0] == objects[2] != objects[1]
    assert surfaces == [-1, -1, -1]


def test_how_likely_two_pieces_must_be_of_one_thing_is_a_constant():
    pair = made([30, 30], [(0, 1)])
    for threshold, things in ((0.6, 1), (0.8, 2)):
        objects, *_ = grouped(pair, [np.log(0.7 / 0.3)], [-4, -4], replace(CONSTANTS, join_threshold=threshold))
        assert len(set(objects)) == things


def test_the_larger_pieces_of_an_instance_decide_its_kind():
    objects, surfaces, p = grouped(made([90, 10], [(0, 1)]), [5], [2, -3])
    assert objects == [-1, -1]
    assert surfaces == [0, 0]
    assert p[:-1] == pytest.approx(1 / (1 + np.exp(-1.5)), abs=1e-5)
    assert p[-1] == 0.25, "a voxel without a superpoint keeps what the surface head says"
    objects, surfaces, _ = grouped(made([90, 10], [(0, 1)]), [5], [2, -3], replace(CONSTANTS, kind_threshold=0.9))
    assert objects == [0, 0]
    assert surfaces == [-1, -1]


def test_judgements_do_not_hang_on_the_order_of_superpoints_or_on_other_scenes(lessons):
    torch.manual_seed(1)
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    (both, scene), (alone, zero) = collate(lessons[:2]), collate(lessons[:1])
    with torch.inference_mode():
        together = network(both.nodes, both.pairs, both.edges, scene, 2)
        same, on_surface, _ = network(alone.nodes, alone.pairs, alone.edges, zero, 1)
        order = torch.randperm(len(alone.nodes))
        turned = network(alone.nodes[order], torch.argsort(order)[alone.pairs].flip(1), alone.edges, zero, 1)
    assert torch.allclose(together[0][: len(same)], same, atol=1e-4)
    assert torch.allclose(together[1][: len(on_surface)], on_surface, atol=1e-4)
    assert torch.allclose(turned[0], same, atol=1e-4)
    assert torch.allclose(turned[1], on_surface[order], atol=1e-4)


def test_groups_are_judged_whatever_their_number_and_in_whatever_scene(lessons):
    torch.manual_seed(1)
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    (both, scene), (alone, zero) = collate(lessons[:2]), collate(lessons[:1])

    def kinds(rows: JudgedScene, scene: torch.Tensor) -> torch.Tensor:
        _, on_surface, x = network(rows.nodes, rows.pairs, rows.edges, scene, int(scene.max()) + 1)
        true = torch.unique(rows.groups[0])
        at = torch.searchsorted(true, rows.groups[0])
        return network.kinds(on_surface, x, rows.sizes, at, rows.wholes[true])

    with torch.inference_mode():
        assert torch.allclose(kinds(both, scene)[: int(alone.groups[0].max()) + 1], kinds(alone, zero), atol=1e-4)


def test_how_sure_a_group_is_hangs_on_its_pairs_and_on_those_to_its_neighbours():
    pairs = made([40, 40, 30, 30], [(0, 1), (1, 2), (0, 2)])
    found = group_superpoints(
        pairs, judged(pairs, [2, -1, -3], [-4] * 4), np.zeros((141, 1), np.float32), np.zeros(141, np.float32),
        CONSTANTS,
    )  # fmt: skip
    doubts = found.doubts
    assert doubts[0] == pytest.approx([2, -2]), "two pairs lead from the first group to its neighbour"
    assert doubts[80] == pytest.approx([JUDGED, -2])
    assert doubts[110] == pytest.approx([JUDGED, -JUDGED]), "nothing to be compared with"
    assert doubts[140] == pytest.approx([0, 0])


def test_how_likely_two_instances_are_one_is_the_mean_that_kept_them_apart():
    pairs = made([40, 40, 30, 30], [(0, 1), (1, 2), (0, 2)])
    ties = Ties.of(pairs, judged(pairs, [2, -1, -3], [-4] * 4))
    instances = np.arange(80), np.arange(80, 110), np.arange(110, 140)
    affinity = ties.affinity(instances)
    assert affinity[0, 1] == affinity[1, 0] == pytest.approx(1 / (1 + np.exp(2))), (
        "two pairs lead from one to the other"
    )
    assert affinity[:, 2] == pytest.approx(0), "it meets none of the others"
    assert affinity.diagonal() == pytest.approx(0)
    assert Ties.of(pairs, judged(pairs, [2, -1, -3], [-4] * 4)).affinity([]).shape == (0, 0)


def test_what_a_cloud_does_not_tell_counts_as_the_mean(lessons):
    """A scan without colour is judged as one of middling colours, not as a black one."""
    batch, scene = collate(lessons)
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    network.standardise(batch.nodes, batch.edges, batch.wholes)
    unknown = batch.nodes.clone()
    unknown[:, 100:103] = torch.nan
    mean = batch.nodes.clone()
    mean[:, 100:103] = batch.nodes[:, 100:103].mean(0)
    with torch.inference_mode():
        same, on_surface, _ = network(unknown, batch.pairs, batch.edges, scene, len(lessons))
        expected = network(mean, batch.pairs, batch.edges, scene, len(lessons))
    assert torch.allclose(same, expected[0], atol=1e-4)
    assert torch.allclose(on_surface, expected[1], atol=1e-4)


def test_a_cloud_without_colour_is_grouped(scene):
    sample, grid, voxels, _, superpoints = scene
    bare = find_superpoints(voxels, replace(grid, colors=None), sample.viewpoint, None)
    assert np.array_equal(bare.pairs, superpoints.pairs)
    unknown = np.isnan(bare.nodes)
    assert (unknown.sum(1) == 3).all(), "red, green, blue"
    assert np.array_equal(bare.nodes[~unknown], superpoints.nodes[~unknown])
    change = 13
    assert (bare.edges[:, change] == np.float32(UNSEEN_CHANGE)).all()
    assert np.array_equal(np.delete(bare.edges, change, 1), np.delete(superpoints.edges, change, 1))
    scanned = find_superpoints(voxels, replace(grid, colors=None), None, None)
    assert np.isnan(scanned.edges[:, change]).all(), "in a scan nobody guesses"
    model = SegVec3D.untrained(0, SMALL, "cpu")
    said = model.judge(bare)
    assert np.isfinite(said.same).all()
    assert np.isfinite(said.kinds(np.arange(len(bare.sizes)))).all()


def test_what_the_colour_camera_did_not_see_is_of_no_colour(scene):
    sample, grid, voxels, _, superpoints = scene
    largest, further = np.argsort(superpoints.sizes)[::-1][:2]
    colors = np.full((len(grid), 3), (0.6, 0.2, 0.1), np.float32)
    colors[np.flatnonzero(superpoints.of_voxel == largest)[::2]] = 0
    colors[superpoints.of_voxel == further] = 0
    partly = find_superpoints(voxels, replace(grid, colors=colors), sample.viewpoint, None)
    place = np.flatnonzero(np.isnan(partly.nodes[further]))
    assert len(place) == 3
    assert partly.nodes[largest, place] == pytest.approx((0.6, 0.2, 0.1), abs=1e-6)
    known = np.delete(partly.nodes, further, 0)
    assert np.isfinite(known).all()
    with_it = (partly.pairs == further).any(1)
    assert with_it.any()
    assert (partly.edges[with_it, 13] == np.float32(UNSEEN_CHANGE)).all()
    assert (abs(partly.edges[~with_it, 13]) < 1e-6).all()


def table(seen_from: float, leg: float) -> tuple[Superpoints, NDArray[np.int64]]:
    """A bare table top, 0.6 by 0.6 m, in one piece, a leg of this length in another, and a floor around them, seen from
    straight above; the height of every point in the z-up frame is its negative depth."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-0.6, 0.6, 0.01), np.arange(-0.6, 0.6, 0.01)))
    top = np.maximum(abs(x), abs(y)) < 0.3
    ground = np.stack([x, y, np.where(top, seen_from, seen_from + 0.7)], 1)
    h, w = (axis.ravel() for axis in np.meshgrid(np.arange(0, leg, 0.01), np.arange(-0.3, 0.3, 0.01)))
    side = np.stack([np.full(h.shape, 0.305), w, seen_from + h], 1)
    points = np.concatenate([ground, side]).astype(np.float32)
    what = np.concatenate([np.where(top, 0, 2), np.ones(len(side), int)])
    grid = voxelize(points, 0.01)
    truth = majority(grid.inverse, what, len(grid), 3)
    eye = np.zeros(3, np.float32)
    voxels = SegVec3D.untrained(0, SMALL, "cpu").embed_voxels(grid, eye, np.array([0, 0, -1], np.float32))
    bonds = np.where(truth[voxels.neighbors] == truth[:, None], 4, -4).astype(np.float32)
    found = find_superpoints(replace(voxels, bonds=bonds), grid, eye, np.array([0, 0, -1], np.float32))
    return found, np.array([np.bincount(truth[found.of_voxel == k]).argmax() for k in range(len(found.sizes))])


@pytest.mark.parametrize("leg", [0.1, 0.3])
def test_of_a_group_is_known_how_much_of_it_lies_below_its_top(leg):
    found, what = table(1.0, leg)
    group = np.where(what == 2, 1, 0)
    whole = found.wholes(group)[0]
    own = np.isin(found.of_voxel, np.flatnonzero(group == 0))
    depth = -found.cloud.points[own, 2]
    weight = found.cloud.counts[own]
    for column, least in ((0, 0.03), (1, 0.06), (2, 0.12)):
        below = weight[depth > depth.min() + least].sum() / weight.sum()
        assert np.exp(whole[column]) - LEAST_SHARE == pytest.approx(below, abs=0.02)
    assert np.exp(whole[4]) - LEAST_SHARE == pytest.approx(
        weight[depth > depth.min() + 0.06].sum() / weight.sum(), abs=0.02
    )
    assert np.exp(whole[5]) == pytest.approx(weight.sum(), rel=1e-5)
    assert whole[8] == pytest.approx(1, abs=0.01), "the main plane is the top"


@pytest.mark.parametrize("voxel_size", [None, 0.015])
def test_how_far_a_superpoint_is_from_the_sensor_is_known_whatever_the_voxels(voxel_size):
    sample = simulate_sample(21, 0)
    assert sample.viewpoint is not None
    fovea = Fovea(sample.viewpoint, 1.5) if voxel_size is None else None
    grid = voxelize(sample.points, voxel_size or 0.01, sample.colors, max_voxels=6_000, fovea=fovea)
    voxels = SegVec3D.untrained(0, SMALL, "cpu").embed_voxels(grid, sample.viewpoint, None)
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    bonds = np.where(truth[voxels.neighbors] == truth[:, None], 4, -4).astype(np.float32)
    found = find_superpoints(replace(voxels, bonds=bonds), grid, sample.viewpoint, None)
    for k in range(len(found.sizes)):
        place = (grid.centroids + grid.origin)[found.of_voxel == k].mean(0)
        assert np.expm1(found.nodes[k, -5]) == pytest.approx(np.linalg.norm(place - sample.viewpoint), rel=1e-3)


@pytest.mark.parametrize("method", get_args(ClusteringMethod))
def test_a_method_reads_no_other_constants_than_those_it_names(method: ClusteringMethod):
    sample, grid, voxels, _ = seen(0, 1_500)  # mean-shift takes its time
    model = SegVec3D.untrained(0, SMALL, "cpu")
    base = ClusteringConfig(min_voxels=3, min_surface_voxels=3, surface_threshold=float(np.median(voxels.surface)))
    others = set(ClusteringConfig.__slots__) - set(ClusteringConfig.of(method))
    odd = replace(base, **{name: 7 * getattr(base, name) + 1 for name in others})
    first, second = (
        [(s.kind, s.voxels.tolist()) for s in model.part(voxels, grid, sample.viewpoint, None, method, constants)[0]]
        for constants in (base, odd)
    )
    assert first == second
    assert first, "something is found"


def test_an_instance_that_nobody_judged_is_scored_by_what_is_typical():
    weights, typical = (0.0,) * 7 + (1.0, 2.0), (9.0,) * 7 + (0.5, -0.25)
    score = ScoreModel(weights, 0.3, typical)
    features = np.zeros(9)
    features[7:] = np.nan
    assert score(features) == pytest.approx(1 / (1 + np.exp(-0.3)))
    features[7:] = 1
    assert score(features) == pytest.approx(1 / (1 + np.exp(-3.3)))
    with pytest.raises(ValueError, match="score: expected one number for each of certainty"):
        ScoreModel(weights[:7])
