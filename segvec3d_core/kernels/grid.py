"""Kernels on voxel grids: hashing points into voxels, neighbours on the grid, normals, edge features.

All kernels are deterministic: voxels are numbered in the order of their first point, neighbours are sorted by
distance and, at equal distance, by index.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

_EMPTY = -1
BAND_BIT = 40
"""A cell's band is kept in its z coordinate from this bit up, so that cells of two bands never meet."""
LAST_BAND = 3
"""Voxels grow no more than ``2**LAST_BAND`` times."""


@njit(cache=True, nogil=True, inline="always")
def _slot(x, y, z, mask):  # type: ignore[no-untyped-def]
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
    table = np.full(size, _EMPTY, np.int64)
    inverse = np.empty(n, np.int64)
    first = np.empty(n, np.int64)
    count = 0
    for i in range(n):
        x, y, z = coords[i, 0], coords[i, 1], coords[i, 2]
        s = _slot(x, y, z, mask)
        while True:
            cell = table[s]
            if cell == _EMPTY:
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
    """Rows sorted by their owner, in their own order within each: a counting sort.

    Args:
        owner: (N,) int64 from 0 to ``count`` - 1; rows of negative ones are left out.

    Returns:
        order (M,) int64, the rows, and starts (count + 1,) int64, where each owner's begin.
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
    """How often a voxel's edge has doubled this far from the eye: once for each doubling beyond ``reach``."""
    squared, limit, band = x * x + y * y + z * z, reach * reach, 0
    while band < LAST_BAND and squared >= limit:
        band += 1
        limit *= 4.0
    return band


@njit(cache=True, nogil=True, inline="always")
def _lookup(x, y, z, coords, table):  # type: ignore[no-untyped-def]
    """Slot of the voxel with these coordinates and its number, or the slot to put it and ``_EMPTY``."""
    mask = np.int64(len(table) - 1)
    s = _slot(x, y, z, mask)
    found = table[s]
    while found != _EMPTY and (coords[found, 0] != x or coords[found, 1] != y or coords[found, 2] != z):
        s = (s + 1) & mask
        found = table[s]
    return s, found


@njit(cache=True, nogil=True)
def _table_of(coords, slots):  # type: ignore[no-untyped-def]
    """A hash table of distinct voxels, ``slots`` large, a power of two."""
    table = np.full(slots, _EMPTY, np.int64)
    for v in range(len(coords)):
        s, _ = _lookup(coords[v, 0], coords[v, 1], coords[v, 2], coords, table)
        table[s] = v
    return table


PARTS = 8
"""Into so many runs a cloud is cut to be grouped by several cores: always as many, so that sums come out the same on
any processor."""


@njit(cache=True, nogil=True)
def _group_part(points, keep, farthest, origin, size, eye, reach, inverse, coords, sums, counts):  # type: ignore[no-untyped-def]
    """``group_points`` of a run of points into the four arrays, each as long as the run -> the number of voxels.

    Neighbouring pixels mostly share a voxel, so the last one is tried first.
    """
    table = np.full(1 << 13, _EMPTY, np.int64)
    count, last = 0, -1
    for i in range(len(points)):
        inverse[i] = _EMPTY
        if len(keep) > 0 and not keep[i]:
            continue
        px, py, pz = np.float64(points[i, 0]), np.float64(points[i, 1]), np.float64(points[i, 2])
        if not (abs(px) < farthest and abs(py) < farthest and abs(pz) < farthest):
            continue
        band = _band(px - eye[0], py - eye[1], pz - eye[2], reach)
        edge = size * (1 << band)
        px, py, pz = px - origin[0], py - origin[1], pz - origin[2]
        x, y, z = np.int64(np.floor(px / edge)), np.int64(np.floor(py / edge)), np.int64(np.floor(pz / edge))
        z += np.int64(band) << BAND_BIT
        if last < 0 or coords[last, 0] != x or coords[last, 1] != y or coords[last, 2] != z:
            s, last = _lookup(x, y, z, coords, table)
            if last == _EMPTY:
                if 2 * count == len(table):
                    table = _table_of(coords[:count], 2 * len(table))
                    s, _ = _lookup(x, y, z, coords, table)
                last = count
                table[s] = last
                coords[last, 0], coords[last, 1], coords[last, 2] = x, y, z
                sums[last], counts[last] = 0.0, 0
                count += 1
        inverse[i] = last
        sums[last, 0] += px
        sums[last, 1] += py
        sums[last, 2] += pz
        counts[last] += 1
    return count


@njit(cache=True, nogil=True)
def _merge(first, found, coords, sums, counts):  # type: ignore[no-untyped-def]
    """Bring the voxels of all parts together, in place at the beginning of the arrays.

    Args:
        first: (P,) where each part's voxels begin; found: (P,) how many they are; coords, sums, counts: of all parts.

    Returns:
        numbers (sum of ``found``,), what each part's voxels are called now, part after part, and the number of voxels.
    """
    slots, total = 16, found.sum()
    while slots < 2 * total:
        slots *= 2
    table = np.full(slots, _EMPTY, np.int64)
    numbers, count, n = np.empty(total, np.int64), 0, 0
    for part in range(len(first)):
        for v in range(first[part], first[part] + found[part]):
            s, at = _lookup(coords[v, 0], coords[v, 1], coords[v, 2], coords, table)
            if at == _EMPTY:
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
        eye: (3,) float64 from where distance counts; reach: beyond this distance the edge doubles with each doubling
            of the distance, inf for voxels of one size.

    Returns:
        inverse (N,) int64 voxel of each point or -1, coords (V, 3) int64 in edges of the voxel's own band, the band
        in z from ``BAND_BIT`` up, sums (V, 3) float64 relative to ``origin``, counts (V,) int32. Voxels are numbered
        by their first point.
    """
    n = len(points)
    # As long as the points, but memory is taken only where something is written.
    coords, sums, counts = np.empty((n, 3), np.int64), np.empty((n, 3), np.float64), np.empty(n, np.int32)
    inverse, bounds, found = np.empty(n, np.int64), np.arange(PARTS + 1) * n // PARTS, np.zeros(PARTS, np.int64)
    for part in prange(PARTS):
        a, b = bounds[part], bounds[part + 1]
        kept = keep[a:b] if len(keep) > 0 else keep
        found[part] = _group_part(
            points[a:b], kept, farthest, origin, size, eye, reach, inverse[a:b], coords[a:b], sums[a:b], counts[a:b]
        )
    numbers, count = _merge(bounds[:PARTS], found, coords, sums, counts)
    for part in prange(PARTS):
        before = found[:part].sum()
        for i in range(bounds[part], bounds[part + 1]):
            if inverse[i] != _EMPTY:
                inverse[i] = numbers[before + inverse[i]]
    return inverse, coords[:count].copy(), sums[:count].copy(), counts[:count].copy()


@njit(cache=True, nogil=True)
def mean_colors(colors, inverse, counts):  # type: ignore[no-untyped-def]
    """Mean of (N, 3) uint8 colours per voxel -> (V, 3) float32, 0 to 1; points with inverse -1 are left out."""
    sums = np.zeros((len(counts), 3), np.int64)
    for i in range(len(colors)):
        v = inverse[i]
        if v >= 0:
            for c in range(3):
                sums[v, c] += colors[i, c]
    means = np.empty((len(counts), 3), np.float32)
    for v in range(len(counts)):
        for c in range(3):
            means[v, c] = sums[v, c] / (255.0 * counts[v])
    return means


@njit(cache=True, nogil=True)
def mean_by_cell(values, inverse, count):  # type: ignore[no-untyped-def]
    """Mean of (N, C) values per cell -> (count, C) float32, and the number of rows per cell (count,) int32."""
    channels = values.shape[1]
    sums = np.zeros((count, channels), np.float64)
    rows = np.zeros(count, np.int32)
    for i in range(len(values)):
        cell = inverse[i]
        rows[cell] += 1
        for c in range(channels):
            sums[cell, c] += values[i, c]
    means = np.empty((count, channels), np.float32)
    for v in range(count):
        for c in range(channels):
            means[v, c] = sums[v, c] / rows[v]
    return means, rows


@njit(cache=True, nogil=True)
def band_seams(points, bands, size, eye, reach):  # type: ignore[no-untyped-def]
    """Which voxels lie so near the seam to another band that neighbours may lie beyond it.

    Args:
        points: (V, 3) float32; bands: (V,) int64; size: edge in band 0; eye: (3,) float32; reach: where band 1 begins.

    Returns:
        (V,) uint8: 1 for the finer band's side, 2 for the coarser one's, 3 for both.
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


@njit(cache=True, nogil=True, inline="always")
def _find(x, y, z, cells, cell_first, cell_table):  # type: ignore[no-untyped-def]
    """Number of the cell with these coordinates, or ``_EMPTY``."""
    mask = np.int64(len(cell_table) - 1)
    s = _slot(x, y, z, mask)
    cell = cell_table[s]
    while cell != _EMPTY:
        m = cell_first[cell]
        if cells[m, 0] == x and cells[m, 1] == y and cells[m, 2] == z:
            break
        s = (s + 1) & mask
        cell = cell_table[s]
    return cell


@njit(cache=True, nogil=True, inline="always")
def _insert(best, ids, count, d, j):  # type: ignore[no-untyped-def]
    """Put a candidate into the list of the nearest, sorted by distance and then by index; ``count`` long."""
    p = count - 1
    while p > 0 and (best[p - 1] > d or (best[p - 1] == d and ids[p - 1] > j)):
        best[p] = best[p - 1]
        ids[p] = ids[p - 1]
        p -= 1
    best[p] = d
    ids[p] = j


@njit(cache=True, nogil=True)
def _around(x, y, z, cells, cell_first, cell_table, near):  # type: ignore[no-untyped-def]
    """Numbers of the cells that exist among the 27 around these coordinates into ``near`` -> how many."""
    many = 0
    for block in range(27):
        cell = _find(x + block // 9 - 1, y + block // 3 % 3 - 1, z + block % 3 - 1, cells, cell_first, cell_table)
        if cell != _EMPTY:
            near[many] = cell
            many += 1
    return many


@njit(cache=True, nogil=True)
def _nearest_of(points, i, near, order, starts, best, ids, count):  # type: ignore[no-untyped-def]
    """Put the points of the cells ``near`` among the nearest to point i so far -> how many these are now."""
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


@njit(cache=True, nogil=True, parallel=True)
def grid_neighbors(  # type: ignore[no-untyped-def]
    points, cells, cell_first, cell_table, order, starts, k, bands, seams, size
):
    """The k nearest points among those in the 27 cells around each point's own, and near a seam in the 27 cells of
    the other band, too. Points of one cell look at the same cells, which are looked up once.

    Args:
        points: (V, 3) float32.
        cells: (V, 3) int64 cell coordinates of each point, two edges of its band wide, with the band in z.
        cell_first: (G,) int64 a member of each cell; cell_table: hash table of cells from ``hash_cells``.
        order: (V,) int64 points sorted by cell; starts: (G + 1,) int64 where each cell begins in ``order``.
        k: neighbours wanted, the point itself first.
        bands: (V,) int64; seams: (V,) uint8 from ``band_seams``; size: edge in band 0, float32.

    Returns:
        neighbors (V, k) int64, padded with the point itself; found (V,) int32, how many are real.
    """
    n = len(points)
    neighbors = np.empty((n, k), np.int64)
    found = np.empty(n, np.int32)
    for g in prange(len(cell_first)):
        best, near, beyond = np.empty(k, np.float32), np.empty(27, np.int64), np.empty(27, np.int64)
        own = cells[cell_first[g]]
        many = _around(own[0], own[1], own[2], cells, cell_first, cell_table, near)
        for o in range(starts[g], starts[g + 1]):
            i = order[o]
            ids = neighbors[i]
            count = _nearest_of(points, i, near[:many], order, starts, best, ids, 0)
            for side in (-1, 1):
                if (side < 0 and not seams[i] & 1) or (side > 0 and not seams[i] & 2):
                    continue
                band = bands[i] + side
                width = np.float32(2 * (1 << band)) * size
                x = np.int64(np.floor(points[i, 0] / width))
                y = np.int64(np.floor(points[i, 1] / width))
                z = np.int64(np.floor(points[i, 2] / width)) + (np.int64(band) << BAND_BIT)
                others = _around(x, y, z, cells, cell_first, cell_table, beyond)
                count = _nearest_of(points, i, beyond[:others], order, starts, best, ids, count)
            found[i] = count
            for p in range(count, k):
                ids[p] = i
    return neighbors, found


@njit(cache=True, nogil=True, inline="always")
def _smallest_eigen(a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    """Eigenvalues (ascending) and eigenvector of the smallest for [[a, b, c], [b, d, e], [c, e, f]] (trigonometric)."""
    q = (a + d + f) / 3.0
    p2 = (a - q) ** 2 + (d - q) ** 2 + (f - q) ** 2 + 2.0 * (b * b + c * c + e * e)
    p = np.sqrt(p2 / 6.0)
    if p < 1e-12:
        return q, q, q, 0.0, 0.0, 1.0
    aa, dd, ff = (a - q) / p, (d - q) / p, (f - q) / p
    bb, cc, ee = b / p, c / p, e / p
    r = 0.5 * (aa * (dd * ff - ee * ee) - bb * (bb * ff - ee * cc) + cc * (bb * ee - dd * cc))
    phi = np.arccos(min(1.0, max(-1.0, r))) / 3.0
    l2 = q + 2.0 * p * np.cos(phi)
    l0 = q + 2.0 * p * np.cos(phi + 2.0943951023931953)
    l1 = 3.0 * q - l0 - l2
    # The eigenvector is orthogonal to the rows of M - l0 I: take the longest of their cross products.
    a -= l0
    d -= l0
    f -= l0
    x0, y0, z0 = b * e - c * d, c * b - a * e, a * d - b * b
    x1, y1, z1 = b * f - c * e, c * c - a * f, a * e - b * c
    x2, y2, z2 = d * f - e * e, e * c - b * f, b * e - d * c
    n0, n1, n2 = x0 * x0 + y0 * y0 + z0 * z0, x1 * x1 + y1 * y1 + z1 * z1, x2 * x2 + y2 * y2 + z2 * z2
    if n1 > n0 and n1 >= n2:
        x0, y0, z0, n0 = x1, y1, z1, n1
    elif n2 > n0:
        x0, y0, z0, n0 = x2, y2, z2, n2
    if n0 < 1e-30:
        return l0, l1, l2, 0.0, 0.0, 1.0
    s = 1.0 / np.sqrt(n0)
    return l0, l1, l2, x0 * s, y0 * s, z0 * s


@njit(cache=True, nogil=True, parallel=True)
def local_shape(points, neighbors, found, size):  # type: ignore[no-untyped-def]
    """Normals and shape of each neighbourhood by principal components.

    Args:
        points: (V, 3) float32; neighbors: (V, k) int64; found: (V,) int32; size: voxel edge, metres.

    Returns:
        normals (V, 3) float32 of unit length and arbitrary sign, shape (V, 2) float32: surface variation
        l0 / (l0 + l1 + l2), at most 1/3, and linearity 1 - l1 / l2.
    """
    n = len(points)
    normals = np.empty((n, 3), np.float32)
    shape = np.empty((n, 2), np.float32)
    per = 1.0 / size
    for i in prange(n):
        m = found[i]
        mx = my = mz = 0.0
        for p in range(m):
            j = neighbors[i, p]
            mx += (points[j, 0] - points[i, 0]) * per
            my += (points[j, 1] - points[i, 1]) * per
            mz += (points[j, 2] - points[i, 2]) * per
        mx, my, mz = mx / m, my / m, mz / m
        a = b = c = d = e = f = 0.0
        for p in range(m):
            j = neighbors[i, p]
            x = (points[j, 0] - points[i, 0]) * per - mx
            y = (points[j, 1] - points[i, 1]) * per - my
            z = (points[j, 2] - points[i, 2]) * per - mz
            a += x * x
            b += x * y
            c += x * z
            d += y * y
            e += y * z
            f += z * z
        l0, l1, l2, nx, ny, nz = _smallest_eigen(a, b, c, d, e, f)
        total = l0 + l1 + l2
        normals[i, 0], normals[i, 1], normals[i, 2] = nx, ny, nz
        shape[i, 0] = max(l0, 0.0) / total if total > 1e-9 else 0.0
        shape[i, 1] = 1.0 - max(l1, 0.0) / l2 if l2 > 1e-9 else 0.0
    return normals, shape


@njit(cache=True, nogil=True, parallel=True)
def edge_features(points, normals, rays, up, oriented, neighbors, sizes):  # type: ignore[no-untyped-def]
    """Relative pose r_ij of each edge, in edges of voxel i, bounded to about one.

    Args:
        points, normals: (V, 3) float32; rays: (V, 3) float32 unit vectors from the sensor, zero when unknown;
        up: (3,) float32, zero when unknown; oriented: whether the normals' signs mean something;
        neighbors: (V, k) int64; sizes: (V,) float32 voxel edges, metres.

    Returns:
        (V, k, 10) float32: offset (3), length, along own normal, along the other's normal, cosine of the normals,
        convexity, along the ray, along up. Without orientation the normal terms are absolute and convexity is 0.
    """
    n, k = neighbors.shape
    out = np.empty((n, k, 10), np.float32)
    for i in prange(n):
        scale = np.float32(0.5) / sizes[i]
        for p in range(k):
            j = neighbors[i, p]
            x = (points[j, 0] - points[i, 0]) * scale
            y = (points[j, 1] - points[i, 1]) * scale
            z = (points[j, 2] - points[i, 2]) * scale
            length = np.sqrt(x * x + y * y + z * z)
            own = normals[i, 0] * x + normals[i, 1] * y + normals[i, 2] * z
            other = normals[j, 0] * x + normals[j, 1] * y + normals[j, 2] * z
            cosine = normals[i, 0] * normals[j, 0] + normals[i, 1] * normals[j, 1] + normals[i, 2] * normals[j, 2]
            out[i, p, 0], out[i, p, 1], out[i, p, 2], out[i, p, 3] = x, y, z, length
            if oriented:
                out[i, p, 4], out[i, p, 5], out[i, p, 6] = own, other, cosine
                out[i, p, 7] = (other - own) / (length + np.float32(1e-3))
            else:
                out[i, p, 4], out[i, p, 5], out[i, p, 6] = abs(own), abs(other), abs(cosine)
                out[i, p, 7] = 0
            out[i, p, 8] = rays[i, 0] * x + rays[i, 1] * y + rays[i, 2] * z
            out[i, p, 9] = up[0] * x + up[1] * y + up[2] * z
    return out
