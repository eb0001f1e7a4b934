"""Implementation of the service ``~/find_object``. Every response has a status and a message that explains it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Header

from segvec3d_core.relations import View
from segvec3d_core.text import MAX_CHARACTERS
from segvec3d_core.types import Match, Matches, SceneObject
from segvec3d_interfaces.msg import ObjectMatch
from segvec3d_interfaces.srv import FindObject
from segvec3d_ros.conversions import Result, cloud_message, instance, nanoseconds, poses, time_message
from segvec3d_ros.perception import Perception
from segvec3d_ros.transforms import TransformError, Transforms, transform_box, transform_points

LOADING = "is loading its model"
"""Part of the message of INACTIVE while the node loads its model."""

UPRIGHT = 0.5
"""Smallest cosine between up and the z axis of a reference frame: a tilt of at most 60 degrees."""

OLD = 5.0
"""Age of the latest result, seconds, beyond which a response mentions it."""

POLL = 0.02
"""Polling interval when waiting for a newer cloud or for a transform, seconds."""


class Refusal(Exception):
    """Ends a request with a status other than SUCCESS, and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Status(Protocol):
    """The part of the node that the finder uses."""

    @property
    def active(self) -> bool:
        """Whether the node is active."""
        ...

    def why_inactive(self) -> str:
        """Why the node is not active, and what to do about it."""
        ...

    def why_no_data(self) -> str:
        """Why no clouds arrive or are processed, "" if nothing is wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Finder:
    """Answers FindObject requests. Waiting is asynchronous, so that other services are answered meanwhile.

    Attributes:
        node: creates the timers for waiting, and logs errors.
        status: lifecycle state and input problems of the node.
        perception: results to search.
        transforms: TF.
        tf_timeout: returns the longest wait for a transform, seconds.
    """

    node: Node
    status: Status
    perception: Perception
    transforms: Transforms
    tf_timeout: Callable[[], float]

    async def answer(self, request: FindObject.Request, response: FindObject.Response) -> FindObject.Response:
        """Fill and return ``response``. Exceptions become statuses: ERROR for an unexpected one."""
        try:
            await self._answer(request, response)
        except Refusal as refusal:
            response.status, response.message = refusal.status, str(refusal)
        except Exception as error:
            self.node.get_logger().error(f"find_object failed: {type(error).__name__}: {error}")
            response.status, response.message = FindObject.Response.ERROR, f"{type(error).__name__}: {error}"
        return response

    async def _answer(self, request: FindObject.Request, response: FindObject.Response) -> None:
        self._require_active()
        validate(request)
        result = await self._fresh_result(request)
        response.header = Header(stamp=result.header.stamp, frame_id=request.target_frame or result.header.frame_id)
        patience = time.monotonic() + self.tf_timeout()
        view = None
        if request.reference_frame:
            there, _ = await self._lookup(request.reference_frame, result, patience)
            view = View.of_frame(np.linalg.inv(there))
            _require_upright(view, request.reference_frame, result)
        matches = self._search(request, result, view)
        response.interpretation = matches.interpretation
        if not matches:
            response.status = FindObject.Response.NO_MATCH
            none = f"none of the {len(result.scene)} instances fits {request.query!r}"
            response.message = f"{none}: {matches.interpretation}{self._how_old()}"
            return
        T = None
        if request.target_frame:
            T, at = await self._lookup(request.target_frame, result, patience)
            if at != result.stamp:
                result = _as_of(at, result)
                response.header.stamp = time_message(at)
        response.matches = [object_match(match, result, T, response.header, request.return_clouds) for match in matches]
        response.status = FindObject.Response.SUCCESS
        found = f"found {len(matches)} of {len(result.scene)} instances"
        response.message = f"{found}{_remembered(matches, result)}{self._how_old()}"

    def _require_active(self) -> None:
        if not self.status.active:
            raise Refusal(FindObject.Response.INACTIVE, self.status.why_inactive())

    def _search(self, request: FindObject.Request, result: Result, view: View | None) -> Matches:
        everything = request.top_k == FindObject.Request.ALL
        top_k = len(result.scene) or 1 if everything else request.top_k or None
        min_similarity = None if request.min_similarity < 0 else float(request.min_similarity)
        try:
            return self.perception.find(result, request.query, top_k, min_similarity, view)
        except ValueError as error:
            raise Refusal(FindObject.Response.INVALID_REQUEST, str(error)) from None

    async def _fresh_result(self, request: FindObject.Request) -> Result:
        deadline = time.monotonic() + nanoseconds(request.timeout) / 1e9
        not_before = nanoseconds(request.not_before)
        while True:
            result = self.perception.result
            if result is not None and result.stamp >= not_before:
                return result
            left = deadline - time.monotonic()
            if left <= 0:
                kept = result is None and not not_before and self.perception.kept
                if kept and (known := self.perception.known()) is not None:
                    return known
                raise Refusal(FindObject.Response.NO_DATA, self._no_data(result, not_before))
            await self._pause(min(POLL, left))
            self._require_active()

    def _how_old(self) -> str:
        """Text that says how old the result is and why; "" if it is at most ``OLD`` seconds old."""
        age, none = self.perception.age, self.perception.result is None
        if not none and age <= OLD:
            return ""
        told = f"no cloud since {self.perception.since}" if none else f"the latest cloud was {age:.0f} s ago"
        problem = self.status.why_no_data()
        return f"; {told}{': ' + problem if problem else ''}"

    def _no_data(self, result: Result | None, not_before: int) -> str:
        problem = self.status.why_no_data()
        if result is None:
            return f"no cloud since {self.perception.since}{': ' + problem if problem else ''}"
        late = (not_before - result.stamp) / 1e9
        return f"the latest cloud is {late:.3f} s older than not_before{': ' + problem if problem else ''}"

    async def _lookup(self, frame: str, result: Result, deadline: float) -> tuple[NDArray[np.float64], int]:
        """T_frame_cloud at the result's stamp, waited for until ``deadline`` (monotonic), and that stamp, nanoseconds.

        A map does not move with the sensor, so if TF no longer covers the stamp of the map's latest cloud, the latest
        transform is used, and its stamp returned.

        Raises:
            Refusal: TRANSFORM_FAILED.
        """
        source = result.header.frame_id
        if frame == source:
            return np.eye(4), result.stamp
        while True:
            try:
                return self.transforms.lookup(frame, source, result.stamp), result.stamp
            except TransformError as error:
                if error.condition == "extrapolation" and result.snapshot is not None:
                    with contextlib.suppress(TransformError):
                        T, at = self.transforms.latest(frame, source)
                        if at > result.stamp:
                            return T, at
                left = deadline - time.monotonic()
                if left <= 0 or not error.may_pass:
                    reason = f"{source!r} to {frame!r} at {result.stamp / 1e9:.3f} s: {error.condition}: {error}"
                    raise Refusal(FindObject.Response.TRANSFORM_FAILED, f"{reason}{self._how_old()}") from None
            await self._pause(min(POLL, left))

    async def _pause(self, seconds: float) -> None:
        """Yield to the executor for some seconds of real time; simulated time may be paused."""
        passed: Future[None] = Future()
        # A new callback group each time: a group never removes its entities, so a shared one would grow without bound.
        timer = self.node.create_timer(
            seconds, lambda: passed.set_result(None), ReentrantCallbackGroup(), Clock(clock_type=ClockType.STEADY_TIME)
        )
        try:
            await passed
        finally:
            self.node.destroy_timer(timer)


def validate(request: FindObject.Request) -> None:
    """Check the fields of a request.

    Raises:
        Refusal: INVALID_REQUEST, with the field, the expected and the actual value.
    """
    problem = ""
    if not request.query.strip():
        problem = "query: expected some words, got none"
    elif len(request.query) > MAX_CHARACTERS:
        problem = f"query: expected at most {MAX_CHARACTERS} characters, got {len(request.query)}"
    elif math.isnan(request.min_similarity) or request.min_similarity > 1:
        problem = f"min_similarity: expected at most 1, below 0 for the default, got {request.min_similarity}"
    elif nanoseconds(request.timeout) < 0:
        problem = f"timeout: expected no less than 0 s, got {nanoseconds(request.timeout) / 1e9:g} s"
    if problem:
        raise Refusal(FindObject.Response.INVALID_REQUEST, problem)


def object_match(
    match: Match, result: Result, T: NDArray[np.float64] | None, header: Header, with_cloud: bool
) -> ObjectMatch:
    """Convert a match to a message, transformed by ``T`` (T_target_cloud, None for the result's own frame).

    Args:
        match, result: what was found, and the result that was searched.
        T: (4, 4) or None.
        header: of the response, used for the points.
        with_cloud: whether to include the points.
    """
    k = match.index
    thing = result.scene.objects[k] if T is None else _moved(result.scene.objects[k], T)
    answer: Any = ObjectMatch(
        instance=instance(thing, result.names[k], result.tracks[k], poses([thing.box])[0]),
        similarity=float(match.similarity),
    )
    if with_cloud:
        points, colors = result.points_of(k)
        answer.cloud = cloud_message(points if T is None else transform_points(T, points), colors, header)
    return answer


def _require_upright(view: View, frame: str, result: Result) -> None:
    """Refuse a reference frame whose z axis does not point up: its left and right would not be horizontal.

    Raises:
        Refusal: INVALID_REQUEST.
    """
    up = result.scene.up
    if up is not None and view.up @ up < UPRIGHT:
        raise Refusal(
            FindObject.Response.INVALID_REQUEST,
            f"reference_frame: expected a frame whose z axis points up, as base_link, got {frame!r}; an optical frame "
            "has it pointing forward",
        )


def _as_of(stamp: int, result: Result) -> Result:
    """The map's result at ``stamp``, nanoseconds, later than its latest cloud: every object counts as remembered."""
    header = Header(stamp=time_message(stamp), frame_id=result.header.frame_id)
    return replace(result, header=header, tracks=tuple(replace(track, visible=False) for track in result.tracks))


def _remembered(matches: Matches, result: Result) -> str:
    """Text with the number of matches that are not in view, and the longest time for which one was not seen."""
    unseen = [track for match in matches if not (track := result.tracks[match.index]).visible]
    if not unseen:
        return ""
    age = max((result.stamp - track.last_seen) / 1e9 for track in unseen)
    since = f", not seen for up to {age:.1f} s" if age >= 0 else ""  # stamps of a loaded map may be of another clock
    return f"; {len(unseen)} remembered{since}"


def _moved(thing: SceneObject, T: NDArray[np.float64]) -> SceneObject:
    return replace(thing, box=transform_box(T, thing.box), centroid=transform_points(T, thing.centroid[None])[0])
