"""What is learned from: (8) parts instances, (12) joins texts and instances, bonds part at borders."""

import pytest
import torch
from training_scene import generator

from segvec3d_core.train import losses


def test_equation_8_is_zero_for_gathered_instances_a_margin_apart_and_positive_otherwise():
    beyond = torch.tensor(losses.MARGIN + 0.1)
    nothing, half = torch.tensor(0.0), beyond / 2
    assert losses.pull(nothing).item() == 0
    assert losses.push(beyond.square()).item() == 0
    assert losses.push(nothing).item() == pytest.approx(losses.MARGIN**2, abs=1e-2)
    assert losses.pull(half.square()).item() == pytest.approx(0.55**2)
    assert losses.pull((3 * beyond).square()).item() == pytest.approx(2 * 3.3 - 1)


def test_squared_distances_are_those_of_every_pair():
    rows = torch.randn(40, 16, generator=generator()) + 100
    expected = torch.cdist(rows.double(), rows.double()).square().float()
    assert losses.squared_distances(rows) == pytest.approx(expected, abs=1e-3)


def test_equation_8_ignores_voxels_that_nobody_labelled(example):
    v = len(example.labels)
    level = example.hierarchy.levels[0]
    e = torch.randn(v, 8, generator=generator())
    nobody = torch.full((v,), -1)
    loss = losses.pull_push(e, nobody, example.is_surface, level.neighbors, level.position, generator())
    assert loss.item() == 0
    assert losses.surface(e[:, 0], nobody, example.is_surface).item() == 0


def test_equation_8_to_the_letter_pulls_squares_and_pushes_whatever_differs():
    labels = torch.tensor([0] * 60 + [1] * 30 + [-1] * 10)
    e = torch.zeros(100, 4)
    e[:, 0] = labels
    assert losses.as_written(e, labels, generator()).item() == pytest.approx(0, abs=1e-4), "a margin apart"
    assert losses.as_written(0.5 * e, labels, generator()).item() == pytest.approx(0.25, abs=1e-3)
    spread = torch.where(torch.arange(100) % 2 == 0, 0.0, 3.0)[:, None]
    pulled = losses.as_written(torch.cat([10 * e, spread], 1), labels, generator()).item()
    assert pulled == pytest.approx(9 * 0.5, rel=0.05), "half of the pairs are 3 apart, and no line ends the square"
    assert losses.as_written(e, torch.full_like(labels, -1), generator()).item() == 0


def test_small_instances_are_sampled_as_often_as_large_ones():
    labels = torch.cat([torch.zeros(990, dtype=torch.long), torch.ones(10, dtype=torch.long)])
    picked = losses.balanced_sample(labels, 2_000, generator())
    assert 0.45 < (labels[picked] == 1).float().mean() < 0.55


def test_equation_12_prefers_what_belongs_together_and_forgives_shared_labels():
    tau = torch.tensor(0.1)
    right, wrong = torch.eye(3), torch.eye(3).roll(1, 0)
    positive = torch.eye(3, dtype=torch.bool)
    assert losses.info_nce(right, positive, tau) < 0.01 < losses.info_nce(wrong, positive, tau)
    twins = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert losses.info_nce(twins, torch.ones(2, 2, dtype=torch.bool), tau) == pytest.approx(0, abs=1e-6)


def test_bonds_are_learned_from_edges_across_borders_as_much_as_from_those_within(example):
    level = example.hierarchy.levels[0]
    edges = losses.contested_edges(example.labels, example.is_surface, level.neighbors, 200, generator())
    i, j = edges // level.neighbors.shape[1], level.neighbors.reshape(-1)[edges]
    assert bool(((example.labels[i] >= 0) & (example.labels[j] >= 0)).all())
    same = example.labels[i] == example.labels[j]
    assert 0.25 < same.float().mean() < 0.75
    assert not bool((i == j).any())
    right = torch.where(same, 5.0, -5.0)
    assert losses.bond(right, example.labels, level.neighbors, edges) < 0.1
    assert losses.bond(-right, example.labels, level.neighbors, edges) > 4
    nobody = torch.full_like(example.labels, -1)
    none = losses.contested_edges(nobody, example.is_surface, level.neighbors, 200, generator())
    assert len(none) == 0
    assert losses.bond(right[:0], nobody, level.neighbors, none).item() == 0


def test_borders_of_small_things_are_learned_from_more_than_their_length_says():
    row = torch.arange(1_000)
    neighbors = torch.stack([row, (row + 1) % 1_000], 1)
    labels = row % 2  # two large things that touch everywhere
    labels[500:520] = torch.arange(20) % 2 + 2  # and two small ones
    picked = losses.contested_edges(labels, torch.zeros(1_000, dtype=torch.bool), neighbors, 500, generator())
    small = ((picked // 2 >= 500) & (picked // 2 < 520)).float().mean()
    assert 0.08 < small < 0.2, "2 % of the border, by the root of its length some seven times as much"
