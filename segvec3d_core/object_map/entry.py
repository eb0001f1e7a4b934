"""One object of the map while it lives: its voxels, its look, and for how long what has been seen of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry import oriented_box
from ..types import Box, Float32, Kind, SceneObject
from . import fusing

State = Literal["tentative", "confirmed", "gone"]

WEIGHT_CAP = 6.0
"""Sightings that a voxel remembers: so many looks through it make it vanish."""

CUT_WEIGHT = 0.4
"""How much a sighting that the border of the picture cuts counts of a whole one."""

BOX_POINTS = 600
"""Voxels that a box is drawn around, evenly picked: among so few there are few strays."""

SURFACE_SHARE = 0.8
"""Share of the trust in a thing's sightings that must say surface, for it to be one: furniture from near by fills the
view as a wall does, and once it was seen as a whole it is known to be none."""

OTHER_KIND_SIZE = 0.4
"""Least ratio of the sizes of a surface and an object that are one thing: a mug that is not told from the table is not
the table."""


@dataclass(slots=True, eq=False)
class Voxels:
    """A bounded cloud: one point for each voxel.

    Attributes:
        size: edge, metres; names: (M,) int64 ascending, see ``fusing.cells``.
        xyz: (M, 3) float32 mean position, metres from the map's origin; weights: (M,) float32 sightings.
        colors: (M, 3) uint8, (0, 0, 0) where none was seen.
    """

    size: float
    names: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    xyz: Float32 = field(default_factory=lambda: np.empty((0, 3), np.float32))
    weights: Float32 = field(default_factory=lambda: np.empty(0, np.float32))
    colors: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.names)

    def add(self, xyz: Float32, colors: NDArray[np.uint8], limit: int) -> None:
        """Take points in, and keep within ``limit`` voxels."""
        new = fusing.cells(xyz, self.size)
        self.names, self.xyz, self.weights, self.colors = fusing.fuse(
            self.names, self.xyz, self.weights, self.colors, new, xyz, colors, WEIGHT_CAP
        )
        self.limit(limit)

    def limit(self, limit: int) -> None:
        """Double the edge until there are no more than ``limit`` voxels."""
        while len(self) > limit:
            self.size *= 2
            names, empty = fusing.coarser(self.names), Voxels(self.size)
            heaviest = self.weights.max(initial=1.0)
            self.names, self.xyz, self.weights, self.colors = fusing.fuse(
                empty.names, empty.xyz, empty.weights, empty.colors, names, self.xyz, self.colors, WEIGHT_CAP
            )
            self.weights[:] = heaviest  # a rare event, after which all voxels start alike


@dataclass(slots=True, eq=False)
class Entry:
    """An object on its way through life.

    Attributes:
        id: from 1 upwards. kind: as most of its sightings say.
        voxels: its cloud. embedding: (d_v,) sum of its sightings' embeddings, each as sure as it was.
        trust: sum of that sureness; score: mean score of the sightings by trust; surface: trust in it being a surface.
        first_seen, last_seen: nanoseconds.
        state: tentative until it has been seen long enough, gone once its place was seen without it.
        recognised: whether it has been taken for one that was lost.
        inside: what it appeared inside: an object, as a part does, a surface, as what is put on it does, or nothing.
        seen, missed, doubted: seconds for which it was seen (less while it is tentative and the picture's border cuts
            it), looked through since, and seen as nothing since.
        unseen_for, gone_for: seconds since it was last seen, and since it was found to be gone, a gap between clouds
            counting for ``map.LONGEST_STEP`` at most; not kept in a file.
        low, high: (3,) corners of its voxels along the map's axes; box: drawn when it is asked for.
    """

    id: int
    kind: Kind
    voxels: Voxels
    embedding: Float32
    first_seen: int
    last_seen: int
    trust: float = 0.0
    score: float = 0.0
    surface: float = 0.0
    state: State = "tentative"
    inside: Kind | None = None
    sightings: int = 0
    seen: float = 0.0
    missed: float = 0.0
    doubted: float = 0.0
    recognised: bool = False
    unseen_for: float = 0.0
    gone_for: float = 0.0
    low: Float32 = field(default_factory=lambda: np.zeros(3, np.float32))
    high: Float32 = field(default_factory=lambda: np.zeros(3, np.float32))
    _box: Box | None = None
    _drawn_along: NDArray[np.float64] | None = None
    _look: Float32 | None = None
    _middle: tuple[Float32, NDArray[np.uint8] | None] | None = None

    @property
    def area(self) -> float:
        """Square metres that its voxels cover."""
        return len(self.voxels) * self.voxels.size**2

    def measure(self, corners: tuple[Float32, Float32] | None = None) -> None:
        """Note that the voxels have changed, and how far they reach now, where that is known."""
        self.low, self.high = corners or (self.voxels.xyz.min(0), self.voxels.xyz.max(0))
        self._box = self._middle = None

    def sight(self, thing: SceneObject, stamp: int, seconds: float, cut: bool = False) -> None:
        """Note one more sighting's look and time; its points go to ``voxels``. One that is ``cut`` by the border of
        the picture tells less of what the whole is, and of whether there is one."""
        cut = cut and thing.kind == "object"  # a floor always goes on
        sure = max(thing.score, 0.05) * min(1.0, thing.point_count / 500) * (CUT_WEIGHT if cut else 1.0)
        self.embedding = self.embedding + np.float32(sure) * thing.embedding
        self._look = None
        self.score += (thing.score - self.score) * sure / (self.trust + sure)
        self.trust += sure
        self.surface += sure if thing.kind == "surface" else 0.0
        self.kind = "surface" if self.surface > SURFACE_SHARE * self.trust else "object"
        self.last_seen = stamp
        self.sightings += 1
        self.unseen_for = 0.0
        self.seen += seconds * (CUT_WEIGHT if cut and self.state == "tentative" else 1.0)
        self.missed = 0.0
        self.doubted = max(0.0, self.doubted - 2 * seconds)

    def continue_(self, other: Entry, id: int | None = None) -> None:
        """Go on as what another entry was: its history is this one's too.

        Args:
            other: the entry that ends. id: under which to go on; None for the other's.
        """
        self.recognised = self.recognised or id is None
        self.id = other.id if id is None else id
        self.first_seen = min(self.first_seen, other.first_seen)
        if other.last_seen > self.last_seen:
            self.last_seen, self.missed = other.last_seen, other.missed
        self.unseen_for = min(self.unseen_for, other.unseen_for)
        self.score = (self.trust * self.score + other.trust * other.score) / max(self.trust + other.trust, 1e-9)
        self.embedding = self.embedding + other.embedding
        self._look = None
        self.trust += other.trust
        self.surface += other.surface
        self.seen += other.seen
        self.sightings += other.sightings

    def box(self, up: NDArray[np.float64]) -> Box:
        """Around the voxels, or those seen more than once where most are; standing along ``up``, within a fifth of a
        degree."""
        drawn = self._drawn_along
        # What is lost has no voxels any more.
        if self._box is not None and drawn is not None and (not len(self.voxels) or np.abs(up - drawn).max() < 3e-3):
            return self._box
        points = self.voxels.xyz
        firm = self.voxels.weights > 1.5
        if firm.mean() > 0.5:
            points = points[firm]
        box = oriented_box(points[:: -(-len(points) // BOX_POINTS)], up)
        # A voxel's mean lies half an edge inside the points that it stands for.
        self._box = Box(box.center, box.rotation, box.size + np.float32(self.voxels.size / 2))
        self._drawn_along = up.copy()
        return self._box

    def middle(self) -> tuple[Float32, NDArray[np.uint8] | None]:
        """(3,) mean position of the voxels, and (3,) median colour of those that have one or None; kept, as most
        objects stay as they are."""
        if self._middle is None:
            colors = self.voxels.colors[self.voxels.colors.any(1)]
            color = np.median(colors, 0).round().astype(np.uint8) if len(colors) else None
            self._middle = self.voxels.xyz.mean(0), color
        return self._middle

    def look(self) -> Float32:
        """(d_v,) embedding of unit length; kept, as it is asked for at every update."""
        if self._look is None:
            length = float(np.sqrt(self.embedding @ self.embedding))
            self._look = self.embedding / np.float32(length) if length > 0 else self.embedding
        return self._look


def corners(entries: Sequence[Entry]) -> tuple[Float32, Float32]:
    """(E, 3) lower and upper corners of entries."""
    nothing = np.empty(0, np.float32)
    low = np.concatenate([nothing, *(entry.low for entry in entries)]).reshape(-1, 3)
    return low, np.concatenate([nothing, *(entry.high for entry in entries)]).reshape(-1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """E entries as the kernels take them: their voxels, one entry after the other, and a row for each.

    Attributes:
        names, xyz, weights, colors: of all M voxels, as in ``Voxels``.
        starts: (E + 1,) int64 where each entry's begin. sizes: (E,) edges, metres.
        ids: (E,) int64. surface: (E,) bool, their kind. looks: (E, d_v) float32 of unit length.
        low, high: (E, 3) float32 corners. alike: (E, E) bool, which two may be one thing, as far as their kinds and
            sizes tell.
    """

    names: NDArray[np.int64]
    xyz: Float32
    weights: Float32
    colors: NDArray[np.uint8]
    starts: NDArray[np.int64]
    sizes: NDArray[np.float64]
    ids: NDArray[np.int64]
    surface: NDArray[np.bool_]
    looks: Float32
    low: Float32
    high: Float32
    alike: NDArray[np.bool_]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Stack:
        """Lay the entries' voxels one after the other, and gather what else is asked of each."""
        parts = [entry.voxels for entry in entries] or [Voxels(1.0)]
        starts = np.zeros(len(entries) + 1, np.int64)
        np.cumsum([len(v.names) for v in parts[: len(entries)]], out=starts[1:])
        surface = np.array([entry.kind == "surface" for entry in entries], bool)
        low, high = corners(entries)
        size = np.linalg.norm(high - low, axis=1)
        ratio = np.minimum.outer(size, size) >= OTHER_KIND_SIZE * np.maximum.outer(size, size)
        return cls(
            np.concatenate([v.names for v in parts]),
            np.concatenate([v.xyz for v in parts]),
            np.concatenate([v.weights for v in parts]),
            np.concatenate([v.colors for v in parts]),
            starts,
            np.array([entry.voxels.size for entry in entries], np.float64),
            np.array([entry.id for entry in entries], np.int64),
            surface,
            np.stack([entry.look() for entry in entries]) if entries else np.empty((0, 0), np.float32),
            low,
            high,
            (surface[:, None] == surface) | ratio,
        )
