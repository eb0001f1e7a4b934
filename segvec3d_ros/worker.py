"""One thread with one slot: the latest item wins, what it replaces is counted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestWorker(Generic[T]):
    """Calls ``process`` with the latest submitted item, one at a time, in a thread of its own.

    A queue would hand over ever older clouds once the work is slower than the camera; one slot never does.

    Args:
        process: the work. It handles its own errors; one that escapes goes to ``on_error``.
        on_error: called with an exception that escaped ``process``; the worker goes on.
        name: of the thread.

    Attributes:
        received, processed, dropped: items submitted, worked on, and replaced before their turn, since construction.
    """

    def __init__(
        self, process: Callable[[T], None], on_error: Callable[[Exception], None], name: str = "worker"
    ) -> None:
        self._process = process
        self._on_error = on_error
        self._name = name
        self._condition = threading.Condition()
        self._slot: T | None = None
        self._running = False
        self._thread: threading.Thread | None = None
        self.received = 0
        self.processed = 0
        self.dropped = 0

    def start(self) -> None:
        """Start the thread; nothing happens when it runs already."""
        if self._thread is not None:
            return
        self._running = True
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Put ``item`` into the slot and return at once; an item still waiting there is dropped."""
        with self._condition:
            self.received += 1
            if not self._running:
                self.dropped += 1
                return
            if self._slot is not None:
                self.dropped += 1
            self._slot = item
            self._condition.notify()

    def stop(self) -> None:
        """Finish the item in work, drop the waiting one, and end the thread."""
        thread, self._thread = self._thread, None
        with self._condition:
            self._running = False
            self.dropped += self._slot is not None
            self._slot = None
            self._condition.notify()
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._running and self._slot is None:
                    self._condition.wait()
                if not self._running:
                    return
                item, self._slot = self._slot, None
            try:
                if item is not None:
                    self._process(item)
            except Exception as error:
                self._on_error(error)
            with self._condition:
                self.processed += 1
