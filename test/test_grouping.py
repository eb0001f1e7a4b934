"""Superpoints hold one thing each, and what was judged of them is what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.config import ClusteringMethod, NetworkConfig
from segvec3d_core.grouping import JUDGED, GroupingConfig, Judged, SuperpointNetwork, Ties, group_superpoints, join
from segvec3d_core.instances import ScoreModel
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.superpoints import (
    LEAST_SHARE,
    MIN_VOXELS,
    Cloud,
    EmbeddedVoxels,
    Superpoints,
    find_superpoints,
    node_features,
)
from segvec3d_core.train.examples import majority
from segvec3d_core.train.grouping import (
    GroupingTraining,
    JudgedScene,
    _joined_superpoints,
    _superpoints,
    collate,
    judged_scene,
    learn,
    learn_kinds,
    learn_pairs,
    losses,
)
from segvec3d_core.train.samples import Sample, simulate_sample
from segvec3d_core.voxels import Fovea, VoxelGrid, voxelize

SMALL = NetworkConfig(channels=(16, 16), layers=(1, 1), features=32)
CONSTANTS = ClusteringConfig(min_voxels=1, min_surface_voxels=1, adopt_radius=0.0)


def seen(index: int, most: int = 6_000) -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64]]:
    """A simulated scene as a random network sees it, but for bonds, which are true; and the truth of its voxels."""
    sample = simulate_sample(21, index)
    fovea = None if sample.viewpoint is None else Fovea(sample.viewpoint, 1.5)
    grid = voxelize(sample.points, 0.01, sample.colors, max_voxels=most, fovea=fovea)
    voxels = SegVec3D.untrained(0, SMALL, "cpu").embed_voxels(grid, sample.viewpoint, None)
    truth = majority(grid.inverse, sample.instance, len(grid), len(sample.is_surface))
    bonds = np.where(truth[voxels.neighbors] == truth[:, None], 4, -4).astype(np.float32)
    return sample, grid, replace(voxels, bonds=bonds), truth


@pytest.fixture(scope="module")
def scene() -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64], Superpoints]:
    sample, grid, voxels, truth = seen(0)
    return sample, grid, voxels, truth, find_superpoints(voxels, grid, sample.viewpoint, None)


@pytest.fixture(scope="module")
def lessons() -> list[JudgedScene]:
    rows = []
    for index in range(4):
        sample, grid, voxels, truth = seen(index)
        superpoints = find_superpoints(voxels, grid, sample.viewpoint, None)
        rows.append(judged_scene(sample, superpoints, truth, np.random.default_rng(index)))
    return rows


def made(sizes: list[int], pairs: list[tuple[int, int]]) -> Superpoints:
    """Superpoints one after the other, of so many voxels each; the last voxel belongs to none."""
    of_voxel = np.append(np.repeat(np.arange(len(sizes)), sizes), -1)
    count = len(sizes)
    places = np.zeros((count, 3), np.float32)
    cloud = Cloud(
        np.zeros((len(of_voxel), 3), np.float32), np.ones(len(of_voxel), np.int32), places, places,
        np.zeros(count, np.float32), True, True,
    )  # fmt: skip
    return Superpoints(
        of_voxel, np.array(sizes), np.zeros((count, 1), np.float32), np.array(pairs).reshape(-1, 2),
        np.zeros((len(pairs), 1), np.float32), cloud,
    )  # fmt: skip


def judged(superpoints: Superpoints, same: list[float], on_surface: list[float]) -> Judged:
    """What a network might say that takes a group for what its superpoints are, the larger ones counting more."""
    votes, sizes = np.array(on_surface, np.float64), superpoints.sizes

    def kinds(group: NDArray[np.int64]) -> NDArray[np.float32]:
        return (np.bincount(group, votes * sizes) / np.bincount(group, sizes)).astype(np.float32)

    return Judged(np.array(same, np.float32), kinds)


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
    features = voxels.features.numpy()[inside]
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
    said = model.grouping.judge(found)
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


def test_what_nobody_labelled_teaches_nothing(lessons):
    batch, scene = collate(lessons[:1])
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    network.standardise(batch.nodes, batch.edges, batch.wholes)
    for head in (network.same, network.surface, network.kind):
        for value in head[-1].parameters():
            torch.nn.init.zeros_(value)
    for loss in losses(network, batch, scene):
        assert loss.item() == pytest.approx(np.log(2), rel=0.01)
    nobody = replace(batch, instance=torch.full_like(batch.instance, -1))
    assert [loss.item() for loss in losses(network, nobody, scene)] == [0, 0, 0]


def test_the_network_learns_which_superpoints_are_one_thing(lessons):
    """On four scenes whose truth it has seen: nearly all right, where a coin would be right in half."""
    plan = GroupingTraining(steps=120, batch=4)
    network = learn(lessons, GroupingConfig(SMALL.features, SMALL.embedding), plan)
    batch, scene = collate(lessons)
    with torch.inference_mode():
        same, on_surface, x = network(batch.nodes, batch.pairs, batch.edges, scene, len(lessons))
        true = torch.unique(batch.groups[0])
        at = torch.searchsorted(true, batch.groups[0])
        kinds = network.kinds(on_surface, x, batch.sizes, at, batch.wholes[true])
    i, j = batch.pairs.T
    known = (batch.instance[i] >= 0) & (batch.instance[j] >= 0)
    one = batch.instance[i] == batch.instance[j]
    assert one[known].any(), "an occluder cuts something in two"
    assert ((same > 0) == one)[known].float().mean() > 0.95
    assert ((on_surface > 0) == batch.is_surface)[batch.instance >= 0].float().mean() > 0.95
    assert ((kinds[at] > 0) == batch.is_surface)[batch.instance >= 0].float().mean() > 0.95


def test_grouping_may_begin_with_the_weights_of_another(lessons, tmp_path):
    model = SegVec3D.untrained(1, SMALL, "cpu")
    model.save(tmp_path / "start.safetensors")
    plan = GroupingTraining(steps=2, batch=1, learning_rate=1e-9, start=tmp_path / "start.safetensors")
    begun = learn(lessons, model.grouping.config, plan).state_dict()
    given = model.grouping.state_dict()
    assert all(torch.allclose(begun[name], given[name], atol=1e-6) for name in begun if "standard" not in name)
    assert not torch.equal(begun["standard_node.mean"], given["standard_node.mean"]), "of the scenes at hand"
    with pytest.raises(ValueError, match="weights: grouping of another shape"):
        learn(lessons, replace(model.grouping.config, width=32), plan)


def test_kinds_learned_anew_leave_pairs_as_they_are(lessons):
    """And are learned, from four scenes, of what a network says that has learned nothing."""
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    batch, scene = collate(lessons)
    network.standardise(batch.nodes, batch.edges, batch.wholes)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        pair, *kinds = losses(network, batch, scene)
    learn_kinds(lessons, network, GroupingTraining(steps=120, batch=4))
    after = network.state_dict()
    learned = {name.partition(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert learned == {"surface", "enter_whole", "kind"}
    with torch.inference_mode():
        same_pair, *better = losses(network, batch, scene)
    assert same_pair == pair
    for loss, then in zip(better, kinds, strict=True):
        assert loss < 0.6 * then


def test_pairs_learned_on_are_judged_better_and_kinds_no_worse(lessons):
    network = SuperpointNetwork(GroupingConfig(SMALL.features, SMALL.embedding)).eval()
    batch, scene = collate(lessons)
    network.standardise(batch.nodes, batch.edges, batch.wholes)
    mean = network.standard_node.mean.clone()
    with torch.inference_mode():
        pair, *kinds = losses(network, batch, scene)
    learn_pairs(lessons, network, GroupingTraining(steps=120, batch=4))
    with torch.inference_mode():
        better, *beside = losses(network, batch, scene)
    assert better < 0.6 * pair
    assert all(then < before for then, before in zip(beside, kinds, strict=True))
    assert torch.equal(network.standard_node.mean, mean)


def test_groups_that_the_model_joins_are_learned_from_too(scene):
    sample, _, _, truth, superpoints = scene
    ties = Ties.of(superpoints, judged(superpoints, [1.0] * len(superpoints.pairs), [0.0] * len(superpoints.sizes)))
    joined = join(ties, len(superpoints.sizes), 0.5)
    row = judged_scene(sample, superpoints, truth, np.random.default_rng(0), joined)
    true, _, third = row.groups
    assert (third[:, None] == third).equal(torch.from_numpy(joined[:, None] == joined))
    assert third.min() > true.max()
    assert torch.equal(row.wholes[third].double(), torch.from_numpy(superpoints.wholes(joined)[joined]).double())


def test_the_stage_of_kinds_looks_at_what_the_model_joins(scene):
    model = SegVec3D.load(device="cpu")
    looks = [_joined_superpoints, _superpoints]
    rows = [[JudgedScene(*row) for row in look(model, scene[0], 0, np.random.default_rng(0))] for look in looks]
    assert [len(row.groups) for row in rows[0]] == [3, 3]
    assert [len(row.groups) for row in rows[1]] == [2, 2]
    assert rows[0][0].groups[:2].equal(rows[1][0].groups), "the same look"


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
    model = SegVec3D.untrained(0, SMALL, "cpu")
    said = model.grouping.judge(bare)
    assert np.isfinite(said.same).all()
    assert np.isfinite(said.kinds(np.arange(len(bare.sizes)))).all()


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
