"""Shared by all tests; kept tiny."""

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

# Tests neither see nor disturb the robots of the network, nor another test run on the same machine.
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(20 + os.getpid() % 80)
os.environ.setdefault("ROS_LOG_DIR", "/tmp/segvec3d_ros_log")

# The wheels of rclpy restart Python once to set their library paths: better here than halfway through.
with contextlib.suppress(ImportError):
    import rclpy  # noqa: F401


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """All linear maps in float32, whatever the processor has."""
    monkeypatch.setenv("SEGVEC3D_BF16", "0")


@pytest.fixture
def sample() -> Any:
    from training_scene import a_sample  # torch takes its time, and not every test needs it

    return a_sample()


@pytest.fixture
def example() -> Any:
    from training_scene import an_example

    return an_example()


@pytest.fixture
def robot() -> Any:
    """One that shows a new map the world of boxes."""
    from boxes import Robot

    return Robot()


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file with random weights: commands are tested for what they do, not for how well."""
    from segvec3d_core.pipeline import SegVec3D

    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    SegVec3D.untrained(0).save(path, {"data": "none, random weights"})
    return path


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame folder of two boxes on a table, seen three times."""
    from box_frames import write_box_frames

    folder = tmp_path_factory.mktemp("frames")
    write_box_frames(folder)
    return folder
