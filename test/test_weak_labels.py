"""Weak labels teach what they say and no more: points, over-segmentation, agreement between frames."""

import numpy as np
import pytest
import torch
from training_scene import SMALL, generator

from segvec3d_core.config import NetworkConfig
from segvec3d_core.hierarchy import build_hierarchy
from segvec3d_core.network import PointAttention
from segvec3d_core.train import examples
from segvec3d_core.train.examples import prepare
from segvec3d_core.train.samples import simulate_pair, simulate_sample
from segvec3d_core.train.segmentation import example_loss
from segvec3d_core.train.weak import Supervision, across_frames, borders, creases, mark, oversegment, spread, weaken
from segvec3d_core.voxels import voxelize


def test_labels_carried_from_an_earlier_frame_are_those_of_the_same_things(monkeypatch):
    """With all labels of the earlier frame, so that what is wrong was carried to the wrong place."""
    monkeypatch.setattr(examples, "weaken", lambda _, truth, hierarchy, is_surface, colors, rng: (truth, is_surface))
    told, right, things = [], [], []
    for index in range(1, 9):  # a few pairs say little: what one frame saw, the other may not
        example = prepare(simulate_pair(5, index), np.random.default_rng(0), SMALL, Supervision.parse("agreement"))
        labels, truth = example.labels, example.truth
        both = (labels >= 0) & (truth >= 0)
        told.append(both.float().mean().item())
        right.append((labels == truth)[both].float().mean().item())
        things.append(len(labels[both].unique()))
    assert np.mean(told) > 0.4
    assert np.median(right) > 0.95
    assert np.median(things) > 4


def test_labels_of_single_points_in_one_frame_teach_the_next():
    example = prepare(simulate_pair(5, 2), np.random.default_rng(0), SMALL, Supervision.parse("agreement"))
    labels, truth = example.labels, example.truth
    both = (labels >= 0) & (truth >= 0)
    assert both.float().mean() > 0.2
    assert len(labels[both].unique()) > 2


@pytest.mark.parametrize("text", ["full", "points:20", "one-point", "oversegmentation"])
def test_every_kind_of_label_trains(text, sample):
    example = prepare(sample, np.random.default_rng(0), SMALL, Supervision.parse(text), max_voxels=3_000)
    torch.manual_seed(0)
    loss, _ = example_loss(PointAttention(SMALL), example, generator())
    loss.backward()
    assert torch.isfinite(loss)
    assert (example.labels >= 0).any()


@pytest.mark.parametrize("text", ["", "points", "points:0", "points:-3", "some"])
def test_an_unknown_kind_of_label_is_refused(text):
    with pytest.raises(ValueError, match="labels: expected full, points:N, one-point, agreement or oversegmentation"):
        Supervision.parse(text)


def test_weak_labels_are_never_more_than_promised(example):
    truth, rng = example.truth.numpy(), np.random.default_rng(0)
    few, one = (mark(Supervision(*kind), truth, rng) for kind in (("points", 20), ("one-point",)))
    assert (few >= 0).sum() == 20
    assert sorted(one[one >= 0]) == np.unique(truth[truth >= 0]).tolist()
    for marked in (few, one):
        assert (marked[marked >= 0] == truth[marked >= 0]).all()
        labels = spread(marked, example.hierarchy, creases(example.hierarchy))
        assert (labels[marked >= 0] == marked[marked >= 0]).all()
        assert set(labels[labels >= 0]) == set(marked[marked >= 0])


def test_labels_of_one_point_each_reach_most_of_a_scene_and_are_mostly_true():
    reached, right = [], []
    for index in range(32):  # few scenes say little: a point of a table says less where much stands on it
        scene = prepare(simulate_sample(0, index), np.random.default_rng(0), SMALL, augment=False)
        truth = scene.truth.numpy()
        marked = mark(Supervision("one-point"), truth, np.random.default_rng(0))
        for barriers in (creases(scene.hierarchy), borders(scene.hierarchy, scene.grid.colors)):
            labels = spread(marked, scene.hierarchy, barriers)
            both = (labels >= 0) & (truth >= 0)
            reached.append(both.sum() / (truth >= 0).sum())
            right.append((labels == truth)[both].mean())
    by_shape, by_both = np.mean(np.reshape(reached, (-1, 2)), 0)
    assert by_shape > 0.8
    assert by_both > 0.7
    by_shape, by_both = np.mean(np.reshape(right, (-1, 2)), 0)
    assert by_shape > 0.7
    assert by_both > by_shape + 0.05, "colours stop them where shape does not"


def test_all_that_a_label_spreads_over_is_of_its_points_kind(example):
    truth = np.full(len(example.truth), -1)
    seed = int(np.flatnonzero(example.truth.numpy() >= 0)[0])
    truth[seed] = 0
    for kind in (False, True):
        surface = np.full(len(truth), not kind)
        surface[seed] = kind
        rng = np.random.default_rng(0)
        labels, kinds = weaken(Supervision("one-point"), truth, example.hierarchy, surface, None, rng)
        assert (labels == 0).sum() > 1
        assert (kinds[labels == 0] == kind).all()
        assert not kinds[labels < 0].any()


def test_a_label_spreads_up_to_the_crease_and_no_farther():
    """A floor and a wall that stands on it: the floor's label stops at the wall, though the wall's mark is farther."""
    u, v = (x.ravel() for x in np.meshgrid(np.arange(0.005, 0.3, 0.004), np.arange(0, 0.3, 0.004)))
    zero = np.zeros_like(u)
    points = np.concatenate([np.stack([u, v, zero], 1), np.stack([zero, v, u], 1)]).astype(np.float32)
    grid = voxelize(points, 0.01)
    eye, up = np.array([1, 0.15, 1], np.float32), np.array([0, 0, 1], np.float32)
    hierarchy = build_hierarchy(grid, eye, up, NetworkConfig()).tensors()
    place = grid.centroids + grid.origin
    marked = np.full(len(grid), -1)
    marked[np.linalg.norm(place - (0.05, 0.15, 0), axis=1).argmin()] = 3
    marked[np.linalg.norm(place - (0, 0.15, 0.25), axis=1).argmin()] = 5
    labels = spread(marked, hierarchy, creases(hierarchy))
    floor, wall = place[:, 0] > 0.03, place[:, 2] > 0.03
    assert (labels[floor] == 3).mean() > 0.98
    assert (labels[wall] == 5).mean() > 0.98
    assert (spread(np.full(len(grid), -1), hierarchy, creases(hierarchy)) == -1).all()
    alone = np.where(marked == 3, 3, -1)
    assert (spread(alone, hierarchy, 10 * np.ones_like(creases(hierarchy))) == alone).all()


def test_over_segments_seldom_cross_objects(example):
    pieces, truth = oversegment(example.hierarchy), example.truth.numpy()
    pure = [np.bincount(truth[(pieces == p) & (truth >= 0)]).max() for p in np.unique(pieces[truth >= 0])]
    assert sum(pure) / (truth >= 0).sum() > 0.8


def test_labels_agree_across_frames_where_both_saw_the_place():
    a = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    b = np.array([[0.01, 0, 0], [0.99, 0, 0], [5, 0, 0]], np.float32)
    assert across_frames(a, b, np.array([7, 8]), 0.05).tolist() == [7, 8, -1]
    assert across_frames(a[:0], b, np.array([], np.int64), 0.05).tolist() == [-1, -1, -1]
