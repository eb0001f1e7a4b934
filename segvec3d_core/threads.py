"""Number of threads of this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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


@contextmanager
def single_thread() -> Iterator[None]:
    """Context in which products of matrices use one thread, for work that is too small to share.

    Threads synchronise after every operation by busy waiting. On a loaded processor one thread that is not scheduled
    delays all others, and a millisecond becomes a hundred.
    """
    torch = _torch()
    threads = 0 if torch is None else torch.get_num_threads()
    if torch is not None:
        torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)


@cache
def _libraries() -> ThreadpoolController:
    """The libraries that multiply numpy's matrices; to look for them takes longer than to set them."""
    return ThreadpoolController()


def _torch() -> Any:
    """torch if it is imported, else None."""
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "set_num_threads") else None  # not while it is being imported
