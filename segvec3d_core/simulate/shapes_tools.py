"""Cutlery, writing things and tools, modelled as they lie on a table."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, box, curve, cylinder, ellipsoid, extrude, join, lathe, rod, rounded_box, sweep, torus


def _stick(length: float, start: float, end: float, flat: float = 1.0, lift: float = 0.0) -> Mesh:
    """A handle along x from 0 to ``length`` with widths ``start`` and ``end``, raised by ``lift`` in the middle."""
    path = curve([(0, 0, 0), (length / 2, 0, lift), (length, 0, 0)], 8)
    return sweep(path, np.linspace(start, end, 8) / 2, 10, flat)


def spoon(rng: Generator) -> Mesh:
    """A spoon from teaspoon to ladle size, its bowl hollow."""
    length = rng.uniform(0.13, 0.3)
    w = length * rng.uniform(0.17, 0.24)
    t = np.linspace(0, np.pi / 2, 6)
    shell = lathe(
        np.concatenate(
            [
                np.stack([np.sin(t), 1 - np.cos(t)], 1),
                np.stack([0.94 * np.sin(t[::-1]), 1.06 - 0.96 * np.cos(t[::-1])], 1),
            ]
        ),
        20,
    )
    shell = shell.scaled(w * 0.75, w * 0.5, w * 0.3)
    handle = _stick(length - w, length * 0.03, length * 0.055, 0.4, 0.008).moved(x=w * 0.7, z=w * 0.27)
    wooden = rng.random() < 0.5
    return join(shell, handle.part(1 if wooden else 0)).grounded().said("long")


def fork(rng: Generator) -> Mesh:
    length = rng.uniform(0.15, 0.22)
    w = length * 0.12
    prongs = [rod((0, y, 0.006), (length * 0.25, y * 0.9, 0.0), 0.0016, 6) for y in np.linspace(-w / 2, w / 2, 4)]
    palm = rounded_box(length * 0.12, w * 1.1, 0.003, 0.001).moved(x=length * 0.28)
    return (
        join(*prongs, palm, _stick(length * 0.7, 0.006, 0.015, 0.35, 0.01).moved(x=length * 0.32))
        .grounded()
        .said("long", "with prongs")
    )


def knife(rng: Generator) -> Mesh:
    length = rng.uniform(0.18, 0.33)
    b = length * rng.uniform(0.5, 0.62)
    w = length * rng.uniform(0.07, 0.12)
    top = curve([(0, w), (b * 0.6, w * 0.95), (b, w * 0.4)], 10)
    blade = extrude(np.concatenate([top, [(b * 0.8, 0), (0, 0)]]), 0.002).moved(y=-w / 2, z=0.007)
    handle = rounded_box(length - b, w * 0.85, 0.016, 0.006).moved(x=-(length - b) / 2)
    return join(blade, handle.part(1)).grounded().said("long", "with a blade")


def spatula(rng: Generator) -> Mesh:
    length, w = rng.uniform(0.25, 0.35), rng.uniform(0.05, 0.09)
    blade = rounded_box(w * 1.2, w, 0.004, 0.0015).turned("y", 12).moved(z=0.004)
    handle = rod((w * 0.55, 0, 0.016), (length - w * 0.6, 0, 0.05), 0.007)
    return join(blade, handle.part(1)).grounded().said("long", "flat")


def whisk(rng: Generator) -> Mesh:
    r, reach = rng.uniform(0.022, 0.032), rng.uniform(0.1, 0.14)
    loops = []
    for k in range(4):
        path = curve([(0, 0.004, 0), (reach * 0.6, r, 0), (reach, 0, 0), (reach * 0.6, -r, 0), (0, -0.004, 0)], 16)
        loops.append(sweep(path, 0.0014, 5).turned("x", 45 * k))
    return join(*loops, _stick(rng.uniform(0.1, 0.14), 0.022, 0.018).turned("z", 180).part(1)).grounded().said("long")


def rolling_pin(rng: Generator) -> Mesh:
    r, length = rng.uniform(0.02, 0.032), rng.uniform(0.2, 0.28)
    grip = lathe([(0, 0), (0.009, 0), (0.013, 0.04), (0.009, 0.08), (0, 0.08)], 16)
    body = join(cylinder(r, length, 24, 0.004), grip.moved(z=-0.08).part(1), grip.moved(z=length).part(1))
    return body.turned("y", 90).grounded().said("long", "round")


def cutting_board(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.2, 0.38), rng.uniform(0.14, 0.25), rng.uniform(0.008, 0.022)
    body = rounded_box(x, y, z, 0.006)
    if rng.random() < 0.5:
        body = join(body, rounded_box(0.09, 0.04, z, 0.006).moved(x=x / 2 + 0.03)).said("with a handle")
    return body.grounded().said("flat")


def pen(rng: Generator) -> Mesh:
    length, r = rng.uniform(0.12, 0.16), rng.uniform(0.0035, 0.008)
    body = lathe([(0, 0), (r * 0.3, 0.004), (r, 0.02), (r, length * 0.6), (0, length * 0.6)], 14)
    cap = cylinder(r * 1.1, length * 0.4, 14, 0.001).moved(z=length * 0.6).part(1)
    clip = box(0.002, 0.004, length * 0.28).moved(x=r * 1.2, z=length * 0.68).part(1)
    return join(body, cap, clip).turned("y", 90).grounded().said("long", "thin")


def pencil(rng: Generator) -> Mesh:
    length, r = rng.uniform(0.12, 0.19), 0.004
    wood = lathe([(0, 0), (r, 0.018), (0, 0.019)], 6).part(1)
    body = lathe([(0, 0.017), (r, 0.018), (r, length), (0, length)], 6)
    return (
        join(wood, body, cylinder(r * 1.02, 0.012, 10).moved(z=length - 0.002).part(2))
        .turned("y", 90)
        .grounded()
        .said("long", "thin")
    )


def scissors(rng: Generator) -> Mesh:
    length = rng.uniform(0.14, 0.23)
    opening = rng.uniform(4, 22)
    blade = length * 0.52
    halves = []
    for side in (1, -1):
        cut = extrude(np.array([(0, -0.007), (blade, -0.001), (blade, 0.001), (0, 0.007)]), 0.0025).moved(
            z=0.0025 if side > 0 else 0.0
        )
        loop = torus(length * 0.1, 0.005, 20, 8).scaled(1.35, 0.8, 1.0).moved(x=-length * 0.3, y=length * 0.11)
        arm = rod((0, 0, 0.005), (-length * 0.2, length * 0.07, 0.005), 0.005, 8)
        grip = join(loop, arm).part(1)
        half = join(cut, grip if side > 0 else grip.scaled(1, 1, 1))
        half = half if side > 0 else half.scaled(1, -1, 1)
        halves.append(half.turned("z", side * -opening / 2))
    return join(*halves, cylinder(0.005, 0.008, 12).part(2)).grounded().said("with two loops")


def screwdriver(rng: Generator) -> Mesh:
    length, r = rng.uniform(0.15, 0.28), rng.uniform(0.011, 0.018)
    grip = length * rng.uniform(0.35, 0.5)
    handle = lathe(
        curve([(r * 0.6, 0), (r, grip * 0.15), (r * 0.85, grip * 0.5), (r, grip * 0.8), (r * 0.5, grip)], 14), 10
    )
    handle = join(handle, cylinder(r * 0.6, 0.001, 10))
    return (
        join(handle, cylinder(r * 0.25, length - grip, 10).moved(z=grip).part(1))
        .turned("y", 90)
        .grounded()
        .said("long")
    )


def hammer(rng: Generator) -> Mesh:
    length, head = rng.uniform(0.24, 0.35), rng.uniform(0.09, 0.13)
    r = head * 0.13
    handle = _stick(length, r * 1.5, r * 2.0, 0.7)
    face = rod((0, 0, 0), (0, head * 0.5, 0), r, 14)
    if rng.random() < 0.5:
        back = sweep(
            curve([(0, 0, 0), (0, -head * 0.3, 0), (0.014, -head * 0.55, 0)], 7), np.linspace(r, 0.003, 7), 8, 0.6
        )
    else:
        back = join(
            rod((0, 0, 0), (0, -head * 0.35, 0), r * 0.7, 14),
            ellipsoid(r * 2, r * 2, r * 2, 8).moved(y=-head * 0.4, z=-r),
        )
    return join(handle, face.part(1), back.part(1)).grounded().said("long", "with a head")


def wrench(rng: Generator) -> Mesh:
    length = rng.uniform(0.13, 0.28)
    w = length * 0.075
    bar = rounded_box(length * 0.8, w, w * 0.6, 0.002).moved(x=length * 0.45)
    jaw = arc(w * 1.15, 40, 320, 16)
    inner = arc(w * 0.55, 320, 40, 16)
    outline = np.concatenate([jaw, inner])
    open_end = _ring_plate(outline, w * 0.8, 16).turned("z", 195)
    ring = torus(w * 0.85, w * 0.32, 20, 8).moved(x=length * 0.9)
    return join(bar, open_end, ring).grounded().said("long", "flat")


def _ring_plate(outline: np.ndarray, height: float, half: int) -> Mesh:
    """A C-shaped plate: the outline runs along the outside and back along the inside, ``half`` points each."""
    outer, inner = outline[:half], outline[half:][::-1]
    strips = []
    for i in range(half - 1):
        quad = np.array([outer[i], outer[i + 1], inner[i + 1], inner[i]])
        strips.append(extrude(quad, height))
    return join(*strips)


def pliers(rng: Generator) -> Mesh:
    length = rng.uniform(0.14, 0.22)
    spread = length * rng.uniform(0.1, 0.2)
    grips = [
        sweep(
            curve([(0, 0, 0), (-length * 0.3, s * spread * 0.9, 0), (-length * 0.68, s * spread, 0)], 8), 0.007, 8
        ).part(1)
        for s in (1, -1)
    ]
    jaws = [sweep([(0, s * 0.006, 0), (length * 0.32, s * 0.003, 0)], [0.009, 0.003], 8) for s in (1, -1)]
    return join(*grips, *jaws, cylinder(0.013, 0.012, 14).moved(z=-0.006)).grounded().said("with two grips")


def drill(rng: Generator) -> Mesh:
    """A cordless drill, lying on its side or standing on its battery."""
    r, length = rng.uniform(0.026, 0.034), rng.uniform(0.13, 0.17)
    h = rng.uniform(0.12, 0.15)
    motor = cylinder(r, length, 20, 0.006).turned("y", 90).moved(x=-length * 0.55, z=h)
    chuck = (
        lathe([(0, 0), (r * 0.85, 0), (r * 0.8, 0.02), (r * 0.45, 0.06), (0, 0.06)], 18)
        .turned("y", 90)
        .moved(x=length * 0.45, z=h)
        .part(1)
    )
    grip = sweep(
        curve([(-length * 0.25, 0, h), (-length * 0.3, 0, h * 0.5), (-length * 0.36, 0, 0.03)], 6), 0.02, 12, 0.8
    )
    battery = rounded_box(0.11, 0.065, 0.04, 0.008).moved(x=-length * 0.28).part(1)
    bit = rod((length * 0.45 + 0.05, 0, h), (length * 0.45 + rng.uniform(0.06, 0.12), 0, h), 0.004, 8).part(2)
    body = join(motor, chuck, grip, battery, bit)
    return (body if rng.random() < 0.45 else body.turned("x", 90)).grounded().said("with a grip")


def clamp(rng: Generator) -> Mesh:
    """A spring clamp, or a screw clamp with a bar."""
    if rng.random() < 0.5:
        s = rng.uniform(0.05, 0.11)
        arms = []
        for k in (1, -1):
            grip = sweep(curve([(0, 0, 0), (-s * 0.5, k * s * 0.28, 0), (-s, k * s * 0.45, 0)], 7), s * 0.09, 8, 1.4)
            jaw = sweep(
                curve([(0, 0, 0), (s * 0.45, -k * s * 0.3, 0), (s * 0.85, -k * s * 0.05, 0)], 7), s * 0.08, 8, 1.4
            )
            tip = cylinder(s * 0.11, s * 0.2, 10).moved(x=s * 0.85, y=-k * s * 0.08, z=-s * 0.1).part(1)
            arms += [grip.part(1), jaw, tip]
        return join(*arms, cylinder(s * 0.12, s * 0.3, 14).moved(z=-s * 0.15)).grounded().said("with two arms")
    length, reach = rng.uniform(0.15, 0.3), rng.uniform(0.05, 0.08)
    bar = box(length, 0.02, 0.007)
    fixed = box(0.018, reach, 0.012).moved(x=length / 2, y=reach / 2)
    slide = box(0.018, reach, 0.012).moved(x=length * rng.uniform(-0.3, 0.2), y=reach / 2)
    screw = rod((-length * 0.45, reach * 0.9, 0.006), (length * 0.3, reach * 0.9, 0.006), 0.005, 8).part(2)
    handle = cylinder(0.012, 0.09, 12).turned("y", -90).moved(x=-length * 0.42, y=reach * 0.9, z=0.006).part(1)
    return join(bar, fixed, slide, screw, handle).grounded().said("with a bar")


def tape_roll(rng: Generator) -> Mesh:
    r, w = rng.uniform(0.03, 0.055), rng.uniform(0.012, 0.05)
    hole = r * rng.uniform(0.55, 0.8)
    body = lathe([(hole, 0), (r, 0), (r, w), (hole, w), (hole, 0)], 32)
    core = lathe([(hole, 0), (hole * 0.95, 0), (hole * 0.95, w), (hole, w)], 32).part(1)
    return join(body, core).said("round", "with a hole")


def saw(rng: Generator) -> Mesh:
    length, w = rng.uniform(0.28, 0.42), rng.uniform(0.07, 0.11)
    blade = extrude([(0, -w / 2), (length, -w * 0.1), (length, w * 0.25), (0, w * 0.45)], 0.0015).moved(z=0.009)
    loop = torus(w * 0.45, 0.011, 20, 8).scaled(0.9, 1.1, 1.0).moved(x=-w * 0.35).part(1)
    return join(blade, loop).grounded().said("long", "with a blade")


def flashlight(rng: Generator) -> Mesh:
    r, length = rng.uniform(0.012, 0.02), rng.uniform(0.1, 0.2)
    body = lathe(
        [
            (0, 0),
            (r, 0),
            (r, length * 0.65),
            (r * 1.7, length * 0.8),
            (r * 1.7, length),
            (r * 1.5, length),
            (r * 1.4, length * 0.97),
            (0, length * 0.97),
        ],
        22,
    )
    lens = cylinder(r * 1.4, 0.002, 20).moved(z=length * 0.975).part(1)
    return join(body, lens).turned("y", 90).grounded().said("long")


def brush(rng: Generator) -> Mesh:
    """A paint, scrubbing or hair brush."""
    w, length = rng.uniform(0.025, 0.07), rng.uniform(0.15, 0.24)
    head = rounded_box(0.05, w, 0.014, 0.004)
    bristles = (
        box(0.05, w * 0.95, 0.01).moved(x=-0.045) if rng.random() < 0.5 else box(0.045, w * 0.85, 0.02).moved(z=-0.018)
    )
    return (
        join(head, bristles.part(1), _stick(length - 0.05, 0.014, 0.02, 0.7).moved(x=0.02, z=0.007))
        .grounded()
        .said("long")
    )


def toothbrush(rng: Generator) -> Mesh:
    length = rng.uniform(0.15, 0.2)
    return (
        join(_stick(length, 0.006, 0.014, 0.8, 0.004), box(0.028, 0.01, 0.013).moved(x=0.008, z=0.001).part(1))
        .grounded()
        .said("long", "thin")
    )


def battery(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.007, 0.017), rng.uniform(0.045, 0.061)
    body = join(
        cylinder(r, h * 0.7, 18),
        cylinder(r, h * 0.3, 18).moved(z=h * 0.7).part(1),
        cylinder(r * 0.35, 0.002, 12).moved(z=h).part(1),
    )
    return body.turned("y", rng.choice([0.0, 90.0])).grounded().said("small")
