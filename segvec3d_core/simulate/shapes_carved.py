"""Random objects without a name: primitives blended together or cut away, as the zero set of a signed distance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import label

from .meshes import Mesh, axis_rotation, mesh

Array = NDArray[np.float64]
Distance = Callable[[Array], Array]
"""Function that returns signed distances (M,), negative inside, at points (3, M)."""

COARSE = 16
"""Cells along each axis of the grid on which a shape's extents are found."""
CELLS = 34
"""Cells along the longest extent of the grid on which a shape's surface is found."""
THIN = 1e-3
"""Distance assigned to grid points that are set to be outside; its negative to those set to be inside."""
REACH = 1.3
"""Half the edge of the cube in which shapes are generated; their first primitives measure about 1."""


def surface_nets(values: Array, origin: Array, cell: float) -> Mesh:
    """The zero surface of a grid of signed distances (X, Y, Z), as a mesh with one vertex per cell and one quad per
    grid edge that it crosses (Gibson 1998, Constrained elastic surface nets). The grid's border must lie outside."""
    inside = values < 0
    shape = tuple(n - 1 for n in values.shape)  # of the cells
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    places, quads = [], []
    for axis in range(3):
        ahead = [slice(None)] * 3, [slice(None)] * 3
        ahead[0][axis], ahead[1][axis] = slice(None, -1), slice(1, None)
        a, b = tuple(ahead[0]), tuple(ahead[1])
        at = np.argwhere(inside[a] != inside[b])
        start, end = values[a][tuple(at.T)], values[b][tuple(at.T)]
        place = at.astype(np.float64)
        place[:, axis] += start / (start - end)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        around = (at @ strides)[:, None] - np.array([0, strides[i], strides[i] + strides[j], strides[j]])
        places.append(np.repeat(place, 4, 0))
        quads.append(np.where((start < 0)[:, None], around, around[:, ::-1]))
    _, index = np.unique(np.concatenate(quads), return_inverse=True)
    every, corners = np.concatenate(places), index.reshape(-1, 4)
    total = np.stack([np.bincount(index.ravel(), every[:, k]) for k in range(3)], 1)
    vertices = total / np.bincount(index.ravel())[:, None] * cell + origin
    return mesh(vertices, np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]))


def _rounded(q: Array, r: float) -> Array:
    """Distance (M,) to a convex shape grown by ``r``, from the signed distances (K, M) of points to its sides."""
    beyond = np.maximum(q, 0)
    return np.asarray(np.sqrt(np.einsum("km,km->m", beyond, beyond)) + np.minimum(q.max(0), 0) - r)


def _block(half: Array, r: float) -> Distance:
    return lambda p: _rounded(np.abs(p) - (half - r)[:, None], r)


def _egg(half: Array) -> Distance:
    def distance(p: Array) -> Array:
        q, s = p / half[:, None], p / (half**2)[:, None]
        k = np.sqrt(np.einsum("km,km->m", q, q))
        return np.asarray(k * (k - 1) / np.maximum(np.sqrt(np.einsum("km,km->m", s, s)), 1e-6))

    return distance


def _cone(low: float, high: float, h: float, r: float) -> Distance:
    """A truncated cone about z from -h to h, with radii ``low`` and ``high``, its edges rounded by ``r``."""

    def distance(p: Array) -> Array:
        radius = low + (high - low) * np.clip((p[2] + h) / (2 * h), 0, 1)
        slant = 2 * h / np.hypot(2 * h, high - low)
        return _rounded(np.stack([(np.hypot(p[0], p[1]) - radius) * slant + r, np.abs(p[2]) - h + r]), r)

    return distance


def _ring(radius: float, thick: float, tall: float) -> Distance:
    """A ring in the xz plane, used as a handle, ``tall`` times as high as wide; ``thick`` is its tube's radius."""
    return lambda p: np.asarray(np.hypot(np.hypot(p[0], p[2] / tall) - radius, p[1]) - thick)


def _placed(shape: Distance, rotation: Array, offset: Array) -> Distance:
    return lambda p: shape(rotation.T @ (p - offset[:, None]))


def _blend(a: Array, b: Array, k: float) -> Array:
    """Smooth minimum of two distances, which blends the shapes over a width ``k``."""
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.asarray(np.minimum(a, b) - h * h * k / 4)


def _body(rng: Generator) -> tuple[Distance, Array]:
    """A random primitive (block, ellipsoid, cylinder or cone) and its half extents (3,)."""
    half = rng.uniform(0.18, 0.5, 3)
    half[int(rng.integers(3))] = 0.5
    kind = rng.integers(4)
    if kind == 0:
        return _block(half, float(rng.uniform(0.02, 0.8) * half.min())), half
    if kind == 1:
        return _egg(half), half
    wide = float(half[:2].max())
    low, high = wide, wide * (1.0 if kind == 2 else rng.uniform(0.2, 0.9))
    half = np.array([wide, wide, half[2]])
    return _cone(low, high, float(half[2]), float(rng.uniform(0.02, 0.4) * min(high, half[2]))), half


def _turn(rng: Generator) -> Array:
    """(3, 3) random rotation: mostly by 0 or 90 degrees about an axis, else arbitrary."""
    if rng.random() < 0.6:
        return axis_rotation("xyz"[int(rng.integers(3))], float(rng.choice([0.0, 90.0])))
    return axis_rotation("z", rng.uniform(0, 360)) @ axis_rotation("x", rng.uniform(0, 360))


def _on_surface(rng: Generator, half: Array) -> tuple[Array, int, int]:
    """(3,) random point on the surface of a body's bounding box, the axis of its face, and the side, -1 or 1."""
    axis, side = int(rng.integers(3)), int(rng.choice([-1, 1]))
    at = rng.uniform(-0.6, 0.6, 3) * half
    at[axis] = side * half[axis]
    return at, axis, side


def _step(rng: Generator, half: Array) -> tuple[str, Distance, float]:
    """A random modification of a body: whether a shape is added ("add") or removed ("cut"), the shape, and the width
    over which it blends."""
    at, axis, side = _on_surface(rng, half)
    size = rng.uniform(0.3, 0.9)
    kind = str(
        rng.choice(
            ["lump", "neck", "handle", "hole", "slot", "hollow", "bite"], p=[0.22, 0.14, 0.18, 0.14, 0.12, 0.12, 0.08]
        )
    )
    soft = rng.uniform(0.01, 0.25)
    if kind == "lump":
        body, _ = _body(rng)
        return "add", _placed(lambda p: body(p / size) * size, _turn(rng), at * rng.uniform(0.6, 1.1)), soft
    toward = {0: axis_rotation("y", 90), 1: axis_rotation("x", -90), 2: np.eye(3)}[axis]  # takes z to the axis
    if kind == "neck":
        h = rng.uniform(0.1, 0.4)
        a, b = rng.uniform(0.15, 0.6, 2) * np.delete(half, axis).min()
        middle = np.where(np.arange(3) == axis, at + side * h * 0.7, at * rng.choice([0.0, 1.0]))
        return "add", _placed(_cone(max(a, 0.05), max(b, 0.05), h, 0.02), toward, middle), soft
    if kind == "handle":
        radius, thick = rng.uniform(0.15, 0.35), rng.uniform(0.04, 0.09)
        turn = axis_rotation("xyz"[axis], rng.choice([0.0, 90.0])) @ toward
        return "add", _placed(_ring(radius, thick, rng.uniform(0.6, 1.4)), turn, at), min(soft, 0.08)
    if kind == "hole":
        r = rng.uniform(0.15, 0.5) * np.delete(half, axis).min()
        return "cut", _placed(_cone(r, r * rng.uniform(0.6, 1.0), 1.5, 0.0), toward, at * (np.arange(3) != axis)), 0.02
    if kind == "slot":
        thin = rng.uniform(0.04, 0.15)
        deep = np.where(np.arange(3) == axis, rng.uniform(0.1, 0.8) * half, np.where(rng.permutation(3) > 1, thin, 1.0))
        return "cut", _placed(_block(deep, 0.01), np.eye(3), at), 0.02
    if kind == "hollow":
        inner = half * rng.uniform(0.6, 0.85)
        lifted = np.where(np.arange(3) == axis, side * half * rng.uniform(0.3, 1.0), 0.0)
        shape = _egg(inner) if rng.random() < 0.5 else _block(inner, 0.3 * float(inner.min()))
        return "cut", _placed(shape, np.eye(3), lifted), 0.03
    ball = rng.uniform(0.2, 0.5) * half.max() * np.ones(3)
    return "cut", _placed(_egg(ball), np.eye(3), at), soft * 0.5


def _on_grid(distance: Distance, axes: list[Array]) -> Array:
    """(X, Y, Z) values of a distance on the grid with these axes."""
    grid = np.stack(np.meshgrid(*axes, indexing="ij"))
    return distance(grid.reshape(3, -1)).reshape(grid.shape[1:])


def carved(rng: Generator) -> Mesh:
    """An object of two to six primitives that are blended with or cut from each other, 5 to 35 cm long."""
    base, half = _body(rng)
    steps = [_step(rng, half) for _ in range(int(rng.choice([1, 2, 2, 3, 3, 4, 5])))]

    def distance(p: Array) -> Array:
        value = base(p)
        for way, shape, soft in steps:
            other = shape(p)
            value = _blend(value, other, soft) if way == "add" else -_blend(-value, other, soft)
        return value

    axis = np.linspace(-REACH, REACH, COARSE + 1)
    near = np.argwhere(_on_grid(distance, [axis] * 3) < 2 * REACH / COARSE)
    low, high = axis[near.min(0)] - REACH / COARSE, axis[near.max(0)] + REACH / COARSE
    cell = float((high - low).max()) / CELLS
    values = _on_grid(distance, [np.arange(a, b + 2 * cell, cell) for a, b in zip(low, high, strict=True)])
    # Close the shape at the border of the grid, keep its largest piece alone, and fill enclosed cavities.
    for k in range(3):
        ends = np.moveaxis(values, k, 0)
        ends[[0, -1]] = np.maximum(ends[[0, -1]], THIN)
    pieces, count = label(values < 0)
    if count > 1:
        largest = 1 + int(np.bincount(pieces.ravel())[1:].argmax())
        values = np.where((pieces > 0) & (pieces != largest), THIN, values)
    outside, count = label(values >= 0)
    if count > 1:
        values = np.where((outside > 0) & (outside != outside[0, 0, 0]), -THIN, values)
    body = surface_nets(values, low, cell)
    size = np.exp(rng.uniform(np.log(0.05), np.log(0.35)))
    return body.scaled(size / float(body.size.max())).grounded()
