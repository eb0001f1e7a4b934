"""Number of threads of this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numba
from threadpoolctl import ThreadpoolController, threadpool_limits


def use_threads(count: int) -> None:
    """Use ``count`` threads in this process; with more than there are free cores, threads wait for each other."""
    os.environ["OMP_NUM_THREADS"] = str(count)  # read by torch when it is imported
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    threadpool_limits(count)
    torch = _torch()
    if torch is not None:
        torch.set_num_threads(count)


def use_one_thread(worker: int) -> None:
    """Initialiser of worker processes; ``worker`` is unused."""
    use_threads(1)


def multiply_on_one_thread() -> None:
    """Multiply matrices on one thread in this process from now on, for one with none but small products.

    BLAS's threads busy-wait for the next product, for longer than a frame takes. Where cores are shared with other
    processes, that delays all of them.
    """
    threadpool_limits(1, "blas")


class _Alone:
    """Limits products of matrices to one thread while at least one thread of this process asks for it."""

    def __init__(self) -> None:
        self._lock, self._asking, self._before = Lock(), 0, ExitStack()

    def begin(self) -> None:
        with self._lock:
            self._asking += 1
            if self._asking == 1:
                self._before.enter_context(_libraries().limit(limits=1, user_api="blas"))
                torch = _torch()
                if torch is not None:
                    self._before.callback(torch.set_num_threads, torch.get_num_threads())
                    torch.set_num_threads(1)

    def end(self) -> None:
        with self._lock:
            self._asking -= 1
            if self._asking == 0:
                self._before.close()


_alone = _Alone()


@contextmanager
def single_thread() -> Iterator[None]:
    """Context in which products of matrices use one thread, for work that is too small to share.

    Threads synchronise after every operation by busy waiting. On a loaded processor one thread that is not scheduled
    delays all others, and a millisecond becomes a hundred.
    """
    _alone.begin()
    try:
        yield
    finally:
        _alone.end()


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that multiply numpy's matrices; to look for them takes longer than to set them."""
    return ThreadpoolController()


def _torch() -> Any:
    """torch if it is imported, else None."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "set_num_threads") else None  # not while it is being imported
