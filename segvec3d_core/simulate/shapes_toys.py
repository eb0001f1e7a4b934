"""Toys, sundry small things, and unnamed compounds of primitives."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, box, cylinder, ellipsoid, extrude, join, lathe, rounded_box, torus, vessel


def toy_block(rng: Generator) -> Mesh:
    s = rng.uniform(0.025, 0.07)
    kind = rng.integers(5)
    if kind == 0:
        return box(s, s, s).said("cube")
    if kind == 1:
        return rounded_box(s * rng.uniform(1, 3), s, s * rng.uniform(0.5, 1.0), 0.003).said("long")
    if kind == 2:
        return extrude([(-s, 0), (s, 0), (0, s * 1.2)], s).turned("x", 90).grounded().said("triangular")
    if kind == 3:
        return cylinder(s / 2, s * rng.uniform(0.8, 1.6), 20).said("round")
    bridge = np.concatenate([[(-s, 0), (-s, s), (s, s), (s, 0)], arc(s * 0.6, 0, 180, 12)])
    pieces = [
        extrude([(-s, 0), (-s, s), (-s * 0.55, s), (-s * 0.55, 0)], s),
        extrude([(s, 0), (s, s), (s * 0.55, s), (s * 0.55, 0)], s),
    ]
    return (
        join(*pieces, extrude([(-s, s * 0.6), (s, s * 0.6), (s, bridge[1, 1]), (-s, s)], s))
        .turned("x", 90)
        .grounded()
        .said("arched")
    )


def brick(rng: Generator) -> Mesh:
    """A studded toy brick."""
    u = rng.uniform(0.008, 0.032)
    nx, ny = int(rng.integers(2, 5)), 2
    studs = [
        cylinder(u * 0.3, u * 0.2, 12).moved(x=(i - (nx - 1) / 2) * u, y=(j - (ny - 1) / 2) * u, z=u * 1.2)
        for i in range(nx)
        for j in range(ny)
    ]
    return join(box(nx * u, ny * u, u * 1.2), *studs).said("with studs")


def toy_car(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.07, 0.22), 0.45, rng.uniform(0.16, 0.24)
    y, z = x * y, x * z
    cabin = rounded_box(x * 0.5, y * 0.85, z, 0.3 * z, 2).moved(x=-x * 0.05, z=z * 1.1).part(1)
    if rng.random() < 0.3:
        cabin = rounded_box(x * 0.25, y * 0.9, z * 1.4, 0.1 * z, 2).moved(x=x * 0.3, z=z * 1.1).part(1)
    wheels = [
        cylinder(z * 0.5, y * 0.15, 16)
        .turned("x", 90)
        .moved(x=i * x * 0.3, y=j * y * 0.45 + y * 0.07, z=z * 0.5)
        .part(2)
        for i in (1, -1)
        for j in (1, -1)
    ]
    return join(rounded_box(x, y, z, 0.3 * z, 2).moved(z=z * 0.35), cabin, *wheels).grounded().said("with wheels")


def plush(rng: Generator) -> Mesh:
    """A soft animal sitting: body, head, ears, limbs."""
    s = rng.uniform(0.12, 0.3)
    body = ellipsoid(s * 0.5, s * 0.45, s * 0.55, 12)
    head = ellipsoid(s * 0.42, s * 0.4, s * 0.38, 12).moved(z=s * 0.48)
    ear_height = s * rng.choice([0.14, 0.35])
    ears = [ellipsoid(s * 0.13, s * 0.08, ear_height, 8).moved(x=k * s * 0.15, z=s * 0.78) for k in (1, -1)]
    legs = [ellipsoid(s * 0.17, s * 0.36, s * 0.17, 8).moved(x=k * s * 0.18, y=-s * 0.3) for k in (1, -1)]
    arms = [
        ellipsoid(s * 0.14, s * 0.14, s * 0.32, 8).turned("y", k * 35).moved(x=k * s * 0.22, y=-s * 0.08, z=s * 0.2)
        for k in (1, -1)
    ]
    snout = ellipsoid(s * 0.15, s * 0.13, s * 0.12, 8).moved(y=-s * 0.2, z=s * 0.56).part(1)
    return join(body, head, *ears, *legs, *arms, snout).grounded().said("soft")


def doll(rng: Generator) -> Mesh:
    """A figure: head, body, arms and legs, standing."""
    s = rng.uniform(0.1, 0.28)
    head = ellipsoid(s * 0.2, s * 0.2, s * 0.22, 10).moved(z=s * 0.78).part(1)
    body = lathe([(0, 0), (s * 0.17, 0), (s * 0.09, s * 0.45), (0, s * 0.45)], 16).moved(z=s * 0.35)
    legs = [cylinder(s * 0.055, s * 0.37, 10).moved(x=k * s * 0.08).part(1) for k in (1, -1)]
    arms = [
        cylinder(s * 0.035, s * 0.35, 8).turned("y", k * -25).moved(x=k * s * 0.24, z=s * 0.43).part(1) for k in (1, -1)
    ]
    feet = [rounded_box(s * 0.1, s * 0.2, s * 0.06, 0.01).moved(x=k * s * 0.08, y=-s * 0.03).part(2) for k in (1, -1)]
    return join(head, body, *legs, *arms, *feet).grounded()


def puzzle_cube(rng: Generator) -> Mesh:
    s = rng.uniform(0.045, 0.065)
    u = s / 3
    cells = [
        rounded_box(u * 0.97, u * 0.97, u * 0.97, 0.002, 1)
        .moved((i - 1) * u, (j - 1) * u, k * u)
        .part(int(rng.integers(3)))
        for i in range(3)
        for j in range(3)
        for k in range(3)
        if (i, j, k) != (1, 1, 1)
    ]
    return join(*cells).grounded().said("cube")


def die(rng: Generator) -> Mesh:
    s = rng.uniform(0.015, 0.04)
    return rounded_box(s, s, s, s * 0.18).said("cube", "small")


def trophy(rng: Generator) -> Mesh:
    h = rng.uniform(0.15, 0.32)
    r = h * 0.22
    bowl = vessel([(r * 0.25, 0), (r * 0.9, h * 0.3), (r, h * 0.5)], 0.003, 0.005).moved(z=h * 0.5)
    stem = lathe([(0, 0), (r * 0.7, 0), (r * 0.2, h * 0.2), (r * 0.2, h * 0.5), (0, h * 0.5)], 24)
    return join(bowl, stem, box(r * 1.8, r * 1.8, h * 0.1).part(1)).grounded()


def picture_frame(rng: Generator) -> Mesh:
    x, z, b = rng.uniform(0.1, 0.28), rng.uniform(0.12, 0.3), rng.uniform(0.012, 0.03)
    bars = [box(x, 0.015, b), box(x, 0.015, b).moved(z=z - b)] + [
        box(b, 0.015, z).moved(x=k * (x - b) / 2) for k in (1, -1)
    ]
    inside = box(x - b, 0.006, z - b).moved(y=0.003, z=b / 2).part(1)
    leg = box(0.03, 0.004, z * 0.75).turned("x", -28).moved(y=z * 0.36)
    return join(join(*bars, inside).turned("x", -10), leg).grounded().said("with a stand")


def globe(rng: Generator) -> Mesh:
    d = rng.uniform(0.12, 0.26)
    ring = torus(d * 0.55, 0.005, 32, 6).moved(z=-0.005).turned("x", 90).moved(z=d * 0.72)
    foot = join(cylinder(d * 0.35, 0.015, 28, 0.004), cylinder(0.008, d * 0.2, 10))
    return (
        join(ellipsoid(d, d, d, 18).moved(z=d * 0.22), ring.part(1), foot.part(1))
        .grounded()
        .said("round", "with a stand")
    )


def glue_stick(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.009, 0.016), rng.uniform(0.08, 0.12)
    body = join(cylinder(r, h * 0.68, 18), cylinder(r * 1.05, h * 0.32, 18, 0.002).moved(z=h * 0.68).part(1))
    return body.turned("y", rng.choice([0.0, 90.0])).grounded().said("small")


def tube(rng: Generator) -> Mesh:
    """A tube of toothpaste, cream or paint: round at the cap, flat at the end."""
    from .meshes import grid_faces, mesh

    w, length = rng.uniform(0.03, 0.055), rng.uniform(0.1, 0.19)
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    rings = []
    for t in np.linspace(0, 1, 8):
        a, b = w / 2 * (0.75 + 0.35 * t), w / 2 * (0.75 * (1 - t) + 0.03)
        rings.append(np.column_stack([np.full(20, t * length), a * np.cos(angle), b * np.sin(angle)]))
    body = mesh(np.concatenate(rings), grid_faces(8, 20, True))
    cap = cylinder(w * 0.36, 0.025, 16, 0.002).turned("y", -90).part(1)
    return join(body, cap).grounded().said("soft", "with a cap")


def padlock(rng: Generator) -> Mesh:
    s = rng.uniform(0.03, 0.06)
    shackle = np.column_stack(
        [arc(s * 0.33, 0, 180, 14)[:, 0], np.zeros(14), arc(s * 0.33, 0, 180, 14)[:, 1] + s * 0.95]
    )
    from .meshes import sweep

    path = np.concatenate([[[s * 0.33, 0, s * 0.5]], shackle, [[-s * 0.33, 0, s * 0.5]]])
    return (
        join(rounded_box(s, s * 0.45, s * 0.8, 0.004), sweep(path, s * 0.08, 8).part(1))
        .turned("x", 90)
        .grounded()
        .said("small")
    )


def stapler(rng: Generator) -> Mesh:
    x = rng.uniform(0.09, 0.16)
    base = rounded_box(x, x * 0.25, x * 0.1, 0.004)
    arm = rounded_box(x * 0.95, x * 0.22, x * 0.16, 0.008).turned("y", -8).moved(z=x * 0.14).part(1)
    return join(base, arm).grounded()


def calculator(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.065, 0.12), rng.uniform(0.1, 0.17), rng.uniform(0.01, 0.022)
    keys = [
        box(x * 0.16, y * 0.09, 0.003).moved(x=(i - 1.5) * x * 0.23, y=j, z=z).part(1)
        for i in range(4)
        for j in np.linspace(-y * 0.42, y * 0.12, 5)
    ]
    return join(rounded_box(x, y, z, 0.004), *keys, box(x * 0.8, y * 0.17, 0.001).moved(y=y * 0.33, z=z).part(2)).said(
        "flat", "with buttons"
    )


def game_controller(rng: Generator) -> Mesh:
    s = rng.uniform(0.14, 0.17)
    grips = [
        ellipsoid(s * 0.32, s * 0.55, s * 0.26, 10).turned("z", k * 15).moved(x=k * s * 0.34, y=-s * 0.14)
        for k in (1, -1)
    ]
    sticks = [cylinder(s * 0.05, s * 0.1, 12).moved(x=k * s * 0.16, y=-s * 0.04, z=s * 0.2).part(1) for k in (1, -1)]
    return join(rounded_box(s * 0.7, s * 0.4, s * 0.23, 0.02), *grips, *sticks).grounded().said("with two grips")


def thing(rng: Generator) -> Mesh:
    """An unnamed compound of one to four primitives, joined at random."""
    s = np.exp(rng.uniform(np.log(0.03), np.log(0.16)))
    parts = []
    for k in range(int(rng.choice([1, 2, 2, 3, 4]))):
        a, b, c = s * rng.uniform(0.3, 1.2, 3)
        kind = rng.integers(6)
        if kind == 0:
            part = box(a, b, c)
        elif kind == 1:
            part = cylinder(a / 2, c, 24, 0.002)
        elif kind == 2:
            part = ellipsoid(a, b, c, 12, rng.choice([1.0, 0.7, 0.5]))
        elif kind == 3:
            part = lathe([(0, 0), (a / 2, 0), (a * rng.uniform(0, 0.4), c), (0, c)], int(rng.choice([4, 6, 28])))
        elif kind == 4:
            part = torus(a / 2, a * rng.uniform(0.08, 0.2), 24, 8)
        else:
            part = vessel([(a * rng.uniform(0.3, 0.6), 0), (a * 0.6, c)], 0.004, 0.006, 28, rng.choice([2.0, 6.0]))
        if k:
            part = part.turned("x", rng.choice([0, 90, rng.uniform(0, 180)])).turned("z", rng.uniform(0, 360))
            part = part.moved(s * rng.uniform(-0.4, 0.4), s * rng.uniform(-0.4, 0.4), s * rng.uniform(0.0, 0.6))
        parts.append(part.part(int(rng.integers(2)) if k else 0))
    return join(*parts).grounded()
