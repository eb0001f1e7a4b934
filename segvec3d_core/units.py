"""Checks whether coordinates are plausibly in metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDE, HIGH = 500.0, 50.0
"""Metres: a cloud with a larger extent in one direction, or larger than ``HIGH`` in all, is likely in other units."""


def some_finite(points: NDArray[Any]) -> NDArray[np.float64]:
    """About ten thousand of (N, 3) points, evenly sampled, without those that are not finite."""
    some = points[:: max(1, len(points) // 10_000)].astype(np.float64)
    return some[np.isfinite(some).all(1)]


def unit_doubt(points: NDArray[Any]) -> str:
    """Why (N, 3) points seem not to be in metres, as text for the user; "" if they seem to be."""
    some = some_finite(points)
    extents = np.ptp(np.percentile(some, [1, 99], axis=0), axis=0) if len(some) else np.zeros(3)
    if extents.max() <= WIDE and extents.min() <= HIGH:
        return ""
    apart = f"the points lie {extents.max():.0f} m apart"
    return f"{apart}: are these millimetres, or other units? Coordinates are metres here"
