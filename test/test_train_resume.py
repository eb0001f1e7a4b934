"""An interrupted run of all stages goes on with the stage that it was in, under the same terms."""

import logging
from argparse import Namespace

import pytest

from segvec3d_core import SegVec3D
from segvec3d_core.checkpoint import load_checkpoint
from segvec3d_core.clustering import ClusteringConfig
from segvec3d_core.train import run

STAGES = ["segmentation", "clustering", "grouping", "alignment"]


class Stages:
    """Stand-ins that learn nothing and tell which of them were called; one of them is interrupted, if any."""

    def __init__(self, monkeypatch):
        self.called: list[str] = []
        self.interrupted: str | None = None
        network = SegVec3D.untrained(0, device="cpu").network

        def stage(name, answer):
            def call(plan, *given):
                self.called.append(name)
                if name == self.interrupted:
                    raise KeyboardInterrupt
                return answer(plan, *given)

            return call

        def read(_, backbone):
            return SegVec3D.load(backbone, device="cpu"), {}

        for function, name, answer in (
            ("train_segmentation", "segmentation", lambda plan, *_: (network, {"terms": plan.terms()})),
            ("embed_scenes", "clustering", lambda *_: []),
            ("train_grouping", "grouping", read),
            ("train_alignment", "alignment", read),
        ):
            monkeypatch.setitem(run.__globals__, function, stage(name, answer))
        monkeypatch.setitem(run.__globals__, "tune_clustering", lambda *_, start: (ClusteringConfig(), {}))

    def made(self, args, **changes):
        """Which stages a run makes, and whether it ends."""
        self.called = []
        try:
            run(Namespace(**{**vars(args), **changes}))
        except KeyboardInterrupt:
            return self.called, False
        return self.called, True


@pytest.fixture
def stages(monkeypatch):
    return Stages(monkeypatch)


@pytest.fixture
def args(tmp_path):
    nothing = (
        "cache start frames split labelled_points scenes steps learning_rate max_voxels grouping_scenes grouping_steps "
        "grouping_start alignment_scenes alignment_steps alignment_start alignment_keep validation_scenes without"
    )
    told = {"output": str(tmp_path), "stage": "all", "resume": True, "labels": "full", "seed": 3}
    return Namespace(**dict.fromkeys(nothing.split()), **told, without_pairs=False, workers=0, threads=1)


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_goes_on_with_the_stage_in_which_it_was_interrupted(stage, stages, args, caplog):
    caplog.set_level(logging.INFO)
    at = STAGES.index(stage)
    stages.interrupted = stage
    assert stages.made(args) == (STAGES[: at + 1], False)
    stages.interrupted = None
    assert stages.made(args) == (STAGES[at:], True)
    told = [record.message.partition(":")[0] for record in caplog.records if "made already" in record.message]
    assert told == STAGES[:at]
    assert stages.made(args) == ([], True)


def test_without_resume_all_is_made_anew(stages, args):
    assert stages.made(args) == (STAGES, True)
    assert stages.made(args, resume=False) == (STAGES, True)


def test_how_many_work_and_where_scenes_are_kept_changes_no_terms(stages, args, tmp_path):
    assert stages.made(args) == (STAGES, True)
    assert stages.made(args, workers=1, cache=str(tmp_path / "scenes")) == ([], True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_scenes": 8}, r"the clustering in .* other terms \(validation_scenes\): give another --output"),
        ({"grouping_steps": 9}, r"the grouping in .* other terms \(steps\): .* or --stage grouping to make it anew"),
        ({"without": "mug", "alignment_scenes": 9}, r"the alignment in .* other terms \(scenes, without\)"),
    ],
)
def test_a_later_stage_of_other_terms_is_not_gone_on_from(changes, message, stages, args):
    assert stages.made(args) == (STAGES, True)
    with pytest.raises(ValueError, match=message):
        stages.made(args, **changes)
    assert stages.called == [], "it is said before anything is made"


def test_the_stages_on_another_network_are_made_anew(stages, args, tmp_path):
    """The first stage itself refuses a checkpoint of other terms."""
    assert stages.made(args) == (STAGES, True)
    assert stages.made(args, steps=9) == (STAGES, True)
    stages.made(args, resume=False, stage="segmentation")
    assert stages.made(args) == (STAGES[1:], True)
    assert load_checkpoint(tmp_path / "segvec3d.safetensors").record["alignment"]["terms"]["seed"] == 4


def test_the_alignment_to_another_grouping_is_made_anew(stages, args):
    assert stages.made(args) == (STAGES, True)
    stages.made(args, stage="grouping", grouping_steps=9)
    assert stages.made(args, grouping_steps=9) == (["alignment"], True)
