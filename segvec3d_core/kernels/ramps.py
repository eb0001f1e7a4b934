"""Pixels between a thing and what lies behind it: depth that a filter or a sensor mixed of both."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

STEEP = 8.0
"""A pixel lies on a ramp where depth goes on changing on both sides by more than so many times the pixel's width.
Chosen on simulated frames, sharp ones and blurred ones (docs/experiments.md)."""
LONGEST = 10
"""A ramp is no longer than so many steps from pixel to pixel; what goes on so steeply is a surface seen edge on."""
REACH = 8
"""So many pixels off, at most, another one speaks for a pixel on a ramp."""


@njit(cache=True, nogil=True)
def _length(points, forward, i, step, before, after, factor):  # type: ignore[no-untyped-def]
    """How many steps a slope goes on of which pixel i is a part; beyond ``LONGEST`` not all of them are counted.

    Args:
        step: from one pixel of the line to the next; before, after: how many of them there are on either side.
        factor: by which depth grows with each step of the slope.
    """
    if points[i + step, forward] < points[i, forward]:
        step, before, after = -step, after, before
    up = down = 0
    while up < min(after, LONGEST) and points[i + (up + 1) * step, forward] > factor * points[i + up * step, forward]:
        up += 1
    while down < min(before, LONGEST):
        here = i - down * step
        if not points[here, forward] > factor * points[here - step, forward]:
            break
        down += 1
    return up + down


@njit(cache=True, nogil=True, inline="always")
def _is_ramp(points, forward, i, step, before, after, factor):  # type: ignore[no-untyped-def]
    """Whether pixel i lies on a ramp along a line; arguments as ``_length`` has them."""
    last, here, then = points[i - step, forward], points[i, forward], points[i + step, forward]
    grows = here > factor * last and then > factor * here
    if not grows and not (here > factor * then and last > factor * here):
        return False
    return _length(points, forward, i, step, before, after, factor) <= LONGEST


@njit(cache=True, nogil=True, parallel=True)
def find_ramps(points, forward, width, height, fx, fy):  # type: ignore[no-untyped-def]
    """Which pixels lie on a ramp between two surfaces, along a row or a column.

    Args:
        points: (height * width, 3) float32, metres, row by row; NaN where nothing was seen.
        forward: which coordinate is the depth: 2 of an optical frame, 0 of a body's.
        width, height: pixels; fx, fy: focal lengths, pixels.

    Returns:
        (height * width,) bool, and how many of them there are.
    """
    on = np.zeros(height * width, np.bool_)
    count = 0
    across, along = np.float32(1 + STEEP / fx), np.float32(1 + STEEP / fy)
    for row in prange(height):
        inner = 0 < row < height - 1
        for column in range(width):
            i = row * width + column
            if not points[i, forward] > 0:
                continue
            if 0 < column < width - 1:
                on[i] = _is_ramp(points, forward, i, 1, column, width - 1 - column, across)
            if inner and not on[i]:
                on[i] = _is_ramp(points, forward, i, width, row, height - 1 - row, along)
            count += on[i]
    return on, count


@njit(cache=True, nogil=True)
def pixels_beside(points, forward, width, height, on, left):  # type: ignore[no-untyped-def]
    """For each pixel on a ramp the nearest one left along its row or its column, of two as near the one less far off in
    depth. Any other pixel is its own, and so is one with none left within ``REACH``.

    Args:
        points, forward, width, height: as ``find_ramps`` has them.
        on: (height * width,) bool, pixels on ramps; left: those that may speak for them.

    Returns:
        (height * width,) int64.
    """
    beside = np.arange(height * width)
    for i in np.nonzero(on)[0]:
        row, column = i // width, i % width
        for step in range(1, REACH + 1):
            least = np.float32(np.inf)
            for down, right in ((step, 0), (-step, 0), (0, step), (0, -step)):
                r, c = row + down, column + right
                if 0 <= r < height and 0 <= c < width and left[r * width + c]:
                    off = abs(points[r * width + c, forward] - points[i, forward])
                    if off < least:
                        beside[i], least = r * width + c, off
            if least < np.inf:
                break
    return beside
