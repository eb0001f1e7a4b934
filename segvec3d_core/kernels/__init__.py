"""Fused CPU kernels (numba) with a plain reference beside each.

numba's portable thread pool must not be entered from two threads at once, so callers hold ``KERNEL_LOCK``
around a run of kernels; ``SegVec3D.segment`` does.
"""

import os
import tempfile
import threading
from pathlib import Path

import numba
from numba.misc.appdirs import user_cache_dir

numba.config.THREADING_LAYER = "workqueue"  # type: ignore[attr-defined]
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
