"""The alignment learns from captions that are true, near misses that are false, and nothing that nobody can say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_scene import SMALL, generator

from segvec3d_core import SegVec3D
from segvec3d_core.alignment import Alignment
from segvec3d_core.config import AlignmentConfig
from segvec3d_core.network import PointAttention
from segvec3d_core.quiz import held_out_pair
from segvec3d_core.text import TextEncoder
from segvec3d_core.train import alignment, describing, grouping, pool
from segvec3d_core.train.alignment import AlignmentTraining
from segvec3d_core.train.calibration import ask
from segvec3d_core.train.captions import COLOR_WORDS, Caption, Captions, Described, Facts
from segvec3d_core.train.describing import Described3D
from segvec3d_core.train.lesson import Lesson, open_info_nce

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


def test_without_pairs_neither_a_thing_nor_a_caption_brings_them_together(tmp_path):
    things = [Described.of({**kind, "color": color}) for kind in (MUG, BOX) for color in ("red", "blue", "green")]
    said = {(c.noun, c.color) for c in Captions(things, np.random.default_rng(0)).every}
    kept = {(c.noun, c.color) for c in Captions(things, np.random.default_rng(0), without_pairs=True).every}
    kinds = {"mug": "mug", "coffee mug": "mug", "box": "box", "package": "box"}
    gone = {(word, color) for word, color in said if word in kinds and color and held_out_pair(color, kinds[word])}
    assert gone
    assert said - kept == gone
    nothing = torch.zeros(0)
    for without_pairs in (False, True):
        plan = AlignmentTraining(tmp_path, without=("box",), without_pairs=without_pairs)
        for kind, color in ((kind, color) for kind in (MUG, BOX) for color in COLOR_WORDS):
            row = Described3D(nothing, nothing, nothing, nothing, {**kind, "color": color}, 0)
            left_out = kind is BOX or (without_pairs and held_out_pair(color, "mug"))
            assert alignment._left_out(row, plan) == left_out


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


def test_voxels_of_no_colour_are_learned_from_as_such():
    seen = describing.seen_colors(torch.tensor([[0, 0, 0], [255, 0, 51]], dtype=torch.uint8))
    assert seen[0].isnan().all()
    assert seen[1].tolist() == pytest.approx([1.0, 0.0, 0.2])
