"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A name to write to that becomes ``path`` once all went well; until then, and where it does not, what was there
    stays.

    The folder is made. What a link names is replaced, not the link; what is no file, as ``/dev/null``, is written to.

    Raises:
        OSError: it cannot be written.
    """
    if Path(path).exists() and not Path(path).is_file():  # a pipe's real path is none
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
    """See that a file can be written in the end, before the work is done; makes its folder.

    Raises:
        OSError: it cannot.
    """
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path}: expected a file, got a folder")
    if Path(path).exists() and not Path(path).is_file():
        return
    folder = Path(os.path.realpath(path)).parent
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{path}: its folder cannot be written to")
