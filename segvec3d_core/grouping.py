"""Superpoints to instances: a small graph network predicts which belong together and which lie on surfaces.

An addition to the paper. Equation (8) draws an instance's embeddings together voxel by voxel; whether two pieces belong
to one table is seen from the pieces as wholes: their sizes, their contact, their surroundings. The network is that of
``grouping_network``, here it has spoken.

S superpoints, P pairs, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clustering import ClusteringConfig, Embeddings, Labels, absorb_fragments, drop_small
from .inference.grouping import JUDGED, Judged
from .kernels.agglomeration import average_linkage
from .superpoints import Superpoints


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """Pairwise scores of the superpoints of a cloud.

    Attributes:
        of_voxel: (V,) int64 superpoint of each voxel, -1 for none; pairs: (P, 2) int64.
        same: (P,) float64 clipped logits that a pair belongs to one instance.
        weight: (P,) float64 weight of each pair in means between groups: root of the smaller superpoint's voxels.
    """

    of_voxel: NDArray[np.int64]
    pairs: NDArray[np.int64]
    same: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, superpoints: Superpoints, judged: Judged) -> Ties:
        """The scores of a cloud's superpoints from the network's output."""
        sizes = superpoints.sizes.astype(np.float64)
        weight = np.sqrt(np.minimum(*sizes[superpoints.pairs.T]))
        return cls(superpoints.of_voxel, superpoints.pairs, np.clip(judged.same, -JUDGED, JUDGED), weight)

    def affinity(self, instances: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Probability that two instances are parts of one -> (K, K) float32, symmetric, 0 if they share no pair.

        It is the mean by which average linkage kept them apart, except that adopted fragments count, too.

        Args:
            instances: voxel indices of each of K instances.
        """
        home, count = np.full(int(self.of_voxel.max(initial=-1)) + 2, -1), len(instances)
        for k, voxels in enumerate(instances):
            home[self.of_voxel[voxels]] = k
        home[-1] = -1  # written by voxels without a superpoint
        a, b = home[self.pairs.T]
        meet = (a >= 0) & (b >= 0) & (a != b)
        key = np.concatenate([a[meet] * count + b[meet], b[meet] * count + a[meet]])
        total = np.bincount(key, np.tile(self.weight[meet], 2), count * count)
        mean = np.bincount(key, np.tile((self.same * self.weight)[meet], 2), count * count) / np.maximum(total, 1e-9)
        return np.where(total > 0, 1 / (1 + np.exp(-mean)), 0.0).reshape(count, count).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """The grouping of a cloud's superpoints.

    Attributes:
        objects, surfaces: (V,) int64 instance of each voxel, -1 for none.
        surface: (V,) float32 probability of lying on a surface, that of the voxel's group.
        doubts: (V, 2) float32, for the voxel's group: mean logit of the pairs inside, and highest mean logit of the
            pairs to another group; 0 for voxels without a superpoint.
        ties: pairwise scores of the superpoints.
    """

    objects: Labels
    surfaces: Labels
    surface: NDArray[np.float32]
    doubts: NDArray[np.float32]
    ties: Ties


def group_superpoints(
    superpoints: Superpoints,
    judged: Judged,
    e: Embeddings,
    surface: NDArray[np.float32],
    config: ClusteringConfig,
) -> Grouped:
    """Join superpoints by average linkage of their pairs' logits and classify each group as surface or object.

    Args:
        judged: from ``FusedGrouping``; e: (V, d_e) embeddings.
        surface: (V,) probability of lying on a surface, used for voxels without a superpoint.
    """
    ties, (low, high) = Ties.of(superpoints, judged), superpoints.pairs.T
    joined = join(ties, len(superpoints.sizes), config.join_threshold)
    kinds = np.clip(judged.kinds(joined), -JUDGED, JUDGED).astype(np.float64)
    at = superpoints.of_voxel
    inside = at >= 0
    group = np.where(inside, np.append(joined, -1)[at], -1)
    p = np.where(inside, np.append(1 / (1 + np.exp(-kinds[joined])), 0.0)[at], surface).astype(np.float32)
    top = p > config.kind_threshold
    surfaces = drop_small(np.where(top, group, -1), config.min_surface_voxels)
    objects = absorb_fragments(e, np.where(top, -1, group), ~top, config)
    doubts = np.append(_doubts(joined, low, high, ties.same * ties.weight, ties.weight), np.zeros((1, 2)), 0)
    return Grouped(objects, surfaces, p, doubts[at].astype(np.float32), ties)


def join(ties: Ties, count: int, threshold: float) -> NDArray[np.int64]:
    """(S,) group of each of ``count`` superpoints, from 0 up, by average linkage: groups are joined while the mean
    logit of the pairs between them exceeds that of ``threshold``, a probability."""
    (low, high), weight = ties.pairs.T, ties.weight
    least = np.log(threshold / (1 - threshold))
    linked = average_linkage(low.copy(), high.copy(), ties.same * weight, weight.copy(), count, least)
    return np.unique(linked, return_inverse=True)[1].astype(np.int64)


def _doubts(
    joined: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], sums: NDArray[np.float64],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """(S, 2) for each superpoint's group: weighted mean logit of the pairs inside, and the highest mean logit to
    another group; ``JUDGED`` and ``-JUDGED`` where there are no such pairs."""
    count = len(joined)
    a, b = joined[low], joined[high]
    own, rest = a == b, a != b
    total = np.bincount(a[own], weight[own], count)
    inside = np.full(count, JUDGED)
    np.divide(np.bincount(a[own], sums[own], count), total, out=inside, where=total > 0)
    keys, at = np.unique(np.minimum(a, b)[rest] * count + np.maximum(a, b)[rest], return_inverse=True)
    between = np.bincount(at, sums[rest], len(keys)) / np.bincount(at, weight[rest], len(keys))
    across = np.full(count, -JUDGED)
    for ends in (keys // max(count, 1), keys % max(count, 1)):
        np.maximum.at(across, ends, between)
    return np.stack([inside, across], 1)[joined]
