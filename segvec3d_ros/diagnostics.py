"""The node's health on /diagnostics: rate, latency per stage, dropped clouds, device, model."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

WINDOW = 30
"""Clouds that a mean is taken over."""

SILENCE = 5.0
"""Seconds without a cloud after which the input counts as silent."""

STAGES = ("convert", "segment", "track", "name", "publish")
"""What a cloud goes through; the core adds the stages of its own."""


@dataclass(slots=True)
class Health:
    """What happened to the latest clouds. Written by the worker, read by the diagnostics timer.

    Attributes:
        failed: clouds that ended in an error, since construction.
        last_error: the latest cloud's error, "" when it went well.
        clock: seconds, monotonic.
    """

    failed: int = 0
    last_error: str = ""
    clock: Callable[[], float] = time.monotonic
    _finished: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _timings: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _ended: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Clouds are taken anew: what became of earlier ones says nothing of these."""
        with self._lock:
            self._finished.clear()
            self._timings.clear()
            self._ended, self.last_error = None, ""

    def done(self, timings: Mapping[str, float]) -> None:
        """A cloud went well; ``timings`` are seconds per stage."""
        with self._lock:
            self._ended = self.clock()
            self._finished.append(self._ended)
            self._timings.append(dict(timings))
            self.last_error = ""

    def lost(self, reason: str) -> None:
        """A cloud ended in an error."""
        with self._lock:
            self._ended = self.clock()
            self.failed += 1
            self.last_error = reason

    def rate(self) -> float:
        """Clouds worked on per second, over the window and up to now; 0 when there are not two of them."""
        with self._lock:
            times = list(self._finished)
        if len(times) < 2:
            return 0.0
        span = times[-1] - times[0]
        waiting = self.clock() - times[-1]
        # Silence longer than the usual gap counts, so that the rate falls once the clouds stop.
        return (
            (len(times) - 1) / max(span, 1e-9)
            if waiting <= 2 * span / (len(times) - 1)
            else len(times) / (span + waiting)
        )

    def silent_for(self) -> float | None:
        """Seconds since the latest cloud was worked on, whether it went well or was lost; None before the first."""
        with self._lock:
            return None if self._ended is None else self.clock() - self._ended

    def latencies(self) -> dict[str, float]:
        """Mean seconds per stage over the window, stages in the order in which they ran."""
        with self._lock:
            rows = list(self._timings)
        stages = list(dict.fromkeys(stage for row in rows for stage in row))
        return {
            stage: sum(row[stage] for row in rows if stage in row) / sum(stage in row for row in rows)
            for stage in stages
        }


class StageClock:
    """Adds the seconds since the last lap to a stage's."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """What was done since the last lap was ``stage``."""
        now = time.perf_counter()
        self.timings[stage], self._last = self.timings.get(stage, 0.0) + now - self._last, now


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the node adds to ``Health`` for one diagnostic message.

    Attributes:
        state: lifecycle state in words; failure: why the latest transition failed, "" where none did.
        problem: what keeps clouds from arriving, "" for nothing; concern: what else should be known, though all works.
        facts: further values: topic, device, model, ...
        received, dropped: clouds that came in, and those that a later one replaced.
        working: seconds that the cloud in work has taken so far, 0 for none.
    """

    state: str
    problem: str
    facts: Mapping[str, str]
    received: int
    dropped: int
    working: float = 0.0
    failure: str = ""
    concern: str = ""


def diagnostic_array(name: str, health: Health, snapshot: Snapshot, stamp: Time) -> DiagnosticArray:
    """One /diagnostics message about the node called ``name``."""
    level, message = _judge(health, snapshot)
    values = {
        "state": snapshot.state,
        "rate (Hz)": f"{health.rate():.2f}",
        **{f"{stage} (ms)": f"{1000 * seconds:.1f}" for stage, seconds in health.latencies().items()},
        "clouds received": str(snapshot.received),
        "clouds dropped": str(snapshot.dropped),
        "clouds failed": str(health.failed),
        **snapshot.facts,
    }
    status = DiagnosticStatus(
        level=level,
        name=f"{name}: segmentation",
        message=message,
        hardware_id=snapshot.facts.get("device", ""),
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def _judge(health: Health, snapshot: Snapshot) -> tuple[bytes, str]:
    if snapshot.state != "active":
        if snapshot.failure:
            return DiagnosticStatus.ERROR, f"{snapshot.state}: {snapshot.failure}"
        return DiagnosticStatus.OK, snapshot.state
    if snapshot.working > SILENCE:
        return DiagnosticStatus.WARN, f"a cloud has been in work for {snapshot.working:.0f} s"
    silence, lost = health.silent_for(), health.last_error
    if lost and silence is not None and silence <= SILENCE:
        return DiagnosticStatus.ERROR, f"the latest cloud was lost: {lost}"
    if snapshot.problem:
        return DiagnosticStatus.WARN, snapshot.problem
    if silence is None:
        return DiagnosticStatus.WARN, "no cloud yet"
    if silence > SILENCE:
        return DiagnosticStatus.WARN, f"no cloud for {silence:.0f} s" + (
            f"; the latest was lost: {lost}" if lost else ""
        )
    if snapshot.concern:
        return DiagnosticStatus.WARN, snapshot.concern
    return DiagnosticStatus.OK, f"{health.rate():.1f} clouds per second"


def short(info: dict[str, Any]) -> dict[str, str]:
    """What fits into a line of diagnostics of what is told of a model: its training's history, for one, does not."""
    return {f"model {key}": str(value) for key, value in info.items() if isinstance(value, (str, int, float))}
