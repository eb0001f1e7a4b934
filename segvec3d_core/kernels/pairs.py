"""Attention over pairs of superpoints, see ``inference.grouping``."""

from __future__ import annotations

import numpy as np
from numba import njit

BOUND = 15.0
"""Scores are clipped to this magnitude."""
NOTHING = 1e-3
"""Weight of hearing nothing, beside those of the pairs."""


@njit(cache=True, nogil=True, fastmath=True)
def hear(asked, pairs, score, value, heads):  # type: ignore[no-untyped-def]
    """What each superpoint hears from those that it is paired with -> (S, D).

    Args:
        asked: (S, 3 D) float32 queries, keys and values; pairs: (P, 2) int64.
        score: (P, heads) and value: (P, D) float32 of the pairs themselves, added in both directions.
    """
    count, width = len(asked), asked.shape[1] // 3
    own = width // heads
    scale = np.float32(own**-0.5)
    heard, total = np.zeros((count, width), np.float32), np.full((count, heads), NOTHING, np.float32)
    for p in range(len(pairs)):
        for side in range(2):
            i, j = pairs[p, side], pairs[p, 1 - side]
            for h in range(heads):
                first = h * own
                product = np.float32(0)
                for c in range(first, first + own):
                    product += asked[i, c] * asked[j, width + c]
                bounded = max(min(product * scale + score[p, h], np.float32(BOUND)), np.float32(-BOUND))
                weight = np.exp(bounded)
                total[i, h] += weight
                for c in range(first, first + own):
                    heard[i, c] += weight * (asked[j, 2 * width + c] + value[p, c])
    for i in range(count):
        for h in range(heads):
            for c in range(h * own, (h + 1) * own):
                heard[i, c] /= total[i, h]
    return heard
