"""Answers of the demo are judged by what is known to be true, and its picture shows what the node has published."""

from __future__ import annotations

import numpy as np
import pytest

from segvec3d_core.datasets.frames import Frame
from segvec3d_core.types import Box, Camera, PointCloud, Scene, SceneObject
from segvec3d_ros import demo
from segvec3d_ros.verdict import Judgement, Tally, judge, problem, summary

FRAME = Frame(
    name="a",
    depth=np.ones((1, 6), np.float32),
    camera=Camera(6, 1, 6.0, 6.0, 3.0, 0.0),
    color=None,
    label=np.array([[0, 1, 2, 2, 2, 255]], np.uint16),
    names={1: "mug", 2: "box"},
)


def test_larger_things_are_asked_for_first() -> None:
    assert demo._largest_first(FRAME) == ["box", "mug"]


IDS = np.array([9, 7, 7, 8, 8, 0], np.uint32)


@pytest.mark.parametrize(
    ("asked", "found", "present", "right", "words"),
    [
        ("the mug", None, True, False, "wrong: it is there"),
        ("the bicycle", None, False, True, "right"),
        ("the bicycle", 8, False, False, "wrong: box"),
        # Of instance 7 one point is the mug's and one the box's: the lower number wins a tie.
        ("the mug", 7, True, True, "right"),
        ("the mug", 8, True, False, "wrong: box"),
        ("the mug", 9, True, False, "wrong: no object"),
        ("the mug", 5, True, False, "wrong: no object"),
    ],
)
def test_an_answer_is_judged_by_most_of_the_points_found(
    asked: str, found: int | None, present: bool, right: bool, words: str
) -> None:
    assert judge(asked, found, IDS, FRAME) == Judgement(asked, found is not None, present, right, words)


@pytest.mark.parametrize("ids", [None, IDS[:3]], ids=["missed cloud", "thinned cloud"])
def test_without_the_points_only_what_is_absent_is_known_to_be_wrong(ids: np.ndarray | None) -> None:
    assert judge("the mug", 7, ids, FRAME) == Judgement("the mug", True, True, None, "")
    assert judge("the bicycle", 7, ids, FRAME) == Judgement("the bicycle", True, False, False, "wrong: it is not there")


def test_without_a_frame_nobody_knows_what_is_right() -> None:
    assert judge("the mug", 7, IDS, None) == Judgement("the mug", True)
    assert summary([Judgement("the mug", True), Judgement("the box", False)]).startswith("1 of 2 texts found something")


RIGHT, WRONG = Judgement("the mug", True, True, True), Judgement("the box", True, True, False)
MISSED, UNKNOWN = Judgement("the bowl", False, True, False), Judgement("the can", True, True, None)
ABSENT_RIGHT, ABSENT_WRONG = Judgement("the moon", False, False, True), Judgement("the moon", True, False, False)


@pytest.mark.parametrize(
    ("judgements", "fails", "words"),
    [
        ([RIGHT, ABSENT_RIGHT], False, "2 of 2 answers right"),
        ([RIGHT, WRONG, MISSED, ABSENT_WRONG], False, "1 of 4 answers right"),
        ([UNKNOWN, ABSENT_WRONG], False, "0 of 1 answers right"),
        ([WRONG, MISSED, ABSENT_RIGHT], True, "1 of 3 answers right"),
        ([Judgement("the table", False)], False, "0 of 1 texts"),
        ([], False, "0 of 0 texts"),
    ],
)
def test_the_main_job_fails_when_nothing_of_what_is_in_view_is_found(
    judgements: list[Judgement], fails: bool, words: str
) -> None:
    assert summary(judgements).startswith(words)
    assert bool(problem(judgements)) == fails
    if fails:
        assert problem(judgements) == "none of the things in view was found: the box, the bowl"


@pytest.mark.parametrize(
    ("tally", "problem"),
    [
        (Tally(10, 10, 10, 0, 0), ""),
        (Tally(10, 10, 7, 3, 0), ""),
        (Tally(10, 8, 8, 0, 0), "2 of 10 clouds lost in transport"),
        (Tally(10, 10, 9, 0, 1), "1 of 10 clouds failed"),
        (Tally(10, 10, 0, 10, 0), "no cloud was processed"),
    ],
)
def test_a_cloud_may_be_overtaken_but_not_lost(tally: Tally, problem: str) -> None:
    assert tally.problem() == problem
    assert f"{tally.lost} lost in transport, {tally.overtaken} overtaken" in str(tally)


def test_a_scene_comes_back_from_the_messages_as_it_was() -> None:
    pytest.importorskip("rclpy", reason="rclpy is missing: a ROS 2 installation, or pip install '.[ros]'")
    pytest.importorskip(
        "segvec3d_interfaces", reason="segvec3d_interfaces is missing: pip install ./segvec3d_interfaces"
    )
    from std_msgs.msg import Header

    from segvec3d_ros.conversions import Result, instance_array, labelled_cloud
    from segvec3d_ros.picture import scene_of
    from segvec3d_ros.tracking import Track

    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(size=(5, 3)).astype(np.float32), rng.integers(0, 255, (5, 3), np.uint8))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    box = Box(np.ones(3, np.float32), turn, np.array([1, 2, 3], np.float32))
    center, length = np.zeros(3, np.float32), np.zeros(0, np.float32)
    things = tuple(SceneObject(kind, 0.5, box, center, length, None, 2) for kind in ("object", "surface"))
    scene = Scene(np.array([0, 1, -1, 1, 0], np.int32), things)
    tracks = (Track(11, 0, 0), Track(4, 0, 0))
    result = Result(Header(), 5, 1, cloud, scene, (("mug", 0.75), ("", 0.0)), tracks)

    again, seen, names, order = scene_of(labelled_cloud(result), instance_array(result))
    assert np.array_equal(again.points, cloud.points)
    assert again.colors is not None
    assert cloud.colors is not None
    assert np.array_equal(again.colors, cloud.colors)
    assert np.array_equal(seen.labels, scene.labels)
    assert [thing.kind for thing in seen.objects] == ["object", "surface"]
    assert np.allclose(seen.objects[0].box.corners(), box.corners(), atol=1e-5)
    assert names == [("mug", 0.75), ("other", 0.0)]
    assert order == {11: 0, 4: 1}
