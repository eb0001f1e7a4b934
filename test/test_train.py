"""The first stage: examples of scenes, steps that lower losses, runs that are resumed or begin with others' weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_scene import SMALL, generator

from segvec3d_core import SegVec3D
from segvec3d_core.alignment import Alignment
from segvec3d_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from segvec3d_core.config import AlignmentConfig
from segvec3d_core.network import PointAttention
from segvec3d_core.train.data import Scenes
from segvec3d_core.train.examples import cropped, prepare
from segvec3d_core.train.muon import Muon, orthogonal
from segvec3d_core.train.samples import Sample, load_sample
from segvec3d_core.train.segmentation import Run, SegmentationTraining, begin_with, example_loss, train_segmentation
from segvec3d_core.train.tuning import smoothed
from segvec3d_core.train.weak import Supervision


def test_steps_on_one_scene_lower_its_losses(example):
    torch.manual_seed(0)
    network = PointAttention(SMALL)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    history = []
    for _ in range(25):
        loss, parts = example_loss(network, example, generator())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(parts)
    assert history[-1]["instance"] < 0.8 * history[0]["instance"]
    assert history[-1]["surface"] < history[0]["surface"]


def test_a_scene_of_which_no_label_is_known_teaches_nothing(example, tmp_path):
    run = Run(SegmentationTraining(tmp_path, steps=4, accumulate=1), SMALL)
    before = {name: value.clone() for name, value in run.network.state_dict().items()}
    nobody = torch.full_like(example.labels, -1)
    run.learn(replace(example, labels=nobody, has_centre=torch.zeros_like(example.has_centre)))
    assert run.step == 1
    assert all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())
    run.learn(example)
    assert not all(torch.equal(value, before[name]) for name, value in run.network.state_dict().items())


def test_a_training_step_is_the_same_whether_or_not_the_run_was_resumed(tmp_path):
    straight = Scenes(5, 3, 6, SMALL, None, tmp_path)
    resumed = Scenes(5, 3, 6, SMALL, None, tmp_path, first=4)
    assert len(resumed) == 2
    assert torch.equal(straight[4].hierarchy.levels[0].inputs, resumed[0].hierarchy.levels[0].inputs)


def test_frames_of_a_folder_train_like_simulated_ones(tmp_path):
    from segvec3d_core.datasets.frames import write_frame
    from segvec3d_core.simulate import simulate_frame

    for i in range(2):
        frame = simulate_frame(np.random.default_rng([12, i]), layout="table", width=320, height=240)
        write_frame(tmp_path, frame.to_frame(f"f{i}"))
    example = Scenes(0, 1, 4, SMALL, None, None, frames=tmp_path)[1]
    assert example.is_surface.any()
    assert len(example.labels.unique()) > 2
    loss, _ = example_loss(PointAttention(SMALL), example, generator())
    assert torch.isfinite(loss)
    with pytest.raises(ValueError, match="labels: agreement needs frames of one sequence"):
        Scenes(0, 1, 4, SMALL, Supervision("agreement"), None, frames=tmp_path)


def test_a_kept_scene_is_the_scene(tmp_path):
    first, again = (load_sample(11, 2, tmp_path) for _ in range(2))
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.instance, again.instance)
    assert [i and i["name"] for i in first.infos] == [i and i["name"] for i in again.infos]


def test_votes_point_at_the_true_centres_in_the_network_frame(sample):
    """A vote is a place: the mean vote distance of an object's voxels from its centre is about its radius."""
    example = prepare(sample, np.random.default_rng(0), SMALL, augment=False)
    for entity in np.flatnonzero(~sample.is_surface):
        rows = torch.from_numpy(np.flatnonzero(example.truth.numpy() == entity))
        if len(rows) < 10:
            continue
        place = example.hierarchy.levels[0].position[rows] * 0.1
        off = (place - example.centres[rows]).norm(dim=1).mean().item() * example.hierarchy.size / 0.1
        truth = sample.points[sample.instance == entity] - sample.centres[entity]
        assert off == pytest.approx(np.linalg.norm(truth, axis=1).mean(), rel=0.25, abs=0.01)


def test_muons_steps_are_orthogonal_and_lead_down():
    """Singular values of a step all lie near one, whatever the gradient's, and a quadratic bowl is descended."""
    torch.manual_seed(0)
    for shape in ((3, 8, 20), (2, 20, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape) @ torch.diag(torch.logspace(-1, 1, shape[2]))))
        assert values.min() > 0.5
        assert values.max() < 1.3
    weight, target = torch.nn.Parameter(torch.zeros(6, 4)), torch.randn(6, 4)
    optimizer = Muon([weight], lr=0.05, weight_decay=0.0)
    before = (weight - target).square().sum().item()
    for _ in range(200):
        optimizer.zero_grad()
        (weight - target).square().sum().backward()
        optimizer.step()
    assert (weight - target).square().sum().item() < 0.05 * before


def test_a_run_may_begin_with_the_weights_of_another(tmp_path):
    first = SegmentationTraining(tmp_path / "first", tmp_path / "scenes", None, 2, 2, validation_scenes=1, workers=0)
    network, _ = train_segmentation(first, SMALL, resume=False)
    SegVec3D(network, Alignment(AlignmentConfig(features=SMALL.features)), device="cpu").save(
        tmp_path / "start.safetensors", {"commit": "abc", "segmentation": {"steps": 2}}
    )
    second = replace(first, output=tmp_path / "second", start=tmp_path / "start.safetensors")
    begun = Run(second, SMALL).network.state_dict()
    assert all(torch.equal(begun[key], value) for key, value in network.state_dict().items())
    _, story = train_segmentation(second, SMALL, resume=False)
    assert story["start"] == {"commit": "abc", "steps": 2, "scenes": None}


def test_weights_without_a_bond_head_may_be_begun_with_and_those_of_another_shape_may_not(tmp_path):
    network = PointAttention(SMALL)
    model = SegVec3D(network, Alignment(AlignmentConfig(features=SMALL.features)), device="cpu")
    state = network.state_dict()
    older = {f"network.{key}": value.numpy() for key, value in state.items() if not key.startswith("bonds.")}
    model.save(tmp_path / "whole.safetensors")
    config = load_checkpoint(tmp_path / "whole.safetensors").config
    save_checkpoint(Checkpoint(older, config, {}), tmp_path / "older.safetensors")
    fresh = PointAttention(SMALL)
    bonds = fresh.bonds.out.weight.detach().clone()
    begin_with(fresh, tmp_path / "older.safetensors")
    assert torch.equal(fresh.state_dict()["embed.1.weight"], state["embed.1.weight"])
    assert torch.equal(fresh.bonds.out.weight, bonds)
    with pytest.raises(ValueError, match=r"start: .*whole\.safetensors holds another network: .*embed"):
        begin_with(PointAttention(replace(SMALL, embedding=5)), tmp_path / "whole.safetensors")


def test_coarser_levels_join_the_weights_begun_with_without_a_word(tmp_path):
    network = PointAttention(SMALL).eval()
    SegVec3D(network, Alignment(AlignmentConfig(features=SMALL.features)), device="cpu").save(
        tmp_path / "start.safetensors"
    )
    larger = replace(SMALL, channels=(*SMALL.channels, 16), layers=(*SMALL.layers, 2))
    grown = PointAttention(larger).eval()
    begin_with(grown, tmp_path / "start.safetensors")
    sample = load_sample(0, 0, None)
    before, after = (
        net(prepare(sample, np.random.default_rng(0), config, augment=False).hierarchy)
        for net, config in ((network, SMALL), (grown, larger))
    )
    for old, new in zip(before, after, strict=True):
        assert torch.allclose(old, new, atol=1e-5)
    after[1].square().sum().backward()
    joining = dict(grown.named_parameters())["mix.3.weight"].grad
    assert joining is not None
    assert joining.abs().max() > 0


def test_a_table_of_which_a_crop_keeps_a_part_is_a_surface():
    info = {"category": "table"}
    sample = Sample(
        np.zeros((10, 3), np.float32), np.zeros((10, 3), np.uint8), np.repeat([0, 1], 5), None, None,
        np.zeros(2, bool), np.zeros((2, 3), np.float32), [info, {"category": "mug"}],
    )  # fmt: skip
    assert cropped(sample, np.ones(10, bool)).is_surface.tolist() == [False, False]
    half = cropped(sample, np.arange(10) % 2 == 0)
    assert half.is_surface.tolist() == [True, False]
    assert half.instance.tolist() == [0, 0, 0, 1, 1]


def test_constants_come_from_the_middle_of_a_plateau_rather_than_from_a_peak_beside_a_cliff():
    assert smoothed([0.1, 1.0, 0.1, 0.9, 0.9, 0.9, 0.8]).argmax() == 4
    assert smoothed([0.9, 0.8, 0.1]).argmax() == 0


def test_a_resumed_run_ends_like_one_that_was_never_stopped(tmp_path):
    plan = SegmentationTraining(tmp_path / "whole", tmp_path / "scenes", None, 4, 2, validation_scenes=1, workers=0)
    whole, _ = train_segmentation(plan, SMALL, resume=False)
    parts = replace(plan, output=tmp_path / "parts", checkpoint_every=2)
    stopped = Run(parts, SMALL)
    for step in range(2):
        stopped.learn(Scenes(0, 2, 4, SMALL, None, tmp_path / "scenes")[step])
    parts.output.mkdir()
    stopped.save(parts.output / "segmentation.state")
    resumed, record = train_segmentation(parts, SMALL, resume=True)
    assert record["steps"] == 4
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)
