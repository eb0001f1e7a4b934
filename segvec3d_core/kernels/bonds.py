"""The bond head: a fused CPU kernel, and its reference in plain torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from .attention import EDGE_DIM
from .colors import CHANGES
from .dense import dense, standardize, tiled
from .vectors import Writer

if TYPE_CHECKING:
    from torch import Tensor

WIDTH = 32
"""W, width of the hidden layer; constant, because the kernel is compiled for it."""


def reference(own: Tensor, other: Tensor, edges: Tensor, neighbors: Tensor, pose: Tensor, out: Tensor) -> Tensor:
    """w . relu(own_i + other_j + P r_ij) in plain torch.

    Args:
        own, other: (V, W) contributions of both ends; edges: (V, K, E) relative poses; neighbors: (V, K) int64.
        pose: (W, E) P; out: (W,) w.

    Returns:
        (V, K) logits.
    """
    return (own[:, None] + other[neighbors] + edges @ pose.T).relu() @ out


def _hidden(to: Writer, given: list[Any], many: list[Any], parts: int, apart: bool) -> list[Any]:
    """Products of the hidden layer and w for some edges of voxel i, one vector per edge, not yet summed over its lanes.
    Edges processed together share the loads of P."""
    ends, edges, neighbors, pose, out, i = given
    builder, vectors = to.builder, range(0, WIDTH, to.lanes)
    count = to.shape(neighbors)[1]
    first = [to.at(p, i, count) for p in many]
    own = to.at(to.number(0), i, 2 * WIDTH)
    others = [to.at(to.number(WIDTH), to.scalar(neighbors, at), 2 * WIDTH) for at in first]
    sums = [[builder.fadd(to.load(ends, to.at(own, c)), to.load(ends, to.at(j, c))) for c in vectors] for j in others]
    # An edge's components begin here, and are so far apart.
    starts, step = [to.at(to.number(0), at, parts) for at in first], to.number(1)
    if apart:
        step = to.shape(edges)[2]
        starts = [to.at(p, builder.mul(i, step), parts) for p in many]
    for e in range(parts):
        columns = [to.load(pose, to.number(e * WIDTH + c)) for c in vectors]
        for row, at in zip(sums, starts, strict=True):
            value = to.broadcast(to.scalar(edges, to.at(at, step, e)))
            row[:] = [to.multiply_add(value, column, one) for one, column in zip(row, columns, strict=True)]
    products = []
    for row in sums:
        total = to.zero()
        for one, c in zip(row, vectors, strict=True):
            total = to.multiply_add(to.maximum(one, to.zero()), to.load(out, to.number(c)), total)
        products.append(total)
    return products


def _logits(parts: int, apart: bool) -> Any:
    """An intrinsic that adds the logits of all edges of voxel i to its row, one for each lane at a time, the rest one
    by one. Edges have ``parts`` components, which lie side by side, (V, K, E), or apart, (V, E, >= K)."""

    @intrinsic
    def logits_of(
        typingctx: Any, ends: Any, edges: Any, neighbors: Any, pose: Any, out: Any, i: Any, logits: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = Writer(context, builder, signature, args)
            *given, logits = to.arrays
            many, i = to.shape(logits)[1], given[-1]
            whole = builder.sdiv(many, to.number(to.lanes))
            together = to.lanes // 4  # so that their sums are in eight registers
            with cgutils.for_range(builder, whole) as loop:
                first = builder.mul(loop.index, to.number(to.lanes))
                products = []
                for p in range(0, to.lanes, together):
                    products += _hidden(to, given, [to.at(first, p + q) for q in range(together)], parts, apart)
                at = to.at(first, i, many)
                to.store(builder.fadd(to.load(logits, at), to.totals(products)), logits, at)
            done = builder.mul(whole, to.number(to.lanes))
            with cgutils.for_range(builder, builder.sub(many, done)) as loop:
                p = builder.add(done, loop.index)
                (product,) = _hidden(to, given, [p], parts, apart)
                at = builder.gep(logits.data, [to.at(p, i, many)])
                builder.store(builder.fadd(builder.load(at), to.total(product)), at)
            return context.get_dummy_value()

        return types.void(ends, edges, neighbors, pose, out, types.intp, logits), generate

    return logits_of


_pose_logits, _color_logits = _logits(EDGE_DIM, apart=False), _logits(CHANGES, apart=True)


@njit(cache=True, nogil=True)
def _look(f, beside, both, ends):  # type: ignore[no-untyped-def]
    width = f.shape[1]
    normal = np.zeros((len(ends), width + beside.shape[1]), np.float32)
    standardize(f, normal)
    for i in range(len(beside)):
        normal[i, width:] = beside[i]
    dense(normal, both, ends)


@njit(cache=True, nogil=True, parallel=True)
def bond_logits(bounds, f, both, edges, neighbors, pose, out, ends, logits):  # type: ignore[no-untyped-def]
    """The bond head: layer normalisation of the features, contributions of each voxel to both ends, ``reference``.

    Args:
        bounds: from ``forward.blocks``; f: (V, d) features; both (d -> 2 W): own and other, packed.
        edges, neighbors, out (W,): as in ``reference``; pose: (E, W), transposed.
        ends: (V, 2 W), ``padded``, own beside other, written; logits: (V, K), added to.
    """
    nothing = np.empty((0, 0), np.float32)
    for b in prange(len(bounds) - 1):
        first, last = bounds[b], bounds[b + 1]
        _look(f[first:last], nothing, both, ends[first : first + tiled(last - first)])
    for b in prange(len(bounds) - 1):
        for i in range(bounds[b], bounds[b + 1]):
            _pose_logits(ends, edges, neighbors, pose, out, i, logits)


@njit(cache=True, nogil=True, parallel=True)
def color_bond_logits(bounds, f, both, changes, around, blank, neighbors, pose, out, bias, ends, logits):  # type: ignore[no-untyped-def]
    """The same head for changes of colour instead of relative poses.

    Args:
        bounds, f, neighbors, out, ends: as in ``bond_logits``; changes, around, blank: from ``color_changes``.
        both (d + 4 -> 2 W): own and other, with the weights of the sums of ``around`` below both, packed; pose: (6, W),
            the weights of ``changes``; bias: of the logits.
        logits: (V, K), zeros, written where the colours of both ends are known.
    """
    for b in prange(len(bounds) - 1):
        first, last = bounds[b], bounds[b + 1]
        _look(f[first:last], around[first:last], both, ends[first : first + tiled(last - first)])
    for b in prange(len(bounds) - 1):
        for i in range(bounds[b], bounds[b + 1]):
            if blank[i]:
                continue
            _color_logits(ends, changes, neighbors, pose, out, i, logits)
            for p in range(neighbors.shape[1]):
                logits[i, p] = np.float32(0) if blank[neighbors[i, p]] else logits[i, p] + bias
