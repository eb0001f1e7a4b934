"""Where numba keeps compiled kernels, and when it may use them again."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

import numba
from numba.core.caching import UserWideCacheLocator
from numba.misc.appdirs import user_cache_dir

from ..files import replacing

SOURCES = ("kernels", "object_map", "simulate")
"""Folders of the package that have kernels; those of the first may be called from any."""
STAMP = "sources.sha256"

log = logging.getLogger(__name__)


def prepare() -> None:
    """Choose a folder that can be written to, and forget the kernels that were compiled from other sources.

    numba caches compiled kernels beside their sources or, if that is not writable, in the user's cache folder. If
    neither is writable it refuses to import them.
    """
    package = Path(__file__).parents[1]
    beside, wide = package / SOURCES[0] / "__pycache__", Path(user_cache_dir("numba", appauthor=False))
    if not numba.config.CACHE_DIR and not (_writable(beside) or _writable(wide)):  # type: ignore[attr-defined]
        numba.config.CACHE_DIR = str(_last_resort())  # type: ignore[attr-defined]
    for name in SOURCES:
        forget_stale(package / name, *{package / SOURCES[0], package / name})


def forget_stale(folder: Path, *folders: Path) -> None:
    """Remove the compiled kernels of ``folder`` if any source in ``folders`` has changed since the last call.

    numba compiles what a kernel calls into it, but only looks whether the file of the kernel itself has changed: after
    an update it would go on with old code of other files.
    """
    cache = _cache_of(folder)
    if cache is None:
        return
    sources = sorted(source for some in folders for source in some.glob("[!.]*.py") if source.is_file())
    texts = (source.read_bytes() for source in sources)
    stamp = hashlib.sha256(b"\0".join(text for text in texts if b"numba" in text)).hexdigest().encode()
    try:
        if (cache / STAMP).is_file() and (cache / STAMP).read_bytes() == stamp:
            return
        for compiled in (*cache.glob("*.nbi"), *cache.glob("*.nbc")):
            compiled.unlink(missing_ok=True)
        with replacing(cache / STAMP) as part:
            part.write_bytes(stamp)
    except OSError as error:
        log.warning("kernels: the cache may be of an older version and cannot be cleared: %s", error)


def _cache_of(folder: Path) -> Path | None:
    """The folder in which numba caches the kernels of the sources in ``folder``, None if there is none."""
    own = UserWideCacheLocator.get_suitable_cache_subpath(str(folder / "any.py"))
    caches = [folder / "__pycache__", Path(user_cache_dir("numba", appauthor=False)) / own]
    if numba.config.CACHE_DIR:  # type: ignore[attr-defined]
        caches.insert(0, Path(numba.config.CACHE_DIR) / own)  # type: ignore[attr-defined]
    return next((cache for cache in caches if _writable(cache)), None)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _last_resort() -> Path:
    """A folder in the system's temporary directory that only this user can have written to."""
    folder = Path(tempfile.gettempdir()) / f"segvec3d-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    mine = folder.is_dir() and not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o022
    return folder if mine else Path(tempfile.mkdtemp(prefix="segvec3d-kernels-"))
