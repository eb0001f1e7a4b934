"""Fittings and appliances, standing on the floor; fronts face -y."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, box, curve, cylinder, ellipsoid, extrude, join, lathe, rod, rounded_box, sweep, vessel


def sink(rng: Generator) -> Mesh:
    x, y, h = rng.uniform(0.45, 0.7), rng.uniform(0.4, 0.5), rng.uniform(0.8, 0.9)
    basin = (
        vessel([(0.16, 0), (0.22, 0.03), (0.25, 0.16)], 0.015, 0.02, 40, 4.0).scaled(x * 2, y * 2, 1).moved(z=h - 0.16)
    )
    tap = sweep(
        curve([(0, y * 0.42, h), (0, y * 0.42, h + 0.16), (0, y * 0.2, h + 0.2), (0, y * 0.1, h + 0.12)], 12), 0.012, 8
    ).part(1)
    foot = cylinder(0.09, h - 0.15, 20) if rng.random() < 0.5 else box(x * 0.85, y * 0.85, h - 0.16).part(2)
    return join(basin, tap, foot).grounded().said("with a tap")


def toilet(rng: Generator) -> Mesh:
    h = rng.uniform(0.38, 0.43)
    basin = vessel(curve([(0.12, 0), (0.11, h * 0.4), (0.2, h * 0.85), (0.21, h)], 12), 0.03, h * 0.45, 36).scaled(
        0.9, 1.25, 1
    )
    tank = rounded_box(0.4, 0.18, 0.36, 0.02).moved(y=0.32, z=h - 0.05)
    lid = extrude(arc(0.2, 0, 350, 30) * [0.9, 1.25], 0.02)
    lid = lid.moved(z=h) if rng.random() < 0.5 else lid.turned("x", 80).moved(y=0.2, z=h + 0.24)
    return join(basin, tank, lid.part(1), box(0.22, 0.3, h * 0.8).moved(y=0.25)).grounded().said("with a tank")


def door(rng: Generator) -> Mesh:
    x, z = rng.uniform(0.75, 0.95), rng.uniform(1.95, 2.1)
    panels = [box(x * 0.7, 0.006, z * 0.38).moved(y=-0.022, z=z * f).part(1) for f in (0.07, 0.53)]
    knob = rod((x * 0.42, -0.02, z * 0.48), (x * 0.32, -0.06, z * 0.48), 0.012, 8).part(2)
    return join(box(x, 0.04, z), *panels, knob).grounded().said("tall", "flat")


def fridge(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.52, 0.75), rng.uniform(0.55, 0.7), rng.uniform(0.85, 1.9)
    split = z * rng.uniform(0.3, 0.7)
    fronts = [
        rounded_box(x, 0.05, split - 0.01, 0.012).moved(y=-y / 2),
        rounded_box(x, 0.05, z - split - 0.005, 0.012).moved(y=-y / 2, z=split),
    ]
    handles = [
        rod((x * 0.42, -y / 2 - 0.05, split + s * 0.06), (x * 0.42, -y / 2 - 0.05, split + s * 0.3), 0.012, 8).part(1)
        for s in (1, -1)
    ]
    return join(box(x * 0.98, y, z), *fronts, *handles).grounded().said("tall")


def washing_machine(rng: Generator) -> Mesh:
    x, y, z = 0.6, rng.uniform(0.5, 0.6), 0.85
    window = (
        lathe([(0.12, 0), (0.18, 0), (0.17, 0.03), (0.13, 0.03), (0.1, 0.01), (0, 0.01)], 32)
        .turned("x", 90)
        .moved(y=-y / 2, z=0.45)
        .part(1)
    )
    return (
        join(rounded_box(x, y, z, 0.01), window, box(x * 0.95, 0.01, 0.1).moved(y=-y / 2, z=0.73).part(2))
        .grounded()
        .said("with a round door")
    )


def microwave(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.44, 0.53), rng.uniform(0.32, 0.4), rng.uniform(0.25, 0.31)
    return join(
        rounded_box(x, y, z, 0.008),
        box(x * 0.7, 0.008, z * 0.8).moved(-x * 0.12, -y / 2, z * 0.1).part(1),
        box(0.015, 0.03, z * 0.7).moved(x * 0.24, -y / 2 - 0.012, z * 0.15).part(2),
    ).grounded()


def trash_can(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.1, 0.19), rng.uniform(0.25, 0.6)
    body = vessel([(r * rng.uniform(0.75, 1.0), 0), (r, h)], 0.004, 0.006, 36, rng.choice([2.0, 2.0, 8.0]))
    if rng.random() < 0.4:
        return join(body, ellipsoid(r * 2.02, r * 2.02, r * 0.7, 14).moved(z=h - r * 0.3).part(1)).said("with a lid")
    return body.said("open")


def floor_lamp(rng: Generator) -> Mesh:
    h, r = rng.uniform(1.3, 1.7), rng.uniform(0.14, 0.22)
    shade = lathe([(r, h - 0.25), (r * 0.7, h), (r * 0.68, h), (r * 0.97, h - 0.25)], 32)
    return join(cylinder(0.15, 0.025, 28, 0.006).part(1), cylinder(0.012, h - 0.1, 10).part(1), shade).said(
        "tall", "with a shade"
    )


def television(rng: Generator) -> Mesh:
    x = rng.uniform(0.7, 1.2)
    z = x * 0.58
    feet = [rod((k * x * 0.3, -0.12, 0.006), (k * x * 0.3, 0.12, 0.006), 0.008, 8).part(2) for k in (1, -1)]
    posts = [rod((k * x * 0.3, 0, 0.006), (k * x * 0.3, 0, 0.08), 0.008, 8).part(2) for k in (1, -1)]
    return (
        join(
            rounded_box(x, 0.05, z, 0.01).moved(z=0.06),
            box(x * 0.96, 0.002, z * 0.94).moved(y=-0.026, z=0.06 + z * 0.03).part(1),
            *feet,
            *posts,
        )
        .grounded()
        .said("flat", "wide")
    )


def bathtub(rng: Generator) -> Mesh:
    x, y = rng.uniform(1.4, 1.7), rng.uniform(0.65, 0.8)
    return (
        vessel([(0.46, 0), (0.5, 0.5), (0.52, 0.55)], 0.04, 0.12, 44, 5.0).scaled(x / 1.04, y / 1.04, 1.0).said("long")
    )


def radiator(rng: Generator) -> Mesh:
    """Ribs between two pipes, or one or two panels, flat or grooved, under a grille."""
    x, z = rng.uniform(0.5, 1.6), rng.uniform(0.35, 0.8)
    if rng.random() < 0.5:
        ribs = [rounded_box(0.035, 0.09, z, 0.012, 2).moved(x=t) for t in np.arange(-x / 2, x / 2, 0.055)]
        pipes = [box(x, 0.03, 0.05).moved(z=0.04), box(x, 0.03, 0.05).moved(z=z - 0.1)]
        return join(*ribs, *pipes).grounded().said("with ribs")
    y = rng.uniform(0.06, 0.16)
    parts = [box(x, 0.015, z).moved(y=-y / 2), box(x, 0.015, z).moved(y=y / 2)]
    parts += [box(x * 0.98, y, 0.012).moved(z=z - 0.02), *(box(0.01, y, z).moved(k * x / 2) for k in (1, -1))]
    if rng.random() < 0.7:
        step = rng.uniform(0.03, 0.06)
        parts += [box(step * 0.5, 0.012, z - 0.06).moved(t, -y / 2 - 0.01, 0.03)
                  for t in np.arange(-x / 2 + step, x / 2 - step / 2, step)]  # fmt: skip
    lift = rng.uniform(0.05, 0.15)
    feet = [box(0.03, y * 0.8, lift).moved(k * x * 0.4) for k in (1, -1)]
    return join(*(p.moved(z=lift) for p in parts), *feet).grounded().said("flat")
