"""An instance keeps its id from cloud to cloud."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segvec3d_core.types import Box, PointCloud, Scene, SceneObject
from segvec3d_ros.tracking import MAX_POINTS, FrameTracker, Track

UNIT = Box(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), np.ones(3, np.float32))


def ball(center: tuple[float, float, float], points: int = 400, seed: int = 0) -> np.ndarray:
    """Points on a sphere of 5 cm, another sample of it for another seed."""
    direction = np.random.default_rng(seed).normal(size=(points, 3))
    return np.asarray(center) + 0.05 * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def scene_of(*things: np.ndarray) -> tuple[Scene, PointCloud]:
    """One instance per array of points."""
    points = np.concatenate([*things, np.full((3, 3), np.nan)]).astype(np.float32)
    labels = np.concatenate([np.full(len(p), k, np.int32) for k, p in enumerate(things)] + [np.full(3, -1, np.int32)])
    none = np.zeros(0, np.float32)
    objects = tuple(SceneObject("object", 1, UNIT, np.zeros(3, np.float32), none, None, len(p)) for p in things)
    return Scene(labels, objects), PointCloud(points)


def ids(tracks: tuple[Track, ...]) -> list[int]:
    return [track.id for track in tracks]


def update(tracker: FrameTracker, stamp: int, *things: np.ndarray, frame: str = "camera") -> tuple[Track, ...]:
    scene, cloud = scene_of(*things)
    return tracker.update(scene, cloud, stamp, frame)


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(5)), seed=st.integers(0, 1000))
def test_ids_stay_whatever_the_order_of_the_instances(order: list[int], seed: int) -> None:
    places = [(0.2 * k, 0.0, 1.0) for k in range(5)]
    tracker = FrameTracker()
    first = ids(update(tracker, 1, *[ball(place, seed=seed + k) for k, place in enumerate(places)]))
    second = ids(update(tracker, 2, *[ball(places[k], seed=seed + 10 + k) for k in order]))
    assert second == [first[k] for k in order]


def test_an_instance_keeps_its_id_while_it_moves_slowly() -> None:
    tracker = FrameTracker()
    seen = [ids(update(tracker, t, ball((0.01 * t, 0, 1), seed=t))) for t in range(10)]
    assert seen == [[1]] * 10


def test_a_new_thing_gets_a_new_id_and_an_old_id_never_comes_back() -> None:
    tracker = FrameTracker()
    assert ids(update(tracker, 1, ball((0, 0, 1)), ball((0.3, 0, 1)))) == [1, 2]
    assert ids(update(tracker, 2, ball((0.3, 0, 1)))) == [2]
    assert ids(update(tracker, 3, ball((0, 0, 1)), ball((0.3, 0, 1)))) == [3, 2]


def test_each_predecessor_is_taken_once_when_a_thing_falls_apart() -> None:
    tracker = FrameTracker()
    whole = ball((0, 0, 1), 800)
    assert ids(update(tracker, 1, whole)) == [1]
    left, right = whole[whole[:, 0] < 0.02], whole[whole[:, 0] >= 0.02]
    assert ids(update(tracker, 2, right, left)) == [2, 1]  # the larger part is the thing


def test_times_of_first_and_last_sight_are_kept() -> None:
    tracker = FrameTracker()
    update(tracker, 10, ball((0, 0, 1)))
    assert update(tracker, 20, ball((0, 0, 1))) == (Track(1, 10, 20),)


@pytest.mark.parametrize(("stamp", "frame"), [(20, "other"), (5, "camera")])
def test_another_frame_or_time_running_back_begins_anew(stamp: int, frame: str) -> None:
    tracker = FrameTracker()
    update(tracker, 10, ball((0, 0, 1)))
    assert update(tracker, stamp, ball((0, 0, 1)), frame=frame) == (Track(2, stamp, stamp),)


def test_empty_scenes_are_ordinary() -> None:
    tracker = FrameTracker()
    assert update(tracker, 1) == ()
    assert ids(update(tracker, 2, ball((0, 0, 1)))) == [1]
    assert update(tracker, 3) == ()
    assert ids(update(tracker, 4, ball((0, 0, 1)))) == [2]


def test_far_and_large_clouds_are_tracked_too() -> None:
    tracker = FrameTracker()
    rng = np.random.default_rng(0)
    wall = rng.uniform(-2, 2, (3 * MAX_POINTS, 3)) * [1, 1, 0] + [1e5, 0, 0]
    assert ids(update(tracker, 1, wall, ball((1e5, 0, 1)))) == [1, 2]
    assert ids(update(tracker, 2, ball((1e5, 0, 1), seed=1), wall)) == [2, 1]
