"""Colour statistics of many instances at once, and changes of colour along edges."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit, prange

from .attention import EDGE_DIM

if TYPE_CHECKING:
    from torch import Tensor

BINS = 12
"""8 hues, brown, black, grey, white."""
BROWN, BLACK, GREY, WHITE = 8, 9, 10, 11
DARK = 0.05
"""Added to lightness, 0 to 1, before taking its logarithm, because darker values are noise."""
FAINT = 0.15
"""Added to the sum of a colour's channels before computing its shares of red and green, for the same reason."""
LIGHTER = 0.1, 0.5
"""Differences in log lightness that map to 0.5: typical of a shadow, and of another object."""
TINTED = 0.02, 0.1
"""Differences in the shares of red and green that map to 0.5."""


@njit(cache=True, nogil=True)
def hue_bin(r, g, b):  # type: ignore[no-untyped-def]
    """Bin of a colour with channels 0 to 1.

    Colour names are regions of hue and lightness; a mean would turn a red label on white into pink.
    """
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
    """Histogram of colour bins of each of K sets, as shares.

    Args:
        rgb: (M, 3) float32, sets concatenated; starts: (K + 1,) int64 offsets.

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
    """Mean, median and standard deviation of each channel, mean of the largest channel and mean chroma of K sets.

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


def color_edges_reference(colors: Tensor, neighbors: Tensor) -> Tensor:
    """Changes of colour along each edge, in plain torch.

    A change is less significant in a patterned neighbourhood, so the mean changes around both ends are included.
    Colours of (0, 0, 0) are unknown: edges between a known and an unknown colour have change 0 and do not count in the
    means.

    Args:
        colors: (V, 3) mean RGB, 0 to 1; neighbors: (V, K) int64.

    Returns:
        (V, K, 10) float32, 0 to 2: change of lightness d / (d + s) for both s of ``LIGHTER``, and of the shares of red
        and green for both of ``TINTED``; sums of the means of these four around both ends; absolute differences of
        these means for the first of ``LIGHTER`` and of ``TINTED``.
    """
    import torch

    light = torch.log(colors.mean(1) + DARK)
    tint = (colors / (colors.sum(1, keepdim=True) + FAINT))[:, :2]
    lighter = (light[:, None] - light[neighbors]).abs()
    tinted = (tint[:, None] - tint[neighbors]).square().sum(2).sqrt()
    changes = [lighter / (lighter + s) for s in LIGHTER] + [tinted / (tinted + s) for s in TINTED]
    blank = (colors == 0).all(1)
    alike = (blank[:, None] == blank[neighbors])[:, :, None]
    change = torch.stack(changes, 2) * alike
    around = change.sum(1) / alike.sum(1).clamp_min(1)
    own, other = around[:, None], around[neighbors]
    return torch.cat([change, own + other, (own - other).abs()[:, :, ::2]], 2)


@njit(cache=True, nogil=True, parallel=True)
def color_edges(colors, neighbors):  # type: ignore[no-untyped-def]
    """``color_edges_reference`` on numpy arrays."""
    n, k = neighbors.shape
    tone = np.empty((n, 3), np.float32)
    blank = np.empty(n, np.bool_)
    around = np.empty((n, 4), np.float32)
    out = np.empty((n, k, EDGE_DIM), np.float32)
    for i in prange(n):
        total = colors[i, 0] + colors[i, 1] + colors[i, 2]
        blank[i] = total == 0
        tone[i, 0] = np.log(total / np.float32(3) + np.float32(DARK))
        tone[i, 1], tone[i, 2] = colors[i, 0] / (total + np.float32(FAINT)), colors[i, 1] / (total + np.float32(FAINT))
    for i in prange(n):
        a = b = c = d = np.float32(0)
        compared = 0
        for p in range(k):
            j = neighbors[i, p]
            if blank[i] != blank[j]:
                out[i, p, :4] = 0
                continue
            compared += 1
            lighter = abs(tone[i, 0] - tone[j, 0])
            red, green = tone[i, 1] - tone[j, 1], tone[i, 2] - tone[j, 2]
            tinted = np.sqrt(red * red + green * green)
            out[i, p, 0] = lighter / (lighter + np.float32(LIGHTER[0]))
            out[i, p, 1] = lighter / (lighter + np.float32(LIGHTER[1]))
            out[i, p, 2] = tinted / (tinted + np.float32(TINTED[0]))
            out[i, p, 3] = tinted / (tinted + np.float32(TINTED[1]))
            a, b, c, d = a + out[i, p, 0], b + out[i, p, 1], c + out[i, p, 2], d + out[i, p, 3]
        share = np.float32(1 / max(compared, 1))
        around[i, 0], around[i, 1], around[i, 2], around[i, 3] = a * share, b * share, c * share, d * share
    for i in prange(n):
        for p in range(k):
            j = neighbors[i, p]
            for q in range(4):
                out[i, p, 4 + q] = around[i, q] + around[j, q]
            out[i, p, 8] = abs(around[i, 0] - around[j, 0])
            out[i, p, 9] = abs(around[i, 2] - around[j, 2])
    return out
