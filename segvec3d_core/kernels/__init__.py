"""Fused kernels, in numba for CPU and in Triton for GPUs, with a plain reference beside each.

Those of numba share their work over OpenMP's threads where the system has GNU OpenMP, else over numba's portable pool,
which must not be entered from two threads at once: callers hold ``KERNEL_LOCK`` around a run of kernels, as
``SegVec3D.segment`` does. A process that is forked from one with OpenMP's threads ends at its first kernel:
multiprocessing should spawn, or ``NUMBA_THREADING_LAYER=workqueue`` choose the portable pool.
"""

import os
import tempfile
import threading
from pathlib import Path

import numba
from numba.misc.appdirs import user_cache_dir

numba.config.THREADING_LAYER_PRIORITY = ["omp", "workqueue", "tbb"]  # type: ignore[attr-defined]
KERNEL_LOCK = threading.RLock()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _last_resort() -> Path:
    """A folder of this user's own among the system's temporary files, which nobody else can have filled."""
    folder = Path(tempfile.gettempdir()) / f"segvec3d-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    mine = folder.is_dir() and not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o022
    return folder if mine else Path(tempfile.mkdtemp(prefix="segvec3d-kernels-"))


# numba keeps compiled kernels beside their sources or, where it may not write there, in the user's cache folder. Where
# it may write to neither it refuses to import them.
if not numba.config.CACHE_DIR and not (  # type: ignore[attr-defined]
    _writable(Path(__file__).parent / "__pycache__") or _writable(Path(user_cache_dir("numba", appauthor=False)))
):
    numba.config.CACHE_DIR = str(_last_resort())  # type: ignore[attr-defined]


def _start_threads() -> None:
    """Start numba's threads such that they sleep between kernels, unless the environment says otherwise.

    A frame is dozens of short kernels with other work in between. By default OpenMP's threads would wait for the next
    one spinning, all processors busy for as long as a frame takes, and no sooner done. The portable pool wakes one
    thread more than there are processors for each kernel: five times as many changes from thread to thread as with
    OpenMP.
    """
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # GNU OpenMP reads them when it is loaded
    chosen = any(name in os.environ for name in names)
    if not chosen:
        os.environ[names[0]] = "passive"
    numba.get_num_threads()
    if not chosen:
        del os.environ[names[0]]


_start_threads()
