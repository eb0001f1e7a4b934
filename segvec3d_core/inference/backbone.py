"""The backbone's forward pass by fused kernels, equivalent to ``network.PointAttention`` without gradients: packs the
weights as the kernels read them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..clock import Clock
from ..config import NetworkConfig
from ..hierarchy import Hierarchy, Level
from ..kernels.attention import EDGE_DIM, HEAD_DIM, spread
from ..kernels.bonds import WIDTH, bond_logits, color_bond_logits
from ..kernels.colors import SUMS, color_changes
from ..kernels.dense import Packed, pack, tiled
from ..kernels.forward import blocks, descend, enter, finish, layer, padded, pool
from ..kernels.vectors import PANEL
from .layers import Array, Weights

KEPT_BYTES = 64 << 20
"""Larger buffers are not kept from one cloud to the next."""
VOTE_SCALE = 0.1
"""Embedding units per voxel edge for the centre vote: ten voxels are one margin of equation (8)."""

Arrays = NDArray[Any]


class FusedNetwork:
    """The forward pass of a network of the shipped form, with a copy of its weights in the kernels' layout.

    Raises:
        ValueError: a network that the kernels do not support, see ``fits``.
    """

    def __init__(self, weights: Weights, config: NetworkConfig) -> None:
        if not self.fits(config):
            raise ValueError(f"network: of a form that kernels do not know: {config}")
        self._config, self._weights = config, weights
        self._stems = [weights.packed(f"stems.{i}") for i in range(len(config.channels))]
        layers = [[weights.part(f"layers.{i}.{n}") for n in range(count)] for i, count in enumerate(config.layers)]
        self._asks = [[_ask(one) for one in level] for level in layers]
        self._updates = [[_update(one) for one in level] for level in layers]
        self._refines = [_refine(weights, i) for i in range(len(layers))]
        width, first = config.features, weights["fuse.0.weight"]
        self._fuse_in, self._fuse_out = pack(first[:, :width], weights["fuse.0.bias"]), weights.packed("fuse.2")
        self._fuse_scene = first[:, width:]
        self._heads = _heads(weights)
        self._bonds = FusedBonds(weights.part("bonds"))
        self._color_bonds = _FusedColorBonds(weights.part("color_bonds")) if config.late_color else None
        self._room = _Room()

    @staticmethod
    def fits(config: NetworkConfig) -> bool:
        """Whether the kernels support this form: widths that are multiples of ``PANEL``, and edge features, attention,
        residuals, concatenation and global context on, recomputation off."""
        whole = all(width % PANEL == 0 for width in (*config.channels, config.features, config.embedding))
        on = config.edge_features and config.attention and config.residual and config.concatenate
        return whole and on and config.global_context and not config.recompute

    def __call__(self, hierarchy: Hierarchy[Arrays], clock: Clock) -> tuple[Array, Array, Array]:
        """F (V, d_f), e (V, d_e) and surface logits (V,), as ``PointAttention.forward``; ``clock`` measures the stages
        "network level 1" and so on, finest first."""
        outputs = self._encode(hierarchy, clock)
        h, peak = self._concatenate(outputs, hierarchy)
        z = self._weights.mlp("context", peak[None])[0]  # (5)
        fuse_in = self._fuse_in.copy()
        fuse_in[:, 0].view(np.float32)[:] += (self._fuse_scene @ z).reshape(-1, PANEL)
        count = len(hierarchy.levels[0].inputs)
        f, e, logits = np.empty_like(h), padded(count, self._config.embedding), np.empty(count, np.float32)
        finish(blocks(count), h, fuse_in, self._fuse_out, *self._heads, f, e, logits)
        if self._config.centre_vote:
            e[:count, :3] += hierarchy.levels[0].position * np.float32(VOTE_SCALE)
        return f[:count], e[:count], logits

    def judge_edges(self, f: Array, level: Level[Arrays], colors: Array | None) -> Array:
        """Bond logits (V, k), as ``PointAttention.judge_edges``."""
        logits = np.zeros(level.neighbors.shape, np.float32)
        if colors is not None and self._color_bonds is not None:
            self._color_bonds(f, colors, level.neighbors, logits)
        return self._bonds(f, level.edges, level.neighbors, logits)

    def _encode(self, hierarchy: Hierarchy[Arrays], clock: Clock) -> list[Array]:
        """(1) to (3): for each level the outputs of all its layers side by side, ``padded``."""
        everything: list[Array] = []
        below = np.zeros((len(hierarchy.levels[0].inputs), 0), np.float32)
        for i, level in enumerate(hierarchy.levels):
            with clock(f"network level {i + 1}"):
                outputs = self._level(i, level, below)
            everything.append(outputs)
            if level.parents is not None:
                at = outputs.shape[1] - self._config.channels[i]
                below = pool(outputs, at, level.parents, len(hierarchy.levels[i + 1].inputs))
        return everything

    def _level(self, i: int, level: Level[Arrays], below: Array) -> Array:
        count, width = len(level.inputs), self._config.channels[i]
        edges, neighbors = level.edges, level.neighbors
        asks, updates, bounds = self._asks[i], self._updates[i], blocks(count)
        outputs = self._room(f"outputs {i}", count, width * len(updates))
        f, f_next = (self._room(name, count, width) for name in ("f", "f next"))
        x, x_next = (self._room(name, count, asks[0][1].shape[0] * PANEL) for name in ("x", "x next"))
        enter(bounds, level.inputs, edges, below, self._stems[i], *asks[0], f, x)
        for n, update in enumerate(updates):
            more = n + 1 < len(updates)
            ask = asks[n + 1 if more else n]
            layer(bounds, f, x, edges, neighbors, *update, *ask, more, outputs, n * width, f_next, x_next)
            f, f_next, x, x_next = f_next, f, x_next, x
        return outputs

    def _concatenate(self, outputs: list[Array], hierarchy: Hierarchy[Arrays]) -> tuple[Array, Array]:
        """(4): H (V, d_f), ``padded``, and its maximum over all voxels (d_f,)."""
        width = self._config.features
        h, peaks = np.zeros((0, width), np.float32), np.zeros((0, width), np.float32)
        for i in reversed(range(len(outputs))):
            level, down = hierarchy.levels[i], h
            count = len(level.inputs)
            parents = np.zeros(0, np.int64) if level.parents is None else level.parents
            bounds = blocks(count)
            h, peaks = self._room(f"h {i}", count, width), np.empty((len(bounds) - 1, width), np.float32)
            descend(bounds, outputs[i], down, parents, level.offsets, *self._refines[i], h, peaks)
        return h, peaks.max(0)


class FusedBonds:
    """The forward pass of ``network.Bonds``."""

    def __init__(self, weights: Weights) -> None:
        (own, bias), (other, shift) = weights.folded("norm", "own"), weights.folded("norm", "other")
        self._both = pack(np.concatenate([own, other]), np.concatenate([bias, shift]))
        self._pose = weights["pose.weight"].T.copy()
        self._out, self._bias = weights["out.weight"][0], weights["out.bias"][0]

    def __call__(self, f: Array, edges: Array, neighbors: NDArray[np.int64], logits: Array | None = None) -> Array:
        """(V, d_f) features F -> (V, k) bond logits, added to ``logits`` in place if there are any."""
        ends = padded(len(f), 2 * WIDTH)
        if logits is None:
            logits = np.zeros(neighbors.shape, np.float32)
        bond_logits(blocks(len(f)), f, self._both, edges, neighbors, self._pose, self._out, ends, logits)
        logits += self._bias
        return logits


class _FusedColorBonds:
    """The forward pass of ``network.Bonds`` on changes of colour.

    Sums of both ends' changes enter by a linear map: each end contributes its own, and edges have the rest.
    """

    def __init__(self, weights: Weights) -> None:
        (own, bias), (other, shift) = weights.folded("norm", "own"), weights.folded("norm", "other")
        pose = weights["pose.weight"]
        ends = [np.concatenate([end, pose[:, SUMS]], 1) for end in (own, other)]
        self._both = pack(np.concatenate(ends), np.concatenate([bias, shift]))
        self._pose = np.delete(pose, SUMS, 1).T.copy()
        self._out, self._bias = weights["out.weight"][0], weights["out.bias"][0]

    def __call__(self, f: Array, colors: Array, neighbors: NDArray[np.int64], logits: Array) -> None:
        """Write the bond logits (V, k) to ``logits``, which are zero, where the colours of both ends are known."""
        bounds, ends = blocks(len(f)), padded(len(f), 2 * WIDTH)
        changes, around, blank = color_changes(bounds, colors, neighbors)
        color_bond_logits(
            bounds, f, self._both, changes, around, blank, neighbors, self._pose, self._out, self._bias, ends, logits
        )


class _Room:
    """Buffers between the kernels, reused from one cloud to the next: fresh pages, which the system must clear, cost as
    much time as a layer."""

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}

    def __call__(self, name: str, count: int, width: int) -> Array:
        """An uninitialised ``padded`` array for ``count`` rows; it may share memory with the last of that name."""
        size = tiled(count) * width
        memory = self._kept.get(name, np.empty(0, np.float32))
        if len(memory) < size:
            memory = np.empty(size + size // 4, np.float32)
            if memory.nbytes <= KEPT_BYTES:
                self._kept[name] = memory
        return memory[:size].reshape(-1, width)


def _ask(attention: Weights) -> tuple[Packed, Packed]:
    """phi, psi and gamma: their shared layer, and their second layers with the edge query as one map."""
    scale = np.float32(HEAD_DIM**-0.5)
    edge_weight = _spread_rows(attention["phi_edge.weight"])
    edge_bias = _spread_rows(attention["phi_edge.bias"][:, None])[:, 0]
    weight = [attention["phi.weight"] * scale, attention["psi.weight"], attention["gamma.weight"], edge_weight]
    bias = [attention["phi.bias"] * scale, attention["psi.bias"], attention["gamma.bias"], edge_bias]
    return pack(*attention.folded("norm", "shared")), pack(np.concatenate(weight), np.concatenate(bias))


def _spread_rows(weight: Array) -> Array:
    """``spread`` of the rows of a (10 H, .) weight -> (16 H, .)."""
    columns = weight.shape[1]
    return spread(weight.T.reshape(columns, -1, EDGE_DIM)).reshape(columns, -1).T


def _update(attention: Weights) -> tuple[Packed, Packed, Packed]:
    """The maps after the attention: its output map and the two of the MLP."""
    weight = attention["out.weight"]
    width = len(weight)
    out = np.concatenate([weight[:, :width], _spread_rows(weight[:, width:].T).T], 1)
    return pack(out, attention["out.bias"]), pack(*attention.folded("mlp.0", "mlp.1")), attention.packed("mlp.3")


def _refine(weights: Weights, i: int) -> tuple[Packed, Array, Array, Packed]:
    """A level's maps in (4): of its layers' outputs, of the offsets, and the norm and linear map of ``refine``."""
    mix, bias = weights[f"mix.{i}.weight"], weights[f"mix.{i}.bias"]
    place = np.zeros((3, len(mix)), np.float32)
    if weights.has(f"place.{i}"):
        bias, place = bias + weights[f"place.{i}.bias"], weights[f"place.{i}.weight"].T.copy()
    scale = np.stack([weights[f"refine.{i}.0.weight"], weights[f"refine.{i}.0.bias"]])
    return pack(mix, bias), place, scale, weights.packed(f"refine.{i}.2")


def _heads(weights: Weights) -> tuple[Packed, Packed, Array]:
    """The first layers of embedding and surface head as one map, then the second layer of each."""
    first = [weights.folded(f"{head}.0", f"{head}.1") for head in ("embed", "surface")]
    both = pack(*(np.concatenate(parts) for parts in zip(*first, strict=True)))
    surface = np.append(weights["surface.3.weight"][0], weights["surface.3.bias"])
    return both, weights.packed("embed.3"), surface
