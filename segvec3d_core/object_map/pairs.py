"""Evidence for merging objects: for how long each pair was seen as one instance, and for how long as two."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from ..types import Float32
from .association import Evidence
from .entry import Stack

MEMORY = 8.0
"""Seconds of evidence, seen as one plus seen as two, that are remembered of a pair, or twice ``merge_seconds`` if that
is more."""

SURE = 3.0
"""Log odds of being two from which a pair seen as two counts in full, as much as one seen as one; below, it counts in
proportion."""

REACH = 0.02
"""Gap between bounds, metres, up to which objects count as touching."""

MERGE_LOOK = 0.3
"""Minimum cosine of the embeddings of two objects that may be one: a mug in a bowl is also seen within the bowl."""


class Pairs:
    """For pairs of objects, by their ids: seconds for which they were seen as one, and for which they were seen as two
    that touch."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[int, int], tuple[float, float]] = {}

    def note(
        self, stack: Stack, evidence: Evidence, matches: dict[int, int], affinity: Float32 | None, seconds: float,
        merge_seconds: float,
    ) -> None:  # fmt: skip
        """Add the evidence of one cloud.

        Args:
            matches: index in ``stack`` of the object of each instance that has one.
            affinity: (K, K) probability that two instances are parts of one, see ``Scene``; None if unknown.
            seconds: for which the cloud counts. merge_seconds: as in ``MapConfig``.
        """
        if not matches:
            return
        taken, instances = np.array(sorted((e, k) for k, e in matches.items()), np.int64).T
        memory, ids = max(MEMORY, 2 * merge_seconds), stack.ids.tolist()
        # A little of what lies under a cloth or a carton seems to be seen, as part of its cover: that is no evidence.
        _, hidden, through, seen = evidence.state.T
        unlooked = hidden + through + seen == 0  # without a camera
        mostly = ((seen > 0.5 * hidden) | unlooked)[:, None] & (evidence.of_visible > 0.6)
        mostly[taken] = False
        for other, k in np.argwhere(mostly):
            e = matches.get(k, other)
            if e != other and stack.alike[e, other] and stack.looks[e] @ stack.looks[other] >= MERGE_LOOK:
                self._weigh(ids[e], ids[other], seconds, 0.0, memory)
        low, high = stack.low[taken] - REACH, stack.high[taken]
        touching = ((low[:, None] < high) & (low < high[:, None])).all(2)
        first, second = np.nonzero(np.triu(touching, 1))
        sure = np.ones(len(first))
        if affinity is not None:  # instances that were only just separated may well be one in the next view
            one = np.clip(affinity[instances[first], instances[second]], 1e-6, 0.5)
            sure = np.where(stack.alike[taken[first], taken[second]], np.minimum(np.log((1 - one) / one) / SURE, 1), 1)
        for a, b, share in zip(
            stack.ids[taken[first]].tolist(), stack.ids[taken[second]].tolist(), sure.tolist(), strict=True
        ):
            self._weigh(a, b, 0.0, share * seconds, memory)

    def _weigh(self, a: int, b: int, one: float, two: float, memory: float) -> None:
        """Add seconds seen as one and as two to a pair, and scale both down to at most ``memory`` together."""
        pair = (a, b) if a < b else (b, a)
        together, apart = self._seconds.get(pair, (0.0, 0.0))
        together, apart = together + one, apart + two
        kept = memory / max(together + apart, memory)
        self._seconds[pair] = together * kept, apart * kept

    def one(self) -> Iterator[tuple[tuple[int, int], float]]:
        """Pairs that were seen as one for longer than as two, and the seconds for which they were seen as one."""
        for pair, (together, apart) in list(self._seconds.items()):
            if together > apart:
                yield pair, together

    def forget(self, ids: Collection[int]) -> None:
        """Drop the pairs of objects that have these ids."""
        for pair in [pair for pair in self._seconds if pair[0] in ids or pair[1] in ids]:
            del self._seconds[pair]
