"""One command trains all stages, and says before hours of training what they cannot begin with."""

import json
import shutil
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch

from segvec3d_core import SegVec3D
from segvec3d_core.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, shipped_path
from segvec3d_core.cli import main
from segvec3d_core.config import NetworkConfig
from segvec3d_core.train import run
from segvec3d_core.train.bonds import with_late_color


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
        ({"record": {"grouping": {}}, "arrays": {}}, "weights: no grouping in them"),
        ({"record": {"grouping": {}}, "arrays": {"grouping.norm.bias": np.zeros(3)}}, "grouping of another shape"),
    ],
)
def test_what_a_later_stage_cannot_begin_with_is_said_before_hours_of_training(change, message, tmp_path):
    file = tmp_path / "start.safetensors"
    save_checkpoint(replace(Checkpoint({"network.x": np.zeros(1)}, {}, {}), **change), file)
    args = Namespace(threads=1, workers=0, without=None, output=tmp_path, grouping_start=file, alignment_start=None)
    with pytest.raises(ValueError, match=message):
        run(args)


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.timeout(600)  # each stage loads torch anew in a process of its own
def test_one_command_trains_all_stages_though_interrupted_and_what_it_writes_loads(tmp_path, monkeypatch):
    args = Namespace(
        output=str(tmp_path), cache=None, scenes=2, steps=4, seed=3, workers=0, threads=1, resume=False, stage="all",
        labels="full", grouping_scenes=3, grouping_steps=4, alignment_scenes=4, alignment_steps=5, validation_scenes=4,
        frames=None, split=None, labelled_points=None,
        start=shipped_path(), grouping_start=shipped_path(), alignment_start=shipped_path(), alignment_keep=0.4,
        without=None, without_pairs=False, learning_rate=None, max_voxels=None,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setitem(run.__globals__, "train_alignment", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(args)
    backbone = (tmp_path / "backbone.safetensors").read_bytes()
    assert run(Namespace(**{**vars(args), "resume": True})) == 0
    assert (tmp_path / "backbone.safetensors").read_bytes() == backbone, "what was made is not made again"
    model, shipped = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu"), SegVec3D.load(device="cpu").info
    assert model.info["segmentation"]["steps"] == 4
    assert model.info["grouping"]["superpoints"] > 0
    assert model.info["grouping"]["start"]["steps"] == shipped["grouping"]["steps"]
    assert model.info["alignment"]["instances"] > 0
    assert model.info["alignment"]["start"]["steps"] == shipped["alignment"]["steps"]
    assert model.info["alignment"]["kept"] == 0.4
    assert run(Namespace(**{**vars(args), "stage": "calibration", "validation_scenes": 6})) == 0
    again = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu")
    kept, before = again.alignment.state_dict(), model.alignment.state_dict()
    assert all(torch.equal(kept[name], before[name]) for name in kept if name != "calibration")
    assert again.score != model.score, "fitted on other scenes"
    assert again.info["alignment"]["instances"] == model.info["alignment"]["instances"]
    assert run(Namespace(**{**vars(args), "stage": "mixture", "start": shipped_path(), "keep": 0.25})) == 0
    mixed = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu")
    there = SegVec3D.load(device="cpu")
    for part in ("network", "grouping", "alignment"):
        ours, theirs, ends = (getattr(model, part).state_dict() for model in (mixed, there, again))
        for name in set(ours) - {"calibration"}:
            wanted = torch.lerp(ends[name].float(), theirs[name].float(), 0.25)
            torch.testing.assert_close(ours[name].float(), wanted, atol=2e-3, rtol=2e-3)
    assert mixed.threshold == pytest.approx(again.threshold + 0.25 * (there.threshold - again.threshold))
    assert mixed.score.bias == pytest.approx(again.score.bias + 0.25 * (there.score.bias - again.score.bias))
    assert mixed.info["mixture"]["kept"] == 0.25
    assert mixed.info["alignment"]["instances"] == model.info["alignment"]["instances"]
    foreign = SegVec3D.untrained(1, model.network.config, "cpu")
    foreign.save(tmp_path / "backbone.safetensors", {"grouping": {}})
    with pytest.raises(ValueError, match="reads the features of another network"):
        run(Namespace(**{**vars(args), "stage": "calibration"}))
    lines = (tmp_path / "segmentation.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 4
    with pytest.raises(ValueError, match=r"resume: .*segmentation\.state belongs to a run of"):
        run(Namespace(**{**vars(args), "steps": 6, "resume": True, "stage": "segmentation"}))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", ["pairs", "kinds"])
def test_pairs_or_kinds_are_learned_anew_and_nothing_else(stage, tmp_path):
    args = Namespace(
        output=str(tmp_path), cache=None, seed=5, workers=0, threads=1, stage=stage, start=shipped_path(),
        grouping_scenes=3, grouping_steps=4, grouping_start=None, alignment_start=None, alignment_keep=None,
        validation_scenes=None, without=None, without_pairs=False, learning_rate=None,
    )  # fmt: skip
    assert run(args) == 0
    taught, before = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu"), SegVec3D.load(device="cpu")
    assert taught.info[stage]["steps"] == 4
    assert taught.info[stage]["start"] == before.info["fingerprint"]
    assert taught.info["mixture"] == before.info["mixture"]
    assert (taught.threshold, taught.score, taught.clustering) == (before.threshold, before.score, before.clustering)
    for part in ("network", "grouping", "alignment"):
        ours, theirs = getattr(taught, part).state_dict(), getattr(before, part).state_dict()
        changed = {name.partition(".")[0] for name in ours if not torch.equal(ours[name], theirs[name])}
        kinds = {"surface", "enter_whole", "kind"}
        if part == "grouping":
            assert changed > kinds if stage == "pairs" else changed == kinds
        else:
            assert not changed
        assert not any(name.startswith("standard") for name in changed), "means and scales of the inputs stay"
    SegVec3D.untrained(1, device="cpu").save(tmp_path / "bare.safetensors", {"grouping": {}})
    with pytest.raises(ValueError, match=r"bare\.safetensors holds no finished weights"):
        run(Namespace(**{**vars(args), "start": tmp_path / "bare.safetensors"}))


@pytest.mark.timeout(300)
def test_bonds_are_learned_anew_and_nothing_else(tmp_path):
    args = Namespace(
        output=str(tmp_path), cache=None, seed=5, workers=0, threads=1, stage="bonds", start=shipped_path(), scenes=2,
        steps=4, max_voxels=6_000, grouping_start=None, alignment_start=None, alignment_keep=None,
        validation_scenes=None, without=None, without_pairs=False, learning_rate=None,
    )  # fmt: skip
    assert run(args) == 0
    taught, before = SegVec3D.load(tmp_path / "segvec3d.safetensors", device="cpu"), SegVec3D.load(device="cpu")
    assert taught.info["bonds"]["steps"] == 4
    assert 0 < taught.info["bonds"]["cross-entropy"] < 1
    assert taught.info["bonds"]["start"] == before.info["fingerprint"]
    for part in ("network", "grouping", "alignment"):
        ours, theirs = getattr(taught, part).state_dict(), getattr(before, part).state_dict()
        changed = {name.partition(".")[0] for name in ours if not torch.equal(ours[name], theirs[name])}
        assert changed == ({"bonds", "color_bonds"} if part == "network" else set())


def test_weights_from_before_colours_counted_learn_them_from_nothing(tmp_path):
    geometric = SegVec3D.untrained(1, replace(NetworkConfig(), late_color=False), "cpu")
    geometric.save(tmp_path / "old.safetensors", {})
    network = with_late_color(SegVec3D.load(tmp_path / "old.safetensors", device="cpu").network)
    kept = network.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in geometric.network.state_dict().items())
    assert not any(kept[f"color_bonds.out.{name}"].any() for name in ("weight", "bias"))


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


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["--start", str(shipped_path())], "--start names the weights to mix in, --keep how much"),
        (["--start", str(shipped_path()), "--keep", "1"], "--keep: expected a share between 0 and 1, got 1.0"),
        (["--start", "nowhere.safetensors", "--keep", "0.5"], "no file at nowhere.safetensors"),
        (["--start", "small.safetensors", "--keep", "0.5"], "small.safetensors has networks of another shape"),
    ],
)
def test_what_cannot_be_mixed_is_told(told, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(shipped_path(), "segvec3d.safetensors")
    save_checkpoint(Checkpoint({"network.x": np.zeros(1)}, {}, {}), tmp_path / "small.safetensors")
    assert main(["train", "--output", str(tmp_path), "--stage", "mixture", *told]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "backbone.safetensors").exists()


def test_the_alignment_waits_for_the_grouping(tmp_path):
    """Its instances would be those of random weights."""
    save_checkpoint(replace(load_checkpoint(shipped_path()), record={}), tmp_path / "backbone.safetensors")
    args = Namespace(
        output=str(tmp_path), cache=None, seed=0, workers=0, threads=1, stage="alignment", validation_scenes=None,
        without=None, without_pairs=False, alignment_scenes=1, alignment_steps=1, grouping_start=None,
        alignment_start=None, alignment_keep=None,
    )  # fmt: skip
    with pytest.raises(ValueError, match="cannot group yet, run --stage grouping first"):
        run(args)
