"""Shared by all tests; kept tiny."""

import contextlib
import os
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
