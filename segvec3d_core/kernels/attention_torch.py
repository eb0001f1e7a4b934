"""Neighbourhood attention, equations (1) and (2), on tensors: the reference in plain torch, and the fused kernels of
``attention`` and ``attention_triton`` where they serve."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .attention import EDGE_DIM, backward, forward, spread
from .vectors import LANES

log = logging.getLogger(__name__)
_triton_serves = True
"""Whether to use Triton; False once it has failed."""


def reference(
    q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor, uniform: bool = False
) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2) in plain torch.

    Args:
        q, k, v: (V, H, D) queries, keys and values of H heads; u: (V, H, E) edge queries.
        edges: (V, K, E) relative poses; neighbors: (V, K) int64.
        uniform: weight all neighbours equally (ablation: mean instead of attention).

    Returns:
        out (V, H, D), rel (V, H, E).
    """
    if uniform:
        weights = q.new_full((len(q), q.shape[1], neighbors.shape[1]), 1.0 / neighbors.shape[1])
    else:
        scores = torch.einsum("vhd,vkhd->vhk", q, k[neighbors]) + torch.einsum("vhe,vke->vhk", u, edges)
        weights = scores.softmax(-1)
    return torch.einsum("vhk,vkhd->vhd", weights, v[neighbors]), torch.einsum("vhk,vke->vhe", weights, edges)


class _Fused(torch.autograd.Function):
    """The fused CPU kernels as a differentiable operation; neighbours and edges get no gradient."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor) -> Any:
        parts = [t.detach().numpy() for t in (q, k, v)] + [spread(u.detach().numpy())]
        x = np.concatenate([part.reshape(len(q), -1) for part in parts], 1)
        seen = torch.from_numpy(forward(x, edges.numpy(), neighbors.numpy()))  # type: ignore[call-arg]
        ctx.save_for_backward(q, k, v, u, edges, neighbors)
        out, rel = seen.view(len(q), 2, q.shape[1], -1).unbind(1)
        return out.contiguous(), torch.cat([rel[..., :LANES], rel[..., LANES - EDGE_DIM :]], -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        q, k, v, u, edges, neighbors = ctx.saved_tensors
        heads = q.shape[1]
        flat = [t.detach().reshape(len(t), -1).contiguous().numpy() for t in (q, k, v, u)]
        flat_grads = [g.reshape(len(g), -1).contiguous().numpy() for g in grads]
        rest = (edges.numpy(), neighbors.numpy(), heads, *flat_grads)
        dq, dk, dv, du = backward(*flat, *rest)  # type: ignore[call-arg]
        views = [torch.from_numpy(d).view_as(t) for d, t in ((dq, q), (dk, k), (dv, v), (du, u))]
        return *views, None, None


def neighborhood_attention(
    q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor, uniform: bool = False
) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2), fused on the CPU and, without gradients, on a GPU; else in plain torch. Arguments as for
    ``reference``."""
    if uniform or q.dtype != torch.float32:
        return reference(q, k, v, u, edges, neighbors, uniform)
    if q.device.type == "cpu":
        out, rel = _Fused.apply(q, k, v, u, edges.contiguous(), neighbors.contiguous())
        return out, rel
    if q.device.type == "cuda" and not torch.is_grad_enabled():
        return on_gpu(q, k, v, u, edges, neighbors)
    return reference(q, k, v, u, edges, neighbors)


def on_gpu(q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor) -> tuple[Tensor, Tensor]:
    """The Triton kernel; plain torch, permanently, once Triton is missing or cannot compile."""
    global _triton_serves
    if _triton_serves:
        try:
            from .attention_triton import forward

            return forward(q, k, v, u, edges, neighbors)
        except (torch.OutOfMemoryError, getattr(torch, "AcceleratorError", torch.OutOfMemoryError)):
            raise  # a failure of the GPU, not of the compiler
        except Exception as error:  # a compiler may fail in many ways; plain torch does not need it
            _triton_serves = "out of memory" in str(error)
            log.warning(
                "attention runs in plain torch, because Triton does not serve: %s: %s", type(error).__name__, error
            )
    return reference(q, k, v, u, edges, neighbors)
