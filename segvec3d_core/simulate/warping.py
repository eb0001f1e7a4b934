"""Warps of space that make of one shape many: no two mugs of a home are as alike as two of one parametric family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import Mesh

Points = NDArray[np.float64]

DETAIL = 9
"""Edges are split until so many fit along a mesh's longest extent: a box of eight corners cannot bend."""
ROUNDS = 3
"""So often an edge is split at most."""


def warped(rng: Generator, mesh: Mesh) -> Mesh:
    """The mesh stretched, and one or two times tapered, bent, twisted, sheared or dented; at rest on z = 0.

    A warp moves both sides of a wall alike and keeps what touches together, so that a mug stays a mug with its handle.
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
    """The same surface in smaller triangles: every edge above ``longest`` metres is halved, up to ``ROUNDS`` times.

    Two faces that share an edge split it alike, so that no crack opens between them.
    """
    corners, parts = mesh.vertices[mesh.faces].astype(np.float64), mesh.parts
    for _ in range(ROUNDS):
        ahead = np.roll(corners, -1, 1)
        long = np.linalg.norm(ahead - corners, axis=2) > longest
        if not long.any():
            break
        # Every face is turned until its long edges come first, or its only short one last.
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
    """Wider at one end of an axis than at the other."""
    axis = int(rng.integers(3))
    share = points[:, axis] / max(np.ptp(points[:, axis]), 1e-9)  # -0.5 to 0.5
    factor = 1 + rng.choice([-1, 1]) * rng.uniform(0.15, 0.55) * share
    factors = np.repeat(factor[:, None], 3, 1)
    factors[:, axis] = 1
    return points * factors


def _bend(rng: Generator, points: Points) -> Points:
    """Bent along the longest axis, as a banana is."""
    extents = np.ptp(points, axis=0)
    along = int(extents.argmax())
    across = int(rng.choice([k for k in range(3) if k != along]))
    most = np.deg2rad(60 if along < 2 else 25)  # in all; what stands upright shall not fall
    most = min(most, extents[along] / max(extents[across], 1e-9))  # or its inner side would fold
    curvature = rng.uniform(0.3, 1.0) * most / extents[along]
    angle, radius = points[:, along] * curvature, 1 / curvature - points[:, across]
    bent = points.copy()
    bent[:, along] = radius * np.sin(angle)
    bent[:, across] = 1 / curvature - radius * np.cos(angle)
    return bent


def _twist(rng: Generator, points: Points) -> Points:
    """Turned about its longest axis, one end against the other."""
    axis = int(np.ptp(points, axis=0).argmax())
    i, j = [k for k in range(3) if k != axis]
    angle = np.deg2rad(rng.uniform(-50, 50)) * points[:, axis] / max(np.ptp(points[:, axis]), 1e-9)
    c, s = np.cos(angle), np.sin(angle)
    twisted = points.copy()
    twisted[:, i], twisted[:, j] = c * points[:, i] - s * points[:, j], s * points[:, i] + c * points[:, j]
    return twisted


def _shear(rng: Generator, points: Points) -> Points:
    """Leaning, or a rhomb where it was a square."""
    axis, toward = rng.choice(3, 2, replace=False)
    sheared = points.copy()
    sheared[:, toward] += rng.uniform(-0.25, 0.25) * points[:, axis]
    return sheared


def _dent(rng: Generator, points: Points) -> Points:
    """Uneven in waves of a third to once its longest extent, as what is soft, grown, worn or moulded."""
    size = float(np.ptp(points, axis=0).max())
    moved = points.copy()
    for _ in range(4):
        toward, wave = rng.normal(size=3), rng.normal(size=3)
        wave *= 2 * np.pi / (np.linalg.norm(wave) * size * rng.uniform(0.35, 1.0))
        step = size * rng.uniform(0.005, 0.025) * toward / np.linalg.norm(toward)
        moved += np.sin(points @ wave + rng.uniform(0, 2 * np.pi))[:, None] * step
    return moved


WARPS: tuple[Callable[[Generator, Points], Points], ...] = (_taper, _bend, _twist, _shear, _dent)
