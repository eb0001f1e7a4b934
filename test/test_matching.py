"""A sentence means those of several things that it describes: hand-made scenes with boxes whose places are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from placed_things import CAMERA, NAMES, UP, ask, cubes, knows_names, scene

from segvec3d_core.matching import answer
from segvec3d_core.query import interpret
from segvec3d_core.relations import precedence
from segvec3d_core.types import Box, Scene, SceneObject


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the red mug", "red mug"),
        ("the biggest box", "big box"),
        ("the smallest box", "small box"),
        ("the tallest box", "tall box"),
        ("the second biggest box", "tall box"),
        ("the leftmost box", "big box"),
        ("the box on the right", "small box"),
        ("the rightmost mug", "blue mug"),
        ("the highest mug", "red mug"),
        ("the nearest box", "small box"),
        ("the farthest box", "tall box"),
        ("the box nearest to the blue mug", "small box"),
        ("the box farthest from the red mug", "small box"),
        ("the mug on the box", "red mug"),
        ("the mug on the table", "blue mug"),
        ("the ball in the bowl", "ball"),
        ("the box under the mug", "big box"),
        ("the mug but not the one on the box", "blue mug"),
        ("the mug, not the leftmost one", "blue mug"),
        ("the mug that is not closest to me", "red mug"),
        ("the box next to me", "small box"),
        ("the one in the bowl", "ball"),
        ("the bottle left of the laptop", "bottle"),
        ("the mug right of the laptop", "blue mug"),
        ("the mug next to the small box", "blue mug"),
        ("the box behind the blue mug", "tall box"),
        ("the thing in front of the laptop", "bowl"),
        ("the bottle between the red mug and the blue mug", "bottle"),
        ("the mug that is not red", "blue mug"),
        ("the mug not on the table", "red mug"),
        ("the mug left of the small box and not red", "blue mug"),
        ("the box that is not big and is not small", "tall box"),
        ("the box taller than the bottle", "tall box"),
        ("the mug on the box left of the laptop", "red mug"),
    ],
)
def test_a_sentence_means_the_thing_that_stands_so(text, expected):
    assert ask(text)[:1] == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the two mugs", {"red mug", "blue mug"}),
        ("all red or blue mugs", {"red mug", "blue mug"}),
        ("the banana or the bowl", {"bowl"}),
        ("all boxes except the biggest one", {"small box", "tall box"}),
        ("all boxes but the two tallest", {"small box"}),
        ("all boxes but the one nearest to the blue mug", {"big box", "tall box"}),
        ("all boxes but the one nearest to the banana", {"big box", "small box", "tall box"}),
        ("all boxes but the fourth biggest", {"big box", "small box", "tall box"}),
        ("boxes or bowls right of the bottle", {"small box", "tall box", "bowl"}),
        ("the two biggest boxes", {"big box", "tall box"}),
        ("all boxes", {"big box", "small box", "tall box"}),
        ("the boxes right of the laptop", {"small box", "tall box"}),
        ("all boxes nearest to the big box", {"small box", "tall box"}),
        ("all mugs farthest from the red mug", {"blue mug"}),
    ],
)
def test_a_sentence_for_many_means_them_all(text, expected):
    assert set(ask(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["the banana", "the bottle on the laptop", "the laptop in the bowl", "the ball left of the banana",
     "the mug that is not red or blue", "the bottle right of the laptop", "the biggest banana",
     "the third mug from the left", "the fifth biggest box", "the second bottle from the right",
     "the box nearest to the banana", "all boxes farthest from the banana"],
)  # fmt: skip
def test_what_is_not_so_is_not_found(text):
    assert ask(text) == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [("the wide thing", False), ("the wide object that is white", False), ("the thing", False), ("the wide one", False),
     ("the table", True), ("something wide", True), ("the table with things", True), ("a shelf full of items", True),
     ("the wide thing with a handle", False), ("the wide mug or the table", True)],
)  # fmt: skip
def test_a_thing_is_no_surface(text, fits):
    found = answer(interpret(text), scene(), lambda texts: np.full((len(NAMES), len(texts)), 0.9, np.float32), 0.5)
    assert bool(found.similarity[NAMES.index("table")]) == fits


def test_what_is_the_biggest_is_not_the_second_biggest_however_doubtful_the_others_are():
    def knows_little(texts: Sequence[str]) -> np.ndarray:
        sure = {"big box": 0.97, "tall box": 0.55, "small box": 0.62}
        return np.array([[sure.get(name, 0.01)] * len(texts) for name in NAMES], np.float32)

    answers = [
        answer(interpret(f"the {rank} box"), scene(), knows_little, 0.5).order[0]
        for rank in ("biggest", "second biggest", "third biggest")
    ]
    assert len(set(answers)) == 3
    assert NAMES[answers[0]] == "big box"


def test_an_anchor_that_is_hardly_there_is_told_of():
    def doubts(texts: Sequence[str]) -> np.ndarray:
        return np.minimum(knows_names(texts), [0.3 if text == "laptop" else 1.0 for text in texts])

    found = answer(interpret("the bottle left of the laptop"), scene(), doubts, 0.5)
    assert NAMES[found.order[0]] == "bottle"
    assert "perhaps no 'laptop' is there: similarity 0.30" in found.notes
    sure = answer(interpret("the bottle left of the laptop"), scene(), knows_names, 0.5)
    assert found.similarity[found.order[0]] == pytest.approx(0.3 / 0.5 * sure.similarity[sure.order[0]])


def test_an_empty_scene_answers_nothing():
    empty = Scene(np.zeros(0, np.int32), (), {}, CAMERA, UP)
    for text in ("the mug", "the biggest mug", "the mug left of the box", "the mug between the cup and the box"):
        found = answer(interpret(text), empty, lambda texts: np.zeros((0, len(texts)), np.float32), 0.5)
        assert len(found.order) == 0


def test_the_middle_one_is_in_the_middle_of_those_that_are_meant():
    mugs, plates = [(-1.0, 0, 0), (-0.8, 0, 0), (-0.6, 0, 0)], [(x / 10, 0.0, 0.0) for x in range(8)]
    where = Scene(np.zeros(0, np.int32), cubes(*mugs, *plates), {}, CAMERA, UP)
    similar = np.array([[0.95]] * 3 + [[0.02]] * 8, np.float32)
    assert answer(interpret("the middle mug"), where, lambda texts: similar, 0.5).order[0] == 1


def test_who_asks_for_one_means_an_anchor_beside_which_there_is_one():
    """Two trays, the likelier one with two boxes to its left, the other, far behind, with one."""
    places = [(0.0, 0.0), (-0.3, 0.0), (-0.6, 0.0), (0.0, 6.0), (-0.3, 6.0)]
    cube = np.full(3, 0.1, np.float32)
    objects = tuple(
        SceneObject(
            "object", 0.9, Box(center, np.eye(3, dtype=np.float32), cube), center, np.zeros(4, np.float32), None, 9
        )
        for center in (np.array([x, y, 0.05], np.float32) for x, y in places)
    )
    trays = Scene(np.zeros(0, np.int32), objects, {}, CAMERA, UP)
    table = {"tray": [0.9, 0, 0, 0.8, 0], "box": [0, 0.9, 0.9, 0, 0.9], "boxes": [0, 0.9, 0.9, 0, 0.9]}

    def first(text: str) -> int:
        found = answer(interpret(text), trays, lambda texts: np.array([table[t] for t in texts], np.float32).T, 0.5)
        return int(found.order[0])

    assert first("the box left of the tray") == 4
    assert first("all boxes left of the tray") == 1


def boxes_by_size(sizes: Sequence[float]) -> Scene:
    """Cubes in a row, by the lengths of their edges, metres."""
    objects = []
    for k, size in enumerate(sizes):
        center, edges = np.array([k, 0, size / 2], np.float32), np.full(3, size, np.float32)
        box = Box(center, np.eye(3, dtype=np.float32), edges)
        objects.append(SceneObject("object", 1.0, box, center, np.zeros(4, np.float32), None, 9))
    return Scene(np.zeros(0, np.int32), tuple(objects), {}, CAMERA, UP)


@pytest.mark.parametrize(
    ("sizes", "similarity", "meant"),
    [
        pytest.param((0.2, 0.1, 0.1), (0.6, 0.6, 0.6), 0, id="the larger one where all are as likely boxes"),
        pytest.param((0.101, 0.1, 0.05), (0.6, 0.9, 0.6), 1, id="the likelier one of two that look alike"),
        pytest.param((0.2, 0.1, 0.05), (0.6, 0.9, 0.6), 0, id="the larger one where it is clearly larger"),
        pytest.param((0.2, 0.1, 0.05), (0.4, 0.8, 0.02), 0, id="a doubtful one, for the asker sees several"),
        pytest.param((0.3, 0.2, 0.1), (0.05, 0.05, 0.9), 2, id="the only one that is there"),
    ],
)  # fmt: skip
def test_the_biggest_one_is_likely_such_a_thing_and_likely_the_first(sizes, similarity, meant):
    def similarities(texts: Sequence[str]) -> np.ndarray:
        return np.repeat(np.array(similarity, np.float32)[:, None], len(texts), 1)

    assert answer(interpret("the biggest box"), boxes_by_size(sizes), similarities, 0.2).order[0] == meant


def test_of_two_values_one_comes_first_and_the_clearer_the_surer():
    value = np.array([0.0, 0.1, 1.0, 1.0])
    sure, unsure = precedence(value, 0.0), precedence(value, 0.3)
    apart = ~np.eye(4, dtype=bool)
    for table in (sure, unsure):
        assert np.allclose((table + table.T)[apart], 1)
        assert not np.diag(table).any()
    assert sure[0, 1] == 1
    assert 0.5 < unsure[0, 1] < unsure[0, 2] < 1


def test_what_stands_so_to_all_likely_anchors_is_meant_rather_than_what_does_to_one():
    """A mug, a doubtful laptop, a mug that is a little likelier, a likelier laptop, from left to right."""
    objects = []
    for x in (-0.6, 0.0, 0.3, 0.6):
        center = np.array([x, 0, 0.05], np.float32)
        box = Box(center, np.eye(3, dtype=np.float32), np.full(3, 0.1, np.float32))
        objects.append(SceneObject("object", 1.0, box, center, np.zeros(4, np.float32), None, 9))

    def similarities(texts: Sequence[str]) -> np.ndarray:
        columns = {"mug": (0.8, 0.02, 0.82, 0.02), "laptop": (0.01, 0.3, 0.01, 0.6)}
        return np.array([columns[text] for text in texts], np.float32).T

    two = Scene(np.zeros(0, np.int32), tuple(objects), {}, np.array([0, -30, 0.6], np.float32), UP)
    assert answer(interpret("the mug left of the laptop"), two, similarities, 0.2).order[0] == 0


def test_a_colour_that_no_cloud_has_is_told_of():
    query = interpret("the red mug")
    notes = answer(query, scene(), knows_names, 0.5).notes
    assert notes == ("the cloud has no colours, which 'red' asks for",)
    assert not answer(interpret("the biggest box"), scene(), knows_names, 0.5).notes
    painted = tuple(replace(thing, color=np.zeros(3, np.uint8)) for thing in scene().objects)
    assert not answer(query, replace(scene(), objects=painted), knows_names, 0.5).notes
