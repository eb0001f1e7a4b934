"""Selects the entries of the map that a cloud can give evidence of: those in view of its camera, or near its points."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Camera, Float32
from .entry import Entry, corners
from .pairs import REACH


def in_view(entries: Sequence[Entry], camera: Camera, T: NDArray[np.float64]) -> list[Entry]:
    """The entries whose bounding spheres reach into the view of a camera at pose ``T``, (4, 4) T_map_camera."""
    low, high = corners(entries)
    inverse, radii = np.linalg.inv(T), np.linalg.norm(high - low, axis=1) / 2
    local = (low + high) / 2 @ inverse[:3, :3].T + inverse[:3, 3]
    # Tangents of the half angles of view; each object's radius is added as a margin.
    across = max(camera.cx, camera.width - camera.cx) / camera.fx
    along = max(camera.cy, camera.height - camera.cy) / camera.fy
    depth = np.maximum(local[:, 2], 0.0)
    inside = local[:, 2] + radii > 0
    inside &= np.abs(local[:, 0]) <= across * depth + radii * np.hypot(1, across)
    inside &= np.abs(local[:, 1]) <= along * depth + radii * np.hypot(1, along)
    return [entry for entry, take in zip(entries, inside, strict=True) if take]


def near(entries: Sequence[Entry], xyz: Float32) -> list[Entry]:
    """The entries within ``REACH`` of the bounding box of a cloud without a camera: (N, 3) points in the map's own
    coordinates, metres."""
    if not len(xyz):
        return []
    low, high = corners(entries)
    around = ((high > xyz.min(0) - REACH) & (low < xyz.max(0) + REACH)).all(1)
    return [entry for entry, take in zip(entries, around, strict=True) if take]
