"""Random warps that vary shapes: the mugs of a real home differ more than two draws of one parametric family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import Mesh

Points = NDArray[np.float64]

DETAIL = 9
"""Edges are split until this many fit along a mesh's longest extent: a box of only eight vertices cannot bend."""
ROUNDS = 3
"""How often an edge is halved at most."""


def warped(rng: Generator, mesh: Mesh) -> Mesh:
    """The mesh stretched along its axes, then one or two of: tapered, bent, twisted, sheared, dented; at rest on z = 0.

    A warp moves both sides of a wall together and does not separate touching parts: a mug remains a mug with a handle.
    """
    size = mesh.size.astype(np.float64)
    split = subdivided(mesh, float(size.max()) / DETAIL)
    low = split.vertices.min(0)
    points = split.vertices - (low + split.vertices.max(0)) / 2
    points = points * rng.uniform(0.8, 1.25, 3)
    for warp in rng.choice(len(WARPS), int(rng.integers(1, 3)), replace=False):
        points = WARPS[warp](rng, points.astype(np.float64))
    return replace(split, vertices=points.astype(np.float32)).grounded()


def subdivided(mesh: Mesh, longest: float) -> Mesh:
    """The same surface in smaller triangles: edges longer than ``longest`` metres are halved, up to ``ROUNDS`` times.

    Faces that share an edge split it at the same point, so that no crack opens between them.
    """
    corners, parts = mesh.vertices[mesh.faces].astype(np.float64), mesh.parts
    for _ in range(ROUNDS):
        ahead = np.roll(corners, -1, 1)
        long = np.linalg.norm(ahead - corners, axis=2) > longest
        if not long.any():
            break
        # Reorder the corners of each face cyclically so that its long edges come first.
        first = np.argmax([long[:, k] & ~long[:, k - 1] for k in range(3)], 0)
        order = (first[:, None] + np.arange(3)) % 3
        corners, long = np.take_along_axis(corners, order[..., None], 1), np.take_along_axis(long, order, 1)
        a, b, c = corners.swapaxes(0, 1)
        ab, bc, ca = (a + b) / 2, (b + c) / 2, (c + a) / 2
        count = long.sum(1)
        pieces: list[tuple[NDArray[np.bool_], tuple[Points, Points, Points]]] = [
            (count == 0, (a, b, c)),
            *((count == 1, face) for face in ((a, ab, c), (ab, b, c))),
            *((count == 2, face) for face in ((a, ab, c), (ab, b, bc), (ab, bc, c))),
            *((count == 3, face) for face in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))),
        ]
        corners = np.concatenate([np.stack([v[chosen] for v in face], 1) for chosen, face in pieces])
        parts = np.concatenate([parts[chosen] for chosen, _ in pieces])
    faces = np.arange(3 * len(corners), dtype=np.int32).reshape(-1, 3)
    return replace(mesh, vertices=corners.reshape(-1, 3).astype(np.float32), faces=faces, parts=parts)


def _taper(rng: Generator, points: Points) -> Points:
    """Taper: the cross-section grows linearly along a random axis."""
    axis = int(rng.integers(3))
    share = points[:, axis] / max(np.ptp(points[:, axis]), 1e-9)  # -0.5 to 0.5
    factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.55) * share
    factors = np.repeat(factor[:, None], 3, 1)
    factors[:, axis] = 1
    return points * factors


def _bend(rng: Generator, points: Points) -> Points:
    """Bend the longest axis into an arc, like a banana."""
    extents = np.ptp(points, axis=0)
    along = int(extents.argmax())
    across = int(rng.choice([k for k in range(3) if k != along]))
    most = np.deg2rad(60 if along < 2 else 25)  # total angle; upright shapes must not fall over
    most = min(most, extents[along] / max(extents[across], 1e-9))  # else its inner side would fold over
    curvature = rng.uniform(0.3, 1.0) * most / extents[along]
    angle, radius = points[:, along] * curvature, 1 / curvature - points[:, across]
    bent = points.copy()
    bent[:, along] = radius * np.sin(angle)
    bent[:, across] = 1 / curvature - radius * np.cos(angle)
    return bent


def _twist(rng: Generator, points: Points) -> Points:
    """Twist about the longest axis: one end is turned against the other by up to 50 degrees."""
    axis = int(np.ptp(points, axis=0).argmax())
    i, j = [k for k in range(3) if k != axis]
    angle = np.deg2rad(rng.uniform(-50, 50)) * points[:, axis] / max(np.ptp(points[:, axis]), 1e-9)
    c, s = np.cos(angle), np.sin(angle)
    twisted = points.copy()
    twisted[:, i], twisted[:, j] = c * points[:, i] - s * points[:, j], s * points[:, i] + c * points[:, j]
    return twisted


def _shear(rng: Generator, points: Points) -> Points:
    """Shear along a random axis: upright shapes lean, squares become rhombi."""
    axis, toward = rng.choice(3, 2, replace=False)
    sheared = points.copy()
    sheared[:, toward] += rng.uniform(-0.25, 0.25) * points[:, axis]
    return sheared


def _dent(rng: Generator, points: Points) -> Points:
    """Displace the surface by random waves, 0.35 to 1 times the longest extent long, as on soft, grown, worn or moulded
    things."""
    size = float(np.ptp(points, axis=0).max())
    moved = points.copy()
    for _ in range(4):
        toward, wave = rng.normal(size=3), rng.normal(size=3)
        wave *= 2 * np.pi / (np.linalg.norm(wave) * size * rng.uniform(0.35, 1.0))
        step = size * rng.uniform(0.005, 0.025) * toward / np.linalg.norm(toward)
        moved += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[:, None] * step
    return moved


WARPS: tuple[Callable[[Generator, Points], Points], ...] = (_taper, _bend, _twist, _shear, _dent)
