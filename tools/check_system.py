"""Reports which system packages SegVec3D still needs, before anything is installed. Runs on the system's own Python.

Without arguments: one line and exit code 1 if something is missing. With ``--names``: the missing Debian packages on
one line, for apt-get, and always exit code 0.
"""

from __future__ import annotations

import ctypes
import importlib.util
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

# Debian package -> shared library that Open3D loads on import; the kernels use the first one as well.
LIBRARIES = {
    "libgomp1": "libgomp.so.1",
    "libusb-1.0-0": "libusb-1.0.so.0",
    "libgl1": "libGL.so.1",
    "libegl1": "libEGL.so.1",
    "libx11-6": "libX11.so.6",
    "libudev1": "libudev.so.1",
    "libidn2-0": "libidn2.so.0",
}
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
MACHINES = ("x86_64", "AMD64")  # for which there are ROS wheels on PyPI


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
    """Debian packages to install, in a fixed order; the arguments query the machine, and can be replaced in tests."""
    missing = [package for package, library in LIBRARIES.items() if not loads(library)]
    if not (has_module("venv") and has_module("ensurepip")):
        missing.append("python3-venv")
    # The message package is C code compiled on this machine. CMake and Ninja come from PyPI if they are missing.
    if not has_command("c++"):
        missing.append("g++")
    if not has_file(Path(sysconfig.get_path("include")) / "Python.h"):
        missing.append("python3-dev")
    return missing


def unsuitable(version: Sequence[int], machine: str) -> str:
    """Why this Python or machine is not supported, "" if it is."""
    found = f"this is Python {version[0]}.{version[1]} on {machine}"
    if tuple(version[:2]) < OLDEST_PYTHON:
        return f"Python {_dotted(OLDEST_PYTHON)} or later is needed, {found}: name another with PYTHON="
    if machine not in MACHINES:
        return f"ROS 2 from PyPI is for x86-64 only, {found}: use a ROS installation, see docs/robot.md"
    if tuple(version[:2]) > NEWEST_PYTHON:
        span = f"{_dotted(OLDEST_PYTHON)} to {_dotted(NEWEST_PYTHON)}"
        return f"ROS 2 from PyPI is for Python {span}, {found}: name another with PYTHON="
    return ""


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def main(arguments: list[str]) -> int:
    """Print what is missing; returns 0 if nothing is, else 1 (with ``--names`` always 0)."""
    missing = missing_packages()
    if "--names" in arguments:
        print(" ".join(missing))
        return 0
    reason = unsuitable(sys.version_info[:2], platform.machine())
    if reason:
        print(reason, file=sys.stderr)
        return 1
    if missing:
        print(f"Missing system packages. Install them with: sudo apt install {' '.join(missing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
