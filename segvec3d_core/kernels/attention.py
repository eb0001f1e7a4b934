"""Neighbourhood attention, equations (1) and (2), with multiple heads and edge features.

For voxel i, neighbours j in N(i) and each head:

    s_ij  = q_i . k_j + u_i . r_ij          a_ij = softmax_j s_ij              (1)
    out_i = sum_j a_ij v_j                  rel_i = sum_j a_ij r_ij            (2)

r_ij is the relative pose of the edge; u_i and a linear map of rel_i let phi, psi and gamma see it without ever
storing a (V, k, C) tensor. ``reference`` says the same in plain torch, on any device; the fused kernels run on CPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

HEAD_DIM = 16
"""Channels of one head, D: a constant, because the kernels are compiled for it."""
EDGE_DIM = 10
"""Numbers in the relative pose of an edge, E, see ``kernels.grid.edge_features``."""


def reference(
    q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor, uniform: bool = False
) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2) in plain torch.

    Args:
        q, k, v: (V, H, D) queries, keys and values of H heads; u: (V, H, E) edge queries.
        edges: (V, K, E) relative poses; neighbors: (V, K) int64.
        uniform: weigh all neighbours equally (ablation: mean instead of attention).

    Returns:
        out (V, H, D), rel (V, H, E).
    """
    if uniform:
        weights = q.new_full((len(q), q.shape[1], neighbors.shape[1]), 1.0 / neighbors.shape[1])
    else:
        scores = torch.einsum("vhd,vkhd->vhk", q, k[neighbors]) + torch.einsum("vhe,vke->vhk", u, edges)
        weights = scores.softmax(-1)
    return torch.einsum("vhk,vkhd->vhd", weights, v[neighbors]), torch.einsum("vhk,vke->vhe", weights, edges)


@njit(cache=True, nogil=True, inline="always", fastmath=True)
def _exp(x):  # type: ignore[no-untyped-def]
    """exp(x) for x <= 0 to 2e-5 relative, in a form that compiles to vector instructions."""
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
            w[h, p] = _exp(w[h, p] - top)
            total += w[h, p]
        total = np.float32(1) / total
        for p in range(many):
            w[h, p] *= total


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def _forward(q, k, v, u, edges, neighbors, heads):  # type: ignore[no-untyped-def]
    n, many = neighbors.shape
    out = np.empty((n, heads * HEAD_DIM), np.float32)
    rel = np.empty((n, heads * EDGE_DIM), np.float32)
    for i in prange(n):
        w = np.empty((heads, many), np.float32)
        _weights(q, k, u, edges, neighbors, i, heads, w)
        value = np.empty(HEAD_DIM, np.float32)
        pose = np.empty(EDGE_DIM, np.float32)
        for h in range(heads):
            value[:] = 0
            pose[:] = 0
            for p in range(many):
                j, a = neighbors[i, p], w[h, p]
                for c in range(HEAD_DIM):
                    value[c] += a * v[j, h * HEAD_DIM + c]
                for e in range(EDGE_DIM):
                    pose[e] += a * edges[i, p, e]
            for c in range(HEAD_DIM):
                out[i, h * HEAD_DIM + c] = value[c]
            for e in range(EDGE_DIM):
                rel[i, h * EDGE_DIM + e] = pose[e]
    return out, rel


@njit(cache=True, nogil=True, fastmath=True)
def _backward(q, k, v, u, edges, neighbors, heads, g_out, g_rel):  # type: ignore[no-untyped-def]
    """Gradients of q, k, v, u; sequential, because neighbours share rows, which also keeps it deterministic."""
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


class _Fused(torch.autograd.Function):
    """The fused CPU kernels as a differentiable operation; neighbours and edges take no gradient."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor) -> Any:
        heads = q.shape[1]
        flat = [t.detach().reshape(len(t), -1).contiguous().numpy() for t in (q, k, v, u)]
        out, rel = _forward(*flat, edges.numpy(), neighbors.numpy(), heads)  # type: ignore[call-arg]
        ctx.save_for_backward(q, k, v, u, edges, neighbors)
        return torch.from_numpy(out).view_as(q), torch.from_numpy(rel).view_as(u)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        q, k, v, u, edges, neighbors = ctx.saved_tensors
        heads = q.shape[1]
        flat = [t.detach().reshape(len(t), -1).contiguous().numpy() for t in (q, k, v, u)]
        flat_grads = [g.reshape(len(g), -1).contiguous().numpy() for g in grads]
        rest = (edges.numpy(), neighbors.numpy(), heads, *flat_grads)
        dq, dk, dv, du = _backward(*flat, *rest)  # type: ignore[call-arg]
        views = [torch.from_numpy(d).view_as(t) for d, t in ((dq, q), (dk, k), (dv, v), (du, u))]
        return *views, None, None


def neighborhood_attention(
    q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor, uniform: bool = False
) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2), fused on CPU, plain torch elsewhere. Arguments as ``reference``."""
    if uniform or q.device.type != "cpu" or q.dtype != torch.float32:
        return reference(q, k, v, u, edges, neighbors, uniform)
    out, rel = _Fused.apply(q, k, v, u, edges.contiguous(), neighbors.contiguous())
    return out, rel
