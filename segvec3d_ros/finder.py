"""The service ``~/find_object``: every status of its definition, each with a sentence that says why."""

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
"""In the message of INACTIVE as long as the node will be active by itself."""

UPRIGHT = 0.5
"""Cosine of the steepest slope, 60 degrees, on which a frame of reference may stand."""

OLD = 5.0
"""Seconds since the latest cloud's result from which an answer says so."""

POLL = 0.02
"""Seconds between two looks for a fresher cloud or transform."""


class Refusal(Exception):
    """A request that ends in another status than SUCCESS."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Status(Protocol):
    """What the finder needs of the node."""

    @property
    def active(self) -> bool:
        """Whether clouds are taken."""
        ...

    def why_inactive(self) -> str:
        """What to do where ``active`` is False."""
        ...

    def why_no_data(self) -> str:
        """What keeps clouds from arriving."""
        ...


@dataclass(frozen=True, slots=True)
class Finder:
    """Answers FindObject requests. Waiting is asynchronous: other services are answered meanwhile.

    Attributes:
        node: makes the timers that waiting needs.
        status: whether it takes clouds, and why not.
        perception: what is known of them.
        transforms: TF.
        tf_timeout: longest wait for a transform, seconds.
    """

    node: Node
    status: Status
    perception: Perception
    transforms: Transforms
    tf_timeout: Callable[[], float]

    async def answer(self, request: FindObject.Request, response: FindObject.Response) -> FindObject.Response:
        """Fill ``response``; nothing escapes but the answer."""
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
        """That clouds have not come for a while, and why."""
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
        """T_frame_cloud at the cloud's stamp, and that stamp; it may be on its way, so wait until the deadline.

        Of a map, which stands still, TF may have forgotten the time of the latest cloud: the latest transform, then.
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
        """Let the executor do other things for a while. In real time: simulated time may stand still."""
        passed: Future[None] = Future()
        # A group of its own: a group never lets go of what it has held, and would grow with every pause.
        timer = self.node.create_timer(
            seconds, lambda: passed.set_result(None), ReentrantCallbackGroup(), Clock(clock_type=ClockType.STEADY_TIME)
        )
        try:
            await passed
        finally:
            self.node.destroy_timer(timer)


def validate(request: FindObject.Request) -> None:
    """Refuse what makes no sense.

    Raises:
        Refusal: INVALID_REQUEST, with the field, what was expected and what came.
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
    """A match as a message, taken through ``T`` (T_target_cloud, None for the cloud's own frame)."""
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
    """Refuse a frame of reference that lies on its side: left and right of it would be something else."""
    up = result.scene.up
    if up is not None and view.up @ up < UPRIGHT:
        raise Refusal(
            FindObject.Response.INVALID_REQUEST,
            f"reference_frame: expected a frame whose z axis points up, as base_link, got {frame!r}; an optical frame "
            "has it pointing forward",
        )


def _as_of(stamp: int, result: Result) -> Result:
    """What a map holds, at a later time than that of its latest cloud: nothing in it is seen then."""
    header = Header(stamp=time_message(stamp), frame_id=result.header.frame_id)
    return replace(result, header=header, tracks=tuple(replace(track, visible=False) for track in result.tracks))


def _remembered(matches: Matches, result: Result) -> str:
    """How many of the matches are not in view, and since when."""
    unseen = [track for match in matches if not (track := result.tracks[match.index]).visible]
    if not unseen:
        return ""
    age = max((result.stamp - track.last_seen) / 1e9 for track in unseen)
    since = f", not seen for up to {age:.1f} s" if age >= 0 else ""  # a loaded map tells of another day
    return f"; {len(unseen)} remembered{since}"


def _moved(thing: SceneObject, T: NDArray[np.float64]) -> SceneObject:
    return replace(thing, box=transform_box(T, thing.box), centroid=transform_points(T, thing.centroid[None])[0])
