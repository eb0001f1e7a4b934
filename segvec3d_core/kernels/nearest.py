"""Nearest neighbours of voxels, searched in the grid cells around each; of rows of many numbers, searched among all.

Voxels of one cell have the same candidates, which are copied to contiguous memory once per cell. For each voxel all
distances are computed and each candidate's rank is counted: the number of nearer ones. This takes more comparisons than
insertion into a sorted list, but a register full is done at once, without mispredicted branches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from .grid import BAND_BIT, EMPTY, slot
from .vectors import LANES, Writer

CHUNK = 4 * LANES
"""Number of candidates ranked at once."""
SHARES = 64
"""Number of runs of cells into which the work is split for the cores."""


@njit(cache=True, nogil=True, inline="always")
def _find(x, y, z, cells, cell_first, cell_table):  # type: ignore[no-untyped-def]
    """Number of the cell with these coordinates, or ``EMPTY``."""
    mask = np.int64(len(cell_table) - 1)
    s = slot(x, y, z, mask)
    cell = cell_table[s]
    while cell != EMPTY:
        m = cell_first[cell]
        if cells[m, 0] == x and cells[m, 1] == y and cells[m, 2] == z:
            break
        s = (s + 1) & mask
        cell = cell_table[s]
    return cell


@njit(cache=True, nogil=True, inline="always")
def _insert(best, ids, count, d, j):  # type: ignore[no-untyped-def]
    """Insert a candidate into the list of the nearest, sorted by distance, then index; its new length is ``count``."""
    p = count - 1
    while p > 0 and (best[p - 1] > d or (best[p - 1] == d and ids[p - 1] > j)):
        best[p] = best[p - 1]
        ids[p] = ids[p - 1]
        p -= 1
    best[p] = d
    ids[p] = j


@njit(cache=True, nogil=True)
def _around(x, y, z, cells, cell_first, cell_table, near):  # type: ignore[no-untyped-def]
    """Write the numbers of the existing cells among the 27 around these coordinates to ``near`` -> how many."""
    many = 0
    for block in range(27):
        cell = _find(x + block // 9 - 1, y + block // 3 % 3 - 1, z + block % 3 - 1, cells, cell_first, cell_table)
        if cell != EMPTY:
            near[many] = cell
            many += 1
    return many


@njit(cache=True, nogil=True)
def _nearest_of(points, i, near, order, starts, best, ids, count):  # type: ignore[no-untyped-def]
    """Insert the points of the cells ``near`` into the list of the nearest to point i -> its new length."""
    k = len(best)
    for cell in near:
        for o in range(starts[cell], starts[cell + 1]):
            j = order[o]
            ax = points[j, 0] - points[i, 0]
            ay = points[j, 1] - points[i, 1]
            az = points[j, 2] - points[i, 2]
            d = ax * ax + ay * ay + az * az
            if j == i:
                d = np.float32(-1.0)  # the point itself comes first, duplicates after it
            if count == k and (d > best[k - 1] or (d == best[k - 1] and j > ids[k - 1])):
                continue
            count = min(count + 1, k)
            _insert(best, ids, count, d, j)
    return count


@intrinsic
def _ranks(typingctx: Any, places: Any, own: Any, many: Any, room: Any, d: Any, ranks: Any) -> Any:
    """Squared distances of candidates from one of them, and for each the number of nearer ones.

    Args:
        places: (3, R) float32 x, y and z; the first ``many`` are candidates, the first ``room``, a multiple of
            ``CHUNK``, are read.
        own: index of the candidate from which distances are measured; its own distance is set to -1.
        d: (R,) float32 and ranks: (R,) int32, written.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to = Writer(context, builder, signature, args)
        places, own, many, room, d, ranks = to.arrays
        counts, length = ir.VectorType(ir.IntType(32), to.lanes), to.shape(places)[1]
        centre = [to.broadcast(to.scalar(places, to.at(own, axis, length))) for axis in range(3)]
        with cgutils.for_range(builder, builder.sdiv(room, to.number(to.lanes))) as loop:
            at, total = builder.mul(loop.index, to.number(to.lanes)), None
            for axis, middle in enumerate(centre):
                away = builder.fsub(to.load(places, to.at(at, axis, length)), middle)
                square = builder.fmul(away, away)
                total = square if total is None else builder.fadd(total, square)
            to.store(total, d, at)
        builder.store(ir.Constant(ir.FloatType(), -1.0), builder.gep(d.data, [own]))
        with cgutils.for_range(builder, builder.sdiv(room, to.number(CHUNK))) as loop:
            ats = [to.at(to.number(part), loop.index, CHUNK) for part in range(0, CHUNK, to.lanes)]
            distances = [to.load(d, at) for at in ats]
            nearer = [to.variable(ir.Constant(counts, [0] * to.lanes)) for _ in ats]
            with cgutils.for_range(builder, many) as other:
                value = to.broadcast(to.scalar(d, other.index))
                for distance, count in zip(distances, nearer, strict=True):
                    less = builder.sext(builder.fcmp_ordered("<", value, distance), counts)  # -1 where it is
                    builder.store(builder.sub(builder.load(count), less), count)
            for at, count in zip(ats, nearer, strict=True):
                to.store(builder.bitcast(builder.load(count), to.vector), ranks, at)
        return context.get_dummy_value()

    return types.void(places, types.intp, types.intp, types.intp, d, ranks), generate


@njit(cache=True, nogil=True)
def _lay_out(points, near, own, order, starts, places, ids):  # type: ignore[no-untyped-def]
    """Copy the points of the cells ``near`` to ``places`` (3, R), and their indices to ``ids`` -> the position of the
    first point of cell ``own``."""
    many, begin = 0, 0
    for cell in near:
        if cell == own:
            begin = many
        for o in range(starts[cell], starts[cell + 1]):
            j = order[o]
            places[0, many], places[1, many], places[2, many] = points[j, 0], points[j, 1], points[j, 2]
            ids[many] = j
            many += 1
    return begin


@njit(cache=True, nogil=True)
def _across(points, i, band, size, cells, cell_first, cell_table, beyond):  # type: ignore[no-untyped-def]
    """Write the cells of another band around point i to ``beyond`` -> how many."""
    width = np.float32(2 * (1 << band)) * size
    x = np.int64(np.floor(points[i, 0] / width))
    y = np.int64(np.floor(points[i, 1] / width))
    z = np.int64(np.floor(points[i, 2] / width)) + (np.int64(band) << BAND_BIT)
    return _around(x, y, z, cells, cell_first, cell_table, beyond)


@njit(cache=True, nogil=True)
def _by_insertion(  # type: ignore[no-untyped-def]
    points, i, near, cells, cell_first, cell_table, order, starts, band, seam, size, best, beyond, ids
):
    """Find the nearest of point i by insertion, including those beyond a seam -> how many."""
    count = _nearest_of(points, i, near, order, starts, best, ids, 0)
    for side in (-1, 1):
        if (side < 0 and not seam & 1) or (side > 0 and not seam & 2):
            continue
        others = _across(points, i, band + side, size, cells, cell_first, cell_table, beyond)
        count = _nearest_of(points, i, beyond[:others], order, starts, best, ids, count)
    return count


@njit(cache=True, nogil=True)
def _neighbors_of_cells(  # type: ignore[no-untyped-def]
    first, last, points, cells, cell_first, cell_table, order, starts, bands, seams, size, neighbors, found
):
    """``grid_neighbors`` for the points of cells ``first`` to ``last``."""
    k = neighbors.shape[1]
    best, near, beyond = np.empty(k, np.float32), np.empty(27, np.int64), np.empty(27, np.int64)
    room = 8 * CHUNK
    places, ids = np.empty((3, room), np.float32), np.empty(room, np.int64)
    d, ranks, ranked = np.empty(room, np.float32), np.empty(room, np.int32), np.empty(room, np.int64)
    for g in range(first, last):
        own = cells[cell_first[g]]
        some = near[: _around(own[0], own[1], own[2], cells, cell_first, cell_table, near)]
        many = 0
        for cell in some:
            many += starts[cell + 1] - starts[cell]
        if many > room:
            room = 2 * many // CHUNK * CHUNK + CHUNK
            places, ids = np.empty((3, room), np.float32), np.empty(room, np.int64)
            d, ranks, ranked = np.empty(room, np.float32), np.empty(room, np.int32), np.empty(room, np.int64)
        begin = _lay_out(points, some, g, order, starts, places, ids)
        used = (many + CHUNK - 1) // CHUNK * CHUNK
        places[:, many:used] = np.inf
        for at in range(begin, begin + starts[g + 1] - starts[g]):
            i, total = ids[at], 0
            if seams[i] == 0:
                _ranks(places, at, many, used, d, ranks)  # type: ignore[call-arg]
                for a in range(many):  # type: ignore[unreachable]
                    ranked[ranks[a]] = ids[a]
                    total += ranks[a]
            if seams[i] == 0 and total == many * (many - 1) // 2:
                found[i] = min(many, k)
                neighbors[i, : found[i]] = ranked[: found[i]]
            else:  # near a seam, or with equal distances, where the lower index comes first
                found[i] = _by_insertion(
                    points, i, some, cells, cell_first, cell_table, order, starts, bands[i], seams[i], size,
                    best, beyond, neighbors[i],
                )  # fmt: skip
            neighbors[i, found[i] :] = i


@njit(cache=True, nogil=True, parallel=True)
def grid_neighbors(  # type: ignore[no-untyped-def]
    points, cells, cell_first, cell_table, order, starts, k, bands, seams, size
):
    """The k nearest points within the 27 cells around each point, and near a seam also within the 27 cells of the other
    band, sorted by distance and, at equal distance, by index.

    Args:
        points: (V, 3) float32.
        cells: (V, 3) int64 cell coordinates of each point; cells are two edges of its band wide, with the band in z.
        cell_first: (G,) int64 a member of each cell; cell_table: hash table of cells from ``hash_cells``.
        order: (V,) int64 points sorted by cell; starts: (G + 1,) int64 offset of each cell in ``order``.
        k: number of neighbours, the point itself first.
        bands: (V,) int64; seams: (V,) uint8 from ``band_seams``; size: edge in band 0, float32.

    Returns:
        neighbors (V, k) int64, padded with the point itself; found (V,) int32, number of entries that are not padding.
    """
    neighbors, found = np.empty((len(points), k), np.int64), np.empty(len(points), np.int32)
    bounds = np.arange(SHARES + 1) * len(cell_first) // SHARES
    for share in prange(SHARES):
        _neighbors_of_cells(
            bounds[share], bounds[share + 1], points, cells, cell_first, cell_table, order, starts, bands, seams, size,
            neighbors, found,
        )  # fmt: skip
    return neighbors, found


@njit(cache=True, nogil=True)
def _nearest_of_all(rows, columns, found, distances):  # type: ignore[no-untyped-def]
    k, far = found.shape[1], np.empty(columns.shape[1], np.float64)
    best = np.empty(k, np.float64)
    for i in range(len(rows)):
        far[:] = 0
        for c in range(len(columns)):
            value, column = np.float64(rows[i, c]), columns[c]
            for j in range(len(far)):
                away = value - np.float64(column[j])
                far[j] += away * away
        count = 0
        for j in range(len(far)):
            if count < k or far[j] < best[k - 1]:
                count = min(count + 1, k)
                _insert(best, found[i], count, far[j], j)
        for p in range(k):
            distances[i, p] = np.sqrt(best[p])


@njit(cache=True, nogil=True, parallel=True)
def nearest_rows(rows, others, k):  # type: ignore[no-untyped-def]
    """The k nearest of some rows for each of ``rows``, by comparing all: with sixteen numbers to a row faster than
    scipy's tree up to three thousand rows at least, and that takes up to a second to import.

    Args:
        rows: (N, C) floats; others: (M, C) floats, M >= k.

    Returns:
        indices (N, k) int64, sorted by distance, then index, and distances (N, k) float64.
    """
    found, distances = np.empty((len(rows), k), np.int64), np.empty((len(rows), k), np.float64)
    columns, bounds = others.T.copy(), np.arange(SHARES + 1) * len(rows) // SHARES
    for share in prange(SHARES):
        first, last = bounds[share], bounds[share + 1]
        _nearest_of_all(rows[first:last], columns, found[first:last], distances[first:last])
    return found, distances
