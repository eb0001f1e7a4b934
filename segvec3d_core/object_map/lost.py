"""Objects that are gone, and their re-identification among new ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .association import match_by_look
from .config import MapConfig
from .entry import Entry, Voxels

LOST = 200
"""Maximum number of gone objects that are remembered; the latest are kept."""


class Lost:
    """Gone objects that can still return under their ids: embedding, box and history, without their voxels."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entries: Sequence[Entry], up: NDArray[np.float64]) -> None:
        """Add objects that were just found gone; ``up``, (3,), is the direction along which their boxes are fitted."""
        for entry in entries:
            entry.gone_for = 0.0
            entry.box(up)
            entry.voxels = Voxels(entry.voxels.size)
        self.entries = (self.entries + list(entries))[-LOST:]

    def recognise(
        self, entries: Sequence[Entry], config: MapConfig, seconds: float, up: NDArray[np.float64]
    ) -> dict[int, int]:
        """Re-identify new objects that look like gone ones: they take over id and history.

        Args:
            entries: those of the map. seconds: since the last call.

        Returns:
            the id of the gone object for each id that it replaces.
        """
        for entry in self.entries:
            entry.gone_for += seconds
        self.entries = [e for e in self.entries if e.gone_for <= config.reidentify_seconds]
        lost = [e for e in self.entries if e.kind == "object"]
        if not lost:
            return {}
        # An object seen while the gone one was still there is another one: two equal cans are two cans.
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
