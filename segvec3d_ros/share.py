"""Files that the package ships beside its code: configuration, launch file, RViz set-up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FASTDDS_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
"""What names the profile: the first for Fast DDS 3 (Kilted and later), the second for Fast DDS 2 (Jazzy). Kilted still
reads the second, with a warning."""


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
    """Let this process publish whole clouds with Fast DDS: call it before ``rclpy.init``.

    The default shared-memory segment of 512 kB loses every best-effort message that does not fit into it. A profile
    that the user has named is left alone.

    Returns:
        the profile in force, or None where the shipped one is missing.
    """
    named = next((os.environ[name] for name in FASTDDS_VARIABLES if os.environ.get(name)), None)
    if named is not None:
        return Path(named)
    try:
        profile = share_file("config/fastdds.xml")
    except FileNotFoundError:
        return None
    name_profile(profile)
    return profile


def name_profile(profile: Path) -> None:
    """Name a profile to the version of Fast DDS that is there."""
    jazzy = os.environ.get("ROS_DISTRO") == "jazzy"
    os.environ.update(dict.fromkeys(FASTDDS_VARIABLES if jazzy else FASTDDS_VARIABLES[:1], str(profile)))
