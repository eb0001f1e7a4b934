"""Files that the package ships beside its code: configuration, launch file, RViz set-up."""

from __future__ import annotations

import logging
import math
import os
import sys
from pathlib import Path

FASTDDS_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""What names the profile: the first for Fast DDS 3 (Kilted and later), the second for Fast DDS 2 (Jazzy). Kilted still
reads the second, with a warning."""

TRANSPORTS = "FASTDDS_BUILTIN_TRANSPORTS"
"""Chooses transports without a profile: LARGE_DATA, UDPv4, ..."""

SHARED_MEMORY = "/dev/shm"
"""Where Linux keeps shared memory."""

PROFILES = {"fastdds.xml": 220e6, "fastdds_small.xml": 20e6}
"""Shipped profiles, the better one first, and the least free bytes of ``SHARED_MEMORY`` with which each is taken: room
for three processes of the first: a camera, the node and a client."""


def share_file(relative: str) -> Path:
    """Path of a shipped file such as ``config/fastdds.xml``.

    It lies beside the package in a checkout or an editable install, else in ``share/segvec3d`` of the prefix that the
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
    """Let this process and its children publish whole clouds with Fast DDS: call it before ``rclpy.init``.

    Returns:
        the shipped profile that is in force now; None where ``large_messages`` sets none.
    """
    chosen = large_messages()
    os.environ.update(chosen)
    return next((Path(profile) for profile in chosen.values()), None)


def large_messages() -> dict[str, str]:
    """Environment variables with which a process publishes whole clouds with Fast DDS.

    The default shared-memory segment of 512 kB loses every best-effort message that does not fit into it. A profile or
    transports that the user has chosen are left alone: nothing is set then. Where shared memory has no room for a
    larger segment, either, the log says so: Fast DDS would then do without shared memory.
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
    except FileNotFoundError as error:  # as in a package that somebody has put together by hand: no reason to stop
        logging.getLogger(__name__).warning("%s: clouds may get lost between processes", error)
        return {}
    jazzy = os.environ.get("ROS_DISTRO") == "jazzy"
    return dict.fromkeys(FASTDDS_VARIABLES if jazzy else FASTDDS_VARIABLES[:1], profile)


def _free_shared_memory() -> float:
    """Bytes; infinite where the system has shared memory in another place."""
    try:
        found = os.statvfs(SHARED_MEMORY)
    except OSError:
        return math.inf
    return found.f_bavail * found.f_frsize
