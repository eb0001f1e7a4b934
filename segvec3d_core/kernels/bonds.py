"""The bond head: a fused CPU kernel, and its reference in plain torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from .attention import EDGE_DIM
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


def _hidden(to: Writer, given: list[Any], many: list[Any]) -> list[Any]:
    """Products of the hidden layer and w for some edges of voxel i, one vector per edge, not yet summed over its lanes.
    Edges processed together share the loads of P."""
    ends, edges, neighbors, pose, out, i = given
    builder, parts = to.builder, range(0, WIDTH, to.lanes)
    first = [to.at(p, i, to.shape(neighbors)[1]) for p in many]
    own = to.at(to.number(0), i, 2 * WIDTH)
    others = [to.at(to.number(WIDTH), to.scalar(neighbors, at), 2 * WIDTH) for at in first]
    sums = [[builder.fadd(to.load(ends, to.at(own, c)), to.load(ends, to.at(j, c))) for c in parts] for j in others]
    for e in range(EDGE_DIM):
        columns = [to.load(pose, to.number(e * WIDTH + c)) for c in parts]
        for row, at in zip(sums, first, strict=True):
            value = to.broadcast(to.scalar(edges, to.at(to.number(e), at, EDGE_DIM)))
            row[:] = [to.multiply_add(value, column, one) for one, column in zip(row, columns, strict=True)]
    products = []
    for row in sums:
        total = to.zero()
        for one, c in zip(row, parts, strict=True):
            total = to.multiply_add(to.maximum(one, to.zero()), to.load(out, to.number(c)), total)
        products.append(total)
    return products


@intrinsic
def _logits_of(typingctx: Any, ends: Any, edges: Any, neighbors: Any, pose: Any, out: Any, i: Any, logits: Any) -> Any:
    """Write the logits of all edges of voxel i to its row, one for each lane at a time, the rest one by one."""

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
                products += _hidden(to, given, [to.at(first, p + q) for q in range(together)])
            to.store(to.totals(products), logits, to.at(first, i, many))
        done = builder.mul(whole, to.number(to.lanes))
        with cgutils.for_range(builder, builder.sub(many, done)) as loop:
            p = builder.add(done, loop.index)
            (product,) = _hidden(to, given, [p])
            builder.store(to.total(product), builder.gep(logits.data, [to.at(p, i, many)]))
        return context.get_dummy_value()

    return types.void(ends, edges, neighbors, pose, out, types.intp, logits), generate


@njit(cache=True, nogil=True)
def _look(f, both, ends):  # type: ignore[no-untyped-def]
    normal = np.zeros((len(ends), f.shape[1]), np.float32)
    standardize(f, normal)
    dense(normal, both, ends)


@njit(cache=True, nogil=True, parallel=True)
def bond_logits(bounds, f, both, edges, neighbors, pose, out, ends, logits):  # type: ignore[no-untyped-def]
    """The bond head: layer normalisation of the features, contributions of each voxel to both ends, ``reference``.

    Args:
        bounds: from ``forward.blocks``; f: (V, d) features; both (d -> 2 W): own and other, packed.
        edges, neighbors, out (W,): as in ``reference``; pose: (E, W), transposed.
        ends: (V, 2 W), ``padded``, own beside other, written; logits: (V, K), written.
    """
    for b in prange(len(bounds) - 1):
        first, last = bounds[b], bounds[b + 1]
        _look(f[first:last], both, ends[first : first + tiled(last - first)])
    for b in prange(len(bounds) - 1):
        for i in range(bounds[b], bounds[b + 1]):
            _logits_of(ends, edges, neighbors, pose, out, i, logits)  # type: ignore[call-arg]
