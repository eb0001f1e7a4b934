"""Fruit, vegetables, snacks and egg cartons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from .meshes import (
    Mesh,
    arc,
    box,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    grid_faces,
    join,
    lathe,
    mesh,
    relief,
    rod,
    rounded_box,
    stacked,
    sweep,
    torus,
    vessel,
)


def _bumpy(rng: Generator, body: Mesh, amount: float, waves: float) -> Mesh:
    """The mesh scaled locally about the origin by waves of relative amplitude ``amount`` and ``waves`` radians per
    metre; modified in place."""
    v = body.vertices
    v *= (1 + amount / 2 * np.sin(v[:, [1, 2, 0]] * waves + rng.uniform(0, 6, 3)).sum(1, keepdims=True)).astype(v.dtype)
    return body


def _halved(body: Mesh, share: float = 0.5) -> Mesh:
    """The mesh below a horizontal cut at ``share`` of its height; the cut face is part 1. Modified in place."""
    v = body.vertices
    level = v[:, 2].min() + share * np.ptp(v[:, 2])
    v[:, 2] = np.minimum(v[:, 2], level)
    flat = (v[body.faces, 2] > level - 1e-6).all(1)
    return replace(body, parts=np.where(flat, 1, body.parts).astype(np.int32)).said("cut in half")


def _sector(profile: ArrayLike, degrees: float, steps: int = 16) -> Mesh:
    """A convex profile (P, 2) of radius and height swept about z by ``degrees``; the cut faces are part 1."""
    p = np.asarray(profile, np.float64)
    n = len(p)
    angle = np.deg2rad(np.linspace(-degrees / 2, degrees / 2, steps))
    points = np.stack(
        [p[:, 0] * np.cos(angle)[:, None], p[:, 0] * np.sin(angle)[:, None], np.repeat(p[None, :, 1], steps, 0)], -1
    )
    ends = [points[k].mean(0) for k in (0, -1)]
    i = np.arange(n)
    caps = [np.stack([i + s, (i + 1) % n + s, np.full(n, steps * n + k)], 1) for k, s in ((0, 0), (1, steps * n - n))]
    side = grid_faces(steps, n, True)
    body = mesh(np.concatenate([points.reshape(-1, 3), ends]), np.concatenate([side, *caps]))
    body.parts[len(side) :] = 1
    return body


def _wavy(rng: Generator, radius: float, amount: float, steps: int = 40) -> NDArray[np.float64]:
    """(steps, 2) closed circular outline about the origin with waves of relative amplitude ``amount``."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    wave = sum(np.sin(k * angle + rng.uniform(0, 6)) for k in rng.integers(3, 10, 3)) / 3
    return arc(radius, 0, 360 - 360 / steps, steps) * (1 + amount * wave)[:, None]


def _cells(columns: int, rows: int, high: float, posts: float) -> NDArray[np.float64]:
    """Height map of columns x rows egg cups of height ``high``, with posts of height ``posts`` between them."""
    u, v = np.meshgrid(np.linspace(0, columns, columns * 6 + 1), np.linspace(0, rows, rows * 6 + 1))
    inside = np.abs(np.sin(np.pi * u) * np.sin(np.pi * v)) ** 0.7
    post = np.clip(np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v) - 1, 0, 1)
    return high * (1 - 0.8 * inside) + posts * post * (u > 0.1) * (u < columns - 0.1) * (v > 0.1) * (v < rows - 0.1)


def egg_carton(rng: Generator) -> Mesh:
    """A closed carton, an open one with its lid back, or a large tray; the open ones may hold eggs."""
    p, n, shape = rng.uniform(0.045, 0.051), int(rng.choice([3, 5, 6])), rng.integers(3)
    high = rng.uniform(0.032, 0.042)
    if shape == 0:
        x, y = n * p, 2 * p
        cup = lathe([(0, 0), (p * 0.34, 0), (p * 0.49, high), (0, high)], 14)
        cups = [cup.moved(x=(i - (n - 1) / 2) * p, y=j * p / 2) for i in range(n) for j in (1, -1)]
        base = rounded_box(x * 0.94, y * 0.9, high, 0.012).moved(z=0.006)
        corner = lathe([(1, 0)], 48, 7.0).vertices[:, :2].astype(np.float64) * [x / 2 + 0.004, y / 2 + 0.004]
        lid = stacked(corner, [(0, 1, 0), (0.006, 1, 0), (0.007, 0.97, 0), (0.03, 0.9, 0), (0.034, 0.86, 0)])
        bump = ellipsoid(p * 0.85, y * 0.8, 0.02, 8, 0.7)
        bumps = [bump.moved(x=(i - (n - 1) / 2) * p * 0.85, z=0.02) for i in range(n)]
        return join(*cups, base, join(lid, *bumps).moved(z=high)).said("closed", "bumpy")
    egg = ellipsoid(p * 0.86, p * 0.86, p * 1.15, 7).moved(z=high * 0.3).part(1)
    rows, columns = (2, n) if shape == 1 else (int(rng.integers(4, 6)), 6)
    if shape == 2:
        high *= 0.8
    parts = [relief(_cells(columns, rows, high, 0.02), columns * p, rows * p)]
    if rng.random() < 0.6:
        spots = rng.permutation(rows * columns)[: int(rng.integers(1, 13))]
        parts += [egg.moved((s % columns + 0.5 - columns / 2) * p, (s // columns + 0.5 - rows / 2) * p) for s in spots]
    if shape == 1:
        deep, y = high * rng.uniform(0.75, 0.95), 2 * p
        lid = vessel([(0.45, 0), (0.5, deep)], 0.006, 0.003, 48, 8.0).scaled(n * p, y, 1.0)
        lid = lid.moved(y=y / 2, z=-deep).turned("x", rng.choice([0.0, rng.uniform(40, 85)]))
        parts.append(lid.moved(y=y / 2 - 0.001, z=high))
    return join(*parts).grounded().said("with cells", "open" if shape == 1 else "flat")


def mushroom(rng: Generator) -> Mesh:
    """A mushroom with a button, open or tall cap, standing or lying."""
    r, shape = rng.uniform(0.016, 0.038), rng.integers(3)
    h, stem = r * (0.95, 0.6, 0.9)[shape], r * (0.5, 0.3, 0.42)[shape]
    foot = r * (0.7, 0.8, 1.8)[shape]
    cap = lathe(curve([(stem, h * 0.12), (r * 0.85, -0.03 * r), (r, h * 0.25), (r * 0.7, h * 0.8), (0, h)], 16), 24)
    leg = lathe(curve([(0, -foot), (stem * 1.1, -foot), (stem * 0.8, -foot * 0.4), (stem * 1.1, h * 0.2)], 9), 16)
    body = _bumpy(rng, join(cap, leg.part(1)), 0.05, 60)
    pose = rng.choice([0.0, 0.0, rng.uniform(95, 125), 180.0])
    return body.turned("y", pose).grounded().said("with a cap", "with a stem")


def pineapple(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.045, 0.065), rng.uniform(0.12, 0.18)
    body = lathe(
        curve([(0, 0), (r * 0.75, h * 0.03), (r, h * 0.35), (r * 0.9, h * 0.75), (r * 0.4, h), (0, h)], 29), 32
    )
    v = body.vertices
    turn, rise = 8 * np.arctan2(v[:, 1], v[:, 0]), v[:, 2] / h * 9 * np.pi
    v[:, :2] *= (1 + 0.06 * np.cos((turn + rise) / 2) ** 2 * np.cos((turn - rise) / 2) ** 2 * 2)[:, None]
    long, leaves = rng.uniform(0.07, 0.15), []
    for k in range(int(rng.integers(16, 26))):
        reach = long * (0.2 + 0.8 * k / 20) * rng.uniform(0.8, 1.1)
        out = (1 - k / 28) * 0.7 + 0.08
        path = curve([(0.006, 0, 0), (reach * out * 0.3, 0, reach * 0.5), (reach * out, 0, reach * 0.95)], 6)
        leaf = sweep(path, np.array([0.8, 1.0, 0.9, 0.7, 0.4, 0.05]) * r * 0.22, 6, 0.3)
        leaves.append(leaf.turned("z", 137.5 * k).moved(z=h * 0.97).part(1))
    return join(body, *leaves).turned("y", rng.choice([0.0, 0.0, 88.0])).grounded().said("with leaves", "bumpy")


def watermelon(rng: Generator) -> Mesh:
    """A whole fruit, a half, a wedge on its rind or on its side, or a flat slice."""
    d = rng.uniform(0.17, 0.27)
    body = ellipsoid(d * rng.choice([1.0, rng.uniform(1.05, 1.4)]), d, d * 0.97, 16)
    shape = rng.random()
    if shape < 0.4:
        return _bumpy(rng, body, 0.02, 15).grounded().said("round")
    if shape < 0.6:
        return _halved(body)
    angle = rng.uniform(30, 90)
    wedge = _sector(arc(d / 2, -90, 90, 22), angle, 12)
    if rng.random() < 0.3:
        return wedge.scaled(1.0, 1.0, rng.uniform(0.12, 0.3)).grounded().said("in a slice")
    wedge = wedge.turned("y", 90) if rng.random() < 0.5 else wedge.turned("z", angle / 2).turned("x", 90)
    return wedge.grounded().said("cut", "in a wedge")


def onion(rng: Generator) -> Mesh:
    """An onion: whole, standing or lying, or a half."""
    r = rng.uniform(0.026, 0.048)
    h = r * rng.uniform(1.5, 2.1)
    tip = h * rng.uniform(1.05, 1.3)
    profile = [(0, h * 0.03), (r * 0.4, 0), (r, h * 0.42), (r * 0.6, h * 0.8), (r * 0.2, h * 0.97), (r * 0.07, tip)]
    body = lathe([*curve(profile, 24), (0, tip)], 30)
    v = body.vertices
    angle = np.arctan2(v[:, 1], v[:, 0])
    v[:, :2] *= (1 + 0.02 * np.sin(angle * rng.integers(5, 9)) + 0.04 * np.sin(angle + rng.uniform(0, 6)))[:, None]
    shape = rng.random()
    if shape < 0.25:
        return _halved(body.turned("y", 90)).grounded()
    roots = [rod((0, 0, h * 0.08), (*rng.normal(0, r * 0.16, 2), -0.004), 0.0012, 5).part(1) for _ in range(9)]
    return join(body, *roots).turned("y", 0.0 if shape < 0.6 else rng.uniform(70, 105)).grounded().said("round")


def corn(rng: Generator) -> Mesh:
    """A corn cob, bare or with its husk pulled back."""
    length, r = rng.uniform(0.13, 0.21), rng.uniform(0.019, 0.027)
    shape = curve(
        [(r * 0.7, 0), (r, length * 0.2), (r * 0.95, length * 0.6), (r * 0.55, length * 0.92), (r * 0.25, length)], 44
    )
    cob = lathe([(0, 0), *shape, (0, length)], 32)
    grain = (np.arange(46)[:, None] % 2) | (np.arange(32)[None] % 2)
    cob.vertices[:, :2] *= (1 - 0.09 * grain.reshape(-1, 1)).astype(np.float32)
    parts = [cob]
    for k in range(int(rng.integers(3, 7)) if rng.random() < 0.5 else 0):
        reach, out = length * rng.uniform(0.5, 1.0), r * rng.uniform(1.1, 1.7)
        path = curve([(0.004, 0, -0.02), (r * 0.95, 0, 0.01), (out, 0, reach * 0.6), (out * 1.15, 0, reach)], 9)
        leaf = sweep(path, np.array([0.3, 0.7, 1, 1.1, 1.1, 1, 0.8, 0.5, 0.1]) * r * 0.75, 8, 0.14)
        parts.append(leaf.turned("z", k * 67 + 90).part(1))
    stalk = rod((0, 0, -rng.uniform(0.02, 0.05)), (0, 0, 0.01), r * 0.4, 8).part(1)
    return join(*parts, stalk).turned("y", 90).grounded().said("long", "bumpy")


def lettuce(rng: Generator) -> Mesh:
    """A round or loose head of lettuce with ruffled leaves."""
    d, loose = rng.uniform(0.11, 0.19), rng.choice([0.04, rng.uniform(0.1, 0.3)])
    parts = [_bumpy(rng, ellipsoid(d, d, d * 0.95, 16).moved(z=-d * 0.47), 0.07, 5 / d)]
    for k in range(int(rng.integers(5, 9))):
        lat = np.deg2rad(np.linspace(-80, rng.uniform(35, 75), 11))[:, None]
        span = np.linspace(-1, 1, 15)[None]
        lon = np.deg2rad(rng.uniform(55, 80)) * span * np.cos(lat * 0.6) ** 0.5
        lat = lat - 0.35 * span**2 * (lat + 1.4) / 2
        up = np.clip((lat + 0.5) / 1.4, 0, 1)
        ruffle = (0.008 + 0.05 * np.maximum(up, np.abs(span)) ** 3) * np.sin(9 * lon + 4 * lat + rng.uniform(0, 6))
        r = d * 0.5 * (1.02 + 0.012 * k + loose * up**2 + ruffle + 0.04 * np.exp(-((lon / 0.1) ** 2)))
        way = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)
        sheets = np.concatenate([r[..., None] * way, ((r - 0.004)[..., None] * way)[::-1], r[:1, :, None] * way[:1]])
        leaf = mesh(sheets.reshape(-1, 3), grid_faces(23, 15, False))
        parts.append(leaf.turned("y", rng.uniform(-18, 12)).turned("z", k * 137.5 + rng.uniform(-20, 20)))
    return join(*parts).grounded().said("round", "with leaves")


def garlic(rng: Generator) -> Mesh:
    r, cloves = rng.uniform(0.022, 0.034), int(rng.integers(6, 11))
    h = r * rng.uniform(1.2, 1.5)
    neck = h * rng.uniform(1.15, 1.6)
    profile = [(0, h * 0.08), (r * 0.45, 0), (r, h * 0.35), (r * 0.68, h * 0.75), (r * 0.24, h * 1.0), (r * 0.11, neck)]
    body = lathe([*curve(profile, 22), (0, neck)], 44)
    v = body.vertices
    angle, high = np.arctan2(v[:, 1], v[:, 0]), np.clip(1.1 - v[:, 2] / h, 0, 0.6) / 0.6
    v[:, :2] *= (0.93 + 0.1 * high * np.abs(np.sin(cloves / 2 * angle + rng.uniform(0, 6))))[:, None]
    v[:, 0] += (0.3 * np.maximum(v[:, 2] - h * 0.8, 0) * rng.uniform(-1, 1)).astype(np.float32)
    return body.turned("y", rng.choice([0.0, 0.0, rng.uniform(65, 80)])).grounded().said("round", "with lobes")


def kiwi(rng: Generator) -> Mesh:
    d = rng.uniform(0.042, 0.055)
    body = _bumpy(rng, ellipsoid(d * rng.uniform(1.15, 1.5), d, d * rng.uniform(0.88, 1.0), 14), 0.03, 70)
    if rng.random() < 0.6:
        return body.grounded().said("oval")
    half = _halved(body if rng.random() < 0.6 else body.turned("y", 90)).grounded()
    heart = ellipsoid(d * 0.3, d * 0.22, 0.002, 8).moved(z=float(half.size[2]) - 0.0012)
    return join(half, heart.part(2)).grounded()


def grape(rng: Generator) -> Mesh:
    """A bunch of grapes lying on its side."""
    d, rows = rng.uniform(0.014, 0.021), int(rng.integers(4, 7))
    berry = ellipsoid(d * rng.choice([1.0, 1.3]), d, d, 5)
    fat, parts = rng.uniform(0.9, 1.35), []
    for k in range(rows):
        ring = d * fat * (0.35 + 0.85 * np.sin(np.pi * (0.22 + 0.68 * (k + 0.5) / rows)))
        count = max(3, int(2 * np.pi * ring / (d * 1.05)))
        for a in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 6):
            x, y, z = rng.normal([k * d * 0.85, ring * np.cos(a), ring * np.sin(a) * 0.75], d * 0.1)
            parts.append(berry.turned("z", rng.uniform(-50, 50)).moved(x, y, z))
    tail = berry.moved(x=(rows - 0.3) * d * 0.85)
    path = [((rows - 1) * d * 0.8, 0, d / 2), (0, 0, d / 2), (-d * 1.4, d * 0.2, d * 0.7), (-d * 2.4, d * 0.6, d * 0.6)]
    stem = sweep(curve(path, 10), d * 0.12, 6).part(1)
    return join(*parts[:55], tail, stem).grounded().said("in a bunch")


def avocado(rng: Generator) -> Mesh:
    """An avocado: whole, or a half with its stone or the hollow that it left."""
    r = rng.uniform(0.029, 0.04)
    h = r * rng.uniform(2.4, 3.2)
    neck = rng.uniform(0.4, 0.75)
    low = [(0, 0), (r * 0.65, h * 0.05), (r, h * 0.34)]
    profile = [*low, (r * (0.4 + 0.55 * neck), h * 0.7), (r * neck * 0.6, h * 0.94), (0, h)]
    body = _bumpy(rng, lathe(curve(profile, 40), 56), 0.02, 120).turned("y", 90)
    if rng.random() < 0.5:
        return body.grounded().said("oval")
    half = _halved(body)
    v, flat, stone = half.vertices, float(half.vertices[:, 2].max()), r * rng.uniform(0.45, 0.6)
    if rng.random() < 0.6:
        ball = ellipsoid(2 * stone, 2 * stone, 2 * stone, 10).moved(x=h * 0.36, z=flat - stone)
        return join(half, ball.part(2)).grounded().said("with a stone")
    inside = stone**2 - (v[:, 0] - h * 0.36) ** 2 - v[:, 1] ** 2
    v[:, 2] -= np.where(v[:, 2] > flat - 1e-5, np.sqrt(np.maximum(inside, 0)), 0).astype(np.float32)
    return half.grounded().said("with a hollow")


def cheese(rng: Generator) -> Mesh:
    """Cheese: a wedge, perhaps with holes, a block, perhaps with a slice cut off, or a wheel that may lack a piece."""
    shape = rng.integers(3)
    if shape == 0:
        r, h, angle = rng.uniform(0.09, 0.16), rng.uniform(0.03, 0.08), rng.uniform(22, 55)
        parts = [_sector([(0, 0), (r, 0), (r * 1.015, h * 0.5), (r, h), (0, h)], angle, 14)]
        for side in rng.choice([-1, 1], int(rng.choice([0, 9]))):
            hole = ellipsoid(rng.uniform(0.006, 0.016), 0.0012, 0.012, 6).part(2)
            hole = hole.moved(x=r * rng.uniform(0.3, 0.85), z=rng.uniform(0.1, 0.9) * (h - 0.012))
            parts.append(hole.turned("z", side * angle / 2))
        return join(*parts).grounded().said("in a wedge")
    if shape == 1:
        x, y, z = rng.uniform(0.08, 0.18), rng.uniform(0.05, 0.09), rng.uniform(0.025, 0.065)
        body = _bumpy(rng, rounded_box(x, y, z, rng.uniform(0.002, 0.009)), 0.015, 25)
        if rng.random() < 0.4:
            cut = rounded_box(0.006, y, z * 0.98, 0.001).turned("y", -rng.uniform(14, 40)).grounded()
            body = join(body, cut.moved(x=x / 2 + float(cut.size[0]) / 2 - 0.003)).said("sliced")
        return body.grounded().said("rectangular")
    r, h = rng.uniform(0.04, 0.12), rng.uniform(0.025, 0.07)
    outside = [(0, 0), (r * 0.96, 0), (r, h * 0.2), (r, h * 0.8), (r * 0.96, h), (0, h)]
    return _sector(outside, rng.choice([360.0, rng.uniform(200, 325)]), 44).grounded().said("round")


def pizza(rng: Generator) -> Mesh:
    """A pizza, whole or without some slices, or a single slice."""
    r, h = rng.uniform(0.11, 0.17), rng.uniform(0.004, 0.008)
    angle = (360.0, rng.uniform(180, 315), rng.uniform(35, 62))[int(rng.integers(3))]
    steps = max(8, int(angle / 8))
    crust = [(r * 0.95, 0), (r, 0.006), (r * 0.97, h + 0.01), (r * 0.91, h + 0.008), (r * 0.86, h)]
    base = _sector([(0, 0), *crust, (0, h)], angle, steps).part(0)
    cover = [(0, 0), (r * 0.87, 0), (r * 0.86, 0.003), (0, 0.003)]
    parts = [base, _sector(cover, angle if angle == 360 else angle * 0.995, steps).part(1).moved(z=h - 0.001)]
    for _ in range(max(3, int(angle / rng.uniform(16, 40)))):
        bit = cylinder(rng.uniform(0.01, 0.021), 0.003, 14, 0.001).moved(x=rng.uniform(0.35, 0.7) * r, z=h + 0.0015)
        parts.append(bit.turned("z", rng.uniform(-0.5, 0.5) * max(angle - 25, 1)).part(2))
    body = join(*parts)
    v = body.vertices
    v[:, 2] *= (1 + 0.2 * np.sin(v[:, 0] * 70) * np.sin(v[:, 1] * 60)).astype(np.float32)
    return body.grounded().said("flat", "round" if angle > 90 else "in a slice")


def sandwich(rng: Generator) -> Mesh:
    """A burger, a triangular sandwich of sliced bread, or a long roll."""
    shape, w, t = rng.integers(3), rng.uniform(0.09, 0.125), rng.uniform(0.011, 0.016)
    if shape == 0:
        z, parts = 0.017, [cylinder(w / 2, 0.02, 28, 0.007)]
        for _ in range(int(rng.integers(1, 3))):
            parts.append(cylinder(w * 0.51, t, 28, 0.005).moved(z=z).part(1))
            parts.append(extrude(_wavy(rng, w * 0.53, 0.09), 0.004).moved(z=z + t - 0.001).part(2))
            z += t + 0.002
        bun = lathe(curve([(w * 0.48, 0), (w * 0.51, w * 0.1), (w * 0.36, w * 0.27), (0, w * 0.34)], 14), 28)
        bun = _bumpy(rng, bun, 0.03, 60).scaled(1.0, 1.0, rng.uniform(0.8, 1.25))
        return join(*parts, bun.moved(z=z)).grounded().said("round", "in layers")
    if shape == 1:
        corner = [(0.46, -0.5), (0.5, -0.46), (0.03, 0.03), (-0.46, 0.5), (-0.5, 0.46), (-0.5, -0.46), (-0.46, -0.5)]
        fills = int(rng.integers(2, 5))
        layers = [(t + 0.005 * k - 0.0003, 0.0055, rng.uniform(0.97, 1.06), 1 + k % 2) for k in range(fills)]
        layers += [(0.0, t, 1.0, 0), (t + 0.005 * fills, t, 1.0, 0)]
        body = join(*[extrude(np.array(corner) * w * s, high).moved(z=z).part(p) for z, high, s, p in layers])
        body = body if rng.random() < 0.6 else body.turned("z", 45).turned("x", 90)
        return body.grounded().said("triangular", "in layers")
    length = rng.uniform(0.14, 0.26)
    roll = ellipsoid(length, w * 0.62, w * 0.6, 14, 0.75)
    upper = roll.turned("y", rng.uniform(-4, 4)).moved(z=0.01)
    roll.vertices[:, 2] = np.minimum(roll.vertices[:, 2], w * 0.28)
    upper.vertices[:, 2] = np.maximum(upper.vertices[:, 2], w * 0.36)
    fill = _wavy(rng, w * 0.34, 0.1, 36) * [length / w * 1.42, 1.0]
    meat, leaf = extrude(fill, w * 0.1).moved(z=w * 0.27), extrude(fill * 1.04, 0.004).moved(z=w * 0.3)
    return join(roll, upper, meat.part(1), leaf.part(2)).grounded().said("long", "in layers")


def cookie(rng: Generator) -> Mesh:
    """A cookie: with chips, a pair with cream between, or plain with a wavy edge."""
    r, h, shape = rng.uniform(0.022, 0.05), rng.uniform(0.007, 0.013), rng.integers(3)
    if shape == 0:
        body = lathe(curve([(0, 0), (r * 0.9, 0), (r, h * 0.4), (r * 0.8, h * 0.85), (0, h)], 12), 28)
        spots = [(r * np.sqrt(rng.random()) * 0.75, rng.uniform(0, 360)) for _ in range(int(rng.integers(5, 13)))]
        chips = [
            ellipsoid(0.009, 0.007, 0.006, 5).moved(x=q, z=h * 0.85 - 0.0015).turned("z", a).part(1) for q, a in spots
        ]
        return _bumpy(rng, join(body, *chips), 0.06, 90).grounded().said("round", "bumpy")
    if shape == 1:
        r *= 0.8
        half = cylinder(r, h * 0.6, 32, 0.0015)
        ridges = [box(r * 0.16, 0.002, 0.0016).moved(x=r * 0.88, z=h * 1.55).turned("z", a) for a in range(0, 360, 20)]
        emblem = torus(r * 0.5, 0.001, 24, 6).moved(z=h * 1.57)
        cream = cylinder(r * 0.94, h * 0.5, 28).moved(z=h * 0.55).part(1)
        return join(half, cream, half.moved(z=h), *ridges, emblem).grounded().said("round", "in layers")
    teeth = 1 + 0.035 * np.cos(np.arange(96) * np.pi / 3)
    square = np.array([rng.uniform(0.9, 1.4), 1.0])
    outline = lathe([(1, 0)], 96, rng.choice([2.0, 8.0])).vertices[:, :2] * teeth[:, None] * r * square
    side = [(0, 0.97, 0.0), (h * 0.3, 1, 0), (h * 0.6, 1, 0), (h * 0.8, 0.95, 0)]
    return (
        stacked(outline, [*side, (h * 0.8, 0.75, 0), (h * 0.65, 0.72, 0)]).grounded().said("flat", "with a wavy edge")
    )


def chocolate(rng: Generator) -> Mesh:
    """A chocolate bar with grooves, bare or half in its wrapper."""
    columns, rows = int(rng.integers(4, 9)), int(rng.integers(2, 5))
    x, y, h = rng.uniform(0.017, 0.026), rng.uniform(0.015, 0.025), rng.uniform(0.007, 0.011)
    corner = np.array([(x, y), (-x, y), (-x, -y), (x, -y)]) / 2
    raised = stacked(corner, [(h * 0.5, 0.96, 0), (h, 0.75, 0)])
    spots = [(i - (columns - 1) / 2, j - (rows - 1) / 2) for i in range(columns) for j in range(rows)]
    x, y = columns * x, rows * y
    bar = join(box(x, y, h * 0.55), *[raised.moved(i * x / columns, j * y / rows) for i, j in spots])
    if rng.random() < 0.5:
        return bar.said("flat", "with grooves")
    cover = x * rng.uniform(0.35, 0.7)
    sleeve = rounded_box(cover, y + 0.004, h + 0.002, 0.002).moved(x=(cover - x) / 2 - 0.004, z=-0.001)
    teeth = np.column_stack([rng.uniform(0.004, 0.016, 9), np.linspace(-0.48, 0.48, 9) * y])
    torn = extrude(np.concatenate([teeth, [(-0.006, y * 0.48), (-0.006, -y * 0.48)]]), 0.0012)
    torn = torn.moved(x=cover - x / 2 - 0.004, z=h - 0.0004)
    return join(bar, sleeve.part(1), torn.part(2)).grounded().said("flat", "in a wrapper")
