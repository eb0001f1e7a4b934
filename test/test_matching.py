"""Where things stand decides what a sentence means: hand-made scenes with boxes whose places are known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from segvec3d_core.matching import answer
from segvec3d_core.query import interpret
from segvec3d_core.relations import RELATIONS, Layout, View, precedence
from segvec3d_core.types import Box, Scene, SceneObject

UP = np.array([0, 0, 1], np.float32)
CAMERA = np.array([0, -1.5, 0.6], np.float32)  # looks along +y, so that left is -x

# name: centre and size, metres; the table top is at z = 0
THINGS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "table": ((0, 0, -0.01), (1.2, 0.8, 0.02)),
    "laptop": ((0, 0, 0.01), (0.3, 0.22, 0.02)),
    "big box": ((-0.4, 0.1, 0.1), (0.2, 0.2, 0.2)),
    "small box": ((0.4, 0.0, 0.05), (0.1, 0.1, 0.1)),
    "tall box": ((0.3, 0.3, 0.15), (0.06, 0.06, 0.3)),
    "red mug": ((-0.4, 0.1, 0.25), (0.08, 0.08, 0.1)),  # on the big box
    "blue mug": ((0.28, 0.02, 0.05), (0.08, 0.08, 0.1)),  # next to the small box
    "bowl": ((0.0, -0.3, 0.04), (0.16, 0.16, 0.08)),
    "ball": ((0.0, -0.3, 0.05), (0.06, 0.06, 0.06)),  # in the bowl
    "bottle": ((-0.2, 0.0, 0.12), (0.07, 0.07, 0.24)),  # left of the laptop
}
NAMES = tuple(THINGS)


def scene(viewpoint: np.ndarray | None = CAMERA, up: np.ndarray | None = UP) -> Scene:
    objects = tuple(
        SceneObject(
            "surface" if name == "table" else "object", 0.9,
            Box(np.array(center, np.float32), np.eye(3, dtype=np.float32), np.array(size, np.float32)),
            np.array(center, np.float32), np.zeros(4, np.float32), None, 100,
        )
        for name, (center, size) in THINGS.items()
    )  # fmt: skip
    return Scene(np.zeros(0, np.int32), objects, {}, viewpoint, up)


def knows_names(texts: Sequence[str]) -> np.ndarray:
    """Similarities of an encoder that is right: all words of the text are in the thing's name."""
    table = np.zeros((len(NAMES), len(texts)), np.float32)
    for t, text in enumerate(texts):
        asked = set(text.split()) - {"thing"}
        for k, name in enumerate(NAMES):
            table[k, t] = 0.95 if asked <= set(name.split()) else 0.02
    return table


def ask(text: str, where: Scene | None = None, view: View | None = None) -> list[str]:
    """The names of the objects that fit, the best first and as many as the text asks for."""
    query = interpret(text)
    found = answer(query, where or scene(), knows_names, 0.5, view)
    return [NAMES[k] for k in found.order[: query.count] if found.similarity[k] >= 0.5]


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


@pytest.mark.parametrize("text", ["the box left of the laptop", "the leftmost box", "the box behind the bowl"])
def test_without_a_viewpoint_directions_are_refused_with_the_reason(text):
    with pytest.raises(ValueError, match=r"cannot be decided: the cloud has no viewpoint"):
        ask(text, scene(viewpoint=None))


def test_without_up_heights_are_refused_with_the_reason():
    with pytest.raises(ValueError, match="'tallest' cannot be decided: which way is up is not known"):
        ask("the tallest box", scene(viewpoint=None, up=None))


def test_what_needs_no_viewpoint_is_answered_without_one():
    assert ask("the mug on the box", scene(viewpoint=None)) == ["red mug"]
    assert ask("the biggest box", scene(viewpoint=None, up=None)) == ["big box"]


def test_a_given_frame_turns_left_into_its_own_left():
    looks_back = np.diag([-1.0, -1.0, 1.0, 1.0]) @ np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    view = View.of_frame(looks_back)
    assert ask("the leftmost box", view=view) == ["small box"]
    assert ask("the mug left of the laptop", view=view) == ["blue mug"]
    assert ask("the leftmost box", scene(viewpoint=None), view) == ["small box"]


def test_the_answer_says_whose_left_and_what_is_not_there():
    def notes(text: str, view: View | None = None) -> tuple[str, ...]:
        return answer(interpret(text), scene(), knows_names, 0.5, view).notes

    assert notes("the bottle left of the laptop") == ("seen from the camera",)
    assert notes("the bottle left of the laptop", View.of_frame(np.eye(4))) == ("seen from the given frame",)
    assert notes("the ball on the banana") == ("no 'banana' is there",)


@pytest.mark.parametrize("T", [np.full((4, 4), np.nan), np.zeros((4, 4)), np.diag([-1.0, 1, 1, 1]), np.eye(3)])
def test_a_view_needs_a_pose(T):
    with pytest.raises(ValueError, match="T_cloud_frame: expected"):
        View.of_frame(T)


def test_a_view_keeps_its_own_copy_of_the_pose():
    T = np.eye(4)
    view = View.of_frame(T)
    T[:3, 3] = 9
    assert view.origin.tolist() == [0, 0, 0]


def test_an_empty_scene_answers_nothing():
    empty = Scene(np.zeros(0, np.int32), (), {}, CAMERA, UP)
    for text in ("the mug", "the biggest mug", "the mug left of the box", "the mug between the cup and the box"):
        found = answer(interpret(text), empty, lambda texts: np.zeros((0, len(texts)), np.float32), 0.5)
        assert len(found.order) == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [("left of", "right of"), ("behind", "in front of"), ("bigger than", "smaller than"),
     ("taller than", "shorter than"), ("wider than", "narrower than"), ("thicker than", "thinner than"),
     ("higher than", "lower than")],
)  # fmt: skip
def test_opposite_relations_mirror_each_other(one, other):
    layout = Layout(scene())
    assert np.allclose(RELATIONS[one](layout, one), RELATIONS[other](layout, other).T)


@pytest.mark.parametrize("name", sorted(RELATIONS))
def test_degrees_are_from_0_to_1(name):
    degree = RELATIONS[name](Layout(scene()), name)
    assert degree.shape == (len(NAMES), len(NAMES))
    assert degree.min() >= 0
    assert degree.max() <= 1


def test_directions_do_not_hang_on_where_the_cloud_lies():
    """A scene that is turned about the vertical and moved, camera and all, is answered alike."""
    angle = 1.1
    R = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]], np.float32)
    shift = np.array([4.0, -2.5, 1.0], np.float32)
    moved = []
    for o in scene().objects:
        box = Box(R @ o.box.center + shift, R @ o.box.rotation, o.box.size)
        moved.append(SceneObject(o.kind, o.score, box, R @ o.centroid + shift, o.embedding, None, 100))
    there = Scene(np.zeros(0, np.int32), tuple(moved), {}, R @ CAMERA + shift, UP)
    for text in ("the bottle left of the laptop", "the leftmost box", "the mug on the box", "the nearest box"):
        assert ask(text, there) == ask(text)


def cubes(*places: tuple[float, float, float]) -> tuple[SceneObject, ...]:
    boxes = [Box(np.array(p, np.float32), np.eye(3, dtype=np.float32), np.full(3, 0.08, np.float32)) for p in places]
    return tuple(SceneObject("object", 0.9, box, box.center, np.zeros(4, np.float32), None, 9) for box in boxes)


def boxes(*placed: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Scene:
    """Boxes of these centres and sizes, the first one a wall or whatever else it stands for."""
    things = tuple(
        replace(thing, box=replace(thing.box, size=np.array(size, np.float32)))
        for thing, (_, size) in zip(cubes(*(center for center, _ in placed)), placed, strict=True)
    )
    return Scene(np.zeros(0, np.int32), (replace(things[0], kind="surface"), *things[1:]), {}, CAMERA, UP)


def test_what_is_near_a_long_thing_is_told_by_its_nearest_place():
    wall = ((0, 0, 1.25), (8, 0.04, 2.5))
    where = boxes(wall, ((-3.5, -0.3, 0.4), (0.4, 0.4, 0.8)), ((0, -1.3, 0.4), (0.4, 0.4, 0.8)))
    gap = Layout(where).gap()
    np.testing.assert_allclose(gap[1:, 0], [0.08, 1.08], atol=1e-5)
    np.testing.assert_array_equal(gap, gap.T)
    np.testing.assert_allclose(Layout(where).degree("next to")[1:, 0] > 0.9, [True, False])


def test_things_hang_on_a_wall_and_stand_beside_it():
    wall, clock = ((0, 0, 1.25), (8, 0.04, 2.5)), ((1, -0.05, 1.8), (0.3, 0.04, 0.3))
    wardrobe, away = ((-1, -0.3, 1), (1, 0.5, 2)), ((1, -1, 1.8), (0.3, 0.04, 0.3))
    assert Layout(boxes(wall, clock, wardrobe, away)).degree("on")[1:, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize(("height", "under"), [(0.15, 0.0), (0.7, 0.9)])
def test_under_a_desk_there_is_room_and_in_a_low_box_there_is_none(height, under):
    where = boxes(((0, 0, height / 2), (0.5, 0.4, height)), ((0, 0, 0.05), (0.06, 0.06, 0.1)))
    assert Layout(where).degree("under")[1, 0] == pytest.approx(under)


def test_a_thing_without_height_is_in_the_box_that_holds_it():
    where = boxes(((0, 0, 0.05), (0.3, 0.2, 0.1)), ((0, 0, 0.02), (0.1, 0.1, 0.0)), ((0, 0, 0.02), (0.1, 0.1, 0.0)))
    with np.errstate(all="raise"):
        assert Layout(where).degree("in")[1:, 0].tolist() == [1, 1]


def test_leftmost_is_what_is_farthest_left_in_the_picture():
    near, far = (-0.35, -0.5, 0.1), (-0.75, 1.5, 0.1)  # seen from (0, -1.5): 19 and 14 degrees left
    plates = [(x / 10, 0.0, 0.1) for x in range(1, 7)]
    left = Layout(Scene(np.zeros(0, np.int32), cubes(near, far, *plates), {}, CAMERA, UP)).leftness("leftmost")
    assert left.argmax() == 0


def test_the_middle_one_is_in_the_middle_of_those_that_are_meant():
    mugs, plates = [(-1.0, 0, 0), (-0.8, 0, 0), (-0.6, 0, 0)], [(x / 10, 0.0, 0.0) for x in range(8)]
    where = Scene(np.zeros(0, np.int32), cubes(*mugs, *plates), {}, CAMERA, UP)
    similar = np.array([[0.95]] * 3 + [[0.02]] * 8, np.float32)
    assert answer(interpret("the middle mug"), where, lambda texts: similar, 0.5).order[0] == 1


def looking(*axes: tuple[float, float, float]) -> np.ndarray:
    """A camera's right, down and forward as columns."""
    return np.array(axes, np.float32).T


def test_what_is_remembered_behind_the_camera_does_not_turn_left_and_right_round():
    """Two mugs before a robot that looks along x, and five other things behind its back."""
    behind = [(-2.0, 0.2 * k - 0.5, 0.5) for k in range(5)]
    objects = cubes((1.0, 0.21, 0.5), (1.0, -0.21, 0.5), *behind)
    axes = looking((0, -1, 0), (0, 0, -1), (1, 0, 0))
    there = Scene(np.zeros(0, np.int32), objects, {}, np.array([0, 0, 1], np.float32), UP, axes)

    def first(text: str) -> int:
        mugs = np.array([0.9, 0.9, 0, 0, 0, 0, 0], np.float32)
        found = answer(interpret(text), there, lambda texts: np.repeat(mugs[:, None], len(texts), 1), 0.5)
        return int(found.order[0])

    assert (first("the mug on the left"), first("the mug on the right")) == (0, 1)
    assert (first("the leftmost mug"), first("the rightmost mug")) == (0, 1)
    assert Layout(there).degree("left of")[0, 1] > 0.9 > Layout(there).degree("left of")[1, 0]


@pytest.mark.parametrize("roll", [0, 45, 75, 90, 105, 120, 150, 180, 210, 270, 330])
def test_left_is_that_of_somebody_who_stands_upright_however_the_camera_is_rolled(roll):
    """Four cubes in a row, seen along y by a camera that is turned about its own axis and tilted up, level or down."""
    row = cubes(*((x, 0.0, 0.6) for x in (-0.6, -0.2, 0.2, 0.6)))
    for pitch in (-60, 0, 60):
        (s, t), (c, d) = np.sin(np.deg2rad([pitch, roll])), np.cos(np.deg2rad([pitch, roll]))
        right, down, forward = looking((1, 0, 0), (0, s, -c), (0, c, s)).T
        axes = np.stack([d * right + t * down, d * down - t * right, forward], 1)
        layout = Layout(Scene(np.zeros(0, np.int32), row, {}, CAMERA, UP, axes))
        assert np.argsort(-layout.leftness("leftmost")).tolist() == [0, 1, 2, 3]
        assert layout.degree("left of")[0, 1:].min() > 0.9 > 0.1 > layout.degree("left of")[3].max()


def test_a_camera_that_looks_straight_down_has_the_left_and_the_top_of_its_picture():
    objects = cubes((-0.2, 0.1, 0), (0.2, 0.1, 0), (0.0, -0.2, 0))
    axes = looking((1, 0, 0), (0, -1, 0), (0, 0, -1))
    layout = Layout(Scene(np.zeros(0, np.int32), objects, {}, np.array([0, 0, 1], np.float32), UP, axes))
    left, away = layout.lateral_depth("left of")
    assert left[0, 1] == pytest.approx(0.4)
    assert away[0, 2] == pytest.approx(0.3)


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


@pytest.mark.parametrize(("kind", "height", "foot", "found"), [
    ("object", 1.6, 0.8, True), ("surface", 1.6, 0.8, True), ("object", 1.6, 0.0, False), ("object", 0.35, 0.1, False),
])  # fmt: skip
def test_what_stands_on_a_board_is_on_the_shelf(kind, height, foot, found):
    """Not what stands on the floor in its midst, as below a desk, nor what lies in a box."""
    sizes = (0.9, 0.3, height), (0.08, 0.08, 0.1)
    centers = (0, 0, height / 2), (0.2, 0.05, foot + 0.05)
    shelf, mug = (
        SceneObject(
            what, 0.9, Box(np.array(center, np.float32), np.eye(3, dtype=np.float32), np.array(size, np.float32)),
            np.array(center, np.float32), np.zeros(4, np.float32), None, 100,
        )
        for what, center, size in zip((kind, "object"), centers, sizes, strict=True)
    )  # fmt: skip

    def similarities(texts: Sequence[str]) -> np.ndarray:
        return np.array([[0.9, 0.02] if text == "shelf" else [0.02, 0.9] for text in texts], np.float32).T

    where = Scene(np.zeros(0, np.int32), (shelf, mug), {}, CAMERA, UP)
    assert (answer(interpret("the mug on the shelf"), where, similarities, 0.5).similarity[1] >= 0.5) == found
