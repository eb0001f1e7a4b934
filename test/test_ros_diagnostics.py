"""What /diagnostics says of the clouds that came."""

from __future__ import annotations

from dataclasses import replace

import pytest
import ros_stand_ins  # noqa: F401  first: skips where ROS is missing

# isort: split
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from segvec3d_ros.diagnostics import SILENCE, WINDOW, Health, Snapshot, diagnostic_array

ACTIVE = Snapshot("active", "", {"device": "cpu", "model": "shipped"}, received=7, dropped=2)


class Clock:
    """Time that goes when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def steady(count: int, period: float) -> tuple[Health, Clock]:
    """The health after ``count`` clouds at a steady period."""
    clock = Clock()
    health = Health(clock=clock)
    for k in range(count):
        clock.now = k * period
        health.done({"network": 0.01 * (k + 1), "total": 0.1})
    return health, clock


def status(health: Health, snapshot: Snapshot = ACTIVE) -> DiagnosticStatus:
    return diagnostic_array("/segvec3d", health, snapshot, Time()).status[0]


def test_the_rate_is_that_of_the_clouds_and_falls_once_they_stop() -> None:
    health, clock = steady(20, 0.2)
    assert health.rate() == pytest.approx(5.0)
    clock.now += 100
    assert health.rate() < 0.3


@pytest.mark.parametrize("count", [0, 1])
def test_one_cloud_is_no_rate(count: int) -> None:
    assert steady(count, 1.0)[0].rate() == 0.0


def test_latencies_are_means_per_stage_over_the_window() -> None:
    health, _ = steady(WINDOW + 10, 0.2)
    latencies = health.latencies()
    assert list(latencies) == ["network", "total"]
    assert latencies["network"] == pytest.approx(0.01 * (10 + (WINDOW + 1) / 2))


def test_the_message_names_rate_latency_drops_device_and_model() -> None:
    health, _ = steady(5, 0.2)
    values = {pair.key: pair.value for pair in status(health).values}
    assert values["rate (Hz)"] == "5.00"
    assert values["total (ms)"] == "100.0"
    assert (values["clouds received"], values["clouds dropped"], values["clouds failed"]) == ("7", "2", "0")
    assert (values["device"], values["model"], values["state"]) == ("cpu", "shipped", "active")


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, DiagnosticStatus.OK, "5.0 clouds per second"),
        ({"state": "inactive"}, DiagnosticStatus.OK, "inactive"),
        (
            {"state": "unconfigured", "failure": "cannot load it"},
            DiagnosticStatus.ERROR,
            "unconfigured: cannot load it",
        ),
        ({"working": SILENCE + 2}, DiagnosticStatus.WARN, "a cloud has been in work for 7 s"),
        ({"problem": "nothing publishes on /points"}, DiagnosticStatus.WARN, "nothing publishes"),
        ({"concern": "cannot load the map"}, DiagnosticStatus.WARN, "cannot load the map"),
    ],
)
def test_the_level_says_whether_all_is_well(change: dict, level: bytes, words: str) -> None:
    found = status(steady(5, 0.2)[0], replace(ACTIVE, **change))
    assert found.level == level
    assert words in found.message


def test_silence_and_a_lost_cloud_are_told() -> None:
    health, clock = steady(5, 0.2)
    clock.now += SILENCE + 1
    assert (status(health).level, "no cloud for" in status(health).message) == (DiagnosticStatus.WARN, True)
    health.lost("cloud: no x")
    assert status(health).level == DiagnosticStatus.ERROR
    assert "no x" in status(health).message
    health.done({})
    assert status(health).level == DiagnosticStatus.OK
    assert status(Health()).message == "no cloud yet"


def test_an_old_error_does_not_hide_why_no_clouds_come() -> None:
    health, clock = steady(5, 0.2)
    health.lost("no transform from 'cam'")
    clock.now += SILENCE + 1
    assert status(health, replace(ACTIVE, problem="nothing publishes on /points")).message.startswith(
        "nothing publishes"
    )
    assert status(health).message == "no cloud for 6 s; the latest was lost: no transform from 'cam'"
    health.begin()
    assert status(health).message == "no cloud yet"
    assert health.rate() == 0
