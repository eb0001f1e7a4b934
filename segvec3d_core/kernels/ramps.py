"""Pixels between a thing and what lies behind it: depth that a filter or a sensor mixed of both."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

STEEP = 8.0
"""A pixel lies on a ramp where depth goes on changing on both sides by more than so many times the pixel's width.
Chosen on simulated frames, sharp ones and blurred ones (docs/experiments.md)."""
LONGEST = 10
"""A ramp is no longer than so many steps from pixel to pixel; what goes on so steeply is a surface seen edge on."""
BLURRED = 2.0
"""An image is blurred that has over so many ramps for each sharp edge: one in ten of simulated frames, nearly all once
their depth is blurred over a pixel or more."""
INSIDE, RAMP, EDGE = 1, 2, 3
REACH = 8
"""So many pixels off, at most, another one speaks for a pixel on a ramp."""


@njit(cache=True, nogil=True, inline="always")
def _is_steep(near, far, factor):  # type: ignore[no-untyped-def]
    """Whether depth grows steeply from one pixel to the next; what was not seen is NaN, 0 or infinite."""
    return 0 < near and factor * near < far < np.inf


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
    while up < min(after, LONGEST + 1):
        here = i + up * step
        if not _is_steep(points[here, forward], points[here + step, forward], factor):
            break
        up += 1
    while down < min(before, LONGEST + 1):
        here = i - down * step
        if not _is_steep(points[here - step, forward], points[here, forward], factor):
            break
        down += 1
    return up + down


@njit(cache=True, nogil=True, inline="always")
def _kind(points, forward, i, step, before, after, factor):  # type: ignore[no-untyped-def]
    """What a line of an image is at pixel i: ``INSIDE`` a ramp, or where a ``RAMP`` or an ``EDGE`` begins, of one steep
    step between pixels that were seen, or nothing of these, 0. Arguments as ``_length`` has them."""
    here, then = points[i, forward], points[i + step, forward]
    if then < factor * here and here < factor * then:  # nearly all, and soon told
        return 0
    rises = _is_steep(here, then, factor)
    if not rises and not _is_steep(then, here, factor):
        return 0
    last = points[i - step, forward] if before > 0 else np.float32(np.nan)
    goes_on = _is_steep(last, here, factor) if rises else _is_steep(here, last, factor)
    length = _length(points, forward, i, step, before, after, factor)
    if length > LONGEST:
        return 0
    if goes_on:
        return INSIDE
    if length > 1:
        return RAMP
    return EDGE if after > 1 and 0 < last < np.inf and 0 < points[i + 2 * step, forward] < np.inf else 0


@njit(cache=True, nogil=True, parallel=True)
def find_ramps(points, forward, width, height, fx, fy):  # type: ignore[no-untyped-def]
    """Which pixels lie on a ramp between two surfaces, along a row or a column.

    Args:
        points: (height * width, 3) float32, metres, row by row; NaN where nothing was seen.
        forward: which coordinate is the depth: 2 of an optical frame, 0 of a body's.
        width, height: pixels; fx, fy: focal lengths, pixels.

    Returns:
        (height * width,) bool; how many ramps there are, and how many edges at which depth jumps in one step, each
        counted in every row or column that it crosses.
    """
    on = np.zeros(height * width, np.bool_)
    ramps = edges = 0
    across, along = np.float32(1 + STEEP / fx), np.float32(1 + STEEP / fy)
    for row in prange(height):
        for column in range(width):
            i = row * width + column
            if column < width - 1:
                kind = _kind(points, forward, i, 1, column, width - 1 - column, across)
                on[i] = kind == INSIDE
                ramps += kind == RAMP
                edges += kind == EDGE
            if row < height - 1:
                kind = _kind(points, forward, i, width, row, height - 1 - row, along)
                on[i] |= kind == INSIDE
                ramps += kind == RAMP
                edges += kind == EDGE
    return on, ramps, edges


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
