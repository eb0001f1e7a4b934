"""Inference on the CPU without gradients: packs the networks' weights and runs forward passes by fused kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .clock import Clock
from .kernels import bfloat16
from .kernels.attention import EDGE_DIM, spread
from .kernels.bonds import WIDTH, bond_logits
from .kernels.dense import Packed, fold, pack, tiled
from .kernels.forward import blocks, descend, enter, finish, layer, padded, pool, three_layers
from .kernels.vectors import PANEL

if TYPE_CHECKING:
    from .hierarchy import Hierarchy, Level
    from .network import Bonds, PointAttention, PointwiseAttention


KEPT_BYTES = 64 << 20
"""Larger buffers are not kept from one cloud to the next."""

Module = TypeVar("Module", bound=nn.Module)
Packing = TypeVar("Packing")
_kept: WeakKeyDictionary[nn.Module, tuple[object, Any]] = WeakKeyDictionary()


def packed(module: Module, make: Callable[[Module], Packing]) -> Packing:
    """The result of ``make`` for a module, cached until its weights change.

    Changes are detected by version counters, which a fused optimiser and writes through ``.data`` do not increase.
    """
    weights = tuple(module.parameters())
    if any(p.is_inference() for p in weights):  # inference tensors have no version counter
        return make(module)
    state = (bfloat16.multiplier(), *((p.data_ptr(), p._version) for p in weights))
    if module not in _kept or _kept[module][0] != state:
        _kept[module] = (state, make(module))
    made: Packing = _kept[module][1]
    return made


class FusedNetwork:
    """The forward pass of a network of the shipped form, with a copy of its weights in the kernels' layout.

    Raises:
        ValueError: a network that the kernels do not support, see ``fits``.
    """

    def __init__(self, network: PointAttention) -> None:
        if not self.fits(network):
            raise ValueError(f"network: not in float32 on CPU, or of a form that kernels do not know: {network.config}")
        self._config = network.config
        self._stems = [pack(stem.weight, stem.bias) for stem in cast("list[nn.Linear]", network.stems)]
        levels = cast("list[list[PointwiseAttention]]", network.layers)
        self._asks = [[_ask(attention) for attention in level] for level in levels]
        self._updates = [[_update(attention) for attention in level] for level in levels]
        self._refines = [_refine(network, i) for i in range(len(levels))]
        self._context = network.context
        first, second = cast(nn.Linear, network.fuse[0]), cast(nn.Linear, network.fuse[2])
        width = network.config.features
        self._fuse_in, self._fuse_out = pack(first.weight[:, :width], first.bias), pack(second.weight, second.bias)
        self._fuse_scene = first.weight[:, width:].detach()
        self._heads = _heads(network)
        self._room = _Room()

    @staticmethod
    def fits(network: PointAttention) -> bool:
        """Whether the kernels support this network: float32 on the CPU, widths that are multiples of ``PANEL``, and
        edge features, attention, residuals, concatenation and global context on, recomputation off."""
        c, weight = network.config, cast(nn.Linear, network.embed[1]).weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            return False
        whole = all(width % PANEL == 0 for width in (*c.channels, c.features, c.embedding))
        on = c.edge_features and c.attention and c.residual and c.concatenate and c.global_context
        return whole and on and not c.recompute

    def __call__(self, hierarchy: Hierarchy, clock: Clock) -> tuple[Tensor, Tensor, Tensor]:
        """F (V, d_f), e (V, d_e) and surface logits (V,), as ``PointAttention.forward`` but without the centre vote;
        ``clock`` measures the stages "network level 1" and so on, finest first."""
        outputs = self._encode(hierarchy, clock)
        h, peak = self._concatenate(outputs, hierarchy)
        z = self._context(torch.from_numpy(peak))  # (5)
        fuse_in = self._fuse_in.copy()
        fuse_in[:, 0].view(np.float32)[:] += (self._fuse_scene @ z).numpy().reshape(-1, PANEL)
        count = len(hierarchy.levels[0].inputs)
        f, e, logits = np.empty_like(h), padded(count, self._config.embedding), np.empty(count, np.float32)
        finish(blocks(count), h, fuse_in, self._fuse_out, *self._heads, f, e, logits)
        return torch.from_numpy(f)[:count], torch.from_numpy(e)[:count], torch.from_numpy(logits)

    def _encode(self, hierarchy: Hierarchy, clock: Clock) -> list[NDArray[np.float32]]:
        """(1) to (3): for each level the outputs of all its layers side by side, ``padded``."""
        everything: list[NDArray[np.float32]] = []
        below = np.zeros((len(hierarchy.levels[0].inputs), 0), np.float32)
        for i, level in enumerate(hierarchy.levels):
            with clock(f"network level {i + 1}"):
                outputs = self._level(i, level, below)
            everything.append(outputs)
            if level.parents is not None:
                at = outputs.shape[1] - self._config.channels[i]
                below = pool(outputs, at, level.parents.numpy(), len(hierarchy.levels[i + 1].inputs))
        return everything

    def _level(self, i: int, level: Level, below: NDArray[np.float32]) -> NDArray[np.float32]:
        count, width = len(level.inputs), self._config.channels[i]
        edges, neighbors = level.edges.numpy(), level.neighbors.numpy()
        asks, updates, bounds = self._asks[i], self._updates[i], blocks(count)
        outputs = self._room(f"outputs {i}", count, width * len(updates))
        f, f_next = (self._room(name, count, width) for name in ("f", "f next"))
        x, x_next = (self._room(name, count, asks[0][1].shape[0] * PANEL) for name in ("x", "x next"))
        enter(bounds, level.inputs.numpy(), edges, below, self._stems[i], *asks[0], f, x)
        for n, update in enumerate(updates):
            more = n + 1 < len(updates)
            ask = asks[n + 1 if more else n]
            layer(bounds, f, x, edges, neighbors, *update, *ask, more, outputs, n * width, f_next, x_next)
            f, f_next, x, x_next = f_next, f, x_next, x
        return outputs

    def _concatenate(
        self, outputs: list[NDArray[np.float32]], hierarchy: Hierarchy
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(4): H (V, d_f), ``padded``, and its maximum over all voxels (d_f,)."""
        width = self._config.features
        h, peaks = np.zeros((0, width), np.float32), np.zeros((0, width), np.float32)
        for i in reversed(range(len(outputs))):
            level, down = hierarchy.levels[i], h
            count = len(level.inputs)
            parents = np.zeros(0, np.int64) if level.parents is None else level.parents.numpy()
            bounds = blocks(count)
            h, peaks = self._room(f"h {i}", count, width), np.empty((len(bounds) - 1, width), np.float32)
            descend(bounds, outputs[i], down, parents, level.offsets.numpy(), *self._refines[i], h, peaks)
        return h, peaks.max(0)


class _Room:
    """Buffers between the kernels, reused from one cloud to the next: fresh pages, which the system must clear, cost as
    much time as a layer."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.float32]] = {}

    def __call__(self, name: str, count: int, width: int) -> NDArray[np.float32]:
        """An uninitialised ``padded`` array for ``count`` rows; it may share memory with the last of that name."""
        size = tiled(count) * width
        memory = self._kept.get(name, np.empty(0, np.float32))
        if len(memory) < size:
            memory = np.empty(size + size // 4, np.float32)
            if memory.nbytes <= KEPT_BYTES:
                self._kept[name] = memory
        return memory[:size].reshape(-1, width)


def _ask(attention: PointwiseAttention) -> tuple[Packed, Packed]:
    """phi, psi and gamma: their shared layer, and their second layers with the edge query as one map."""
    phi, psi, gamma = attention.phi, attention.psi, attention.gamma
    edge_weight = _spread_rows(attention.phi_edge.weight)
    edge_bias = _spread_rows(attention.phi_edge.bias[:, None])[:, 0]
    weight = torch.cat([phi.weight * attention.scale, psi.weight, gamma.weight, edge_weight])
    bias = torch.cat([phi.bias * attention.scale, psi.bias, gamma.bias, edge_bias])
    return pack(*fold(attention.norm, attention.shared)), pack(weight, bias)


def _spread_rows(weight: Tensor) -> Tensor:
    """``spread`` of the rows of a (10 H, .) weight -> (16 H, .)."""
    return spread(weight.T.reshape(weight.shape[1], -1, EDGE_DIM)).flatten(1).T


def _update(attention: PointwiseAttention) -> tuple[Packed, Packed, Packed]:
    """The maps after the attention: its output map and the two of the MLP."""
    norm, widen, _, narrow = cast("tuple[nn.LayerNorm, nn.Linear, nn.GELU, nn.Linear]", tuple(attention.mlp))
    width = attention.out.out_features
    values, poses = attention.out.weight[:, :width], attention.out.weight[:, width:]
    out = pack(torch.cat([values, _spread_rows(poses.T).T], 1), attention.out.bias)
    return out, pack(*fold(norm, widen)), pack(narrow.weight, narrow.bias)


def _refine(network: PointAttention, i: int) -> tuple[Packed, NDArray[np.float32], NDArray[np.float32], Packed]:
    """A level's maps in (4): of its layers' outputs, of the offsets, and the norm and linear map of ``refine``."""
    mix = cast(nn.Linear, network.mix[i])
    norm, _, linear = cast("tuple[nn.LayerNorm, nn.GELU, nn.Linear]", tuple(cast(nn.Sequential, network.refine[i])))
    bias, place = mix.bias.detach(), np.zeros((3, network.config.features), np.float32)
    if i < len(network.place):
        at = cast(nn.Linear, network.place[i])
        bias, place = bias + at.bias, np.ascontiguousarray(at.weight.detach().T.numpy())
    scale = torch.stack([norm.weight, norm.bias]).detach().numpy()
    return pack(mix.weight, bias), place, scale, pack(linear.weight, linear.bias)


def _heads(network: PointAttention) -> tuple[Packed, Packed, NDArray[np.float32]]:
    """The first layers of embedding and surface head as one map, then the second layer of each."""
    first = [fold(cast(nn.LayerNorm, h[0]), cast(nn.Linear, h[1])) for h in (network.embed, network.surface)]
    both = pack(*(torch.cat(parts) for parts in zip(*first, strict=True)))
    embed, surface = cast(nn.Linear, network.embed[3]), cast(nn.Linear, network.surface[3])
    return both, pack(embed.weight, embed.bias), torch.cat([surface.weight[0], surface.bias]).detach().numpy()


def fused_mlp(layers: nn.Sequential, x: Tensor) -> Tensor:
    """``layers(x)`` for (M, .) rows and three linear maps with GELU between them; fused on CPU without gradients."""
    if torch.is_grad_enabled() or x.device.type != "cpu" or x.dtype != torch.float32:
        return cast(Tensor, layers(x))
    (first, second, third), width = packed(layers, _three_maps), cast(nn.Linear, layers[4]).out_features
    rows, out = padded(*x.shape), padded(len(x), -(-width // PANEL) * PANEL)
    rows[: len(x)] = x.numpy()
    three_layers(blocks(len(x)), rows, first, second, third, out)
    return torch.from_numpy(out)[: len(x), :width]


def _three_maps(layers: nn.Sequential) -> list[Packed]:
    linears = (cast(nn.Linear, layers[i]) for i in (0, 2, 4))
    return [pack(linear.weight, linear.bias) for linear in linears]


def fused_bonds(bonds: Bonds, f: Tensor, level: Level) -> Tensor:
    """``bonds(f, level)`` on the CPU without gradients."""
    both, pose, out = packed(bonds, _bond_maps)
    ends, logits = padded(len(f), 2 * WIDTH), np.empty(tuple(level.neighbors.shape), np.float32)
    graph = level.edges.numpy(), level.neighbors.numpy()
    bond_logits(blocks(len(f)), f.contiguous().numpy(), both, *graph, pose, out, ends, logits)
    logits += bonds.out.bias.item()
    return torch.from_numpy(logits)


def _bond_maps(bonds: Bonds) -> tuple[Packed, NDArray[np.float32], NDArray[np.float32]]:
    """The maps of a bond head: of both ends of an edge as one, of poses (transposed), and the last layer."""
    (own, bias), (other, shift) = fold(bonds.norm, bonds.own), fold(bonds.norm, bonds.other)
    both = pack(torch.cat([own, other]), torch.cat([bias, shift]))
    pose, out = bonds.pose.weight.detach().numpy().T, bonds.out.weight.detach().numpy()[0]
    return both, pose.copy(), out.copy()
