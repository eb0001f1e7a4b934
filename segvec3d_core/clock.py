"""How long each stage takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """Seconds per stage, in the order in which the stages began. What a stage within another takes is not the other's,
    and a stage that comes again adds up.

    Args:
        before: seconds of earlier stages.
    """

    def __init__(self, before: dict[str, float] | None = None) -> None:
        self.seconds = dict(before or {})
        self._within = [0.0]

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Take the time of what is done under this."""
        self.seconds.setdefault(stage, 0.0)
        self._within.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[stage] += took - self._within.pop()
            self._within[-1] += took
