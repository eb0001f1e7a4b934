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

BRINGERS = ("scipy.linalg", "torch")
"""Modules that bring a BLAS of their own beside numpy's."""


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
    processes, that delays all of them. Libraries that are loaded later are not affected.
    """
    threadpool_limits(1, "blas")


class _Alone:
    """Limits BLAS to one thread while at least one thread of this process asks for it."""

    def __init__(self) -> None:
        self._lock, self._asking, self._before = Lock(), 0, ExitStack()

    def begin(self) -> None:
        with self._lock:
            self._asking += 1
            if self._asking == 1:
                libraries = _libraries(*(name in sys.modules for name in BRINGERS))
                self._before.enter_context(libraries.limit(limits=1, user_api="blas"))

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
    torch = _torch()
    before = None if torch is None else torch.get_num_threads()  # of the calling thread, unlike that of BLAS
    if torch is not None:
        torch.set_num_threads(1)
    _alone.begin()
    try:
        yield
    finally:
        _alone.end()
        if torch is not None:
            torch.set_num_threads(before)


@cache
def _libraries(*loaded: bool) -> ThreadpoolController:
    """The libraries that multiply matrices, while the same of ``BRINGERS`` are loaded; to look for them takes longer
    than to set them."""
    return ThreadpoolController()


def _torch() -> Any:
    """torch if it is imported, else None."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "set_num_threads") else None  # not while it is being imported
