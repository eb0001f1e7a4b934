"""Small hardware and tools of a workshop."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import (
    Mesh,
    arc,
    box,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    join,
    lathe,
    plate_with_hole,
    rod,
    rounded_box,
    sweep,
    torus,
    tube,
)


def _polygon(sides: int, across: float, steps: int = 48) -> NDArray[np.float64]:
    """(steps, 2) points along a regular polygon; ``across`` is the distance from its centre to its sides."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    radius = across / np.cos(angle % (2 * np.pi / sides) - np.pi / sides)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def tape_measure(rng: Generator) -> Mesh:
    """A steel tape in its case, a little pulled out, or a tailor's tape rolled up with a loose end."""
    if rng.random() < 0.25:
        a = np.append(np.linspace(0, 2 * np.pi * rng.uniform(3, 6), 100), 0)[:-1]
        roll = np.column_stack([np.cos(a), np.sin(a), 0 * a]) * (0.008 + 0.0005 * a)[:, None]
        out = np.linspace(0.005, rng.uniform(0.03, 0.14), 14)[:, None]
        tail = roll[-1] + out * [-np.sin(a[-1]), np.cos(a[-1]), 0] + 5 * out * np.sin(50 * out) * roll[-1]
        return sweep(np.concatenate([roll, tail]), 0.0008, 6, rng.uniform(8, 11)).grounded().said("rolled up")
    s, t, reach, low = rng.uniform(0.05, 0.085), rng.uniform(0.028, 0.045), rng.uniform(0.006, 0.14), 0.42
    case = extrude(
        s * np.concatenate([[(-0.5, 0), (-0.47, -0.04), (0.5, -0.04)], arc(0.5, 0, 180, 14) + np.array([0, low])]), t
    )
    disc = cylinder(s * 0.34, t * 1.08, 20, 0.002).moved(y=s * low, z=-0.04 * t).part(1)
    button = (
        rounded_box(0.012, s * 0.3, t * 0.5, 0.004).turned("z", 40).moved(s * 0.38, s * (low + 0.33), t / 4).part(1)
    )
    tape = join(box(reach + 0.004, 0.0015, 0.019), box(0.0015, 0.012, 0.019).moved(reach / 2, -0.004)).part(2)
    whole = join(case, disc, button, tape.moved((s + reach) / 2, 0.004, (t - 0.019) / 2)).said("with a tape")
    return (whole if rng.random() < 0.35 else whole.turned("x", 90)).grounded()


def glue_gun(rng: Generator) -> Mesh:
    """A hot glue gun, lying on its side or standing on the wire under its nozzle."""
    s, h = rng.uniform(0.11, 0.18), rng.uniform(0.1, 0.14)
    barrel = sweep(
        [(-s * 0.5, 0, h), (-s * 0.45, 0, h), (s * 0.25, 0, h), (s * 0.32, 0, h)], [0.014, 0.019, 0.018, 0.012], 12, 1.2
    )
    tip = (
        lathe([(0, 0), (0.011, 0), (0.009, 0.02), (0.0025, 0.036), (0, 0.036)], 14)
        .turned("y", 90)
        .moved(s * 0.31, 0, h)
    )
    grip = sweep(curve([(-s * 0.3, 0, h), (-s * 0.36, 0, h * 0.5), (-s * 0.45, 0, 0.006)], 8), 0.015, 12, 1.3)
    trigger = sweep(
        curve([(-s * 0.1, 0, h - 0.01), (-s * 0.14, 0, h * 0.62), (-s * 0.08, 0, h * 0.45)], 8), 0.007, 8
    ).part(1)
    stick = rod((-s * 0.4, 0, h), (-s * 0.5 - rng.uniform(0.01, 0.09), 0, h), 0.0055).part(2)
    body = join(barrel, tip.part(1), grip, trigger, stick)
    if rng.random() < 0.5:
        legs = [rod((s * 0.25, k * 0.01, h), (s * 0.33, k * 0.028, 0.002), 0.0018, 6) for k in (1, -1)]
        return (
            join(body, *legs, rod((s * 0.33, -0.028, 0.002), (s * 0.33, 0.028, 0.002), 0.0018, 6))
            .grounded()
            .said("with a grip")
        )
    return body.turned("x", 90).grounded().said("with a grip")


def spirit_level(rng: Generator) -> Mesh:
    """A beam with vials in windows, on edge or lying, or a short one with slanted ends."""
    length, h, w = rng.uniform(0.2, 0.65), rng.uniform(0.04, 0.06), rng.uniform(0.02, 0.028)
    vial = join(
        rod((-0.024, 0, 0), (0.024, 0, 0), 0.0065),
        *[rod((k * 0.012, 0, 0), (k * 0.018, 0, 0), 0.0085) for k in (1, -1)],
    )
    vials = [vial.part(1).moved(z=h * 0.5)] + [
        vial.part(1).turned("y", 90).moved(k * length * 0.38, 0, h / 2) for k in (1, -1)
    ]
    edges = np.array([-0.5, -0.38, 0, 0.38, 0.5]) * length + [[0.021], [-0.021]] * np.array([0, 1, 1, 1, 0])
    web = [box(b - a, w * 0.6, h).moved((a + b) / 2) for a, b in zip(edges[0, :-1], edges[1, 1:], strict=True)]
    rails = [box(length, w, 0.007).moved(z=z) for z in (0, h - 0.007)]
    caps = [rounded_box(0.008, w * 1.05, h * 1.04, 0.003).moved(k * length / 2, 0, -0.02 * h).part(2) for k in (1, -1)]
    body = join(*web, *rails, *vials, *caps)
    body.vertices[:, 0] *= 1 - rng.choice([0, 0.16]) * body.vertices[:, 2] / h
    return body.turned("x", rng.choice([0.0, 0.0, 90.0])).grounded().said("long", "with vials")


def axe(rng: Generator) -> Mesh:
    """A hatchet or a long axe, with one edge or with two."""
    length, s, sway = rng.uniform(0.3, 0.72), rng.uniform(0.1, 0.17), rng.uniform(0, 0.025)
    knots = np.array([(0, 0, 0), (-0.5, sway, 0), (-0.85, -0.3 * sway, 0), (-0.97, -1.6 * sway, 0), (-1, -2 * sway, 0)])
    handle = tube(knots * length, (0.014, 0.015, 0.017, 0.022, 0.018), 0.65, 20, 12)
    low, high = rng.uniform(0.35, 0.7), rng.uniform(0.25, 0.4)
    edge = curve([(0.9 * high, 1), (0.3 * high, 1.06), (-0.9 * low, 1)], 9)
    blade = extrude(np.array([(-0.22, 0), (0.25, 0), (0.25, 0.3), *edge, (-0.22, 0.3)]) * s, 0.03).moved(z=-0.015)
    blade.vertices[:, 2] *= np.clip(1.05 - blade.vertices[:, 1] / s, 0.04, 1)
    back = rounded_box(0.47 * s, 0.06, 0.03, 0.006).moved(0.015 * s, -0.015, -0.015)
    back = blade.turned("x", 180) if rng.random() < 0.25 else back
    head = join(blade, back).moved(-0.03).part(1)
    return join(handle, head, rounded_box(0.04, 0.03, 0.024, 0.008).moved(z=-0.012)).grounded().said("with a blade")


def dustpan(rng: Generator) -> Mesh:
    """A dustpan, open or half covered, with a flat or a round handle and perhaps a brush in it."""
    w, d, h = rng.uniform(0.2, 0.3), rng.uniform(0.17, 0.24), rng.uniform(0.045, 0.085)
    wall = extrude([(0, 0), (d, 0), (d, h), (d * 0.75, h), (0, 0.006)], 0.004).turned("x", 90)
    parts = [box(d, w, 0.003).moved(d / 2), wall.moved(y=w / 2), wall.moved(y=0.004 - w / 2), box(0.004, w, h).moved(d)]
    hooded = rng.random() < 0.5
    if hooded:
        parts.append(box(d * rng.uniform(0.25, 0.4), w, 0.003).moved(x=d * 0.82, z=h - 0.003))
    knots = [
        (d - 0.005, 0, h * 0.6),
        (d + 0.03, 0, h * 0.75),
        (d + rng.uniform(0.1, 0.16), 0, h * rng.uniform(0.5, 1.3)),
    ]
    pan = join(*parts, tube(knots, (0.017, 0.012, 0.017), rng.uniform(0.45, 1.0), 10))
    pan.vertices[:, 1] *= 1.05 - rng.uniform(0, 0.3) * np.clip(pan.vertices[:, 0] / d, 0, 1)
    if hooded or rng.random() < 0.5:
        return pan.grounded().said("with a handle")
    grip = rounded_box(0.11, 0.026, 0.018, 0.007).moved(0.11, 0, 0.035)
    brush = join(
        box(0.11, 0.045, 0.035).part(1), rounded_box(0.12, 0.05, 0.018, 0.006).moved(z=0.033).part(2), grip.part(2)
    )
    brush = brush.turned("z", 180 + rng.uniform(-35, 35)).moved(d * 0.6, 0, 0.002)
    return join(pan, brush).grounded().said("with a brush")


def _key(rng: Generator, length: float) -> Mesh:
    """A key along x, the hole of its bow at the origin."""
    r, t, shape = length * rng.uniform(0.17, 0.22), 0.0022, rng.integers(3)
    outline = _polygon(6, r * 0.9, 24) if shape == 0 else arc(r, 0, 345, 24)
    bow = plate_with_hole(outline * [1, 1.15], arc(r * rng.uniform(0.3, 0.6), 0, 345, 24), t)
    if shape == 2:
        teeth = [box(length * 0.06, length * 0.15, t).moved(length * q, -length * 0.08) for q in (0.66, 0.76)]
        return join(bow, rod((r * 0.9, 0, t / 2), (length - r, 0, t / 2), length * 0.035, 8), *teeth)
    cuts = [(length * (0.36 + 0.07 * k), -length * rng.uniform(0.04, 0.075)) for k in range(6)]
    teeth = [box(length * 0.05, length * 0.05, t).moved(*c) for c in cuts]
    head = [rounded_box(2.2 * r, 2.1 * r, 0.008, 0.003).moved(r * 0.6, 0, -0.003).part(1)] if rng.random() < 0.2 else []
    return join(bow, box(length - 1.9 * r, length * 0.1, t).moved(length / 2 - 0.05 * r), *teeth, *head)


def key(rng: Generator) -> Mesh:
    """One key, or a few on a ring."""
    if rng.random() < 0.4:
        return _key(rng, rng.uniform(0.045, 0.085)).grounded().said("small", "flat")
    r, turns = rng.uniform(0.011, 0.017), np.arange(rng.integers(2, 5)) * rng.uniform(48, 80)
    keys = [_key(rng, rng.uniform(0.045, 0.065)).moved(r).turned("z", float(t)) for t in turns]
    return join(torus(r, 0.0013, 28, 6).part(2), *keys).grounded().said("on a ring")


def chain(rng: Generator) -> Mesh:
    """Chain links lying in a line, a ring or a spiral."""
    s, count, shape = rng.uniform(0.014, 0.036), int(rng.integers(8, 25)), rng.integers(3)
    wire, half = s * rng.uniform(0.09, 0.13), s * rng.uniform(0.22, 0.3)
    bends = [arc(half, a, a + 180, 8) + np.array([x, 0]) for a, x in ((-90, s / 2 - half), (90, half - s / 2))]
    path = np.concatenate([*bends, bends[0][:1]])
    link = sweep(np.column_stack([path, np.zeros(17)]), wire, 5)
    step, place, angle, parts = s - 2.2 * wire, np.zeros(2), rng.uniform(0, 360), []
    for k in range(count):
        angle += (rng.normal(0, 22), 360 / count, 65 / (1 + 0.12 * k))[shape]
        ahead = step * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
        tilted = link.turned("x", (42 if k % 2 else -42) + rng.uniform(-8, 8)).turned("z", angle)
        parts.append(tilted.moved(*(place + ahead / 2)))
        place = place + ahead
    return join(*parts).grounded().said("with links")


def nail(rng: Generator) -> Mesh:
    length = rng.uniform(0.025, 0.12)
    r, wide, bent = length * rng.uniform(0.014, 0.024), rng.choice([1.4, 2.4, 3.2]), rng.choice([0, 0, 0.12])
    path = curve([(0, 0, 0), (length * 0.5, bent * length, 0), (length * 0.94, 0, 0), (length, 0, 0)], 10)
    head = cylinder(r * wide, r * rng.uniform(0.6, 1.1), 14).turned("y", 90)
    lean = np.rad2deg(np.arcsin(r * wide / length))
    return join(sweep(path, [r] * 9 + [r * 0.1], 8), head).turned("y", lean).grounded().said("thin", "pointed")


def screw(rng: Generator) -> Mesh:
    """A wood screw with a countersunk head, or a machine screw or bolt with a round or hexagonal head."""
    length, shape = rng.uniform(0.014, 0.09), rng.integers(3)
    r = length * rng.uniform(0.05, 0.1) + 0.0008
    z = np.arange(length * (0 if shape else 0.06), length * rng.uniform(0.55, 0.85), 0.55 * r)
    ridge = r * np.minimum(1, (0.45 if shape else 0.1) + z / length * 4) * np.where(np.arange(len(z)) % 2, 1, 0.78)
    shank = lathe(
        [(0, 0), *np.column_stack([ridge, z]), (r * 0.9, z[-1] + r * 0.3), (r * 0.9, length), (0, length)], 12
    )
    tops = (
        [(0, -1), (0.8, -1), (2, 0.2), (0, 0.25)],
        [(0, -0.1), (1.9, 0), (1.6, 0.9), (0.9, 1.3), (0, 1.35)],
        [(0, -0.1), (1.8, -0.1), (1.9, 0.1), (1.9, 1.2), (1.6, 1.35), (0, 1.35)],
    )[shape]
    head = lathe(np.array(tops) * r, 6 if shape == 2 else 18).moved(z=length)
    slot = [box(2.6 * r, 0.4 * r, 0.12 * r).turned("z", t).moved(z=length + tops[-1][1] * r).part(1) for t in (0, 90)]
    tilt = np.rad2deg(np.arcsin(0.9 * r / length))
    return join(shank, head, *slot[: 0 if shape == 2 else 2]).turned("y", 90 + tilt).grounded().said("small")


def nut(rng: Generator) -> Mesh:
    """A nut with six or four sides, with wings, with a flange or with a cap."""
    r, shape = rng.uniform(0.004, 0.016), rng.integers(5)
    h = r * rng.uniform(0.7, 1.1)
    body = plate_with_hole(_polygon(4 if shape == 1 else 6, r), arc(r * rng.uniform(0.5, 0.62), 0, 352.5, 48), h)
    if shape == 2:
        wing = ellipsoid(r * 1.6, r * 0.4, r * 1.9, 8, 0.8)
        body = join(
            body.scaled(0.8, 0.8, 1.0), *[wing.turned("y", k * 28).moved(k * r * 1.1, 0, h * 0.2) for k in (1, -1)]
        )
    elif shape == 3:
        body = join(body, plate_with_hole(arc(r * 1.5, 0, 352.5, 48), arc(r * 0.65, 0, 352.5, 48), r * 0.2))
    elif shape == 4:
        body = join(body, ellipsoid(1.7 * r, 1.7 * r, 1.7 * r, 9).moved(z=h - 0.7 * r))
    return body.grounded().said("small", "with wings" if shape == 2 else "with a hole")
