"""Edges judged one by one: the last layer of the bond head, fused on the CPU."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from .attention import EDGE_DIM


def reference(own: Tensor, other: Tensor, edges: Tensor, neighbors: Tensor, pose: Tensor, out: Tensor) -> Tensor:
    """w . relu(own_i + other_j + P r_ij) in plain torch.

    Args:
        own, other: (V, W) what each end brings; edges: (V, K, E) relative poses; neighbors: (V, K) int64.
        pose: (W, E) P; out: (W,) w.

    Returns:
        (V, K) logits.
    """
    return torch.relu(own[:, None] + other[neighbors] + edges @ pose.T) @ out


@njit(cache=True, nogil=True, parallel=True, fastmath=True)
def _pair_logits(own, other, edges, neighbors, pose, out):  # type: ignore[no-untyped-def]
    n, many = neighbors.shape
    width = own.shape[1]
    logits = np.empty((n, many), np.float32)
    for i in prange(n):
        hidden = np.empty(width, np.float32)
        for p in range(many):
            j = neighbors[i, p]
            for c in range(width):
                hidden[c] = own[i, c] + other[j, c]
            for e in range(EDGE_DIM):
                r = edges[i, p, e]
                for c in range(width):
                    hidden[c] += r * pose[e, c]
            total = np.float32(0)
            for c in range(width):
                total += out[c] * max(hidden[c], np.float32(0))
            logits[i, p] = total
    return logits


def pair_logits(own: Tensor, other: Tensor, edges: Tensor, neighbors: Tensor, pose: Tensor, out: Tensor) -> Tensor:
    """As ``reference``; fused on CPU where no gradient is asked for."""
    if own.device.type != "cpu" or own.dtype != torch.float32 or (torch.is_grad_enabled() and own.requires_grad):
        return reference(own, other, edges, neighbors, pose, out)
    rows = [t.detach().contiguous().numpy() for t in (own, other, edges, neighbors, pose.T, out)]
    return torch.from_numpy(_pair_logits(*rows))  # type: ignore[call-arg]
