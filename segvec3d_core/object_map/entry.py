"""One object of the map: its voxels, its embedding, and for how long it has been seen, looked through or doubted."""

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
"""Maximum weight of a voxel, in sightings: a voxel vanishes after being looked through at most this many times in a
row."""

CUT_WEIGHT = 0.4
"""Weight of a sighting that the image border cuts, relative to a complete one."""

BOX_POINTS = 600
"""Maximum number of voxels, evenly sampled, that a box is fitted to: so few contain few outliers."""

SURFACE_SHARE = 0.8
"""An entry is a surface if more than this share of its sightings, weighted by trust, say so. The share is high because
furniture seen from close by fills the view as a wall does, and a sighting of the whole then shows that it is none."""

OTHER_KIND_SIZE = 0.4
"""Minimum ratio of the sizes of a surface and an object that may be the same thing: a mug that the segmentation does
not separate from the table is not the table."""


@dataclass(slots=True, eq=False)
class Voxels:
    """A cloud of bounded size, with one point per occupied voxel.

    Attributes:
        size: voxel edge, metres; names: (M,) int64 voxel keys, ascending, see ``fusing.cells``.
        xyz: (M, 3) float32 mean position in the map's own coordinates, metres.
        weights: (M,) float32 number of sightings less wear, at most ``WEIGHT_CAP``.
        colors: (M, 3) uint8, (0, 0, 0) where no colour was seen.
    """

    size: float
    names: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    xyz: Float32 = field(default_factory=lambda: np.empty((0, 3), np.float32))
    weights: Float32 = field(default_factory=lambda: np.empty(0, np.float32))
    colors: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 3), np.uint8))

    def __len__(self) -> int:
        return len(self.names)

    def add(self, xyz: Float32, colors: NDArray[np.uint8], limit: int) -> None:
        """Fuse points into the voxels, and coarsen these if there are more than ``limit``."""
        new = fusing.cells(xyz, self.size)
        self.names, self.xyz, self.weights, self.colors = fusing.fuse(
            self.names, self.xyz, self.weights, self.colors, new, xyz, colors, WEIGHT_CAP
        )
        self.limit(limit)

    def limit(self, limit: int) -> None:
        """Double the voxel edge until there are at most ``limit`` voxels."""
        while len(self) > limit:
            self.size *= 2
            names, empty = fusing.coarser(self.names), Voxels(self.size)
            heaviest = self.weights.max(initial=1.0)
            self.names, self.xyz, self.weights, self.colors = fusing.fuse(
                empty.names, empty.xyz, empty.weights, empty.colors, names, self.xyz, self.colors, WEIGHT_CAP
            )
            self.weights[:] = heaviest  # coarsening is rare; afterwards all voxels have the same weight


@dataclass(slots=True, eq=False)
class Entry:
    """An object of the map, with its history.

    Attributes:
        id: from 1 upwards. kind: "surface" or "object", see ``SURFACE_SHARE``.
        voxels: its cloud. embedding: (d_v,) float32 sum of its sightings' embeddings, weighted by trust.
        trust: sum of the sightings' weights, see ``sight``; score: mean score of the sightings, weighted by trust;
            surface: trust of the sightings as a surface.
        first_seen, last_seen: nanoseconds.
        state: tentative until it has been seen long enough; gone once it was looked through, doubted or unseen for too
            long, or merged into another.
        recognised: whether it was re-identified as an object that had been gone.
        inside: kind of what it appeared inside: "object", as a part does; "surface", as a thing put on one does; None
            for nothing. A surface that appears inside anything has "object".
        sightings: number of clouds that showed it.
        seen: seconds for which it was seen; a sighting that the image border cuts counts ``CUT_WEIGHT`` while it is
            tentative.
        missed: seconds for which it was looked through since it was last seen.
        doubted: seconds for which its place was seen without an instance there, less twice the seconds for which it was
            seen since.
        unseen_for, gone_for: seconds since it was last seen, and since it was found gone; a gap between clouds counts
            ``map.LONGEST_STEP`` at most. Not saved in a file.
        low, high: (3,) float32 corners of the voxels' bounds along the axes of the map's own coordinates, metres.
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
        """Area that its voxels cover, square metres: their number times the square of their edge."""
        return len(self.voxels) * self.voxels.size**2

    def measure(self, corners: tuple[Float32, Float32] | None = None) -> None:
        """Update the bounds after a change of the voxels, to ``corners`` if given, and drop cached values."""
        self.low, self.high = corners or (self.voxels.xyz.min(0), self.voxels.xyz.max(0))
        self._box = self._middle = None

    def sight(self, thing: SceneObject, stamp: int, seconds: float, cut: bool = False) -> None:
        """Add the embedding, score and time of one more sighting; its points are fused into ``voxels`` separately.

        A sighting that is ``cut`` by the image border counts less, because it shows less of what the whole is, and of
        whether there is one.

        Args:
            stamp: nanoseconds. seconds: for which the sighting counts.
        """
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
        """Add the history of another entry to this one.

        Args:
            other: entry that ends here. id: id to continue under; None for the other's, as in a re-identification.
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
        """Box fitted to the voxels, upright along ``up`` (3,), in the map's own coordinates; cached while ``up`` turns
        by less than a fifth of a degree. If most voxels were seen more than once, it is fitted to these alone."""
        drawn = self._drawn_along
        # A gone entry has no voxels any more, and keeps its last box.
        if self._box is not None and drawn is not None and (not len(self.voxels) or np.abs(up - drawn).max() < 3e-3):
            return self._box
        points = self.voxels.xyz
        firm = self.voxels.weights > 1.5
        if firm.mean() > 0.5:
            points = points[firm]
        box = oriented_box(points[:: -(-len(points) // BOX_POINTS)], up)
        # The voxels' means lie inside the extent of their points, so the box is enlarged by half an edge.
        self._box = Box(box.center, box.rotation, box.size + np.float32(self.voxels.size / 2))
        self._drawn_along = up.copy()
        return self._box

    def middle(self) -> tuple[Float32, NDArray[np.uint8] | None]:
        """(3,) float32 mean position of the voxels, and (3,) uint8 median colour of the coloured ones, or None; cached,
        because most objects do not change in an update."""
        if self._middle is None:
            colors = self.voxels.colors[self.voxels.colors.any(1)]
            color = np.median(colors, 0).round().astype(np.uint8) if len(colors) else None
            self._middle = self.voxels.xyz.mean(0), color
        return self._middle

    def look(self) -> Float32:
        """(d_v,) float32 embedding normalised to unit length; cached, because every update needs it."""
        if self._look is None:
            length = float(np.sqrt(self.embedding @ self.embedding))
            self._look = self.embedding / np.float32(length) if length > 0 else self.embedding
        return self._look


def corners(entries: Sequence[Entry]) -> tuple[Float32, Float32]:
    """(E, 3) float32 lower and (E, 3) upper corners of the entries' bounds."""
    nothing = np.empty(0, np.float32)
    low = np.concatenate([nothing, *(entry.low for entry in entries)]).reshape(-1, 3)
    return low, np.concatenate([nothing, *(entry.high for entry in entries)]).reshape(-1, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """E entries as arrays for the compiled kernels: their voxels, concatenated, and one row per entry.

    Attributes:
        names, xyz, weights, colors: of all M voxels, as in ``Voxels``.
        starts: (E + 1,) int64 start of each entry's voxels. sizes: (E,) float64 voxel edges, metres.
        ids: (E,) int64. surface: (E,) bool, whether it is a surface. looks: (E, d_v) float32 unit embeddings.
        low, high: (E, 3) float32 corners of the bounds. alike: (E, E) bool, whether two entries may be the same thing,
            judging by kind and size.
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
        """Concatenate the entries' voxels, and collect the per-entry arrays."""
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
