"""The node's status on /diagnostics: rate, latency per stage, dropped clouds, device, model."""

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
"""Number of latest clouds that rate and latencies are averaged over."""

SILENCE = 5.0
"""Seconds without a cloud after which the input counts as silent."""

STAGES = ("convert", "segment", "track", "name", "publish")
"""Stages of processing a cloud in the node; the core's own stages are reported in addition."""


@dataclass(slots=True)
class Health:
    """Statistics of the latest clouds. Written by the worker, read by the diagnostics timer; thread-safe.

    Attributes:
        failed: number of clouds that ended in an error since construction.
        last_error: error of the latest cloud, "" if it succeeded.
        clock: returns monotonic time, seconds.
    """

    failed: int = 0
    last_error: str = ""
    clock: Callable[[], float] = time.monotonic
    _finished: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _timings: deque[Mapping[str, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _ended: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Reset rate, latencies and last error on activation; ``failed`` is kept."""
        with self._lock:
            self._finished.clear()
            self._timings.clear()
            self._ended, self.last_error = None, ""

    def done(self, timings: Mapping[str, float]) -> None:
        """Record a cloud that was processed; ``timings`` are seconds per stage."""
        with self._lock:
            self._ended = self.clock()
            self._finished.append(self._ended)
            self._timings.append(dict(timings))
            self.last_error = ""

    def lost(self, reason: str) -> None:
        """Record a cloud that ended in an error."""
        with self._lock:
            self._ended = self.clock()
            self.failed += 1
            self.last_error = reason

    def rate(self) -> float:
        """Processed clouds per second, over the window and up to now; 0 for fewer than two clouds."""
        with self._lock:
            times = list(self._finished)
        if len(times) < 2:
            return 0.0
        span = times[-1] - times[0]
        waiting = self.clock() - times[-1]
        # A pause of more than twice the mean interval is included, so that the rate falls once clouds stop arriving.
        return (
            (len(times) - 1) / max(span, 1e-9)
            if waiting <= 2 * span / (len(times) - 1)
            else len(times) / (span + waiting)
        )

    def silent_for(self) -> float | None:
        """Seconds since the latest cloud was finished, successfully or not; None before the first."""
        with self._lock:
            return None if self._ended is None else self.clock() - self._ended

    def latencies(self) -> dict[str, float]:
        """Mean seconds per stage over the window, in the order in which the stages ran."""
        with self._lock:
            rows = list(self._timings)
        stages = list(dict.fromkeys(stage for row in rows for stage in row))
        return {
            stage: sum(row[stage] for row in rows if stage in row) / sum(stage in row for row in rows)
            for stage in stages
        }


class StageClock:
    """Stopwatch that accumulates seconds per stage in ``timings``."""

    def __init__(self) -> None:
        self.timings: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Add the time since the previous lap to ``stage``."""
        now = time.perf_counter()
        self.timings[stage], self._last = self.timings.get(stage, 0.0) + now - self._last, now


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of the node that a diagnostic message contains in addition to ``Health``.

    Attributes:
        state: lifecycle state.
        problem: why no clouds arrive, "" if nothing is wrong.
        facts: further values: topic, device, model, ...
        received: clouds received.
        dropped: clouds never finished: replaced by a newer one, or discarded because the node stopped.
        working: seconds since processing of the current cloud began, 0 if there is none.
        failure: why the latest transition failed, "" if it did not.
        concern: warning to report although clouds are being processed, "" for none.
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
    """Make the /diagnostics message of the node called ``name``."""
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
    """Scalar entries of a model's ``info``, for diagnostics; nested ones, such as the training history, are omitted."""
    return {f"model {key}": str(value) for key, value in info.items() if isinstance(value, (str, int, float))}
