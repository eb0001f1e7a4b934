"""The latest item wins, and nothing is lost without being counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from segvec3d_ros.worker import LatestWorker


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_while_one_is_worked_on_only_the_latest_waits() -> None:
    done: list[int] = []
    gate, started = threading.Event(), threading.Event()

    def work(item: int) -> None:
        started.set()
        gate.wait(5)
        done.append(item)

    worker = LatestWorker(work, lambda error: None)
    worker.start()
    worker.submit(0)
    assert started.wait(5)
    for item in range(1, 6):
        worker.submit(item)
    gate.set()
    until(lambda: len(done) == 2)
    worker.stop()
    assert done == [0, 5]
    assert (worker.received, worker.processed, worker.dropped) == (6, 2, 4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=20))
def test_every_item_is_worked_on_or_counted_as_dropped(pauses: list[int]) -> None:
    done: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.0005)
        done.append(item)

    worker = LatestWorker(work, lambda error: None)
    worker.start()
    for item, pause in enumerate(pauses):
        worker.submit(item)
        time.sleep(0.0005 * pause)
    worker.stop()
    assert worker.received == len(pauses) == len(done) + worker.dropped
    assert done == sorted(done)


def test_an_error_is_reported_and_costs_one_item() -> None:
    errors: list[Exception] = []
    done: list[int] = []

    def work(item: int) -> None:
        if item == 0:
            raise ValueError("zero")
        done.append(item)

    worker = LatestWorker(work, errors.append)
    worker.start()
    worker.submit(0)
    until(lambda: errors)
    worker.submit(1)
    until(lambda: done)
    worker.stop()
    assert [str(error) for error in errors] == ["zero"]


def test_submit_returns_at_once_and_a_stopped_worker_takes_nothing() -> None:
    gate = threading.Event()

    def work(item: int) -> None:
        gate.wait(5)

    worker = LatestWorker(work, lambda error: None)
    worker.start()
    before = time.monotonic()
    for item in range(100):
        worker.submit(item)
    assert time.monotonic() - before < 0.5
    gate.set()
    worker.stop()
    worker.submit(100)
    worker.stop()
    assert worker.received == 101
    assert worker.processed + worker.dropped == 101


def test_a_stopped_worker_starts_again() -> None:
    done: list[int] = []
    worker = LatestWorker(done.append, lambda error: None)
    for round_number in range(3):
        worker.start()
        worker.start()
        worker.submit(round_number)
        until(lambda n=round_number: n in done)  # type: ignore[misc]
        worker.stop()
    assert done == [0, 1, 2]
