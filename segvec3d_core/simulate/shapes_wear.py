"""Clothing accessories, luggage, sports equipment, musical instruments and ropes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from .meshes import (
    Mesh,
    arc,
    box,
    coil,
    curve,
    cylinder,
    ellipsoid,
    grid_faces,
    join,
    lathe,
    mesh,
    plate_with_hole,
    rod,
    rounded_box,
    sweep,
    torus,
    tube,
)


def _loft(outline: ArrayLike, profile: ArrayLike) -> Mesh:
    """A mesh through copies of an outline (P, 2), each given in ``profile`` by its scale about the origin and its
    height; scale 0 closes an end."""
    points = np.asarray(outline, np.float64)
    rows = [np.column_stack([points * s, np.full(len(points), z)]) for s, z in np.asarray(profile, np.float64)]
    return mesh(np.concatenate(rows), grid_faces(len(rows), len(points), True))


def _soft(rng: Generator, body: Mesh, rise: float, wave: float) -> Mesh:
    """The mesh displaced by soft folds about ``rise`` metres high and 1 to 2.5 times ``wave`` metres apart."""
    moved = body.vertices.astype(np.float64)
    for axis in (2, 2, 2, 0, 1):
        k = rng.normal(size=3)
        k *= 2 * np.pi / (np.linalg.norm(k) * wave * rng.uniform(1.0, 2.5))
        moved[:, axis] += rise * rng.uniform(0.2, 0.5) * np.sin(body.vertices @ k + rng.uniform(0, 6))
    return Mesh(moved.astype(np.float32), body.faces, body.parts, body.words).grounded()


def watch(rng: Generator) -> Mesh:
    """A wristwatch, its strap closed to a loop, or open and flat."""
    r, w, t = rng.uniform(0.014, 0.023), rng.uniform(0.014, 0.024), rng.uniform(0.007, 0.012)
    case, face = cylinder(r, t, 28, 0.002), cylinder(r * 0.85, 0.001, 24)
    if rng.random() < 0.35:
        case, face = rounded_box(r * 1.7, r * 2, t, 0.005), box(r * 1.4, r * 1.7, 0.001)
    case = join(case, face.moved(z=t).part(2), rod((0, r * 0.9, t / 2), (0, r + 0.004, t / 2), 0.0022, 8))
    if rng.random() < 0.4:
        ends = [
            (-0.1, 0, 0),
            (-0.05, 0, 0.01),
            (-r, 0, 0.001),
            (r, 0, 0.001),
            (0.06, 0, rng.uniform(0, 0.015)),
            (0.11, 0, 0),
        ]
        strap = tube(ends, w * np.array([0.4, 0.45, 0.5, 0.5, 0.42, 0.3]), 0.14, 30)
        return join(case, strap.part(1), torus(w * 0.5, 0.0015, 4, 6).moved(-0.1, z=-0.001)).grounded().said("flat")
    a, b = rng.uniform(0.027, 0.034), rng.uniform(0.021, 0.029)
    strap = sweep(np.column_stack([arc(1, 0, 360, 40) * [a, b], np.zeros(40)]), 0.0015, 6, w / 0.003).part(1)
    return (
        join(case.turned("x", 90).moved(y=0.001 - b), strap).turned("x", rng.choice([0, -90])).grounded().said("round")
    )


def glasses(rng: Generator) -> Mesh:
    """Glasses or sunglasses, open and resting on rims and temple tips, or folded."""
    w, h, r = rng.uniform(0.046, 0.056), rng.uniform(0.032, 0.046), rng.uniform(0.0012, 0.0028)
    circle, length, fold = arc(1, 0, 360, 29), rng.uniform(0.125, 0.145), rng.random() < 0.4
    eye = np.sign(circle) * np.abs(circle) ** rng.uniform(0.55, 1.0) * [w / 2, h / 2]
    lens = _loft(eye, [(0, -0.002), (0.6, -0.0015), (1, 0), (1, 0.001), (0.6, -0.0005), (0, -0.001)]).part(1)
    rims = join(sweep(np.column_stack([eye, np.zeros(29)]), r, 6), lens)
    bridge = tube([(-0.01, h * 0.12, 0), (0, h * 0.22, 0.002), (0.01, h * 0.12, 0)], r * 1.1)
    parts = [join(rims.moved(w / 2 + 0.009), rims.moved(-w / 2 - 0.009), bridge).turned("x", 90).moved(z=h / 2 + r)]
    rest = [(0, 0, h * 0.68), (0, length * 0.68, h * 0.65), (0, length * 0.82, h * 0.55), (0, length, 0.002)]
    for k in (1, -1):
        arm = join(tube(rest, r * 1.1, 1.5), box(0.01, 0.006, 0.005).moved(k * -0.003, 0, h * 0.68 - 0.003)).part(2)
        arm = arm.turned("z", k * (82 + 4 * k) if fold else -k * rng.uniform(-2, 6))
        parts.append(arm.moved(k * (w + 0.009), 0.003 + 0.004 * (k + 1) * fold))
    body = join(*parts).turned("x", rng.choice([90, -90]) if fold else 0)
    return body.grounded().said("folded" if fold else "open", "with two lenses")


def glove(rng: Generator) -> Mesh:
    """A flat glove with spread fingers, or a mitten."""
    s, thick, mitten = rng.uniform(0.075, 0.1), rng.uniform(0.2, 0.36), rng.random() < 0.3
    parts = [tube([(-0.75, 0, 0), (-0.3, 0, 0), (0.2, 0, 0), (0.55, 0, 0)], (0.4, 0.37, 0.5, 0.42), thick, 12, 16)]
    parts += [
        tube([(-0.3, 0.2, 0), (0, 0.52, 0), (0.3, 0.66, 0), (0.38, 0.7, 0)], (0.2, 0.17, 0.12, 0.04), thick + 0.2)
    ]
    if mitten:
        parts += [
            tube([(0.2, 0, 0), (0.7, 0, 0), (1.15, -0.04, 0), (1.3, -0.05, 0)], (0.5, 0.45, 0.3, 0.06), thick, 14, 16)
        ]
    for k, reach in () if mitten else zip((-1.5, -0.5, 0.5, 1.5), (0.72, 0.9, 0.95, 0.85), strict=True):
        lean = rng.normal(0, 0.06)
        knots = [(0, 0, 0), (reach * 0.5, lean, 0.01), (reach * 0.92, lean, 0), (reach, lean, 0)]
        finger = tube(knots, (0.125, 0.12, 0.09, 0.03), thick + 0.35, 12, 10)
        parts.append(finger.turned("z", k * rng.uniform(3, 9)).moved(0.48, k * 0.235))
    cuff = sweep([(-0.95, 0, 0), (-0.94, 0, 0), (-0.7, 0, 0), (-0.69, 0, 0)], [0.42, 0.46, 0.44, 0.4], 16, thick * 1.05)
    return _soft(rng, join(*parts, cuff.part(1)).scaled(s), 0.007, 0.05).said("soft", "flat")


def sock(rng: Generator) -> Mesh:
    """A sock that lies flat, a pair of them, or a pair rolled to a ball."""
    s, leg, parts = rng.uniform(0.8, 1.15), rng.uniform(0.08, 0.26), []
    if rng.random() < 0.25:
        lip = torus(0.024, 0.01, 20, 8).scaled(1, 1.3, 1).turned("y", 80).moved(0.028, 0, 0.032).part(1)
        return _soft(rng, join(ellipsoid(0.1, 0.085, 0.065, 14, 0.9), lip).scaled(s), 0.01, 0.05).said(
            "soft", "rolled up"
        )
    for k in range(int(rng.integers(1, 3))):
        knots = [
            (rng.uniform(-0.03, 0.03), leg + 0.05, 0),
            (0, 0.06, 0),
            (0.012, 0.012, 0),
            (0.06, 0, 0),
            (0.15, -0.006, 0),
            (0.17, -0.004, 0),
        ]
        foot = tube(knots, (0.042, 0.044, 0.05, 0.045, 0.038, 0.008), rng.uniform(0.16, 0.3), 26, 14)
        cuff = sweep(curve(knots, 26)[:5] + np.array([0, 0.004, 0]), 0.045, 14, 0.3).part(1)
        pair = _soft(rng, join(foot, cuff).scaled(s), 0.008, 0.045)
        parts.append(pair.turned("z", k * rng.uniform(-25, 25)).moved(k * 0.03, k * 0.02, k * 0.01))
    return join(*parts).grounded().said("soft", "flat")


def belt(rng: Generator) -> Mesh:
    """A belt standing on edge, coiled or in a loose loop, its buckle at the outer end."""
    w, t, loop = rng.uniform(0.022, 0.042), rng.uniform(0.0028, 0.0045), rng.random() < 0.35
    a = np.linspace(0, 2 * np.pi * (rng.uniform(1.05, 1.3) if loop else rng.uniform(2.2, 4.5)), 130)
    r = (rng.uniform(0.08, 0.12) if loop else rng.uniform(0.022, 0.035)) + rng.uniform(1.05, 2) * t * a / (2 * np.pi)
    path = np.column_stack([r * np.cos(a), rng.uniform(0.65, 1) * r * np.sin(a), 0 * a])
    edge = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    buckle = join(
        plate_with_hole(edge * [0.6 * w, 0.57 * w], edge * [0.45 * w, 0.42 * w], 0.004), box(1.1 * w, 0.003, 0.005)
    )
    ahead = (path[-1] - path[-2]) / np.linalg.norm(path[-1] - path[-2])
    buckle = buckle.turned("x", 90).turned("z", float(np.rad2deg(np.arctan2(ahead[1], ahead[0]))))
    body = join(sweep(path, t / 2, 6, w / t), buckle.moved(*path[-1] + 0.25 * w * ahead).part(1))
    return body.grounded().said("in a loop" if loop else "coiled", "with a buckle")


def rope(rng: Generator) -> Mesh:
    """A coil of several turns, or a hank wound about its middle."""
    r, turns, s = rng.uniform(0.003, 0.009), rng.uniform(3.2, 7), rng.uniform(0.07, 0.16)
    path = coil(rng, s, r, turns)
    if rng.random() < 0.6:
        ahead = (path[-1] - path[-2]) / np.linalg.norm(path[-1] - path[-2])
        tail = [
            path[-1] + q * ahead + [rng.normal(0, 0.012), rng.normal(0, 0.012), -p * (path[-1, 2] - r)]
            for q, p in ((0.05, 0.5), (0.1, 1), (0.15, 1))
        ]
        path = np.concatenate([path, curve([path[-1], *tail], 14)[1:]])
        return sweep(path, r * (1 + 0.06 * np.sin(2.2 * np.arange(len(path)))), 8).grounded().said("coiled")
    path *= [1.2, rng.uniform(0.25, 0.4), 1]
    half, top, a = np.abs(path[:, 1]).max() + r, path[:, 2].max() + r, np.linspace(0, 8 * np.pi, 72)
    wrap = np.column_stack([(a / 25 - 0.5) * 8.5 * r, half * np.cos(a), top / 2 + (top / 2 + r) * np.sin(a)])
    return join(sweep(path, r, 7), sweep(wrap, r, 7)).grounded().said("tied", "long")


def umbrella(rng: Generator) -> Mesh:
    """A folded umbrella lying on the ground: a long one with a curved or a straight handle, or a short one."""
    short, r = rng.random() < 0.4, rng.uniform(0.023, 0.036)
    length, end = (rng.uniform(0.14, 0.22), 0.75) if short else (rng.uniform(0.5, 0.68), 0.4)
    hull = curve(
        [(r * 0.85, 0), (r, length * 0.06), (r * 0.9, length * 0.5), (r * end, length * 0.95), (r * 0.3, length)], 16
    )
    cloth = lathe([(0, 0), *hull, (0, length)], 48)
    angle = np.arctan2(cloth.vertices[:, 1], cloth.vertices[:, 0]) + cloth.vertices[:, 2] / length * rng.uniform(0.5, 2)
    cloth.vertices[:, :2] *= (1 + rng.uniform(0.08, 0.2) * np.sin(8 * angle))[:, None]
    band = cylinder(r * 1.08, 0.018, 24).moved(z=length * rng.uniform(0.25, 0.4)).part(2)
    shaft = rod(
        (0, 0, -0.1 + 0.05 * short), (0, 0, length + (0.01 if short else rng.uniform(0.03, 0.07))), 0.0055
    ).part(1)
    grip, c = cylinder(r * 0.6, 0.09, 18, 0.008).moved(z=-0.08 if short else -0.16).part(1), rng.uniform(0.03, 0.045)
    if not short and rng.random() < 0.65:
        bend = arc(c, 0, -200, 14) - [c, 0.13]
        grip = sweep([(0, 0, -0.06), *np.column_stack([bend[:, 0], np.zeros(14), bend[:, 1]])], 0.009).part(1)
    return join(cloth, band, shaft, grip).turned("x", 90).grounded().said("folded", "short" if short else "long")


def dumbbell(rng: Generator) -> Mesh:
    """A dumbbell with hexagonal, round or ball-like weights, or with weight plates."""
    shape, r, w, grip = rng.integers(4), rng.uniform(0.03, 0.075), rng.uniform(0.035, 0.075), rng.uniform(0.1, 0.14)
    if shape == 0:
        weight = lathe([(0, 0), (r * 0.85, 0), (r, 0.008), (r, w - 0.008), (r * 0.85, w), (0, w)], 6).turned("z", 30)
    elif shape == 1:
        weight = cylinder(r, w, 32, 0.006)
    elif shape == 2:
        weight = ellipsoid(2 * r, 2 * r, max(w, 1.3 * r), 14, 0.85)
    else:
        plates = [
            cylinder(q * r, 0.02, 32, 0.004).moved(z=0.02 * k) for k, q in enumerate((1.2, 1.0, rng.uniform(0.5, 0.9)))
        ]
        weight = join(*plates, cylinder(0.013, 0.1, 16), cylinder(0.024, 0.014, 6).moved(z=0.06).part(1))
    bar = tube([(0, 0, z * grip) for z in (-0.55, 0, 0.55)], (0.013, 0.0165, 0.013)).part(1)
    weight = weight.moved(z=grip / 2)
    return join(weight, weight.turned("x", 180), bar).turned("x", 90).grounded().said("with two weights")


def tennis_racket(rng: Generator) -> Mesh:
    """A tennis racket with strings, or a table tennis bat."""
    if rng.random() < 0.35:
        half = curve([(-0.085, 0.016), (-0.05, 0.06), (0.01, 0.076), (0.06, 0.05), (0.077, 0)], 14)
        outline = np.concatenate([half, half[-2::-1] * [1, -1]]) * rng.uniform(0.93, 1.07)
        blade = _loft(outline, [(0, 0), (1, 0), (1, 0.007), (0, 0.007)])
        pads = [blade.scaled(1, 1, 0.4).moved(z=z).part(k) for k, z in ((1, 0.007), (2, -0.0028))]
        grip = rounded_box(0.12, 0.028, 0.024, 0.008).moved(-0.135, 0, -0.0085)
        return join(blade, *pads, grip).grounded().said("flat", "with a grip")
    a, b, r, neck = rng.uniform(0.15, 0.175), rng.uniform(0.11, 0.13), rng.uniform(0.007, 0.011), rng.uniform(0.1, 0.2)
    rim = sweep(np.column_stack([arc(1, 0, 360, 44) * [a, b], np.zeros(44)]), r, 8, 1.2)
    spots = [(q, np.sqrt(1 - q * q)) for q in np.linspace(-0.92, 0.92, 17)]
    strings = [rod((p * a, -q * b, 0), (p * a, q * b, 0), 0.0009, 4).part(2) for p, q in spots]
    strings += [rod((-q * a, p * b, 0.001), (q * a, p * b, 0.001), 0.0009, 4).part(2) for p, q in spots]
    arms = [
        tube([(-a * 0.86, k * b * 0.52, 0), (-a - 0.05, k * 0.025, 0), (-a - 0.1, k * 0.004, 0)], r, 1.2)
        for k in (1, -1)
    ]
    grip = join(cylinder(0.0155, 0.16, 8), cylinder(0.018, 0.015, 8)).turned("y", 90).moved(-a - 0.25 - neck).part(1)
    return (
        join(rim, *arms, rod((-a - 0.09, 0, 0), (-a - 0.1 - neck, 0, 0), 0.011), grip, *strings)
        .grounded()
        .said("with strings")
    )


def skateboard(rng: Generator) -> Mesh:
    """A skateboard, upright or upside down; both ends of a short one are bent up."""
    length, w, flat = rng.uniform(0.68, 0.84), rng.uniform(0.18, 0.22), rng.random() < 0.3
    x = np.linspace(-0.5, 0.5, 31)
    away = np.clip(np.abs(x) - (0.2 if flat else 0.37), 0, 1) / (0.31 if flat else 0.135)
    lift = (0.15 if flat else 0.85) * np.clip(np.abs(x) - 0.3, 0, 1) ** 1.3
    board = np.column_stack([x * length, 0 * x, 0.095 + lift * length])
    parts = [sweep(board, w / 2 * np.sqrt(1.02 - away**2), 16, 0.06)]
    r = rng.uniform(0.026, 0.036)
    for k in (1, -1):
        wheels = [cylinder(r, 0.034, 22, 0.006).turned("x", 90).moved(y=s * w * 0.36 + 0.017).part(1) for s in (1, -1)]
        truck = [rod((0, -w * 0.42, 0), (0, w * 0.42, 0), 0.009), rod((0, 0, 0), (-k * 0.02, 0, 0.092 - r), 0.02)]
        parts += [p.moved(k * length * 0.29, 0, r) for p in (*wheels, *[t.part(2) for t in truck])]
    return join(*parts).turned("x", rng.choice([0, 0, 180])).grounded().said("long", "with wheels")


def drum(rng: Generator) -> Mesh:
    """A drum with hoops and lugs, perhaps with its sticks, a goblet drum, or a pair of small ones."""
    shape, r, count = rng.choice(3, p=[0.55, 0.3, 0.15]), rng.uniform(0.09, 0.18), int(rng.integers(6, 11))
    h = r * (rng.uniform(2.4, 3.2) if shape == 1 else rng.uniform(0.6, 1.5))
    hull = curve([(0.72, 0), (0.48, 0.3), (0.55, 0.48), (0.98, 0.78), (1, 1)] if shape == 1 else [(1, 0), (1, 1)], 18)
    top = [lathe([(0, 0), (r * 0.98, 0), (r * 0.98, 0.004), (0, 0.006)], 36).moved(z=h - 0.004).part(1)]
    top += [torus(r, 0.006, 36, 6).moved(z=h - 0.012).part(2)]
    bar = box(0.014, 0.012, h * 0.85).moved(r, 0, h * 0.1)
    lug = rod((r * 0.62, 0, h * 0.5), (r, 0, h), 0.003, 5) if shape == 1 else bar
    lugs = [lug.turned("z", 360 * k / count).part(2) for k in range(count)]
    body = join(lathe(np.array([(0, 0), *hull, (0, 1)]) * [r, h], 36), *top, *lugs)
    if shape == 2:
        return join(body.scaled(0.62, 0.62, 0.8), body.scaled(0.5, 0.5, 0.8).moved(r * 1.13)).grounded().said("round")
    sticks = [rod((-0.17, k * 0.02, h + 0.007), (0.2, k * 0.05, h + 0.007), 0.007, 8) for k in (1, -1)]
    body = join(body, *(sticks if rng.random() < 0.3 else []))
    return body.grounded().said("round", "tall" if shape == 1 else "with a rim")


def _violin_body() -> Mesh:
    """A violin's body: back, ribs and belly."""
    outline = [
        (-0.18, 0), (-0.165, 0.07), (-0.1, 0.104), (-0.045, 0.075), (0, 0.054), (0.04, 0.065), (0.075, 0.082),
        (0.14, 0.07), (0.175, 0.02), (0.178, 0),
    ]  # fmt: skip
    half = curve(outline, 36)
    layers = [
        (0, -0.005), (0.9, 0), (1, 0.002), (1, 0.005), (0.96, 0.006), (0.96, 0.033), (1, 0.034), (1, 0.037),
        (0.85, 0.041), (0.4, 0.05), (0, 0.052),
    ]  # fmt: skip
    return _loft(np.concatenate([half, half[-2:0:-1] * [1, -1]]), layers)


def _bow() -> Mesh:
    """A violin bow along x."""
    return join(
        rod((-0.3, 0, 0), (0.35, 0, 0), 0.004),
        box(0.64, 0.008, 0.002).moved(0.03, 0, -0.017).part(2),
        *[box(0.03, 0.01, 0.018).moved(x, 0, -0.017) for x in (-0.27, 0.34)],
    )


def violin(rng: Generator) -> Mesh:
    """A violin or viola on its back, often with its bow."""
    neck = tube([(0.16, 0, 0.033), (0.24, 0, 0.035), (0.32, 0, 0.032), (0.375, 0, 0.018), (0.4, 0, 0.016)], 0.011)
    scroll = cylinder(0.014, 0.026, 18).turned("x", 90).moved(0.4, 0.013, 0.016)
    pegs = [rod((x, -0.03, 0.024), (x, 0.03, 0.024), 0.0035).part(1) for x in (0.34, 0.365)]
    board = [sweep([(0.05, 0, 0.062), (0.32, 0, 0.047)], [0.021, 0.012], 8, 0.35).part(1)]
    board += [sweep([(-0.17, 0, 0.052), (-0.07, 0, 0.066)], [0.009, 0.021], 8, 0.3).part(1)]
    board += [
        box(0.004, 0.042, 0.03).moved(-0.02, 0, 0.048).part(2),
        ellipsoid(0.07, 0.065, 0.02, 8).moved(-0.145, 0.05, 0.038).part(1),
    ]
    strings = [
        sweep([(-0.08, y, 0.068), (-0.02, y, 0.08), (0.33, y * 0.6, 0.052)], 0.0006, 4).part(2)
        for y in (-0.012, 0, 0.012)
    ]
    bow = [_bow().turned("x", 90).turned("z", rng.uniform(-20, 20)).moved(0.02, 0, 0.083)] if rng.random() < 0.4 else []
    return (
        join(_violin_body(), neck, scroll, *pegs, *board, *strings, *bow)
        .scaled(rng.uniform(0.8, 1.08))
        .grounded()
        .said("with strings")
    )


def suitcase(rng: Generator) -> Mesh:
    """A trolley case, standing on its wheels or lying, or an old flat case with a handle."""
    x, y, z = rng.uniform(0.36, 0.5), rng.uniform(0.2, 0.3), rng.uniform(0.5, 0.74)
    up = rng.choice([0.02, 0.02, 0.25, 0.4])
    grip = tube([(-0.08, 0, 0), (-0.06, 0, 0.035), (0.06, 0, 0.035), (0.08, 0, 0)], 0.01, 1.4).part(1)
    if rng.random() < 0.25:
        x, y, z = z, y * rng.uniform(0.55, 0.75), z * rng.uniform(0.6, 0.75)
        belts = [
            rounded_box(0.035, y * 1.04, z * 1.02, 0.02).moved(k * x * 0.36, 0, -0.01 * z).part(1) for k in (1, -1)
        ]
        body = join(rounded_box(x, y, z, 0.025), grip.moved(z=z - 0.004), *belts)
        return body.turned("x", rng.choice([0, 90])).grounded().said("with a handle")
    ribs = [
        rounded_box(0.02, y * 1.03, z * 0.8, 0.008).moved(t * x, 0, z * 0.1)
        for t in np.linspace(-0.36, 0.36, int(rng.choice([2, 5, 7])))
    ]
    pockets = [
        rounded_box(x * 0.8, 0.06, z * h, 0.02).moved(0, -y / 2, z * b).part(2) for b, h in ((0.08, 0.5), (0.62, 0.25))
    ]
    wheel = join(cylinder(0.028, 0.026, 18, 0.004).turned("y", 90).moved(-0.013), cylinder(0.022, 0.05, 12)).part(1)
    feet = [wheel.moved(k * x * 0.38, s * y * 0.32, -0.03) for k in (1, -1) for s in (1, -1)]
    bars = [rod((k * x * 0.2, y * 0.36, z * 0.9), (k * x * 0.2, y * 0.36, z + up), 0.009).part(1) for k in (1, -1)]
    bars += [
        rounded_box(x * 0.46, 0.03, 0.03, 0.012).moved(0, y * 0.36, z + up - 0.005).part(1),
        grip.moved(z=z - 0.005),
    ]
    body = join(
        rounded_box(x, y, z, rng.uniform(0.03, 0.07), 4), *(ribs if rng.random() < 0.6 else pockets), *feet, *bars
    )
    return body.turned("x", rng.choice([0, 0, 90])).grounded().said("with wheels", "with a handle")


def backpack(rng: Generator) -> Mesh:
    """A day pack, or a tall backpack with a lid and a roll, upright or lying on its straps."""
    x, y, z, tall = rng.uniform(0.26, 0.34), rng.uniform(0.13, 0.2), rng.uniform(0.38, 0.48), rng.random() < 0.35
    z, top = z * (1.25 if tall else 1), []
    hull = ellipsoid(x, y, z, 18, 0.5)
    hull.vertices[:, :2] *= (1.05 - 0.35 * np.clip(hull.vertices[:, 2] / z, 0, 1) ** (4 if tall else 2))[:, None]
    pockets = [ellipsoid(x * 0.78, y * 0.6, z * rng.uniform(0.4, 0.5), 12, 0.5).moved(0, -y * 0.42, z * 0.07).part(1)]
    pockets += [ellipsoid(0.07, y * 0.6, z * 0.4, 10, 0.6).moved(k * x * 0.48, 0, z * 0.06).part(1) for k in (1, -1)]
    body = _soft(rng, join(hull, *pockets), 0.022, 0.12)
    back, out = float(body.vertices[:, 1].max()), rng.uniform(0.05, 0.09)
    line = [(0.22, -0.04, 0.88), (0.24, 0.03, 0.84), (0.3, out, 0.5), (0.35, 0.02, 0.16), (0.35, -0.06, 0.1)]
    straps = [tube(np.array(line) * [k * x, 1, z] + [0, back, 0], 0.009, 3.2, 18).part(2) for k in (1, -1)]
    if tall:
        top = [ellipsoid(x * 0.95, y * 1.3, z * 0.17, 12, 0.6).moved(z=z * 0.87).part(1)]
        top += [cylinder(0.06, x * 1.15, 20, 0.015).turned("y", 90).moved(-x * 0.575, 0, z * 1.07).part(2)]
    loop = tube([(-0.04, 0, -0.03), (-0.03, 0, 0.03), (0.03, 0, 0.03), (0.04, 0, -0.03)], 0.007).part(2)
    whole = join(body, *straps, *top, loop.moved(0, back * 0.4, z * 0.98))
    return whole.turned("x", rng.choice([0, -90])).grounded().said("with straps", "soft")
