"""Triangle meshes and the primitives of which every shape is made. Metres, z up, the ground is z = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]


INSIDE = -1
"""Provisional part of the faces inside a vessel; ``make_object`` decides whether they get a material of their own."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle mesh whose faces are assigned to parts of the object.

    Attributes:
        vertices: (V, 3) float32, metres.
        faces: (F, 3) int32, indices into ``vertices``.
        parts: (F,) int32, 0 for the main material, 1, 2, ... for further ones, ``INSIDE`` for the inside of a vessel.
        words: what a person would say about the shape beyond its name ("with a handle").
    """

    vertices: Float32
    faces: Int32
    parts: Int32
    words: tuple[str, ...] = ()

    @property
    def size(self) -> Float32:
        """(3,) full extents along the axes, metres."""
        columns = np.ascontiguousarray(self.vertices.T)  # several times faster than along the first axis
        return np.asarray(columns.max(1) - columns.min(1))

    def part(self, index: int) -> Mesh:
        """The same mesh, all of it part ``index``."""
        return replace(self, parts=np.full(len(self.faces), index, np.int32))

    def moved(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Mesh:
        """The mesh translated, metres."""
        return replace(self, vertices=self.vertices + np.array([x, y, z], np.float32))

    def turned(self, axis: str, degrees: float) -> Mesh:
        """The mesh rotated about an axis of its frame ("x", "y" or "z") through the origin."""
        return replace(self, vertices=(self.vertices @ axis_rotation(axis, degrees).T).astype(np.float32))

    def scaled(self, x: float, y: float | None = None, z: float | None = None) -> Mesh:
        """The mesh scaled about the origin, by ``x`` along every axis whose factor is not given."""
        factors = np.array([x, x if y is None else y, x if z is None else z], np.float32)
        return replace(self, vertices=self.vertices * factors)

    def said(self, *words: str) -> Mesh:
        """The mesh with further shape words."""
        return replace(self, words=self.words + words)

    def grounded(self) -> Mesh:
        """The mesh moved to stand on z = 0, the centre of its extents above the origin."""
        columns = np.ascontiguousarray(self.vertices.T)
        low, high = columns.min(1), columns.max(1)
        shift = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]], np.float32)
        return replace(self, vertices=(self.vertices - shift).astype(np.float32))


def axis_rotation(axis: str, degrees: float) -> NDArray[np.float64]:
    """(3, 3) rotation by ``degrees`` about "x", "y" or "z"."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def mesh(vertices: ArrayLike, faces: ArrayLike, part: int = 0) -> Mesh:
    """A mesh of one part."""
    f = np.asarray(faces, np.int32).reshape(-1, 3)
    return Mesh(np.asarray(vertices, np.float32).reshape(-1, 3), f, np.full(len(f), part, np.int32))


def join(*meshes: Mesh) -> Mesh:
    """Several meshes as one; shape words are joined in order, without repetition."""
    offsets = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    faces = np.concatenate([m.faces + np.int32(o) for m, o in zip(meshes, offsets, strict=True)])
    words = tuple(dict.fromkeys(w for m in meshes for w in m.words))
    return Mesh(np.concatenate([m.vertices for m in meshes]), faces, np.concatenate([m.parts for m in meshes]), words)


def grid_faces(rows: int, columns: int, closed: bool) -> Int32:
    """Faces of a rows x columns grid of vertices; ``closed`` joins the last column to the first."""
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = r * columns + c, r * columns + (c + 1) % columns
    quads = np.stack([a, b, b + columns, a + columns], -1).reshape(-1, 4)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def box(x: float, y: float, z: float) -> Mesh:
    """A plain box on the ground, centred above the origin."""
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (0.0, 1.0)]) * [x, y, z]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return mesh(corners, [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])


def ellipsoid(x: float, y: float, z: float, detail: int = 12, power: float = 1.0) -> Mesh:
    """An ellipsoid of these full extents on the ground; ``power`` below 1 makes it boxy (a superellipsoid)."""
    lat = np.linspace(-np.pi / 2, np.pi / 2, detail + 1)
    lon = np.linspace(0, 2 * np.pi, 2 * detail, endpoint=False)

    def bent(v: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sign(v) * np.abs(v) ** power

    ring = bent(np.cos(lat))[:, None]
    points = np.stack(
        [ring * bent(np.cos(lon)), ring * bent(np.sin(lon)), np.repeat(bent(np.sin(lat))[:, None], len(lon), 1)], -1
    )
    return mesh(points.reshape(-1, 3) * [x / 2, y / 2, z / 2] + [0, 0, z / 2], grid_faces(len(lat), len(lon), True))


def rounded_box(x: float, y: float, z: float, radius: float, steps: int = 3) -> Mesh:
    """A box on the ground whose edges are rounded with ``radius`` (limited to half the shortest edge)."""
    radius = min(radius, 0.499 * min(x, y, z))
    lat = np.concatenate([np.linspace(-np.pi / 2, 0, steps + 1), np.linspace(0, np.pi / 2, steps + 1)])
    side = np.repeat([-1.0, 1.0], steps + 1)
    lon = np.concatenate([np.linspace(q * np.pi / 2, (q + 1) * np.pi / 2, steps + 1) for q in range(4)])
    sx, sy = np.repeat([1, -1, -1, 1], steps + 1), np.repeat([1, 1, -1, -1], steps + 1)
    ring = radius * np.cos(lat)[:, None]
    points = np.stack(
        [
            ring * np.cos(lon) + sx * (x / 2 - radius),
            ring * np.sin(lon) + sy * (y / 2 - radius),
            np.repeat((radius * np.sin(lat) + side * (z / 2 - radius) + z / 2)[:, None], len(lon), 1),
        ],
        -1,
    )
    count = len(lon)
    caps = [(0, i + 1, i) for i in range(1, count - 1)]
    top = (len(lat) - 1) * count
    caps += [(top, top + i, top + i + 1) for i in range(1, count - 1)]
    return mesh(points.reshape(-1, 3), np.concatenate([grid_faces(len(lat), count, True), np.array(caps, np.int32)]))


def lathe(profile: ArrayLike, segments: int = 32, sides: float = 2.0) -> Mesh:
    """A surface of revolution about z.

    Args:
        profile: (P, 2) radius and height along the outline; radius 0 closes an end. For a hollow vessel the outline
            runs up the outside and down the inside.
        segments: corners of the circle.
        sides: 2 is round; larger is squarish (a superellipse), as square bottles and bowls are.
    """
    outline = np.asarray(profile, np.float64)
    lon = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    c, s = np.cos(lon), np.sin(lon)
    stretch = 1.0 / (np.abs(c) ** sides + np.abs(s) ** sides) ** (1.0 / sides)
    points = np.stack(
        [
            outline[:, :1] * c * stretch,
            outline[:, :1] * s * stretch,
            np.repeat(outline[:, 1:], segments, 1),
        ],
        -1,
    )
    return mesh(points.reshape(-1, 3), grid_faces(len(outline), segments, True))


def cylinder(radius: float, height: float, segments: int = 24, bevel: float = 0.0) -> Mesh:
    """A closed cylinder on the ground, its rims bevelled by ``bevel`` metres."""
    b = min(bevel, 0.45 * height, 0.9 * radius)
    if b <= 0:
        return lathe([(0, 0), (radius, 0), (radius, height), (0, height)], segments)
    return lathe(
        [(0, 0), (radius - b, 0), (radius, b), (radius, height - b), (radius - b, height), (0, height)], segments
    )


def vessel(outside: ArrayLike, wall: float, floor: float | None = None, segments: int = 32, sides: float = 2.0) -> Mesh:
    """A hollow surface of revolution from the outline (P, 2) of its outside: radius and height, bottom first.

    The inside has a radius smaller by ``wall`` and begins at ``floor`` (default: ``wall``) above the bottom, metres.
    """
    out = np.asarray(outside, np.float64)
    bottom = out[0, 1] + (wall if floor is None else floor)
    inner_z = np.concatenate([[bottom], out[out[:, 1] > bottom + 1e-4, 1]])
    order = np.argsort(out[:, 1], kind="stable")
    inner_r = np.maximum(np.interp(inner_z, out[order, 1], out[order, 0]) - wall, 0.3 * wall)
    inside = np.stack([inner_r, inner_z], 1)[::-1]
    body = lathe(np.concatenate([[[0, out[0, 1]]], out, inside, [[0, bottom]]]), segments, sides)
    ring = np.arange(len(body.faces) // 2) // segments
    return replace(body, parts=np.where(np.tile(ring, 2) > len(out), INSIDE, body.parts).astype(np.int32))


def torus(radius: float, tube: float, segments: int = 32, sides: int = 10) -> Mesh:
    """A ring lying on the ground: ``radius`` to the middle of a tube of radius ``tube``."""
    ring = np.linspace(0, 2 * np.pi, sides + 1)
    return lathe(np.stack([radius + tube * np.cos(ring), tube + tube * np.sin(ring)], 1), segments)


def sweep(path: ArrayLike, radius: ArrayLike, sides: int = 10, flat: float = 1.0) -> Mesh:
    """A tube along a path, closed by flat ends.

    Args:
        path: (P, 3) points, metres.
        radius: one radius or one per point, metres.
        sides: corners of the cross-section.
        flat: height of the cross-section relative to its width (1 is round).
    """
    points = np.asarray(path, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(points),))
    tangent = np.gradient(points, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)
    reference = np.array([0.0, 0.0, 1.0]) if np.abs(tangent[:, 2]).max() < 0.95 else np.array([0.0, 1.0, 0.0])
    if np.abs(tangent @ reference).max() > 0.98:
        reference = np.array([1.0, 0.0, 0.0])
    side = np.cross(tangent, reference)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    over = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    rings = points[:, None] + radii[:, None, None] * (
        np.cos(angle)[None, :, None] * side[:, None] + flat * np.sin(angle)[None, :, None] * over[:, None]
    )
    caps = np.concatenate([np.repeat(points[:1, None], sides, 1), rings, np.repeat(points[-1:, None], sides, 1)])
    return mesh(caps.reshape(-1, 3), grid_faces(len(caps), sides, True))


def rod(start: Sequence[float], end: Sequence[float], radius: float, sides: int = 10) -> Mesh:
    """A straight round bar between two points."""
    return sweep(np.stack([start, end]), radius, sides)


def extrude(outline: ArrayLike, height: float) -> Mesh:
    """A plate on the ground whose outline (P, 2) is star-shaped about its mean, extruded by ``height``."""
    points = np.asarray(outline, np.float64)
    n = len(points)
    centre = points.mean(0)
    low = np.column_stack([points, np.zeros(n)])
    high = np.column_stack([points, np.full(n, height)])
    vertices = np.concatenate([low, high, [[*centre, 0.0], [*centre, height]]])
    i = np.arange(n)
    j = (i + 1) % n
    faces = np.concatenate(
        [
            np.stack([i, j, j + n], 1),
            np.stack([i, j + n, i + n], 1),
            np.stack([np.full(n, 2 * n), j, i], 1),
            np.stack([np.full(n, 2 * n + 1), i + n, j + n], 1),
        ]
    )
    return mesh(vertices, faces)


def arc(radius: float, start: float, end: float, steps: int = 12) -> NDArray[np.float64]:
    """(steps, 2) points on a circle, angles in degrees."""
    angle = np.deg2rad(np.linspace(start, end, steps))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def curve(points: ArrayLike, steps: int = 16) -> NDArray[np.float64]:
    """A smooth curve (steps, D) through points (P, D): Catmull-Rom interpolation."""
    p = np.asarray(points, np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3 - 1e-9, steps)
    i = t.astype(int)
    u = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)


def tube(points: ArrayLike, radius: ArrayLike, flat: float = 1.0, steps: int = 14, sides: int = 8) -> Mesh:
    """A smooth tube through a few points (P, 3), with one radius or one per point."""
    knots = np.asarray(points, np.float64)
    radii = np.broadcast_to(np.asarray(radius, np.float64), (len(knots),))
    along = np.interp(np.linspace(0, len(knots) - 1, steps), np.arange(len(knots)), radii)
    return sweep(curve(knots, steps), along, sides, flat)


def plate_with_hole(outer: ArrayLike, inner: ArrayLike, height: float) -> Mesh:
    """A plate on the ground with a hole; both outlines (P, 2) have the same number of points."""
    a, b = np.asarray(outer, np.float64), np.asarray(inner, np.float64)
    rows = [np.column_stack([p, np.full(len(a), z)]) for p, z in ((a, 0), (a, height), (b, height), (b, 0), (a, 0))]
    return mesh(np.concatenate(rows), grid_faces(5, len(a), True))


def coil(rng: Generator, radius: float, thick: float, turns: float) -> NDArray[np.float64]:
    """(P, 3) path of a loose coil on the ground, of a tube of radius ``thick``."""
    a, p = np.linspace(0, 2 * np.pi * turns, int(22 * turns)), rng.uniform(0, 6, 3)
    r = radius * (1 + 0.09 * np.sin(0.37 * a + p[0]) + 0.05 * np.sin(1.13 * a + p[1]))
    z = thick * (1 + np.abs(np.sin(0.23 * a + p[2])) * min(turns, 4))
    return np.column_stack([r * np.cos(a), rng.uniform(0.7, 1) * r * np.sin(a), z])


def stacked(outline: NDArray[np.float64], rings: Sequence[tuple[float, float, float]]) -> Mesh:
    """A closed body whose cross-sections are copies of an outline (P, 2), each given as (height, scale, shift along
    x)."""
    rows = [np.column_stack([outline * s + [shift, 0], np.full(len(outline), h)]) for h, s, shift in rings]
    rows = [np.zeros_like(rows[0]) + rows[0].mean(0), *rows, np.zeros_like(rows[0]) + rows[-1].mean(0)]
    return mesh(np.concatenate(rows), grid_faces(len(rows), len(outline), True))


def relief(heights: NDArray[np.float64], x: float, y: float) -> Mesh:
    """A plate x by y on the ground whose top has these ``heights`` (rows along y, columns along x), with upright
    walls."""
    rows, columns = heights.shape
    u, v = np.meshgrid(np.linspace(-x / 2, x / 2, columns), np.linspace(-y / 2, y / 2, rows))
    top = np.stack([u, v, heights], -1)
    rim = _rim(top)
    wall = np.concatenate([rim, rim * [1, 1, 0], rim * [0, 0, 0]])
    return join(mesh(top.reshape(-1, 3), grid_faces(rows, columns, False)), mesh(wall, grid_faces(3, len(rim), True)))


def closed(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> Mesh:
    """A closed body between two grids of points (R, C, 3), metres, joined along their borders."""
    rows, columns = top.shape[:2]
    rims, faces = [_rim(grid) for grid in (top, bottom)], grid_faces(rows, columns, False)
    wall = mesh(np.concatenate(rims), grid_faces(2, len(rims[0]), True))
    return join(mesh(top.reshape(-1, 3), faces), mesh(bottom.reshape(-1, 3), faces), wall)


def _rim(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """(P, 3) the border points of a grid (R, C, 3), once around."""
    return np.concatenate([grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]])
