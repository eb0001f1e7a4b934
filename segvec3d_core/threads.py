"""Number of threads of this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch
from threadpoolctl import threadpool_limits


def use_threads(count: int) -> None:
    """Use ``count`` threads in this process; with more than there are free cores, threads wait for each other."""
    torch.set_num_threads(count)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    threadpool_limits(count)


def use_one_thread(worker: int) -> None:
    """Initialiser of worker processes; ``worker`` is unused."""
    use_threads(1)


@contextmanager
def single_thread() -> Iterator[None]:
    """Context in which torch uses one thread, for work that is too small to share.

    OpenMP's threads synchronise after every operation by busy waiting. On a loaded processor one thread that is not
    scheduled delays all others, and a millisecond becomes a hundred.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
