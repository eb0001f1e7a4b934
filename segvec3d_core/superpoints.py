"""Superpoints: pieces of a single instance, with features of each piece and of pairs.

Growing along bonds stops early, so that each piece lies within one object, though an object may consist of many pieces.
Which pieces belong together is then decided in ``grouping.py``, where a whole table leg is seen at once. The pieces
follow the superpoints of Landrieu and Simonovsky (2018), found by learned bonds instead of an energy.

S superpoints, P pairs of them, G groups, V voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clustering import BOND_BOUND, drop_small, grow
from .hierarchy import canonical_rotation
from .kernels.agglomeration import contacts, mutual
from .kernels.nearest import nearest_rows
from .kernels.superpoints import extents_of_groups, mean_and_largest, mean_direction, moments, rim_shares
from .voxels import VoxelGrid

BOND_THRESHOLD = 0.0
"""Superpoints are grown while the mean bond logit exceeds this, a probability of one half."""
MIN_VOXELS = 6
"""Smaller pieces form no superpoint; their voxels may be adopted by an object later."""
NEAREST = 6
"""Each superpoint is paired with this many others of nearest embedding, besides those that it touches."""
RIM_SECTORS = 128
"""Number of directions in which the rim of the view is sampled."""
UNDERSIDE = 0.06
"""Points more than this below the top of a superpoint, metres, do not belong to its top face."""
DEPTHS = np.array([0.03, UNDERSIDE, 2 * UNDERSIDE, -UNDERSIDE])
"""Depths behind a group's main plane (negative: in front), metres, beyond which its share of points is measured."""
UNSEEN_CHANGE = 0.12
"""Colour difference, for colours 0 to 1, assumed between two superpoints of a frame if either colour is unknown: as in
the most similar third of all pairs, see docs/experiments.md."""
LEAST_SHARE = 0.01
"""Added to shares before the logarithm: smaller shares are about equal."""
PAIR_FEATURES = 16
WHOLE_FEATURES = 15

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedVoxels:
    """The network's output for V voxels.

    Attributes:
        neighbors: (V, k) int64; normals: (V, 3) float32, in the cloud's frame.
        features: (V, d_f) F; embeddings: (V, d_e); both float32.
        surface: (V,) float32, probability of lying on a surface.
        bonds: (V, k) float32, logits that an edge stays within an instance.
    """

    neighbors: NDArray[np.int64]
    normals: Array
    features: Array
    embeddings: Array
    surface: Array
    bonds: Array


@dataclass(frozen=True, slots=True, eq=False)
class Superpoints:
    """The superpoints of a cloud and their features.

    Attributes:
        of_voxel: (V,) int64 superpoint of each voxel, -1 if its piece is too small; sizes: (S,) int64 voxels.
        nodes: (S, ``node_features``) float32 features of each, NaN where unknown.
        pairs: (P, 2) int64, lower index first, of superpoints that touch or have near embeddings.
        edges: (P, 16) float32 features of each pair, NaN where unknown.
        cloud: the data from which ``wholes`` is computed.
    """

    of_voxel: NDArray[np.int64]
    sizes: NDArray[np.int64]
    nodes: Array
    pairs: NDArray[np.int64]
    edges: Array
    cloud: Cloud

    def wholes(self, group: NDArray[np.int64]) -> Array:
        """(G, 15) float32 features of groups of superpoints as wholes, weighted by points, not voxels, and so by the
        area that a camera sees.

        Args:
            group: (S,) int64 group of each superpoint, 0 to G - 1.
        """
        return self.cloud.wholes(self.of_voxel, group)


def node_features(features: int, embedding: int) -> int:
    """Width of ``Superpoints.nodes`` for d_f and d_e."""
    return 2 * features + embedding + 25


def find_superpoints(voxels: EmbeddedVoxels, grid: VoxelGrid, viewpoint: Array | None, up: Array | None) -> Superpoints:
    """Grow superpoints and compute their features.

    Args:
        voxels: network output for ``grid``.
        viewpoint: (3,) sensor position in the cloud's frame, metres, or None; up: (3,) or None.
    """
    bonds = mutual(voxels.bonds, voxels.neighbors, np.float32(BOND_BOUND))
    of_voxel = drop_small(grow(bonds, voxels.neighbors, BOND_THRESHOLD), MIN_VOXELS)
    count = int(of_voxel.max(initial=-1)) + 1
    seen_from = None if viewpoint is None else (viewpoint - grid.origin).astype(np.float32)
    turn = canonical_rotation(grid.centroids, seen_from, up)
    points = grid.centroids @ turn.T
    pieces = _Pieces.of(voxels, grid, points, of_voxel, count, turn, seen_from)
    low, high, sums, touching = contacts(of_voxel, voxels.neighbors, bonds)
    pairs, rows = _pairs(low, high, pieces.embedding)
    total, edges = np.zeros((2, len(pairs)))
    total[rows], edges[rows] = sums, touching
    scene = np.array([seen_from is not None, up is not None, np.log(max(count, 1))], np.float32)
    rim = _rim(grid, of_voxel, count, seen_from)
    nodes = np.concatenate([pieces.nodes(len(grid)), rim[:, None], np.tile(scene, (count, 1))], 1)
    compared = pieces.compare(pairs, total, edges, np.nan if seen_from is None else UNSEEN_CHANGE)
    cloud = Cloud(points, grid.counts, pieces.normal, pieces.place, rim, seen_from is not None, up is not None)
    return Superpoints(of_voxel, pieces.sizes, nodes, pairs, compared, cloud)


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Data of a cloud's V voxels and S superpoints from which features of groups are computed.

    Attributes:
        points: (V, 3) float32 centroids in the network's canonical frame, metres; counts: (V,) int32 points per voxel.
        normals, places: (S, 3) float32 mean normal and position; rim: (S,) float32 share of the view's rim.
        seen, upright: whether viewpoint and up are known.
    """

    points: Array
    counts: NDArray[np.int32]
    normals: Array
    places: Array
    rim: Array
    seen: bool
    upright: bool

    def wholes(self, of_voxel: NDArray[np.int64], group: NDArray[np.int64]) -> Array:
        """See ``Superpoints.wholes``."""
        count = int(group.max(initial=-1)) + 1
        per_piece = np.bincount(of_voxel + 1, self.counts, len(group) + 1)[1:]
        order = np.lexsort((per_piece, group))
        main = order[np.searchsorted(group[order], np.arange(count), side="right") - 1]  # the largest piece of each
        length = np.linalg.norm(self.normals[main], axis=1)
        normal = self.normals[main] / np.maximum(length, 1e-6)[:, None]
        if not self.seen:  # normals have an arbitrary sign
            normal = normal * np.where(normal[:, 2:] < 0, -1, 1).astype(np.float32)
        total, beyond, below, radius = extents_of_groups(
            self.points, self.counts, of_voxel, group, self.places[main], normal, DEPTHS, UNDERSIDE, count
        )
        shares = np.log(np.concatenate([beyond, below[:, None]], 1) + LEAST_SHARE)
        columns = (
            np.log(np.maximum(total, 1)), total / max(self.counts.sum(), 1), length, normal[:, 2],
            per_piece[main] / np.maximum(total, 1), np.bincount(group, self.rim, count),
            radius, np.log(np.bincount(group, minlength=count)), np.full(count, self.seen),
            np.full(count, self.upright),
        )  # fmt: skip
        return np.concatenate([shares, np.stack(columns, 1)], 1, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Means and extents of S superpoints; positions are in the network's canonical frame, metres."""

    sizes: NDArray[np.int64]
    mean_features: Array
    peak_features: Array
    embedding: Array
    spread: Array
    surface: Array
    logit: Array
    place: Array
    axes: Array
    normal: Array
    facing: Array
    color: Array
    edge: Array
    low: Array
    high: Array
    underside: Array
    floor: float
    ceiling: float
    distance: Array

    @classmethod
    def of(
        cls, voxels: EmbeddedVoxels, grid: VoxelGrid, points: Array, of_voxel: NDArray[np.int64], count: int,
        turn: Array, seen_from: Array | None,
    ) -> _Pieces:  # fmt: skip
        colors = np.zeros((0, 3), np.float32) if grid.colors is None else grid.colors
        sizes, means, ends, spread, further = moments(
            points, voxels.normals @ turn.T, colors, voxels.surface, grid.scale.edges, voxels.embeddings, of_voxel,
            count, UNDERSIDE,
        )  # fmt: skip
        embedding, surface, logit, place, normal, facing, color, edge = np.split(
            means, voxels.embeddings.shape[1] + np.array([0, 1, 2, 5, 8, 11, 14]), axis=1
        )
        mean_features, peak_features = mean_and_largest(voxels.features, of_voxel, count)
        axes = np.sqrt(np.clip(np.linalg.eigvalsh(spread), 1e-8, None)).astype(np.float32)
        floor, ceiling = np.percentile(points[:, 2], [1, 99])
        distance = np.zeros(count) if seen_from is None else np.linalg.norm(place - turn @ seen_from, axis=1)
        return cls(
            sizes, mean_features, peak_features, embedding, further[:, 1:], surface, logit, place, axes, normal, facing,
            color, edge, ends[:, :1], ends[:, 1:], further[:, :1], float(floor), float(ceiling),
            distance.astype(np.float32),
        )  # fmt: skip

    @property
    def radius(self) -> Array:
        """(S,) root mean square distance of the voxels from their mean, metres."""
        return np.asarray(np.sqrt(np.square(self.axes).sum(1)))

    def nodes(self, voxels: int) -> Array:
        """(S, .) features of each superpoint by itself, in a scene of ``voxels`` voxels."""
        sizes = self.sizes[:, None].astype(np.float32)
        columns = (
            self.mean_features, self.peak_features, self.embedding[:, 3:], self.spread, self.logit, self.surface,
            np.log(sizes), np.sqrt(sizes / max(voxels, 1)), np.log(self.radius + 1e-3)[:, None], np.log(self.axes),
            self.normal, self.facing, self.color, np.log(self.edge / 0.01), self.high - self.low,
            np.clip(self.low - self.floor, -4, 4), np.clip(self.ceiling - self.high, -4, 4), self.underside,
            np.log1p(self.distance)[:, None],
        )  # fmt: skip
        return np.concatenate(columns, 1, dtype=np.float32)

    def compare(
        self, pairs: NDArray[np.int64], bonds: NDArray[np.float64], edges: NDArray[np.float64], unseen: float
    ) -> Array:
        """(P, 16) features of pairs.

        Args:
            pairs: (P, 2); bonds: (P,) sum of the bond logits between both; edges: (P,) number of these edges.
            unseen: colour difference to assume where a colour is unknown.
        """
        i, j = pairs.T
        change = np.linalg.norm(self.color[i] - self.color[j], axis=1)
        apart, away = self.embedding[i] - self.embedding[j], self.place[i] - self.place[j]
        distance = np.linalg.norm(away, axis=1)
        less, more = np.minimum(self.sizes[i], self.sizes[j]), np.maximum(self.sizes[i], self.sizes[j])
        columns = (
            np.linalg.norm(apart, axis=1), np.linalg.norm(apart[:, :3], axis=1), np.linalg.norm(apart[:, 3:], axis=1),
            bonds / np.maximum(edges, 1), edges > 0, np.log1p(edges), np.minimum(edges / less, 16), np.log(more),
            np.log(less), distance / (self.radius[i] + self.radius[j] + 0.01), np.log(distance + 0.01),
            np.abs(away[:, 2]), (self.normal[i] * self.normal[j]).sum(1),
            np.where(np.isnan(change), unseen, change), np.abs(self.logit[i] - self.logit[j])[:, 0],
            (np.maximum(self.low[i], self.low[j]) - np.minimum(self.high[i], self.high[j]))[:, 0],
        )  # fmt: skip
        return np.stack(columns, 1, dtype=np.float32)


def _pairs(
    low: NDArray[np.int64], high: NDArray[np.int64], embedding: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (P, 2) that touch or have near embeddings, and the rows of the touching ones in the order of ``low``."""
    count = len(embedding)
    touch = low * count + high
    near = np.zeros(0, np.int64)
    if count > 1:
        k = min(NEAREST + 1, count)
        i = np.repeat(np.arange(count), k)
        j = nearest_rows(embedding, embedding, k)[0].ravel()
        near = (np.minimum(i, j) * count + np.maximum(i, j))[i != j]
    keys = np.union1d(touch, near)
    return np.stack([keys // max(count, 1), keys % max(count, 1)], 1), np.searchsorted(keys, touch)


def _rim(grid: VoxelGrid, of_voxel: NDArray[np.int64], count: int, seen_from: Array | None) -> Array:
    """(S,) share of the view's rim that each superpoint covers; 0 without a viewpoint. Walls cover much of it, objects
    on a table none."""
    if seen_from is None:
        return np.zeros(count, np.float32)
    rays = grid.centroids - seen_from
    # z points from the scene to the sensor
    turn = canonical_rotation(mean_direction(rays)[None], np.zeros(3, np.float32), None)
    return np.asarray(rim_shares(rays @ turn.T, of_voxel, count, RIM_SECTORS))
