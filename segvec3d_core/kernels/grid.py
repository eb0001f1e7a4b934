"""Kernels on voxel grids: hashing points into voxels, means over them.

All kernels are deterministic: voxels are numbered in the order of their first point.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

EMPTY = -1
BAND_BIT = 40
"""A cell's band is encoded in its z coordinate from this bit up, so that cells of different bands never coincide."""
LAST_BAND = 3
"""Voxel edges grow by at most ``2**LAST_BAND``."""


@njit(cache=True, nogil=True, inline="always")
def slot(x, y, z, mask):  # type: ignore[no-untyped-def]
    """First slot to probe for integer coordinates, spatial hash of Teschner et al. 2003."""
    h = (x * np.int64(73856093)) ^ (y * np.int64(19349663)) ^ (z * np.int64(83492791))
    h ^= h >> np.int64(15)
    return h & mask


@njit(cache=True, nogil=True)
def hash_cells(coords):  # type: ignore[no-untyped-def]
    """Number distinct integer cells.

    Args:
        coords: (N, 3) int64.

    Returns:
        inverse (N,) int64 cell of each row, first (V,) int64 first row of each cell, table (T,) int64 open-addressed
        hash table of cell numbers with -1 for empty slots, T a power of two.
    """
    n = len(coords)
    size = 16
    while size < 2 * n:
        size *= 2
    mask = np.int64(size - 1)
    table = np.full(size, EMPTY, np.int64)
    inverse = np.empty(n, np.int64)
    first = np.empty(n, np.int64)
    count = 0
    for i in range(n):
        x, y, z = coords[i, 0], coords[i, 1], coords[i, 2]
        s = slot(x, y, z, mask)
        while True:
            cell = table[s]
            if cell == EMPTY:
                table[s] = count
                first[count] = i
                inverse[i] = count
                count += 1
                break
            j = first[cell]
            if coords[j, 0] == x and coords[j, 1] == y and coords[j, 2] == z:
                inverse[i] = cell
                break
            s = (s + 1) & mask
    return inverse, first[:count].copy(), table


@njit(cache=True, nogil=True)
def group_rows(owner, count):  # type: ignore[no-untyped-def]
    """Sort rows by owner with a stable counting sort.

    Args:
        owner: (N,) int64 from 0 to ``count`` - 1; rows with negative owners are left out.

    Returns:
        order (M,) int64 rows, and starts (count + 1,) int64 offset of each owner's rows.
    """
    starts = np.zeros(count + 1, np.int64)
    for i in range(len(owner)):
        if owner[i] >= 0:
            starts[owner[i] + 1] += 1
    for k in range(count):
        starts[k + 1] += starts[k]
    order, at = np.empty(starts[count], np.int64), starts.copy()
    for i in range(len(owner)):
        if owner[i] >= 0:
            order[at[owner[i]]] = i
            at[owner[i]] += 1
    return order, starts


@njit(cache=True, nogil=True, inline="always")
def _band(x, y, z, reach):  # type: ignore[no-untyped-def]
    """Number of times a voxel's edge has doubled at an offset from the eye: once at ``reach`` and at each doubling of
    it, at most ``LAST_BAND``."""
    squared, limit, band = x * x + y * y + z * z, reach * reach, 0
    while band < LAST_BAND and squared >= limit:
        band += 1
        limit *= 4.0
    return band


@njit(cache=True, nogil=True, inline="always")
def _lookup(x, y, z, coords, table):  # type: ignore[no-untyped-def]
    """Slot and number of the voxel with these coordinates, or the slot at which to insert it and ``EMPTY``."""
    mask = np.int64(len(table) - 1)
    s = slot(x, y, z, mask)
    found = table[s]
    while found != EMPTY and (coords[found, 0] != x or coords[found, 1] != y or coords[found, 2] != z):
        s = (s + 1) & mask
        found = table[s]
    return s, found


@njit(cache=True, nogil=True)
def _table_of(coords, slots):  # type: ignore[no-untyped-def]
    """A hash table of distinct voxels with ``slots`` slots, a power of two."""
    table = np.full(slots, EMPTY, np.int64)
    for v in range(len(coords)):
        s, _ = _lookup(coords[v, 0], coords[v, 1], coords[v, 2], coords, table)
        table[s] = v
    return table


PARTS = 8
"""Number of runs into which points are split for several cores; constant, so that sums are the same on any machine."""


@njit(cache=True, nogil=True, inline="always")
def dealt(turn):  # type: ignore[no-untyped-def]
    """The run to take in a turn, 0 to ``PARTS`` - 1: first the even ones, then the odd ones.

    A core takes consecutive turns, and neighbouring runs cost alike: the far part of an image may have no points.
    """
    return 2 * turn % PARTS + 2 * turn // PARTS


@njit(cache=True, nogil=True, inline="always")
def _counts(point, i, keep, farthest):  # type: ignore[no-untyped-def]
    """Whether point i is kept, finite and within ``farthest``."""
    near = abs(point[0]) < farthest and abs(point[1]) < farthest and abs(point[2]) < farthest
    return near and (len(keep) == 0 or keep[i])


@njit(cache=True, nogil=True, inline="always")
def _cell_of(px, py, pz, origin, size, eye, reach):  # type: ignore[no-untyped-def]
    """Coordinates of the voxel that contains a point, with the band in z."""
    band = _band(px - eye[0], py - eye[1], pz - eye[2], reach)
    edge = size * (1 << band)
    x, y = np.int64(np.floor((px - origin[0]) / edge)), np.int64(np.floor((py - origin[1]) / edge))
    return x, y, np.int64(np.floor((pz - origin[2]) / edge)) + (np.int64(band) << BAND_BIT)


@njit(cache=True, nogil=True)
def _group_part(points, keep, farthest, origin, size, eye, reach, inverse, coords, sums, counts):  # type: ignore[no-untyped-def]
    """``group_points`` for a run of points, written to four arrays as long as the run -> the number of voxels.

    Neighbouring pixels mostly share a voxel, so the previous voxel is tried first, and its sums stay in registers.
    """
    table = np.full(1 << 13, EMPTY, np.int64)
    count, last = 0, -1
    x = y = z = np.int64(0)
    right = down = ahead = 0.0
    here = 0
    corner, place = (origin[0], origin[1], origin[2]), (eye[0], eye[1], eye[2])  # in registers, too
    for i in range(len(points)):
        inverse[i] = EMPTY
        if not _counts(points[i], i, keep, farthest):
            continue
        px, py, pz = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        cx, cy, cz = _cell_of(px, py, pz, corner, size, place, reach)
        if last < 0 or cx != x or cy != y or cz != z:
            if last >= 0:
                _add(sums, counts, last, right, down, ahead, here)
            right, down, ahead, here = 0.0, 0.0, 0.0, 0
            x, y, z = cx, cy, cz
            s, last = _lookup(x, y, z, coords, table)
            if last == EMPTY:
                if 2 * count == len(table):
                    table = _table_of(coords[:count], 2 * len(table))
                    s, _ = _lookup(x, y, z, coords, table)
                last = count
                table[s] = last
                coords[last, 0], coords[last, 1], coords[last, 2] = x, y, z
                sums[last], counts[last] = 0.0, 0
                count += 1
        inverse[i] = last
        right += px - corner[0]
        down += py - corner[1]
        ahead += pz - corner[2]
        here += 1
    if last >= 0:
        _add(sums, counts, last, right, down, ahead, here)
    return count


@njit(cache=True, nogil=True, inline="always")
def _add(sums, counts, v, x, y, z, many):  # type: ignore[no-untyped-def]
    """Add the sum of several points to voxel v."""
    sums[v, 0] += x
    sums[v, 1] += y
    sums[v, 2] += z
    counts[v] += many


@njit(cache=True, nogil=True)
def _merge(first, found, coords, sums, counts):  # type: ignore[no-untyped-def]
    """Merge the voxels of all parts in place, at the beginning of the arrays.

    Args:
        first: (P,) offset of each part's voxels; found: (P,) their number; coords, sums, counts: of all parts.

    Returns:
        numbers (sum of ``found``,), new number of each part's voxels, concatenated, and the number of voxels.
    """
    slots, total = 16, found.sum()
    while slots < 2 * total:
        slots *= 2
    table = np.full(slots, EMPTY, np.int64)
    numbers, count, n = np.empty(total, np.int64), 0, 0
    for part in range(len(first)):
        for v in range(first[part], first[part] + found[part]):
            s, at = _lookup(coords[v, 0], coords[v, 1], coords[v, 2], coords, table)
            if at == EMPTY:
                at = count
                table[s] = at
                coords[at], sums[at], counts[at] = coords[v], sums[v], counts[v]
                count += 1
            else:
                sums[at] += sums[v]
                counts[at] += counts[v]
            numbers[n] = at
            n += 1
    return numbers, count


@njit(cache=True, nogil=True, parallel=True)
def group_points(points, keep, farthest, origin, size, eye, reach):  # type: ignore[no-untyped-def]
    """Group points by voxel, in one pass over each of ``PARTS`` runs of points.

    Args:
        points: (N, 3) float32; keep: (N,) bool, or (0,) for all; farthest: larger coordinates and NaN are left out.
        origin: (3,) float64 of the grid; size: finest voxel edge, float64.
        eye: (3,) float64 point from which distance is measured; reach: distance at which the edge doubles, and again at
            each doubling of it, inf for voxels of one size.

    Returns:
        inverse (N,) int64 voxel of each point or -1, coords (V, 3) int64 in units of the voxel's own edge, with the
        band in z from ``BAND_BIT`` up, sums (V, 3) float64 relative to ``origin``, counts (V,) int32. Voxels are
        numbered by their first point.
    """
    n = len(points)
    # As long as the points, but the system allocates memory only for the pages that are written.
    coords, sums, counts = np.empty((n, 3), np.int64), np.empty((n, 3), np.float64), np.empty(n, np.int32)
    inverse, bounds, found = np.empty(n, np.int64), np.arange(PARTS + 1) * n // PARTS, np.zeros(PARTS, np.int64)
    for turn in prange(PARTS):
        part = dealt(turn)
        a, b = bounds[part], bounds[part + 1]
        kept = keep[a:b] if len(keep) > 0 else keep
        found[part] = _group_part(
            points[a:b], kept, farthest, origin, size, eye, reach, inverse[a:b], coords[a:b], sums[a:b], counts[a:b]
        )
    numbers, count = _merge(bounds[:PARTS], found, coords, sums, counts)
    for turn in prange(PARTS):
        part = dealt(turn)
        before = found[:part].sum()
        for i in range(bounds[part], bounds[part + 1]):
            if inverse[i] != EMPTY:
                inverse[i] = numbers[before + inverse[i]]
    return inverse, coords[:count].copy(), sums[:count].copy(), counts[:count].copy()


@njit(cache=True, nogil=True, inline="always")
def _mixed(x, y, z):  # type: ignore[no-untyped-def]
    """A hash of three integers with well mixed bits (the finalizer of MurmurHash3)."""
    h = np.uint64(x) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(y) * np.uint64(0xC2B2AE3D27D4EB4F)
    h += np.uint64(z) * np.uint64(0x165667B19E3779F9)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    h = (h ^ (h >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return np.int64((h ^ (h >> np.uint64(33))) >> np.uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _ones(word):  # type: ignore[no-untyped-def]
    """Number of set bits of a uint64."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True, parallel=True)
def count_voxels(points, keep, farthest, origin, size, eye, reach, bits):  # type: ignore[no-untyped-def]
    """Approximate number of voxels of ``group_points`` by linear counting (Whang, Vander-Zanden and Taylor 1990).

    Each voxel sets the bit given by its hash; the number of clear bits yields the number of voxels. No voxel is stored,
    so a voxel size can be tried in a fraction of the time.

    Args:
        bits: size of the bitmap, a power of two, at least 64; the rest as for ``group_points``.
    """
    n, spots = len(points), np.zeros((PARTS, bits // 64), np.uint64)
    for turn in prange(PARTS):
        part = dealt(turn)
        mine, last = spots[part], np.int64(-1)
        for i in range(part * n // PARTS, (part + 1) * n // PARTS):
            if not _counts(points[i], i, keep, farthest):
                continue
            px, py, pz = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
            x, y, z = _cell_of(px, py, pz, origin, size, eye, reach)
            h = _mixed(x, y, z) & np.int64(bits - 1)
            if h != last:
                mine[h >> 6] |= np.uint64(1) << np.uint64(h & 63)
                last = h
    clear = 0
    for word in range(bits // 64):
        together = np.uint64(0)
        for part in range(PARTS):
            together |= spots[part, word]
        clear += 64 - _ones(together)
    return bits * np.log(bits / max(clear, 1))


@njit(cache=True, nogil=True)
def mean_colors(colors, inverse, counts):  # type: ignore[no-untyped-def]
    """Mean of (N, 3) uint8 colours per voxel -> (V, 3) float32, 0 to 1.

    Points with inverse -1 are left out, and so is (0, 0, 0), with which drivers mark points that the colour camera did
    not see; a voxel without any other colour gets (0, 0, 0).
    """
    sums, seen = np.zeros((len(counts), 3), np.int64), np.zeros(len(counts), np.int64)
    for i in range(len(colors)):
        v = inverse[i]
        if v >= 0 and (colors[i, 0] > 0 or colors[i, 1] > 0 or colors[i, 2] > 0):
            seen[v] += 1
            for c in range(3):
                sums[v, c] += colors[i, c]
    means = np.empty((len(counts), 3), np.float32)
    for v in range(len(counts)):
        for c in range(3):
            means[v, c] = sums[v, c] / (255.0 * max(seen[v], 1))
    return means


@njit(cache=True, nogil=True)
def mean_by_cell(values, inverse, count):  # type: ignore[no-untyped-def]
    """Mean of (N, C) values per cell -> (count, C) float32, and the number of rows per cell (count,) int32; rows with
    negative cells are left out, the mean of an empty cell is 0."""
    channels = values.shape[1]
    sums = np.zeros((count, channels), np.float64)
    rows = np.zeros(count, np.int32)
    for i in range(len(values)):
        cell = inverse[i]
        if cell < 0:
            continue
        rows[cell] += 1
        for c in range(channels):
            sums[cell, c] += values[i, c]
    means = np.empty((count, channels), np.float32)
    for v in range(count):
        for c in range(channels):
            means[v, c] = sums[v, c] / max(rows[v], 1)
    return means, rows


@njit(cache=True, nogil=True)
def band_seams(points, bands, size, eye, reach):  # type: ignore[no-untyped-def]
    """Voxels so near the seam to another band that they may have neighbours beyond it.

    Args:
        points: (V, 3) float32; bands: (V,) int64; size: edge in band 0.
        eye: (3,) float32; reach: distance from it at which band 1 begins.

    Returns:
        (V,) uint8: 1 near the finer band, 2 near the coarser one, 3 near both, 0 near none.
    """
    seams = np.zeros(len(points), np.uint8)
    for i in range(len(points)):
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        distance = np.sqrt(x * x + y * y + z * z)
        edge = size * (1 << bands[i])
        near, far = 0.5 * reach * (1 << bands[i]), reach * (1 << bands[i])
        if bands[i] > 0 and distance - near < 3 * edge:
            seams[i] |= 1
        if bands[i] < LAST_BAND and far - distance < 6 * edge:
            seams[i] |= 2
    return seams
