"""How superpoints learn which of them belong together, and of which kind they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from superpoint_scenes import SMALL, a_scene, four_lessons, judged

from segvec3d_core.config import GroupingConfig
from segvec3d_core.grouping import Ties, join
from segvec3d_core.grouping_network import SuperpointNetwork
from segvec3d_core.pipeline import SegVec3D
from segvec3d_core.superpoints import (
    EmbeddedVoxels,
    Superpoints,
)
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
from segvec3d_core.train.samples import Sample
from segvec3d_core.voxels import VoxelGrid


@pytest.fixture(name="scene")
def _scene() -> tuple[Sample, VoxelGrid, EmbeddedVoxels, NDArray[np.int64], Superpoints]:
    return a_scene()


@pytest.fixture(name="lessons")
def _lessons() -> list[JudgedScene]:
    return four_lessons()


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
    learn_kinds(lessons, network, GroupingTraining(steps=240, batch=4))
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
    learn_kinds(lessons, network, GroupingTraining(steps=60, batch=4))  # else kinds could but become better
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
