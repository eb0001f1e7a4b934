"""Which objects have been seen as one, and which as two: the evidence for merging them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from .association import Evidence
from .entry import Entry

APART_CAP = 8.0
"""Seconds that two objects' having been seen as two is remembered for."""

REACH = 0.02
"""Metres between objects that touch, as far as a map can tell."""

MERGE_LOOK = 0.3
"""Least cosine of two objects that may be one: a mug in a bowl is seen within the bowl, too."""


OTHER_KIND_SIZE = 0.4
"""Least ratio of the sizes of a surface and an object that are one thing."""


class Pairs:
    """For pairs of objects that touch, by their ids: seconds for which they were seen as one, and as two."""

    def __init__(self) -> None:
        self._together: dict[tuple[int, int], float] = {}
        self._apart: dict[tuple[int, int], float] = {}

    def note(self, entries: Sequence[Entry], evidence: Evidence, matches: dict[int, int], seconds: float) -> None:
        """Take in what a cloud shows: ``matches`` are its instances' objects, by index in ``entries``."""
        taken = np.array(sorted(matches.values()), np.int64)
        if not len(taken):
            return
        # Of what lies under a cloth or a carton a little seems to be seen, as part of what covers it.
        mostly = (evidence.state[:, 3] > 0.5 * evidence.state[:, 1])[:, None] & (evidence.of_visible > 0.6)
        mostly[taken] = False
        for other, k in np.argwhere(mostly):
            if k in matches:
                a, b = entries[matches[k]], entries[other]
                if a.look() @ b.look() >= MERGE_LOOK and (a.kind == b.kind or _alike_in_size(a, b)):
                    pair = _pair(a, b)
                    self._together[pair] = self._together.get(pair, 0.0) + seconds
        low = np.array([entries[e].low for e in taken]) - REACH
        high = np.array([entries[e].high for e in taken])
        touching = ((low[:, None] < high) & (low < high[:, None])).all(2)
        for i, j in np.argwhere(np.triu(touching, 1)):
            pair = _pair(entries[taken[i]], entries[taken[j]])
            self._apart[pair] = min(self._apart.get(pair, 0.0) + seconds, APART_CAP)

    def one(self) -> Iterator[tuple[tuple[int, int], float]]:
        """Pairs seen as one for longer than as two, and for how many seconds."""
        for pair, together in list(self._together.items()):
            if together > self._apart.get(pair, 0.0):
                yield pair, together

    def forget(self, ids: Collection[int]) -> None:
        """Drop the pairs of objects that are no more."""
        for evidence in (self._together, self._apart):
            for pair in [pair for pair in evidence if pair[0] in ids or pair[1] in ids]:
                del evidence[pair]


def _alike_in_size(a: Entry, b: Entry) -> bool:
    """Whether a surface and an object may be one thing: a mug that is not told from the table is not the table."""
    large, small = sorted((float(np.linalg.norm(a.high - a.low)), float(np.linalg.norm(b.high - b.low))))[::-1]
    return small >= OTHER_KIND_SIZE * large


def _pair(a: Entry, b: Entry) -> tuple[int, int]:
    return (a.id, b.id) if a.id < b.id else (b.id, a.id)
