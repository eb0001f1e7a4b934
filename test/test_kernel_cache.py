"""Kernels are compiled again when what they call has changed, not only their own file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segvec3d_core.kernels import cache

CALLED = """
from numba import njit
@njit(cache=True)
def called():
    return {}
"""
CALLER = """
from numba import njit
from .called import called
@njit(cache=True)
def caller():
    return called()
"""
RUN = """
from pathlib import Path
from segvec3d_core.kernels.cache import forget_stale
from package.caller import caller
if {look}:
    forget_stale(Path("package"), Path("package"))
print(caller(), sum(caller.stats.cache_hits.values()))
"""


def _run(folder: Path, value: int, look: bool, elsewhere: str = "") -> str:
    (folder / "package").mkdir(exist_ok=True)
    (folder / "package" / "called.py").write_text(CALLED.format(value))
    if not (folder / "package" / "caller.py").exists():
        (folder / "package" / "caller.py").write_text(CALLER)
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(look=look)], capture_output=True, text=True, cwd=folder, timeout=110,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "NUMBA_CACHE_DIR": elsewhere},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("elsewhere", ["", "elsewhere"])
def test_a_kernel_is_compiled_again_when_what_it_calls_has_changed(tmp_path: Path, elsewhere: str) -> None:
    """In the folder of the sources, and where NUMBA_CACHE_DIR says."""
    elsewhere = elsewhere and str(tmp_path / elsewhere)
    assert _run(tmp_path, 1, True, elsewhere) == "1 0"
    assert _run(tmp_path, 1, True, elsewhere) == "1 1"
    assert _run(tmp_path, 2, False, elsewhere) == "1 1", "numba by itself notices: forget_stale is no longer needed"
    assert _run(tmp_path, 2, True, elsewhere) == "2 0"


def test_a_link_to_nothing_beside_the_sources_is_no_source(tmp_path: Path) -> None:
    """Emacs makes one while a file is edited."""
    assert _run(tmp_path, 1, True) == "1 0"
    (tmp_path / "package" / ".#called.py").symlink_to("nobody@nowhere")
    assert _run(tmp_path, 1, True) == "1 1"


def test_every_folder_with_kernels_is_looked_after() -> None:
    package = Path(cache.__file__).parents[1]
    folders = {path.parent.name for path in package.rglob("*.py") if "import njit" in path.read_text()}
    assert folders == set(cache.SOURCES)


def test_where_no_note_can_be_left_kernels_are_always_compiled_again(tmp_path: Path) -> None:
    assert _run(tmp_path, 1, True) == "1 0"
    stamp = tmp_path / "package" / "__pycache__" / "sources.sha256"
    stamp.unlink()
    stamp.mkdir()
    assert _run(tmp_path, 2, True) == "2 0"
