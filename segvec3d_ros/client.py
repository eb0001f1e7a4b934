"""A synchronous client of the node, for scripts and the demo: call ``find_object``, collect topics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import rclpy
from builtin_interfaces.msg import Duration
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile

from segvec3d_interfaces.srv import FindObject, SetVocabulary
from segvec3d_ros.side_node import spin_forever

T = TypeVar("T")

RESEND = 3.0
"""Seconds beyond the node's own waiting after which a request is sent again; asking twice does no harm."""


class Collector(Generic[T]):
    """The messages of one topic, in the order in which they came.

    Attributes:
        messages: all of them so far; grows while the client lives.
    """

    def __init__(self, keep: int | None) -> None:
        self.messages: list[T] = []
        self.count = 0
        self._keep = keep
        self._condition = threading.Condition()

    def add(self, message: T) -> None:
        """Take one more; called in the client's thread."""
        with self._condition:
            self.count += 1
            self.messages.append(message)
            if self._keep is not None:
                del self.messages[: -self._keep]
            self._condition.notify_all()

    def wait(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until ``count`` messages have come in all; False after ``timeout`` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self.count >= count, timeout)


class Client:
    """Talks to a running node. Use it as a context manager; it brings its own ROS context and thread.

    Args:
        node: fully qualified name of the node.
        context: a ROS context to use, None for one of its own.
    """

    def __init__(self, node: str = "/segvec3d", context: Context | None = None) -> None:
        self.node_name = node if node.startswith("/") else f"/{node}"
        self._own_context = context is None
        self._context = Context() if context is None else context
        if self._own_context:
            rclpy.init(context=self._context)
        self.node = Node("segvec3d_client", context=self._context, use_global_arguments=False)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=spin_forever, args=(self._executor, self.node), daemon=True)
        self._thread.start()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and leave the graph."""
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self.node.destroy_node()
        if self._own_context:
            rclpy.try_shutdown(context=self._context)

    def wait_until_active(self, timeout: float = 60.0) -> bool:
        """Wait until the node is up and takes clouds; False after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                answer = self.find_object("anything", wait=max(0.1, deadline - time.monotonic()))
            except TimeoutError:
                return False
            if answer.status != FindObject.Response.INACTIVE:
                return True
            time.sleep(0.1)
        return False

    def find_object(
        self, query: str, *, timeout: float = 0.0, wait: float = 30.0, **fields: Any
    ) -> FindObject.Response:
        """Ask for an object.

        Args:
            query: what to look for.
            timeout: how long the node may wait for a cloud, seconds.
            wait: how long this call waits for the node's answer beyond that, seconds.
            fields: further fields of the request: top_k, min_similarity, target_frame, not_before, return_clouds, ...

        Raises:
            TimeoutError: no such service, or no answer in time.
        """
        nanoseconds = round(timeout * 1e9)
        limit = Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
        request = FindObject.Request(query=query, timeout=limit, **fields)
        answer: FindObject.Response = self._call(FindObject, "find_object", request, timeout + wait, timeout + RESEND)
        return answer

    def set_vocabulary(self, labels: Sequence[str], wait: float = 30.0) -> SetVocabulary.Response:
        """Replace the words that instances are labelled with; raises TimeoutError without an answer in time."""
        request = SetVocabulary.Request(labels=list(labels))
        answer: SetVocabulary.Response = self._call(SetVocabulary, "set_vocabulary", request, wait)
        return answer

    def collect(self, kind: type[T], topic: str, qos: QoSProfile | int = 10, keep: int | None = None) -> Collector[T]:
        """Collect the messages of a topic from now on.

        Args:
            kind: message type; topic: a name below the node's own such as "objects", or an absolute one.
            qos: profile or depth of the subscription; keep: how many of the latest messages to keep, None for all.
        """
        collector: Collector[T] = Collector(keep)
        name = topic if topic.startswith("/") else f"{self.node_name}/{topic.removeprefix('~/')}"
        callback: Callable[[Any], None] = collector.add
        self.node.create_subscription(kind, name, callback, qos)
        return collector

    def _call(self, kind: Any, name: str, request: Any, wait: float, patience: float = RESEND) -> Any:
        name = f"{self.node_name}/{name}"
        if name not in self._clients:
            self._clients[name] = self.node.create_client(kind, name)
        client = self._clients[name]
        deadline = time.monotonic() + wait
        if not client.wait_for_service(timeout_sec=wait):
            raise TimeoutError(f"{name}: no such service after {wait:g} s; is the node running, in this ROS_DOMAIN_ID?")
        answered = threading.Event()
        asked: list[Any] = []
        while not answered.is_set() and (not asked or time.monotonic() < deadline):
            # The answer to the very first request is lost when the node has not yet discovered this client: ask again,
            # and take whichever answer comes; one that takes longer than the patience may be the first.
            asked.append(client.call_async(request))
            asked[-1].add_done_callback(lambda _: answered.set())
            answered.wait(min(patience, max(0.0, deadline - time.monotonic())))
        done = next((future for future in asked if future.done()), None)
        for future in asked:
            if not future.done():
                client.remove_pending_request(future)
        if done is None:
            raise TimeoutError(f"{name}: no answer after {wait:g} s")
        return done.result()
