"""The network's forward pass on the CPU, block by block, equivalent to ``network.PointAttention`` without gradients.

Between two attentions all operations are voxel-wise, so a block of voxels passes through the whole chain, from the
attention of one layer to the queries, keys and values of the next, while it is in the cache. The cores synchronise once
per layer. Each row of ``x`` holds a voxel's query, key, value and edge query side by side, so that all data of a
neighbour is contiguous.
"""

from __future__ import annotations

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from .attention import EDGE_DIM, attend, mean_pose, weights_room
from .dense import BLOCK, add, dense, gelu, standardize, tiled


def blocks(count: int) -> NDArray[np.int64]:
    """Bounds of equal blocks for ``count`` rows -> (B + 1,), B a multiple of the number of threads if possible."""
    threads = get_num_threads()
    wanted = -(-count // (BLOCK * threads)) * threads
    rows = tiled(-(-count // wanted))
    return np.minimum(np.arange(-(-count // rows) + 1) * rows, count)


def padded(count: int, width: int) -> NDArray[np.float32]:
    """An uninitialised float32 array for ``count`` rows, rounded up to whole tiles."""
    return np.empty((tiled(count), width), np.float32)


@njit(cache=True, nogil=True)
def _ask(h, shared, qkvu, x):  # type: ignore[no-untyped-def]
    """Write queries, keys, values and edge queries of a block of features ``h`` to ``x``."""
    normal, common = np.empty_like(h), np.empty_like(h)
    standardize(h, normal)
    dense(normal, shared, common)
    gelu(common)
    dense(common, qkvu, x)


@njit(cache=True, nogil=True)
def _enter_block(first, last, inputs, edges, below, stem, shared, qkvu, f, x):  # type: ignore[no-untyped-def]
    end, known = first + tiled(last - first), inputs.shape[1]
    parts = np.zeros((end - first, known + EDGE_DIM + below.shape[1]), np.float32)
    for i in range(first, last):
        row = parts[i - first]
        row[:known] = inputs[i]
        row[known + EDGE_DIM :] = below[i]
        mean_pose(edges, i, row, known)  # type: ignore[call-arg]
    dense(parts, stem, f[first:end])
    _ask(f[first:end], shared, qkvu, x[first:end])


@njit(cache=True, nogil=True, parallel=True)
def enter(bounds, inputs, edges, below, stem, shared, qkvu, f, x):  # type: ignore[no-untyped-def]
    """The stem of a level, and the queries, keys and values of its first layer.

    Args:
        bounds: from ``blocks``; inputs: (V, 12); edges: (V, k, 10); below: (V, C') pooled features of the finer level.
        stem (C'' -> C), shared (C -> C), qkvu (C -> 4 C: phi, psi, gamma, edge queries): packed maps.
        f: (V, C) features, written; x: (V, 4 C), written; both ``padded``.
    """
    for b in prange(len(bounds) - 1):
        _enter_block(bounds[b], bounds[b + 1], inputs, edges, below, stem, shared, qkvu, f, x)


@njit(cache=True, nogil=True)
def _attend_block(first, last, f, x, edges, neighbors, out, widen, narrow, outputs, at):  # type: ignore[no-untyped-def]
    """(1) to (3) for a block -> its features, also written to the columns of ``outputs`` from ``at`` on."""
    room, width = tiled(last - first), f.shape[1]
    seen = np.zeros((room, 2 * width), np.float32)
    weights = weights_room(neighbors.shape[1])
    for i in range(first, last):
        attend(x, edges, neighbors, i, weights, seen, i - first)
    h, normal = np.empty((room, width), np.float32), np.empty((room, width), np.float32)
    hidden = np.empty((room, 2 * width), np.float32)
    dense(seen, out, h)
    add(f[first : first + room], h)
    standardize(h, normal)
    dense(normal, widen, hidden)
    gelu(hidden)
    dense(hidden, narrow, normal)
    add(normal, h)
    for i in range(room):
        row, to = h[i], outputs[first + i, at : at + width]
        for c in range(width):
            to[c] = row[c]
    return h


@njit(cache=True, nogil=True)
def _layer_block(  # type: ignore[no-untyped-def]
    first, last, f, x, edges, neighbors, out, widen, narrow, shared, qkvu, more, outputs, at, f_next, x_next
):
    h = _attend_block(first, last, f, x, edges, neighbors, out, widen, narrow, outputs, at)
    if more:
        end = first + tiled(last - first)
        f_next[first:end] = h
        _ask(h, shared, qkvu, x_next[first:end])


@njit(cache=True, nogil=True, parallel=True)
def layer(bounds, f, x, edges, neighbors, out, widen, narrow, shared, qkvu, more, outputs, at, f_next, x_next):  # type: ignore[no-untyped-def]
    """An attention layer and, if there is ``more``, the queries, keys and values of the next layer.

    Args:
        f, x: from ``enter`` or the previous layer; edges, neighbors: the level's graph.
        out (2 C -> C), widen and narrow of the MLP: packed maps; shared, qkvu: of the next layer, as in ``enter``.
        outputs: (V, L C) outputs of the level's L layers, written from column ``at`` on.
        f_next, x_next: as f and x, written.
    """
    for b in prange(len(bounds) - 1):
        _layer_block(
            bounds[b], bounds[b + 1], f, x, edges, neighbors, out, widen, narrow, shared, qkvu, more, outputs, at,
            f_next, x_next,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def pool(outputs, at, parents, count):  # type: ignore[no-untyped-def]
    """Mean of the columns of (V, L C) ``outputs`` from ``at`` on over the children of each of ``count`` parents."""
    width = outputs.shape[1] - at
    means, rows = np.zeros((count, width), np.float32), np.zeros(count, np.float32)
    for i in range(len(parents)):
        rows[parents[i]] += np.float32(1)
        to, given = means[parents[i]], outputs[i, at:]
        for c in range(width):
            to[c] += given[c]
    for j in range(count):
        to, share = means[j], np.float32(1) / rows[j]
        for c in range(width):
            to[c] *= share
    return means


@njit(cache=True, nogil=True)
def _refine_block(first, last, outputs, down, parents, offsets, mix, place, norm, linear, h, peak):  # type: ignore[no-untyped-def]
    end = first + tiled(last - first)
    here = h[first:end]
    dense(outputs[first:end], mix, here)
    width = here.shape[1]
    if len(down):
        along_x, along_y, along_z = place[0], place[1], place[2]
        for i in range(last - first):
            x, y, z = offsets[first + i, 0], offsets[first + i, 1], offsets[first + i, 2]
            row, handed = here[i], down[parents[first + i]]
            for c in range(width):
                row[c] += handed[c] + (x * along_x[c] + y * along_y[c] + z * along_z[c])
    normal, change = np.empty_like(here), np.empty_like(here)
    standardize(here, normal)
    scale, shift = norm[0], norm[1]
    for i in range(len(here)):
        row = normal[i]
        for c in range(width):
            row[c] = row[c] * scale[c] + shift[c]
    gelu(normal)
    dense(normal, linear, change)
    add(change, here)
    peak[:] = here[0]
    for i in range(1, last - first):
        row = here[i]
        for c in range(width):
            peak[c] = max(peak[c], row[c])


@njit(cache=True, nogil=True, parallel=True)
def descend(bounds, outputs, down, parents, offsets, mix, place, norm, linear, h, peaks):  # type: ignore[no-untyped-def]
    """A level's part of the concatenation (4), added to the result of the coarser level.

    Args:
        outputs: (V, L C) of the level's layers; down: (V', d) of the coarser level, (0, d) at the coarsest.
        parents: (V,); offsets: (V, 3); mix (L C -> d): packed; place: (3, d) map of the offsets.
        norm: (2, d) weight and bias, and linear (d -> d), packed, of ``PointAttention.refine``.
        h: (V, d), ``padded``, written; peaks: (B, d) maximum of each block, written.
    """
    for b in prange(len(bounds) - 1):
        _refine_block(bounds[b], bounds[b + 1], outputs, down, parents, offsets, mix, place, norm, linear, h, peaks[b])


@njit(cache=True, nogil=True)
def _finish_block(first, last, h, fuse_in, fuse_out, both, embed, surface, f, e, logits):  # type: ignore[no-untyped-def]
    end = first + tiled(last - first)
    here, out, width = h[first:end], f[first:end], h.shape[1]
    normal, hidden = np.empty_like(here), np.empty((len(here), both.shape[0] * both.shape[2]), np.float32)
    dense(here, fuse_in, normal)
    gelu(normal)
    dense(normal, fuse_out, out)
    add(here, out)
    standardize(out, normal)
    dense(normal, both, hidden)
    gelu(hidden)
    dense(hidden, embed, e[first:end])
    last_weight = len(surface) - 1
    for i in range(last - first):
        logit = surface[last_weight]
        for c in range(last_weight):
            logit += hidden[i, width + c] * surface[c]
        logits[first + i] = logit


@njit(cache=True, nogil=True, parallel=True)
def finish(bounds, h, fuse_in, fuse_out, both, embed, surface, f, e, logits):  # type: ignore[no-untyped-def]
    """(6) and (7).

    Args:
        h: (V, d), H; fuse_in: packed, with the scene vector in its bias; fuse_out: packed.
        both: first layers of both heads as one packed map; embed: second layer of the embedding head, packed.
        surface: second layer of the surface head, its bias at the end.
        f: (V, d), e: (V, d_e), both ``padded``, and logits (V,): written.
    """
    for b in prange(len(bounds) - 1):
        _finish_block(bounds[b], bounds[b + 1], h, fuse_in, fuse_out, both, embed, surface, f, e, logits)


@njit(cache=True, nogil=True)
def _three_layers_block(x, first, second, third, out):  # type: ignore[no-untyped-def]
    a = np.empty((len(x), first.shape[0] * first.shape[2]), np.float32)
    b = np.empty((len(x), second.shape[0] * second.shape[2]), np.float32)
    dense(x, first, a)
    gelu(a)
    dense(a, second, b)
    gelu(b)
    dense(b, third, out)


@njit(cache=True, nogil=True, parallel=True)
def three_layers(bounds, x, first, second, third, out):  # type: ignore[no-untyped-def]
    """Three packed maps with GELU between them, from x (M, .) to out (M, .), both ``padded``."""
    for b in prange(len(bounds) - 1):
        end = bounds[b] + tiled(bounds[b + 1] - bounds[b])
        _three_layers_block(x[bounds[b] : end], first, second, third, out[bounds[b] : end])
