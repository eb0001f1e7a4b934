"""Fused CPU kernels (numba) with a plain reference beside each.

numba's portable thread pool must not be entered from two threads at once, so callers hold ``KERNEL_LOCK``
around a run of kernels; ``SegVec3D.segment`` does.
"""

import threading

import numba

numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
KERNEL_LOCK = threading.RLock()
