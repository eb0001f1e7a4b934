"""Synchronous client of the node, for scripts and the demo: calls ``find_object`` and collects topics."""

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
"""Seconds without an answer, beyond the request's own timeout, before a request is resent; requests are idempotent."""


class Collector(Generic[T]):
    """Messages of one topic, in order of arrival.

    Args:
        keep: number of latest messages to keep, None for all.

    Attributes:
        messages: those kept so far.
        count: number received so far, including those no longer kept.
    """

    def __init__(self, keep: int | None) -> None:
        self.messages: list[T] = []
        self.count = 0
        self._keep = keep
        self._condition = threading.Condition()

    def add(self, message: T) -> None:
        """Append a message; called in the client's thread."""
        with self._condition:
            self.count += 1
            self.messages.append(message)
            if self._keep is not None:
                del self.messages[: -self._keep]
            self._condition.notify_all()

    def wait(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Wait until ``count`` messages have been received in total; False after ``timeout`` seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self.count >= count, timeout)


class Client:
    """Client of a running node, used as a context manager. It spins in a thread of its own.

    Args:
        node: fully qualified name of the node.
        context: ROS context to use; None creates one and shuts it down on close.
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
        """Stop the thread and destroy the ROS node."""
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self.node.destroy_node()
        if self._own_context:
            rclpy.try_shutdown(context=self._context)

    def wait_until_active(self, timeout: float = 60.0) -> bool:
        """Wait until the node is active; False after ``timeout`` seconds."""
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
        """Call ``find_object``.

        Args:
            query: text to search for.
            timeout: how long the node may wait for a cloud, seconds.
            wait: how much longer than ``timeout`` this call waits for the response, seconds.
            fields: other request fields: top_k, min_similarity, target_frame, not_before, return_clouds, ...

        Raises:
            TimeoutError: the service is not available, or did not respond in time.
        """
        nanoseconds = round(timeout * 1e9)
        limit = Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
        request = FindObject.Request(query=query, timeout=limit, **fields)
        answer: FindObject.Response = self._call(FindObject, "find_object", request, timeout + wait, timeout + RESEND)
        return answer

    def set_vocabulary(self, labels: Sequence[str], wait: float = 30.0) -> SetVocabulary.Response:
        """Replace the vocabulary that instances are labelled with.

        Raises:
            TimeoutError: no response within ``wait`` seconds.
        """
        request = SetVocabulary.Request(labels=list(labels))
        answer: SetVocabulary.Response = self._call(SetVocabulary, "set_vocabulary", request, wait)
        return answer

    def collect(self, kind: type[T], topic: str, qos: QoSProfile | int = 10, keep: int | None = None) -> Collector[T]:
        """Subscribe to a topic and collect its messages.

        Args:
            kind: message type.
            topic: name relative to the node, such as "objects" or "~/objects", or an absolute name.
            qos: QoS profile of the subscription, or its depth.
            keep: number of latest messages to keep, None for all.
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
            # The response to the first request is lost if the node has not yet discovered this client, so resend, and
            # take whichever response arrives. A slow one may still belong to an earlier request.
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
