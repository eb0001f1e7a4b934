"""Setting objects down: dropped on a height map, slid until they touch, stacked, leaned, put inside one another.

A height map keeps the highest surface above each cell of a support. An object in a fixed orientation has a lower and
an upper surface on the same cells; it comes to rest where its lower surface first meets the map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from . import raster
from .meshes import Mesh, axis_rotation
from .objects import ObjectModel

Array = NDArray[np.float64]
Placement = tuple[ObjectModel, Array, Array]
"""A placed model, its (3, 3) rotation and its (3,) offset, metres."""
Rectangle = tuple[float, float, float, float]
"""x0, x1, y0, y1, metres."""
EMPTY = -1e3
"""Height of cells without a surface, metres."""


@dataclass(slots=True)
class Body:
    """An object in a fixed orientation, with its lower and upper surface on the cells of a height map.

    Attributes:
        vertices: (V, 3) relative to the cell (0, 0) of its footprint, metres.
        faces: (F, 3) int32, indices into ``vertices``.
        rotation: (3, 3) from the mesh's frame.
        low, high: (h, w) heights of lower and upper surface, metres; -EMPTY and EMPTY outside the footprint.
        center: (3,) centroid of its surface area, in the frame of ``vertices``.
        shift: (3,) offset that was added to the vertices of the rotated mesh.
    """

    vertices: Array
    faces: NDArray[np.int32]
    rotation: Array
    low: Array
    high: Array
    center: Array
    shift: Array

    @property
    def height(self) -> float:
        return float(self.vertices[:, 2].max())


def make_body(mesh: Mesh, rotation: Array, cell: float) -> Body:
    """Rotate a mesh and rasterise its lower and upper surface on cells of edge ``cell``, metres; its lowest point is at
    z = 0."""
    turned = mesh.vertices.astype(np.float64) @ rotation.T
    shift = -turned.min(0) + np.array([cell, cell, 0.0])
    vertices = turned + shift
    columns, rows = (np.ceil(vertices[:, :2].max(0) / cell).astype(int) + 2).tolist()
    high = np.full((rows, columns), EMPTY)
    low = np.full((rows, columns), EMPTY)
    raster.plan(vertices, mesh.faces, 0.0, 0.0, cell, high)
    raster.plan(vertices * [1.0, 1.0, -1.0], mesh.faces, 0.0, 0.0, cell, low)
    cells = np.rint(vertices[:, :2] / cell).astype(int)
    np.maximum.at(high, (cells[:, 1], cells[:, 0]), vertices[:, 2])
    np.maximum.at(low, (cells[:, 1], cells[:, 0]), -vertices[:, 2])
    a, b, c = (vertices[mesh.faces[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) + 1e-12
    center = ((a + b + c) * (area / (3 * area.sum()))[:, None]).sum(0)
    return Body(vertices, mesh.faces, rotation, -low, high, center, shift)


def flat_topped(body: Body) -> bool:
    """Whether over 70 % of a body's upper surface lies within 4 mm of its highest point: something may stand on it."""
    return bool((body.high > body.height - 0.004).sum() > 0.7 * (body.high > EMPTY).sum())


class HeightMap:
    """The highest surface above each cell of a support.

    Attributes:
        x0, y0: position of cell (0, 0), metres; columns run along x, rows along y.
        cell: edge of a cell, metres.
        height: (H, W) float64, metres; EMPTY where there is no support.
    """

    def __init__(self, x0: float, y0: float, width: float, depth: float, cell: float, level: float = 0.0) -> None:
        self.x0, self.y0, self.cell = x0, y0, cell
        self.height = np.full((max(1, round(depth / cell)), max(1, round(width / cell))), level)

    def window(self, body: Body, row: int, column: int) -> Array | None:
        """The cells under a body's footprint, or None where the footprint leaves the map."""
        rows, columns = body.low.shape
        if row < 0 or column < 0 or row + rows > self.height.shape[0] or column + columns > self.height.shape[1]:
            return None
        return self.height[row : row + rows, column : column + columns]

    def rest(self, body: Body, row: int, column: int) -> float | None:
        """Height at which a body comes to rest over a cell, or None where it would leave the map."""
        window = self.window(body, row, column)
        return None if window is None else float((window - body.low).max())

    def is_stable(self, body: Body, row: int, column: int, z: float) -> bool:
        """Whether the body's centroid lies above its support polygon, the cells within 2.5 mm of contact."""
        window = self.window(body, row, column)
        if window is None:
            return False
        rows, columns = np.nonzero(body.low + z - window < 0.0025)
        dx, dy = columns * self.cell - body.center[0], rows * self.cell - body.center[1]
        angle = np.sort(np.arctan2(dy, dx))
        if len(angle) < 3:
            return False
        gaps = np.diff(np.concatenate([angle, angle[:1] + 2 * np.pi]))
        return bool(gaps.max() < np.pi * 0.98)

    def add(self, body: Body, row: int, column: int, z: float) -> Array:
        """Raise the map to a body placed there; returns the offset that takes its vertices to the map's frame."""
        window = self.window(body, row, column)
        if window is not None:
            np.maximum(window, body.high + z, out=window)
        return np.array([self.x0 + column * self.cell, self.y0 + row * self.cell, z])

    def cell_of(self, body: Body, x: float, y: float) -> tuple[int, int]:
        """Row and column that put the body's centre above (x, y)."""
        return (
            round((y - self.y0 - body.center[1]) / self.cell),
            round((x - self.x0 - body.center[0]) / self.cell),
        )

    def slide(self, body: Body, row: int, column: int, angle: float, rise: float = 0.003) -> tuple[int, int, bool]:
        """Move a body from a cell along a direction until the next step would lift it by more than ``rise``.

        Args:
            body: the body; row, column: where it starts.
            angle: direction of motion, radians from +x.
            rise: metres.

        Returns:
            the last row and column, and whether an obstacle stopped it (False at the end of the support or after 1 m).
        """
        start = self.rest(body, row, column)
        if start is None:
            return row, column, False
        last = row, column
        for step in range(1, int(1.0 / self.cell)):
            r, c = row + round(step * np.sin(angle)), column + round(step * np.cos(angle))
            z = self.rest(body, r, c)
            if z is None or z < start - 0.5:
                return *last, False
            if z > start + rise:
                return *last, True
            last = r, c
        return *last, False


def stable_rotation(rng: Generator, mesh: Mesh) -> Array:
    """A rotation in which the mesh rests on a random facet of its convex hull, preferably a large one with the centre
    low above it."""
    try:
        hull = ConvexHull(mesh.vertices[:: max(1, len(mesh.vertices) // 400)])
    except QhullError:
        return np.eye(3)
    corners = hull.points[hull.simplices]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    normals = hull.equations[:, :3]
    keys = np.round(normals * 20).astype(int)
    _, group = np.unique(keys, axis=0, return_inverse=True)
    total = np.bincount(group.ravel(), area)[group.ravel()]
    center = mesh.vertices.mean(0)
    # The lower the centre above a facet, the more stable the pose.
    distance = -(hull.equations[:, :3] @ center + hull.equations[:, 3])
    weight = total * area / np.maximum(distance, 1e-3)
    pick = int(rng.choice(len(weight), p=weight / weight.sum()))
    return rotation_between(normals[pick], np.array([0.0, 0.0, -1.0]))


def rotation_between(a: Array, b: Array) -> Array:
    """The smallest rotation that takes the unit vector a to the unit vector b."""
    v, c = np.cross(a, b), float(a @ b)
    if c < -0.999999:
        other = np.array([1.0, 0, 0]) if abs(a[0]) < 0.9 else np.array([0, 1.0, 0])
        axis = np.cross(a, other)
        axis /= np.linalg.norm(axis)
        return 2 * np.outer(axis, axis) - np.eye(3)
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + c)


def turn_about(axis: Array, degrees: float) -> Array:
    """(3, 3) rotation about a unit axis."""
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    a = np.deg2rad(degrees)
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k


def yaw(degrees: float) -> Array:
    """(3, 3) rotation about z."""
    return axis_rotation("z", degrees)


def settle(
    heights: HeightMap, mesh: Mesh, body: Body, x: float, y: float, highest: float = np.inf
) -> tuple[Body, int, int, float] | None:
    """Drop a body above (x, y); if it would topple, tilt it by up to 36 degrees in the direction in which it falls.

    Returns:
        the body as it rests, its row, column and height; None if no stable pose is found, or the untilted body would
        come to rest above ``highest``, metres, or outside the support.
    """
    row, column = heights.cell_of(body, x, y)
    z = heights.rest(body, row, column)
    if z is None or z < -1.0 or z > highest:
        return None
    if heights.is_stable(body, row, column, z):
        return body, row, column, z
    window = heights.window(body, row, column)
    assert window is not None  # rest() found it
    rows, columns = np.nonzero(body.low + z - window < 0.0025)
    lean = body.center[:2] - np.array([columns.mean(), rows.mean()]) * heights.cell
    length = float(np.linalg.norm(lean))
    if length < 1e-4:
        return None
    axis = np.array([-lean[1], lean[0], 0.0]) / length
    for degrees in (6.0, 14.0, 24.0, 36.0):
        tilted = make_body(mesh, turn_about(axis, degrees) @ body.rotation, heights.cell)
        row, column = heights.cell_of(tilted, x, y)
        z = heights.rest(tilted, row, column)
        if z is not None and z > -1.0 and heights.is_stable(tilted, row, column, z):
            return tilted, row, column, z
    return None
