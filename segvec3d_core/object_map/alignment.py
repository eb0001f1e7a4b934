"""Aligns a cloud with the map, because a robot's pose error of a centimetre and a degree matters on small objects.

Projective point-to-plane ICP (Blais and Levine, 1995; Newcombe et al., KinectFusion, 2011): each map point is paired
with the depth image's point at the pixel that it projects to, and the pose is refined so that the map points lie in the
local planes of the image. What the geometry does not constrain, such as a shift along a bare table, stays as given.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..types import PointCloud
from . import looking
from .entry import Stack

POINTS = 2000
"""Target number of map points used for alignment; rounding of the sampling stride gives up to twice as many."""

STEPS = 6
"""Maximum number of iterations."""

COARSE_STEPS = 2
"""Number of first iterations that use every second point and Huber weights, so that large residuals still pull. Later
ones use Geman-McClure weights: a large residual is taken for another thing and hardly counts."""

SETTLED = 2e-4
"""The refinement has converged when every component of a step is smaller than this, radians and metres."""

LEAST_PAIRS = 150
"""With fewer pairs in the last iteration, or fewer map points, the given pose is kept."""

FEWEST_PAIRS = 20
"""With fewer pairs an iteration is not solved, and the refinement ends."""

LARGEST_TURN = np.deg2rad(4.0)
"""A larger correction in orientation, radians, is taken for a failed alignment and discarded."""

PULL = 0.8
"""Share of a correction that is applied. The rest lets the given poses, whose errors average out, straighten what
earlier clouds have bent; ``Anchor`` corrects the position of the map as a whole."""


def correction(
    stack: Stack, cloud: PointCloud, T: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Align a cloud with the map.

    Args:
        stack: voxels of the objects in view. cloud: organised, with a camera; without one it is not aligned.
        T: (4, 4) given pose, from the cloud to the map's coordinates. reach: largest correction, metres.

    Returns:
        (4, 4) pose that fits best, and (4, 4) the given pose moved by ``PULL`` of the way to it. None if there are too
        few points or pairs, or if the correction exceeds ``reach`` or ``LARGEST_TURN``.
    """
    camera = cloud.camera
    if camera is None or not len(stack.sizes):
        return None
    # Small objects constrain sideways shifts of the camera, so every object contributes at least a few points.
    rows, _, _ = looking.spread(stack.starts, max(1, POINTS // len(stack.sizes)), 0)
    xyz = stack.xyz[rows[stack.weights[rows] > 1.5]]
    if len(xyz) < LEAST_PAIRS:
        return None
    inverse = np.asarray(np.linalg.inv(T), np.float64)
    intrinsics = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    fitted, pairs = align(xyz, inverse, intrinsics, camera.width, camera.height, cloud.points, reach)
    middle = np.append(xyz.mean(0), 1.0)
    shift = float(np.linalg.norm((fitted - inverse) @ middle))
    turn = float(np.arccos(np.clip((np.trace(fitted[:3, :3] @ inverse[:3, :3].T) - 1) / 2, -1, 1)))
    if pairs < LEAST_PAIRS or shift > reach or turn > LARGEST_TURN:
        return None
    found, result = np.asarray(np.linalg.inv(fitted), np.float64), T.copy()
    turned = found[:3, :3] @ T[:3, :3].T
    # A rotation matrix has as its skew-symmetric part the axis times the sine of the angle; sinc removes the sine.
    axis = np.array([turned[2, 1] - turned[1, 2], turned[0, 2] - turned[2, 0], turned[1, 0] - turned[0, 1]]) / 2
    result[:3, :3] = rotation(axis * (PULL / np.sinc(turn / np.pi))) @ T[:3, :3]
    result[:3, 3] += PULL * (found[:3, 3] - T[:3, 3])
    return found, result


@njit(cache=True, nogil=True)
def align(xyz, T, camera, width, height, points, reach):  # type: ignore[no-untyped-def]  # compiled
    """Refine ``T`` (4, 4), T_camera_map, by ICP; return it and the number of pairs in the last iteration.

    Args:
        xyz: (M, 3) float32 points of the map; camera: (4,) fx, fy, cx, cy; points: (width * height, 3) float32.
        reach: largest difference in depth of a pair, metres.
    """
    T, pairs = T.copy(), 0
    for step_number in range(STEPS):
        coarse = step_number < COARSE_STEPS
        A, b, pairs = _normal_equations(xyz, T, camera, width, height, points, reach, coarse)
        if pairs < FEWEST_PAIRS:
            break
        ballast = 0.01 * (A[3, 3] + A[4, 4] + A[5, 5]) / 3 + 1e-9
        for i in range(6):
            A[i, i] += ballast
        step = _solve(A, b)
        turn, moved = rotation(step[:3]), T.copy()
        for i in range(3):
            for j in range(4):
                moved[i, j] = turn[i, 0] * T[0, j] + turn[i, 1] * T[1, j] + turn[i, 2] * T[2, j]
            moved[i, 3] += step[3 + i]
        T = moved
        if not coarse and np.abs(step).max() < SETTLED:
            break
    return T, pairs


@njit(cache=True, nogil=True)
def rotation(vector):  # type: ignore[no-untyped-def]  # compiled
    """(3, 3) matrix of a rotation vector (Rodrigues)."""
    angle = np.sqrt((vector * vector).sum())
    a = np.sin(angle) / angle if angle > 1e-9 else 1.0
    b = (1 - np.cos(angle)) / angle**2 if angle > 1e-4 else 0.5
    x, y, z = vector
    R = np.empty((3, 3))
    R[0] = 1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y
    R[1] = b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x
    R[2] = b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y)
    return R


@njit(cache=True, nogil=True)
def _solve(A, b):  # type: ignore[no-untyped-def]  # compiled
    """Solve A x = b for a positive definite A by Gaussian elimination; overwrites both."""
    n = len(b)
    for i in range(n):
        for j in range(i + 1, n):
            share = A[j, i] / A[i, i]
            for k in range(i, n):
                A[j, k] -= share * A[i, k]
            b[j] -= share * b[i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= A[i, k] * b[k]
        b[i] /= A[i, i]
    return b


@njit(cache=True, nogil=True)
def _normal_equations(xyz, T, camera, width, height, points, reach, coarse):  # type: ignore[no-untyped-def]  # compiled
    """Weighted normal equations, A (6, 6) and b (6,), of a small motion (rotation vector, then translation), and the
    number of pairs in them."""
    A, b = np.zeros((6, 6)), np.zeros(6)
    pairs = 0
    row = np.empty(6)
    for i in range(0, len(xyz), 2 if coarse else 1):
        x = T[0, 0] * xyz[i, 0] + T[0, 1] * xyz[i, 1] + T[0, 2] * xyz[i, 2] + T[0, 3]
        y = T[1, 0] * xyz[i, 0] + T[1, 1] * xyz[i, 1] + T[1, 2] * xyz[i, 2] + T[1, 3]
        z = T[2, 0] * xyz[i, 0] + T[2, 1] * xyz[i, 1] + T[2, 2] * xyz[i, 2] + T[2, 3]
        if z < 0.1:
            continue
        u, v = camera[0] * x / z + camera[2], camera[1] * y / z + camera[3]
        side = max(2, int(0.012 * camera[0] / z))
        if not (side <= u < width - side - 1 and side <= v < height - side - 1):
            continue
        pixel = int(v + 0.5) * width + int(u + 0.5)
        seen = points[pixel]
        if not abs(seen[2] - z) < reach:
            continue
        left, right = points[pixel - side], points[pixel + side]
        above, below = points[pixel - side * width], points[pixel + side * width]
        jump = 0.03 + 0.01 * z * z
        if not (abs(right[2] - left[2]) < jump and abs(below[2] - above[2]) < jump):
            continue
        ax, ay, az = right[0] - left[0], right[1] - left[1], right[2] - left[2]
        bx, by, bz = below[0] - above[0], below[1] - above[1], below[2] - above[2]
        nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if not length > 1e-9:
            continue
        nx, ny, nz = nx / length, ny / length, nz / length
        residual = nx * (seen[0] - x) + ny * (seen[1] - y) + nz * (seen[2] - z)
        # The sensor's error grows with the square of the distance.
        weight = 1.0 / (1.0 + z * z) ** 2
        if not coarse:
            weight /= (1.0 + (residual / 0.01) ** 2) ** 2
        elif abs(residual) > 0.01:
            weight *= 0.01 / abs(residual)
        row[0], row[1], row[2] = y * nz - z * ny, z * nx - x * nz, x * ny - y * nx
        row[3], row[4], row[5] = nx, ny, nz
        for j in range(6):
            b[j] += weight * row[j] * residual
            for k in range(6):
                A[j, k] += weight * row[j] * row[k]
        pairs += 1
    return A, b, pairs
