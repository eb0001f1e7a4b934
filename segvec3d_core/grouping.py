"""Superpoints to instances: a small graph network predicts which belong together and which lie on surfaces.

An addition to the paper. Equation (8) draws an instance's embeddings together voxel by voxel; whether two pieces belong
to one table is seen from the pieces as wholes: their sizes, their contact, their surroundings. The network is a graph
transformer over the superpoints of one cloud, whose attention uses the pair features of ``find_superpoints``.

S superpoints, P pairs, G groups, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .clustering import ClusteringConfig, Embeddings, Labels, absorb_fragments, drop_small
from .kernels.agglomeration import average_linkage
from .superpoints import PAIR_FEATURES, WHOLE_FEATURES, Superpoints, node_features

JUDGED = 8.0
"""Logits are clipped to this magnitude."""
OUTLIER = 6.0
"""Standardised features are clipped to this many standard deviations."""


@dataclass(frozen=True, slots=True)
class GroupingConfig:
    """Architecture of the grouping network.

    Attributes:
        features, embedding: d_f and d_e of the backbone.
        width: D; heads, layers: of the attention; dropout: rates for the inputs and for the hidden features.
    """

    features: int = 96
    embedding: int = 16
    width: int = 64
    heads: int = 4
    layers: int = 3
    dropout: tuple[float, float] = (0.1, 0.05)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GroupingConfig:
        return cls(**{**values, "dropout": tuple(values["dropout"])})


class _Attention(nn.Module):
    """A layer: attention over the superpoints that each is paired with, plus the scene's mean."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.pair_score, self.pair_value = nn.Linear(width, heads), nn.Linear(width, width)
        self.out, self.context = nn.Linear(width, width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, ends: Tensor, pair: Tensor, scene: Tensor, scenes: int) -> Tensor:
        """Update (S, D) features ``x`` -> (S, D).

        Args:
            ends: (2, 2 P) int64 source and target of each pair in both directions; pair: (P, D) features.
            scene: (S,) int64 scene index; scenes: number of scenes.
        """
        (count, width), heads = x.shape, (self.heads, x.shape[1] // self.heads)
        i, j = ends
        known = self.norm(x)
        q, k, v = self.ask(known).view(count, 3, *heads).unbind(1)
        score = (q[i] * k[j]).sum(2) * heads[1] ** -0.5 + self.pair_score(pair).repeat(2, 1)
        weight = score.clamp(-15, 15).exp()
        value = (v[j] + self.pair_value(pair).repeat(2, 1).view(len(j), *heads)) * weight[:, :, None]
        total = x.new_full((count, self.heads), 1e-3).index_add(0, i, weight)
        heard = x.new_zeros(count, *heads).index_add(0, i, value) / total[:, :, None]
        rows = x.new_zeros(scenes).index_add(0, scene, x.new_ones(count))
        around = x.new_zeros(scenes, width).index_add(0, scene, known) / rows.clamp_min(1)[:, None]
        x = x + self.out(heard.reshape(count, width)) + self.context(around)[scene]
        return cast(Tensor, x + self.mlp(x))


class _Standard(nn.Module):
    """Standardises inputs by mean and deviation of the training scenes, clips outliers, sets NaN to the mean."""

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def learn(self, rows: Tensor) -> None:
        self.mean.copy_(rows.nanmean(0).nan_to_num(0.0))
        self.scale.copy_(1 / (rows - self.mean).square().nanmean(0).sqrt().nan_to_num(1.0).clamp_min(1e-4))

    def forward(self, rows: Tensor) -> Tensor:
        return ((rows - self.mean) * self.scale).clamp(-OUTLIER, OUTLIER).nan_to_num(0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The network's output for the superpoints of one cloud.

    Attributes:
        same: (P,) float32 logits that a pair belongs to one instance.
        kinds: function of (S,) int64 group indices, 0 to G - 1 -> (G,) float32 logits that a group is a surface.
    """

    same: NDArray[np.float32]
    kinds: Callable[[NDArray[np.int64]], NDArray[np.float32]]


class SuperpointNetwork(nn.Module):
    """Predicts which pairs of superpoints belong to one instance and which groups of superpoints are surfaces."""

    def __init__(self, config: GroupingConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GroupingConfig()
        nodes, d = node_features(config.features, config.embedding), config.width
        self.standard_node, self.standard_edge = _Standard(nodes), _Standard(PAIR_FEATURES)
        self.drop_in, self.drop_out = (nn.Dropout(share) for share in config.dropout)
        self.enter = nn.Sequential(nn.Linear(nodes, 2 * d), nn.GELU(), nn.Linear(2 * d, d))
        self.enter_pair = nn.Sequential(nn.Linear(PAIR_FEATURES, d), nn.GELU(), nn.Linear(d, d))
        self.layers = nn.ModuleList(_Attention(d, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(d)
        self.same = nn.Sequential(nn.Linear(4 * d, 2 * d), nn.GELU(), nn.Linear(2 * d, 1))
        self.surface = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, 1))
        self.standard_whole = _Standard(WHOLE_FEATURES)
        self.enter_whole = nn.Sequential(nn.Linear(WHOLE_FEATURES, d), nn.GELU(), nn.Linear(d, d))
        self.kind = nn.Sequential(nn.Linear(2 * d, d), nn.GELU(), nn.Linear(d, 1))

    def standardise(self, nodes: Tensor, edges: Tensor, wholes: Tensor) -> None:
        """Set mean and scale of the inputs from those of the training scenes."""
        self.standard_node.learn(nodes)
        self.standard_edge.learn(edges)
        self.standard_whole.learn(wholes)

    def forward(
        self, nodes: Tensor, pairs: Tensor, edges: Tensor, scene: Tensor, scenes: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score the superpoints of one or more scenes.

        Args:
            nodes: (S, .), pairs: (P, 2) and edges: (P, 16) as in ``Superpoints``.
            scene: (S,) int64 scene index of each superpoint; scenes: number of scenes.

        Returns:
            (P,) logits that a pair belongs to one instance, (S,) logits that a superpoint lies on a surface, and
            (S, D) features for ``kinds``.
        """
        x = self.drop_out(self.enter(self.drop_in(self.standard_node(nodes))))
        pair = self.drop_out(self.enter_pair(self.standard_edge(edges)))
        ends = torch.cat([pairs, pairs.flip(1)]).T
        for layer in self.layers:
            x = layer(x, ends, pair, scene, scenes)
        x = self.drop_out(self.norm(x))
        a, b = x[pairs[:, 0]], x[pairs[:, 1]]
        same = self.same(torch.cat([a + b, (a - b).abs(), a * b, pair], 1))
        return same.squeeze(1), self.surface(x).squeeze(1), x

    def kinds(self, on_surface: Tensor, x: Tensor, sizes: Tensor, group: Tensor, wholes: Tensor) -> Tensor:
        """Score groups of superpoints as wholes.

        Args:
            on_surface: (S,), x: (S, D) from ``forward``; sizes: (S,) numbers of voxels.
            group: (S,) int64 group of each superpoint, 0 to G - 1; wholes: (G, 15) from ``Superpoints.wholes``.

        Returns:
            (G,) logits that a group is a surface.
        """
        weight = sizes.to(x.dtype)
        weight = weight / x.new_zeros(len(wholes)).index_add(0, group, weight)[group]
        mean = x.new_zeros(len(wholes), x.shape[1]).index_add(0, group, x * weight[:, None])
        votes = x.new_zeros(len(wholes)).index_add(0, group, on_surface.clamp(-JUDGED, JUDGED) * weight)
        whole = self.drop_out(self.enter_whole(self.standard_whole(wholes)))
        return votes + self.kind(torch.cat([mean, whole], 1)).squeeze(1)

    @torch.inference_mode()
    def judge(self, superpoints: Superpoints) -> Judged:
        """Apply ``forward`` to one scene and prepare ``kinds`` for groups that are formed later."""
        nodes, pairs, edges = map(torch.from_numpy, (superpoints.nodes, superpoints.pairs, superpoints.edges))
        scene = torch.zeros(len(nodes), dtype=torch.int64)
        same, surface, x = self(nodes, pairs, edges, scene, 1)

        @torch.inference_mode()
        def kinds(group: NDArray[np.int64]) -> NDArray[np.float32]:
            values = map(torch.from_numpy, (superpoints.sizes, group, superpoints.wholes(group)))
            return np.asarray(self.kinds(surface, x, *values).numpy())

        return Judged(same.numpy(), kinds)


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
        judged: from ``SuperpointNetwork.judge``; e: (V, d_e) embeddings.
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
