"""Tools and soft toys in more varied forms; they replace shapes whose samples were almost alike, see ``OUTGROWN``."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .meshes import (
    Mesh,
    arc,
    box,
    cylinder,
    ellipsoid,
    grid_faces,
    join,
    mesh,
    plate_with_hole,
    rod,
    rounded_box,
    tube,
)


def _strip(outer: NDArray[np.float64], inner: NDArray[np.float64], height: float) -> Mesh:
    """A closed plate on the ground between two open lines (P, 2) with the same number of points."""
    rows = [
        np.column_stack([p, np.full(len(p), z)]) for p, z in ((outer, 0), (outer, height), (inner, height), (inner, 0))
    ]
    ring = np.stack([*rows, rows[0]], 1)
    ends = [np.broadcast_to(ring[k].mean(0), (1, 5, 3)) for k in (0, -1)]
    return mesh(np.concatenate([ends[0], ring, ends[1]]).reshape(-1, 3), grid_faces(len(outer) + 2, 5, False))


def _open_jaw(rng: Generator, r: float, t: float) -> Mesh:
    """The open end of a wrench, centred at the origin, its mouth towards +x; ``t`` is its thickness."""
    gap = rng.uniform(35, 60)
    outer = arc(r, gap, 360 - gap, 20) * [rng.uniform(0.95, 1.2), 1]
    mouth = np.array([(1.0, 1), (-0.3, 1), (-0.5, 0.4), (-0.5, -0.4), (-0.3, -1), (1.0, -1)]) * r
    mouth *= [np.cos(np.deg2rad(gap)) * 1.05, np.sin(np.deg2rad(gap)) * 0.8]
    at = np.linspace(0, 5, 20)
    inner = np.stack([np.interp(at, range(6), mouth[:, k]) for k in (0, 1)], 1)
    return _strip(outer, inner, t)


def wrench(rng: Generator) -> Mesh:
    """A combination, double, ring, adjustable or socket wrench, or a hexagon key."""
    length, kind = rng.uniform(0.1, 0.32), int(rng.integers(6))
    r, t = length * rng.uniform(0.06, 0.11), length * rng.uniform(0.025, 0.05)
    if kind == 0:
        thick, short, bow = length * rng.uniform(0.012, 0.03), length * rng.uniform(0.2, 0.45), 0.03 * length
        path = [(0, short, 0), (0, bow, 0), (bow, 0, 0), (length * 0.9, 0, 0)]
        return tube(path, thick, 1.0, 24, 6).grounded().said("long", "bent")
    slim = rng.uniform(0.5, 1.1)
    line = [(0, 0, 0), (length * 0.5, 0, rng.uniform(0, 0.4) * t), (length, 0, 0)]
    girth = np.array([1.0, slim, 1.0]) * r * rng.uniform(0.3, 0.55)
    shank = tube(line, girth, t / r * rng.uniform(0.6, 1.3), 12, 8)
    shank = shank.moved(z=t / 2)
    if kind == 1:  # socket
        head = cylinder(r * 1.1, t * 1.6, 24, 0.002).moved(z=-t * 0.3)
        socket = cylinder(r * rng.uniform(0.5, 0.8), length * rng.uniform(0.08, 0.2), 18, 0.001).moved(z=t)
        grip = rod((length * 0.6, 0, t / 2), (length, 0, t / 2), r * 0.6, 12).part(1)
        return join(shank, head, socket, grip).grounded().said("long")
    if kind == 2:  # adjustable
        wide = r * rng.uniform(0.9, 1.3)
        upper = box(r * 2.2, wide * 0.7, t * 1.3).moved(-r * 0.8, wide * 0.55)
        lower = box(r * 1.3, wide * 0.5, t * 1.3).moved(-r * 1.1, -wide * rng.uniform(0.3, 0.9))
        heel = box(r * 1.2, wide * 1.9, t * 1.3).moved(x=0.1 * r)
        screw = cylinder(r * 0.28, wide, 12).turned("x", 90).moved(-r * 0.3, wide * 0.3, t * 0.65).part(1)
        head = join(upper, lower, heel, screw).turned("z", rng.uniform(-25, 5))
        return join(shank, head).grounded().said("long", "flat")
    ends = {3: "or", 4: "oo", 5: "rr"}[kind]
    parts = [shank]
    for k, end in enumerate(ends):
        scale = r * rng.uniform(0.8, 1.2)
        if end == "o":
            head = _open_jaw(rng, scale, t).turned("z", rng.uniform(-20, 20))
        else:
            hole = arc(scale * rng.uniform(0.5, 0.68), 0, 345, 24)
            head = plate_with_hole(arc(scale, 0, 345, 24), hole, t * rng.uniform(1.0, 1.8))
            head = head.turned("y", rng.uniform(0, 12))
        parts.append(head.moved(length + scale * 0.6) if k else head.turned("z", 180).moved(-scale * 0.6))
    return join(*parts).grounded().said("long", "flat")


def hammer(rng: Generator) -> Mesh:
    """A claw, ball or cross hammer, a mallet of wood or rubber, or a small sledge."""
    length, kind = rng.uniform(0.2, 0.4), int(rng.integers(5))
    head = rng.uniform(0.08, 0.15)
    r = head * rng.uniform(0.1, 0.2)
    bow = rng.uniform(-0.02, 0.02)
    girth = rng.uniform(0.008, 0.016) * np.array(
        [0.8, rng.uniform(0.7, 1.1), rng.uniform(0.9, 1.4), rng.uniform(0.8, 1.3)]
    )
    stick = tube([(0, 0, 0), (length * 0.35, bow, 0), (length * 0.7, bow, 0), (length, 0, 0)], girth,
                 rng.uniform(0.55, 1.0), 16, 10)  # fmt: skip
    parts = [stick]
    if rng.random() < 0.5:
        sleeve = tube(
            [(length * 0.6, bow, 0), (length * 0.8, bow * 0.7, 0), (length * 1.01, 0, 0)], girth[1:] * 1.25, 0.8, 10
        )
        parts.append(sleeve.part(2))
    if kind == 3:  # mallet
        wide = rng.uniform(0.03, 0.065)
        block = rounded_box(wide, head, wide * rng.uniform(0.8, 1.4), 0.006).moved(z=-wide / 2)
        drum = cylinder(wide * 0.6, head, 24, 0.004).turned("x", 90).moved(y=head / 2)
        parts.append((block if rng.random() < 0.5 else drum).part(1))
        return join(*parts).grounded().said("long", "with a head")
    if kind == 4:  # sledge
        r *= 1.4
        parts.append(cylinder(r, head, 8, r * 0.15).turned("x", 90).moved(y=head / 2).part(1))
        return join(*parts).grounded().said("long", "with a head")
    parts += [
        rod((0, 0, 0), (0, head * 0.4, 0), r * 0.8, 14).part(1),
        rod((0, head * 0.35, 0), (0, head * 0.5, 0), r, 14).part(1),
    ]
    parts.append(rounded_box(r * 2.2, r * 2.4, r * 2.2, r * 0.3).moved(z=-r * 1.1).part(1))
    if kind == 0:  # claw
        droop, fork = rng.uniform(0.1, 0.4) * head, rng.uniform(0.2, 0.6) * r
        for k in (1, -1):
            line = [(0, 0, k * fork * 0.4), (0, -head * 0.3, k * fork), (droop, -head * 0.55, k * fork * 1.6)]
            parts.append(tube(line, (r * 0.7, r * 0.5, r * 0.15), 0.8, 10, 8).part(1))
    elif kind == 1:  # ball
        d = r * rng.uniform(1.5, 2.2)
        parts += [
            rod((0, 0, 0), (0, -head * 0.35, 0), r * 0.6, 12).part(1),
            ellipsoid(d, d, d, 10).moved(0, -head * 0.42, -d / 2).part(1),
        ]
    else:  # cross
        flat = tube([(0, 0, 0), (0, -head * 0.25, 0), (0, -head * 0.5, 0)], (r, r * 0.9, r * 0.7), 1.0, 8, 8)
        v = flat.vertices
        v[:, 0] *= np.clip(1 + v[:, 1] / head * 1.9, 0.1, 1)
        parts.append(flat.part(1))
    return join(*parts).grounded().said("long", "with a head")


def pliers(rng: Generator) -> Mesh:
    """Combination, needle-nose, cutting or water-pump pliers, more or less open."""
    length, kind = rng.uniform(0.11, 0.25), int(rng.integers(4))
    wide = length * rng.uniform(0.08, 0.24)
    thick = length * rng.uniform(0.025, 0.05)
    opening, bow = rng.uniform(0, 16), rng.uniform(0.3, 1.2)
    reach = (
        length * (rng.uniform(0.3, 0.5), rng.uniform(0.2, 0.3), rng.uniform(0.12, 0.2), rng.uniform(0.22, 0.32))[kind]
    )
    halves = []
    for s in (1, -1):
        line = [
            (0, 0, 0),
            (-length * 0.2, s * wide * bow, 0),
            (-length * 0.5, s * wide, 0),
            (-length * 0.72, s * wide * 0.8, 0),
        ]
        grip = tube(line, np.array([0.7, 1.0, 1.1, 0.9]) * thick, rng.uniform(0.7, 1.3), 16, 8).part(1)
        root, tip = thick * rng.uniform(0.9, 1.4), thick * (0.2, 0.7, 0.25, 0.5)[kind]
        if kind == 2:  # cutters: round jaws whose edges meet
            outline = [(0, s * 0.3 * root, 0), (reach * 0.5, s * reach * 0.5, 0), (reach, s * 0.1 * root, 0)]
        elif kind == 3:  # water pump: jaws bent aside
            aside = reach * 0.45
            outline = [
                (0, s * 0.6 * root, 0),
                (reach * 0.5, aside + s * 0.8 * root, 0),
                (reach, aside * 2 + s * 0.5 * tip, 0),
            ]
        else:
            outline = [(0, s * 0.5 * root, 0), (reach * 0.5, s * 0.6 * root, 0), (reach, s * 0.6 * tip, 0)]
        jaw = tube(outline, (root, 0.8 * root, tip), rng.uniform(0.7, 1.2), 12, 8)
        halves.append(join(grip, jaw).turned("z", s * opening / 2))
    joint = cylinder(thick * rng.uniform(1.3, 2.0), thick * 1.6, 16, 0.001).moved(z=-thick * 0.8)
    return join(*halves, joint).grounded().said("with two grips")


def plush(rng: Generator) -> Mesh:
    """A soft animal that sits, lies or stands on four legs: with round, long or pointed ears, a trunk, a tail."""
    s, kind = rng.uniform(0.1, 0.3), int(rng.integers(3))
    a, b, c = s * rng.uniform(0.35, 0.65, 3)
    h = s * rng.uniform(0.3, 0.55)
    limb, reach = s * rng.uniform(0.1, 0.22), s * rng.uniform(0.2, 0.5)
    parts = []
    if kind == 0:  # sits
        parts.append(ellipsoid(a, b, c * 1.2, 12).moved(z=-0.2 * c))
        top, front = c * rng.uniform(0.7, 0.85), 0.0
        for k in (1, -1):
            spread_out = rng.uniform(5, 45)
            leg = ellipsoid(limb, reach, limb, 8).moved(y=-reach / 2).turned("z", k * spread_out)
            parts.append(leg.moved(x=k * a * 0.28, y=-b * 0.1))
            arm = ellipsoid(limb * 0.8, limb * 0.8, reach, 8).moved(z=-reach).turned("x", rng.uniform(-70, 0))
            parts.append(arm.turned("y", -k * rng.uniform(5, 60)).moved(x=k * a * 0.4, y=-b * 0.1, z=c * 0.7))
    else:  # stands or lies
        long = a * rng.uniform(1.2, 1.8)
        high = reach * 0.8 if kind == 1 else -0.25 * c
        parts.append(ellipsoid(b, long, c * 0.8, 12).moved(z=high))
        top, front = high + c * rng.uniform(0.2, 0.6), -long * rng.uniform(0.45, 0.6)
        for k in (1, -1):
            for j in (1, -1):
                leg = ellipsoid(limb, limb, reach + c * 0.3, 8) if kind == 1 else ellipsoid(limb, reach, limb, 8)
                parts.append(leg.moved(k * b * (0.25 if kind == 1 else 0.35), j * long * 0.28))
        tail = [
            (0, long * 0.42, high + c * 0.5),
            (s * rng.normal(0, 0.1), long * 0.6, high + c * rng.uniform(0.2, 1.0)),
            (s * rng.normal(0, 0.2), long * 0.7, high + c * rng.uniform(0.1, 1.2)),
        ]
        parts.append(tube(tail, s * rng.uniform(0.015, 0.06)))
    wide = h * rng.uniform(0.8, 1.25)
    head = [ellipsoid(wide, h * rng.uniform(0.8, 1.2), h, 12)]
    ear, long_ear = h * rng.uniform(0.2, 0.45), rng.uniform(0.8, 2.6)
    for k in (1, -1):
        shell = ellipsoid(ear, ear * 0.45, ear * long_ear, 8).turned("y", k * rng.uniform(-20, 130))
        head.append(shell.moved(k * wide * 0.3, 0, h * 0.76))
    if rng.random() < 0.25:
        trunk = [(0, -h * 0.35, h * 0.5), (0, -h * 0.75, h * 0.35), (0, -h * 0.9, h * rng.uniform(-0.2, 0.6))]
        head.append(tube(trunk, h * np.array([0.16, 0.12, 0.08])).part(1))
    else:
        nose = h * rng.uniform(0.25, 0.5)
        head.append(ellipsoid(nose, nose * rng.uniform(0.8, 1.8), nose * 0.8, 8).moved(0, -h * 0.45, h * 0.25).part(1))
    look = join(*head).turned("x", rng.uniform(-15, 25)).turned("z", rng.uniform(-40, 40))
    return join(*parts, look.moved(0, front, top)).grounded().said("soft")
