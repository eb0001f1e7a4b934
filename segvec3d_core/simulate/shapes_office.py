"""Office and household things: stationery, cables, appliances."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from .meshes import (
    Mesh,
    arc,
    box,
    coil,
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
)


def _lead(rng: Generator, start: tuple[float, float, float], length: float, radius: float, turn: float = 0) -> Mesh:
    """A power lead that runs from ``start`` down to the ground and along it, a plug at its end; metres, ``turn`` is its
    first direction in degrees."""
    angle = np.deg2rad(turn) + np.cumsum(rng.normal(0, 0.45, 6))
    steps = np.cumsum(length / 6 * np.stack([np.cos(angle), np.sin(angle)], 1), 0) + start[:2]
    path = curve([start, *np.column_stack([steps, np.full(6, radius)])], 36)
    path[:, 2] = np.maximum(path[:, 2], radius)
    plug = rounded_box(0.03, 6 * radius, 4 * radius, radius).turned("z", float(np.rad2deg(angle[-1])))
    return join(sweep(path, radius, 6), plug.moved(*path[-1, :2]))


def eraser(rng: Generator) -> Mesh:
    """An eraser: in a sleeve, slanted in two colours, or worn round."""
    x, y, z = rng.uniform(0.03, 0.065), rng.uniform(0.016, 0.028), rng.uniform(0.009, 0.016)
    shape, cut = rng.integers(3), rng.uniform(0.45, 0.7)
    if shape == 0:
        body = join(
            rounded_box(x, y, z, 0.003), box(x * cut, y * 1.05, z * 1.08).moved(-x * 0.12, 0, -z * 0.04).part(1)
        )
    elif shape == 1:
        body = join(box(x * cut, y, z).moved(x=-x * (1 - cut) / 2), box(x * (1 - cut), y, z).moved(x * cut / 2).part(1))
        body.vertices[:, 0] += body.vertices[:, 2] * rng.uniform(0.5, 1.0)
    else:
        body = ellipsoid(x, y, z, 10, rng.uniform(0.35, 0.7))
        body.vertices[:, 2] *= 1 - 0.7 * np.clip(body.vertices[:, 0] / x + rng.uniform(-0.4, 0.1), 0, 1)
    return body.grounded().said("small")


def ruler(rng: Generator) -> Mesh:
    """A straight ruler, a set square, or a folding rule."""
    shape, length, w, h = rng.choice(4), rng.uniform(0.15, 0.52), rng.uniform(0.025, 0.045), rng.uniform(0.0018, 0.005)
    if shape == 2:
        corners = np.array([(0, 0), (rng.uniform(0.12, 0.26), 0), (0, rng.uniform(0.1, 0.16))])
        middle = corners.max(0).prod() / (corners.sum() + np.hypot(*corners.max(0)))
        return (
            plate_with_hole(corners, middle + (corners - middle) * 0.4, 0.003)
            .grounded()
            .said("triangular", "with a hole")
        )
    if shape == 3:
        fold, angle = np.deg2rad(rng.uniform(6, 38)), np.deg2rad(rng.normal(0, 3, int(rng.integers(3, 7))))
        angle = np.where(np.arange(len(angle)) % 2, np.pi - fold, fold) + angle
        ends = np.concatenate([[(0, 0)], np.cumsum(0.17 * np.stack([np.sin(angle), np.cos(angle)], 1), 0)])
        bars = [
            box(0.016, 0.184, 0.0034).turned("z", -np.rad2deg(a)).moved(m[0], m[1], 0.003 * (k % 2))
            for k, (a, m) in enumerate(zip(angle, (ends[1:] + ends[:-1]) / 2, strict=True))
        ]
        return join(*bars, *[cylinder(0.006, 0.0072, 10).moved(*e).part(1) for e in ends]).grounded().said("folded")
    profile = [(0, -w / 2), (0, w / 2), (-h, w / 2), (-h, -w * 0.15), (-h * 0.35, -w / 2)]
    marks = [box(0.0009, w * 0.3, 0.0004).moved(t, w * 0.3, h).part(1) for t in np.arange(0.005, length - 0.005, 0.01)]
    return join(extrude(profile, length).turned("y", 90), *marks).grounded().said("long", "flat")


def paper_clip(rng: Generator) -> Mesh:
    """A bent wire, or a binder clip with two wire grips."""
    s = rng.uniform(0.025, 0.052)
    if rng.random() < 0.6:
        w, arcs = s * rng.uniform(0.11, 0.15), ((0.5, 0.8, 0, 90), (0.65, 0.1, 0.15, 270), (0.8, 0.92, 0, 90))
        bends = [arc(r * w, a, a - 180, 8) + np.array([x * s, y * w]) for r, x, y, a in arcs]
        path = np.concatenate([[(0.3 * s, 0.5 * w)], *bends, [(0.35 * s, -0.8 * w)]])
        lift = np.linspace(rng.uniform(0, 0.06) * s, 0, len(path))
        return sweep(np.column_stack([path, lift]), s * rng.uniform(0.016, 0.024), 6).grounded().said("small", "thin")
    b, h = s * rng.uniform(0.4, 0.6), s * rng.uniform(0.4, 0.55)
    body = extrude([(-b / 2, 0), (b / 2, 0), (b * 0.06, h), (-b * 0.06, h)], s).turned("x", 90).moved(y=s / 2)
    loop = [(0, k * y * s, z * s) for k in (1, -1) for y, z in ((0.36, 0), (0.2, 0.27), (0.13, 0.8), (0.02, 0.9))[::k]]
    wire = sweep(curve(loop, 20), s * 0.022, 6)
    grips = [wire.turned("y", k * rng.uniform(8, 60)).moved(x=k * b * 0.05, z=h * 0.96).part(1) for k in (1, -1)]
    return join(body, *grips).grounded().said("small")


def folder(rng: Generator) -> Mesh:
    """A ring binder that stands or lies, or a thin folder with sheets."""
    d, h, t = rng.uniform(0.24, 0.29), rng.uniform(0.29, 0.33), rng.uniform(0.03, 0.085)
    if rng.random() < 0.3:
        sheets = [
            box(d * 0.93, h * 0.92, 0.004).turned("z", rng.uniform(-4, 4)).moved(z=k * 0.003).part(1) for k in (0, 1)
        ]
        cover = box(d, h, 0.002).moved(x=d / 2).turned("y", -rng.uniform(2, 9)).moved(x=-d / 2, z=0.004)
        tab = box(0.024, 0.08, 0.002).moved(x=d / 2 + 0.009, y=rng.uniform(-0.1, 0.1))
        return join(box(d, h, 0.002), tab, cover, *sheets).grounded().said("flat")
    lean = np.rad2deg(np.arctan(t * rng.uniform(-0.1, 0.28) / d))
    covers = [box(0.0035, d, h).moved(y=d / 2).turned("z", k * lean).moved(x=k * t / 2, y=-d / 2) for k in (1, -1)]
    pages = box(t * rng.uniform(0.4, 0.7), d * 0.9, h * 0.94).moved(y=-d * 0.055, z=h * 0.03)
    label = box(t * 0.65, 0.002, h * 0.4).moved(y=-d / 2 - 0.002, z=h * 0.42)
    ring = torus(min(0.013, t * 0.3), 0.002, 18, 6).turned("x", 90).moved(y=-d / 2, z=h * 0.16)
    body = join(*covers, box(t, 0.004, h).moved(y=-d / 2), pages.part(1), label.part(1), ring.part(2))
    return body.turned("y", rng.choice([0.0, 90.0])).grounded()


def printer(rng: Generator) -> Mesh:
    """An inkjet printer with a feeder behind, or a laser printer with its output under a lid or on top."""
    x, y, z = rng.uniform(0.34, 0.46), rng.uniform(0.26, 0.36), rng.uniform(0.14, 0.2)
    if rng.random() < 0.4:
        h = rng.uniform(0.1, 0.2)
        feeder = join(box(x * 0.62, 0.006, h), box(x * 0.55, 0.004, h * 1.15).moved(y=-0.004).part(1)).turned("x", -20)
        tray = join(box(x * 0.6, 0.12, 0.006), box(x * 0.5, 0.1, 0.003).moved(z=0.006).part(1)).moved(
            0, -y * 0.5 - 0.03
        )
        mouth = box(x * 0.66, 0.01, z * 0.35).moved(y=-y / 2, z=0.025).part(2)
        body = join(rounded_box(x, y, z, 0.02), mouth, tray.moved(z=0.02), feeder.moved(y=y * 0.36, z=z * 0.95))
        return body.grounded().said("with a tray")
    z, low = z * rng.uniform(1.1, 1.6), rng.uniform(0.3, 0.7)
    sides = [box(x * 0.13, y, z * 0.74).moved(x=k * x * 0.43) for k in (1, -1)]
    inside = [rounded_box(x, y, z * low, 0.01), box(x, y * 0.4, z * 0.74).moved(y=y * 0.3)]
    sheet = box(x * 0.5, y * 0.6, 0.004).turned("x", -6).moved(y=-y * 0.15, z=z * low + 0.012).part(1)
    panel = join(rounded_box(x * 0.6, 0.06, 0.03, 0.006).part(2), box(0.08, 0.04, 0.002).moved(z=0.03).part(1))
    front = panel.turned("x", rng.uniform(20, 55)).moved(y=-y * 0.47, z=z * max(0.62, low) - 0.006)
    lid = [rounded_box(x, y, z * 0.3, 0.014).moved(z=z * 0.7), box(x * 0.97, y * 0.95, 0.02).moved(z=z * 0.98), front]
    return join(*sides, *inside, sheet, *(lid if low < 0.55 else [front.scaled(0.6, 1, 0.99)])).grounded()


def router(rng: Generator) -> Mesh:
    """A router: a flat box with antennas behind or around it, or a tower with two."""
    x, y, z = rng.uniform(0.14, 0.26), rng.uniform(0.1, 0.17), rng.uniform(0.024, 0.04)
    rise = [(0, 0, 0), (0, 0, 0.03), (0, 0, rng.uniform(0.09, 0.19))]
    antenna = sweep(rise, [0.007, 0.007, 0.005], 8, rng.uniform(0.5, 1)).part(1)
    lights = [box(0.003, 0.004, 0.002).moved(t, -y / 2, z * 0.45).part(2) for t in np.linspace(-0.04, 0.04, 5)]
    if rng.random() < 0.25:
        pair = [antenna.turned("x", -k * 12).moved(0, k * y * 0.4, x * 0.75) for k in (1, -1)]
        foot = rounded_box(z * 2.2, y * 0.75, 0.012, 0.005).part(1)
        return join(rounded_box(z, y, x * 0.8, 0.012), foot, *pair, lights[2]).grounded().said("tall", "with antennas")
    body = rounded_box(x, y, z, rng.uniform(0.004, 0.015))
    body.vertices[:, 2] *= 1 - rng.uniform(0, 0.4) * (0.5 - body.vertices[:, 1] / y)
    spots = [(t * 0.42, 0.48) for t in np.linspace(-1, 1, int(rng.integers(2, 5)))]
    spots += [(k * 0.48, rng.uniform(-0.3, 0.1)) for k in (1, -1)] if rng.random() < 0.35 else []
    turned = [antenna.turned("y", u * rng.uniform(0, 70)).turned("x", rng.uniform(-25, 10)) for u, _ in spots]
    rods = [a.moved(u * x, v * y, z * 0.5) for a, (u, v) in zip(turned, spots, strict=True)]
    return join(body, *rods, *lights).grounded().said("flat", "with antennas")


def charger(rng: Generator) -> Mesh:
    """A charger: a plug with or without a coiled lead, or a power brick in the middle of its lead."""
    shape, tube = rng.integers(3), rng.uniform(0.0015, 0.0025)
    if shape == 2:
        x, y, z = rng.uniform(0.09, 0.14), rng.uniform(0.045, 0.065), rng.uniform(0.026, 0.034)
        ends = [
            _lead(rng, (k * x * 0.48, 0, z / 2), rng.uniform(0.12, 0.3), tube, 90 - k * 90).part(1) for k in (1, -1)
        ]
        return join(rounded_box(x, y, z, 0.007), *ends).grounded().said("with a cable")
    x, y, z = rng.uniform(0.03, 0.065), rng.uniform(0.03, 0.048), rng.uniform(0.024, 0.036)
    prong = box(0.02, 0.0018, 0.007) if rng.random() < 0.4 else cylinder(0.0022, 0.02, 8).turned("y", 90).moved(-0.01)
    prongs = [prong.moved(x / 2 + 0.009, k * 0.0085, z * 0.4).part(2) for k in (1, -1)]
    body = join(
        rounded_box(x, y, z, rng.uniform(0.003, 0.01)),
        *prongs,
        box(0.002, 0.012, 0.006).moved(-x / 2, 0, z * 0.4).part(1),
    )
    if shape == 0:
        return body.turned("y", rng.choice([0, -90])).grounded().said("small", "with prongs")
    loop = coil(rng, rng.uniform(0.03, 0.055), tube, rng.uniform(2.6, 4.4))[::-1]
    loop -= [loop[:, 0].max() + x / 2 + 0.006, 0, 0]
    joint = curve([(-x / 2, 0, z * 0.45), (-x / 2 - 0.008, 0.004, tube * 3), loop[0]], 10)
    return join(body, sweep(np.concatenate([joint[:-1], loop]), tube, 6).part(1)).grounded().said("with a cable")


def power_strip(rng: Generator) -> Mesh:
    """Sockets in a row, or around a disc, with a lead."""
    step, count, z = rng.uniform(0.042, 0.056), int(rng.integers(3, 7)), rng.uniform(0.03, 0.045)
    well = [torus(step * 0.38, 0.002, 20, 6).moved(z=-0.001), cylinder(step * 0.36, 0.001, 18).part(1)]
    socket = join(*well, *[cylinder(0.003, 0.002, 8).moved(y=k * 0.0095) for k in (1, -1)]).turned(
        "z", rng.choice([0, 45])
    )
    switch = rounded_box(step * 0.3, step * 0.5, 0.006, 0.002).moved(z=z - 0.002).part(2)
    if rng.random() < 0.75:
        x = step * (count + 0.9)
        row = [socket.moved((k - count / 2 + 0.3) * step, 0, z) for k in range(count)]
        body = join(rounded_box(x, step * rng.uniform(0.95, 1.2), z, 0.006), *row, switch.moved(x / 2 - step * 0.32))
    else:
        x, count = step * 3.1, min(count, 5)
        ring = [socket.moved(step, 0, z).turned("z", 360 * k / count) for k in range(count)]
        body = join(cylinder(x / 2, z, 36, 0.006), *ring, switch)
    lead = _lead(rng, (x * 0.49, 0, z / 2), rng.uniform(0.1, 0.3), rng.uniform(0.003, 0.0045))
    return join(body, lead).grounded().said("with sockets")


def cable(rng: Generator) -> Mesh:
    """A cable: coiled, lying loosely, or tied in the middle."""
    tube, shape = rng.uniform(0.0015, 0.0045), rng.integers(3)
    ties: list[Mesh] = []
    if shape == 0:
        path = coil(rng, rng.uniform(0.04, 0.1), tube, rng.uniform(2.4, 6))
    elif shape == 1:
        turn = np.cumsum(rng.normal(0, 0.9, 14))
        knots = np.cumsum(rng.uniform(0.03, 0.05) * np.stack([np.cos(turn), np.sin(turn)], 1), 0)
        path = curve(np.column_stack([knots, tube * (1 + 1.1 * (1 + np.sin(2.1 * np.arange(14))))]), 110)
    else:
        path, s = coil(rng, 1, tube, int(rng.integers(3, 7))), rng.uniform(0.05, 0.1)
        path[:, :2] *= np.column_stack([np.full(len(path), s), s * (0.12 + 0.3 * np.abs(path[:, 0]))])
        inside = np.abs(path[:, 0]) < s * 0.15
        y, z = 2 * np.abs(path[inside, 1]).max() + 2.5 * tube, path[inside, 2].max() + 1.5 * tube
        ties = [rounded_box(rng.uniform(0.008, 0.02), y, z, 0.4 * z).part(2)]
    plugs = [rounded_box(0.026, 5 * tube + 0.004, 4 * tube, tube).turned("z", rng.uniform(-40, 40)) for _ in (0, 1)]
    ends = [p.moved(e[0], e[1], max(0, e[2] - 2 * tube)).part(1) for p, e in zip(plugs, path[[0, -1]], strict=True)]
    return join(sweep(path, tube, 6), *ends, *ties).grounded().said(("coiled", "long", "tied")[shape])


def microphone(rng: Generator) -> Mesh:
    """A microphone: a hand-held one lying, one on a gooseneck, or a thick one on a post."""
    shape, length, ball = rng.integers(3), rng.uniform(0.13, 0.18), rng.uniform(0.022, 0.029)
    if shape == 0:
        outline = [
            (0, 0),
            (0.01, 0),
            (0.012, 0.01),
            (ball * 0.62, length),
            (ball * 0.9, length + 0.012),
            (0, length + 0.02),
        ]
        head = ellipsoid(2 * ball, 2 * ball, 2.2 * ball, 12, 0.9).moved(z=length).part(1)
        body = join(lathe(outline, 20), head, cylinder(ball * 1.03, 0.006, 20).moved(z=length + ball).part(2))
        return body.turned("y", 90 - np.rad2deg(np.arctan((ball - 0.01) / length))).grounded().said("long")
    h, reach = rng.uniform(0.16, 0.38), rng.uniform(0.03, 0.14)
    base = cylinder(0.055, 0.018, 28, 0.005)
    base = rounded_box(rng.uniform(0.09, 0.13), 0.1, 0.03, 0.01) if rng.random() < 0.5 else base
    if shape == 1:
        neck = sweep(curve([(0, 0, 0.015), (0, 0, h * 0.6), (reach * 0.35, 0, h * 0.92), (reach, 0, h)], 16), 0.0045, 8)
        head = lathe([(0, 0), (0.006, 0), (0.013, 0.012), (0.013, 0.045), (0.008, 0.055), (0, 0.057)], 16)
        head = head.turned("y", rng.uniform(50, 90)).moved(reach - 0.006, 0, h)
        return join(base, neck.part(2), head.part(1)).grounded().said("on a stand")
    top = ellipsoid(2.3 * ball, 2.3 * ball, length * 0.6, 12, 0.6).moved(z=length * 0.45).part(1)
    body = (
        join(cylinder(ball * 1.15, length * 0.75, 24, 0.004), top)
        .turned("y", rng.uniform(-20, 20))
        .moved(z=length * 0.45)
    )
    fork = [rod((0, k * ball * 1.25, length * 0.2), (0, k * ball * 1.25, length * 0.8), 0.005, 8) for k in (1, -1)]
    yoke = join(
        *fork,
        rod((0, -ball * 1.35, length * 0.2), (0, ball * 1.35, length * 0.2), 0.005, 8),
        rod((0, 0, 0), (0, 0, length * 0.55), 0.007),
    )
    return join(base, body, yoke.part(2)).grounded().said("on a stand")


def radio(rng: Generator) -> Mesh:
    """A portable radio with one or two loudspeakers, a handle and an aerial, boxy or rounded."""
    x, y, z = rng.uniform(0.15, 0.34), rng.uniform(0.06, 0.11), rng.uniform(0.1, 0.19)
    r, two = min(0.36 * z, 0.2 * x), rng.random() < 0.35
    cone = lathe([(0, 0.004), (r * 0.5, 0.002), (r * 0.9, -0.002), (r * 0.95, 0.004), (r, 0.004), (r, 0)], 24).turned(
        "x", 90
    )
    parts = [cone.moved(k * x * 0.27, -y / 2, z * 0.45).part(1) for k in ((1, -1) if two else (-1,))]
    parts += [box(x * 0.3, 0.003, z * 0.25).moved(0 if two else x * 0.22, -y / 2, z * 0.6).part(2)]
    knobs = (-0.08, 0.08) if two else (0.1, 0.22, 0.34)
    parts += [
        cylinder(z * 0.09, 0.012, 16, 0.002).turned("x", 90).moved(k * x, -y / 2, z * 0.25).part(2) for k in knobs
    ]
    if rng.random() < 0.65:
        rise = curve(
            [(-x * 0.42, 0, z * 0.9), (-x * 0.38, 0, z * 1.22), (x * 0.38, 0, z * 1.22), (x * 0.42, 0, z * 0.9)], 16
        )
        parts += [sweep(rise, 0.008, 8, rng.uniform(0.5, 1.2)).part(1)]
    if rng.random() < 0.65:
        tip = (x * 0.4 - rng.uniform(0, 0.12), y * 0.35, z + rng.uniform(0.08, 0.26))
        parts += [
            rod((x * 0.4, y * 0.35, z * 0.9), tip, 0.0022, 6).part(2),
            ellipsoid(0.008, 0.008, 0.008, 6).moved(*tip),
        ]
    return join(rounded_box(x, y, z, rng.choice([0.008, 0.03])), *parts).grounded().said("with a dial")


def projector(rng: Generator) -> Mesh:
    """A projector: a flat one with its lens on one side, or a small cube."""
    x, y, z = rng.uniform(0.2, 0.38), rng.uniform(0.18, 0.28), rng.uniform(0.07, 0.12)
    if rng.random() < 0.25:
        x, y, z = z * 1.3, z * 1.3, z * rng.uniform(1.2, 1.9)
    r, place, reach = 0.36 * min(x, z, 0.11), x * rng.choice([0, 0.26, -0.26]), rng.uniform(0.008, 0.035)
    lens = lathe([(r * 1.15, -0.01), (r * 1.1, reach), (r * 0.85, reach), (r * 0.7, 0.002), (0, 0.006)], 28).turned(
        "x", 90
    )
    vents = [
        box(0.004, y * 0.6, 0.003).moved(k * x / 2, 0, t * z).part(2) for k in (1, -1) for t in (0.25, 0.4, 0.55, 0.7)
    ]
    feet = [
        cylinder(0.01, 0.016, 12).moved(k * x * 0.38, t * y * 0.38, -0.012).part(2) for k in (1, -1) for t in (1, -1)
    ]
    keys = [cylinder(0.006, 0.003, 10).moved(x * t, y * 0.2, z - 0.001).part(2) for t in (-0.2, -0.1, 0, 0.1, 0.2)]
    body = join(
        rounded_box(x, y, z, rng.uniform(0.01, 0.03)), lens.moved(place, -y / 2, z * 0.5).part(1), *vents, *feet, *keys
    )
    return body.turned("x", -rng.uniform(0, 5)).grounded().said("with a lens")


def hair_dryer(rng: Generator) -> Mesh:
    """A hair dryer on its side: with a flat nozzle, a wide one or none, often with its lead."""
    r, length, grip = rng.uniform(0.032, 0.042), rng.uniform(0.13, 0.2), rng.uniform(0.1, 0.14)
    hull = curve([(r * 0.8, 0), (r, 0.02), (r * 0.95, length * 0.5), (r * 0.72, length * 0.8), (r * 0.7, length)], 14)
    barrel = lathe(
        [(0, 0.006), (r * 0.7, 0.006), *hull, (r * 0.62, length), (r * 0.6, length * 0.7), (0, length * 0.7)], 28
    )
    wide = rng.choice([1.0, 1.3, 2.4])
    nozzle = lathe(
        [(r * 0.74, 0), (r * 0.76, 0.02), (r * 0.72 * wide, 0.06), (r * 0.66 * wide, 0.06), (r * 0.6, 0.02)], 28
    )
    if wide == 1.3:
        nozzle.vertices[:, 1] *= 1 - 0.7 * np.clip((nozzle.vertices[:, 2] - 0.02) / 0.04, 0, 1)
    body = join(barrel, *([] if wide == 1.0 else [nozzle.moved(z=length - 0.015).part(1)])).turned("y", 90)
    down = curve([(length * 0.35, 0, 0), (length * 0.32, -r - grip * 0.4, 0), (length * 0.26, -r - grip, 0)], 10)
    body = join(
        body,
        sweep(down, np.linspace(0.02, 0.016, 10), 12, 1.2),
        box(0.012, 0.03, 0.04).moved(length * 0.34, -r - grip * 0.3, -0.02).part(2),
    )
    body = body.turned("x", np.rad2deg(np.arcsin((max(1, wide * 0.72) * r - 0.019) / (r + grip)))).moved(z=r)
    body = body.moved(z=-float(body.vertices[:, 2].min()))
    lead = [_lead(rng, (length * 0.26, -r - grip + 0.008, 0.016), rng.uniform(0.1, 0.3), 0.003, -90).part(2)]
    return join(body, *(lead if rng.random() < 0.5 else [])).grounded().said("with a grip")


def fan(rng: Generator) -> Mesh:
    """A table fan: blades in a cage of wire, round on a neck or in a square frame."""
    r, count, square = rng.uniform(0.06, 0.17), int(rng.integers(3, 6)), rng.random() < 0.25
    d = r * rng.uniform(0.35, 0.5)
    wire = curve([(r * 0.15, d / 2), (r * 0.7, d * 0.46), (r * 0.97, d * 0.2), (r, 0)], 7)
    wires = [
        sweep(np.column_stack([wire[:, 0], 0 * wire[:, 0], k * wire[:, 1]]), 0.0013, 4).turned("z", 24 * a)
        for k in (1, -1)
        for a in range(15)
    ]
    rings = [torus(q * r, 0.0022, 28, 5).moved(z=k * h - 0.002) for q, h in ((1, 0), (0.7, d * 0.46)) for k in (1, -1)]
    blade = ellipsoid(r * 0.8, r * 0.5, 0.005, 8).turned("x", 24).moved(x=r * 0.5)
    blades = [blade.turned("z", 360 * k / count).part(1) for k in range(count)]
    hub = [
        cylinder(r * 0.16, d, 20, 0.004).moved(z=-d / 2),
        ellipsoid(r * 0.5, r * 0.5, r * 0.9, 8, 0.8).moved(z=-r * 0.95),
    ]
    head = join(*wires, *rings, *blades, *hub).turned("x", 90)
    if square:
        edge = np.array([(-r, -r), (r, -r), (r, r), (-r, r)])
        rim = plate_with_hole(edge * 1.06, edge * 0.99, d).turned("x", 90).moved(y=d / 2)
        feet = [rounded_box(0.03, d * 1.8, 0.02, 0.006).moved(k * r * 0.7, 0, -r * 1.06 - 0.012) for k in (1, -1)]
        return join(head, rim, *feet).grounded().said("square", "with a cage")
    drop = r * rng.uniform(1.25, 1.8)
    stand = join(
        rod((0, r * 0.6, 0), (0, r * 0.6, -drop), r * 0.09, 10),
        cylinder(r * 0.75, r * 0.15, 28, 0.008).moved(0, r * 0.45, -drop),
    )
    return join(head.turned("x", rng.uniform(-12, 4)), stand.part(2)).grounded().said("round", "with a cage")
