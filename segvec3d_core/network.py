"""The point-attention network of section 3: equations (1) to (7), in the order of the paper.

``PointAttention`` turns a ``Hierarchy`` into per-voxel features F and embeddings e. V voxels at the finest level,
C channels, k neighbours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from .clock import Clock
from .config import NetworkConfig
from .hierarchy import Hierarchy, Level
from .inference.backbone import VOTE_SCALE, FusedBonds, FusedNetwork
from .inference.layers import Weights
from .kernels.attention import EDGE_DIM, HEAD_DIM
from .kernels.attention_torch import neighborhood_attention
from .kernels.bonds import WIDTH
from .kernels.bonds import reference as bonds_reference
from .kernels.colors import color_edges, color_edges_reference
from .kernels.shape import VOXEL_FEATURES
from .trained import packed

BOND_ROWS = 1 << 16
"""Voxels per block when bonds are computed without the fused kernel and without gradients."""


class PointwiseAttention(nn.Module):
    """Equations (1), (2) and (3): attention over each voxel's neighbours with a residual connection.

    phi, psi and gamma are two-layer MLPs that share their first layer; a voxel-wise MLP follows, as in transformers.
    """

    def __init__(self, channels: int, config: NetworkConfig) -> None:
        super().__init__()
        self.heads = channels // HEAD_DIM
        self.config = config
        self.norm = nn.LayerNorm(channels)
        self.shared = nn.Linear(channels, channels)
        self.phi = nn.Linear(channels, channels)
        self.phi_edge = nn.Linear(channels, self.heads * EDGE_DIM)
        self.psi = nn.Linear(channels, channels)
        self.gamma = nn.Linear(channels, channels)
        self.out = nn.Linear(channels + self.heads * EDGE_DIM, channels)
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )
        self.scale = HEAD_DIM**-0.5

    def forward(self, f: Tensor, level: Level[Tensor]) -> Tensor:
        """Map (V_l, C) features of one layer to (V_l, C) features of the next."""
        v, h = len(f), self.heads
        shared = nn.functional.gelu(self.shared(self.norm(f)))
        q = (self.phi(shared) * self.scale).view(v, h, -1)
        u = self.phi_edge(shared).view(v, h, EDGE_DIM)
        edges = level.edges if self.config.edge_features else torch.zeros_like(level.edges)
        out, rel = neighborhood_attention(
            q,
            self.psi(shared).view(v, h, -1),
            self.gamma(shared).view(v, h, -1),
            u,
            edges,
            level.neighbors,
            uniform=not self.config.attention,
        )
        aggregated = self.out(torch.cat([out.reshape(v, -1), rel.reshape(v, -1)], 1))
        f = f + aggregated if self.config.residual else aggregated
        return f + self.mlp(f) if self.config.residual else self.mlp(f)


def add_up(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Sum (M, C) values by owner, (M,) int64 -> (count, C). Deterministic on a GPU, too."""
    sums = values.new_zeros(count, values.shape[1])
    if values.device.type == "cuda":
        return sums.index_put_((owner,), values, accumulate=True)
    return sums.index_add_(0, owner, values)


def pool(f: Tensor, parents: Tensor, count: int) -> Tensor:
    """Mean of (V_l, C) features over the children of each of ``count`` parents -> (count, C)."""
    total = add_up(f, parents, count)
    return total / add_up(f.new_ones(len(f), 1), parents, count)


def recomputed(level: Level[Tensor], f: Tensor) -> Level[Tensor]:
    """The level with recomputed neighbourhoods: the k nearest voxels in the space of (V_l, C) features ``f``.

    Of the relative pose only the offset and its length are filled in; the remaining entries are zero, because they are
    computed only for neighbours in space.
    """
    k = level.neighbors.shape[1]
    with torch.no_grad():
        nearest = torch.cat(
            [torch.cdist(part, f).topk(min(k, len(f)), largest=False).indices for part in f.split(1024)]
        )
        own = torch.arange(len(f), device=f.device)[:, None]
        nearest = torch.cat([nearest, own.expand(-1, k - nearest.shape[1])], 1)
        voxel = 1.0 / level.scale
        offset = (level.position[nearest] - level.position[:, None]) * (0.5 * voxel)
        edges = torch.zeros_like(level.edges)
        edges[:, :, :3], edges[:, :, 3] = offset, offset.norm(dim=2)
    return replace(level, neighbors=nearest, edges=edges)


class Bonds(nn.Module):
    """Bond head: a two-layer MLP of both voxels' features and their relative pose predicts whether they belong to one
    instance.

    Embeddings change gradually where two objects touch; the boundary itself is seen best from the edge. A second
    instance of this class reads colour changes along the edges (``colored``) in place of the pose.

    Args:
        features: d_f.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.own = nn.Linear(features, WIDTH)
        self.other = nn.Linear(features, WIDTH, bias=False)
        self.pose = nn.Linear(EDGE_DIM, WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, 1)

    def forward(self, f: Tensor, level: Level[Tensor]) -> Tensor:
        """(V, d_f) features F -> (V, k) bond logits, positive for edges within one instance."""
        if not torch.is_grad_enabled() and f.device.type == "cpu" and f.dtype == torch.float32:
            fused = packed(self, lambda bonds: FusedBonds(Weights.of(bonds)))
            return torch.from_numpy(fused(f.contiguous().numpy(), level.edges.numpy(), level.neighbors.numpy()))
        f = self.norm(f)
        own, other, pose, out = self.own(f), self.other(f), self.pose.weight, self.out.weight[0]
        rows = len(f) if torch.is_grad_enabled() else BOND_ROWS  # the hidden layer of all edges takes much memory
        parts = zip(own.split(rows), level.edges.split(rows), level.neighbors.split(rows), strict=True)
        logits = [bonds_reference(mine, other, edges, neighbors, pose, out) for mine, edges, neighbors in parts]
        return torch.cat(logits) + self.out.bias

    def some(self, f: Tensor, level: Level[Tensor], edges: Tensor) -> Tensor:
        """The same for a subset of edges, (M,) flat indices into (V, k) -> (M,) logits; for training."""
        f, k = self.norm(f), level.neighbors.shape[1]
        i, j = edges // k, level.neighbors.reshape(-1)[edges]
        hidden = self.own(f)[i] + self.other(f)[j] + self.pose(level.edges.reshape(-1, EDGE_DIM)[edges])
        return self.out(nn.functional.relu(hidden)).squeeze(1)


def colored(level: Level[Tensor], colors: Tensor) -> Level[Tensor]:
    """The level with changes of (V, 3) colours along its edges in place of relative poses, see ``kernels.colors``."""
    if colors.device.type == "cpu":
        return replace(level, edges=torch.from_numpy(color_edges(colors.numpy(), level.neighbors.numpy())))
    return replace(level, edges=color_edges_reference(colors, level.neighbors))


def both_colored(level: Level[Tensor], colors: Tensor) -> Tensor:
    """Which edges have a known colour at both ends -> (V, k) bool, or (1, 1) if all have.

    Drivers report (0, 0, 0) where the colour camera saw nothing, so black of (V, 3) colours counts as unknown.
    """
    seen = colors.any(1)
    if colors.device.type == "cpu" and seen.all():
        return seen.new_ones(1, 1)
    return seen[:, None] & seen[level.neighbors]


class PointAttention(nn.Module):
    """The backbone: computes features F, embeddings e and surface logits from a hierarchy.

    Layers run from fine to coarse voxels; the multi-scale concatenation (4) then runs from the coarsest level down, so
    that every finest voxel combines the outputs of all layers around it.
    """

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or NetworkConfig()
        c = config.channels
        self.stems = nn.ModuleList(
            nn.Linear(VOXEL_FEATURES + EDGE_DIM + (c[i - 1] if i else 0), width) for i, width in enumerate(c)
        )
        self.layers = nn.ModuleList(
            nn.ModuleList(PointwiseAttention(width, config) for _ in range(count))
            for width, count in zip(c, config.layers, strict=True)
        )
        counts = config.layers if config.concatenate else tuple(1 for _ in config.layers)
        self.mix = nn.ModuleList(nn.Linear(width * n, config.features) for width, n in zip(c, counts, strict=True))
        self.place = nn.ModuleList(nn.Linear(3, config.features) for _ in c[1:])
        self.refine = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(config.features), nn.GELU(), nn.Linear(config.features, config.features))
            for _ in c
        )
        d = config.features
        self.context = nn.Sequential(nn.Linear(d, d), nn.GELU(), nn.Linear(d, d))
        self.fuse = nn.Sequential(nn.Linear(2 * d, d), nn.GELU(), nn.Linear(d, d))
        self.embed = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.GELU(), nn.Linear(d, config.embedding))
        self.surface = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d // 2), nn.GELU(), nn.Linear(d // 2, 1))
        self.bonds = Bonds(d)
        self.color_bonds = Bonds(d) if config.late_color else None
        if self.color_bonds is not None:  # colours have no influence until trained
            nn.init.zeros_(self.color_bonds.out.weight)
            nn.init.zeros_(self.color_bonds.out.bias)

    def encode(self, hierarchy: Hierarchy[Tensor]) -> list[list[Tensor]]:
        """Stacked attention layers, (1) to (3): outputs h of every layer, by level."""
        outputs: list[list[Tensor]] = []
        below: Tensor | None = None
        for i, level in enumerate(hierarchy.levels):
            # The mean edge is a cheap summary of the neighbourhood: its centre of mass and curvature.
            parts = [level.inputs, level.edges.mean(1)]
            if below is not None:
                parents = hierarchy.levels[i - 1].parents
                assert parents is not None
                parts.append(pool(below, parents, len(level.inputs)))
            f = self.stems[i](torch.cat(parts, 1))
            outputs.append([])
            for depth, layer in enumerate(cast(nn.ModuleList, self.layers[i])):
                f = layer(f, recomputed(level, f) if self.config.recompute and depth else level)
                outputs[i].append(f)
            below = f
        return outputs

    def concatenate(self, outputs: list[list[Tensor]], hierarchy: Hierarchy[Tensor]) -> Tensor:
        """Equation (4): H = MLP([h1; ...; hL]) -> (V, d_f).

        A linear map of a concatenation is a sum of linear maps, so coarse layers are mapped at their own, small number
        of voxels and then passed down to their children.
        """
        down: Tensor | None = None
        for i in reversed(range(len(outputs))):
            used = outputs[i] if self.config.concatenate else outputs[i][-1:]
            here = self.mix[i](torch.cat(used, 1)) if (self.config.concatenate or down is None) else None
            if down is not None:
                parents = hierarchy.levels[i].parents
                assert parents is not None
                handed = down[parents] + self.place[i](hierarchy.levels[i].offsets)
                here = handed if here is None else here + handed
            assert here is not None
            down = here + self.refine[i](here)
        assert down is not None
        return down

    def forward(self, hierarchy: Hierarchy[Tensor], clock: Clock | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Features, embeddings and surface logits of the finest voxels.

        Args:
            clock: measures each level if the fused CPU kernels run; unused otherwise.

        Returns:
            F (V, d_f), equation (6); e (V, d_e), equation (7); logits (V,), positive for surfaces.
        """
        fused = self._fused(hierarchy)
        if fused is None:
            return self.plain(hierarchy)
        f, e, logits = map(torch.from_numpy, fused(hierarchy.arrays(), clock or Clock()))
        return f, e, logits

    def judge_edges(self, f: Tensor, level: Level[Tensor], colors: Tensor | None) -> Tensor:
        """Bond logits -> (V, k), positive for edges within one instance: the geometric head's, plus the colour head's
        where both ends have a colour.

        Args:
            f: (V, d_f) F; level: the finest; colors: (V, 3) mean RGB of the voxels, 0 to 1, or None.
        """
        logits = cast(Tensor, self.bonds(f, level))
        if colors is None or self.color_bonds is None:
            return logits
        return logits + cast(Tensor, self.color_bonds(f, colored(level, colors))) * both_colored(level, colors)

    def judge_some_edges(self, f: Tensor, level: Level[Tensor], colors: Tensor | None, edges: Tensor) -> Tensor:
        """The same for a subset of edges, see ``Bonds.some``."""
        logits = self.bonds.some(f, level, edges)
        if colors is None or self.color_bonds is None:
            return logits
        known = both_colored(level, colors).expand(level.neighbors.shape).reshape(-1)[edges]
        return logits + self.color_bonds.some(f, colored(level, colors), edges) * known

    def plain(self, hierarchy: Hierarchy[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """The outputs of ``forward`` in plain torch: differentiable, on any device."""
        h = self.concatenate(self.encode(hierarchy), hierarchy)
        f = h
        if self.config.global_context:
            z = self.context(h.max(0).values)  # (5)
            f = h + self.fuse(torch.cat([h, z.expand_as(h)], 1))  # (6)
        e = self.embed(f)  # (7)
        if self.config.centre_vote:
            e = torch.cat([e[:, :3] + hierarchy.levels[0].position * VOTE_SCALE, e[:, 3:]], 1)
        return f, e, self.surface(f).squeeze(1)

    def _fused(self, hierarchy: Hierarchy[Tensor]) -> FusedNetwork | None:
        """The fused kernels with the current weights, or None if they do not apply: they need float32 on the CPU, no
        gradients, and the shipped architecture."""
        inputs, weight = hierarchy.levels[0].inputs, cast(nn.Linear, self.embed[1]).weight
        plain = any(x.device.type != "cpu" or x.dtype != torch.float32 for x in (inputs, weight))
        if torch.is_grad_enabled() or plain or not FusedNetwork.fits(self.config):
            return None
        return packed(self, lambda network: FusedNetwork(Weights.of(network), network.config))
