"""Training does what the paper says: (8) parts instances, (12) joins texts and instances, weak labels suffice."""

import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch

from segvec3d_core import SegVec3D
from segvec3d_core.alignment import Alignment, AlignmentConfig
from segvec3d_core.network import NetworkConfig, PointAttention
from segvec3d_core.simulate import COLORS
from segvec3d_core.train import losses, run
from segvec3d_core.train.captions import Caption, Described, Facts, caption_of, near_miss
from segvec3d_core.train.data import Example, Scenes, load_sample, prepare, simulate_pair, simulate_sample
from segvec3d_core.train.segmentation import Run, SegmentationTraining, example_loss, train_segmentation
from segvec3d_core.train.weak import Supervision, across_frames, oversegment, weaken

SMALL = NetworkConfig(channels=(32, 32, 32), layers=(1, 1, 1), features=48)


@pytest.fixture(scope="module")
def sample():
    return next(s for s in (simulate_sample(11, i) for i in range(20)) if s.viewpoint is not None)


@pytest.fixture(scope="module")
def example(sample) -> Example:
    return prepare(sample, np.random.default_rng(0), SMALL, max_voxels=4_000)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


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


def test_labels_carried_from_an_earlier_frame_are_mostly_those_of_the_same_things():
    example = prepare(simulate_pair(5, 1), np.random.default_rng(0), SMALL, Supervision.parse("agreement"))
    labels, truth = example.labels, example.truth
    both = (labels >= 0) & (truth >= 0)
    assert both.float().mean() > 0.2
    assert (labels == truth)[both].float().mean() > 0.9
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
    truth, surface = example.truth.numpy(), example.is_surface.numpy()
    rng = np.random.default_rng(0)
    few, _ = weaken(Supervision("points", 20), truth, example.hierarchy, surface, rng)
    assert (few >= 0).sum() == 20
    assert (few[few >= 0] == truth[few >= 0]).all()
    one, _ = weaken(Supervision("one-point"), truth, example.hierarchy, surface, rng)
    pieces = oversegment(example.hierarchy)
    for entity in np.unique(truth[truth >= 0]):
        assert len(np.unique(pieces[one == entity])) <= 1


def test_over_segments_seldom_cross_objects(example):
    pieces, truth = oversegment(example.hierarchy), example.truth.numpy()
    pure = [np.bincount(truth[(pieces == p) & (truth >= 0)]).max() for p in np.unique(pieces[truth >= 0])]
    assert sum(pure) / (truth >= 0).sum() > 0.8


def test_labels_agree_across_frames_where_both_saw_the_place():
    a = np.array([[0, 0, 0], [1, 0, 0]], np.float32)
    b = np.array([[0.01, 0, 0], [0.99, 0, 0], [5, 0, 0]], np.float32)
    assert across_frames(a, b, np.array([7, 8]), 0.05).tolist() == [7, 8, -1]
    assert across_frames(a[:0], b, np.array([], np.int64), 0.05).tolist() == [-1, -1, -1]


MUG = {"category": "mug", "synonyms": ("coffee mug",), "color": "red", "material": "ceramic"}
BOX = {"category": "box", "synonyms": ("package",), "color": "blue", "material": "cardboard"}


def test_captions_are_true_and_near_misses_are_false_of_their_object():
    rng = np.random.default_rng(0)
    things = [Described.of(MUG), Described.of(BOX)]
    for _ in range(200):
        caption = caption_of(things[0], rng)
        assert things[0].fits(caption)
        miss = near_miss(caption, things[1:], list(COLORS), rng)
        assert not things[0].fits(miss)
        assert all(claim in miss.text for claim in (miss.noun, miss.color, miss.material) if claim)


def test_facts_say_for_a_batch_what_each_object_says_alone():
    rng = np.random.default_rng(1)
    things = [Described.of(MUG), Described.of(BOX), Described.of({**MUG, "color": "blue"})]
    captions = [caption_of(things[i % 3], rng) for i in range(30)] + [Caption("a {1}", "unicorn")]
    table = Facts(things).fits(np.arange(3), captions)
    assert (table == [[t.fits(c) for c in captions] for t in things]).all()


def test_one_command_trains_both_stages_and_what_it_writes_loads(tmp_path):
    args = Namespace(
        output=str(tmp_path), cache=None, scenes=2, steps=4, seed=3, workers=0, threads=1, resume=False, stage="all",
        labels="full", alignment_scenes=4, alignment_steps=5, validation_scenes=4, frames=None,
        start=None,
    )  # fmt: skip
    assert run(args) == 0
    model = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu")
    assert model.info["segmentation"]["steps"] == 4
    assert model.info["alignment"]["instances"] > 0
    lines = (tmp_path / "segmentation.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 4
    with pytest.raises(ValueError, match=r"resume: .*segmentation\.state belongs to a run of"):
        run(Namespace(**{**vars(args), "steps": 6, "resume": True, "stage": "segmentation"}))


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
