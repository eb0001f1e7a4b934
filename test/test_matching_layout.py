"""Relations and directions follow from where things stand and who looks: hand-made scenes with boxes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from placed_things import CAMERA, NAMES, UP, ask, cubes, knows_names, scene

from segvec3d_core.matching import answer
from segvec3d_core.query import interpret
from segvec3d_core.relations import RELATIONS, Layout, View
from segvec3d_core.types import Box, Scene, SceneObject


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
