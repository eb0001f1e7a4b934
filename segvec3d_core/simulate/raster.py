"""Z-buffers in numba: the depth camera's view, the light's view and the height maps that objects are dropped on.

A triangle's height is linear in a plan view, and its inverse depth is linear in a pinhole image, so one routine that
keeps the largest value per pixel serves all three. Every pixel is sampled at its centre: the result is that of casting
a ray through each pixel, and does not depend on the number of threads (there is one).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

NEAR = 0.05
"""Near plane: nothing nearer to the camera than this is drawn, metres."""


@njit(cache=True, nogil=True)
def _triangle(  # type: ignore[no-untyped-def]  # compiled
    value, face, index, x0, y0, q0, x1, y1, q1, x2, y2, q2
) -> None:
    """Draw one triangle given in pixels and values, keeping the larger value per pixel."""
    height, width = value.shape
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if abs(area) < 1e-12:
        return
    left = max(0, int(np.ceil(min(x0, x1, x2))))
    right = min(width - 1, int(np.floor(max(x0, x1, x2))))
    top = max(0, int(np.ceil(min(y0, y1, y2))))
    bottom = min(height - 1, int(np.floor(max(y0, y1, y2))))
    inverse = 1.0 / area
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            w1 = ((column - x0) * (y2 - y0) - (x2 - x0) * (row - y0)) * inverse
            w2 = ((x1 - x0) * (row - y0) - (column - x0) * (y1 - y0)) * inverse
            if w1 >= -1e-9 and w2 >= -1e-9 and w1 + w2 <= 1.0 + 1e-9:
                q = q0 + w1 * (q1 - q0) + w2 * (q2 - q0)
                if q > value[row, column]:
                    value[row, column] = q
                    face[row, column] = index


@njit(cache=True, nogil=True)
def _plan(vertices, faces, x0, y0, cell, value, face) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Largest z per cell of a plan view."""
    for f in range(len(faces)):
        a, b, c = faces[f]
        _triangle(
            value, face, f,
            (vertices[a, 0] - x0) / cell, (vertices[a, 1] - y0) / cell, vertices[a, 2],
            (vertices[b, 0] - x0) / cell, (vertices[b, 1] - y0) / cell, vertices[b, 2],
            (vertices[c, 0] - x0) / cell, (vertices[c, 1] - y0) / cell, vertices[c, 2],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _pinhole(vertices, faces, fx, fy, cx, cy, value, face) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Largest inverse depth per pixel, triangles clipped at the near plane."""
    corner = np.empty((3, 3))
    clipped = np.empty((4, 3))
    for f in range(len(faces)):
        behind = 0
        for i in range(3):
            for k in range(3):
                corner[i, k] = vertices[faces[f, i], k]
            if corner[i, 2] < NEAR:
                behind += 1
        if behind == 3:
            continue
        count = 0
        for i in range(3):
            j = (i + 1) % 3
            if corner[i, 2] >= NEAR:
                clipped[count] = corner[i]
                count += 1
            if (corner[i, 2] >= NEAR) != (corner[j, 2] >= NEAR):
                t = (NEAR - corner[i, 2]) / (corner[j, 2] - corner[i, 2])
                clipped[count] = corner[i] + t * (corner[j] - corner[i])
                count += 1
        for i in range(count):
            q = 1.0 / clipped[i, 2]
            clipped[i, 0] = clipped[i, 0] * q * fx + cx
            clipped[i, 1] = clipped[i, 1] * q * fy + cy
            clipped[i, 2] = q
        for i in range(1, count - 1):
            _triangle(
                value, face, f,
                clipped[0, 0], clipped[0, 1], clipped[0, 2],
                clipped[i, 0], clipped[i, 1], clipped[i, 2],
                clipped[i + 1, 0], clipped[i + 1, 1], clipped[i + 1, 2],
            )  # fmt: skip


def plan(
    vertices: NDArray[np.floating], faces: NDArray[np.int32], x0: float, y0: float, cell: float,
    value: NDArray[np.float64],
) -> None:  # fmt: skip
    """Raise a height map to the largest z of a mesh in each cell.

    Args:
        vertices: (V, 3); faces: (F, 3).
        x0, y0: position of the cell (0, 0), metres; columns run along x, rows along y.
        cell: edge of a cell, metres.
        value: (H, W) heights, updated in place.
    """
    # The same argument types in every call, so that numba compiles only once.
    points = np.ascontiguousarray(vertices, np.float64)
    face = np.empty(value.shape, np.int32)
    _plan(points, np.ascontiguousarray(faces, np.int32), float(x0), float(y0), float(cell), value, face)


def pinhole(
    vertices: NDArray[np.floating],
    faces: NDArray[np.int32],
    size: tuple[int, int],
    intrinsics: tuple[float, float, float, float],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """What a pinhole camera sees of a mesh in its optical frame.

    Args:
        vertices: (V, 3) in the optical frame (x right, y down, z forward), metres.
        faces: (F, 3).
        size: image height and width.
        intrinsics: fx, fy, cx, cy in pixels.

    Returns:
        depth (H, W) float32 along z in metres, 0 without a surface; face (H, W) int32 index, -1 without a surface.
    """
    value = np.zeros(size)
    face = np.full(size, -1, np.int32)
    points = np.ascontiguousarray(vertices, np.float64)
    fx, fy, cx, cy = (float(f) for f in intrinsics)
    _pinhole(points, np.ascontiguousarray(faces, np.int32), fx, fy, cx, cy, value, face)
    with np.errstate(divide="ignore"):
        depth = np.where(face >= 0, 1.0 / value, 0.0)
    return depth.astype(np.float32), face


@njit(cache=True, nogil=True)
def surfaces(depth, face, vertices, faces, fx, fy, cx, cy, rotation, eye, points, normals, cosine) -> None:  # type: ignore[no-untyped-def]  # compiled
    """Surface point, normal and viewing angle of every pixel of a pinhole view.

    Args:
        depth, face: (H, W) from ``pinhole``.
        vertices: (V, 3) in the optical frame; faces: (F, 3).
        fx, fy, cx, cy: intrinsics, pixels.
        rotation, eye: p_scene = rotation @ p_camera + eye.
        points, normals: (H, W, 3) filled in the scene's frame, normals towards the camera; 0 without a surface.
        cosine: (H, W) filled with the cosine between normal and viewing ray, 0 without a surface.
    """
    for row in range(depth.shape[0]):
        for column in range(depth.shape[1]):
            f, z = face[row, column], depth[row, column]
            if f < 0:
                points[row, column], normals[row, column], cosine[row, column] = 0.0, 0.0, 0.0
                continue
            a, b, c = faces[f]
            ux, uy, uz = (
                vertices[b, 0] - vertices[a, 0],
                vertices[b, 1] - vertices[a, 1],
                vertices[b, 2] - vertices[a, 2],
            )
            vx, vy, vz = (
                vertices[c, 0] - vertices[a, 0],
                vertices[c, 1] - vertices[a, 1],
                vertices[c, 2] - vertices[a, 2],
            )
            nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
            x, y = (column - cx) / fx * z, (row - cy) / fy * z
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-20
            dot = -(nx * x + ny * y + nz * z) / length
            if dot < 0:
                length = -length
            cosine[row, column] = abs(dot) / np.sqrt(x * x + y * y + z * z)
            for k in range(3):
                points[row, column, k] = rotation[k, 0] * x + rotation[k, 1] * y + rotation[k, 2] * z + eye[k]
                normals[row, column, k] = (rotation[k, 0] * nx + rotation[k, 1] * ny + rotation[k, 2] * nz) / length
