"""Packages and food."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, box, curve, cylinder, ellipsoid, extrude, join, lathe, mesh, rod, rounded_box, sweep


def _carton(rng: Generator, x: float, y: float, z: float) -> Mesh:
    """A cardboard box, its edges sharp or a little worn."""
    body = box(x, y, z) if rng.random() < 0.6 else rounded_box(x, y, z, rng.uniform(0.001, 0.005), 2)
    words = []
    if max(x, y) < 0.6 * z:
        words.append("tall")
    if z < 0.4 * min(x, y):
        words.append("flat")
    return body.said(*words)


def package(rng: Generator) -> Mesh:
    """A box of any proportions: tea, snacks, medicine, shoes, a parcel."""
    edges = np.exp(rng.uniform(np.log(0.03), np.log(0.26), 3))
    edges = np.clip(edges, edges.max() * 0.12, None)
    return _carton(rng, *edges)


def cereal_box(rng: Generator) -> Mesh:
    return _carton(rng, rng.uniform(0.13, 0.21), rng.uniform(0.04, 0.08), rng.uniform(0.19, 0.31))


def tea_box(rng: Generator) -> Mesh:
    return _carton(rng, rng.uniform(0.07, 0.16), rng.uniform(0.05, 0.085), rng.uniform(0.06, 0.13))


def carton(rng: Generator) -> Mesh:
    """A drink carton: a brick with a cap, or one with a gable."""
    x, y, z = rng.uniform(0.05, 0.095), rng.uniform(0.04, 0.08), rng.uniform(0.1, 0.2)
    if rng.random() < 0.5:
        cap = cylinder(0.012, 0.012, 16).moved(x=x * 0.2, z=z).part(1)
        return join(box(x, y, z), cap).said("with a cap")
    g = y * 0.6
    eaves = [(-x / 2, -y / 2, z), (x / 2, -y / 2, z), (x / 2, y / 2, z), (-x / 2, y / 2, z)]
    ridge = [(-x / 2, 0, z + g), (x / 2, 0, z + g)]
    roof = mesh(eaves + ridge, [(0, 1, 5), (0, 5, 4), (2, 3, 4), (2, 4, 5), (1, 2, 5), (3, 0, 4)])
    return join(box(x, y, z), roof, box(x, 0.003, g + 0.015).moved(z=z)).said("with a gable top")


def packet(rng: Generator) -> Mesh:
    """A soft bag of crisps, coffee or sweets."""
    x, y, z = rng.uniform(0.08, 0.2), rng.uniform(0.03, 0.07), rng.uniform(0.1, 0.25)
    body = ellipsoid(x, y, z, 14, 0.55)
    v = body.vertices
    squeeze = 1.0 - 0.85 * np.abs(v[:, 2] / z * 2 - 1) ** 3
    wrinkle = 1 + 0.08 * np.sin(v[:, 0] * 90 + rng.uniform(0, 6)) * np.sin(v[:, 2] * 70 + rng.uniform(0, 6))
    v[:, 1] *= squeeze * wrinkle
    lying = rng.random() < 0.6
    return (body.turned("x", 90) if lying else body).grounded().said("soft")


def _fruit(rng: Generator, profile: list[tuple[float, float]], stem: bool, wobble: float = 0.03) -> Mesh:
    body = lathe(curve(profile, 18), 28)
    v = body.vertices
    angle = np.arctan2(v[:, 1], v[:, 0])
    v[:, :2] *= (1 + wobble * np.sin(angle * rng.integers(2, 5) + rng.uniform(0, 6)) * (v[:, 2:] > 0).ravel())[:, None]
    top = float(v[:, 2].max())
    if stem:
        body = join(body, rod((0, 0, top * 0.85), (0.004, 0.002, top + 0.012), 0.0018, 6).part(1)).said("with a stem")
    return body.grounded()


def apple(rng: Generator) -> Mesh:
    r = rng.uniform(0.03, 0.044)
    h = r * rng.uniform(1.6, 1.95)
    return _fruit(
        rng,
        [(0, h * 0.06), (r * 0.5, 0), (r * 0.9, h * 0.3), (r, h * 0.6), (r * 0.6, h), (0, h * 0.87)],
        rng.random() < 0.7,
    )


def pear(rng: Generator) -> Mesh:
    r = rng.uniform(0.03, 0.041)
    h = r * rng.uniform(2.4, 3.0)
    return _fruit(
        rng, [(0, 0), (r * 0.7, h * 0.05), (r, h * 0.3), (r * 0.6, h * 0.65), (r * 0.42, h * 0.9), (0, h)], True, 0.02
    )


def orange(rng: Generator) -> Mesh:
    d = rng.uniform(0.055, 0.09)
    return ellipsoid(d, d, d * rng.uniform(0.9, 1.0), 14).said("round")


def lemon(rng: Generator) -> Mesh:
    r = rng.uniform(0.022, 0.03)
    h = r * rng.uniform(2.8, 3.4)
    body = lathe(curve([(0, 0), (r * 0.35, h * 0.06), (r, h * 0.5), (r * 0.35, h * 0.94), (0, h)], 16), 24)
    return body.turned("y", 90).grounded()


def peach(rng: Generator) -> Mesh:
    d = rng.uniform(0.045, 0.075)
    body = ellipsoid(d, d, d * 0.95, 14)
    v = body.vertices
    v[:, :2] *= (1 - 0.1 * np.exp(-(((np.arctan2(v[:, 1], v[:, 0])) / 0.25) ** 2)))[:, None]
    return body.said("round")


def strawberry(rng: Generator) -> Mesh:
    r = rng.uniform(0.013, 0.022)
    h = r * rng.uniform(2.2, 2.8)
    body = lathe(curve([(0, 0), (r * 0.6, h * 0.25), (r, h * 0.7), (r * 0.6, h * 0.97), (0, h)], 12), 18)
    leaf = (
        extrude(arc(r * 0.8, 0, 324, 10) * np.where(np.arange(10) % 2, 0.45, 1.0)[:, None], 0.002)
        .moved(z=h * 0.97)
        .part(1)
    )
    return join(body, leaf).turned("y", 100).grounded()


def banana(rng: Generator) -> Mesh:
    length, bend, r = rng.uniform(0.16, 0.22), rng.uniform(50, 95), rng.uniform(0.015, 0.02)
    radius = length / np.deg2rad(bend)
    path = np.column_stack([arc(radius, -bend / 2, bend / 2, 18), np.zeros(18)])
    t = np.linspace(0, 1, 18)
    radii = r * np.minimum(1, np.minimum(0.35 + t * 4, 0.25 + (1 - t) * 5.5))
    body = sweep(path, radii, 8)
    tip = join(sweep(path[:2], radii[:2] * 1.02, 8), sweep(path[-3:], radii[-3:] * 1.02, 8)).part(1)
    return join(body, tip).grounded().said("curved")


def carrot(rng: Generator) -> Mesh:
    length, r = rng.uniform(0.12, 0.2), rng.uniform(0.01, 0.018)
    body = lathe(
        [(0, 0), (r * 0.2, 0.004), (r * 0.7, length * 0.5), (r, length * 0.9), (r * 0.5, length), (0, length)], 16
    )
    green = join(
        *(
            rod((0, 0, length * 0.97), (rng.normal(0, 0.008), rng.normal(0, 0.008), length + 0.03), 0.002, 5)
            for _ in range(4)
        )
    )
    return join(body, green.part(1)).turned("y", 90).grounded().said("long")


def cucumber(rng: Generator) -> Mesh:
    length, r = rng.uniform(0.14, 0.3), rng.uniform(0.015, 0.025)
    path = curve([(-length / 2, 0, 0), (0, length * rng.uniform(0.0, 0.06), 0), (length / 2, 0, 0)], 14)
    t = np.linspace(-1, 1, 14)
    return sweep(path, r * np.sqrt(np.maximum(1 - np.abs(t) ** 5, 0.1)), 14).grounded().said("long")


def bell_pepper(rng: Generator) -> Mesh:
    r = rng.uniform(0.03, 0.043)
    h = r * rng.uniform(1.9, 2.5)
    lobes = int(rng.integers(3, 5))
    body = lathe(
        curve([(0, h * 0.05), (r * 0.5, 0), (r * 0.85, h * 0.3), (r, h * 0.75), (r * 0.6, h), (0, h * 0.9)], 16), 32
    )
    v = body.vertices
    v[:, :2] *= (1 + 0.09 * np.cos(lobes * np.arctan2(v[:, 1], v[:, 0])))[:, None]
    return join(body, rod((0, 0, h * 0.88), (0.006, 0, h + 0.02), 0.004, 8).part(1)).grounded().said("with a stem")


def tomato(rng: Generator) -> Mesh:
    d = rng.uniform(0.045, 0.085)
    body = ellipsoid(d, d, d * rng.uniform(0.75, 0.9), 14)
    top = float(body.size[2])
    leaf = extrude(arc(d * 0.25, 0, 324, 10) * np.where(np.arange(10) % 2, 0.4, 1.0)[:, None], 0.002).moved(
        z=top * 0.97
    )
    return join(body, leaf.part(1)).said("round")


def potato(rng: Generator) -> Mesh:
    body = ellipsoid(rng.uniform(0.06, 0.11), rng.uniform(0.045, 0.07), rng.uniform(0.04, 0.06), 14)
    v = body.vertices
    v *= (1 + 0.06 * np.sin(v * 80 + rng.uniform(0, 6, 3)).sum(1, keepdims=True)).astype(np.float32)
    return body.grounded()


def egg(rng: Generator) -> Mesh:
    r = rng.uniform(0.02, 0.024)
    h = r * 2.6
    return (
        lathe(curve([(0, 0), (r * 0.8, h * 0.15), (r, h * 0.4), (r * 0.65, h * 0.8), (0, h)], 16), 20)
        .turned("y", 90)
        .grounded()
    )


def bread(rng: Generator) -> Mesh:
    if rng.random() < 0.5:
        body = ellipsoid(rng.uniform(0.18, 0.3), rng.uniform(0.09, 0.13), rng.uniform(0.08, 0.13), 16, 0.7)
        return body.said("loaf")
    d = rng.uniform(0.07, 0.1)
    return ellipsoid(d, d * rng.uniform(0.7, 1.0), d * 0.6, 14).said("round")


def doughnut(rng: Generator) -> Mesh:
    from .meshes import torus

    r, t = rng.uniform(0.024, 0.033), rng.uniform(0.013, 0.019)
    icing = torus(r, t * 1.02, 28, 10)
    icing.vertices[:, 2] = np.maximum(icing.vertices[:, 2], t * 1.1)
    return join(torus(r, t, 28, 10), icing.part(1)).grounded().said("round", "with a hole")


def cake(rng: Generator) -> Mesh:
    if rng.random() < 0.5:
        r, h = rng.uniform(0.025, 0.035), rng.uniform(0.03, 0.045)
        base = lathe([(0, 0), (r * 0.7, 0), (r, h), (0, h)], 24)
        return join(base, ellipsoid(2.3 * r, 2.3 * r, h, 12).moved(z=h * 0.6).part(1))
    r, h = rng.uniform(0.08, 0.14), rng.uniform(0.05, 0.1)
    return join(cylinder(r, h, 36, 0.008), cylinder(r * 1.01, h * 0.3, 36, 0.008).moved(z=h * 0.72).part(1)).said(
        "round"
    )
