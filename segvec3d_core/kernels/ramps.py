"""Ramps in depth images: pixels at an object's edge whose depth a filter or sensor blended with the background's."""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .grid import PARTS, dealt

STEEP = 8.0
"""A pixel is on a ramp if depth changes on both sides of it, in the same direction, by more than this many times the
pixel's width. Chosen on sharp and blurred simulated frames (docs/experiments.md)."""
LONGEST = 10
"""Maximum length of a ramp in steps between pixels; a longer slope is a surface seen edge on."""
BLURRED = 2.0
"""An image is blurred if it has more than this many ramps per sharp edge: one in ten simulated frames, nearly all if
their depth is blurred over a pixel or more."""
INSIDE, RAMP, EDGE = 1, 2, 3
REACH = 8
"""Maximum distance, in pixels, from which a pixel on a ramp takes its label."""


@njit(cache=True, nogil=True, inline="always")
def _is_steep(near, far, factor):  # type: ignore[no-untyped-def]
    """Whether depth grows steeply from one pixel to the next; pixels without a return are NaN, 0 or infinite."""
    return 0 < near and factor * near < far < np.inf


@njit(cache=True, nogil=True)
def _length(points, forward, i, step, before, after, factor):  # type: ignore[no-untyped-def]
    """Number of steps of the steep slope through pixel i; beyond ``LONGEST`` not all of them are counted.

    Args:
        step: index difference between pixels of the line; before, after: number of pixels on either side of i.
        factor: minimum ratio of depths for a steep step.
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
    """Classify pixel i along a line of an image: ``INSIDE`` a ramp, the start of a ``RAMP``, the start of an ``EDGE``
    (one steep step between pixels with a return), or 0. Arguments as for ``_length``."""
    here, then = points[i, forward], points[i + step, forward]
    if then < factor * here and here < factor * then:  # fast path for nearly all pixels
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
    """Find the pixels on ramps between two surfaces, along rows and columns.

    Args:
        points: (height * width, 3) float32, metres, row by row; NaN without a return.
        forward: coordinate that is the depth: 2 in an optical frame, 0 in a body frame.
        width, height: pixels; fx, fy: focal lengths, pixels.

    Returns:
        (height * width,) bool, pixels on ramps; number of ramps; number of edges, where depth jumps in one step. Ramps
        and edges are counted in every row and column that crosses them.
    """
    on = np.zeros(height * width, np.bool_)
    ramps = edges = 0
    across, along = np.float32(1 + STEEP / fx), np.float32(1 + STEEP / fy)
    for turn in prange(PARTS):
        part = dealt(turn)
        for row in range(part * height // PARTS, (part + 1) * height // PARTS):
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
    """For each pixel on a ramp the nearest valid pixel along its row or column; of equally near ones that of most
    similar depth. Other pixels, and those without a valid pixel within ``REACH``, map to themselves.

    Args:
        points, forward, width, height: as for ``find_ramps``.
        on: (height * width,) bool, pixels on ramps; left: (height * width,) bool, valid pixels.

    Returns:
        (height * width,) int64 pixel indices.
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
