"""The memory of freed arrays stays with the process."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import resource
import sys
import numpy as np
from segvec3d_core.memory import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()

def work():
    arrays = [np.empty(1 << 20, np.float32) for _ in range(8)]
    for array in arrays:
        array.fill(1)

work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(how: str, **chosen: str) -> int:
    command, root = [sys.executable, "-c", PROGRAM, how], Path(__file__).parents[1]
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("MALLOC_") and k != "GLIBC_TUNABLES"
    } | chosen
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library here is not glibc")
def test_the_next_arrays_get_the_pages_of_those_that_were_freed() -> None:
    """Eight arrays of four MiB have 8192 pages of four KiB; with huge pages there are fewer faults in both cases."""
    kept, returned = _page_faults("keep"), _page_faults("return")
    assert kept < 0.1 * returned
    assert _page_faults("keep", MALLOC_ARENA_MAX="2") > 0.5 * returned, "the user has chosen"
