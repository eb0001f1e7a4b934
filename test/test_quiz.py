"""Questions have the answers that they are said to have, and scores count what they say."""

from collections.abc import Sequence

import numpy as np
import pytest

from segvec3d_core.cli.simulated import nouns
from segvec3d_core.quiz import (
    ABSENT,
    KINDS,
    Known,
    Outcome,
    Question,
    Quiz,
    alike,
    ask,
    held_out_pair,
    hits,
    pair_scores,
    summarize,
)
from segvec3d_core.types import Box, Match, Matches, Scene, SceneObject

UP = np.array([0, 0, 1], np.float32)


def known(name: str, color: str, size: float, n: int, uses: tuple[str, ...] = ()) -> Known:
    mask = np.zeros(4000, bool)
    mask[1000 * n : 1000 * n + 500] = True
    return Known(name, (f"{name} thing",), ("container",), uses, color, "", "plastic", (size, size, size), 500, mask)


def thing(x: float, size: float) -> SceneObject:
    box = Box(np.array([x, 0, size / 2], np.float32), np.eye(3, dtype=np.float32), np.full(3, size, np.float32))
    return SceneObject("object", 1.0, box, box.center, np.zeros(0, np.float32), None, 500)


THINGS = (
    known("mug", "red", 0.1, 0, ("something to drink from",)), known("mug", "blue", 0.1, 1),
    known("bowl", "red", 0.2, 2), known("bottle", "green", 0.12, 3),
)  # fmt: skip
TRUTH = Scene(
    np.full(4000, -1, np.int32), (thing(-0.3, 0.1), thing(0.0, 0.1), thing(0.25, 0.2), thing(0.6, 0.12)), {},
    np.array([0, -1, 0.5], np.float32), UP,
)  # fmt: skip


def questions(surfaces: frozenset[str] = frozenset()) -> dict[tuple[str, str], frozenset[int]]:
    quiz = Quiz(THINGS, TRUTH, ["banana", "mug"], np.random.default_rng(0), surfaces)
    return {(q.kind, q.text): q.right for q in quiz.questions()}


@pytest.mark.parametrize(
    ("kind", "text", "right"),
    [
        ("category", "the mug", {0, 1}),
        ("synonym", "the bowl thing", {2}),
        ("use", "something to drink from", {0}),
        ("colour", "the red thing", {0, 2}),
        ("colour + category", "the red mug", {0}),
        ("material", "the bottle made of plastic", {3}),
        ("size superlative", "the biggest container", {2}),
        ("size superlative", "the biggest thing", {2}),
        ("place superlative", "the leftmost mug", {0}),
        ("place superlative", "the rightmost mug", {1}),
        ("place superlative", "the farthest container", {3}),
        ("place superlative", "the highest container", {2}),
        ("negation", "the mug that is not red", {1}),
        ("negation", "the container that is not red", {1, 3}),
        ("absent category", "the banana", set()),
    ],
)
def test_a_question_means_what_is_true(kind, text, right):
    asked = questions()
    assert asked[kind, text] == frozenset(right)


def test_a_place_that_two_nearly_share_is_not_asked_for():
    """The two mugs differ by four centimetres in distance, and not in height."""
    assert not {("place superlative", "the nearest mug"), ("place superlative", "the highest mug")} & set(questions())


def test_relations_are_asked_where_no_other_stands_so():
    relations = {text: right for (kind, text), right in questions().items() if kind == "relation"}
    assert relations
    assert all(len(right) == 1 for right in relations.values())


def test_what_is_asked_as_absent_is_absent():
    asked = questions()
    assert {kind for kind, _ in asked} <= set(KINDS)
    for (kind, text), right in asked.items():
        assert bool(right) == (kind not in ABSENT)
        if kind == "absent attribute":
            _, color, noun = text.split()
            assert not any(known.is_a(noun) and alike(color, known.color) for known in THINGS)
    assert ("absent category", "the mug") not in asked


def test_what_a_surface_is_called_is_not_asked_as_absent():
    assert ("absent category", "the banana") not in questions(frozenset({"banana"}))
    looks = {text for kind, text in questions(frozenset({"mug"})) if kind == "absent attribute"}
    assert looks
    assert not any(text.endswith("mug") for text in looks)


def test_an_instance_hits_a_thing_from_half_overlap_on():
    labels = np.full(4000, -1, np.int32)
    labels[:500] = 0  # the first thing, exactly
    labels[1000:1200] = 1  # two fifths of the second
    labels[2000:3200] = 2  # the third and much else
    scene = Scene(labels, (thing(0, 1), thing(0, 1), thing(0, 1)), {})
    assert hits(scene, THINGS).tolist() == [[True, False, False, False], [False] * 4, [False] * 4]


class Fixed:
    """Finds instances in a fixed order; at its own threshold the first of them, unless bananas are asked for."""

    def __init__(self, order: Sequence[int]) -> None:
        self.order = order

    def find(self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None) -> Matches:
        order = self.order if min_similarity == 0 else [] if "banana" in text else self.order[:1]
        return Matches(tuple(Match(k, scene.objects[k], 0.5) for k in order), "")


def test_ranks_and_refusals_are_counted():
    labels = np.full(4000, -1, np.int32)
    for k in range(4):
        labels[1000 * k : 1000 * k + 500] = k
    scene = Scene(labels, tuple(thing(0, 1) for _ in range(4)), {})
    asked = [
        Question("category", "the bowl", frozenset({2})), Question("category", "the mug", frozenset({0, 1})),
        Question("absent category", "the banana", frozenset()), Question("absent category", "the pear", frozenset()),
    ]  # fmt: skip
    outcomes = ask(Fixed([3, 0, 2, 1]).find, scene, THINGS, asked)
    assert [o.rank for o in outcomes] == [3, 2, 0, 0]
    assert [o.answered for o in outcomes] == [True, True, False, True]
    scores = summarize(outcomes)
    assert (scores["category"].first.rate, scores["category"].fifth.rate) == (0, 1)
    assert scores["category"].mrr == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert scores["category"].median_rank == 2.5
    assert scores["absent category"].answered.rate == 0.5


def test_what_is_never_found_has_no_rank():
    never = summarize([Outcome(Question("category", "the mug", frozenset({0})), 0, False, False)])["category"]
    assert (never.mrr, never.median_rank, never.segmented.rate) == (0, float("inf"), 0)


@pytest.mark.parametrize(("a", "b", "same"), [("red", "red", True), ("silver", "grey", True), ("red", "blue", False)])
def test_colours_that_people_mix_up_are_alike(a, b, same):
    assert alike(a, b) == alike(b, a) == same


def test_one_pair_of_colour_and_kind_in_five_may_be_held_out_and_is_scored_by_itself():
    pairs = [(color, noun) for color in ("red", "blue", "green", "white", "black") for noun in nouns()]
    assert 0.17 < np.mean([held_out_pair(*pair) for pair in pairs]) < 0.23
    quiz = Quiz(THINGS, TRUTH, ["banana"], np.random.default_rng(0))
    both = [q for q in quiz.questions() if q.kind == "colour + category"]
    assert {q.text: q.held_out for q in both} == {
        f"the {thing.color} {thing.name}": held_out_pair(thing.color, thing.name) for thing in THINGS
    }
    outcomes = [
        Outcome(Question("colour + category", "the red mug", frozenset({0}), held_out), rank, True, rank == 1)
        for held_out, rank in ((True, 1), (True, 2), (False, 1))
    ]
    outcomes.append(Outcome(Question("colour", "the red thing", frozenset({0})), 2, True, False))
    held_out, others = pair_scores(outcomes)
    assert (held_out.hits, held_out.total, others.hits, others.total) == (1, 2, 1, 1)
