"""Objects that are gone, and the new ones that they turn out to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .association import match_by_look
from .config import MapConfig
from .entry import Entry, Voxels

LOST = 200
"""Objects that are gone of which the map remembers the look."""


class Lost:
    """What has gone, for as long as it can come back under its id: look, size and history, without the cloud."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entries: Sequence[Entry], up: NDArray[np.float64]) -> None:
        """Take in objects that are gone by now; ``up`` is where their boxes stand."""
        for entry in entries:
            entry.gone_for = 0.0
            entry.box(up)
            entry.voxels = Voxels(entry.voxels.size)
        self.entries = (self.entries + list(entries))[-LOST:]

    def recognise(
        self, entries: Sequence[Entry], config: MapConfig, seconds: float, up: NDArray[np.float64]
    ) -> dict[int, int]:
        """New objects that look like lost ones are those: they take over id and history. Returns old id by new.

        Args:
            seconds: that have passed since the last time.
        """
        for entry in self.entries:
            entry.gone_for += seconds
        self.entries = [e for e in self.entries if e.gone_for <= config.reidentify_seconds]
        lost = [e for e in self.entries if e.kind == "object"]
        if not lost:
            return {}
        # What was there while the other was is another: two cans are two cans.
        earliest = min(e.last_seen for e in lost)
        new = [e for e in entries if e.first_seen > earliest and e.kind == "object" and e.state == "confirmed"]
        new = [e for e in new if not e.recognised]
        if not new:
            return {}
        later = np.array([e.first_seen for e in new]) > np.array([e.last_seen for e in lost])[:, None]
        looks, others = (np.stack([e.look() for e in group]) for group in (lost, new))
        similarity = np.where(later, looks @ others.T, -2.0)
        alike = similarity >= config.reidentify_similarity
        rows, columns = np.flatnonzero(alike.any(1)), np.flatnonzero(alike.any(0))
        if not len(rows):
            return {}
        boxes = [lost[a].box(up) for a in rows], [new[b].box(up) for b in columns]
        names = {}
        for i, j in match_by_look(similarity[np.ix_(rows, columns)], *boxes, config.reidentify_similarity):
            a, b = lost[rows[i]], new[columns[j]]
            names[b.id] = a.id
            b.continue_(a)
            self.entries.remove(a)
        return names
