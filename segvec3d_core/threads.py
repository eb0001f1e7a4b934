"""How many threads this process uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch
from threadpoolctl import threadpool_limits


def use_threads(count: int) -> None:
    """Let this process use ``count`` threads; more than there are free cores makes kernels wait for each other."""
    torch.set_num_threads(count)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    threadpool_limits(count)


def use_one_thread(worker: int) -> None:
    """What each worker process begins with."""
    use_threads(1)


@contextmanager
def single_thread() -> Iterator[None]:
    """Keep torch to one thread in here: for what is too little to share, beside the fused kernels.

    OpenMP's threads meet after every operation and wait for each other spinning. On a processor that has other work,
    too, one that is not scheduled holds up all, and a millisecond becomes a hundred.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
