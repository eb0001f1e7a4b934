"""What the colours of instances are like, for many of them at once."""

from __future__ import annotations

import numpy as np
from numba import njit

BINS = 12
"""8 hues, brown, black, grey, white."""
BROWN, BLACK, GREY, WHITE = 8, 9, 10, 11


@njit(cache=True, nogil=True)
def hue_bin(r, g, b):  # type: ignore[no-untyped-def]
    """Bin of a colour, 0 to 1 each. Names of colours are regions of hue and lightness, not means: the mean of a red
    label on white is a pink that nobody sees."""
    high, low = max(r, g, b), min(r, g, b)
    chroma = high - low
    saturation = chroma / max(high, 1e-6)
    if high < 0.18:
        return BLACK
    if saturation < 0.22:
        return WHITE if high > 0.7 else GREY
    if high == r:
        hue = ((g - b) / chroma) % 6 / 6
    elif high == g:
        hue = ((b - r) / chroma + 2) / 6
    else:
        hue = ((r - g) / chroma + 4) / 6
    if (hue < 0.12 or hue > 0.96) and high < 0.55 and saturation > 0.25:
        return BROWN
    return int(np.floor(hue * 8 + 0.5)) % 8


@njit(cache=True, nogil=True)
def histograms(rgb, starts):  # type: ignore[no-untyped-def]
    """Share of the colours of each of K sets in each bin.

    Args:
        rgb: (M, 3) float32, one set after the other; starts: (K + 1,) int64 where each begins.

    Returns:
        (K, 12) float32.
    """
    shares = np.zeros((len(starts) - 1, BINS), np.float32)
    for k in range(len(starts) - 1):
        for i in range(starts[k], starts[k + 1]):
            shares[k, hue_bin(rgb[i, 0], rgb[i, 1], rgb[i, 2])] += 1
        shares[k] /= max(starts[k + 1] - starts[k], 1)
    return shares


@njit(cache=True, nogil=True)
def statistics(rgb, starts):  # type: ignore[no-untyped-def]
    """Mean, median and standard deviation of each channel, mean lightness and mean chroma of each of K sets.

    Args:
        rgb, starts: as for ``histograms``, no set empty.

    Returns:
        (K, 11) float32.
    """
    out = np.empty((len(starts) - 1, 11), np.float32)
    for k in range(len(starts) - 1):
        some = rgb[starts[k] : starts[k + 1]]
        count = len(some)
        for c in range(3):
            values = np.sort(some[:, c])
            mean = values.astype(np.float64).mean()
            out[k, c] = mean
            out[k, 3 + c] = 0.5 * (values[(count - 1) // 2] + values[count // 2])
            out[k, 6 + c] = np.sqrt(np.square(values - mean).mean())
        lightness = chroma = 0.0
        for i in range(count):
            high, low = max(some[i, 0], some[i, 1], some[i, 2]), min(some[i, 0], some[i, 1], some[i, 2])
            lightness, chroma = lightness + high, chroma + high - low
        out[k, 9], out[k, 10] = lightness / count, chroma / count
    return out
