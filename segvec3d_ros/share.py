"""Files that the package ships beside its code: configuration, launch file, RViz set-up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FASTDDS_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"


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
    if os.environ.get(FASTDDS_VARIABLE):
        return Path(os.environ[FASTDDS_VARIABLE])
    try:
        profile = share_file("config/fastdds.xml")
    except FileNotFoundError:
        return None
    os.environ[FASTDDS_VARIABLE] = str(profile)
    return profile
