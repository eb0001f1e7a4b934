"""Neighbourhood attention, equations (1) and (2), fused for NVIDIA GPUs in Triton.

One program handles a block of voxels and a head. It passes over their neighbours once, with a running maximum (Milakov
and Gimelshein 2018), so that neither scores nor gathered values are written to memory. ``attention_torch.reference`` is
the equivalent in plain torch. Triton compiles at the first call and needs a C compiler and Python's headers for it.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 32
"""Voxels per program."""


@triton.jit(do_not_specialize=["count"])  # otherwise some values of count would trigger a compilation
def _attend(  # type: ignore[no-untyped-def]
    q, k, v, u, edges, neighbors, out, rel, count, heads, many,
    D: tl.constexpr, E: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """``attention_torch.reference`` for ``BLOCK`` voxels and one head; ``LANES`` is a power of two, at least E."""
    i, h = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK), tl.program_id(1)
    c, e = tl.arange(0, D)[None, :], tl.arange(0, LANES)[None, :]
    here = (i < count)[:, None]
    posed = here & (e < E)
    row = (i * heads + h)[:, None]
    query = tl.load(q + row * D + c, mask=here, other=0.0)
    edge_query = tl.load(u + row * E + e, mask=posed, other=0.0)
    top = tl.full((BLOCK,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    value, pose = tl.zeros((BLOCK, D), tl.float32), tl.zeros((BLOCK, LANES), tl.float32)
    for p in range(many):
        j = tl.load(neighbors + i * many + p, mask=i < count, other=0)
        there = (j * heads + h)[:, None] * D + c
        r = tl.load(edges + (i * many + p)[:, None] * E + e, mask=posed, other=0.0)
        s = tl.sum(query * tl.load(k + there, mask=here, other=0.0), 1) + tl.sum(edge_query * r, 1)
        higher = tl.maximum(top, s)
        before, weight = tl.exp(top - higher), tl.exp(s - higher)
        total = total * before + weight
        value = value * before[:, None] + weight[:, None] * tl.load(v + there, mask=here, other=0.0)
        pose = pose * before[:, None] + weight[:, None] * r
        top = higher
    tl.store(out + row * D + c, value / total[:, None], mask=here)
    tl.store(rel + row * E + e, pose / total[:, None], mask=posed)


def forward(q: Tensor, k: Tensor, v: Tensor, u: Tensor, edges: Tensor, neighbors: Tensor) -> tuple[Tensor, Tensor]:
    """Equations (1) and (2) without gradients; arguments as for ``attention_torch.reference``, float32 on one GPU."""
    count, heads, width = q.shape
    poses = edges.shape[2]
    out, rel = torch.empty_like(q, memory_format=torch.contiguous_format), q.new_empty(count, heads, poses)
    if count:
        given = [t.contiguous() for t in (q, k, v, u, edges, neighbors)]
        grid = (triton.cdiv(count, BLOCK), heads)
        lanes = triton.next_power_of_2(poses)
        with torch.cuda.device_of(q):  # Triton launches on the current GPU
            _attend[grid](*given, out, rel, count, heads, neighbors.shape[1], width, poses, lanes, BLOCK)
    return out, rel
