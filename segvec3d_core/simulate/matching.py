"""Effects of window-based matching on depth: rounded creases, fattened outlines, lost thin structures, filled holes.

Depth is (H, W) float32 metres, 0 without a surface. Where a pixel reads the surface of another one, the index of that
pixel in the flattened image is returned, so that labels can follow.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from .edition import is_first_edition

Float32 = NDArray[np.float32]

SAME_SURFACE = 0.03
"""Depths whose relative difference is below this are matched as one surface."""


@njit(cache=True, nogil=True)
def _mean_along(inverse, values, radius, same, down, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Mean of ``values`` along rows (``down``: columns) over pixels whose ``inverse`` differs from that of the central
    pixel by at most the share ``same``."""
    height, width = inverse.shape
    total, count = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(height):
        total[:] = 0
        count[:] = 0
        for k in range(-radius, radius + 1):
            row, shift = (i + k, 0) if down else (i, k)
            if row < 0 or row >= height:
                continue
            low, high = max(0, -shift), min(width, width - shift)
            own, other, value = inverse[i, low:high], inverse[row, low + shift :], values[row, low + shift :]
            sums, counts = total[low:high], count[low:high]
            for j in range(high - low):
                near = np.float32(abs(other[j] - own[j]) <= same * own[j])
                sums[j] += near * value[j]
                counts[j] += near
        for j in range(width):
            out[i, j] = total[j] / count[j]


def smoothed(depth: Float32, radius: int, same: float = SAME_SURFACE) -> Float32:
    """Depth from the mean inverse depth over a window of (2 ``radius`` + 1)^2 pixels.

    Only pixels whose inverse depth differs from the central one's by at most the share ``same`` count. Inverse depth is
    linear on a plane, so planes are preserved; creases are rounded and small relief vanishes.
    """
    if radius < 1:
        return depth
    inverse, across, mean = (np.zeros_like(depth) for _ in range(3))
    np.divide(1, depth, out=inverse, where=depth > 0)
    _mean_along(inverse, inverse, radius, np.float32(same), False, across)
    _mean_along(inverse, across, radius, np.float32(same), True, mean)
    return np.divide(1, mean, out=np.zeros_like(depth), where=depth > 0)


@njit(cache=True, nogil=True)
def _nearest_along(depth, given, radius, down, wrap, out) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Replace each index in ``given`` by one within ``radius`` along its row (``down``: column) that shows a clearly
    nearer surface, the nearest, if there is one; with ``wrap``, rows continue at the opposite border."""
    height, width = given.shape
    for i in range(height):
        for j in range(width):
            index = given[i, j]
            best = depth[index]
            for shift in range(-radius, radius + 1):
                row, column = (i - shift, j) if down else (i, j - shift)
                if wrap:
                    column %= width
                other = given[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                z = depth[other]
                if z > 0 and (z < best * np.float32(1 - SAME_SURFACE) or best <= 0):
                    best, index = z, other
            out[i, j] = index


def fattened(depth: Float32, source: NDArray[np.int64], radius: int) -> NDArray[np.int64]:
    """(H, W) index of the pixel that each one reads when near surfaces grow by ``radius`` pixels: the nearest surface
    among those that ``source`` reads around it.

    In the first edition they grow only sideways, and beyond the image border continue at the opposite one.
    """
    first = is_first_edition()
    across = np.empty_like(source)
    _nearest_along(depth.ravel(), source, radius, False, first, across)
    if first:
        return across
    grown = np.empty_like(source)
    _nearest_along(depth.ravel(), across, radius, True, False, grown)
    return grown


@njit(cache=True, nogil=True)
def _look_behind(depth, thin, reach, index) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Set the ``index`` of ``thin`` pixels to the closest pixel of their row or column, up to ``reach`` away, that is
    not thin and lies clearly behind them or has no depth."""
    height, width = depth.shape
    for i in range(height):
        for j in range(width):
            if not thin[i, j]:
                continue
            step = 0
            while step < 4 * reach and index[i, j] == i * width + j:
                away, side = step // 4 + 1, step % 4
                row = i + away * ((side == 2) - (side == 3))
                column = j + away * ((side == 0) - (side == 1))
                if 0 <= row < height and 0 <= column < width and not thin[row, column]:
                    z = depth[row, column]
                    if z <= 0 or z > depth[i, j] * (1 + SAME_SURFACE):
                        index[i, j] = row * width + column
                step += 1


def without_thin(depth: Float32, half: int) -> NDArray[np.int64]:
    """(H, W) index of the pixel that each one reads when structures up to 2 ``half`` pixels wide are replaced by the
    background."""
    index = np.arange(depth.size).reshape(depth.shape)
    if half < 1:
        return index
    far = np.where(depth > 0, depth, np.float32(np.inf))
    behind = minimum_filter(maximum_filter(far, 2 * half + 1), 2 * half + 1)
    _look_behind(depth, behind > far * np.float32(1 + SAME_SURFACE), 2 * half + 1, index)
    return index


def filled_from_left(depth: Float32, source: NDArray[np.int64], reach: int) -> tuple[Float32, NDArray[np.int64]]:
    """``depth`` and ``source`` with holes (NaN) filled from the last reading to their left, up to ``reach`` pixels
    away."""
    columns = np.arange(depth.shape[1])
    last = np.maximum.accumulate(np.where(np.isfinite(depth), columns, -1), axis=1)
    taken = np.where((last >= 0) & (columns - last <= reach), last, columns)
    return np.take_along_axis(depth, taken, 1), np.take_along_axis(source, taken, 1)
