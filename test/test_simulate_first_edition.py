"""What the simulator learns to make leaves alone what is measured on: frames and scans of the first edition."""

from __future__ import annotations

import numpy as np
import pytest

from segvec3d_core.simulate import LAYOUTS, first_edition, simulate_frame, simulate_scan
from segvec3d_core.simulate.noise import SENSORS

FRAMES = {
    "table ideal": (1688.47, -4058, 93.495, 0.141651),
    "table kinect": (1660.76, -4110, 93.495, 0.529923),
    "table stereo": (1699.48, -4024, 93.495, 0.590642),
    "table generic": (1637.68, -4238, 93.495, 0.632406),
    "room ideal": (6524.30, 38252, 163.030, 0.082384),
    "room kinect": (6275.81, 36909, 163.030, 0.362746),
    "room stereo": (6394.19, 37916, 163.030, 0.567987),
    "room generic": (6470.00, 36799, 163.030, 0.442497),
    "shelf ideal": (9833.59, 4081, 125.037, 0.937912),
    "shelf kinect": (9520.58, 3755, 125.037, 0.003998),
    "shelf stereo": (9693.85, 4322, 125.037, 0.412119),
    "shelf generic": (8618.90, 3060, 125.037, 0.880164),
}
"""Per layout and sensor: the sums of depth, instance and colour, and the next number drawn."""
SCAN = (18958, 29665.16, 35836)
"""Of a small scan: how many points, the sums of their distances from the origin and of labels."""


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sensor", SENSORS)
def test_a_frame_of_the_first_edition_is_what_it_was(layout: str, sensor: str) -> None:
    rng = np.random.default_rng(11)
    with first_edition():
        frame = simulate_frame(rng, layout, 96, 72, sensor)  # type: ignore[arg-type]
    drawn = float(np.nansum(frame.depth)), float(frame.instance.sum()), float(frame.color.mean()), rng.random()
    # The last bit of a sine differs between processors: a few pixels may change.
    assert drawn == pytest.approx(FRAMES[f"{layout} {sensor}"], rel=2e-3)


def test_a_scan_of_the_first_edition_is_what_it_was() -> None:
    with first_edition():
        cloud, labels, _ = simulate_scan(np.random.default_rng(11), views=3, width=96, height=72)
    drawn = float(len(cloud)), float(np.linalg.norm(cloud.points, axis=1).sum()), float(labels.sum())
    assert drawn == pytest.approx(SCAN, rel=2e-3)
