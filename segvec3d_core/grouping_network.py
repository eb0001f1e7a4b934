"""The network that groups superpoints: predicts which belong together and which lie on surfaces.

A graph transformer over the superpoints of one cloud, whose attention uses the pair features of ``find_superpoints``.
This is the form that is trained; ``inference.grouping`` is equivalent without torch.

S superpoints, P pairs, G groups, D width.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .config import GroupingConfig
from .inference.grouping import JUDGED, OUTLIER
from .superpoints import PAIR_FEATURES, WHOLE_FEATURES, node_features


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
