"""Neighbourhood attention, equations (1) and (2), with multiple heads and edge features.

For voxel i, neighbours j in N(i) and each head:

    s_ij  = q_i . k_j + u_i . r_ij          a_ij = softmax_j s_ij              (1)
    out_i = sum_j a_ij v_j                  rel_i = sum_j a_ij r_ij            (2)

r_ij is the relative pose of the edge; through u_i and a linear map of rel_i it enters phi, psi and gamma without a
(V, k, C) tensor ever being stored. The fused kernels here run on the CPU, that of ``attention_triton`` on a GPU;
``attention_torch`` has the reference in plain torch and chooses between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from .vectors import LANES, WIDE, Writer

HEAD_DIM = 16
"""Channels of one head, D; constant, because the kernels are compiled for it."""
EDGE_DIM = 10
"""Components of the relative pose of an edge, E, see ``kernels.shape.edge_features``."""
EDGE_LANES = 2 * LANES
"""The kernels read an edge as its first eight and its last eight components. The overlap counts only once, because
``spread`` leaves it zero in the second eight."""


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def exponential(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0 with a relative error of 2e-5, in a form that compiles to vector instructions."""
    y = max(x, np.float32(-80.0)) * np.float32(1.44269504)
    n = np.int32(y - np.float32(0.5))
    f = (y - np.float32(n)) * np.float32(0.69314718)
    p = np.float32(0.16666667) + f * (np.float32(0.041666667) + f * np.float32(0.0083333333))
    p = np.float32(1) + f * (np.float32(1) + f * (np.float32(0.5) + f * p))
    return p * np.int32((n + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def _weights(q, k, u, edges, neighbors, i, heads, w):  # type: ignore[no-untyped-def]
    """Softmax weights of voxel i into ``w`` (H, K). Loops of constant length compile to vector instructions."""
    many = neighbors.shape[1]
    for p in range(many):
        j = neighbors[i, p]
        for h in range(heads):
            s = np.float32(0)
            for c in range(HEAD_DIM):
                s += q[i, h * HEAD_DIM + c] * k[j, h * HEAD_DIM + c]
            for e in range(EDGE_DIM):
                s += u[i, h * EDGE_DIM + e] * edges[i, p, e]
            w[h, p] = s
    for h in range(heads):
        top = w[h, 0]
        for p in range(1, many):
            top = max(top, w[h, p])
        total = np.float32(0)
        for p in range(many):
            w[h, p] = exponential(w[h, p] - top)
            total += w[h, p]
        total = np.float32(1) / total
        for p in range(many):
            w[h, p] *= total


def spread(u: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay out the last dimension of (..., E) as the kernels read an edge, see ``EDGE_LANES`` -> (..., 16)."""
    out = np.zeros((*u.shape[:-1], EDGE_LANES), np.float32)
    out[..., :LANES] = u[..., :LANES]
    out[..., EDGE_LANES - (EDGE_DIM - LANES) :] = u[..., LANES:]
    return out


def _pose(to: Writer, edges: Any, i: Any, p: Any) -> list[Any]:
    """The relative pose of edge p of voxel i, ``EDGE_LANES`` numbers."""
    at = to.builder.mul(to.at(p, i, to.shape(edges)[1]), to.number(EDGE_DIM))
    return to.load_eights(edges, [at, to.at(at, EDGE_DIM - LANES)])


def _part(to: Writer, x: Any, row: Any, part: int, h: Any) -> list[Any]:
    """The vectors of head h in a quarter of a row of x: 0 query, 1 key, 2 value, 3 edge query."""
    width = to.shape(x)[1]
    quarter = to.builder.sdiv(width, to.number(4))
    at = to.at(to.at(to.builder.mul(row, width), part, quarter), h, HEAD_DIM)
    return to.load_all(x, at, HEAD_DIM)


def _neighbor(to: Writer, neighbors: Any, i: Any, p: Any) -> Any:
    return to.scalar(neighbors, to.at(p, i, to.shape(neighbors)[1]))


def _scores(to: Writer, x: Any, i: Any, heads: list[Any], edges: Any, neighbors: Any, weights: list[Any]) -> None:
    """Write s_ij of voxel i and each head for all neighbours to its ``weights``, one for each lane at a time, the rest
    one by one."""
    builder, many = to.builder, to.shape(neighbors)[1]
    queries = [(*_part(to, x, i, 0, h), *_part(to, x, i, 3, h)) for h in heads]

    def products(p: Any, n: int) -> Any:
        key = _part(to, x, _neighbor(to, neighbors, i, p), 1, heads[n])
        total = to.zero()
        for a, b in zip(queries[n], (*key, *_pose(to, edges, i, p)), strict=True):
            total = to.multiply_add(a, b, total)
        return total

    whole = builder.sdiv(many, to.number(to.lanes))
    with cgutils.for_range(builder, whole) as loop:
        first = builder.mul(loop.index, to.number(to.lanes))
        for n, w in enumerate(weights):
            to.store(to.totals([products(to.at(first, p), n) for p in range(to.lanes)]), w, first)
    done = builder.mul(whole, to.number(to.lanes))
    with cgutils.for_range(builder, builder.sub(many, done)) as loop:
        p = builder.add(done, loop.index)
        for n, w in enumerate(weights):
            builder.store(to.total(products(p, n)), builder.gep(w.data, [p]))


def _soften(to: Writer, weights: list[Any]) -> list[Any]:
    """Replace each w of ``weights`` by exp(w - max w) -> the reciprocals of their sums."""
    vectors = to.builder.sdiv(to.shape(weights[0])[0], to.number(to.lanes))
    tops = [to.variable(to.load(w, to.number(0))) for w in weights]
    totals = [to.variable(to.zero()) for _ in weights]
    with cgutils.for_range(to.builder, vectors) as loop:
        at = to.builder.mul(loop.index, to.number(to.lanes))
        for w, top in zip(weights, tops, strict=True):
            to.builder.store(to.maximum(to.builder.load(top), to.load(w, at)), top)
    peaks = [to.broadcast(to.peak(to.builder.load(top))) for top in tops]
    with cgutils.for_range(to.builder, vectors) as loop:
        at = to.builder.mul(loop.index, to.number(to.lanes))
        for w, peak, total in zip(weights, peaks, totals, strict=True):
            weight = to.exponential(to.builder.fsub(to.load(w, at), peak))
            to.store(weight, w, at)
            to.builder.store(to.builder.fadd(to.builder.load(total), weight), total)
    one = ir.Constant(ir.FloatType(), 1.0)
    return [to.builder.fdiv(one, to.total(to.builder.load(total))) for total in totals]


def _sums(
    to: Writer, x: Any, i: Any, heads: list[Any], edges: Any, neighbors: Any, weights: list[Any], shares: list[Any],
    seen: Any, r: Any,
) -> None:  # fmt: skip
    """Write out_i and rel_i of each head, weighted by its ``weights`` times its share, to the left and right half of
    row r of ``seen``."""
    builder, width, parts = to.builder, to.shape(seen)[1], range(0, HEAD_DIM, to.lanes)
    sums = [[to.variable(to.zero()) for _ in range(0, HEAD_DIM + EDGE_LANES, to.lanes)] for _ in heads]
    with cgutils.for_range(builder, to.shape(neighbors)[1]) as loop:
        j, pose = _neighbor(to, neighbors, i, loop.index), _pose(to, edges, i, loop.index)
        for h, w, row in zip(heads, weights, sums, strict=True):
            weight = to.broadcast(to.scalar(w, loop.index))
            for one, part in zip(row, (*_part(to, x, j, 2, h), *pose), strict=True):
                builder.store(to.multiply_add(weight, part, builder.load(one)), one)
    for h, share, row in zip(heads, shares, sums, strict=True):
        out = to.at(builder.mul(r, width), h, HEAD_DIM)
        rel = builder.add(out, builder.sdiv(width, to.number(2)))
        starts = [to.at(half, part) for half in (out, rel) for part in parts]
        for start, one in zip(starts, row, strict=True):
            to.store(builder.fmul(builder.load(one), to.broadcast(share)), seen, start)


def _attend_heads(count: int) -> Any:
    """An intrinsic for equations (1) and (2) of voxel i and ``count`` heads from h on, with a ``w`` for each of two
    heads. Each head is a long chain of operations that wait for each other; two chains side by side wait once."""

    @intrinsic
    def attend_heads(
        typingctx: Any, x: Any, i: Any, h: Any, edges: Any, neighbors: Any, w0: Any, w1: Any, seen: Any, r: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = Writer(context, builder, signature, args)
            x, i, h, edges, neighbors, w0, w1, seen, r = to.arrays
            heads, weights = [to.at(h, n) for n in range(count)], [w0, w1][:count]
            _scores(to, x, i, heads, edges, neighbors, weights)
            shares = _soften(to, weights)
            _sums(to, x, i, heads, edges, neighbors, weights, shares, seen, r)
            return context.get_dummy_value()

        return types.void(x, types.intp, types.intp, edges, neighbors, w0, w1, seen, types.intp), generate

    return attend_heads


_one_head, _two_heads = _attend_heads(1), _attend_heads(2)


@intrinsic
def mean_pose(typingctx: Any, edges: Any, i: Any, out: Any, at: Any) -> Any:
    """Write the mean relative pose of the edges of voxel i to ``out`` (1D) from ``at`` on, 10 numbers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = Writer(context, builder, signature, args, LANES)
        edges, i, out, at = to.arrays
        many = to.shape(edges)[1]
        sums = [to.variable(to.zero()) for _ in range(2)]
        with cgutils.for_range(builder, many) as loop:
            for one, part in zip(sums, _pose(to, edges, i, loop.index), strict=True):
                builder.store(builder.fadd(builder.load(one), part), one)
        share = builder.fdiv(ir.Constant(ir.FloatType(), 1.0), builder.sitofp(many, ir.FloatType()))
        for one, start in zip(sums, (at, to.at(at, EDGE_DIM - LANES)), strict=True):
            to.store(builder.fmul(builder.load(one), to.broadcast(share)), out, start)
        return context.get_dummy_value()

    return types.void(edges, types.intp, out, types.intp), generate


@njit(cache=True, nogil=True)
def weights_room(many):  # type: ignore[no-untyped-def]
    """Scratch memory of ``attend`` for ``many`` neighbours and two heads, padded with -inf to whole vectors."""
    return np.full((2, (many + WIDE - 1) // WIDE * WIDE), -np.inf, np.float32)


@njit(cache=True, nogil=True, inline="always")
def attend(x, edges, neighbors, i, w, seen, r):  # type: ignore[no-untyped-def]
    """Equations (1) and (2) of voxel i.

    Args:
        x: (V, 4 C) float32, each voxel's queries, keys, values and ``spread`` edge queries.
        edges: (V, K, E) float32; neighbors: (V, K) int64; w: from ``weights_room``.
        seen: (., 2 C) float32; out is written to the left half of row r, rel to the right half, with 16 components per
            head: the first eight and the last eight of E.
    """
    heads = x.shape[1] // (4 * HEAD_DIM)
    for h in range(0, heads, 2):
        w[:, neighbors.shape[1] :] = -np.inf
        if h + 1 < heads:
            _two_heads(x, i, h, edges, neighbors, w[0], w[1], seen, r)
        else:
            _one_head(x, i, h, edges, neighbors, w[0], w[1], seen, r)


@njit(cache=True, nogil=True, parallel=True)
def forward(x, edges, neighbors):  # type: ignore[no-untyped-def]
    """``attend`` for all voxels -> (V, 2 C)."""
    seen = np.empty((len(x), x.shape[1] // 2), np.float32)
    for i in prange(len(x)):
        attend(x, edges, neighbors, i, weights_room(neighbors.shape[1]), seen, i)
    return seen


@njit(cache=True, nogil=True, fastmath=True)
def backward(q, k, v, u, edges, neighbors, heads, g_out, g_rel):  # type: ignore[no-untyped-def]
    """Gradients of q, k, v, u; sequential, because neighbours share rows, and hence deterministic."""
    n, many = neighbors.shape
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    du = np.zeros_like(u)
    w = np.empty((heads, many), np.float32)
    da = np.empty(many, np.float32)
    for i in range(n):
        _weights(q, k, u, edges, neighbors, i, heads, w)
        for h in range(heads):
            mean = np.float32(0)
            for p in range(many):
                j = neighbors[i, p]
                a = np.float32(0)
                for c in range(h * HEAD_DIM, h * HEAD_DIM + HEAD_DIM):
                    a += g_out[i, c] * v[j, c]
                for e in range(EDGE_DIM):
                    a += g_rel[i, h * EDGE_DIM + e] * edges[i, p, e]
                da[p] = a
                mean += w[h, p] * a
            for p in range(many):
                j, a = neighbors[i, p], w[h, p]
                ds = a * (da[p] - mean)
                for c in range(HEAD_DIM):
                    at = h * HEAD_DIM + c
                    dq[i, at] += ds * k[j, at]
                    dk[j, at] += ds * q[i, at]
                    dv[j, at] += a * g_out[i, at]
                for e in range(EDGE_DIM):
                    du[i, h * EDGE_DIM + e] += ds * edges[i, p, e]
    return dq, dk, dv, du
