"""Timing of stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Clock:
    """Seconds per stage, in the order in which the stages began.

    The time of a nested stage does not count for the outer one; a repeated stage adds up.

    Args:
        before: seconds of earlier stages.
        wait: called before every reading of the time, such as ``torch.cuda.synchronize``, so that pending GPU work
            counts for the stage that started it; None does not wait.
    """

    def __init__(self, before: dict[str, float] | None = None, wait: Callable[[], object] | None = None) -> None:
        self.seconds = dict(before or {})
        self._wait = wait
        self._within = [0.0]

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Context that measures a stage."""
        self.seconds.setdefault(stage, 0.0)
        self._within.append(0.0)
        start = self._now()
        try:
            yield
        finally:
            took = self._now() - start
            self.seconds[stage] += took - self._within.pop()
            self._within[-1] += took

    def _now(self) -> float:
        if self._wait is not None:
            self._wait()
        return time.perf_counter()
