"""Says which system packages SegVec3D still needs, before anything is installed. Runs on the system's own Python.

Without arguments: one clear line and exit code 1 where something is missing. With ``--names``: the missing Debian
packages on one line, for apt-get, and always exit code 0.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

# Debian package -> shared library that Open3D loads when it is imported.
LIBRARIES = {
    "libusb-1.0-0": "libusb-1.0.so.0",
    "libgl1": "libGL.so.1",
    "libegl1": "libEGL.so.1",
    "libx11-6": "libX11.so.6",
    "libudev1": "libudev.so.1",
    "libidn2-0": "libidn2.so.0",
}
OLDEST_PYTHON = (3, 11)


def loads(library: str) -> bool:
    """Whether the dynamic linker finds the library; unlike ldconfig this works without /sbin on the PATH."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(
    loads: Callable[[str], bool] = loads,
    has_module: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None,
    has_command: Callable[[str], bool] = lambda name: shutil.which(name) is not None,
    has_file: Callable[[Path], bool] = Path.exists,
) -> list[str]:
    """Debian packages to install, in a fixed order; the arguments are the questions asked of the machine."""
    missing = [package for package, library in LIBRARIES.items() if not loads(library)]
    if not (has_module("venv") and has_module("ensurepip")):
        missing.append("python3-venv")
    # The message package is C code compiled on this machine. CMake and Ninja come from PyPI where they are missing.
    if not has_command("c++"):
        missing.append("g++")
    if not has_file(Path(sysconfig.get_path("include")) / "Python.h"):
        missing.append("python3-dev")
    return missing


def main(arguments: list[str]) -> int:
    """Print what is missing; 0 = nothing, 1 = something (with ``--names`` always 0)."""
    missing = missing_packages()
    if "--names" in arguments:
        print(" ".join(missing))
        return 0
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = ".".join(map(str, OLDEST_PYTHON)), sys.version.split()[0]
        print(f"Python {wanted} or later is needed, this is {found}: name another with PYTHON=", file=sys.stderr)
        return 1
    if missing:
        print(f"Missing system packages. Install them with: sudo apt install {' '.join(missing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
