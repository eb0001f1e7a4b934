"""Furniture and fittings, standing on the floor; fronts face -y."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import Mesh, arc, box, curve, cylinder, ellipsoid, extrude, join, lathe, rod, rounded_box, sweep, vessel


def _legs(x: float, y: float, h: float, w: float, rng: Generator, splay: float = 0.0) -> Mesh:
    """Four legs under the corners of an x by y plate at height ``h``."""
    ends = [(i * x / 2, j * y / 2) for i in (1, -1) for j in (1, -1)]
    if rng.random() < 0.5:
        return join(*(rod((a * (1 + splay), b * (1 + splay), 0), (a, b, h), w / 2, 10) for a, b in ends))
    return join(*(box(w, w, h).moved(a, b) for a, b in ends))


def chair(rng: Generator) -> Mesh:
    w, d, h = rng.uniform(0.38, 0.5), rng.uniform(0.38, 0.5), rng.uniform(0.42, 0.48)
    t, back = rng.uniform(0.02, 0.06), rng.uniform(0.35, 0.55)
    seat = rounded_box(w, d, t, 0.012).moved(z=h - t)
    if rng.random() < 0.3:
        foot = join(
            *(rod((0, 0, 0.08), (0.28 * np.cos(a), 0.28 * np.sin(a), 0.05), 0.018, 8) for a in np.arange(5) * 1.2566)
        )
        wheels = join(
            *(ellipsoid(0.05, 0.05, 0.05, 6).moved(0.28 * np.cos(a), 0.28 * np.sin(a)) for a in np.arange(5) * 1.2566)
        )
        legs = join(foot, wheels, cylinder(0.03, h - 0.1, 12).moved(z=0.07)).part(1).said("with wheels")
    else:
        legs = (
            _legs(w - 0.05, d - 0.05, h, rng.uniform(0.025, 0.045), rng, rng.choice([0.0, 0.12]))
            .part(1)
            .said("with four legs")
        )
    if rng.random() < 0.5:
        rest = rounded_box(w * 0.95, 0.03, back * 0.6, 0.012).moved(z=back * 0.4)
        rest = join(rest, *(box(0.03, 0.025, back * 0.6).moved(x=k * w * 0.4) for k in (1, -1)))
    else:
        rest = join(
            *(box(0.03, 0.025, back).moved(x=k * w * 0.44) for k in (1, -1)),
            *(box(w * 0.9, 0.02, 0.05).moved(z=back * f) for f in (0.3, 0.6, 0.9)),
        )
    parts = [seat, legs, rest.turned("x", -rng.uniform(3, 12)).moved(y=d / 2 - 0.02, z=h - 0.02)]
    if rng.random() < 0.25:
        for k in (1, -1):
            parts.append(
                join(
                    box(0.04, d * 0.7, 0.03).moved(k * w / 2, 0, h + 0.2),
                    box(0.03, 0.03, 0.22).moved(k * w / 2, -d * 0.25, h - 0.01),
                )
                .part(1)
                .said("with arms")
            )
    return join(*parts).grounded().said("with a back")


def stool(rng: Generator) -> Mesh:
    r, h = rng.uniform(0.14, 0.2), rng.uniform(0.4, 0.75)
    seat = (
        cylinder(r, 0.035, 28, 0.008).moved(z=h - 0.035)
        if rng.random() < 0.6
        else rounded_box(r * 2, r * 1.8, 0.04, 0.01).moved(z=h - 0.04)
    )
    return join(seat, _legs(r * 1.2, r * 1.2, h - 0.02, 0.03, rng, 0.2).part(1)).grounded().said("without a back")


def table(rng: Generator) -> Mesh:
    h, t = rng.uniform(0.68, 0.78), rng.uniform(0.02, 0.05)
    if rng.random() < 0.3:
        r = rng.uniform(0.35, 0.6)
        top = cylinder(r, t, 40, 0.005).moved(z=h - t)
        return join(top, cylinder(0.05, h - t, 16).part(1), cylinder(r * 0.6, 0.03, 28, 0.01).part(1)).said("round")
    x, y = rng.uniform(0.7, 1.6), rng.uniform(0.6, 0.9)
    return join(box(x, y, t).moved(z=h - t), _legs(x - 0.1, y - 0.1, h - t, rng.uniform(0.04, 0.08), rng).part(1)).said(
        "with four legs"
    )


def coffee_table(rng: Generator) -> Mesh:
    x, y, h = rng.uniform(0.6, 1.1), rng.uniform(0.45, 0.65), rng.uniform(0.35, 0.48)
    return join(box(x, y, 0.03).moved(z=h - 0.03), _legs(x - 0.1, y - 0.1, h - 0.03, 0.05, rng).part(1)).said(
        "low", "with four legs"
    )


def desk(rng: Generator) -> Mesh:
    x, y, h = rng.uniform(1.0, 1.6), rng.uniform(0.6, 0.8), rng.uniform(0.7, 0.76)
    top = box(x, y, 0.03).moved(z=h - 0.03)
    drawers = join(
        box(0.4, y * 0.9, h - 0.03),
        *(box(0.36, 0.012, (h - 0.1) / 3).moved(y=-y * 0.45, z=0.03 + k * (h - 0.06) / 3).part(1) for k in range(3)),
    )
    side = box(0.03, y * 0.95, h - 0.03)
    back = box(x * 0.95, 0.02, h * 0.5).moved(y=y * 0.42, z=h * 0.45)
    return (
        join(top, drawers.moved(x=x / 2 - 0.22), side.moved(x=-x / 2 + 0.02).part(1), back.part(1))
        .grounded()
        .said("with drawers")
    )


def sofa(rng: Generator) -> Mesh:
    seats = int(rng.integers(1, 4))
    w, d, h = 0.2 + seats * rng.uniform(0.55, 0.7), rng.uniform(0.75, 0.95), rng.uniform(0.38, 0.45)
    base = rounded_box(w, d, h * 0.6, 0.04).moved(z=0.05)
    cushions = [
        rounded_box((w - 0.32) / seats * 0.98, d * 0.75, 0.16, 0.05)
        .moved((k - (seats - 1) / 2) * (w - 0.32) / seats, -d * 0.1, h - 0.12)
        .part(1)
        for k in range(seats)
    ]
    back = rounded_box(w, 0.22, h * 1.05, 0.06).moved(y=d / 2 - 0.1, z=h * 0.8)
    arms = [rounded_box(0.16, d, h * 0.85, 0.05).moved(x=k * (w / 2 - 0.07), z=h * 0.5) for k in (1, -1)]
    feet = _legs(w - 0.15, d - 0.15, 0.06, 0.05, rng).part(2)
    return join(base, *cushions, back, *arms, feet).grounded().said("with arms", "with a back")


def bed(rng: Generator) -> Mesh:
    w, length, h = rng.uniform(0.9, 1.8), rng.uniform(1.95, 2.1), rng.uniform(0.3, 0.45)
    frame = box(w, length, h * 0.5).moved(z=0.08)
    mattress = rounded_box(w * 0.97, length * 0.97, 0.2, 0.05).moved(z=h * 0.5 + 0.06).part(1)
    head = box(w, 0.06, h + rng.uniform(0.3, 0.6)).moved(y=length / 2)
    pillows = [
        ellipsoid(0.6, 0.4, 0.16, 12, 0.5).moved(k, length * 0.36, h * 0.5 + 0.22).part(2)
        for k in ((-w * 0.24, w * 0.24) if w > 1.3 else (0.0,))
    ]
    cover = rounded_box(w * 1.02, length * 0.6, 0.06, 0.03).moved(y=-length * 0.18, z=h * 0.5 + 0.22).part(2)
    return (
        join(frame, mattress, head, *pillows, cover, _legs(w - 0.1, length - 0.1, 0.1, 0.06, rng))
        .grounded()
        .said("with pillows")
    )


def cabinet(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.4, 1.2), rng.uniform(0.35, 0.6), rng.uniform(0.6, 1.9)
    doors = int(rng.integers(1, 3)) if x < 0.9 else 2
    fronts = [
        box(x / doors - 0.012, 0.018, z - 0.08).moved((k - (doors - 1) / 2) * x / doors, -y / 2, 0.05).part(1)
        for k in range(doors)
    ]
    knobs = [
        ellipsoid(0.03, 0.03, 0.03, 6)
        .moved((k - (doors - 1) / 2) * x / doors + x / doors * 0.4, -y / 2 - 0.02, z * 0.5)
        .part(2)
        for k in range(doors)
    ]
    return join(box(x, y, z), *fronts, *knobs).grounded().said("with doors", "tall" if z > 1.4 else "low")


def drawer_unit(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.35, 1.0), rng.uniform(0.35, 0.5), rng.uniform(0.5, 1.1)
    rows = int(rng.integers(2, 6))
    fronts = [
        box(x - 0.04, 0.02, z / rows - 0.02).moved(0, -y / 2 - 0.005, k * z / rows + 0.01).part(1) for k in range(rows)
    ]
    grips = [box(x * 0.25, 0.025, 0.015).moved(0, -y / 2 - 0.02, (k + 0.6) * z / rows).part(2) for k in range(rows)]
    return join(box(x, y, z), *fronts, *grips).grounded().said("with drawers")


def shelf_levels(rng: Generator, x: float, y: float, z: float, rows: int) -> Mesh:
    """An open shelf of ``rows`` compartments; level k's board top is at z * k / rows + 0.02."""
    t = 0.02
    boards = [box(x, y, t).moved(z=(z - t) * k / rows) for k in range(rows + 1)]
    sides = [box(t, y, z).moved(x=k * (x - t) / 2) for k in (1, -1)]
    back = [box(x, 0.008, z).moved(y=y / 2).part(1)] if rng.random() < 0.7 else []
    return join(*boards, *sides, *back).said("with shelves")


def shelf(rng: Generator) -> Mesh:
    z = rng.uniform(0.8, 2.0)
    return shelf_levels(
        rng, rng.uniform(0.5, 1.1), rng.uniform(0.25, 0.4), z, max(2, round(z / rng.uniform(0.28, 0.4)))
    ).grounded()


def bookcase(rng: Generator) -> Mesh:
    x, y, z = rng.uniform(0.6, 1.1), rng.uniform(0.24, 0.32), rng.uniform(1.2, 2.1)
    rows = max(3, round(z / 0.33))
    books = []
    for k in range(rows):
        place = -x / 2 + 0.03
        while place < x / 2 - 0.06:
            t, h = rng.uniform(0.015, 0.05), rng.uniform(0.18, 0.28)
            if rng.random() < 0.8:
                books.append(
                    box(t, y * 0.7, h)
                    .moved(place + t / 2, -y * 0.02, (z - 0.02) * k / rows + 0.02)
                    .part(int(rng.integers(2, 5)))
                )
            place += t + 0.002
    return join(shelf_levels(rng, x, y, z, rows), *books).grounded().said("with books")


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
    x, z = rng.uniform(0.5, 1.3), rng.uniform(0.4, 0.65)
    ribs = [rounded_box(0.035, 0.09, z, 0.012, 2).moved(x=t) for t in np.arange(-x / 2, x / 2, 0.055)]
    return (
        join(*ribs, box(x, 0.03, 0.05).moved(z=0.04), box(x, 0.03, 0.05).moved(z=z - 0.1)).grounded().said("with ribs")
    )
