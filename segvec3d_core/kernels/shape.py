"""Kernels for the local geometry around each voxel: normals, shape, relative poses of neighbours."""

from __future__ import annotations

import numpy as np
from numba import njit, prange


@njit(cache=True, nogil=True, inline="always")
def smallest_eigen(a, b, c, d, e, f):  # type: ignore[no-untyped-def]
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
    """Normals and shape of each neighbourhood by principal component analysis.

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
        mx = my = mz = a = b = c = d = e = f = 0.0
        for p in range(m):  # relative to the voxel itself, so that one pass in double precision is accurate
            j = neighbors[i, p]
            x = (points[j, 0] - points[i, 0]) * per
            y = (points[j, 1] - points[i, 1]) * per
            z = (points[j, 2] - points[i, 2]) * per
            mx, my, mz = mx + x, my + y, mz + z
            a += x * x
            b += x * y
            c += x * z
            d += y * y
            e += y * z
            f += z * z
        l0, l1, l2, nx, ny, nz = smallest_eigen(
            a - mx * mx / m, b - mx * my / m, c - mx * mz / m, d - my * my / m, e - my * mz / m, f - mz * mz / m
        )
        total = l0 + l1 + l2
        normals[i, 0], normals[i, 1], normals[i, 2] = nx, ny, nz
        shape[i, 0] = max(l0, 0.0) / total if total > 1e-9 else 0.0
        shape[i, 1] = 1.0 - max(l1, 0.0) / l2 if l2 > 1e-9 else 0.0
    return normals, shape


@njit(cache=True, nogil=True, parallel=True)
def look_from(eye, points, normals):  # type: ignore[no-untyped-def]
    """How the sensor sees each voxel; turns the normals, in place, towards it.

    Args:
        eye: (3,) float32 place of the sensor; points, normals: (V, 3) float32.

    Returns:
        (V, 3) float32 unit rays from the sensor, zero for a point at its place, and (V,) float32 distances, metres.
    """
    rays, distance = np.empty_like(points), np.empty(len(points), np.float32)
    for i in prange(len(points)):
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        far = np.sqrt(x * x + y * y + z * z)
        share = np.float32(1) / max(far, np.float32(1e-6))
        x, y, z = x * share, y * share, z * share
        distance[i] = far
        rays[i, 0], rays[i, 1], rays[i, 2] = x, y, z
        if normals[i, 0] * x + normals[i, 1] * y + normals[i, 2] * z > 0:
            for c in range(3):
                normals[i, c] = -normals[i, c]
    return rays, distance


VOXEL_FEATURES = 12


@njit(cache=True, nogil=True, parallel=True)
def voxel_features(normals, shape, found, rays, distance, seen, up, heights, edges, k):  # type: ignore[no-untyped-def]
    """Input features of each voxel; unknown quantities are zero and flagged.

    In order: surface variation, linearity, share of neighbours found, log edge, viewpoint known (flag), cosine of
    normal and ray, log distance, z of the normal, up known (flag), cosine of normal and up, height above the lowest
    and below the highest of the scene.

    Args:
        normals: (V, 3); shape: (V, 2) and found: (V,) from ``local_shape``; rays: (V, 3) and distance: (V,) from
            ``look_from`` if ``seen``, else ignored.
        up: (3,) unit vector, zero if unknown; heights: (V, 2) above the lowest and below the highest, metres, (0, 2) if
            up is unknown; edges: (V,) metres; k: neighbours.

    Returns:
        (V, 12) float32.
    """
    out = np.zeros((len(normals), VOXEL_FEATURES), np.float32)
    upright = len(heights) > 0
    for i in prange(len(normals)):
        row, x, y, z = out[i], normals[i, 0], normals[i, 1], normals[i, 2]
        row[0], row[1] = shape[i, 0] * 3, shape[i, 1]
        row[2], row[3] = found[i] / np.float32(k), np.log(edges[i] / np.float32(0.01))
        if seen:
            row[4], row[6] = 1, np.log1p(distance[i])
            row[5] = x * rays[i, 0] + y * rays[i, 1] + z * rays[i, 2]
        row[7] = z if seen or upright else abs(z)
        if upright:
            along = x * up[0] + y * up[1] + z * up[2]
            row[8], row[9] = 1, along if seen else abs(along)
            for c in range(2):
                row[10 + c] = min(max(heights[i, c], np.float32(0)), np.float32(4))
    return out


@njit(cache=True, nogil=True, parallel=True)
def compress(points, eye, reach):  # type: ignore[no-untyped-def]
    """``voxels.Fovea.compress`` of (N, 3) float32 points, with a finite reach."""
    out = np.empty_like(points)
    for i in prange(len(points)):
        x, y, z = points[i, 0] - eye[0], points[i, 1] - eye[1], points[i, 2] - eye[2]
        r = max(np.sqrt(x * x + y * y + z * z) / reach, np.float32(1))
        share = (np.float32(1) + np.log(r)) / r
        out[i, 0], out[i, 1], out[i, 2] = eye[0] + x * share, eye[1] + y * share, eye[2] + z * share
    return out


@njit(cache=True, nogil=True, parallel=True)
def edge_features(points, normals, rays, up, oriented, neighbors, sizes):  # type: ignore[no-untyped-def]
    """Relative pose r_ij of each edge, in units of two edges of voxel i, so that values are about one at most.

    Args:
        points, normals: (V, 3) float32; rays: (V, 3) float32 unit vectors from the sensor, zero if unknown.
        up: (3,) float32, zero if unknown; oriented: whether the normals have consistent signs.
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
