"""A worker thread with a single slot: the latest item wins, replaced items are counted."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class LatestWorker(Generic[T, R]):
    """Processes the latest submitted item, one at a time, in a thread of its own.

    With a queue, clouds would grow ever older if processing is slower than the camera; with a single slot they do not.

    Args:
        work: item -> result; may take long. It should have no side effects, as its result is discarded after ``stop``.
        deliver: called with each result; should check ``wanted`` after waiting for anything.
        on_error: called with an exception of ``work`` or ``deliver``, unless ``stop`` was called; the worker continues.
        name: of the thread.
        niceness: increment to the nice value of the thread, and of threads that it starts (Linux only).

    Attributes:
        received: number of items submitted.
        processed: number of items completed, with a result or an error.
        dropped: number of items replaced before their turn, or discarded because the worker was stopped.
    """

    def __init__(
        self,
        work: Callable[[T], R],
        deliver: Callable[[R], None],
        on_error: Callable[[Exception], None],
        name: str = "worker",
        niceness: int = 0,
    ) -> None:
        self._work = work
        self._deliver = deliver
        self._on_error = on_error
        self._name, self._niceness = name, niceness
        self._condition = threading.Condition()
        self._slot: T | None = None
        self._begun: float | None = None
        self._thread: threading.Thread | None = None
        self._abandoned: list[threading.Thread] = []
        self.received = 0
        self.processed = 0
        self.dropped = 0

    @property
    def busy(self) -> bool:
        """Whether work that ``stop`` did not wait for is still running."""
        self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
        return bool(self._abandoned)

    @property
    def working_for(self) -> float:
        """Seconds since processing of the current item began; 0 if there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    @property
    def wanted(self) -> bool:
        """For ``deliver``: whether ``stop`` has not been called meanwhile."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread, unless it is running already."""
        with self._condition:
            if self._thread is None:
                # A daemon thread, so that work that hangs does not keep the process alive.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def submit(self, item: T) -> None:
        """Put ``item`` into the slot and return at once; an item still waiting there is dropped. Without a running
        thread, ``item`` itself is dropped."""
        with self._condition:
            self.received += 1
            if self._thread is None:
                self.dropped += 1
                return
            if self._slot is not None:
                self.dropped += 1
            self._slot = item
            self._condition.notify_all()

    def stop(self, timeout: float | None = None) -> bool:
        """Drop the waiting item and the result of the current one, and end the thread.

        Args:
            timeout: longest wait for the current item, seconds; None for as long as it takes.

        Returns:
            False if the work is still running after the timeout. Its result will be discarded, and ``start`` does not
            wait for it.
        """
        with self._condition:
            thread, self._thread, self._begun = self._thread, None, None
            self.dropped += self._slot is not None
            self._slot = None
            self._condition.notify_all()
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        if thread.is_alive():
            self._abandoned.append(thread)
        return not thread.is_alive()

    def _run(self) -> None:
        me = threading.current_thread()
        if sys.platform == "linux":  # elsewhere this would change the priority of the whole process
            own = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, own, min(os.getpriority(os.PRIO_PROCESS, own) + self._niceness, 19))
        while True:
            with self._condition:
                while self._thread is me and self._slot is None:
                    self._condition.wait()
                if self._thread is not me or self._slot is None:
                    return
                item, self._slot = self._slot, None
                self._begun = time.monotonic()
            self._turn(me, item)
            if self._thread is me:
                self._begun = None

    def _turn(self, me: threading.Thread, item: T) -> None:
        error: Exception | None = None
        try:
            result = self._work(item)
        except Exception as raised:
            error = raised
        with self._condition:
            wanted = self._thread is me
            self.processed += wanted
            self.dropped += not wanted
        if not wanted:
            return
        try:
            if error is not None:
                raise error
            self._deliver(result)
        except Exception as raised:
            if self._thread is me:
                self._on_error(raised)
