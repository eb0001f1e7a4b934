"""One thread with one slot: the latest item wins, what it replaces is counted."""

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
    """Works on the latest submitted item, one at a time, in a thread of its own.

    A queue would hand over ever older clouds once the work is slower than the camera; one slot never does.

    Args:
        work: item -> result; may take long, and has no effect but its result: one that comes after ``stop`` is thrown
            away.
        deliver: called with each result; where it waits for something, it looks at ``wanted`` afterwards.
        on_error: called with an exception of either, unless ``stop`` was called meanwhile; the worker goes on.
        name: of the thread; niceness: by how much it, and the threads that its work starts, give way to all others.

    Attributes:
        received, processed, dropped: items submitted; worked on, with a result or an error; and replaced before their
            turn or stopped.
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
        """Whether work that ``stop`` did not wait for is still going on."""
        self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
        return bool(self._abandoned)

    @property
    def working_for(self) -> float:
        """Seconds since the item in work was begun; 0 where there is none."""
        begun = self._begun
        return 0.0 if begun is None else time.monotonic() - begun

    @property
    def wanted(self) -> bool:
        """In ``deliver``: whether nobody has called ``stop`` meanwhile."""
        return self._thread is threading.current_thread()

    def start(self) -> None:
        """Start the thread; nothing happens when it runs already."""
        with self._condition:
            if self._thread is None:
                # A daemon: work that hangs must not keep the process.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def submit(self, item: T) -> None:
        """Put ``item`` into the slot and return at once; an item still waiting there is dropped."""
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
        """Drop the waiting item and the result of the one in work, and end the thread.

        Args:
            timeout: longest wait for the item in work, seconds; None for as long as it takes.

        Returns:
            False when the work went on beyond the timeout. Its result is thrown away when it comes, and ``start`` does
            not wait for it.
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
        if sys.platform == "linux":  # elsewhere the whole process would give way
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
