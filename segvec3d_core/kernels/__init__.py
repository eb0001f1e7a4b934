"""Fused kernels, in numba for CPUs and in Triton for GPUs; tests compare each with a plain reference.

The numba kernels use OpenMP threads if the system has GNU OpenMP, else numba's portable pool, which must not be entered
from two threads at once: callers hold ``KERNEL_LOCK`` around a run of kernels, as ``SegVec3D.segment`` does. A process
forked from one with OpenMP threads dies at its first kernel: start processes with spawn, or set
``NUMBA_THREADING_LAYER=workqueue`` to use the portable pool.
"""

import os
import threading

import numba

from . import cache

numba.config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]  # type: ignore[attr-defined]
KERNEL_LOCK = threading.RLock()
SPINS = "GOMP_SPINCOUNT"
cache.prepare()


def _start_threads() -> None:
    """Start numba's threads such that they soon sleep after a kernel, unless environment variables say otherwise.

    A frame runs dozens of short kernels with other work in between. By default OpenMP's threads would busy-wait for the
    next kernel and keep all processors occupied during a frame. If they sleep at once, each kernel has to wake them. To
    wait for a tenth of a millisecond made a frame 6 % faster on two idle cores, and 4 % slower where other work kept
    one of them busy (five times as long: 9 and -20 %). The portable pool wakes one thread more than there are
    processors for each kernel, with five times as many context switches as OpenMP.
    """
    names = ("OMP_WAIT_POLICY", SPINS)  # GNU OpenMP reads them when it is loaded
    chosen = any(name in os.environ for name in names)
    if not chosen:
        os.environ[SPINS] = "2000"
    numba.get_num_threads()
    if not chosen:
        del os.environ[SPINS]


_start_threads()
