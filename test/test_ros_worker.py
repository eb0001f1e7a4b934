"""The latest item wins, and nothing is lost without being counted."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segvec3d_ros.worker import LatestWorker


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def ignore(error: Exception) -> None:
    """For work that does not fail."""


def test_while_one_is_worked_on_only_the_latest_waits() -> None:
    done: list[int] = []
    gate, started = threading.Event(), threading.Event()

    def work(item: int) -> int:
        started.set()
        gate.wait(5)
        return item

    worker = LatestWorker(work, done.append, ignore)
    worker.start()
    worker.submit(0)
    assert started.wait(5)
    for item in range(1, 6):
        worker.submit(item)
    gate.set()
    until(lambda: len(done) == 2)
    assert worker.stop()
    assert done == [0, 5]
    assert (worker.received, worker.processed, worker.dropped) == (6, 2, 4)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2), max_size=20))
def test_every_item_is_delivered_or_counted_as_dropped(pauses: list[int]) -> None:
    done: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.0005)
        return item

    worker = LatestWorker(work, done.append, ignore)
    worker.start()
    for item, pause in enumerate(pauses):
        worker.submit(item)
        time.sleep(0.0005 * pause)
    worker.stop()
    assert worker.received == len(pauses) == len(done) + worker.dropped
    assert worker.processed == len(done)
    assert done == sorted(done)


@pytest.mark.parametrize("fails", ["work", "deliver"])
def test_an_error_is_reported_and_costs_one_item(fails: str) -> None:
    errors: list[Exception] = []
    done: list[int] = []

    def check(item: int) -> int:
        if item == 0:
            raise ValueError("zero")
        return item

    def deliver(item: int) -> None:
        done.append(check(item))

    worker = LatestWorker(check if fails == "work" else int, deliver, errors.append)
    worker.start()
    worker.submit(0)
    until(lambda: errors)
    worker.submit(1)
    until(lambda: done)
    worker.stop()
    assert [str(error) for error in errors] == ["zero"]
    assert worker.processed == 2


def test_what_is_delivered_when_it_is_stopped_may_fail_without_a_word() -> None:
    errors: list[Exception] = []
    waiting, gate = threading.Event(), threading.Event()

    def deliver(item: int) -> None:
        waiting.set()
        gate.wait(5)
        raise ValueError("too late")

    worker = LatestWorker(int, deliver, errors.append)
    worker.start()
    worker.submit(1)
    assert waiting.wait(5)
    assert not worker.stop(0.01)
    gate.set()
    until(lambda: not worker.busy)
    assert errors == []


def test_submit_returns_at_once_and_a_stopped_worker_takes_nothing() -> None:
    gate = threading.Event()
    worker: LatestWorker[int, bool] = LatestWorker(lambda item: gate.wait(5), lambda result: None, ignore)
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


@pytest.mark.parametrize("fails", [False, True])
def test_stopping_waits_no_longer_than_it_was_told_to_and_what_comes_late_is_thrown_away(fails: bool) -> None:
    done: list[int] = []
    errors: list[Exception] = []
    gate, started = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item == 0:
            started.set()
            gate.wait(5)
            if fails:
                raise ValueError("late")
        return item

    worker = LatestWorker(work, done.append, errors.append)
    worker.start()
    worker.submit(0)
    assert started.wait(5)
    before = time.monotonic()
    assert not worker.stop(timeout=0.05)
    assert time.monotonic() - before < 1.0
    assert worker.busy
    worker.start()  # does not wait either
    worker.submit(1)
    until(lambda: done == [1])
    gate.set()
    until(lambda: not worker.busy)
    assert worker.stop()
    assert (done, errors) == ([1], [])
    assert (worker.received, worker.processed, worker.dropped) == (2, 1, 1)


def test_a_stopped_worker_starts_again() -> None:
    done: list[int] = []
    worker = LatestWorker(int, done.append, ignore)
    for round_number in range(3):
        worker.start()
        worker.start()
        worker.submit(round_number)
        until(lambda n=round_number: n in done)  # type: ignore[misc]
        worker.stop()
    assert done == [0, 1, 2]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread a priority of its own")
def test_work_and_the_threads_that_it_starts_give_way_to_others() -> None:
    def own() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    seen: list[int] = []

    def work(item: int) -> int:
        helper = threading.Thread(target=lambda: seen.append(own()))
        helper.start()
        helper.join(5)
        return own()

    before = own()
    worker = LatestWorker(work, seen.append, ignore, niceness=3)
    worker.start()
    worker.submit(0)
    until(lambda: len(seen) == 2)
    worker.stop()
    assert seen == [min(before + 3, 19)] * 2
    assert own() == before
