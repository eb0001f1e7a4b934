"""Pictures: every cloud can be drawn, and what should be seen is where it should be."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segvec3d_core.types import Box, Camera, Match, Matches, PointCloud, Scene, SceneObject
from segvec3d_core.view import HIGHLIGHT, camera_view, draw_scene, instance_color, scan_view

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)


def boxed(kind: str, center: tuple[float, float, float], size: float = 0.1) -> SceneObject:
    box = Box(np.array(center, np.float32), np.eye(3, dtype=np.float32), np.full(3, size, np.float32))
    return SceneObject(kind, 0.9, box, box.center, np.ones(1, np.float32), None, 10)  # type: ignore[arg-type]


def frame(colors: bool = True) -> tuple[PointCloud, Scene]:
    """A wall at 1 m with a square patch at the left and one at the right."""
    depth = np.full((120, 160), 1.0, np.float32)
    labels = np.full((120, 160), 0, np.int32)
    for k, column in ((1, 30), (2, 100)):
        depth[40:80, column : column + 30] = 0.8
        labels[40:80, column : column + 30] = k
    color = np.full((120, 160, 3), 120, np.uint8) if colors else None
    scene = Scene(
        labels.reshape(-1),
        (boxed("surface", (0, 0, 1)), boxed("object", (-0.18, 0, 0.8)), boxed("object", (0.19, 0, 0.8))),
    )
    return PointCloud.from_depth(depth, CAMERA, color), scene


@settings(deadline=None)
@given(st.integers(0, 400))
def test_colours_are_stable_and_unlike_those_of_the_next_ids(index: int) -> None:
    def hue(color: tuple[int, int, int]) -> float:
        return colorsys.rgb_to_hsv(*(value / 255 for value in color))[0]

    assert instance_color(index) == instance_color(index)
    for other in range(index + 1, index + 5):
        distance = abs(hue(instance_color(index)) - hue(instance_color(other))) % 1
        assert min(distance, 1 - distance) > 0.1


@pytest.mark.parametrize("colors", [True, False])
def test_a_frame_is_shown_as_its_camera_saw_it(colors: bool) -> None:
    cloud, scene = frame(colors)
    view = camera_view(cloud, scene.labels)
    np.testing.assert_array_equal(view.ids, scene.labels.reshape(120, 160))
    assert view.image.shape == (120, 160, 3)
    np.testing.assert_allclose(view.project(np.array([[0, 0, 1]], np.float32)), [[79.5, 59.5]])


def test_the_found_object_stands_out_and_the_other_steps_back() -> None:
    cloud, scene = frame()
    plain = np.asarray(draw_scene(cloud, scene)).astype(int)
    found = np.asarray(draw_scene(cloud, scene, matches=Matches((Match(2, scene.objects[2], 0.8),))))
    assert found.shape == plain.shape
    left, top = plain.shape[1] - 160 - 8, 30  # of the right picture
    outline = (np.abs(found.astype(int) - HIGHLIGHT).sum(2) < 60).nonzero()
    assert len(outline[0]) > 100
    assert (outline[1] > left + 80).all(), "only the right patch is outlined"
    patch = np.s_[top + 60 : top + 75, left + 40 : left + 50]

    def saturation(picture: np.ndarray) -> float:
        return float(np.ptp(picture[patch].astype(int), axis=2).mean())

    assert saturation(found) < 0.6 * saturation(plain)


def test_names_are_written_and_an_empty_answer_is_said() -> None:
    cloud, scene = frame()
    bare = np.asarray(draw_scene(cloud, scene))
    named = np.asarray(draw_scene(cloud, scene, names=[("wall", 0.9), ("red mug", 0.8), ("other", 0.0)]))
    nothing = np.asarray(draw_scene(cloud, scene, matches=Matches()))
    assert (bare != named).any()
    assert (bare[:30] != nothing[:30]).any()


def test_a_picture_is_the_same_every_time() -> None:
    cloud, scene = frame()
    np.testing.assert_array_equal(np.asarray(draw_scene(cloud, scene)), np.asarray(draw_scene(cloud, scene)))


def test_a_scan_is_seen_from_above_with_the_nearer_thing_in_front() -> None:
    """A large floor and a block on it: the block's top hides the floor beneath, and its box frames it."""
    rng = np.random.default_rng(0)
    floor = np.c_[rng.uniform(-2, 2, (60_000, 2)), np.zeros(60_000)]
    block = np.c_[rng.uniform(-0.3, 0.3, (20_000, 2)), np.full(20_000, 0.5)]
    cloud = PointCloud(np.concatenate([floor, block]).astype(np.float32))
    view = scan_view(cloud, np.repeat([0, 1], [60_000, 20_000]).astype(np.int32))
    column, row = view.project(np.array([[0, 0, 0.5]], np.float32))[0].astype(int)
    assert (view.ids[row - 3 : row + 4, column - 3 : column + 4] == 1).all()
    assert (view.ids == 0).sum() > (view.ids == 1).sum() > 500
    high, low = view.project(np.array([[0, 0, 1], [0, 0, 0]], np.float32))
    assert high[1] < low[1], "up is up in the picture"


@pytest.mark.parametrize("yaw", [0, 20, 45, 77, 130, 250])
@pytest.mark.parametrize("extent", [(4.0, 5.0), (3.0, 8.0)])
def test_a_room_is_cut_open_so_that_its_furniture_is_seen(yaw: float, extent: tuple[float, float]) -> None:
    """Whichever way it lies: of the two walls between the viewer and the room next to nothing is left."""
    rng = np.random.default_rng(0)
    shell = rng.uniform(-2, 2, (120_000, 3))
    side = rng.integers(0, 3, len(shell))
    shell[np.arange(len(shell)), side] = rng.choice([-2, 2], len(shell))
    wall = np.where(side == 2, 4, 2 * side + (shell[np.arange(len(shell)), side] > 0))  # 4: floor and ceiling
    shell[:, 2] = (shell[:, 2] + 2) * 0.65
    table = np.c_[rng.uniform(-0.5, 0.5, (5_000, 2)), np.full(5_000, 0.7)]
    points = np.concatenate([shell * [extent[0] / 4, extent[1] / 4, 1], table])
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    cloud = PointCloud((points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])).astype(np.float32))
    view = scan_view(cloud, np.append(wall, np.full(len(table), 5)).astype(np.int32))
    assert (view.ids == 5).sum() > 1000
    seen = np.bincount(view.ids[(view.ids >= 0) & (view.ids < 4)], minlength=4)
    assert np.sort(seen)[:2].max() < 0.05 * seen.sum(), "two walls are gone"
    assert np.sort(seen)[2:].min() > 1000, "two stand"


@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 3)),
        np.zeros((1, 3)),
        np.full((30, 3), np.nan),
        np.full((30, 3), np.inf),
        np.random.default_rng(0).normal(1e6, 1, (300, 3)),
        np.tile([[1.0, 2.0, 3.0]], (50, 1)),
        np.full((5, 3), 1e30),
        np.array([[0, 0, 0], [0, 0, 2]]),
        np.linspace([0, 0, 0], [0, 0, 2], 500),
    ],
    ids=["none", "one", "nan", "inf", "far", "all the same", "beyond", "two ends of a pole", "pole"],
)
@pytest.mark.parametrize("viewpoint", [None, np.zeros(3, np.float32)], ids=["scan", "seen from a point"])
def test_every_cloud_can_be_drawn(points: np.ndarray, viewpoint: np.ndarray | None) -> None:
    cloud = PointCloud(points.astype(np.float32), viewpoint=viewpoint)
    picture = draw_scene(cloud, Scene(np.full(len(cloud), -1, np.int32)))
    assert picture.width > picture.height > 100


def test_a_pole_is_seen_as_high_as_it_is() -> None:
    """Cutting it open as if it were a room would leave nothing of it."""
    pole = PointCloud(np.linspace([0, 0, 0], [0, 0, 2], 500).astype(np.float32))
    view = scan_view(pole, np.zeros(500, np.int32))
    rows = np.flatnonzero((view.ids == 0).any(1))
    assert np.ptp(rows) > 400


def test_a_box_behind_the_camera_is_left_out() -> None:
    cloud, scene = frame()
    behind = Scene(scene.labels, (scene.objects[0], boxed("object", (0, 0, -1)), boxed("object", (0, 0, 0), 3.0)))
    assert draw_scene(cloud, behind).size == draw_scene(cloud, scene).size


def test_a_scene_of_another_cloud_is_refused() -> None:
    with pytest.raises(ValueError, match="scene: expected labels for 19200 points, got 5"):
        draw_scene(frame()[0], Scene(np.full(5, -1, np.int32)))
