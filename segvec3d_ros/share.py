"""Finds files shipped beside the code (configuration, launch file, RViz set-up), and sets up Fast DDS with them."""

from __future__ import annotations

import logging
import math
import os
import sys
from pathlib import Path

FASTDDS_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""Environment variables that name a profile: the first for Fast DDS 3 (Kilted and later), the second for Fast DDS 2
(Jazzy). Kilted still reads the second, with a warning."""

TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
"""Environment variable that selects transports without a profile: LARGE_DATA, UDPv4, ..."""

SHARED_MEMORY = "/dev/shm"
"""Linux's shared-memory file system."""

PROFILES = {"fastdds.xml": 220e6, "fastdds_small.xml": 20e6}
"""Shipped profiles in order of preference, and the free bytes of ``SHARED_MEMORY`` that each requires. The first has
room for three processes: a camera, the node and a client."""


def share_file(relative: str) -> Path:
    """Path of a shipped file such as ``config/fastdds.xml``.

    It is beside the package in a checkout or an editable install, else in ``share/segvec3d`` of the prefix that the
    package is installed in (a robot's workspace, a virtual environment).

    Raises:
        FileNotFoundError: the file is in none of these places.
    """
    package = Path(__file__).resolve().parent
    # .../lib/python3.x/site-packages/segvec3d_ros: the prefix is four levels up.
    prefixes = [package.parents[i] for i in range(len(package.parents)) if i <= 4] + [Path(sys.prefix)]
    places = [package.parent / relative, *(prefix / "share" / "segvec3d" / relative for prefix in prefixes)]
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"{relative}: not found in {', '.join(str(place.parent) for place in places)}")


def use_large_messages() -> Path | None:
    """Set the environment of ``large_messages`` for this process and its children; call it before ``rclpy.init``.

    Returns:
        the shipped profile now in use; None if ``large_messages`` sets none.
    """
    chosen = large_messages()
    os.environ.update(chosen)
    return next((Path(profile) for profile in chosen.values()), None)


def large_messages() -> dict[str, str]:
    """Environment variables for publishing large clouds with Fast DDS.

    With its default shared-memory segment of 512 kB, best-effort messages that do not fit into it are lost. The result
    is empty if the user has chosen a profile or transports. It is also empty, with a warning in the log, if there is no
    room for a larger segment, because Fast DDS would then not use shared memory at all.
    """
    if any(os.environ.get(name) for name in (*FASTDDS_VARIABLES, TRANSPORTS)):
        return {}
    free = _free_shared_memory()
    name = next((name for name, room in PROFILES.items() if free >= room), None)
    if name is None:
        logging.getLogger(__name__).warning(
            "%s has %.0f MB free, too little for Fast DDS to share whole clouds: they may get lost between processes. "
            "Give a container --shm-size=512m, or this host's /dev/shm",
            SHARED_MEMORY, free / 1e6,
        )  # fmt: skip
        return {}
    try:
        profile = str(share_file(f"config/{name}"))
    except FileNotFoundError as error:  # an incomplete, hand-made installation: no reason to stop
        logging.getLogger(__name__).warning("%s: clouds may get lost between processes", error)
        return {}
    jazzy = os.environ.get("ROS_DISTRO") == "jazzy"
    return dict.fromkeys(FASTDDS_VARIABLES if jazzy else FASTDDS_VARIABLES[:1], profile)


def _free_shared_memory() -> float:
    """Free bytes of ``SHARED_MEMORY``; infinite if the system has no such file system."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return math.inf
    return found.f_bavail * found.f_frsize
