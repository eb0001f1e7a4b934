"""Whether coordinates are metres, as far as they themselves tell."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDE, HIGH = 500.0, 50.0
"""Metres; what reaches farther, or as far in all directions, is most likely in other units."""


def some_finite(points: NDArray[Any]) -> NDArray[np.float64]:
    """Some ten thousand of (N, 3) points, evenly taken, less those that are not finite."""
    some = points[:: max(1, len(points) // 10_000)].astype(np.float64)
    return some[np.isfinite(some).all(1)]


def unit_doubt(points: NDArray[Any]) -> str:
    """Why (N, 3) points seem not to be in metres, in words; "" where they do."""
    some = some_finite(points)
    extents = np.ptp(np.percentile(some, [1, 99], axis=0), axis=0) if len(some) else np.zeros(3)
    if extents.max() <= WIDE and extents.min() <= HIGH:
        return ""
    apart = f"the points lie {extents.max():.0f} m apart"
    return f"{apart}: are these millimetres, or other units? Coordinates are metres here"
