"""Training does what the paper says: (8) parts instances, (12) joins texts and instances, weak labels suffice."""

import json
import shutil
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch
from training_scene import SMALL, generator

from segvec3d_core import SegVec3D
from segvec3d_core.alignment import Alignment, AlignmentConfig
from segvec3d_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_path
from segvec3d_core.cli import main
from segvec3d_core.network import PointAttention
from segvec3d_core.text import TextEncoder
from segvec3d_core.train import describing, grouping, losses, pool, run
from segvec3d_core.train.alignment import AlignmentTraining
from segvec3d_core.train.calibration import ask
from segvec3d_core.train.captions import Caption, Captions, Described, Facts
from segvec3d_core.train.data import Scenes
from segvec3d_core.train.describing import Described3D
from segvec3d_core.train.examples import cropped, prepare
from segvec3d_core.train.lesson import Lesson, open_info_nce
from segvec3d_core.train.muon import Muon, orthogonal
from segvec3d_core.train.samples import Sample, load_sample
from segvec3d_core.train.segmentation import Run, SegmentationTraining, begin_with, example_loss, train_segmentation
from segvec3d_core.train.tuning import smoothed
from segvec3d_core.train.weak import Supervision


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


MUG = {
    "category": "mug", "synonyms": ("coffee mug",), "color": "red", "material": "ceramic",
    "shape_words": ("with a handle",),
}  # fmt: skip
BOX = {"category": "box", "synonyms": ("package",), "color": "blue", "material": "cardboard", "shape_words": ()}


def test_captions_are_true_and_near_misses_are_false_of_their_object():
    rng = np.random.default_rng(0)
    things = [Described.of(MUG), Described.of(BOX)]
    captions = Captions(things, rng)
    assert len({caption.text for caption in captions.every}) > 300
    asked = [captions.of(things[0], rng) for _ in range(300)]
    assert all(things[0].fits(captions.every[i]) for i in asked)
    assert all(any(captions.every[i].claims[block] for i in asked) for block in range(4))
    missed = [captions.near_miss(i, rng) for i in asked]
    assert sum(things[0].fits(captions.every[i]) for i in missed) < 150  # a name drawn at random may be its own
    said = [captions.every[i] for i in asked]
    assert all(c.noun.removeprefix("something") in c.text for c in said if c.noun is not None)


def test_facts_say_for_a_batch_what_each_object_says_alone():
    rng = np.random.default_rng(1)
    things = [Described.of(MUG), Described.of(BOX), Described.of({**MUG, "color": "blue"})]
    captions = Captions(things, rng)
    asked = np.arange(len(captions.every))
    states = np.stack(Facts(things, captions.every).states(np.arange(3), asked))
    fits = np.array([[thing.fits(caption) for caption in captions.every] for thing in things])
    assert ((states == 1).all(0) == fits).all()
    assert not fits[(states == 0).any(0)].any()


def test_what_nobody_can_say_is_left_open():
    things = [Described.of(BOX), Described.of({**MUG, "color": "grey", "second_color": "green"})]
    said = (
        Caption("a tissue box", "tissue box"), Caption("a mug", "mug"), Caption("silver", None, "silver"),
        Caption("red", None, "red"), Caption("green", None, "green"),
        Caption("with a lid", None, None, None, "with a lid"),
    )  # fmt: skip
    tissues, mug, silver, red, green, lid = np.stack(Facts(things, said).states(np.arange(2), np.arange(6))).min(0).T
    assert tissues.tolist() == [-1, 0]  # a box may be one of tissues
    assert mug.tolist() == [0, 1]
    assert silver.tolist() == [0, -1]  # a grey thing may shine
    assert red.tolist() == [0, 0]
    assert green.tolist() == [0, -1]  # a grey thing with green print
    assert lid.tolist() == [-1, -1]  # the simulator names no lid of either kind


def test_open_pairs_teach_nothing():
    cosine = torch.randn(5, 7, generator=generator()).requires_grad_()
    state = torch.zeros(5, 7, dtype=torch.int8)
    state[torch.arange(5), torch.arange(5)] = 1
    state[2, 4] = -1
    (gradient,) = torch.autograd.grad(open_info_nce(cosine, state, torch.tensor(0.1)), cosine)
    assert gradient[2, 4] == 0
    assert (gradient[state == 1] <= 0).all()
    assert open_info_nce(cosine, torch.zeros_like(state), torch.tensor(0.1)).item() == 0


@pytest.mark.parametrize("form", [{}, {"looks": 0}, {"paper": True}], ids=["looks", "one projection", "paper"])
def test_the_alignment_learns_which_of_two_things_a_text_means(form, tmp_path):
    """Two kinds in two colours, told apart by their features and their colour alone."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(24):
        kind, color = (MUG, BOX)[i % 2], ("red", "blue")[i // 2 % 2]
        features = torch.from_numpy(rng.normal(2.0 * (i % 2), 0.3, (12, 8))).half()
        paint = torch.tensor([[180, 20, 20], [20, 50, 160]])[i // 2 % 2].expand(12, 3).byte()
        statistics = torch.zeros(32)
        statistics[9:12] = paint[0] / 255
        rows.append(
            Described3D(features, torch.zeros(12, 8).half(), statistics, paint, {**kind, "color": color}, i // 4)
        )
    text = TextEncoder()
    lesson = Lesson(rows, text, AlignmentTraining(tmp_path, steps=60, batch=24, **form))
    history = lesson.learn()
    before = Lesson(rows, text, AlignmentTraining(tmp_path, steps=60, batch=24, **form)).loss().item()
    assert history[-1]["align"] < before
    SegVec3D(PointAttention(SMALL), lesson.alignment, device="cpu").save(tmp_path / "start.safetensors")
    further = Lesson(rows, text, AlignmentTraining(tmp_path, start=tmp_path / "start.safetensors", batch=24, **form))
    assert further.loss().item() < before
    plan = AlignmentTraining(tmp_path, start=tmp_path / "start.safetensors", batch=24, steps=3, **form)

    def learned(keep: float) -> Lesson:
        lesson = Lesson(rows, text, replace(plan, keep=keep))
        lesson.learn()
        return lesson

    alone, mixed = learned(0.0), learned(0.5)
    for name, value in mixed.alignment.state_dict().items():
        between = (alone.alignment.state_dict()[name] + alone.begun[name]) / 2
        torch.testing.assert_close(value, between)
    asked = ask(lesson.alignment.eval(), text, rows, rng)
    assert asked.hits.mean() > asked.chance.mean() + 0.15


def test_what_is_left_out_of_training_must_be_something_that_is_made(tmp_path):
    args = Namespace(threads=1, workers=0, without="hammer, unicorn", output=str(tmp_path))
    with pytest.raises(
        ValueError, match="--without: expected categories that the simulator makes, got 'hammer, unicorn'"
    ):
        run(args)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "--grouping-start: .* tells of no training of the grouping"),
        ({"record": {"grouping": {}}, "tensors": {}}, "weights: no grouping in them"),
        ({"record": {"grouping": {}}, "tensors": {"grouping.norm.bias": torch.zeros(3)}}, "grouping of another shape"),
    ],
)
def test_what_a_later_stage_cannot_begin_with_is_said_before_hours_of_training(change, message, tmp_path):
    file = tmp_path / "start.safetensors"
    save_checkpoint(replace(Checkpoint({"network.x": torch.zeros(1)}, {}, {}), **change), file)
    args = Namespace(threads=1, workers=0, without=None, output=tmp_path, grouping_start=file, alignment_start=None)
    with pytest.raises(ValueError, match=message):
        run(args)


@pytest.mark.timeout(300)  # each stage loads torch anew in a process of its own
def test_one_command_trains_all_stages_and_what_it_writes_loads(tmp_path):
    args = Namespace(
        output=str(tmp_path), cache=None, scenes=2, steps=4, seed=3, workers=0, threads=1, resume=False, stage="all",
        labels="full", grouping_scenes=3, grouping_steps=4, alignment_scenes=4, alignment_steps=5, validation_scenes=2,
        frames=None,
        start=shipped_path(), grouping_start=shipped_path(), alignment_start=shipped_path(), alignment_keep=0.4,
        without=None, learning_rate=None, max_voxels=None,
    )  # fmt: skip
    assert run(args) == 0
    model, shipped = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu"), SegVec3D.load(device="cpu").info
    assert model.info["segmentation"]["steps"] == 4
    assert model.info["grouping"]["superpoints"] > 0
    assert model.info["grouping"]["start"]["steps"] == shipped["grouping"]["steps"]
    assert model.info["alignment"]["instances"] > 0
    assert model.info["alignment"]["start"]["steps"] == shipped["alignment"]["steps"]
    assert model.info["alignment"]["kept"] == 0.4
    assert run(Namespace(**{**vars(args), "stage": "calibration", "validation_scenes": 3})) == 0
    again = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu")
    kept, before = again.alignment.state_dict(), model.alignment.state_dict()
    assert all(torch.equal(kept[name], before[name]) for name in kept if name != "calibration")
    assert again.score != model.score, "fitted on other scenes"
    assert again.info["alignment"]["instances"] == model.info["alignment"]["instances"]
    foreign = SegVec3D.untrained(1, model.network.config, "cpu")
    foreign.save(tmp_path / "backbone.safetensors", {"grouping": {}})
    with pytest.raises(ValueError, match="reads the features of another network"):
        run(Namespace(**{**vars(args), "stage": "calibration"}))
    lines = (tmp_path / "segmentation.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 4
    with pytest.raises(ValueError, match=r"resume: .*segmentation\.state belongs to a run of"):
        run(Namespace(**{**vars(args), "steps": 6, "resume": True, "stage": "segmentation"}))


@pytest.mark.parametrize("stage", ["segmentation", "grouping", "alignment"])
def test_the_learning_rate_is_that_of_the_stage_that_is_named(stage, tmp_path, monkeypatch, capsys):
    shutil.copy(shipped_path(), tmp_path / "backbone.safetensors")

    def stop(*given):
        (plan,) = (value for value in given if hasattr(value, "learning_rate"))
        raise ValueError(f"learned at {plan.learning_rate}")

    monkeypatch.setitem(run.__globals__, f"train_{stage}", stop)
    told = "--output", str(tmp_path), "--stage", stage, "--learning-rate", "0.25", "--threads", "1"
    assert main(["train", *told]) != 0
    assert "learned at 0.25" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["clustering", "calibration"])
def test_a_stage_that_learns_nothing_by_steps_takes_no_learning_rate(stage, tmp_path, capsys):
    assert main(["train", "--output", str(tmp_path), "--stage", stage, "--learning-rate", "0.1"]) != 0
    assert f"--learning-rate: --stage {stage} takes none" in capsys.readouterr().err


@pytest.mark.parametrize(("keep", "start"), [("0.5", []), ("1", ["--alignment-start", str(shipped_path())])])
def test_only_a_part_of_weights_begun_with_can_be_kept(keep, start, tmp_path, capsys):
    assert main(["train", "--output", str(tmp_path), "--alignment-keep", keep, *start]) != 0
    assert "--alignment-keep: expected 0 to 1 of the weights of --alignment-start" in capsys.readouterr().err


def test_the_alignment_waits_for_the_grouping(tmp_path):
    """Its instances would be those of random weights."""
    save_checkpoint(replace(load_checkpoint(shipped_path()), record={}), tmp_path / "backbone.safetensors")
    args = Namespace(
        output=str(tmp_path), cache=None, seed=0, workers=0, threads=1, stage="alignment", validation_scenes=None,
        without=None, alignment_scenes=1, alignment_steps=1, grouping_start=None, alignment_start=None,
        alignment_keep=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match="cannot group yet, run --stage grouping first"):
        run(args)


def test_what_is_said_of_a_scene_is_kept_for_a_second_run_over_the_same_weights(tmp_path, monkeypatch):
    model = SegVec3D(PointAttention(SMALL), Alignment(AlignmentConfig(features=SMALL.features)), device="cpu")
    monkeypatch.setattr(pool, "_worker_model", model)
    first = pool._work((describing._described, 5, 0, str(tmp_path), "these"))
    monkeypatch.setattr(pool, "_worker_model", None)  # nobody could describe it anew
    assert pool._work((describing._described, 5, 0, str(tmp_path), "these")) == first
    with pytest.raises(AssertionError):
        pool._work((describing._described, 5, 0, str(tmp_path), "others"))
    with pytest.raises(AssertionError):
        pool._work((grouping._superpoints, 5, 0, str(tmp_path), "these"))


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
    older = {f"network.{key}": value for key, value in state.items() if not key.startswith("bonds.")}
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
