"""Stand-ins for the ROS tests: a model that splits a cloud by its columns, transforms that fail on demand, a robot."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np
import pytest
from malformed_clouds import attributes

pytest.importorskip("rclpy", reason="rclpy is missing: a ROS 2 installation, or pip install '.[ros]'")
pytest.importorskip("segvec3d_interfaces", reason="segvec3d_interfaces is missing: pip install ./segvec3d_interfaces")

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from segvec3d_core.config import SegmentationConfig
from segvec3d_core.relations import View
from segvec3d_core.types import FARTHEST, Box, Camera, Match, Matches, PointCloud, Scene, SceneObject
from segvec3d_ros.conversions import cloud_message, time_message
from segvec3d_ros.node import SegVec3DNode
from segvec3d_ros.side_node import spin_forever
from segvec3d_ros.transforms import Condition, TransformError

WAIT = 30.0
"""Seconds that a test waits for what must happen, on a machine that may be busy with other things."""

CAMERA = Camera(40, 30, 50.0, 50.0, 19.5, 14.5)
WORDS = ("mug", "box", "table")
FRAME = "camera_optical_frame"


_domains = (1 + (os.getpid() + k) % 100 for k in count())
"""A ROS domain for each robot, so that two of them in one test run do not answer for one another."""


class StandInModel:
    """Sees up to three objects, called mug, box and table: the points left, amid and right of the image.

    Attributes:
        gate: cleared, ``segment`` waits, as a slow inference would.
        failure: raised by the next ``segment``.
        reading: seconds that the sentence encoder takes for each text it has not read yet, one list after the other.
        clouds, configs: what ``segment`` was given; words: what ``name`` was given; views: what ``find`` was.
    """

    device = "cpu"

    def __init__(self) -> None:
        self.info = {"weights": "stand-in"}
        self.gate = threading.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.clouds: list[PointCloud] = []
        self.configs: list[SegmentationConfig | None] = []
        self.reading = 0.0
        self._read: set[str] = set()
        self._encoder = threading.Lock()
        self.warm = False
        self.words: list[tuple[str, ...]] = []
        self.views: list[View | None] = []

    def warm_up(self) -> None:
        self.warm = True

    def segment(self, cloud: PointCloud, config: SegmentationConfig | None = None) -> Scene:
        self.clouds.append(cloud)
        self.configs.append(config)
        self.gate.wait(3 * WAIT)
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        good = (np.abs(cloud.points) < FARTHEST).all(1)
        third = np.digitize(cloud.points[:, 0], (-0.1, 0.1))
        kinds = [k for k in range(3) if (good & (third == k)).any()]
        labels = np.full(len(cloud), -1, np.int32)
        for index, k in enumerate(kinds):
            labels[good & (third == k)] = index
        objects = tuple(self._object(cloud.points[labels == i], k) for i, k in enumerate(kinds))
        return Scene(labels, objects, {"network": 0.001})

    @staticmethod
    def _object(points: np.ndarray, k: int) -> SceneObject:
        low, high = points.min(0), points.max(0)
        box = Box((low + high) / 2, np.eye(3, dtype=np.float32), high - low)
        color = np.array([200, 10, 20], np.uint8)
        embedding = np.eye(3, dtype=np.float32)[k]
        kind: Any = "surface" if k == 2 else "object"
        return SceneObject(kind, 0.5 + k / 10, box, points.mean(0), embedding, color, len(points))

    def find(
        self, scene: Scene, text: str, top_k: int | None = None, min_similarity: float | None = None,
        view: View | None = None,
    ) -> Matches:  # fmt: skip
        self.views.append(view)
        if not text.strip():
            raise ValueError("text: expected words, got an empty string")
        self._encode([text])
        wanted = set(range(3)) if "everything" in text else {i for i, word in enumerate(WORDS) if word in text}
        threshold = 0.5 if min_similarity is None else min_similarity
        matches = [
            Match(k, thing, 0.9)
            for k, thing in enumerate(scene.objects)
            if int(thing.embedding.argmax()) in wanted and threshold <= 0.9
        ]
        return Matches(tuple(matches[:top_k]), f"similar to {text!r}")

    def name(self, scene: Scene, labels: Sequence[str]) -> list[tuple[str, float]]:
        self.words.append(tuple(labels))
        self._encode(labels)
        words = [WORDS[int(thing.embedding.argmax())] for thing in scene.objects]
        return [(word, 0.8) if word in labels else ("other", 0.1) for word in words]

    def _encode(self, texts: Sequence[str]) -> None:
        with self._encoder:
            time.sleep(self.reading * len(set(texts) - self._read))
            self._read.update(texts)


class StandInTransforms:
    """Transforms from a table; what the table lacks raises the condition in ``failure``.

    Attributes:
        table: {(target, source): T_target_source}.
        failure: condition of what is not in the table.
        asked: every (target, source, stamp) that was looked up.
        now: of the latest transforms, nanoseconds; those of the table are forgotten before ``since``.
    """

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], np.ndarray] = {}
        self.failure: Condition = "lookup"
        self.asked: list[tuple[str, str, int | None]] = []
        self.cleared = 0
        self.now = self.since = 0

    def clear(self) -> None:
        self.cleared += 1

    def lookup(self, target: str, source: str, stamp: int | None) -> np.ndarray:
        self.asked.append((target, source, stamp))
        if (target, source) in self.table and stamp is not None and stamp < self.since:
            raise TransformError("extrapolation", "stand-in: into the past")
        if (target, source) in self.table:
            return self.table[target, source]
        raise TransformError(self.failure, f"stand-in: {self.failure}")

    def latest(self, target: str, source: str) -> tuple[np.ndarray, int]:
        return self.lookup(target, source, None), self.now

    def close(self) -> None:
        pass


def frame_cloud(shift: float = 0.0) -> PointCloud:
    """An organised cloud of 40 x 30 points one metre away, with a hole of NaN and one Inf."""
    depth = np.ones((30, 40), np.float32)
    depth[10:15, 18:22] = np.nan
    color = np.full((30, 40, 3), (10, 20, 30), np.uint8)
    cloud = PointCloud.from_depth(depth, CAMERA, color)
    points = cloud.points + np.array([shift, 0, 0], np.float32)
    points[0, 2] = np.inf
    return PointCloud(points, cloud.colors)


def frame_message(stamp: int = 0, cloud: PointCloud | None = None, frame: str = FRAME) -> PointCloud2:
    """The same as a message."""
    cloud = frame_cloud() if cloud is None else cloud
    header = Header(stamp=time_message(stamp), frame_id=frame)
    organised = len(cloud) == 1200
    return cloud_message(cloud.points, cloud.colors, header, 40 if organised else len(cloud), 30 if organised else 1)


def malformed_message(stamp: int, changes: dict[str, Any]) -> PointCloud2:
    """A cloud of ``MALFORMED`` as a message."""
    said = attributes(**changes)
    fields = [PointField(**asdict(field)) for field in said.pop("fields")]
    return PointCloud2(header=Header(stamp=time_message(stamp), frame_id=FRAME), fields=fields, **said)


class LogBook:
    """A logger that keeps what it is told.

    Attributes:
        lines: all of it. throttled: those of the lines that a real logger leaves out where the one before is recent.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.throttled: list[str] = []

    def _note(self, message: str, **options: Any) -> None:
        self.lines.append(message)
        if "throttle_duration_sec" in options:
            self.throttled.append(message)

    error = warning = warn = info = _note

    def debug(self, message: str, **options: Any) -> None:
        """Of no interest."""


class LoggedNode(SegVec3DNode):
    """The node, with its log on record."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.book = LogBook()
        super().__init__(*args, **kwargs)

    def get_logger(self) -> Any:
        return self.book


class Robot:
    """A node under test, spinning in a thread, and a neighbour node that talks to it.

    Attributes:
        node, model, transforms: the node and what it was given; perception: what it knows of clouds; log: its lines.
        peer: another node of the same graph, spun by its own thread.
    """

    def __init__(
        self, contexts: tuple[Context, Context], model: StandInModel, transforms: StandInTransforms, **options: Any
    ) -> None:
        self.model, self.transforms = model, transforms
        context, peer_context = contexts
        # Most tests look at single clouds; those of the map ask for it.
        given = {"object_map": False} | options.pop("overrides", {})
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        load = options.pop("load_model", lambda path, device: model)
        self.node = LoggedNode(
            load, transforms, context=context, parameter_overrides=overrides, use_global_arguments=False, **options
        )
        self.perception, self.log = self.node.perception, self.node.book.lines
        self.peer = Node("peer", context=peer_context, use_global_arguments=False)
        self._executors = []
        self._threads = []
        for node in (self.node, self.peer):
            executor = SingleThreadedExecutor(context=node.context)
            executor.add_node(node)
            thread = threading.Thread(target=spin_forever, args=(executor, node), daemon=True)
            thread.start()
            self._executors.append(executor)
            self._threads.append(thread)
        self.publisher = self.peer.create_publisher(PointCloud2, "points", 1)

    def connected(self) -> bool:
        """Whether clouds of this neighbour reach the node."""
        subscription = self.node._intake._subscription
        return (
            subscription is not None
            and self.publisher.get_subscription_count() > 0
            and subscription.get_publisher_count() > 0
        )

    def publish(self, message: Any) -> None:
        """Publish once publisher and subscriber know each other: best effort loses what comes earlier."""
        until(self.connected, "the node's subscription")
        self.publisher.publish(message)

    def show(self, stamp: int = 1, **kwargs: Any) -> None:
        """Publish a frame and wait until the node has worked on it."""
        self.publish(frame_message(stamp, **kwargs))
        until(
            lambda: self.perception.result is not None and self.perception.result.stamp == stamp,
            f"the result of {stamp}",
        )

    def call(self, kind: Any, name: str, *, attempts: int = 1, **fields: Any) -> Any:
        """Call a service of the node and return its answer. An answer to a client that the node does not know yet is
        lost: with more ``attempts`` one is asked again."""
        client: Any = self.peer.create_client(kind, f"{self.node.get_fully_qualified_name()}/{name}")
        try:
            assert client.wait_for_service(WAIT), f"no service {name}"
            futures: list[Any] = []
            while len(futures) < attempts and not any(future.done() for future in futures):
                futures.append(client.call_async(kind.Request(**fields)))
                with suppress(AssertionError):
                    until(lambda: any(future.done() for future in futures), f"an answer of {name}", WAIT / attempts)
            answers = [future.result() for future in futures if future.done()]
            assert answers, f"waited {WAIT:g} s for an answer of {name}"
            return answers[0]
        finally:
            self.peer.destroy_client(client)

    def listen(self, kind: Any, topic: str, qos: Any = 10) -> list[Any]:
        """The messages of a topic of the node, growing."""
        messages: list[Any] = []
        name = topic if topic.startswith("/") else f"{self.node.get_fully_qualified_name()}/{topic}"
        self.peer.create_subscription(kind, name, messages.append, qos)
        until(lambda: self.peer.count_publishers(name) > 0, f"a publisher of {name}")
        return messages

    def close(self) -> None:
        for executor, thread in zip(self._executors, self._threads, strict=True):
            executor.shutdown()
            thread.join(WAIT)
        self.node.destroy_node()
        self.peer.destroy_node()


def until(condition: Callable[[], Any], what: str, seconds: float = WAIT) -> None:
    """Wait for a condition, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.005)


@contextmanager
def robot(**options: Any) -> Iterator[Robot]:
    """A robot, and a neighbour in a ROS context of its own, as another process would have."""
    contexts = Context(), Context()
    domain = next(_domains)
    for context in contexts:
        rclpy.init(context=context, domain_id=domain)
    made: Robot | None = None
    try:
        model = options.pop("model", None) or StandInModel()
        transforms = options.pop("transforms", None) or StandInTransforms()
        made = Robot(contexts, model, transforms, **options)
        yield made
    finally:
        if made is not None:
            made.close()
        for context in contexts:
            rclpy.try_shutdown(context=context)


@contextmanager
def active_robot(**options: Any) -> Iterator[Robot]:
    """The same, active and with a subscription that the neighbour sees."""
    with robot(**options) as made:
        until(lambda: made.node.active, "activation")
        until(made.connected, "the node's subscription")
        yield made


def state(robot: Robot) -> str:
    return str(robot.call(GetState, "get_state", attempts=3).current_state.label)


def change(robot: Robot, transition: int) -> bool:
    return bool(robot.call(ChangeState, "change_state", transition=Transition(id=transition)).success)
