"""Colour statistics of many instances at once, and changes of colour along edges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .forward import blocks
from .vectors import PANEL, Writer

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


SUMS = slice(4, 8)
"""Components of ``color_edges_reference`` that are sums of both ends."""
CHANGES = 6
"""Number of the other components, which ``color_changes`` computes."""


@intrinsic
def _compare(typingctx: Any, own: Any, near: Any, out: Any) -> Any:
    """Write the changes from a voxel's tone (4,) to its neighbours' (4, K') to the first four rows of ``out`` and their
    means to ``own``. A tone is the log lightness, the shares of red and green, and 1 for an unknown colour, else 0."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = Writer(context, builder, signature, args)
        own, near, out = to.arrays
        width, one = to.shape(near)[1], to.filled(1.0)
        *tone, blank = (to.broadcast(to.scalar(own, to.number(c))) for c in range(4))
        sums = [to.variable(to.zero()) for _ in range(5)]
        with cgutils.for_range(builder, builder.sdiv(width, to.number(to.lanes))) as loop:
            at = builder.mul(loop.index, to.number(to.lanes))
            other = [to.load(near, to.at(at, width, c)) for c in range(4)]
            away = [builder.fsub(a, b) for a, b in zip(other[:3], tone, strict=True)]
            alike = builder.select(builder.fcmp_ordered("==", other[3], blank), one, to.zero())
            lighter, tinted = (builder.fmul(to.length(some), alike) for some in (away[:1], away[1:]))
            changes = [to.divide(lighter, builder.fadd(lighter, to.filled(s))) for s in LIGHTER]
            changes += [to.divide(tinted, builder.fadd(tinted, to.filled(s))) for s in TINTED]
            for c, change in enumerate(changes):
                to.store(change, out, to.at(at, width, c))
            for total, value in zip(sums, [*changes, alike], strict=True):
                builder.store(builder.fadd(builder.load(total), value), total)
        *totals, compared = (to.total(builder.load(total)) for total in sums)
        some = builder.fcmp_ordered(">", compared, ir.Constant(ir.FloatType(), 0.0))
        count = builder.select(some, compared, ir.Constant(ir.FloatType(), 1.0))
        for c, total in enumerate(totals):
            builder.store(builder.fdiv(total, count), builder.gep(own.data, [to.number(c)]))
        return context.get_dummy_value()

    return types.void(own, near, out), generate


@njit(cache=True, nogil=True)
def _compare_block(first, last, tone, neighbors, out, around):  # type: ignore[no-untyped-def]
    near = np.full((4, out.shape[2]), np.float32(2))  # padding is like no colour, known or unknown
    for i in range(first, last):
        for p in range(neighbors.shape[1]):
            j = neighbors[i, p]
            for c in range(4):
                near[c, p] = tone[j, c]
        around[i] = tone[i]
        _compare(around[i], near, out[i])  # type: ignore[call-arg]


@njit(cache=True, nogil=True, parallel=True)
def color_changes(bounds, colors, neighbors):  # type: ignore[no-untyped-def]
    """What ``color_edges_reference`` returns on numpy arrays, in parts.

    Args:
        bounds: from ``forward.blocks``; colors: (V, 3) float32; neighbors: (V, K) int64.

    Returns:
        changes (V, 6, K') float32, its first four and last two components, K padded to a multiple of ``PANEL``;
        around (V, 4) float32, the means of the first four, whose sums at both ends are the others; blank (V,) bool,
        whether a colour is unknown.
    """
    n, k = neighbors.shape
    tone, around = np.empty((n, 4), np.float32), np.empty((n, 4), np.float32)
    blank, out = np.empty(n, np.bool_), np.empty((n, CHANGES, (k + PANEL - 1) // PANEL * PANEL), np.float32)
    for i in prange(n):
        total = colors[i, 0] + colors[i, 1] + colors[i, 2]
        blank[i] = total == 0
        tone[i, 0] = np.log(total / np.float32(3) + np.float32(DARK))
        tone[i, 1], tone[i, 2] = colors[i, 0] / (total + np.float32(FAINT)), colors[i, 1] / (total + np.float32(FAINT))
        tone[i, 3] = blank[i]
    for b in prange(len(bounds) - 1):
        _compare_block(bounds[b], bounds[b + 1], tone, neighbors, out, around)
    for i in prange(n):
        for p in range(k):
            j = neighbors[i, p]
            out[i, 4, p] = abs(around[i, 0] - around[j, 0])
            out[i, 5, p] = abs(around[i, 2] - around[j, 2])
    return out, around, blank


def color_edges(colors: NDArray[np.float32], neighbors: NDArray[np.int64]) -> NDArray[np.float32]:
    """``color_edges_reference`` on numpy arrays."""
    changes, around, _ = color_changes(blocks(len(colors)), colors, neighbors)
    changes = changes.transpose(0, 2, 1)[:, : neighbors.shape[1]]
    both = around[:, None] + around[neighbors]
    return np.concatenate([changes[:, :, :4], both, changes[:, :, 4:]], 2)
