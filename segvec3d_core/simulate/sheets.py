"""Sheets of cloth, paper and plastic: crumpled, creased or flat.

A sheet is a closed body: a grid over a rectangle, a disc or a ragged outline, ridged above and flat below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import Mesh, relief

Array = NDArray[np.float64]


def ridges(rng: Generator, points: Array, wave: float, sharp: float = 1.0) -> Array:
    """(...) ridged noise with a maximum of 1 at points (..., 2): creases of limited length in many directions.

    Args:
        rng: source of randomness.
        points: points at which it is evaluated, metres.
        wave: mean distance between ridges, metres.
        sharp: 1 for the facets of paper, more for narrow ridges between flat parts, less for rounded folds of cloth.
    """
    swirl = points + 0.3 * wave * np.sin(points[..., ::-1] * rng.uniform(1.5, 4) / wave + rng.uniform(0, 6, 2))
    total = np.zeros(points.shape[:-1])
    for strength, scale in zip((1.0, 0.8, 0.6, 0.4, 0.25), rng.uniform(0.5, 1.6, 5), strict=True):
        angle, where = rng.uniform(0, np.pi), rng.uniform(0, 6, 2)
        along, across = swirl @ [np.cos(angle), np.sin(angle)], swirl @ [-np.sin(angle), np.cos(angle)]
        ridge = 1 - np.abs(2 * ((along / (wave * scale) + where[0]) % 1.0) - 1)
        ends = 0.5 + 0.5 * np.sin(across / (wave * rng.uniform(0.4, 0.9)) + where[1])
        total = np.maximum(total, 0.9 * strength * ridge**sharp * ends) + 0.15 * strength * ridge**sharp * ends
    return np.asarray(total / max(float(total.max()), 1e-9))


def outlined(rng: Generator, points: Array, x: float, y: float, square: float, ragged: float) -> Array:
    """Map points (..., 2) of the square from -1 to 1 to a sheet with the extents x by y, metres.

    ``square`` leads from a disc (0) to a rectangle (1); ``ragged`` is the relative unevenness of the outline.
    """
    u, v = points[..., 0], points[..., 1]
    round_off = np.sqrt(1 - (1 - square) * 0.5 * np.stack([v, u], -1) ** 2)
    angle, uneven = np.arctan2(v, u), np.zeros_like(u)
    for k in range(2, 8):
        uneven += rng.normal() / k**0.7 * np.sin(k * angle + rng.uniform(0, 6))
    grown = 1 + ragged * np.clip(uneven, -1.5, 1.5) * np.hypot(u, v)
    return np.asarray(points * round_off * grown[..., None] * [x / 2, y / 2])


@dataclass(frozen=True, slots=True)
class Sheet:
    """Parameters of a sheet.

    Attributes:
        x, y: extents, metres.
        thick: thickness of the sheet, or of all its layers where it lies flat on itself, metres.
        rise: height of its ridges, metres.
        wave: mean distance between ridges, metres.
        sharp: see ``ridges``.
        heap: height to which its middle is heaped up, metres.
        square, ragged: see ``outlined``.
        lean: sideways displacement of ridges as a share of their height.
    """

    x: float
    y: float
    thick: float = 0.003
    rise: float = 0.01
    wave: float = 0.06
    sharp: float = 1.0
    heap: float = 0.0
    square: float = 1.0
    ragged: float = 0.0
    lean: float = 0.3

    def mesh(self, rng: Generator, detail: int = 32) -> Mesh:
        """A closed body at rest on the ground, ``detail`` cells along its longer side."""
        longer = max(self.x, self.y)
        columns, rows = (max(9, round(detail * side / longer) + 1) for side in (self.x, self.y))
        grid = np.stack(np.meshgrid(np.linspace(-1, 1, columns), np.linspace(-1, 1, rows)), -1)
        place = grid * [self.x / 2, self.y / 2]
        edge = np.abs(grid).max(-1)
        folds = ridges(rng, place, self.wave, self.sharp)
        dome = self.heap * np.clip(1 - edge**2, 0, 1) ** 0.7
        heights = self.thick * (1 - 0.6 * edge**16) + (self.rise * folds + dome * (0.45 + 0.55 * folds)) * (
            1 - 0.8 * edge**6
        )
        body = relief(heights, 2.0, 2.0)
        points = body.vertices.astype(np.float64)
        points[:, :2] = outlined(rng, points[:, :2], self.x, self.y, self.square, self.ragged)
        bend = np.sin(points[:, [1, 0]] * 6 / self.wave + rng.uniform(0, 6, 2))
        points[:, :2] += self.lean * bend * np.maximum(points[:, 2:] - self.thick, 0)
        return replace(body, vertices=points.astype(np.float32)).grounded()
