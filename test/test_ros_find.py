"""Every status of find_object, through a real service."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import numpy as np
import pytest
from ros_stand_ins import FRAME, WAIT, Robot, active_robot, robot, until

# isort: split
from builtin_interfaces.msg import Duration, Time
from rclpy.callback_groups import CallbackGroup

from segvec3d_core.pointcloud2 import cloud_of_message
from segvec3d_core.text import MAX_CHARACTERS
from segvec3d_core.types import Matches
from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros.transforms import Condition

R = FindObject.Response
SECOND = 1_000_000_000


def find(robot: Robot, query: str = "the mug", **fields: Any) -> Any:
    return robot.call(FindObject, "find_object", query=query, **fields)


def test_a_service_call_before_activation_answers_inactive() -> None:
    with robot(overrides={"autostart": False}) as made:
        answer = find(made)
        assert answer.status == R.INACTIVE
        assert "not active" in answer.message
        made.node.trigger_configure()
        assert find(made).status == R.INACTIVE


@pytest.fixture(scope="module")
def seeing() -> Any:
    """A robot that has seen one cloud, of 5 s; the tests that share it ask, and change nothing."""
    with active_robot() as made:
        made.show(5 * SECOND)
        yield made


def test_what_is_there_is_found_with_box_id_and_similarity(seeing: Robot) -> None:
    answer = find(seeing)
    assert (answer.status, answer.interpretation) == (R.SUCCESS, "similar to 'the mug'")
    assert (answer.header.frame_id, answer.header.stamp.sec) == (FRAME, 5)
    match = answer.matches[0]
    assert len(answer.matches) == 1
    assert (match.instance.label, match.instance.id) == ("mug", 1)
    assert match.similarity == pytest.approx(0.9)
    assert match.instance.pose.position.x < -0.1
    assert len(match.cloud.data) == 0


def test_what_is_not_there_is_no_match(seeing: Robot) -> None:
    answer = find(seeing, "an elephant")
    assert (answer.status, answer.matches) == (R.NO_MATCH, [])
    assert "'an elephant'" in answer.message
    assert answer.header.stamp.sec == 5


@pytest.mark.parametrize(("top_k", "count"), [(0, 3), (1, 1), (2, 2), (1000, 3), (FindObject.Request.ALL, 3)])
def test_top_k_limits_the_matches(seeing: Robot, top_k: int, count: int) -> None:
    assert len(find(seeing, "everything", top_k=top_k).matches) == count


def test_min_similarity_limits_the_matches(seeing: Robot) -> None:
    assert find(seeing, min_similarity=0.85).status == R.SUCCESS
    assert find(seeing, min_similarity=0.95).status == R.NO_MATCH


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"query": ""}, "query: expected some words"),
        ({"query": " \t\n"}, "query: expected some words"),
        ({"query": "mug " * MAX_CHARACTERS}, f"at most {MAX_CHARACTERS} characters, got {4 * MAX_CHARACTERS}"),
        ({"query": "mug", "min_similarity": 1.5}, "min_similarity: expected at most 1"),
        ({"query": "mug", "min_similarity": float("nan")}, "min_similarity: expected at most 1"),
        ({"query": "mug", "timeout": Duration(sec=-1)}, "timeout: expected no less than 0 s, got -1 s"),
    ],
)
def test_a_request_that_makes_no_sense_is_invalid_and_says_why(seeing: Robot, fields: Any, words: str) -> None:
    answer = find(seeing, **fields)
    assert answer.status == R.INVALID_REQUEST
    assert words in answer.message


@pytest.mark.parametrize("query", ["кружка", "红色的杯子", "🍵", "כוס", "\u202emug\u0301", "'; DROP TABLE mugs; --"])
def test_a_query_in_any_alphabet_is_answered(seeing: Robot, query: str) -> None:
    assert find(seeing, query).status in (R.SUCCESS, R.NO_MATCH)


def test_the_real_sentence_encoder_answers_any_alphabet_and_the_longest_query() -> None:
    pipeline = pytest.importorskip("segvec3d_core.pipeline", reason="torch is missing")
    with robot(load_model=lambda path, device: pipeline.SegVec3D.untrained(device="cpu")) as made:
        until(lambda: made.node.active, "the model", 3 * WAIT)
        made.show(5 * SECOND)
        longest = ("m" * MAX_CHARACTERS, "mug " * (MAX_CHARACTERS // 4))
        for query in ("кружка", "红色的杯子", "🍵", "כוס", "\u202emug\u0301", *longest):
            answer = find(made, query)
            assert answer.status in (R.SUCCESS, R.NO_MATCH), answer.message
        assert find(made, "m" * (MAX_CHARACTERS + 1)).status == R.INVALID_REQUEST


def test_no_frame_asked_for_means_no_lookup(seeing: Robot) -> None:
    seeing.transforms.asked.clear()
    find(seeing)
    find(seeing, target_frame=FRAME)
    assert seeing.transforms.asked == []


def test_directions_are_those_of_the_reference_frame(seeing: Robot) -> None:
    T = np.array([[0, 0, 1, 10], [-1, 0, 0, 20], [0, -1, 0, 30], [0, 0, 0, 1]], float)
    seeing.transforms.table["base", FRAME] = T
    answer = find(seeing, reference_frame="base")
    assert (answer.status, answer.header.frame_id) == (R.SUCCESS, FRAME)
    view = seeing.model.views[-1]
    assert view is not None
    # An optical frame looks along its z; y points down.
    assert np.allclose([view.forward, view.up, view.origin], [[0, 0, 1], [0, -1, 0], [20, 30, -10]])
    find(seeing)
    assert seeing.model.views[-1] is None


def test_the_answer_comes_in_the_target_frame_at_the_clouds_stamp() -> None:
    with active_robot() as made:
        T = np.array([[0, 0, 1, 10], [-1, 0, 0, 20], [0, -1, 0, 30], [0, 0, 0, 1]], float)
        made.transforms.table["base", FRAME] = T
        made.show(5 * SECOND)
        there, here = (find(made, target_frame=frame, return_clouds=True) for frame in ("base", ""))
        assert there.header.frame_id == there.matches[0].cloud.header.frame_id == "base"
        assert ("base", FRAME, 5 * SECOND) in made.transforms.asked
        for moved, own in (
            (there.matches[0].instance.pose.position, here.matches[0].instance.pose.position),
            (there.matches[0].instance.centroid, here.matches[0].instance.centroid),
        ):
            expected = T @ [own.x, own.y, own.z, 1]
            np.testing.assert_allclose([moved.x, moved.y, moved.z], expected[:3], atol=1e-4)
        own_points = cloud_of_message(here.matches[0].cloud).points
        moved_points = cloud_of_message(there.matches[0].cloud).points
        assert len(own_points) == here.matches[0].instance.point_count
        np.testing.assert_allclose(moved_points, own_points @ T[:3, :3].T + T[:3, 3], atol=1e-4)
        assert there.matches[0].instance.size == here.matches[0].instance.size


@pytest.mark.parametrize("condition", ["unavailable", "lookup", "connectivity", "extrapolation", "timeout"])
@pytest.mark.parametrize("field", ["target_frame", "reference_frame"])
def test_each_fault_of_tf_is_a_failed_transform_that_names_it(seeing: Robot, condition: Condition, field: str) -> None:
    seeing.transforms.failure = condition
    answer = find(seeing, **{field: "mars"})
    assert answer.status == R.TRANSFORM_FAILED
    assert all(part in answer.message for part in ("'mars'", f"'{FRAME}'", condition))
    assert answer.matches == []


def test_waiting_leaves_nothing_behind() -> None:
    def held() -> list[int]:
        groups = [thing for thing in gc.get_objects() if issubclass(type(thing), CallbackGroup)]
        return sorted(len(group.entities) for group in groups)[-3:]

    with active_robot() as made:
        made.call(FindObject, "find_object", query="mug")
        before = held()
        patience = Duration(nanosec=600_000_000)
        answer = made.call(FindObject, "find_object", query="mug", timeout=patience)
        assert answer.status == FindObject.Response.NO_DATA
        assert max(held()) < max(before) + 5  # it has looked 30 times


def test_a_transform_that_comes_late_is_waited_for() -> None:
    with active_robot(overrides={"tf_timeout": 30.0}) as made:
        made.show(5 * SECOND)
        made.transforms.failure = "extrapolation"
        arrive = threading.Timer(0.1, made.transforms.table.__setitem__, (("base", FRAME), np.eye(4)))
        arrive.start()
        assert find(made, target_frame="base").status == R.SUCCESS
        arrive.join()


def test_no_cloud_is_no_data_and_says_what_is_missing() -> None:
    with active_robot() as made:
        made.peer.destroy_publisher(made.publisher)
        until(lambda: "nothing publishes" in find(made).message, "the graph to notice")
        answer = find(made, timeout=Duration(nanosec=50_000_000))
        assert answer.status == R.NO_DATA
        assert "no cloud since the node is active: nothing publishes on /points" in answer.message


def test_an_old_cloud_is_no_data_when_a_younger_one_was_asked_for(seeing: Robot) -> None:
    before = time.monotonic()
    answer = find(seeing, not_before=Time(sec=6), timeout=Duration(nanosec=200_000_000))
    assert answer.status == R.NO_DATA
    assert "1.000 s older" in answer.message
    assert 0.2 <= time.monotonic() - before < 10
    assert find(seeing, not_before=Time(sec=5)).status == R.SUCCESS


def test_a_request_waits_for_a_fresh_cloud_while_others_are_answered() -> None:
    with active_robot() as made:
        made.show(5 * SECOND)
        answers: list[Any] = []
        waiting = threading.Thread(
            target=lambda: answers.append(find(made, not_before=Time(sec=6), timeout=Duration(sec=30)))
        )
        waiting.start()
        times = []
        for _ in range(5):
            before = time.monotonic()
            assert find(made).status == R.SUCCESS
            times.append(time.monotonic() - before)
        assert made.call(SetVocabulary, "set_vocabulary", labels=["mug"]).success
        assert answers == []
        assert sorted(times)[2] < 1
        made.show(7 * SECOND)
        waiting.join(30)
        assert (answers[0].status, answers[0].header.stamp.sec) == (R.SUCCESS, 7)


def test_deactivation_ends_a_wait() -> None:
    with active_robot() as made:
        answers: list[Any] = []
        waiting = threading.Thread(target=lambda: answers.append(find(made, timeout=Duration(sec=30))))
        waiting.start()
        time.sleep(0.1)
        made.node.trigger_deactivate()
        waiting.join(25)
        assert answers[0].status == R.INACTIVE


def test_a_failure_inside_is_an_error_and_the_node_lives_on(seeing: Robot, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Matches:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(seeing.model, "find", broken)
        answer = find(seeing)
    assert (answer.status, answer.message) == (R.ERROR, "RuntimeError: out of memory")
    assert find(seeing).status == R.SUCCESS
