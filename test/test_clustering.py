"""Clusters follow the embeddings, whichever method groups them."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from segvec3d_core.clustering import ClusteringConfig, cluster, drop_small, grow, merge_segments
from segvec3d_core.kernels.agglomeration import (
    average_linkage,
    average_linkage_reference,
    bond_means,
    contacts,
    mutual,
)
from segvec3d_core.neighbors import nearest_neighbors
from segvec3d_core.voxels import Scale

METHODS = ["fast", "dbscan", "mean-shift", "fixed-radius"]


def strip(count: int, noise: float, seed: int = 0):
    """A strip of voxels: ``count`` objects side by side, then a surface, with noisy but separable embeddings, bonds."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(10 * count + 20), np.arange(10))
    points = np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32) * 0.01
    truth = np.minimum(x.reshape(-1) // 10, count)
    centres = rng.normal(0, 1, (count + 1, 8)) * 2
    e = (centres[truth] + rng.normal(0, noise, (len(truth), 8))).astype(np.float32)
    surface = np.where(truth == count, 0.9, 0.1).astype(np.float32)
    neighbors, _ = nearest_neighbors(points, Scale.uniform(0.01, len(points)), 16)
    same = truth[:, None] == truth[neighbors]
    bonds = (np.where(same, 3, -3) + rng.normal(0, 30 * noise, same.shape)).astype(np.float32)
    return e, surface, bonds, neighbors, np.where(truth == count, -1, truth)


@pytest.mark.parametrize("method", METHODS)
def test_touching_objects_with_distinct_embeddings_and_weak_bonds_stay_apart(method):
    e, surface, bonds, neighbors, truth = strip(6, 0.04)
    objects, surfaces = cluster(e, surface, bonds, neighbors, method)
    assert adjusted_rand_score(truth, objects) > 0.99
    assert (surfaces[truth < 0] == 0).all()
    assert (surfaces[truth >= 0] == -1).all()


def test_a_few_strong_bonds_do_not_bridge_two_objects():
    e, surface, bonds, neighbors, truth = strip(2, 0.03)
    crossing = np.argwhere((truth[:, None] == 0) & (truth[neighbors] == 1))
    bonds[tuple(crossing[:: len(crossing) // 5].T)] = 100
    objects, _ = cluster(e, surface, bonds, neighbors)
    assert adjusted_rand_score(truth, objects) > 0.97


def test_a_spoon_does_not_climb_to_the_table_along_the_few_bonds_that_are_in_doubt():
    """A thin thing lies amid a plane: all its voxels are at its border, and each has one doubtful bond across."""
    x, y = np.meshgrid(np.arange(20), np.arange(20))
    spoon = ((x >= 4) & (x < 16) & (y >= 9) & (y < 11)).ravel()
    places = np.stack([x.ravel(), y.ravel(), np.zeros(400)], 1).astype(np.float32)
    neighbors = np.argsort(((places[:, None] - places) ** 2).sum(2), axis=1, kind="stable")[:, :9]
    across = spoon[:, None] != spoon[neighbors]
    doubtful = across & (across.cumsum(1) == 1)
    bonds = np.where(across, np.where(doubtful, 0.5, -2.0), 3.0).astype(np.float32)
    segments = grow(mutual(bonds, neighbors, np.float32(4)), neighbors, 0.0)
    assert adjusted_rand_score(segments, spoon) == 1


def test_an_object_cut_in_two_by_an_occluder_is_one_by_its_embedding():
    e, surface, bonds, neighbors, truth = strip(3, 0.02)
    e[truth == 2] += e[truth == 0].mean(0) - e[truth == 2].mean(0)
    objects, _ = cluster(e, surface, bonds, neighbors)
    assert len(set(objects[(truth == 0) | (truth == 2)])) == 1
    assert objects[truth == 1][0] != objects[truth == 0][0]


def test_two_things_that_touch_and_are_clearly_parted_are_not_merged_by_their_embeddings():
    e, surface, bonds, neighbors, truth = strip(2, 0.02)
    e[truth == 1] += e[truth == 0].mean(0) - e[truth == 1].mean(0)
    objects, _ = cluster(e, surface, bonds, neighbors)
    assert adjusted_rand_score(truth, objects) > 0.99


def test_the_kind_is_that_of_the_whole_segment():
    e, surface, bonds, neighbors, truth = strip(2, 0.02)
    rng = np.random.default_rng(1)
    odd = (truth == 0) & (rng.random(len(truth)) < 0.2)
    surface[odd] = 0.95
    objects, surfaces = cluster(e, surface, bonds, neighbors)
    assert len(set(objects[truth == 0])) == 1
    assert (surfaces[odd] == -1).all()


@pytest.mark.parametrize("method", METHODS)
def test_a_voxel_off_its_object_is_given_to_the_nearest_one(method):
    e, surface, bonds, neighbors, truth = strip(3, 0.02)
    lone = np.flatnonzero(truth == 1)[50]
    e[lone] += 0.4 * (e[lone] - e[truth == 0].mean(0)) / np.linalg.norm(e[lone] - e[truth == 0].mean(0))
    bonds[lone], bonds[neighbors == lone] = -3, -3
    objects, _ = cluster(e, surface, bonds, neighbors, method)
    assert objects[lone] == objects[truth == 1][0]


@pytest.mark.parametrize("method", ["fast", "fixed-radius"])
def test_many_fragments_take_bounded_time_and_memory(method):
    rng = np.random.default_rng(0)
    e = rng.uniform(0, 60, (6_000, 8)).astype(np.float32)
    neighbors = np.tile(np.arange(6_000)[:, None], (1, 4))
    bonds = np.zeros(neighbors.shape, np.float32)
    objects, _ = cluster(e, np.zeros(6_000, np.float32), bonds, neighbors, method, ClusteringConfig(min_voxels=1))
    assert len(np.unique(objects)) > 1_000


@pytest.mark.parametrize("seed", range(20))
def test_joining_all_mutual_pairs_at_once_ends_as_joining_the_best_pair_time_and_again(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(2, 40))
    pairs = np.unique(np.sort(rng.integers(0, groups, (3 * groups, 2)), 1), axis=0)
    low, high = pairs[pairs[:, 0] < pairs[:, 1]].T.copy()
    sums, counts = rng.normal(0, 3, len(low)), rng.integers(1, 9, len(low)).astype(np.float64)
    plain = average_linkage_reference(low, high, sums, counts, groups, -0.2)
    joined = average_linkage(low.copy(), high.copy(), sums.copy(), counts.copy(), groups, -0.2)
    assert joined.tolist() == plain.tolist()


def test_contacts_are_all_edges_between_groups_and_bonds_mean_the_same_from_both_ends():
    _, _, bonds, neighbors, truth = strip(2, 0.05)
    both = mutual(bonds, neighbors, np.float32(4))
    for i, j in ((3, 4), (9, 10)):
        there, back = both[i][neighbors[i] == j], both[j][neighbors[j] == i]
        assert there == pytest.approx(back)
    low, high, sums, counts = contacts(truth, neighbors, both)
    assert (low.tolist(), high.tolist()) == ([0], [1])
    between = ((truth[:, None] == 0) & (truth[neighbors] == 1)) | ((truth[:, None] == 1) & (truth[neighbors] == 0))
    assert counts[0] == between.sum()
    assert sums[0] == pytest.approx(both[between].sum(), rel=1e-5)
    inside, across = bond_means(truth, neighbors, bonds, np.float32(4), 2)
    assert (inside > 2).all()
    assert (across < -2).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("v", [0, 1, 5])
def test_next_to_nothing_is_ordinary(method, v):
    e = np.zeros((v, 8), np.float32)
    neighbors = np.tile(np.arange(v)[:, None], (1, 4))
    objects, surfaces = cluster(e, np.zeros(v, np.float32), np.zeros((v, 4), np.float32), neighbors, method)
    assert len(objects) == len(surfaces) == v
    assert (surfaces == -1).all()


def test_an_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="clustering: expected one of fast, dbscan, mean-shift, fixed-radius"):
        cluster(
            np.zeros((1, 8), np.float32), np.zeros(1, np.float32), np.zeros((1, 4), np.float32),
            np.zeros((1, 4), np.int64), "magic",  # type: ignore[arg-type]
        )  # fmt: skip


def test_labels_are_renumbered_without_gaps():
    assert drop_small(np.array([3, 3, 1, 0, 0, -1]), 2).tolist() == [1, 1, -1, 0, 0, -1]


def test_merging_stops_at_the_radius():
    e = np.repeat(np.array([[0.0], [0.4], [2.0]], np.float32), 20, 0)
    labels = np.repeat(np.arange(3), 20)
    merged = merge_segments(e, labels, np.zeros((0, 2), np.int64), ClusteringConfig(merge_radius=0.5))
    assert len(set(merged)) == 2
    assert merged[0] == merged[20] != merged[40]


def test_a_scan_is_grouped_by_a_bond_threshold_of_its_own():
    config = ClusteringConfig(bond_threshold=0.5, scan_bond_threshold=-2.0)
    assert [config.for_cloud(is_scan).bond_threshold for is_scan in (False, True)] == [0.5, -2.0]
    rings, count = np.arange(40), 20
    neighbors = np.stack([rings, np.roll(rings, 1), np.roll(rings, -1)], 1).astype(np.int64)
    bonds = np.full((40, 3), 3.0, np.float32)
    for i, j in ((count - 1, 2), (count, 1), (0, 1), (39, 2)):  # two arcs of a ring that hold together weakly
        bonds[i, j] = -1.0
    e = np.where(rings[:, None] < count, np.float32(0), np.float32(9)) * np.ones(3, np.float32)
    surface = np.zeros(40, np.float32)
    found = [
        len(np.unique(cluster(e, surface, bonds, neighbors, "fast", config.for_cloud(is_scan))[0]))
        for is_scan in (False, True)
    ]
    assert found == [2, 1]
