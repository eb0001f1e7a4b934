"""Atomic writing of files."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces ``path`` on success; on failure an older file stays as it was.

    The folder is created. Of a symbolic link the target is replaced; what is not a regular file, such as ``/dev/null``,
    is written to directly.

    Raises:
        OSError: the file cannot be written.
    """
    if Path(path).exists() and not Path(path).is_file():  # the real path of a pipe does not exist
        yield Path(path)
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        if path.exists():
            part.chmod(path.stat().st_mode & 0o777)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def require_writable(path: str | Path) -> None:
    """Check that a file can be written, before the work that produces it; creates its folder.

    Raises:
        OSError: it cannot be written.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    if Path(path).exists() and not Path(path).is_file():
        return
    folder = Path(os.path.realpath(path)).parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{path}: its folder cannot be written to")
